//! Retention: closed tasks that are old enough are exported to files of the archive, and their rows
//! are deleted.
//!
//! **Order.** A file is written, flushed to the disk, read back and verified before anything is
//! deleted. One transaction then deletes the rows of a few tasks and records their files, in the
//! partner's trail as well. It compares each task with the end of its file first, and leaves a task
//! alone that has moved on or that something keeps, such as an erasure.
//!
//! **Crashes.** A file is announced in the database before it is written, and the announcement goes
//! with the rows. So a crash leaves the rows, or the rows with a file that the next turn removes or
//! replaces, or the file with its record.
//!
//! **Several replicas.** One has the turn. That saves work, and nothing depends on it: only the
//! process that holds the announcement of a file may delete the rows or remove the file, and a file
//! is the same whoever writes it, because it is proven against the first checkpoint that covers its
//! trail.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::archive::Archive;
use crate::clock::Clock;
use crate::domain::partner::event::{ArchivedTrail, Author, PartnerFact};
use crate::domain::values::id::{ActorId, PartnerId, TaskId};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;
use crate::ids;
use crate::store::retention::{Batch, Filed};
use crate::store::{self, Pool};

use self::file::Files;
use super::archived::actor_digest;
use super::audit::Audit;
use super::base::Base;
use super::error::Error;
use super::journal::Journal;
use super::tasks::writes::Writes;

mod file;

pub use crate::store::retention::{Due, Window};

/// How many files are written at a time.
const SIDE_BY_SIDE: usize = 4;
/// How many files that another process left are taken over at a time.
const LEFT: u32 = 500;

/// When closed tasks are put away, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a task stays after it has closed and nothing more was recorded of it.
    pub period: TimeDelta,
    /// Where the files go.
    pub archive: Archive,
}

/// Puts closed tasks away.
#[derive(Debug)]
pub struct Retention {
    pool: Pool,
    clock: Clock,
    period: TimeDelta,
    files: Files,
    journal: Arc<Journal>,
    writes: Arc<Writes>,
    /// This process.
    process: Uuid,
}

/// What became of tasks that were due.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many were put away.
    pub archived: u64,
    /// How many were left for later: something was recorded of them, or keeps them.
    pub left: u64,
    /// Those that failed. Their rows are all there.
    pub failed: Vec<(TaskId, Error)>,
}

impl Retention {
    pub(super) fn new(
        base: &Base,
        policy: Policy,
        (audit, journal): (&Audit, Arc<Journal>),
        writes: Arc<Writes>,
    ) -> Self {
        let Policy { period, archive } = policy;
        let files = Files::new(archive, Arc::clone(&audit.exports), &audit.log);
        let (pool, clock) = (base.pool.clone(), base.clock.clone());
        Self { pool, clock, period, files, journal, writes, process: ids::new() }
    }

    /// Takes the turn, or keeps it, for a minute; `false` if another process has it.
    pub async fn take_turn(&self) -> Result<bool, Error> {
        Ok(store::retention::take_turn(&self.pool, self.process).await?)
    }

    /// Ends the turn.
    pub async fn end_turn(&self) -> Result<(), Error> {
        Ok(store::retention::end_turn(&self.pool, self.process).await?)
    }

    /// Whether commands wait to be written, which come first.
    pub fn is_busy(&self) -> bool {
        let writer = self.writes.writer.usage();
        writer.queued * 16 > writer.room
    }

    /// Looks at up to `limit` tasks that have been closed for the period, after the task `after` in
    /// the order in which they closed.
    pub async fn list_due(&self, after: Option<(Time, TaskId)>, limit: u32) -> Result<Window, Error> {
        Ok(store::retention::list_due(&self.pool, self.clock.now() - self.period, after, limit).await?)
    }

    /// How long a task has been due that closed then.
    pub fn overdue(&self, closed_at: Time) -> TimeDelta {
        self.clock.now() - (closed_at + self.period)
    }

    /// Removes the files that were begun and not recorded, by this process or by others. Returns how
    /// many. Only the process that has the turn may do this.
    pub async fn discard(&self) -> Result<u64, Error> {
        let mut discarded = 0;
        loop {
            let taken = store::retention::take_over_writes(&self.pool, self.process, LEFT).await?;
            let mut discard = store::retention::begin_discard(&self.pool, self.process).await?;
            discarded += discard.files.len() as u64;
            self.files.remove(std::mem::take(&mut discard.files)).await?;
            discard.finish().await?;
            if taken == 0 {
                return Ok(discarded);
            }
        }
    }

