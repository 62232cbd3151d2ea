//! Simulates a workflow on a virtual clock, through the same `decide` as real tasks; nothing is
//! stored.
//!
//! Each step is passed on as it happens and not kept, so that a long simulation needs no more
//! memory than a short one.

use std::collections::HashMap;
use std::ops::ControlFlow;

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

/// What happened at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// When.
    pub at: Time,
    /// The cause of the step.
    pub trigger: Trigger,
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

/// Runs `commands` (in the order of their times) against a task opened at `opened_at`, with every
/// timer that is due between them and until `until`. Passes each step to `show`, until it breaks
/// off.
pub fn simulate(
    workflow: &Workflow,
    (opening, opened_at): (Opening, Time),
    commands: &[Sent],
    until: Time,
    mut show: impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<(), Refusal> {
    let (events, snapshot) = open(workflow, opening, opened_at)?.into_parts();
    let first = Step {
        at: opened_at,
        trigger: Trigger::Opening,
        events: &events,
        outcome: &Outcome::Done,
        snapshot: &snapshot,
    };
    let shown = show(first);
    let mut play = Play { workflow, snapshot, late: Vec::new(), known: HashMap::new(), steps: 1, show };
    if shown.is_continue() {
        // Either way the simulation is over.
        let _ = play.run(commands, until);
    }
    Ok(())
}

struct Play<'a, F> {
    workflow: &'a Workflow,
    snapshot: Snapshot,
    /// Recorded late decisions: whose, and their `seq`.
    late: Vec<(Party, ActorId, u64)>,
    /// Accepted commands with an id: the body's digest, and the refusal if it was late.
    known: HashMap<(Party, CommandId), ([u8; 32], Option<Refusal>)>,
    steps: usize,
    show: F,
}

impl<F: FnMut(Step<'_>) -> ControlFlow<()>> Play<'_, F> {
    fn run(&mut self, commands: &[Sent], until: Time) -> ControlFlow<()> {
        for (index, sent) in commands.iter().enumerate() {
            self.run_timers(sent.at)?;
            self.send(index, sent)?;
        }
        self.run_timers(until)
    }

    fn run_timers(&mut self, until: Time) -> ControlFlow<()> {
        while let Some(at) = self.snapshot.task.wake_at().filter(|at| *at <= until) {
            if self.steps >= MAX_STEPS {
                break;
            }
            let (events, outcome) = self.decide(Input::Tick, at);
            self.show((at, Trigger::Timer), &events, &outcome)?;
        }
        ControlFlow::Continue(())
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
            return self.show(place, &[], &outcome);
        }
        let command = sent.command.clone().with_late(self.late(&sent.command));
        let (events, outcome) = self.decide(Input::Party(&command), sent.at);
        if let Some((key, digest)) = key.filter(|_| !events.is_empty()) {
            let late = if let Outcome::Refused(refusal) = &outcome { Some(refusal.clone()) } else { None };
            self.known.insert(key, (digest, late));
        }
        self.show(place, &events, &outcome)
    }

    fn decide(&mut self, input: Input<'_>, at: Time) -> (Vec<Event>, Outcome) {
        match decide(self.workflow, &self.snapshot, input, at) {
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

    fn show(&mut self, (at, trigger): (Time, Trigger), events: &[Event], outcome: &Outcome) -> ControlFlow<()> {
        self.steps += 1;
        (self.show)(Step { at, trigger, events, outcome, snapshot: &self.snapshot })
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
