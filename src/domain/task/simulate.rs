//! Simulates a workflow on a virtual clock, through the same `decide` as real tasks; nothing is
//! stored. Nobody is absent in it.
//!
//! Each step is passed on as it happens and not kept, so that a long simulation needs no more
//! memory than a short one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::domain::absence::Moment;
use crate::domain::values::id::{ActorId, CommandId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

use super::command::Command;
use super::decide::{Input, Opening, decide, open};
use super::event::{Event, Fact};
use super::refusal::Refusal;
use super::snapshot::Snapshot;

/// Maximum number of steps of one simulation, timers included.
pub const MAX_STEPS: usize = 10_000;

/// A command of a simulation.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When it is sent.
    pub at: Time,
    /// The command.
    pub command: Command,
    /// The digest of its body if the sender chose its id: a repeated id is a replay, or refused.
    pub digest: Option<[u8; 32]>,
}

/// Says which commands are sent in a simulation.
pub trait Script {
    /// The command with this index, which is sent at its time unless a timer changes the task
    /// before. It is asked for again after every step, so it may depend on the task as it is then.
    fn next(&mut self, index: usize, snapshot: &Snapshot) -> Option<Cow<'_, Sent>>;
}

/// Commands that were fixed beforehand, in the order of their times.
impl Script for Vec<Sent> {
    fn next(&mut self, index: usize, _: &Snapshot) -> Option<Cow<'_, Sent>> {
        self.get(index).map(Cow::Borrowed)
    }
}

/// What happened at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// When.
    pub at: Time,
    /// The cause of the step.
    pub trigger: Trigger,
    /// The command, if one was the cause.
    pub sent: Option<&'a Sent>,
    /// The events. A refused command has only the late decision that is recorded nevertheless.
    pub events: &'a [Event],
    /// The result of a command.
    pub outcome: &'a Outcome,
    /// The task afterwards.
    pub snapshot: &'a Snapshot,
}

/// The cause of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The opening of the task.
    Opening,
    /// The command with this index.
    Command(usize),
    /// A timer that came due.
    Timer,
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was accepted.
    Done,
    /// It is a replay: the same id and body as an accepted command.
    Replayed,
    /// Its id was used before, with another body.
    IdReused,
    /// It was refused.
    Refused(Refusal),
}

/// Runs the commands of `script` against a task opened at `opened_at`, with every timer that is due
/// between them and until `until`, which ends the simulation. Passes each step to `show`, until it
/// breaks off. `dual_control` is that of [`super::command::Meta`], for every command.
pub fn simulate(
    workflow: &Workflow,
    (opening, opened_at): (Opening, Time),
    (script, dual_control): (&mut dyn Script, bool),
    until: Time,
    mut show: impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<(), Refusal> {
    let (events, snapshot) = open(workflow, opening, Moment::without_absences(opened_at))?.into_parts();
    let first = Step {
        at: opened_at,
        trigger: Trigger::Opening,
        sent: None,
        events: &events,
        outcome: &Outcome::Done,
        snapshot: &snapshot,
    };
    let shown = show(first);
    let mut play = Play { workflow, snapshot, dual_control, late: Vec::new(), known: HashMap::new(), steps: 1, show };
    if shown.is_continue() {
        // Either way the simulation is over.
        let _ = play.run(script, until);
    }
    Ok(())
}

struct Play<'a, F> {
    workflow: &'a Workflow,
    snapshot: Snapshot,
    dual_control: bool,
    /// Recorded late decisions: whose, and their `seq`.
    late: Vec<(Party, ActorId, u64)>,
    /// Accepted commands with an id: the body's digest, and the refusal if it was late.
    known: HashMap<(Party, CommandId), ([u8; 32], Option<Refusal>)>,
    steps: usize,
    show: F,
}

impl<F: FnMut(Step<'_>) -> ControlFlow<()>> Play<'_, F> {
    fn run(&mut self, script: &mut dyn Script, until: Time) -> ControlFlow<()> {
        let mut index = 0;
        loop {
            let next = script.next(index, &self.snapshot).filter(|sent| sent.at <= until);
            let due = self.snapshot.task.wake_at().filter(|_| self.steps < MAX_STEPS);
            if let Some(at) = due.filter(|at| *at <= next.as_ref().map_or(until, |sent| sent.at)) {
                let (events, outcome) = self.decide(Input::Tick, at);
                self.show((at, Trigger::Timer), None, &events, &outcome)?;
            } else if let Some(sent) = next {
                self.send(index, &sent)?;
                index += 1;
            } else {
                return ControlFlow::Continue(());
            }
        }
    }

    fn send(&mut self, index: usize, sent: &Sent) -> ControlFlow<()> {
        let place = (sent.at, Trigger::Command(index));
        let key = sent.key();
        let known = key.and_then(|(key, digest)| Some((digest, self.known.get(&key)?)));
        if let Some((digest, (known, late))) = known {
            let outcome = match late {
                _ if digest != *known => Outcome::IdReused,
                Some(refusal) => Outcome::Refused(refusal.clone()),
                None => Outcome::Replayed,
            };
            return self.show(place, Some(sent), &[], &outcome);
        }
        let mut command = sent.command.clone().with_late(self.late(&sent.command));
        command.set_dual_control(self.dual_control);
        let (events, outcome) = self.decide(Input::Party(&command), sent.at);
        if let Some((key, digest)) = key.filter(|_| !events.is_empty()) {
            let late = if let Outcome::Refused(refusal) = &outcome { Some(refusal.clone()) } else { None };
            self.known.insert(key, (digest, late));
        }
        self.show(place, Some(sent), &events, &outcome)
    }

    fn decide(&mut self, input: Input<'_>, at: Time) -> (Vec<Event>, Outcome) {
        match decide(self.workflow, &self.snapshot, input, Moment::without_absences(at)) {
            Ok(transition) => {
                let outcome = transition.late().cloned().map_or(Outcome::Done, Outcome::Refused);
                let (events, snapshot) = transition.into_parts();
                self.snapshot = snapshot;
                let late = events.iter().filter(|event| matches!(event.fact, Fact::LateDecisionRecorded(_)));
                let kept =
                    late.filter_map(|event| Some((event.party.party()?, event.actor.as_ref()?.id.clone(), event.seq)));
                self.late.extend(kept);
                (events, outcome)
            }
            Err(refusal) => (Vec::new(), Outcome::Refused(refusal)),
        }
    }

    fn show(
        &mut self,
        (at, trigger): (Time, Trigger),
        sent: Option<&Sent>,
        events: &[Event],
        outcome: &Outcome,
    ) -> ControlFlow<()> {
        self.steps += 1;
        (self.show)(Step { at, trigger, sent, events, outcome, snapshot: &self.snapshot })
    }

    /// The same actor's earlier late decision on what was open, if any.
    fn late(&self, command: &Command) -> Option<u64> {
        let sender = &command.meta().sender;
        let actor = &sender.actor.as_ref()?.id;
        self.late.iter().find(|(party, id, _)| (*party, id) == (sender.party, actor)).map(|(_, _, seq)| *seq)
    }
}

impl Sent {
    /// The key that identifies a replay, with the digest of its body.
    fn key(&self) -> Option<((Party, CommandId), [u8; 32])> {
        let meta = self.command.meta();
        Some(((meta.sender.party, meta.id?), self.digest?))
    }
}
