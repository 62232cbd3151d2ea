//! A transition in the form of its statement's parameters: sealed and turned into columns.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Hash, Sealed, seal, shown_type};
use crate::domain::feed::event_id;
use crate::domain::task::decide::Transition;
use crate::domain::task::event::Event;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::{EventId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::store::db::row::{bigint, int, to_json};

use super::facts::{self, FactRow};
use super::{Outcome, Save, Seed, Written};

/// A write that is ready for its statement. It owns its data, so that it can wait to share one.
#[derive(Debug)]
pub struct Prepared {
    pub(super) present: Present,
    pub(super) rows: Vec<Row>,
    /// What statistics keep, if it closes the task.
    pub(super) facts: Vec<FactRow>,
    pub(super) trace: Option<Trace>,
}

/// The span of the request that is carried out, and whose request it is.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) traceparent: String,
    pub(super) party: &'static str,
}

/// The changes to the task's row.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) task_id: Uuid,
    /// The version that was decided on.
    pub(super) expected: i64,
    /// The version of the partner's absences that were decided on.
    pub(super) absences_version: i64,
    pub(super) version: i64,
    pub(super) phase: &'static str,
    pub(super) stage: String,
    pub(super) round: i32,
    pub(super) waiting_on: Option<&'static str>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) overdue: bool,
    pub(super) wake_at: Option<DateTime<Utc>>,
    pub(super) format: i32,
    pub(super) state: String,
    pub(super) notes: String,
    pub(super) buyer_status: String,
    pub(super) status_version: i64,
    pub(super) head: Hash,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
}

/// A row of the trail.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) task_id: Uuid,
    pub(super) seq: i64,
    pub(super) cause_seq: i64,
    pub(super) kind: &'static str,
    pub(super) stage: Option<String>,
    pub(super) round: Option<i32>,
    pub(super) party: &'static str,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) command_id: Option<Uuid>,
    pub(super) command_digest: Option<[u8; 32]>,
    pub(super) sealed: Sealed,
    /// The id by which webhook receivers know the event.
    pub(super) event_id: EventId,
    /// The event's type as the partner may see it.
    pub(super) partner_kind: Option<&'static str>,
}

/// What the statement did with one of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Fate {
    /// Written.
    Written,
    /// Not written: the party used the command's id on this task before.
    Known,
    /// Not written: the task or the partner's absences have another version by now.
    Stale,
}

impl Prepared {
    /// Seals the events.
    pub fn new(save: &Save<'_>) -> Self {
        let read = (save.head, save.absences_version);
        Self::of(save.transition, read, save.command_digest, (save.seed, save.traceparent))
    }

    pub(super) fn of(
        transition: &Transition,
        (head, absences_version): (Hash, u64),
        command_digest: Option<[u8; 32]>,
        (seed, traceparent): (Seed, Option<&str>),
    ) -> Self {
        let task_id = transition.snapshot().task.id();
        let (mut head, mut rows) = (head, Vec::with_capacity(transition.events().len()));
        for event in transition.events() {
            let sealed = seal(&head, task_id, event, seed());
            head = sealed.hash;
            rows.push(Row::of(task_id.0, event, sealed, command_digest));
        }
        let trace = traceparent.map(|traceparent| {
            let party = transition.events().first().map_or("", |first| first.party.as_str());
            Trace { traceparent: traceparent.to_owned(), party }
        });
        let present = Present::of(transition, head, absences_version);
        Self { present, rows, facts: facts::of(transition), trace }
    }

    /// The hash of each event, in order.
    pub fn hashes(&self) -> Vec<Hash> {
        self.rows.iter().map(|row| row.sealed.hash).collect()
    }

    /// The task that it changes.
    pub(in crate::store) fn task_id(&self) -> TaskId {
        TaskId(self.present.task_id)
    }

    /// The party and id of the command that it carries out, if there is one with an id.
    pub(super) fn command(&self) -> Option<(&'static str, Uuid)> {
        self.rows.iter().find_map(|row| row.command_id.map(|id| (row.party, id)))
    }

    /// The approximate bytes of text in its statement.
    pub(in crate::store) fn size(&self) -> usize {
        let texts = |row: &Row| row.sealed.entry.len() + row.sealed.data.len() + row.sealed.personal.len();
        self.present.size() + self.rows.iter().map(texts).sum::<usize>()
    }

    /// Translates its fate for the caller.
    pub(in crate::store) fn outcome(&self, fate: Fate) -> Outcome {
        match fate {
            Fate::Written => Outcome::Saved(Written { hashes: self.hashes(), size: self.present.size() }),
            Fate::Known => Outcome::Duplicate,
            Fate::Stale => Outcome::Stale,
        }
    }
}

impl Present {
    /// Bytes of JSON.
    fn size(&self) -> usize {
        self.state.len() + self.notes.len() + self.buyer_status.len()
    }

    fn of(transition: &Transition, head: Hash, absences_version: u64) -> Self {
        let Snapshot { task, notes, status } = transition.snapshot();
        Self {
            task_id: task.id().0,
            expected: bigint(transition.expected_version()),
            absences_version: bigint(absences_version),
            version: bigint(task.version()),
            phase: task.phase().as_str(),
            stage: status.stage.key.as_str().to_owned(),
            round: int(task.round()),
            waiting_on: status.waiting_on.map(Party::as_str),
            due_at: task.due_at().map(Time::utc),
            overdue: task.is_overdue(),
            wake_at: task.wake_at().map(Time::utc),
            format: int(task.format()),
            state: to_json(task),
            notes: to_json(notes),
            buyer_status: to_json(status),
            status_version: bigint(status.version),
            head,
            updated_at: task.recorded_at().utc(),
            closed_at: task.closed_at().map(Time::utc),
        }
    }
}

impl Row {
    fn of(task_id: Uuid, event: &Event, sealed: Sealed, command_digest: Option<[u8; 32]>) -> Self {
        Self {
            task_id,
            seq: bigint(event.seq),
            cause_seq: bigint(event.cause_seq),
            kind: event.fact.kind(),
            stage: event.stage.as_ref().map(|stage| stage.as_str().to_owned()),
            round: event.round.map(int),
            party: event.party.as_str(),
            recorded_at: event.recorded_at.utc(),
            command_id: event.command_id.map(|id| id.0),
            command_digest: event.command_id.and(command_digest),
            event_id: event_id(&sealed.hash),
            partner_kind: shown_type(event, Party::Partner),
            sealed,
        }
    }
}
