//! The coalescing writer: transitions of different tasks that wait at the same time share a
//! statement and so a commit.
//!
//! **Actors.** A caller puts its transition into a bounded queue and waits for the outcome. A few
//! writers take what is queued, up to a bound, and send it. They never wait for more to arrive, so
//! an idle service writes at once. A writer is a tokio task that starts when something is queued
//! and ends when the queue is empty. It uses connections of its own, so reads cannot delay it.
//! Callers that go away change nothing.
//!
//! **Order.** Transitions of one task are written in the order they arrived and never two at a
//! time, whether in one statement or two. While one is being written, the next stays queued.
//!
//! **Locked rows.** A statement waits 50 ms for a row that another session has locked, which is
//! longer than another replica's statement takes. Then a second statement, which waits for no lock,
//! finds the locked rows, and the other members are sent again without them. A locked member holds
//! no connection. It is retried after a pause that doubles, and refused after [`LOCK_TIMEOUT`].
//! When it is retried, the locks are checked first.
//!
//! **Failure.** A member whose guard fails is stale, and one whose command is known is a duplicate.
//! Neither is written, and the other members are not affected. If the server refuses the statement
//! for its content, the members are sent again in halves until the faulty one is alone and is
//! refused. From then on the members of its task are sent alone.
//!
//! Any other failure is no member's fault. Nothing was written or the outcome is unknown, and all
//! members get that error. Queued transitions go out on another connection; if there is none, they
//! get the error too. A full queue refuses at once. Closing refuses new transitions and writes all
//! queued ones.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::domain::values::id::TaskId;
use crate::store::{Error, Pool, Usage};

use super::transitions::{Fate, Outcome, Prepared, list_unlocked, update};

/// The most statements at a time, each on a connection of its own.
const WRITERS: u32 = 2;
/// The most transitions in a statement.
const BATCH: usize = 64;
/// The most bytes of text in a statement with several members, so that a few large transitions do
/// not delay many small ones.
const BATCH_BYTES: usize = 4 << 20;
/// How long a member waits for a row that another session has locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// The first and the longest pause between the retries of a locked member.
const LOCK_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));
/// The most tasks that are remembered because a member of theirs was refused.
const SUSPECTS: usize = 1024;
/// The most transitions that wait: a few times what is written before callers give up.
const CAPACITY: usize = 1024;

/// The writer of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    room: usize,
    queue: Mutex<Queue>,
    /// Statements that were sent, and the transitions in them.
    statements: AtomicU64,
    transitions: AtomicU64,
    /// Notified when the last writer ends.
    rested: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Member>,
    /// The tasks whose transitions are being written.
    out: HashSet<TaskId>,
    /// Members that wait for another session to release their row. Their tasks are in `out`.
    locked: usize,
    /// Tasks whose members are sent alone, since the server refused one of theirs.
    suspects: HashSet<TaskId>,
    writers: u32,
    closed: bool,
}

/// The load of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterUsage {
    /// Transitions that wait, including those whose row another session has locked.
    pub queued: u64,
    /// The most that may wait.
    pub room: u64,
    /// Statements sent since the start.
    pub statements: u64,
    /// Transitions in those statements, counted each time they were sent.
    pub transitions: u64,
}

/// A transition on its way to the database.
#[derive(Debug)]
struct Member {
    write: Prepared,
    answer: oneshot::Sender<Result<Outcome, Arc<Error>>>,
    /// When its row was first found locked, and the next pause.
    locked: Option<(Instant, Duration)>,
}

impl Writer {
    /// Creates a writer beside this pool. Its own connections open at first use.
    pub fn beside(pool: &Pool) -> Self {
        Self::with_capacity(pool, CAPACITY)
    }

