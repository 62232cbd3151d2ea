//! Reads a definition from outside: all its mistakes at once, or the checked definition with its
//! defaults. The rules concern a single definition; `warning.rs` has the warnings.

mod calendar;
mod node;
mod reject;
mod review;
#[cfg(test)]
mod tests;

use node::{Fields, Mistakes, Node, Read, Reported};
use serde_json::Value;

use crate::domain::calendar::{Calendar, MAX_SECONDS};
use crate::domain::values::id::StageKey;
use crate::domain::values::party::Party;
use crate::domain::values::time::Span;

use super::finding::{Mistake, MistakeCode as Code, Warning};
use super::{
    Assurance, CancellationRule, ClockKind, EscalationRule, EscalationTimeout, QuestionRule, Stage, StageDeadline,
    StageTimeout, Submission, TaskDeadline, Workflow, warning,
};

/// The longest time that a partner can have to acknowledge a cancellation: 7 days.
const MAX_GRACE_SECONDS: u32 = 7 * 86_400;
/// The most questions that a stage can allow in a round. They stop the reviewers' clock, so their
/// number is limited, as their time is.
const MAX_QUESTIONS: u32 = 20;
/// The shortest deadline after which a timeout may approve for a buyer: 24 hours.
const MIN_BUYER_SILENCE_SECONDS: u32 = 86_400;

const STAGE_FIELDS: [&str; 18] = [
    "key",
    "name",
    "buyer_label",
    "submission",
    "reviewer",
    "assurance",
    "quorum",
    "reviewers",
    "panels",
    "self_approval",
    "distinct_from",
    "reviewers_fixed",
    "substitutes",
    "on_reject",
    "escalation",
    "questions",
    "deadline",
    "cancellation",
];

/// A valid definition with its warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The definition, its defaults filled in.
    pub workflow: Workflow,
    /// What its author may not have intended.
    pub warnings: Vec<Warning>,
    /// The longest a task can take, in seconds; see [`Workflow::worst_case`].
    pub worst_case: Option<u64>,
}

impl Workflow {
    /// Parses a definition. On failure returns every mistake in it; the list is never empty.
    pub fn parse(value: &Value) -> Result<Parsed, Vec<Mistake>> {
        let mistakes = Mistakes::default();
        let read = workflow(&Node::root(value, &mistakes));
        let mistakes = mistakes.into_vec();
        match read {
            Ok(workflow) if mistakes.is_empty() => {
                let warnings = warning::warnings(&workflow);
                let worst_case = workflow.worst_case();
                Ok(Parsed { workflow, warnings, worst_case })
            }
            Ok(_) | Err(_) => Err(mistakes),
        }
    }
}

/// The keys of all stages and the stage being read: what a stage may refer to.
#[derive(Clone, Copy)]
struct Position<'a> {
    keys: &'a [Read<StageKey>],
    index: usize,
}

impl Position<'_> {
    fn own(self) -> Read<StageKey> {
        self.keys[self.index].clone()
    }

    /// The previous stage; for the first stage, itself.
    fn before(self) -> Read<StageKey> {
        self.keys[self.index.saturating_sub(1)].clone()
    }
}

/// How durations can be counted: by the calendar, unless it is missing or invalid.
#[derive(Clone, Copy)]
struct Clocks<'a> {
    calendar: Result<&'a Option<Calendar>, &'a Reported>,
}

impl Clocks<'_> {
    /// The `clock` beside a duration.
    fn kind(self, fields: &Fields) -> Read<ClockKind> {
        fields.or("clock", ClockKind::Wall, |node| {
            let kind = node.word(&[("wall", ClockKind::Wall), ("business", ClockKind::Business)])?;
            if kind == ClockKind::Business && matches!(self.calendar, Ok(None)) {
                let rule = "may be `business` only in a workflow with a `calendar`";
                return Err(node.report(Code::CalendarRequired, rule));
            }
            Ok(kind)
        })
    }

    /// A duration counted by `kind`.
    fn span(self, node: &Node, kind: Read<ClockKind>) -> Read<Span> {
        let span = node.span()?;
        if let (Ok(ClockKind::Business), Ok(Some(calendar))) = (kind, self.calendar)
            && calendar.longest(i64::from(span.seconds())) > MAX_SECONDS
        {
            let rule = format!("is {span} of working time, which can take more than ten years by the calendar");
            return Err(node.report(Code::BeyondCalendar, rule));
        }
        Ok(span)
    }
}

