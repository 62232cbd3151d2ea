//! The single write path, for commands of parties and of the timer. All entry points use it.
//!
//! It reads the task with the absences of its partner, decides, and writes with the versions of both as
//! the guard. If another writer was faster, it waits for its turn, reads and decides again. A task that
//! this replica has just written is not read first, but a refusal is then confirmed on the stored state.
//! The loop runs in a task of its own, so that a client that disconnects cannot interrupt a write.

use std::sync::Arc;

use tokio::join;
use tokio::task::yield_now;
use tracing::Instrument as _;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::conflict::{ConflictContext, version_for};
use crate::app::contention::MAX_ATTEMPTS;
use crate::app::error::Error;
use crate::app::replay::Replay;
use crate::app::status::forecast::Forecasts;
use crate::clock::Clock;
use crate::domain::audit::{self, EntryView, Hash};
use crate::domain::task::command::Command;
use crate::domain::task::decide::{self, Input, Transition};
use crate::domain::task::event::Fact;
use crate::domain::task::forecast::{StatusView, Timeline};
use crate::domain::task::question::ClosedQuestion;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::view::{Reader, TaskView};
use crate::domain::task::{Decision, PhaseName};
use crate::domain::values::id::TaskId;
use crate::domain::values::party::{Party, Sender};
use crate::ids;
use crate::store::tasks::transitions::{Outcome, Prepared, Save};
use crate::store::{self, Pool};
use crate::telemetry::spans;

use super::fold;
use super::load::{Loaded, Loader};
use super::writes::Writes;

/// A party's command as received.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// The digest of the body: the same id with another body is refused.
    pub digest: [u8; 32],
    /// Whether the caller chose the id, so that it may be a repetition.
    pub id_given: bool,
    /// The versions of the caller's view that it accepts; `None`: any.
    pub if_match: Option<Vec<u64>>,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The entries of the transition, in order; the first has the command's id.
    pub events: Vec<EntryView>,
    /// The task afterwards, as the caller's party sees it.
    pub view: View,
    /// Whether the command was accepted earlier, so that nothing was done now.
    pub replayed: bool,
}

/// A task as the reader's party sees it.
#[derive(Clone, Debug)]
pub enum View {
    /// For partner and platform.
    Task(Box<TaskView>),
    /// For the buyer.
    Status(Box<StatusView>),
}

impl View {
    /// The version in the reader's `ETag`.
    pub fn version(&self) -> u64 {
        match self {
            Self::Task(task) => task.version,
            Self::Status(view) => view.status.version,
        }
    }
}

/// The task that a command is for.
#[derive(Clone, Debug)]
pub struct Target {
    task: Arc<Loaded>,
    /// Whether it was the stored state when it was requested; if not, others may have written
    /// since.
    fresh: bool,
}

/// Decides and writes commands.
#[derive(Debug)]
pub struct Commands {
    decisions: Pool,
    clock: Clock,
    loader: Arc<Loader>,
    writes: Arc<Writes>,
    forecasts: Arc<Forecasts>,
    dual_control: bool,
    replay: Replay,
}

impl Commands {
    pub(super) fn new(base: &Base, (loader, writes): (Arc<Loader>, Arc<Writes>), forecasts: Arc<Forecasts>) -> Self {
        let (decisions, clock) = (base.decisions.clone(), base.clock.clone());
        let (dual_control, replay) = (base.dual_control, base.replay.clone());
        Self { decisions, clock, loader, writes, forecasts, dual_control, replay }
    }

    /// The task that the caller's command is for, which the caller must be allowed to see. Reads
    /// nothing if there is no room for the command.
    pub async fn find_target(&self, caller: &Caller, id: TaskId) -> Result<Target, Error> {
        if self.writes.writer.is_full() {
            return Err(store::Error::Full.into());
        }
        let Some(task) = self.writes.recent.find(id).await else {
            return Ok(Target { task: Arc::new(self.loader.find_to_decide(caller, id).await?), fresh: true });
        };
        if task.is_open_to(caller) { Ok(Target { task, fresh: false }) } else { Err(Error::NotFound) }
    }