    /// As [`Writer::beside`], with room for this many waiting transitions.
    pub fn with_capacity(pool: &Pool, room: usize) -> Self {
        let pool = pool.for_writing(WRITERS);
        let (statements, transitions) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { pool, room, queue: Mutex::default(), statements, transitions, rested: Notify::new() }))
    }

    /// The current use of the writer's own connections.
    pub fn connections(&self) -> Usage {
        self.0.pool.usage()
    }

    /// The load of the writer. Takes its lock briefly; meant for gauges.
    pub fn usage(&self) -> WriterUsage {
        let writer = &*self.0;
        let queued = self.queue().length() as u64;
        let (statements, transitions) = (&writer.statements, &writer.transitions);
        WriterUsage {
            queued,
            room: writer.room as u64,
            statements: statements.load(Ordering::Relaxed),
            transitions: transitions.load(Ordering::Relaxed),
        }
    }

    /// Whether a transition that arrived now would be refused because the queue is full.
    pub fn is_full(&self) -> bool {
        self.queue().is_full(self.0.room)
    }

    /// Writes everything that is queued, then closes the connections. Later transitions are
    /// refused.
    pub async fn close(&self) {
        self.queue().closed = true;
        let mut rested = pin!(self.0.rested.notified());
        // Enable before looking at the writers, so that an end in between is not missed.
        rested.as_mut().enable();
        let busy = !self.queue().is_at_rest();
        if busy {
            rested.await;
        }
        self.0.pool.close().await;
    }

    /// Queues a transition and waits for its outcome. It is written even if the caller goes away.
    pub async fn write(&self, write: Prepared) -> Result<Outcome, Arc<Error>> {
        let (answer, written) = oneshot::channel();
        self.enqueue(Member { write, answer, locked: None })?;
        // If there is no answer, a writer panicked.
        written.await.unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed.into())))
    }

    fn enqueue(&self, member: Member) -> Result<(), Error> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if queue.is_full(self.0.room) {
            return Err(Error::Full);
        }
        queue.waiting.push_back(member);
        self.send_writer(&mut queue);
        Ok(())
    }

    fn send_writer(&self, queue: &mut Queue) {
        if queue.writers < WRITERS {
            queue.writers += 1;
            tokio::spawn(self.clone().run());
        }
    }

    async fn run(self) {
        while let Some(members) = self.take() {
            let tasks = tasks(&members);
            // A panic fails these members only.
            let Ok(done) = AssertUnwindSafe(write_all(&self.0, members)).catch_unwind().await else {
                tracing::error!("a writer panicked; the outcome of its statement's members is unknown");
                self.put_back(&tasks, &[]);
                continue;
            };
            let Done { locked, refused, away } = done;
            self.note(&tasks, &refused);
            self.put_back(&tasks, &locked);
            for member in locked {
                self.come_back_later(member);
            }
            // The database is unreachable: fail the queued writes too instead of letting each time
            // out in turn.
            if let Some(away) = away {
                tell_all(self.take_all(), &away);
            }
        }
    }

    /// Queues a member again after a pause in which the other session may release its row. Its task
    /// stays in `out` meanwhile, so that later transitions wait behind it.
    fn come_back_later(&self, member: Member) {
        let (writer, pause) = (self.clone(), member.pause());
        self.queue().locked += 1;
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let mut queue = writer.queue();
            queue.locked -= 1;
            queue.out.remove(&member.write.task_id());
            queue.waiting.push_front(member);
            writer.send_writer(&mut queue);
        });
    }

    /// Remembers the tasks whose members were refused, and forgets those that were written.
    fn note(&self, tasks: &[TaskId], refused: &[TaskId]) {
        let mut queue = self.queue();
        if refused.is_empty() && queue.suspects.is_empty() {
            return;
        }
        for task in tasks {
            queue.suspects.remove(task);
        }
        if queue.suspects.len() >= SUSPECTS {
            queue.suspects.clear();
        }
        queue.suspects.extend(refused);
    }

    /// Takes the members of the next statement. A writer that gets none has ended.
    fn take(&self) -> Option<Vec<Member>> {
        let mut queue = self.queue();
        let members = queue.take(BATCH);
        if members.is_empty() {
            queue.writers -= 1;
            if queue.is_at_rest() {
                self.0.rested.notify_waiters();
            }
            return None;
        }
        Some(members)
    }

    fn take_all(&self) -> VecDeque<Member> {
        std::mem::take(&mut self.queue().waiting)
    }

    /// Removes these tasks from `out`, except those of members that come back.
    fn put_back(&self, tasks: &[TaskId], but: &[Member]) {
        let mut queue = self.queue();
        for task in tasks {
            queue.out.remove(task);
        }
        queue.out.extend(but.iter().map(|member| member.write.task_id()));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_full(&self, room: usize) -> bool {
        self.length() >= room
    }

    /// How many transitions wait, including those whose row is locked.
    fn length(&self) -> usize {
        self.waiting.len() + self.locked
    }

    fn is_at_rest(&self) -> bool {
        self.writers == 0 && self.locked == 0
    }

    /// Takes what can be written now, in the order of the tasks' ids. If a task is in `out`, its
    /// transitions stay in order.
    fn take(&mut self, most: usize) -> Vec<Member> {
        let (mut members, mut left, mut bytes) = (Vec::new(), VecDeque::new(), 0);
        while members.len() < most
            && let Some(next) = self.waiting.pop_front()
        {
            let (task, size) = (next.write.task_id(), next.write.size());
            let alone = self.suspects.contains(&task);
            if alone && !members.is_empty() {
                left.push_back(next);
            } else if !members.is_empty() && bytes + size > BATCH_BYTES {
                left.push_back(next);
                // Nothing may overtake another transition of the same task.
                break;
            } else if self.out.insert(task) {
                bytes += size;
                members.push(next);
                if alone {
                    break;
                }
            } else {
                left.push_back(next);
            }
        }
        left.append(&mut self.waiting);
        self.waiting = left;
        members.sort_unstable_by_key(|member| member.write.task_id());
        members
    }
}

