//! What an erasure removes from one task's trail: everything that one actor wrote or is named by,
//! and nothing of anybody else's.

use std::cell::Cell;

use super::audit::{self, Sealed, erase};
use super::partner::event::{PartnerEvent, PartnerFact};
use super::task::event::{Event, Fact, Feedback, Resolution, Restated};
use super::values::id::ActorId;
use super::values::party::{ActorRef, Source};
use super::values::time::Time;

/// The fields of a task's trail that name people of the sending party: lists, and who was stood in for.
const NAMING: [&str; 3] = ["data.added", "data.removed", "data.for"];

/// Whose data is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The actor.
    pub actor: ActorRef,
    /// The time of the request. Later entries stay, unless `last` covers them.
    pub until: Time,
    /// The last event written before the request, in the database's order. Entries up to here are
    /// erased, regardless of the clock of the replica that recorded them.
    pub last: u64,
}

/// The changes to a trail.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The entries that lose a field, in order.
    pub entries: Vec<Changed>,
    /// The feedback that others shared with the buyer in lists that are erased.
    pub restated: Vec<Restated>,
    /// Whether entries of the actor keep the actor's id until the task closes.
    pub ids_remain: bool,
}

/// An entry that loses a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its `seq`.
    pub seq: u64,
    /// The new content of its personal column.
    pub personal: String,
    /// How many fields it loses.
    pub fields: u64,
    /// Whether this is the first erasure from it.
    pub first: bool,
}

impl Plan {
    /// Plans what to erase from `trail`, which must be complete. While the task is open its actors'
    /// ids stay, since the rules need them.
    ///
    /// # Errors
    ///
    /// When an entry cannot be read.
    pub fn new(trail: &[(Event, Sealed)], scope: &Scope, is_open: bool) -> Result<Self, audit::Error> {
        let mut plan = Self::default();
        for (event, row) in trail {
            let own = scope.covers(event);
            let copies = scope.copies(trail, event);
            let list_goes = Cell::new(false);
            let is_named = |path: &str| scope.is_named(event, path);
            // Called only for fields that are still present.
            let goes = |path: &str| match path {
                // The party's credential and the platform's data from the opening do not belong to
                // the actor.
                "credential_id" | "data.title" | "data.metadata" => false,
                "data.shared_feedback" | "data.restated" => {
                    list_goes.set(copies.shared);
                    copies.shared
                }
                "data.internal_feedback" => copies.internal,
                "actor.id" => own && !is_open,
                // It belongs to those whom it names, whoever wrote it. A list is one field and goes as a
                // whole.
                path if NAMING.contains(&path) => is_named(path) && !is_open,
                _ => own,
            };
            plan.ids_remain |= is_open && (own || NAMING.iter().any(|path| is_named(path)));
            let (personal, fields) = erase::<Event>(row, goes)?;
            if fields > 0 {
                plan.entries.push(Changed { seq: event.seq, personal, fields, first: row.erased().is_empty() });
            }
            if list_goes.get() {
                plan.restated.extend(copies.left);
            }
        }
        Ok(plan)
    }

    /// How many entries lose a field for the first time.
    pub fn fresh(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.first).count() as u64
    }

    /// How many fields are erased.
    pub fn fields(&self) -> u64 {
        self.entries.iter().map(|entry| entry.fields).sum()
    }
}

/// Which copies of others' texts an entry holds together with the actor's.
#[derive(Default)]
struct Copies {
    shared: bool,
    internal: bool,
    left: Vec<Restated>,
}

/// Plans what to erase of an actor from an entry of a partner's trail: the people that a key was made
/// for, as a whole list, and its label; the person whose links were made or revoked; who is absent and
/// who stands in, each by itself. Returns the new content of the personal column.
///
/// # Errors
///
/// When the entry cannot be read.
pub fn plan_partner_entry(
    event: &PartnerEvent,
    row: &Sealed,
    actor: &ActorId,
    until: Time,
) -> Result<Option<String>, audit::Error> {
    let fields = fields_about(&event.fact, actor);
    if fields.is_empty() || event.recorded_at > until {
        return Ok(None);
    }
    let (personal, fields) = erase::<PartnerEvent>(row, |path| fields.contains(&path))?;
    Ok((fields > 0).then_some(personal))
}

/// The fields of an entry of a partner's trail that are about a person.
fn fields_about(fact: &PartnerFact, person: &ActorId) -> Vec<&'static str> {
    let fields = |named: &[(&'static str, &Option<ActorId>)]| {
        named.iter().filter(|(_, id)| id.as_ref() == Some(person)).map(|(path, _)| *path).collect()
    };
    match fact {
        PartnerFact::KeyCreated { actors: Some(actors), .. } if actors.contains(person) => {
            vec!["data.actors", "data.label"]
        }
        PartnerFact::LinkCreated { actor, .. }
        | PartnerFact::LinksRevoked { actor, .. }
        | PartnerFact::AbsenceRemoved { actor } => fields(&[("data.actor", actor)]),
        PartnerFact::AbsenceSet { actor, substitute, .. } => {
            fields(&[("data.actor", actor), ("data.substitute", substitute)])
        }
        PartnerFact::Created {}
        | PartnerFact::KeyCreated { .. }
        | PartnerFact::KeyRevoked { .. }
        | PartnerFact::WorkflowRegistered { .. }
        | PartnerFact::WorkflowRetired { .. }
        | PartnerFact::WorkflowRestored { .. }
        | PartnerFact::ErasureRequested { .. }
        | PartnerFact::ErasureCompleted { .. }
        | PartnerFact::Exported { .. }
        | PartnerFact::TasksArchived { .. }
        | PartnerFact::LinkEnded { .. } => Vec::new(),
    }
}

