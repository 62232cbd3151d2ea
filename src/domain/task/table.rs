//! The state machine as a table: from a phase, an event, what follows, and what is recorded.
//! `decide` implements it. The tests cover every edge of it and fail on an edge that is missing.
//! `table.md` is written from it.
//!
//! Refusals that every command can meet are not repeated in the rows: `task_closed` on a closed
//! task (first), `wrong_party`, `key_actor`, `stage_mismatch` and `round_mismatch`, `wrong_phase` for
//! a pair without a row, `stale_revision`, and 422 for a stage or a revision that does not exist. They are
//! checked in this order, interleaved with the rows' own refusals: closed or late, party, key,
//! stage and round, phase, actor, revision, content.

use super::PhaseName;
use super::PhaseName::{Cancelled, Cancelling, Delivery, Escalated, Expired, Failed, InReview, OnHold, Preparing};
use super::command_type::CommandType;
use super::event::{Resolution, TimeoutAction};

/// One row: a trigger and its consequences.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The phases in which it can happen; empty: the task does not exist yet.
    pub from: &'static [PhaseName],
    /// The trigger.
    pub trigger: Trigger,
    /// Who can cause it: any of these.
    pub by: &'static [Role],
    /// A further condition; empty: none.
    pub when: &'static str,
    /// The events recorded first, without the `task.` prefix.
    pub events: &'static [&'static str],
    /// What follows.
    pub then: Then,
    /// The codes of the row's own refusals, and a JSON pointer for each field that can be invalid.
    /// If several rows have the same trigger, the first one lists them.
    pub refused: &'static [&'static str],
}

/// The triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The platform opens it.
    Open,
    /// A command of this type.
    Command(CommandType),
    /// The command `escalation_resolved` with this `resolution`.
    Resolved(Resolution),
    /// The deadline of the party that was asked a question.
    QuestionDeadline,
    /// The deadline of the whole task.
    TaskDeadline,
    /// The end of a cancellation's grace period.
    GraceEnd,
    /// A reminder of the stage's deadline.
    Reminder,
    /// The stage's deadline, with the definition's `on_timeout.action`.
    StageDeadline(TimeoutAction),
    /// The deadline of the party that the task is escalated to, with the definition's
    /// `on_timeout.action`.
    EscalationDeadline(TimeoutAction),
    /// An erasure that concerns the task.
    Erasure,
}

/// Who can cause a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The partner.
    Partner,
    /// The buyer.
    Buyer,
    /// The platform.
    Platform,
    /// The stage's reviewing party.
    Reviewer,
    /// The party that the task is escalated to.
    EscalatedTo,
    /// The party that was asked the open question.
    PartyAsked,
    /// The party that asked it.
    Asker,
    /// The party that put the task on hold.
    HeldBy,
    /// The service, by a timer.
    Service,
}

/// What follows a row's own events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: the command is always refused.
    Refused,
    /// The task stays in its phase.
    Same,
    /// The task moves to this phase.
    To(PhaseName),
    /// ENTER the first stage, where no actor can be barred yet.
    Start,
    /// REVIEW: the clock starts, or too few of the named reviewers may approve.
    Review,
    /// APPROVE: ENTER the next stage, or delivery.
    Approve,
    /// REJECT: return to the target, unless the rounds are exhausted.
    Reject,
    /// REJECT regardless of `max_rounds`: ENTER the same or an earlier stage as a return.
    Return,
    /// ESCALATE.
    Escalate,
    /// RESUME: back to the phase before the hold.
    Resume,
    /// CANCEL.
    Cancel,
    /// EXPIRE.
    Expire,
    /// FAIL.
    Fail,
}

/// One edge of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The phase before; `None`: the task did not exist.
    pub from: Option<PhaseName>,
    /// The trigger.
    pub trigger: Trigger,
    /// The events recorded, in order, without the `task.` prefix.
    pub events: Vec<&'static str>,
    /// The phase afterwards.
    pub to: PhaseName,
}

use CommandType::{
    CancellationAcknowledged, CancellationRequested, EscalationResolved, Held, QuestionAnswered, QuestionAsked,
    QuestionWithdrawn, Resumed, ReviewersChanged, StageApproved, StageEscalated, StageRejected, StatusUpdated,
    WorkSubmitted,
};
use Role::{Asker, Buyer, EscalatedTo, HeldBy, Partner, PartyAsked, Platform, Reviewer, Service};
use Trigger::{
    Command, Erasure, EscalationDeadline, GraceEnd, Open, QuestionDeadline, Reminder, Resolved, StageDeadline,
    TaskDeadline,
};

