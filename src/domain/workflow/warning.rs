//! Warnings: valid behaviour of a definition that its author may not have intended.

use std::collections::BTreeSet;

use crate::domain::values::id::ActorId;
use crate::domain::values::identity;
use crate::domain::values::party::Party;
use crate::domain::values::time::Span;

use super::finding::{Warning, WarningCode as Code};
use super::labels;
use super::{
    Approvals, ClockKind, EscalationTimeout, Group, OnReject, Stage, StageDeadline, StageTimeout, Submission, Workflow,
};

/// All warnings about `workflow`, in the order of its stages.
pub(super) fn warnings(workflow: &Workflow) -> Vec<Warning> {
    let mut found = Vec::new();
    for (index, stage) in workflow.stages.iter().enumerate() {
        let at = format!("/stages/{index}");
        found.extend(timeout_approves(stage, &at));
        if workflow.deadline.is_none() {
            unbounded_waits(workflow, stage, &at, &mut found);
        }
        found.extend(unbounded_rounds(stage, &at));
        found.extend(single_reason(stage, &at));
        found.extend(pools_may_shrink(workflow, stage, &at));
        found.extend(label_of_the_service(stage, &at));
    }
    if workflow.deadline.is_none() {
        let message = "The task has no deadline: on hold it waits until somebody resumes it. A `deadline` would limit this wait and every other.";
        found.push(warning(String::new(), Code::UnboundedWait, message));
    }
    found.extend(calendar(workflow));
    found.extend(deadlines_exceed_task(workflow));
    found.extend(no_visible_decision(workflow));
    found
}

fn warning(pointer: String, code: Code, message: impl Into<String>) -> Warning {
    Warning { pointer, code, message: message.into() }
}

fn timeout_approves(stage: &Stage, at: &str) -> Option<Warning> {
    let deadline = stage.deadline.as_ref().filter(|deadline| deadline.on_timeout == StageTimeout::Approve)?;
    let message = format!(
        "If the {} does not decide within {}, stage `{}` is approved.",
        stage.reviewer,
        said(deadline.clock, &deadline.within),
        stage.key
    );
    Some(warning(format!("{at}/deadline/on_timeout"), Code::TimeoutApproves, message))
}

fn unbounded_waits(workflow: &Workflow, stage: &Stage, at: &str, found: &mut Vec<Warning>) {
    let key = &stage.key;
    let mut wait = |pointer: String, message: String| found.push(warning(pointer, Code::UnboundedWait, message));
    let returned_to = workflow.stages.iter().any(|other| other.on_reject.return_to.contains(key));
    if stage.submission == Submission::Required || returned_to {
        wait(
            at.to_owned(),
            format!("Stage `{key}` waits for work to be submitted; only a deadline of the task limits that wait."),
        );
    }
    match stage.deadline.as_ref().map(|deadline| deadline.on_timeout) {
        None => wait(at.to_owned(), format!("Stage `{key}` has no deadline: its review can take indefinitely.")),
        Some(StageTimeout::None) => wait(
            format!("{at}/deadline/on_timeout"),
            format!(
                "When the deadline of stage `{key}` passes, nothing happens: the review continues without a clock."
            ),
        ),
        Some(StageTimeout::Escalate { .. } | StageTimeout::Reject | StageTimeout::Approve | StageTimeout::Fail) => {}
    }
    match stage.escalation.on_timeout {
        None => wait(
            format!("{at}/escalation"),
            format!("Stage `{key}` has no `respond_within`: the party that it is escalated to can take indefinitely."),
        ),
        Some(EscalationTimeout::None) => wait(
            format!("{at}/escalation/on_timeout"),
            format!(
                "When an escalation of stage `{key}` is not answered in time, nothing happens: it stays open without a clock."
            ),
        ),
        Some(EscalationTimeout::Escalate { .. }) => wait(
            format!("{at}/escalation/on_timeout"),
            format!(
                "An unanswered escalation of stage `{key}` ends up with the platform, without a clock; only `reject` and `fail` end the wait."
            ),
        ),
        Some(EscalationTimeout::Reject | EscalationTimeout::Fail) => {}
    }
}

/// A deadline of the task does not remove this warning, since it limits time and not rounds.
fn unbounded_rounds(stage: &Stage, at: &str) -> Option<Warning> {
    let OnReject { max_rounds: None, .. } = stage.on_reject else { return None };
    let message = format!("Stage `{}` can be rejected any number of times; `max_rounds` would limit it.", stage.key);
    Some(warning(format!("{at}/on_reject"), Code::UnboundedRounds, message))
}

