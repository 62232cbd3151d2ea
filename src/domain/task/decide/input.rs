//! The three things that can move a task.

use crate::domain::task::command::Command;
use crate::domain::task::event::Restated;
use crate::domain::values::id::{CredentialId, ErasureId};
use crate::domain::values::party::{Party, Sender};

/// What is decided on.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A party's command.
    Party(&'a Command),
    /// The time: handle the earliest due timer.
    Tick,
    /// An erasure of an actor's personal data from the task's trail.
    Erase(&'a Erasure),
}

impl<'a> From<&'a Command> for Input<'a> {
    fn from(command: &'a Command) -> Self {
        Self::Party(command)
    }
}

/// What is erased from a task's trail, as recorded. Only the service sends it, on the platform's
/// request; no endpoint accepts it.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasure {
    /// The platform's credential that requested it.
    pub credential_id: CredentialId,
    /// The erasure that asks for it.
    pub erasure_id: ErasureId,
    /// The `seq` of every entry that loses a field, in order.
    pub entries: Vec<u64>,
    /// Whether the actor's id stays until the task closes.
    pub ids_remain: bool,
    /// The remaining feedback from lists that are erased as a whole.
    pub restated: Vec<Restated>,
}

impl Erasure {
    pub(super) fn sender(&self) -> Sender {
        let credential_id = self.credential_id.clone();
        Sender { party: Party::Platform, actor: None, credential_id, bound: false, admitted: true }
    }
}