/// One row per line: phases, trigger, roles, condition => own events, what follows, own refusals.
macro_rules! rows {
    ($($from:expr, $trigger:expr, $by:expr, $when:literal => $events:expr, $then:expr, $refused:expr;)*) => {
        &[$(Row { from: &$from, trigger: $trigger, by: &$by, when: $when, events: &$events, then: $then, refused: &$refused },)*]
    };
}

const TERMINAL: [PhaseName; 4] = [Delivery, Cancelled, Expired, Failed];
const OPEN: [PhaseName; 5] = [Preparing, InReview, Escalated, OnHold, Cancelling];
const ALL: [Role; 3] = [Partner, Buyer, Platform];
const ASKING: [Role; 3] = [Reviewer, Partner, Platform];
const HOLDING: [Role; 2] = [Partner, Platform];

/// The whole table.
pub const ROWS: &[Row] = rows! {
    [], Open, [Platform], "" => ["opened"], Then::Start, ["/deadline_at"];

    [Preparing], Command(WorkSubmitted), [Partner], "" => ["work_submitted"], Then::Review, ["/artifacts", "/answers", "unanswered_feedback", "limit_reached"];
    [Preparing], Command(StageApproved), [Reviewer], "" => [], Then::Refused, ["key_unbound", "already_decided", "wrong_phase"];
    [Preparing], Command(StageRejected), [Reviewer], "" => [], Then::Refused, ["key_unbound", "already_decided", "wrong_phase"];
    [Preparing], Command(StageEscalated), ASKING, "" => [], Then::Refused, ["already_decided", "wrong_phase"];
    [Preparing], Command(EscalationResolved), ALL, "" => [], Then::Refused, ["already_decided", "wrong_phase"];

    [InReview], Command(WorkSubmitted), [Partner], "first stage, or this round began in `preparing`" => ["work_submitted"], Then::Review, ["submission_not_open", "/artifacts", "/answers", "limit_reached"];
    [InReview], Command(StageApproved), [Reviewer], "short of quorum" => ["vote_recorded"], Then::Same, ["key_unbound", "already_decided", "not_a_reviewer", "self_approval", "not_distinct", "/feedback", "already_voted", "limit_reached"];
    [InReview], Command(StageApproved), [Reviewer], "quorum" => ["vote_recorded"], Then::Approve, [];
    [InReview], Command(StageRejected), [Reviewer], "short of quorum" => ["vote_recorded"], Then::Same, ["key_unbound", "already_decided", "not_a_reviewer", "/feedback", "/return_to", "already_voted", "limit_reached"];
    [InReview], Command(StageRejected), [Reviewer], "quorum" => ["vote_recorded"], Then::Reject, [];
    [InReview], Command(StageEscalated), ASKING, "" => [], Then::Escalate, ["already_decided", "/to"];
    [InReview], Reminder, [Service], "" => ["deadline_reminded"], Then::Same, [];
    [InReview], StageDeadline(TimeoutAction::None), [Service], "" => ["deadline_passed"], Then::Same, [];
    [InReview], StageDeadline(TimeoutAction::Escalate), [Service], "" => ["deadline_passed"], Then::Escalate, [];
    [InReview], StageDeadline(TimeoutAction::Reject), [Service], "" => ["deadline_passed"], Then::Reject, [];
    [InReview], StageDeadline(TimeoutAction::Fail), [Service], "" => ["deadline_passed"], Then::Fail, [];
    [InReview], StageDeadline(TimeoutAction::Approve), [Service], "no rejecting vote stands" => ["deadline_passed"], Then::Approve, [];
    [InReview], StageDeadline(TimeoutAction::Approve), [Service], "a rejecting vote stands" => ["deadline_passed"], Then::Escalate, [];

    [Escalated], Resolved(Resolution::Approve), [EscalatedTo], "" => ["escalation_resolved"], Then::Approve, ["key_unbound", "already_decided", "stale_escalation", "second_person", "resolution_not_allowed", "self_approval", "not_distinct", "/feedback"];
    [Escalated], Resolved(Resolution::Reject), [EscalatedTo], "" => ["escalation_resolved"], Then::Return, ["already_decided", "stale_escalation", "second_person", "/feedback", "/return_to"];
    [Escalated], Resolved(Resolution::Return), [EscalatedTo], "cause person or deadline, or enough reviewers have come" => ["escalation_resolved"], Then::To(InReview), ["already_decided", "stale_escalation", "nothing_to_return_to", "/feedback", "limit_reached"];
    [Escalated], Resolved(Resolution::Return), [EscalatedTo], "the same, and reviewers left so that the votes of the others meet the quorum" => ["escalation_resolved"], Then::Approve, [];
    [Escalated], Resolved(Resolution::Return), [EscalatedTo], "the same, and too few of the reviewers are there or represented" => ["escalation_resolved"], Then::Escalate, [];
    [Escalated], Resolved(Resolution::Redirect), [EscalatedTo], "it changed hands fewer than 3 times" => ["escalation_resolved"], Then::Escalate, ["already_decided", "stale_escalation", "redirect_limit", "/to"];
    [Escalated], EscalationDeadline(TimeoutAction::None), [Service], "" => ["deadline_passed"], Then::Same, [];
    [Escalated], EscalationDeadline(TimeoutAction::Escalate), [Service], "after 3 changes of hands, or if it names the party that has it, the platform must decide, without a clock" => ["deadline_passed"], Then::Escalate, [];
    [Escalated], EscalationDeadline(TimeoutAction::Escalate), [Service], "the same, but the platform has it already" => ["deadline_passed"], Then::Same, [];
    [Escalated], EscalationDeadline(TimeoutAction::Reject), [Service], "" => ["deadline_passed"], Then::Return, [];
    [Escalated], EscalationDeadline(TimeoutAction::Fail), [Service], "" => ["deadline_passed"], Then::Fail, [];

    [Preparing], Command(QuestionAsked), HOLDING, "" => ["question_asked"], Then::Same, ["question_open", "/to", "limit_reached"];
    [InReview], Command(QuestionAsked), ASKING, "" => ["question_asked"], Then::Same, ["question_open", "/to", "limit_reached"];
    [Preparing, InReview], Command(QuestionAnswered), [PartyAsked], "" => ["question_answered"], Then::Same, ["stale_question", "/option"];
    [Preparing, InReview], Command(QuestionWithdrawn), [Asker], "" => ["question_closed"], Then::Same, ["stale_question"];
    [Preparing, InReview], QuestionDeadline, [Service], "" => ["question_closed"], Then::Same, [];

    [InReview], Command(ReviewersChanged), [Partner], "the votes that are left are short of quorum" => ["reviewers_changed"], Then::Same, ["reviewers_fixed", "/panel", "/add", "/remove", "limit_reached"];
    [InReview], Command(ReviewersChanged), [Partner], "the votes that are left meet the quorum" => ["reviewers_changed"], Then::Approve, [];
    [Preparing, Escalated, OnHold], Command(ReviewersChanged), [Partner], "" => ["reviewers_changed"], Then::Same, [];

    [Preparing, InReview], Command(Held), HOLDING, "" => ["held"], Then::To(OnHold), ["limit_reached"];
    [OnHold], Command(Resumed), [HeldBy, Platform], "" => ["resumed"], Then::Resume, ["held_by_other"];
    [OnHold], Command(Resumed), [HeldBy, Platform], "reviewers left meanwhile, and the votes of the others meet the quorum" => ["resumed"], Then::Approve, [];

    [Preparing, OnHold], Command(CancellationRequested), ALL, "" => ["cancellation_requested"], Then::Cancel, [];
    [InReview, Escalated], Command(CancellationRequested), ALL, "the stage says `withdraw`, or `immediate` (platform only)" => ["cancellation_requested"], Then::Cancel, ["/immediate"];
    [InReview, Escalated], Command(CancellationRequested), ALL, "the stage says `let_finish`" => ["cancellation_requested"], Then::To(Cancelling), [];
    [Cancelling], Command(CancellationRequested), [Platform], "`immediate`" => ["cancellation_requested"], Then::Cancel, ["already_cancelling"];
    [Cancelling], Command(CancellationAcknowledged), [Partner], "" => ["cancellation_acknowledged", "workflow_cancelled"], Then::To(Cancelled), ["/artifacts"];
    [Cancelling], GraceEnd, [Service], "" => [], Then::Cancel, [];

    [Cancelling], Command(StageApproved), [Reviewer], "a review was open" => ["late_decision_recorded"], Then::Same, ["cancelling"];
    [Cancelling], Command(StageRejected), [Reviewer], "a review was open" => ["late_decision_recorded"], Then::Same, ["cancelling"];
    [Cancelling], Command(EscalationResolved), [EscalatedTo], "that escalation was open" => ["late_decision_recorded"], Then::Same, ["cancelling"];
    TERMINAL, Command(StageApproved), [Reviewer], "a review was open" => ["late_decision_recorded"], Then::Same, ["task_closed"];
    TERMINAL, Command(StageRejected), [Reviewer], "a review was open" => ["late_decision_recorded"], Then::Same, ["task_closed"];
    TERMINAL, Command(EscalationResolved), [EscalatedTo], "that escalation was open" => ["late_decision_recorded"], Then::Same, ["task_closed"];

    [Preparing, InReview, Escalated, OnHold], TaskDeadline, [Service], "" => [], Then::Expire, [];
    OPEN, Command(StatusUpdated), [Partner], "" => ["status_updated"], Then::Same, ["limit_reached"];
    OPEN, Erasure, [Platform], "" => ["personal_data_erased"], Then::Same, [];
    TERMINAL, Erasure, [Platform], "" => ["personal_data_erased"], Then::Same, [];
};