    /// Puts these tasks away.
    pub async fn put_away(&self, due: &[Due]) -> Result<Outcome, Error> {
        let names: Vec<_> = due.iter().map(|due| (due.task_id, Archive::name(due.task_id, due.closed_at))).collect();
        store::retention::begin_writes(&self.pool, self.process, &names).await?;
        let mut outcome = Outcome::default();
        let filed = self.write(due, &mut outcome).await?;
        let total = filed.values().map(Vec::len).sum::<usize>() as u64;
        for (partner, filed) in filed {
            let gone = self.delete(partner, filed).await?;
            for id in &gone {
                self.writes.recent.forget(*id).await;
                self.writes.commits.forget(*id);
            }
            outcome.archived += gone.len() as u64;
        }
        outcome.left = total - outcome.archived;
        if outcome.archived < due.len() as u64 {
            self.discard().await?;
        }
        Ok(outcome)
    }

    /// Writes and verifies the files; returns those that are safely on the disk, by partner.
    async fn write(&self, due: &[Due], outcome: &mut Outcome) -> Result<BTreeMap<PartnerId, Vec<Filed>>, Error> {
        let mut written = Vec::with_capacity(due.len());
        for due in due.chunks(SIDE_BY_SIDE) {
            written.extend(join_all(due.iter().map(|due| self.files.write(due))).await);
        }
        let mut filed = BTreeMap::<PartnerId, Vec<Filed>>::new();
        for (due, written) in due.iter().zip(written) {
            match written {
                Ok(file) => filed.entry(due.partner_id).or_default().push(file),
                // Something else than the file fails, for the other tasks as well.
                Err(error) if error.is_outage() => return Err(error),
                // It was put away by another process.
                Err(Error::NotFound) => {}
                Err(error) => outcome.failed.push((due.task_id, error)),
            }
        }
        self.files.flush(filed.values().flatten().map(|filed| filed.file.clone()).collect()).await?;
        let ids: Vec<TaskId> = filed.values().flatten().map(|filed| filed.task_id).collect();
        let mut actors = self.actors(due, &ids).await?;
        for filed in filed.values_mut().flatten() {
            filed.actors = actors.remove(&filed.task_id).unwrap_or_default().into_iter().collect();
        }
        Ok(filed)
    }

    /// The digests of the actors in these tasks.
    async fn actors(&self, due: &[Due], ids: &[TaskId]) -> Result<HashMap<TaskId, BTreeSet<[u8; 32]>>, Error> {
        let secret = store::retention::find_secret(&self.pool).await?;
        let partners: HashMap<TaskId, PartnerId> = due.iter().map(|due| (due.task_id, due.partner_id)).collect();
        let mut digests = HashMap::<TaskId, BTreeSet<[u8; 32]>>::new();
        for (task, party, actor) in store::retention::list_actors(&self.pool, ids).await? {
            let party = Party::ALL.into_iter().find(|known| known.as_str() == party);
            let actor = ActorId::stored(actor).map_err(|_| Error::impossible("an actor without an id"))?;
            let Some(party) = party else { continue };
            let digest = actor_digest(&secret, (party, partners.get(&task).copied()), &actor);
            digests.entry(task).or_default().insert(digest);
        }
        Ok(digests)
    }

    /// Deletes the rows of these tasks of a partner and records where they are; returns those that
    /// could be deleted.
    async fn delete(&self, partner: PartnerId, filed: Vec<Filed>) -> Result<Vec<TaskId>, Error> {
        let batch = Batch { writer: self.process, filed, at: self.clock.now() };
        let author = Author { party: Source::Service, credential_id: None };
        let trail = |filed: &Filed| ArchivedTrail {
            task_id: filed.task_id,
            seq: filed.head.seq,
            sha256: filed.sha256.to_string(),
        };
        let attempt = || async {
            let end = store::audit::partner_events::find_end(&self.pool, partner).await?.ok_or(Error::NotFound)?;
            let entry = |gone: &[TaskId]| {
                let gone: BTreeSet<&TaskId> = gone.iter().collect();
                let mut archived: Vec<_> =
                    batch.filed.iter().filter(|filed| gone.contains(&filed.task_id)).map(trail).collect();
                archived.sort_by_key(|trail| trail.task_id);
                let fact = PartnerFact::TasksArchived { archived };
                self.journal.append(&author, (partner, Some(&end)), vec![fact])
            };
            Ok(store::retention::put_away(&self.pool, &batch, entry).await?)
        };
        self.journal.retry_on_conflict(partner, attempt).await
    }
}
