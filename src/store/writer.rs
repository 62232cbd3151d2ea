//! The coalescing writer: transitions of different tasks that wait at the same moment share a statement, and so a commit.
//!
//! **Actors.** Whoever has decided puts a transition into a bounded queue and waits for what becomes of it. A few writers take whatever is
//! queued, up to a bound, and send it; nobody waits for more to come, so that an idle service writes at once. A writer is a
//! task of its own that begins when something is queued and ends when nothing is, on connections that nothing else uses: any number
//! of reads cannot keep it waiting, and callers that go away change nothing.
//!
//! **Order.** Transitions of one task are written in the order they came in and never two at a time, neither in one statement nor in two: while
//! one is out, the next stays queued. Statements write in the order of the tasks' ids, so that two of them, of two replicas say, cannot wait
//! for each other in a circle.
//!
//! **Failure.** A member whose guard does not hold is missing from the answer and stale; the others do not notice. If the server refuses the
//! statement, its members are sent again one by one, so that what is wrong with one harms no other. If the connection breaks, nobody knows what
//! was written, and all are told, those that are queued too. A full queue refuses at once. Closing refuses what is new and writes all that is queued.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::transitions::{Outcome, Prepared, outcome, update};
use super::{Error, Pool, Usage};

/// Statements that are out at a time, each on a connection of its own.
const WRITERS: u32 = 2;
/// The most transitions in a statement.
const MOST: usize = 64;
/// The most transitions that wait; a few times what is written while a caller is still willing to wait.
const ROOM: usize = 1024;

/// The writer of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    room: usize,
    queue: Mutex<Queue>,
    /// Told when the last writer ends.
    rested: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Member>,
    /// The tasks of statements that are out.
    out: HashSet<Uuid>,
    writers: u32,
    closed: bool,
}

/// A transition on its way.
#[derive(Debug)]
struct Member {
    write: Prepared,
    answer: oneshot::Sender<Result<Outcome, Arc<Error>>>,
}

impl Writer {
    /// A writer beside this pool, on connections of its own, which are opened at the first use.
    pub fn beside(pool: &Pool) -> Self {
        Self::with_room(pool, ROOM)
    }

    /// The same with room for this many transitions that wait.
    pub fn with_room(pool: &Pool, room: usize) -> Self {
        let pool = pool.for_writing(WRITERS);
        Self(Arc::new(Inner { pool, room, queue: Mutex::default(), rested: Notify::new() }))
    }

    /// What the writer's own connections are doing at this moment.
    pub fn connections(&self) -> Usage {
        self.0.pool.usage()
    }

    /// Whether a transition that came now would be refused for want of room.
    pub fn is_full(&self) -> bool {
        self.queue().waiting.len() >= self.0.room
    }

    /// Writes everything that is queued, then closes the connections. What comes later is refused.
    pub async fn close(&self) {
        self.queue().closed = true;
        let mut rested = pin!(self.0.rested.notified());
        // Before the look at the writers, so that an end in between is not missed.
        rested.as_mut().enable();
        let busy = self.queue().writers > 0;
        if busy {
            rested.await;
        }
        self.0.pool.close().await;
    }

    /// Queues a transition and waits for what becomes of it. It is written also if nobody waits any more.
    pub async fn write(&self, write: Prepared) -> Result<Outcome, Arc<Error>> {
        let (answer, written) = oneshot::channel();
        self.enqueue(Member { write, answer })?;
        // Without an answer, a writer panicked.
        written.await.unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed.into())))
    }

    fn enqueue(&self, member: Member) -> Result<(), Error> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if queue.waiting.len() >= self.0.room {
            return Err(Error::Full);
        }
        queue.waiting.push_back(member);
        if queue.writers < WRITERS {
            queue.writers += 1;
            tokio::spawn(self.clone().run());
        }
        Ok(())
    }

    async fn run(self) {
        while let Some(members) = self.take() {
            let tasks: Vec<Uuid> = members.iter().map(|member| member.write.task_id()).collect();
            // A panic is the end of these members and of nothing else.
            match AssertUnwindSafe(write_all(&self.0.pool, members)).catch_unwind().await {
                Ok(Ok(())) => {}
                // Each statement waits for a connection in vain: those who have waited behind it are told as well.
                Ok(Err(away)) => drop(tell_all(self.take_all(), away)),
                Err(_) => tracing::error!("a statement's members are lost: it panicked"),
            }
            self.put_back(&tasks);
        }
    }

    /// The members of the next statement; a writer that gets none has ended.
    fn take(&self) -> Option<Vec<Member>> {
        let mut queue = self.queue();
        let members = queue.take(MOST);
        if members.is_empty() {
            queue.writers -= 1;
            if queue.writers == 0 {
                self.0.rested.notify_waiters();
            }
            return None;
        }
        Some(members)
    }

    fn take_all(&self) -> VecDeque<Member> {
        std::mem::take(&mut self.queue().waiting)
    }

    fn put_back(&self, tasks: &[Uuid]) {
        let mut queue = self.queue();
        for task in tasks {
            queue.out.remove(task);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// What can be written now, in the order of the tasks' ids. The next of a task that is out stays, and so does all that follows it.
    fn take(&mut self, most: usize) -> Vec<Member> {
        let (mut members, mut left) = (Vec::new(), VecDeque::new());
        while members.len() < most
            && let Some(next) = self.waiting.pop_front()
        {
            if self.out.insert(next.write.task_id()) {
                members.push(next);
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

/// Sends members in one statement, and one by one if the server refuses that. Errs when the database is away.
async fn write_all(pool: &Pool, members: Vec<Member>) -> Result<(), Arc<Error>> {
    if members.len() == 1 {
        return write_each(pool, members).await;
    }
    let writes: Vec<&Prepared> = members.iter().map(|member| &member.write).collect();
    match update(pool, &writes).await.map_err(Error::from) {
        Ok(written) => {
            let written: HashSet<Uuid> = written.into_iter().collect();
            for member in members {
                let outcome = member.write.outcome(written.contains(&member.write.task_id()));
                member.tell(Ok(outcome));
            }
            Ok(())
        }
        Err(error @ Error::Unreachable(_)) => tell_all(members, Arc::new(error)),
        Err(error) => {
            tracing::debug!(error = error.to_string(), members = members.len(), "a shared statement failed");
            write_each(pool, members).await
        }
    }
}

async fn write_each(pool: &Pool, members: Vec<Member>) -> Result<(), Arc<Error>> {
    let mut members = members.into_iter();
    while let Some(member) = members.next() {
        let written = update(pool, &[&member.write]).await;
        let outcome = outcome(&member.write, written.map(|written| !written.is_empty())).map_err(Arc::new);
        let away = outcome.as_ref().err().filter(|error| matches!(***error, Error::Unreachable(_))).cloned();
        member.tell(outcome);
        if let Some(error) = away {
            return tell_all(members, error);
        }
    }
    Ok(())
}

fn tell_all(members: impl IntoIterator<Item = Member>, error: Arc<Error>) -> Result<(), Arc<Error>> {
    members.into_iter().for_each(|member| member.tell(Err(Arc::clone(&error))));
    Err(error)
}

impl Member {
    fn tell(self, outcome: Result<Outcome, Arc<Error>>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(outcome);
    }
}