    /// Performs a party's command on a task that it can see.
    pub async fn post_event(
        self: &Arc<Self>,
        caller: &Caller,
        target: Target,
        request: Request,
    ) -> Result<Answer, Error> {
        let (commands, party) = (Arc::clone(self), caller.party());
        caller.check_reach(&request.command).map_err(|refusal| refused(party, &target.task, refusal))?;
        // Boxed first: whatever wraps or spawns a future moves it, and this one has ten kilobytes.
        let write = Box::pin(async move { commands.decide_with_retries(party, target, &request).await });
        let write = tokio::spawn(spans::follow(write.in_current_span()));
        write.await.map_err(|fault| Error::Internal(Arc::new(fault)))?
    }

    /// Handles the earliest due timer of a task; returns whether one was due.
    pub async fn tick(&self, id: TaskId) -> Result<bool, Error> {
        let task = self.loader.load_to_decide(id).await?.ok_or(Error::NotFound)?;
        Ok(self.run_due_timers(task, 1).await? > 0)
    }

    /// Handles the due timers of a task, the earliest first, until none is due or `most` were
    /// handled; returns how many.
    pub async fn run_due_timers(&self, task: Loaded, most: u32) -> Result<u32, Error> {
        spans::Span::step("run timers").run(self.run_due(task, most)).await
    }

    async fn run_due(&self, mut task: Loaded, most: u32) -> Result<u32, Error> {
        let (id, mut handled, mut attempts, mut turn) = (task.id(), 0, 0, None);
        loop {
            let now = self.clock.now();
            let transition = match decide::decide(&task.workflow, task.snapshot(), Input::Tick, task.moment(now)) {
                Ok(transition) => transition,
                Err(Refusal::NothingDue) => return Ok(handled),
                Err(refusal) => return Err(Error::Internal(Arc::new(refusal))),
            };
            if let Outcome::Saved(written) = self.writes.send(prepare(&task, &transition, None), &transition).await? {
                (handled, attempts) = (handled + 1, 0);
                let quiet = transition.snapshot().task.wake_at().is_none_or(|next| next > now);
                self.writes.recent.moved(&task, transition, &written).await;
                if handled == most || quiet {
                    return Ok(handled);
                }
            } else {
                attempts += 1;
                if attempts == MAX_ATTEMPTS {
                    return Err(Error::contended());
                }
                if turn.is_none() {
                    turn = Some(self.writes.turns.take(id.0).await?);
                }
            }
            task = self.loader.load_to_decide(id).await?.ok_or(Error::NotFound)?;
        }
    }

    async fn decide_with_retries(&self, party: Party, target: Target, request: &Request) -> Result<Answer, Error> {
        let Target { mut task, mut fresh } = target;
        if request.dry_run {
            let task = if fresh { task } else { self.reload(party, &task).await? };
            return self.dry_run(party, &task, request).await;
        }
        let mut turn = None;
        for _ in 0..MAX_ATTEMPTS {
            let transition = match self.decide_on(party, &task, request).await {
                Ok(transition) => transition,
                Err(_) if !fresh => {
                    (task, fresh) = (self.reload(party, &task).await?, true);
                    continue;
                }
                // A refusal applies only to a command that was not accepted earlier.
                Err(refused) => return self.find_replay(party, &task, request).await?.ok_or(refused),
            };
            let write = prepare(&task, &transition, Some(request.digest));
            let hashes = write.hashes();
            let answer = async {
                // Lets the statement be sent first, so that the response is built while it runs.
                yield_now().await;
                self.answer(party, (&task, &transition), &hashes).await
            };
            let (outcome, answer) = join!(self.writes.send(write, &transition), answer);
            match outcome? {
                Outcome::Saved(written) => {
                    self.writes.recent.moved(&task, transition, &written).await;
                    return answer;
                }
                Outcome::Stale => {
                    // The faster writer may have been a repetition of this very command.
                    if let Some(answer) = self.find_replay(party, &task, request).await? {
                        return Ok(answer);
                    }
                    if turn.is_none() {
                        turn = Some(self.writes.turns.take(task.id().0).await?);
                    }
                    (task, fresh) = (self.reload(party, &task).await?, true);
                }
                Outcome::Duplicate => {
                    return self.find_replay(party, &task, request).await?.ok_or_else(Error::contended);
                }
            }
        }
        Err(Error::contended())
    }