/// Facts about a stage that its rules need from each other.
struct Context<'a> {
    position: Position<'a>,
    clocks: Clocks<'a>,
    reviewer: Read<Party>,
    escalation_to: Read<Vec<Party>>,
}

fn workflow(node: &Node) -> Read<Workflow> {
    let fields = node.object(&["name", "stages", "deadline", "calendar"])?;
    let name = fields.required("name", Node::text);
    let calendar = fields.optional("calendar", calendar::calendar);
    let clocks = Clocks { calendar: calendar.as_ref() };
    let stages = fields.required("stages", |node| stages(node, clocks));
    let deadline = fields.optional("deadline", |node| {
        let fields = node.object(&["within", "clock"])?;
        let clock = clocks.kind(&fields);
        let within = fields.required("within", |node| clocks.span(node, clock));
        Ok(TaskDeadline { within: within?, clock: clock? })
    });
    Ok(Workflow { name: name?, stages: stages?, deadline: deadline?, calendar: calendar? })
}

fn stages(node: &Node, clocks: Clocks) -> Read<Vec<Stage>> {
    let (nodes, counted) = node.elements(1..=50)?;
    let fields: Vec<_> = nodes.iter().map(|node| node.object(&STAGE_FIELDS)).collect();
    let mut keys: Vec<Read<StageKey>> = Vec::with_capacity(fields.len());
    for fields in &fields {
        let key = fields.as_ref().map_err(|reported| *reported).and_then(|fields| {
            fields.required("key", |node| {
                let key = node.key()?;
                if keys.iter().flatten().any(|earlier| *earlier == key) {
                    return Err(node.report(Code::Duplicate, "is already the key of an earlier stage"));
                }
                Ok(key)
            })
        });
        keys.push(key);
    }
    let position = |index| Position { keys: &keys, index };
    let stages: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(index, fields)| stage(fields.as_ref().map_err(|r| *r)?, position(index), clocks))
        .collect();
    counted?;
    stages.into_iter().collect()
}

fn stage(fields: &Fields, position: Position, clocks: Clocks) -> Read<Stage> {
    let name = fields.required("name", Node::text);
    let buyer_label = fields.required("buyer_label", Node::text);
    let submission = fields.or("submission", Submission::None, |node| {
        node.word(&[("none", Submission::None), ("required", Submission::Required)])
    });
    let reviewer = fields.or("reviewer", Party::Partner, Node::party);
    let assurance = fields
        .or("assurance", Assurance::Any, |node| node.word(&[("any", Assurance::Any), ("bound", Assurance::Bound)]));
    let escalation =
        fields.get("escalation").map(|node| node.object(&["to", "respond_within", "on_timeout", "clock"])).transpose();
    let escalation_to = match &escalation {
        Ok(Some(escalation)) => escalation_to(escalation, reviewer),
        Ok(None) => Ok(vec![Party::Platform]),
        Err(reported) => Err(*reported),
    };
    let context = Context { position, clocks, reviewer, escalation_to };
    let review = review::rule(fields, &context);
    let on_reject = reject::on_reject(fields, &context);
    let escalation = escalation.and_then(|fields| escalation_rule(fields.as_ref(), &context));
    let questions = fields.or("questions", QuestionRule::default(), |node| questions(node, clocks));
    let deadline = fields.optional("deadline", |node| deadline(node, &context));
    let cancellation = fields.or("cancellation", CancellationRule::Withdraw, |node| cancellation(node, clocks));
    Ok(Stage {
        key: position.own()?,
        name: name?,
        buyer_label: buyer_label?,
        submission: submission?,
        reviewer: reviewer?,
        assurance: assurance?,
        review: review?,
        on_reject: on_reject?,
        escalation: escalation?,
        questions: questions?,
        deadline: deadline?,
        cancellation: cancellation?,
    })
}

