//! A workflow played on a virtual clock, through the same `decide` as the real thing; nothing is stored.

use super::command::Command;
use super::decide::{Opening, Snapshot, decide, open};
use super::event::{Event, Fact};
use super::refusal::Refusal;
use super::time::Time;
use super::workflow::Workflow;

/// The most steps of one simulation, timers included.
pub const MAX_STEPS: usize = 10_000;

/// What happened at one instant.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Time,
    /// What made it happen.
    pub trigger: Trigger,
    /// The events; of a refused command only the late decision that is kept all the same.
    pub events: Vec<Event>,
    /// Why the command was refused, if it was.
    pub refusal: Option<Refusal>,
    /// The task afterwards.
    pub snapshot: Snapshot,
}

/// What made a step happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The opening of the task.
    Opening,
    /// The command with this index.
    Command(usize),
    /// A timer that came due.
    Timer,
}

/// Plays `commands` (in the order of their times) against a task opened at `opened_at`, with every timer that comes due between
/// them and until `until`.
pub fn simulate(
    workflow: &Workflow,
    opening: Opening,
    opened_at: Time,
    commands: &[(Time, Command)],
    until: Time,
) -> Result<Vec<Step>, Refusal> {
    let (events, snapshot) = open(workflow, opening, opened_at)?.into_parts();
    let first = Step {
        at: opened_at,
        trigger: Trigger::Opening,
        events: events.clone(),
        refusal: None,
        snapshot: snapshot.clone(),
    };
    let mut play = Play { workflow, trail: events, snapshot, steps: vec![first] };
    for (index, (at, command)) in commands.iter().enumerate() {
        play.run_timers(*at);
        let command = command.clone().with_late(play.late(command));
        play.step(Trigger::Command(index), &command, *at);
    }
    play.run_timers(until);
    Ok(play.steps)
}

struct Play<'a> {
    workflow: &'a Workflow,
    trail: Vec<Event>,
    snapshot: Snapshot,
    steps: Vec<Step>,
}

impl Play<'_> {
    fn run_timers(&mut self, until: Time) {
        while let Some(at) = self.snapshot.task.wake_at().filter(|at| *at <= until) {
            if self.steps.len() >= MAX_STEPS {
                return;
            }
            self.step(Trigger::Timer, &Command::tick(), at);
        }
    }

    fn step(&mut self, trigger: Trigger, command: &Command, at: Time) {
        let (events, refusal) = match decide(self.workflow, &self.snapshot, command, at) {
            Ok(transition) => {
                let late = transition.late().cloned();
                let (events, snapshot) = transition.into_parts();
                self.snapshot = snapshot;
                self.trail.extend(events.iter().cloned());
                (events, late)
            }
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        self.steps.push(Step { at, trigger, events, refusal, snapshot: self.snapshot.clone() });
    }

    /// The same actor's late decision on what was open, if the trail has one.
    fn late(&self, command: &Command) -> Option<u64> {
        let sender = command.meta().sender.as_ref()?;
        let actor = &sender.actor.as_ref()?.id;
        let same = |event: &&Event| {
            matches!(event.fact, Fact::LateDecisionRecorded(_))
                && event.party.party() == Some(sender.party)
                && event.actor.as_ref().is_some_and(|earlier| earlier.id == *actor)
        };
        self.trail.iter().find(same).map(|event| event.seq)
    }
}
