//! What a command does, in words. The same words come from a dry run before the click and from the
//! trail afterwards, so that a promise cannot differ from what happened.

use serde_json::Value;

use crate::domain::audit::EntryView;
use crate::domain::task::Cause;
use crate::domain::values::party::Party;
use crate::domain::workflow::Workflow;
use crate::pages::texts::{Texts, written};

use super::words;

/// What a command does to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The last stage is approved.
    Delivers,
    /// The stage is approved, and this one is next.
    Advances(String),
    /// The task returns to this stage.
    Returns(String),
    /// The vote counts, and others are needed.
    Approves,
    /// The same for a rejection.
    Objects,
    /// A party must decide, for this reason.
    Escalates(Party, Cause),
    /// The review goes on as it was.
    Resumes,
    /// A party is asked a question.
    Asks(Party),
    /// The question is answered.
    Answers,
    /// The question is taken back.
    Withdraws,
    /// The task ends without delivery.
    Ends,
    /// The task is cancelled once what is under way has ended.
    WindsDown,
    /// The work goes to review.
    Submits,
    /// The buyer reads something new.
    Informs,
    /// Other people may vote.
    Staffs,
    /// The task is put on hold.
    Holds,
    /// A held task goes on.
    GoesOn,
    /// Anything else.
    Changes,
}

impl Consequence {
    /// What these entries of one transition did, the first of which records the command.
    pub(super) fn of(entries: &[EntryView], workflow: &Workflow) -> Self {
        let find = |kind: &str| entries.iter().find(|entry| entry.kind == Some(kind));
        if find("task.workflow_completed").is_some() {
            return Self::Delivers;
        }
        if ["task.workflow_failed", "task.workflow_cancelled", "task.workflow_expired"]
            .iter()
            .any(|kind| find(kind).is_some())
        {
            return Self::Ends;
        }
        if let Some((to, cause)) = find("task.stage_escalated").and_then(|entry| Some((party(entry)?, cause(entry)?))) {
            return Self::Escalates(to, cause);
        }
        if let Some(entered) = find("task.stage_entered") {
            let key = entered.stage.as_ref().map(ToString::to_string).unwrap_or_default();
            let name = words::stage(workflow, &key);
            let is_return = find("task.stage_rejected").is_some();
            return if is_return { Self::Returns(name) } else { Self::Advances(name) };
        }
        entries.first().map_or(Self::Changes, Self::of_one)
    }

    fn of_one(entry: &EntryView) -> Self {
        let member = |name: &str| entry.data.as_ref().and_then(|data| data.get(name)).and_then(Value::as_str);
        match (entry.kind, member("decision"), member("resolution")) {
            (Some("task.vote_recorded"), Some("approved"), _) => Self::Approves,
            (Some("task.vote_recorded"), _, _) => Self::Objects,
            (Some("task.escalation_resolved"), _, Some("return")) => Self::Resumes,
            (Some("task.escalation_resolved"), _, Some("redirect")) => {
                party(entry).map_or(Self::Changes, |to| Self::Escalates(to, Cause::Person))
            }
            (Some("task.question_asked"), _, _) => party(entry).map_or(Self::Changes, Self::Asks),
            (Some("task.question_answered"), _, _) => Self::Answers,
            (Some("task.question_closed"), _, _) => Self::Withdraws,
            (Some("task.work_submitted"), _, _) => Self::Submits,
            (Some("task.status_updated"), _, _) => Self::Informs,
            (Some("task.reviewers_changed"), _, _) => Self::Staffs,
            (Some("task.held"), _, _) => Self::Holds,
            (Some("task.resumed"), _, _) => Self::GoesOn,
            (Some("task.cancellation_requested"), _, _) => Self::WindsDown,
            _ => Self::Changes,
        }
    }

    /// What the choice will do.
    pub(super) fn promise(&self, t: Texts) -> String {
        let fixed = match self {
            Self::Delivers => "review-will-deliver",
            Self::Approves => "review-will-approve",
            Self::Objects => "review-will-object",
            Self::Resumes => "review-will-resume",
            Self::Answers => "review-will-answer",
            Self::Withdraws => "review-will-withdraw",
            Self::Ends => "review-will-end",
            Self::WindsDown => "review-will-wind-down",
            Self::Submits => "review-will-submit",
            Self::Informs => "review-will-inform",
            Self::Staffs => "review-will-staff",
            Self::Holds => "review-will-hold",
            Self::GoesOn => "review-will-go-on",
            Self::Changes => "review-will-change",
            Self::Advances(stage) => return t.with("review-will-advance", "stage", written(stage)).into_owned(),
            Self::Returns(stage) => return t.with("review-will-return", "stage", written(stage)).into_owned(),
            Self::Escalates(to, cause) => {
                let id = match cause {
                    Cause::Person | Cause::Deadline => "review-will-escalate",
                    Cause::Exhausted => "review-will-exhaust",
                    Cause::NoQuorum => "review-will-lack-reviewers",
                };
                return t.with(id, "party", words::party(t, *to)).into_owned();
            }
            Self::Asks(to) => return t.with("review-will-ask", "party", words::party(t, *to)).into_owned(),
        };
        t.text(fixed).into_owned()
    }

    /// What the choice has done: the title of the page afterwards.
    pub(super) fn outcome(&self, t: Texts) -> String {
        let fixed = match self {
            Self::Delivers => "review-did-deliver",
            Self::Approves => "review-did-approve",
            Self::Objects => "review-did-object",
            Self::Resumes => "review-did-resume",
            Self::Answers => "review-did-answer",
            Self::Withdraws => "review-did-withdraw",
            Self::Ends => "review-did-end",
            Self::WindsDown => "review-did-wind-down",
            Self::Submits => "review-did-submit",
            Self::Informs => "review-did-inform",
            Self::Staffs => "review-did-staff",
            Self::Holds => "review-did-hold",
            Self::GoesOn => "review-did-go-on",
            Self::Changes => "review-did-change",
            Self::Advances(stage) => return t.with("review-did-advance", "stage", written(stage)).into_owned(),
            Self::Returns(stage) => return t.with("review-did-return", "stage", written(stage)).into_owned(),
            Self::Escalates(to, cause) => {
                let id = match cause {
                    Cause::Person | Cause::Deadline => "review-did-escalate",
                    Cause::Exhausted => "review-did-exhaust",
                    Cause::NoQuorum => "review-did-lack-reviewers",
                };
                return t.with(id, "party", words::party(t, *to)).into_owned();
            }
            Self::Asks(to) => return t.with("review-did-ask", "party", words::party(t, *to)).into_owned(),
        };
        t.text(fixed).into_owned()
    }
}

fn party(entry: &EntryView) -> Option<Party> {
    serde_json::from_value(entry.data.as_ref()?.get("to")?.clone()).ok()
}

fn cause(entry: &EntryView) -> Option<Cause> {
    serde_json::from_value(entry.data.as_ref()?.get("cause")?.clone()).ok()
}