/// A stage of this workflow before this one, or this one if `itself` is allowed.
fn stage_reference(node: &Node, position: Position, itself: bool) -> Read<StageKey> {
    let key = node.key()?;
    let found = position.keys.iter().position(|known| known.as_ref().is_ok_and(|known| *known == key));
    match found {
        None => {
            Err(node.report(Code::UnknownStage, format_args!("names `{key}`, which is not a stage of this workflow")))
        }
        Some(index) if index > position.index => {
            Err(node.report(Code::LaterStage, format_args!("names `{key}`, which comes later")))
        }
        Some(index) if index == position.index && !itself => {
            Err(node.report(Code::LaterStage, "names its own stage; only earlier ones are allowed"))
        }
        Some(_) => Ok(key),
    }
}

/// Reads `{"action": …}`; with `escalate`, `to` names one of the stage's parties. `silence` is the
/// rule that forbids `approve`, if any.
fn action<T: Copy>(
    node: &Node,
    context: &Context,
    escalate: impl Fn(Party) -> T,
    others: &[(&str, T)],
    silence: Option<&str>,
) -> Read<T> {
    let fields = node.object(&["action", "to"])?;
    let mut words = vec![("escalate", None)];
    words.extend(others.iter().map(|(word, value)| (*word, Some(*value))));
    let action = fields.required("action", |node| match silence {
        Some(rule) if node.is("approve") => Err(node.report(Code::SilenceResolves, rule)),
        Some(_) | None => node.word(&words),
    });
    if let Ok(Some(value)) = action {
        if let Some(to) = fields.get("to") {
            return Err(to.report(Code::NotApplicable, "is only for the action `escalate`"));
        }
        return Ok(value);
    }
    let read = |node: &Node| {
        let to = node.party()?;
        match &context.escalation_to {
            Ok(allowed) if !allowed.contains(&to) => {
                let allowed: Vec<_> = allowed.iter().map(|party| party.as_str()).collect();
                let rule = format!("must be one of the stage's `escalation.to`: {}", allowed.join(", "));
                Err(node.report(Code::PartyNotAllowed, rule))
            }
            Ok(_) | Err(_) => Ok(to),
        }
    };
    match (action, fields.get("to")) {
        (Err(reported), None) => Err(reported),
        (_, Some(to)) => read(&to).and_then(|to| action.map(|_| escalate(to))),
        (Ok(_), None) => Err(fields.missing("to", " with the action `escalate`")),
    }
}

fn escalation_to(fields: &Fields, reviewer: Read<Party>) -> Read<Vec<Party>> {
    fields.or("to", vec![Party::Platform], |node| {
        let read = |node: &Node| {
            let party = node.party()?;
            if party == Party::Buyer && reviewer.is_ok_and(|reviewer| reviewer == Party::Buyer) {
                return Err(node.report(Code::BuyerReviews, "must not be `buyer` on a stage that the buyer reviews"));
            }
            Ok(party)
        };
        node.set(1..=3, read, PartialEq::eq)
    })
}

fn escalation_rule(fields: Option<&Fields>, context: &Context) -> Read<EscalationRule> {
    let Some(fields) = fields else {
        let to = context.escalation_to.clone()?;
        return Ok(EscalationRule { to, respond_within: None, on_timeout: None, clock: ClockKind::Wall });
    };
    let clock = context.clocks.kind(fields);
    let respond_within = fields.optional("respond_within", |node| context.clocks.span(node, clock));
    let on_timeout = fields.optional("on_timeout", |node| {
        let others = [
            ("reject", EscalationTimeout::Reject),
            ("fail", EscalationTimeout::Fail),
            ("none", EscalationTimeout::None),
        ];
        let silence = "must not be `approve`: a timeout never approves an escalation";
        action(node, context, |to| EscalationTimeout::Escalate { to }, &others, Some(silence))
    });
    for (name, why) in [("on_timeout", " with `on_timeout`"), ("clock", " with `clock`")] {
        if fields.get(name).is_some() && fields.get("respond_within").is_none() {
            return Err(fields.missing("respond_within", why));
        }
    }
    let respond_within = respond_within?;
    let default = respond_within.as_ref().map(|_| EscalationTimeout::None);
    let (to, on_timeout) = (context.escalation_to.clone()?, on_timeout?.or(default));
    Ok(EscalationRule { to, respond_within, on_timeout, clock: clock? })
}

