//! Who approved a stage, as far as a file shows it without names: by the tags of the actors.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::domain::audit::proof::{EntryProof, FieldProof};
use crate::domain::task::ActorTag;
use crate::domain::values::id::StageKey;

/// The approval of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The `seq` of its entry.
    pub seq: u64,
    /// The stage.
    pub stage: StageKey,
    /// The stage's round, from 1.
    pub round: u32,
    /// The revision that was approved; 0: no work was submitted.
    pub revision: u32,
    /// How many different people or programs approved: those whose votes counted, and the one who
    /// resolved an escalation. 0: the service approved after a deadline, without a vote.
    pub people: usize,
    /// Whether one of them submitted that revision.
    pub by_submitter: bool,
    /// Whether each of them used a credential that is bound to that person.
    pub bound: bool,
}

/// What an entry says about an approval.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An actor submitted a revision.
    Submitted(u32, ActorTag),
    /// A stage was approved by these actors.
    Approved(Approval, BTreeSet<ActorTag>),
}

impl Step {
    /// Reads an entry. Returns `None` if it says nothing about an approval.
    pub(super) fn of(proof: &EntryProof) -> Option<Self> {
        let fields = proof.fields.as_deref()?;
        match raw(fields, "type")? {
            r#""task.work_submitted""# => {
                Some(Self::Submitted(value(fields, "data.revision")?, value(fields, "actor_tag")?))
            }
            r#""task.stage_approved""# => {
                let voters: Vec<ActorTag> = value(fields, "data.voters").unwrap_or_default();
                let people: BTreeSet<ActorTag> = voters.into_iter().chain(value(fields, "actor_tag")).collect();
                let approval = Approval {
                    seq: proof.seq,
                    stage: value(fields, "stage")?,
                    round: value(fields, "round")?,
                    revision: value(fields, "data.revision")?,
                    people: people.len(),
                    by_submitter: false,
                    bound: value(fields, "data.bound").unwrap_or(false),
                };
                Some(Self::Approved(approval, people))
            }
            _ => None,
        }
    }
}

/// The shown value of a field, as JSON.
fn raw<'f>(fields: &'f [FieldProof], path: &str) -> Option<&'f str> {
    fields.iter().find(|field| field.path == path)?.value.as_deref()
}

fn value<T: DeserializeOwned>(fields: &[FieldProof], path: &str) -> Option<T> {
    serde_json::from_str(raw(fields, path)?).ok()
}

/// The approvals of a trail.
#[derive(Clone, Debug, Default)]
pub(super) struct Approvals {
    submitters: BTreeMap<u32, ActorTag>,
    list: Vec<Approval>,
}

impl Approvals {
    /// Adds the next step.
    pub(super) fn add(&mut self, step: Step) {
        match step {
            Step::Submitted(revision, tag) => {
                self.submitters.insert(revision, tag);
            }
            Step::Approved(approval, people) => {
                let submitter = self.submitters.get(&approval.revision);
                let by_submitter = submitter.is_some_and(|submitter| people.contains(submitter));
                self.list.push(Approval { by_submitter, ..approval });
            }
        }
    }

    /// The approvals so far, in order.
    pub(super) fn list(&self) -> &[Approval] {
        &self.list
    }
}