/// The result of a statement, beyond the members that were answered.
#[derive(Debug, Default)]
struct Done {
    /// Members that must be sent again.
    locked: Vec<Member>,
    /// The tasks whose members the server refused for their content.
    refused: Vec<TaskId>,
    /// The error if the database is unreachable.
    away: Option<Arc<Error>>,
}

/// Sends members in one statement: without those whose rows are locked, and in halves if the server
/// refuses the content.
async fn write_all(inner: &Inner, members: Vec<Member>) -> Done {
    let look_first = members.iter().any(|member| member.locked.is_some());
    let (mut done, mut groups) = (Done::default(), vec![(members, look_first)]);
    while let Some((mut members, look_first)) = groups.pop() {
        match send(inner, &members, look_first).await {
            Ok(fates) => {
                done.locked.extend(members.into_iter().zip(fates).filter_map(|(member, fate)| member.met(fate)));
            }
            Err(error) if error.is_lock_timeout() && !look_first => groups.push((members, true)),
            // No row of a task is locked, and still the statement waits: one of these is at fault.
            Err(error) if (error.is_lock_timeout() || error.is_of_content()) && members.len() > 1 => {
                tracing::debug!(error = error.to_string(), members = members.len(), "a shared statement was refused");
                let half = members.split_off(members.len() / 2);
                groups.extend([(half, look_first), (members, look_first)]);
            }
            Err(error) if error.is_lock_timeout() => {
                done.locked.extend(members.into_iter().filter_map(|member| member.met(None)));
            }
            Err(error) if error.is_of_content() => {
                done.refused.extend(tasks(&members));
                tell_all(members, &Arc::new(error));
            }
            Err(error) => {
                let error = Arc::new(error);
                tell_all(members.into_iter().chain(groups.drain(..).flat_map(|(members, _)| members)), &error);
                done.away = Some(error).filter(|error| matches!(**error, Error::Unreachable(_)));
            }
        }
    }
    done
}

/// Sends one statement for all of these; on an error nothing was written. With `look_first`, leaves
/// out those whose rows another session has locked: they have no fate.
async fn send(inner: &Inner, members: &[Member], look_first: bool) -> Result<Vec<Option<Fate>>, Error> {
    let unlocked = if look_first { Some(list_unlocked(&inner.pool, &tasks(members)).await?) } else { None };
    let is_free = |write: &Prepared| unlocked.as_ref().is_none_or(|unlocked| unlocked.contains(&write.task_id()));
    let writes: Vec<&Prepared> = members.iter().map(|member| &member.write).filter(|write| is_free(write)).collect();
    if writes.is_empty() {
        return Ok(vec![None; members.len()]);
    }
    inner.statements.fetch_add(1, Ordering::Relaxed);
    inner.transitions.fetch_add(writes.len() as u64, Ordering::Relaxed);
    let mut fates = update(&inner.pool, &writes).await?.into_iter();
    Ok(members.iter().map(|member| if is_free(&member.write) { fates.next() } else { None }).collect())
}

fn tasks(members: &[Member]) -> Vec<TaskId> {
    members.iter().map(|member| member.write.task_id()).collect()
}

fn tell_all(members: impl IntoIterator<Item = Member>, error: &Arc<Error>) {
    members.into_iter().for_each(|member| member.answer(Err(Arc::clone(error))));
}

impl Member {
    /// Answers the caller according to the fate. Returns the member if it has none, since its row is
    /// locked, and must be sent again.
    fn met(mut self, fate: Option<Fate>) -> Option<Self> {
        if let Some(fate) = fate {
            let outcome = self.write.outcome(fate);
            self.answer(Ok(outcome));
            return None;
        }
        let (since, pause) = self.locked.unwrap_or((Instant::now(), Duration::ZERO));
        if since.elapsed() >= LOCK_TIMEOUT {
            self.answer(Err(Arc::new(Error::Locked)));
            return None;
        }
        self.locked = Some((since, (pause * 2).clamp(LOCK_PAUSES.0, LOCK_PAUSES.1)));
        Some(self)
    }

    fn pause(&self) -> Duration {
        self.locked.map_or(Duration::ZERO, |(_, pause)| pause)
    }

    fn answer(self, outcome: Result<Outcome, Arc<Error>>) {
        // The caller may be gone.
        let _ = self.answer.send(outcome);
    }
}