fn questions(node: &Node, clocks: Clocks) -> Read<QuestionRule> {
    let fields = node.object(&["to", "respond_within", "clock", "max_per_round"])?;
    let default = QuestionRule::default();
    let clock = clocks.kind(&fields);
    let to = fields.or("to", default.to, |node| node.set(1..=3, Node::party, PartialEq::eq));
    let respond_within = fields.or("respond_within", default.respond_within, |node| clocks.span(node, clock));
    let max_per_round = fields.or("max_per_round", default.max_per_round, |node| node.number(0..=MAX_QUESTIONS));
    if fields.get("clock").is_some() && fields.get("respond_within").is_none() {
        return Err(fields.missing("respond_within", " with `clock`"));
    }
    Ok(QuestionRule { to: to?, respond_within: respond_within?, clock: clock?, max_per_round: max_per_round? })
}

fn deadline(node: &Node, context: &Context) -> Read<StageDeadline> {
    let fields = node.object(&["within", "remind_before", "on_timeout", "clock"])?;
    let clock = context.clocks.kind(&fields);
    let within = fields.required("within", |node| context.clocks.span(node, clock));
    let reminder = |node: &Node| {
        let reminder = node.span()?;
        match &within {
            Ok(within) if reminder.seconds() > within.seconds() => {
                let rule = format!("must not be longer than the deadline itself ({within})");
                Err(node.report(Code::ReminderTooLong, rule))
            }
            Ok(_) | Err(_) => Ok(reminder),
        }
    };
    let remind_before = fields.or("remind_before", Vec::new(), |node| {
        node.set(0..=10, reminder, |one, other| one.seconds() == other.seconds())
    });
    let on_timeout = fields.or("on_timeout", StageTimeout::None, |node| {
        let silence = silence_rule(context.reviewer, within.as_ref().ok());
        let others = [
            ("reject", StageTimeout::Reject),
            ("approve", StageTimeout::Approve),
            ("fail", StageTimeout::Fail),
            ("none", StageTimeout::None),
        ];
        action(node, context, |to| StageTimeout::Escalate { to }, &others, silence.as_deref())
    });
    Ok(StageDeadline { within: within?, remind_before: remind_before?, on_timeout: on_timeout?, clock: clock? })
}

/// The rule that forbids a timeout to approve a stage with this reviewer and deadline.
fn silence_rule(reviewer: Read<Party>, within: Option<&Span>) -> Option<String> {
    match reviewer.ok()? {
        Party::Partner => None,
        Party::Platform => Some("must not be `approve` on a stage that the platform reviews".to_owned()),
        Party::Buyer => within.filter(|within| within.seconds() < MIN_BUYER_SILENCE_SECONDS).map(|within| {
            format!(
                "may be `approve` on a stage that the buyer reviews only with a deadline of at least PT24H, not {within}"
            )
        }),
    }
}

fn cancellation(node: &Node, clocks: Clocks) -> Read<CancellationRule> {
    #[derive(Clone, Copy, PartialEq)]
    enum InFlight {
        Withdraw,
        LetFinish,
    }
    let fields = node.object(&["in_flight", "grace", "clock"])?;
    let in_flight = fields.or("in_flight", InFlight::Withdraw, |node| {
        node.word(&[("withdraw", InFlight::Withdraw), ("let_finish", InFlight::LetFinish)])
    });
    let applies = |node: &Node| match in_flight {
        Ok(InFlight::Withdraw) => Err(node.report(Code::NotApplicable, "is only for `in_flight` `let_finish`")),
        Ok(InFlight::LetFinish) | Err(_) => Ok(()),
    };
    let clock = fields.get("clock").map_or(Ok(()), |node| applies(&node)).and_then(|()| clocks.kind(&fields));
    let grace = fields.optional("grace", |node| {
        applies(node)?;
        let grace = clocks.span(node, clock)?;
        if grace.seconds() > MAX_GRACE_SECONDS {
            return Err(node.report(Code::OutOfRange, "must be at most P7D"));
        }
        Ok(grace)
    });
    match in_flight? {
        InFlight::Withdraw => grace.and(clock).map(|_| CancellationRule::Withdraw),
        InFlight::LetFinish => {
            Ok(CancellationRule::LetFinish { grace: grace?.unwrap_or_else(default_grace), clock: clock? })
        }
    }
}

fn default_grace() -> Span {
    Span::parse("PT24H").expect("PT24H is a span")
}