impl Row {
    /// Every edge of the row, from each of its phases: with an open question as well, if the row
    /// overtakes one.
    pub fn edges(&self) -> Vec<Edge> {
        let (trigger, own) = (self.trigger, self.events);
        let lead = |from: Option<PhaseName>| {
            let ways = self.then.ways(from).into_iter();
            ways.flat_map(move |(events, to)| {
                let events = [own, &events[..]].concat();
                let overtaking = overtaking(from, trigger, &events);
                let with_question = overtaking.map(|events| Edge { from, trigger, events, to });
                [Edge { from, trigger, events, to }].into_iter().chain(with_question)
            })
        };
        if self.from.is_empty() {
            return lead(None).collect();
        }
        self.from.iter().flat_map(|from| lead(Some(*from))).collect()
    }
}

/// The events that close an open question as overtaken.
const OVERTAKING: [&str; 10] = [
    "work_submitted",
    "stage_approved",
    "stage_rejected",
    "stage_escalated",
    "cancellation_requested",
    "review_withdrawn",
    "workflow_completed",
    "workflow_cancelled",
    "workflow_expired",
    "workflow_failed",
];

/// The same events with an open question, if they close one: after the command's own event, before
/// what the service records. The stage's clock stands still meanwhile, so it overtakes none.
fn overtaking(from: Option<PhaseName>, trigger: Trigger, events: &[&'static str]) -> Option<Vec<&'static str>> {
    let commanded = match trigger {
        Command(_) => true,
        TaskDeadline => false,
        Open
        | Resolved(_)
        | QuestionDeadline
        | GraceEnd
        | Reminder
        | StageDeadline(_)
        | EscalationDeadline(_)
        | Erasure => return None,
    };
    if !matches!(from, Some(Preparing | InReview | OnHold)) {
        return None;
    }
    let first = events.iter().position(|event| OVERTAKING.contains(event))?;
    let mut events = events.to_vec();
    events.insert(if first == 0 && commanded { 1 } else { first }, "question_closed");
    Some(events)
}

impl Then {
    /// Every outcome from a phase: the events recorded, and the phase afterwards.
    fn ways(self, from: Option<PhaseName>) -> Vec<(Vec<&'static str>, PhaseName)> {
        match self {
            Self::Refused => Vec::new(),
            Self::Same => from.map(|phase| (Vec::new(), phase)).into_iter().collect(),
            Self::To(phase) => vec![(Vec::new(), phase)],
            Self::Start => vec![
                (vec!["stage_entered"], Preparing),
                (vec!["stage_entered"], InReview),
                (vec!["stage_entered", "stage_escalated"], Escalated),
            ],
            Self::Review => vec![(Vec::new(), InReview), (vec!["stage_escalated"], Escalated)],
            Self::Approve => vec![
                (vec!["stage_approved", "stage_entered"], Preparing),
                (vec!["stage_approved", "stage_entered"], InReview),
                (vec!["stage_approved", "stage_entered", "stage_escalated"], Escalated),
                (vec!["stage_approved", "workflow_completed"], Delivery),
            ],
            Self::Reject => vec![
                (vec!["stage_rejected", "stage_entered"], Preparing),
                (vec!["stage_rejected", "stage_escalated"], Escalated),
                (vec!["stage_rejected", "workflow_failed"], Failed),
            ],
            Self::Return => vec![(vec!["stage_rejected", "stage_entered"], Preparing)],
            Self::Escalate => vec![(vec!["stage_escalated"], Escalated)],
            Self::Resume => vec![(Vec::new(), Preparing), (Vec::new(), InReview)],
            Self::Cancel => ends(from, "workflow_cancelled", Cancelled),
            Self::Expire => ends(from, "workflow_expired", Expired),
            Self::Fail => ends(from, "workflow_failed", Failed),
        }
    }
}

/// The ways in which a task ends. An undecided review is withdrawn first.
fn ends(from: Option<PhaseName>, event: &'static str, to: PhaseName) -> Vec<(Vec<&'static str>, PhaseName)> {
    let (withdrawn, plain) = ((vec!["review_withdrawn", event], to), (vec![event], to));
    match from {
        Some(InReview) => vec![withdrawn],
        Some(Escalated | OnHold | Cancelling) => vec![withdrawn, plain],
        None | Some(Preparing | Delivery | Cancelled | Expired | Failed) => vec![plain],
    }
}

/// The table in Markdown.
pub fn markdown() -> String {
    let lines = ROWS.iter().map(|row| {
        let from: Vec<String> = row.from.iter().map(|phase| format!("`{}`", phase.as_str())).collect();
        let from = match &row.from {
            [] => "–".to_owned(),
            phases if *phases == TERMINAL => "terminal".to_owned(),
            phases if *phases == OPEN => "any open".to_owned(),
            _ => from.join(", "),
        };
        let by: Vec<&str> = row.by.iter().map(|role| role.as_str()).collect();
        let when = if row.when.is_empty() { String::new() } else { format!("; {}", row.when) };
        let quoted = |list: &[&str]| list.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let (trigger, then) = (row.trigger.describe(), row.then.describe());
        format!(
            "| {from} | {trigger} ({}){when} | {then} | {} | {} |\n",
            by.join(", "),
            quoted(row.events),
            quoted(row.refused)
        )
    });
    let head = "| phase | what happens (who); when | → | recorded first | refused with |\n|---|---|---|---|---|\n";
    let questions = "\nA row that hands in work, escalates, cancels, leaves the round or ends the task also closes an open question: `question_closed` (overtaken) follows the command's own event and precedes what the service records.\n";
    head.to_owned() + &lines.collect::<String>() + questions
}

impl Trigger {
    fn describe(self) -> String {
        match self {
            Open => "open".to_owned(),
            Command(kind) => format!("`{}`", kind.as_str()),
            Resolved(resolution) => format!("`escalation_resolved`: {}", resolution.as_str()),
            QuestionDeadline => "question deadline".to_owned(),
            TaskDeadline => "task deadline".to_owned(),
            GraceEnd => "grace ends".to_owned(),
            Reminder => "reminder".to_owned(),
            StageDeadline(action) => format!("stage deadline: {}", action.as_str()),
            EscalationDeadline(action) => format!("escalation deadline: {}", action.as_str()),
            Erasure => "an actor's personal data is erased".to_owned(),
        }
    }
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Partner => "partner",
            Buyer => "buyer",
            Platform => "platform",
            Reviewer => "reviewing party",
            EscalatedTo => "party escalated to",
            PartyAsked => "party asked",
            Asker => "party that asked",
            HeldBy => "who held",
            Service => "service",
        }
    }
}

impl Then {
    fn describe(self) -> String {
        let word = match self {
            Self::Refused => "refused",
            Self::Same => "same",
            Self::To(phase) => return format!("`{}`", phase.as_str()),
            Self::Start => "ENTER first",
            Self::Review => "REVIEW",
            Self::Approve => "APPROVE",
            Self::Reject => "REJECT",
            Self::Return => "RETURN",
            Self::Escalate => "ESCALATE",
            Self::Resume => "as it was",
            Self::Cancel => "CANCEL",
            Self::Expire => "EXPIRE",
            Self::Fail => "FAIL",
        };
        word.to_owned()
    }
}
