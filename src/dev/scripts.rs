//! Scripts of reviewers: what they decide, and when. This file decides which script is due; it asks
//! nobody.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::domain::task::event::Feedback;
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{StageKey, TaskId, WorkflowKey};
use crate::domain::values::outside::{Faults, FromOutside, nothing_to_check};
use crate::domain::values::time::{Span, Time};

/// The most scripts.
const MAX_SCRIPTS: usize = 100;

/// A list of scripts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptList {
    scripts: Vec<Script>,
}

/// What reviewers decide about a stage, without a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The workflow, of any partner and in any version.
    pub workflow: WorkflowKey,
    /// The stage.
    pub stage: StageKey,
    /// The revision that is meant. Default: every revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The decision.
    pub decide: Decide,
    /// How long after the review began, or went on after an interruption.
    pub after: Span,
    /// The feedback of a rejection, the remarks of an approval, or with its summary the reason of an
    /// escalation. Without a reason a rejection names the first of the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// A scripted decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decide {
    /// Approve.
    Approve,
    /// Reject.
    Reject,
    /// Ask another party to decide: the first that the stage allows.
    Escalate,
}

nothing_to_check!(Decide);

impl FromOutside for Script {
    fn check(&self, faults: &mut Faults) {
        let Self { feedback, decide: _, workflow: _, stage: _, revision: _, after: _ } = self;
        faults.field("feedback", feedback);
    }
}

/// More scripts than there can be.
struct TooMany;

impl FromOutside for TooMany {
    fn check(&self, faults: &mut Faults) {
        faults.add("too_many", format!("must have at most {MAX_SCRIPTS} items"));
    }
}

impl FromOutside for ScriptList {
    fn check(&self, faults: &mut Faults) {
        if self.scripts.len() > MAX_SCRIPTS {
            faults.field("scripts", &TooMany);
        }
        faults.field("scripts", &self.scripts);
    }
}

/// The scripts, and for which reviews each has acted.
#[derive(Debug, Default)]
pub struct Scripts {
    scripts: Vec<Script>,
    acted: HashSet<Acted>,
}

/// A review for which a script has acted: once is enough, even if it was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Acted {
    script: usize,
    task: TaskId,
    round: u32,
    revision: u32,
    since: Time,
}

/// A review that a script is to decide.
#[derive(Clone, Debug)]
pub struct Due {
    /// The place of the script.
    pub number: usize,
    /// The script.
    pub script: Script,
    /// When it is due.
    pub at: Time,
    /// The task, as it waits.
    pub task: Box<TaskView>,
}

impl Due {
    fn acted(&self) -> Acted {
        let TaskView { id, round, revision, since, .. } = &*self.task;
        Acted { script: self.number, task: *id, round: *round, revision: *revision, since: *since }
    }
}

/// A script, and how often it has acted.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptReport {
    #[serde(flatten)]
    script: Script,
    acted: usize,
}

impl Scripts {
    /// Replaces the scripts; new ones have not acted.
    pub fn set(&mut self, list: ScriptList) {
        *self = Self { scripts: list.scripts, acted: HashSet::new() };
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Every script, and how often it has acted.
    pub fn report(&self) -> Vec<ScriptReport> {
        let acted = |number| self.acted.iter().filter(|acted| acted.script == number).count();
        let scripts = self.scripts.iter().enumerate();
        scripts.map(|(number, script)| ScriptReport { script: script.clone(), acted: acted(number) }).collect()
    }

    /// The decision that is due first, of those that these tasks in review wait for; of equal ones the
    /// first of the list.
    pub fn next(&self, reviews: Vec<TaskView>) -> Option<Due> {
        // While a question is open, the reviewers wait.
        let reviews = reviews.into_iter().filter(|task| task.question.is_none());
        let due = reviews.flat_map(|task| {
            let meant = self.scripts.iter().enumerate().filter(|(_, script)| script.is_for(&task));
            let due = meant.map(|(number, script)| {
                let (script, at) = (script.clone(), task.since + script.after.delta());
                Due { number, script, at, task: Box::new(task.clone()) }
            });
            due.collect::<Vec<_>>()
        });
        due.filter(|due| !self.acted.contains(&due.acted())).min_by_key(|due| (due.at, due.number, due.task.id))
    }

    /// Notes that a script acts.
    pub fn note(&mut self, due: &Due) {
        self.acted.insert(due.acted());
    }
}

impl Script {
    fn is_for(&self, task: &TaskView) -> bool {
        self.workflow == task.workflow.key
            && self.stage == task.stage.key
            && self.revision.is_none_or(|revision| revision == task.revision)
    }
}