impl Scope {
    /// Whether `event` was sent by the actor, before the request.
    fn covers(&self, event: &Event) -> bool {
        event.party == Source::from(self.actor.party)
            && event.actor.as_ref().is_some_and(|actor| actor.id == self.actor.id)
            && (event.seq <= self.last || event.recorded_at <= self.until)
    }

    /// Whether the field `path` of `event` names the actor, before the request.
    fn is_named(&self, event: &Event, path: &str) -> bool {
        let named: Vec<&ActorId> = match (&event.fact, path) {
            (Fact::ReviewersChanged(changed), "data.added") => changed.added.iter().flatten().collect(),
            (Fact::ReviewersChanged(changed), "data.removed") => changed.removed.iter().flatten().collect(),
            (Fact::VoteRecorded(vote), "data.for") => vote.stands_for.iter().collect(),
            (Fact::EscalationResolved(resolved), "data.for") => resolved.stands_for.iter().collect(),
            _ => return false,
        };
        let is_theirs = event.party == Source::from(self.actor.party) && named.contains(&&self.actor.id);
        is_theirs && (event.seq <= self.last || event.recorded_at <= self.until)
    }

    /// Copies of the actor's words also stand among others': in the decision that the votes led to,
    /// and in feedback restated after an earlier erasure. Such a list is one field and is erased as
    /// a whole; what others shared with the buyer is then restated.
    fn copies(&self, trail: &[(Event, Sealed)], event: &Event) -> Copies {
        let (mut copies, entries): (_, Vec<u64>) = match &event.fact {
            Fact::StageApproved { .. } | Fact::StageRejected(_) => (Copies::default(), vec![event.seq]),
            Fact::PersonalDataErased(erased) => {
                (Copies::default(), erased.restated.iter().flatten().map(|restated| restated.seq).collect())
            }
            Fact::Opened(_)
            | Fact::StageEntered { .. }
            | Fact::WorkSubmitted { .. }
            | Fact::StatusUpdated { .. }
            | Fact::VoteRecorded(_)
            | Fact::StageEscalated(_)
            | Fact::EscalationResolved(_)
            | Fact::QuestionAsked(_)
            | Fact::QuestionAnswered(_)
            | Fact::QuestionClosed { .. }
            | Fact::ReviewersChanged(_)
            | Fact::DeadlineReminded { .. }
            | Fact::DeadlinePassed { .. }
            | Fact::Held { .. }
            | Fact::Resumed { .. }
            | Fact::CancellationRequested { .. }
            | Fact::ReviewWithdrawn {}
            | Fact::CancellationAcknowledged { .. }
            | Fact::LateDecisionRecorded(_)
            | Fact::WorkflowCompleted {}
            | Fact::WorkflowCancelled {}
            | Fact::WorkflowExpired {}
            | Fact::WorkflowFailed { .. } => return Copies::default(),
        };
        for seq in entries {
            let Some((decision, _)) = find(trail, seq) else { continue };
            let votes = if let Fact::StageRejected(rejected) = &decision.fact {
                &rejected.votes
            } else if let Fact::StageApproved { votes, .. } = &decision.fact {
                votes
            } else {
                continue;
            };
            let said = said(trail, votes, decision.cause_seq);
            let (own, others): (Vec<_>, Vec<_>) = said.into_iter().partition(|(author, _)| self.covers(author));
            copies.shared |= own.iter().any(|(_, feedback)| feedback.share_with_buyer);
            copies.internal |= own.iter().any(|(_, feedback)| !feedback.share_with_buyer);
            let shared = others.into_iter().filter(|(_, feedback)| feedback.share_with_buyer);
            let shared_feedback: Vec<Feedback> = shared.map(|(_, feedback)| feedback.clone()).collect();
            if !shared_feedback.is_empty() {
                copies.left.push(Restated { seq, shared_feedback });
            }
        }
        copies
    }
}

fn find(trail: &[(Event, Sealed)], seq: u64) -> Option<&(Event, Sealed)> {
    trail.iter().find(|(event, _)| event.seq == seq)
}

/// The authors of a decision's feedback: the resolution that rejected, if one did, and the votes
/// that counted.
fn said<'a>(trail: &'a [(Event, Sealed)], votes: &[u64], cause: u64) -> Vec<(&'a Event, &'a Feedback)> {
    let feedback = |event: &'a Event| {
        let feedback = if let Fact::VoteRecorded(vote) = &event.fact {
            vote.feedback.as_ref()
        } else if let Fact::EscalationResolved(resolved) = &event.fact {
            resolved.feedback.as_ref().filter(|_| resolved.resolution == Resolution::Reject)
        } else {
            None
        };
        feedback.map(|feedback| (event, feedback))
    };
    let call = std::iter::once(cause).filter(|cause| !votes.contains(cause));
    call.chain(votes.iter().copied())
        .filter_map(|seq| find(trail, seq).and_then(|(event, _)| feedback(event)))
        .collect()
}