    /// The result that a command would have on the stored task.
    async fn dry_run(&self, party: Party, task: &Loaded, request: &Request) -> Result<Answer, Error> {
        if let Some(answer) = self.find_replay(party, task, request).await? {
            return Ok(answer);
        }
        let seen = request.if_match.iter().flatten().max();
        if seen.is_some_and(|seen| *seen > version_for(task.snapshot(), party)) {
            self.replay.require_complete().await?;
        }
        let transition = self.decide_on(party, task, request).await?;
        self.dry_answer(party, task, &transition).await
    }

    async fn reload(&self, party: Party, task: &Loaded) -> Result<Arc<Loaded>, Error> {
        match self.loader.load_to_decide(task.id()).await? {
            Some(task) => Ok(Arc::new(task)),
            None => Err(self.loader.gone(party, task.id()).await),
        }
    }

    async fn decide_on(&self, party: Party, task: &Loaded, request: &Request) -> Result<Transition, Error> {
        let current = version_for(task.snapshot(), party);
        if request.if_match.as_ref().is_some_and(|versions| !versions.contains(&current)) {
            return Err(Error::PreconditionFailed(Box::new(ConflictContext::new(
                &task.workflow,
                task.snapshot(),
                party,
            ))));
        }
        let phase = task.snapshot().task.phase();
        let closing = phase.is_terminal() || phase == PhaseName::Cancelling;
        let late =
            if closing && request.command.is_decision() { self.find_late(task, &request.command).await? } else { None };
        let mut command = request.command.clone().with_late(late);
        command.set_dual_control(self.dual_control);
        let moment = task.moment(self.clock.now());
        let decided = decide::decide(&task.workflow, task.snapshot(), Input::Party(&command), moment);
        match decided {
            // The decision is older than the task's state remembers, but the trail has it.
            Err(Refusal::AlreadyDecided { decision: None }) => {
                let place = command.meta().stage.as_ref().zip(command.meta().round);
                let found = match place {
                    Some((stage, round)) => {
                        store::tasks::events::find_decision(&self.decisions, task.id(), stage, round).await?
                    }
                    None => None,
                };
                let decision = found.and_then(|record| Decision::of(&record.event));
                Err(refused(party, task, Refusal::AlreadyDecided { decision }))
            }
            Err(Refusal::StaleQuestion { closed: Some(ClosedQuestion { seq, why: None, .. }) }) => {
                let answer = fold::read_between(&self.decisions, task.id(), seq, seq).await?;
                let mut context = ConflictContext::new(&task.workflow, task.snapshot(), party);
                let view = answer.first().map(|row| audit::view_stored(&row.event, &row.sealed, party));
                context.answered = view.map(Box::new);
                decided.map_err(|refusal| Error::Refused(refusal, Box::new(context)))
            }
            decided => decided.map_err(|refusal| refused(party, task, refusal)),
        }
    }

    async fn find_late(&self, task: &Loaded, command: &Command) -> Result<Option<u64>, Error> {
        let Sender { party, actor: Some(actor), .. } = &command.meta().sender else { return Ok(None) };
        let (stage, round) = (&task.snapshot().status.stage.key, task.snapshot().task.round());
        Ok(store::tasks::events::find_late(&self.decisions, task.id(), (*party, &actor.id), (stage, round)).await?)
    }

    /// The task after the event `last`. If that is its last event, as in most replays, the task
    /// itself, at no cost; else it is folded from its trail, a page at a time.
    async fn present_after(&self, task: &Loaded, last: u64) -> Result<Snapshot, Error> {
        if task.snapshot().task.version() == last {
            return Ok(task.snapshot().clone());
        }
        let present = fold::fold(&self.decisions, (task.id(), &task.workflow), None, last, |_| {}).await?;
        present.ok_or_else(|| Error::impossible("a trail without an opening"))
    }

