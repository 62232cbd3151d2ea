//! What a refused command says about the task.

use crate::domain::audit::EntryView;
use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;
use crate::domain::task::decide;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::party::Party;
use crate::domain::workflow::Workflow;

/// The state of a task, for a caller whose command was refused.
#[derive(Clone, Debug)]
pub struct ConflictContext {
    /// The phase.
    pub phase: PhaseName,
    /// The current stage's key.
    pub stage: String,
    /// Its round.
    pub round: u32,
    /// The latest revision.
    pub revision: u32,
    /// The version of the caller's view.
    pub version: u64,
    /// The commands that the caller can send now.
    pub allowed: Vec<CommandType>,
    /// The answer to the question that the command names, as the caller may see it, if another
    /// answer came first.
    pub answered: Option<Box<EntryView>>,
}

impl ConflictContext {
    pub(in crate::app) fn new(workflow: &Workflow, snapshot: &Snapshot, party: Party) -> Self {
        let task = &snapshot.task;
        Self {
            phase: task.phase(),
            stage: task.stage_in(workflow).key.to_string(),
            round: task.round(),
            revision: task.revision(),
            version: version_for(snapshot, party),
            allowed: decide::allowed(workflow, task, party),
            answered: None,
        }
    }
}

/// The version of the view that a party reads.
pub(in crate::app) fn version_for(snapshot: &Snapshot, party: Party) -> u64 {
    match party {
        Party::Buyer => snapshot.status.version,
        Party::Partner | Party::Platform => snapshot.task.version(),
    }
}
