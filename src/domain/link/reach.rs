//! What a session of a link may see and send, on top of what its credential and the rules allow.

use crate::domain::task::command::{Action, Command, CommandType};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;

use super::{BoundTo, LinkKind};

/// How far a session of a link reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Where the link leads.
    pub kind: LinkKind,
    /// The party that the person acts for.
    pub party: Party,
    /// The task of a `decide` or `task` link; the first page of an `inbox` link, if it names one.
    pub task_id: Option<TaskId>,
    /// The decision of a `decide` link.
    pub bound_to: Option<BoundTo>,
    /// `console`: whether it may change webhooks, workflows and links, and who reviews a task.
    pub manage: bool,
}

impl Reach {
    /// Whether the session may see this task, if its party may.
    pub fn sees(&self, task: TaskId) -> bool {
        match self.kind {
            LinkKind::Decide | LinkKind::Task => self.task_id == Some(task),
            LinkKind::Inbox | LinkKind::Console => true,
        }
    }

    /// Whether the session may send this type of command at all.
    pub fn allows_type(&self, command: CommandType) -> bool {
        match self.kind {
            LinkKind::Decide if self.bound_to.as_ref().is_some_and(|bound| bound.escalation.is_some()) => {
                command == CommandType::EscalationResolved
            }
            LinkKind::Decide => of_a_review(command),
            LinkKind::Task => self.party == Party::Buyer && of_a_buyer(command),
            LinkKind::Inbox => true,
            LinkKind::Console => self.manage && command == CommandType::ReviewersChanged,
        }
    }

    /// Refuses a type of command that the session may not send.
    ///
    /// # Errors
    ///
    /// [`Refusal::KeyScope`] for a type that the link is not for.
    pub fn check_type(&self, command: CommandType) -> Result<(), Refusal> {
        if self.allows_type(command) {
            return Ok(());
        }
        Err(refused(format!("the link is not for the command `{}`", command.as_str())))
    }

    /// Whether the session may send this command. A decision through a `decide` link must name the
    /// very stage, round and revision, or the escalation, that the link is for; whether the task
    /// still waits for that is checked by the rules, with the command.
    ///
    /// # Errors
    ///
    /// [`Refusal::KeyScope`] for a command that the link is not for.
    pub fn check(&self, command: &Command) -> Result<(), Refusal> {
        self.check_type(command.action().command_type())?;
        let Some(bound) = &self.bound_to else { return Ok(()) };
        let is_same = if let (Action::EscalationResolved(body), Some(seq)) = (command.action(), bound.escalation) {
            body.escalation == seq
        } else {
            let meta = command.meta();
            meta.stage.as_ref() == Some(&bound.stage)
                && meta.round == Some(bound.round)
                && meta.revision == Some(bound.revision)
        };
        if is_same { Ok(()) } else { Err(refused("the link is for another decision".to_owned())) }
    }
}

fn refused(what: String) -> Refusal {
    Refusal::KeyScope(what)
}

/// The commands that a decision on a review consists of.
fn of_a_review(command: CommandType) -> bool {
    match command {
        CommandType::StageApproved | CommandType::StageRejected | CommandType::StageEscalated => true,
        CommandType::WorkSubmitted
        | CommandType::StatusUpdated
        | CommandType::EscalationResolved
        | CommandType::QuestionAsked
        | CommandType::QuestionAnswered
        | CommandType::QuestionWithdrawn
        | CommandType::ReviewersChanged
        | CommandType::Held
        | CommandType::Resumed
        | CommandType::CancellationRequested
        | CommandType::CancellationAcknowledged => false,
    }
}

/// What the `action` of a buyer's status offers, and asking to cancel.
fn of_a_buyer(command: CommandType) -> bool {
    match command {
        CommandType::StageApproved
        | CommandType::StageRejected
        | CommandType::StageEscalated
        | CommandType::EscalationResolved
        | CommandType::QuestionAnswered
        | CommandType::QuestionWithdrawn
        | CommandType::CancellationRequested => true,
        CommandType::WorkSubmitted
        | CommandType::StatusUpdated
        | CommandType::QuestionAsked
        | CommandType::ReviewersChanged
        | CommandType::Held
        | CommandType::Resumed
        | CommandType::CancellationAcknowledged => false,
    }
}