    /// The response to a command that was accepted earlier: the same, whatever happened since.
    async fn find_replay(&self, party: Party, task: &Loaded, request: &Request) -> Result<Option<Answer>, Error> {
        let Some(id) = request.command.meta().id.filter(|_| request.id_given) else { return Ok(None) };
        let Some(known) = store::tasks::events::find_by_command(&self.decisions, task.id(), party, id).await? else {
            return Ok(None);
        };
        if request.digest != known.digest {
            return Err(Error::EventIdReused);
        }
        let own = fold::read_between(&self.decisions, task.id(), known.first, known.last).await?;
        let snapshot = self.present_after(task, known.last).await?;
        let views: Vec<EntryView> = own.iter().map(|row| audit::view_stored(&row.event, &row.sealed, party)).collect();
        if let Some(Fact::LateDecisionRecorded(late)) = own.last().map(|row| &row.event.fact) {
            let recorded = Some(known.first);
            let closed = late.phase != PhaseName::Cancelling;
            let refusal = if closed { Refusal::TaskClosed { recorded } } else { Refusal::Cancelling { recorded } };
            return Err(Error::Refused(refusal, Box::new(ConflictContext::new(&task.workflow, &snapshot, party))));
        }
        let head = own.last().map(|row| &row.sealed.hash);
        let view = self.view(party, task, (&snapshot, head)).await;
        Ok(Some(Answer { events: views, view, replayed: true }))
    }

    async fn answer(
        &self,
        party: Party,
        (task, transition): (&Loaded, &Transition),
        hashes: &[Hash],
    ) -> Result<Answer, Error> {
        if let Some(refusal) = transition.late() {
            let standing = ConflictContext::new(&task.workflow, transition.snapshot(), party);
            return Err(Error::Refused(refusal.clone(), Box::new(standing)));
        }
        let events = transition.events().iter().zip(hashes).map(|(event, hash)| audit::view(event, Some(hash), party));
        let events = events.collect();
        let view = self.view(party, task, (transition.snapshot(), hashes.last())).await;
        Ok(Answer { events, view, replayed: false })
    }

    /// The response that would be sent; entries that were not written have no hash.
    async fn dry_answer(&self, party: Party, task: &Loaded, transition: &Transition) -> Result<Answer, Error> {
        if let Some(refusal) = transition.late() {
            return Err(refused(party, task, refusal.unrecorded()));
        }
        let events = transition.events().iter().map(|event| audit::view(event, None, party)).collect();
        let view = self.view(party, task, (transition.snapshot(), None)).await;
        Ok(Answer { events, view, replayed: false })
    }

    /// The task at the time of its last event. Values that depend on the time are computed for that
    /// time, so that a repeated command gets the same response.
    async fn view(&self, party: Party, task: &Loaded, (snapshot, head): (&Snapshot, Option<&Hash>)) -> View {
        let at = snapshot.task.recorded_at();
        match party {
            Party::Buyer => {
                let (workflow, course) =
                    ((task.identity.partner_id, &task.identity.workflow), Timeline::of(&snapshot.task));
                View::Status(Box::new(self.forecasts.view(workflow, (snapshot.status.clone(), &course), at).await))
            }
            Party::Partner | Party::Platform => {
                let reader = Reader { party, moment: task.moment(at) };
                View::Task(Box::new(TaskView::new(&task.workflow, &task.identity, snapshot, head.copied(), reader)))
            }
        }
    }
}

fn refused(party: Party, task: &Loaded, refusal: Refusal) -> Error {
    Error::Refused(refusal, Box::new(ConflictContext::new(&task.workflow, task.snapshot(), party)))
}

fn prepare(task: &Loaded, transition: &Transition, digest: Option<[u8; 32]>) -> Prepared {
    let (head, seed, traceparent) = (task.head, ids::random::<32>, spans::traceparent());
    let (absences_version, traceparent) = (task.absences.version, traceparent.as_deref());
    Prepared::new(&Save { transition, head, absences_version, command_digest: digest, seed, traceparent })
}