fn single_reason(stage: &Stage, at: &str) -> Option<Warning> {
    let [reason] = &stage.on_reject.reasons[..] else { return None };
    let message = format!(
        "Every rejection of stage `{}` must name the reason `{}`, as there is no other; add reasons to tell rejections apart, or leave `reasons` out.",
        stage.key, reason.key
    );
    Some(warning(format!("{at}/on_reject/reasons"), Code::SingleReason, message))
}

fn pools_may_shrink(workflow: &Workflow, stage: &Stage, at: &str) -> Vec<Warning> {
    let groups = stage.groups().enumerate();
    groups.filter_map(|(index, group)| pool_may_shrink((workflow, stage), &group, (at, index))).collect()
}

/// Warns if those who may not approve can leave too few of a group's named reviewers, or fewer than
/// `all` seems to say.
fn pool_may_shrink(
    (workflow, stage): (&Workflow, &Stage),
    group: &Group<'_>,
    (at, index): (&str, usize),
) -> Option<Warning> {
    let named = group.named?;
    let barred = barred(workflow, stage, named);
    let left = named.len().saturating_sub(barred);
    let (pointer, whose) = match group.panel {
        Some(panel) => {
            (format!("{at}/panels/{index}"), format!("of the panel `{}` of stage `{}`", panel.key, stage.key))
        }
        None => (at.to_owned(), format!("of stage `{}`", stage.key)),
    };
    let needed = match group.approvals {
        Approvals::Votes(number) => number as usize,
        Approvals::All => 1,
    };
    if left < needed {
        let message = format!(
            "Of the {} reviewers {whose}, those who submitted the work or approved earlier stages may not approve here. That can leave {left}, but {needed} must approve; the stage is then escalated.",
            named.len()
        );
        return Some(warning(format!("{pointer}/reviewers"), Code::PoolMayRunDry, message));
    }
    if group.approvals != Approvals::All || barred == 0 {
        return None;
    }
    let message = format!(
        "All {} reviewers {whose} must approve, but those who submitted the work or approved earlier stages may not and are not waited for. That can leave {left}; `self_approval` and `distinct_from` say who may.",
        named.len()
    );
    let approvals = if group.panel.is_some() { "approvals" } else { "quorum/approvals" };
    Some(warning(format!("{pointer}/{approvals}"), Code::AllMayBeFewer, message))
}

/// The buyer reads the partner's texts where the service's own would stand.
fn label_of_the_service(stage: &Stage, at: &str) -> Vec<Warning> {
    let own = [("name", stage.name.as_str()), ("buyer_label", stage.buyer_label.as_str())];
    let own = own.map(|(field, text)| (field.to_owned(), text)).into_iter();
    let panels = stage.panels().iter().enumerate();
    let fields = own.chain(panels.map(|(index, panel)| (format!("panels/{index}/name"), panel.name.as_str())));
    let doubtful = fields.filter(|(_, text)| {
        let words = words(text);
        words.split(' ').any(|word| word == "aitasker") || labels::ALL.iter().any(|label| self::words(label) == words)
    });
    let doubt = |(field, text): (String, &str)| {
        let message = format!(
            "A buyer can mistake “{text}” for a message of AITasker itself; say what the partner does at stage `{}`.",
            stage.key
        );
        warning(format!("{at}/{field}"), Code::LabelOfTheService, message)
    };
    doubtful.map(doubt).collect()
}

/// The words of a text, without regard to case, spaces and punctuation.
fn words(text: &str) -> String {
    let text = identity::key_of(text).to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Maximum number of these named reviewers that can be barred from approving: the submitter, and for
/// every stage of `distinct_from` as many as can approve there. An overestimate if two of those
/// stages share their reviewers.
fn barred(workflow: &Workflow, stage: &Stage, named: &[ActorId]) -> usize {
    let mut possible = BTreeSet::new();
    let mut approvals = 0_usize;
    for earlier in stage.distinct_from().iter().filter_map(|key| workflow.find(key)).map(|(_, earlier)| earlier) {
        if earlier.reviewer != Party::Partner {
            continue;
        }
        let anyone = !earlier.names_reviewers() || earlier.escalation.to.contains(&Party::Partner);
        let here: Vec<_> =
            named.iter().filter(|id| anyone || earlier.reviewers().any(|reviewer| reviewer == *id)).collect();
        approvals += here.len().min(most_approvals(earlier));
        possible.extend(here);
    }
    approvals.min(possible.len()) + usize::from(stage.bars_submitter())
}

/// How many can have approved a stage when it is approved. In a panel that has approved, more can
/// while another panel is open.
fn most_approvals(stage: &Stage) -> usize {
    let groups = stage.groups().map(|group| match group.approvals {
        Approvals::Votes(number) if group.panel.is_none() => number as usize,
        Approvals::Votes(_) | Approvals::All => group.named.map_or(0, <[_]>::len),
    });
    groups.sum()
}

fn deadlines_exceed_task(workflow: &Workflow) -> Option<Warning> {
    let task = workflow.deadline.as_ref()?;
    // Compares in the task deadline's unit, with each stage's deadline at its longest.
    let stages = workflow.stages.iter().filter_map(|stage| stage.deadline.as_ref());
    let longest = |deadline: &StageDeadline| match (deadline.clock, task.clock, &workflow.calendar) {
        (ClockKind::Wall, ClockKind::Business, Some(calendar)) => {
            u64::try_from(calendar.most_work_in(i64::from(deadline.within.seconds()))).unwrap_or(u64::MAX)
        }
        (ClockKind::Business, ClockKind::Wall, _) => workflow.longest(deadline.clock, &deadline.within),
        (_, _, _) => u64::from(deadline.within.seconds()),
    };
    let sum: u64 = stages.map(longest).sum();
    if sum <= u64::from(task.within.seconds()) {
        return None;
    }
    let hours = match task.clock {
        ClockKind::Wall => "hours",
        ClockKind::Business => "working hours",
    };
    let message = format!(
        "The deadlines of the stages can add up to {} {hours}, more than the task's {}: a task can expire although every reviewer is in time.",
        sum.div_ceil(3600),
        said(task.clock, &task.within)
    );
    Some(warning("/deadline/within".to_owned(), Code::DeadlinesExceedTask, message))
}

/// Warns of an unused calendar, and of working time in units that people take for days of work.
fn calendar(workflow: &Workflow) -> Vec<Warning> {
    let durations = workflow.durations();
    let business: Vec<_> = durations.into_iter().filter(|(_, clock, _)| *clock == ClockKind::Business).collect();
    if workflow.calendar.is_some() && business.is_empty() {
        let message = "No duration is counted by the calendar: set `\"clock\": \"business\"` on the deadlines that it is meant for.";
        return vec![warning("/calendar".to_owned(), Code::UnusedCalendar, message)];
    }
    let in_days = business.into_iter().filter(|(_, _, span)| span.as_str().contains(['D', 'W']));
    let doubt = |(pointer, _, span): (String, ClockKind, &Span)| {
        let hours = span.seconds().div_ceil(3600);
        let message = format!(
            "{span} is {hours} working hours here, since a day is 24 hours; write eight working hours as PT8H."
        );
        warning(pointer, Code::BusinessDays, message)
    };
    in_days.map(doubt).collect()
}

/// A duration as part of a sentence.
fn said(clock: ClockKind, span: &Span) -> String {
    match clock {
        ClockKind::Wall => span.to_string(),
        ClockKind::Business => format!("{span} of working time"),
    }
}

/// Warns if no decision is made by anybody but the worker, which a buyer would not notice. That is
/// so if only the partner is ever asked (the buyer and the platform review no stage, and no stage
/// can be escalated to the buyer) and every stage can pass without a second person: by timeout, or
/// with one approval that the submitter may give.
fn no_visible_decision(workflow: &Workflow) -> Option<Warning> {
    let formality = |stage: &Stage| {
        let silence = stage.deadline.as_ref().is_some_and(|deadline| deadline.on_timeout == StageTimeout::Approve);
        let one = |group: Group<'_>| group.named.is_none() && group.approvals == Approvals::Votes(1);
        let alone = stage.groups().all(one) && !stage.bars_submitter() && stage.distinct_from().is_empty();
        stage.reviewer == Party::Partner && !stage.escalation.to.contains(&Party::Buyer) && (silence || alone)
    };
    workflow.stages.iter().all(formality).then(|| {
        let message = "Every stage can pass by timeout or by approval of the actor who did the work, and only the partner reviews. The buyer would notice no decision; the synchronous path is a better fit for such work.";
        warning("/stages".to_owned(), Code::NoVisibleDecision, message)
    })
}
