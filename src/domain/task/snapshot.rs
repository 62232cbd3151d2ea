//! The present state of a task, folded from its events.

use std::borrow::Cow;

use crate::domain::workflow::Workflow;

use super::Task;
use super::event::{Event, Fact};
use super::evolve::evolve;
use super::notes::Notes;
use super::status::Status;

/// The stored present state of a task. Each part is folded from the events alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What decisions need.
    pub task: Task,
    /// Texts of people that are still shown.
    pub notes: Notes,
    /// The buyer's view.
    pub status: Status,
}

impl Snapshot {
    /// The present state after `event`.
    fn after(workflow: &Workflow, earlier: Option<Self>, event: &Event) -> Self {
        let (task, mut notes, status) = match earlier {
            Some(earlier) => (Some(earlier.task), earlier.notes, Some(earlier.status)),
            None => (None, Notes::default(), None),
        };
        let task = evolve(workflow, task, event);
        notes.apply(&task, event);
        let mut status = Status::after(workflow, &task, &notes, status.as_ref(), event.recorded_at);
        if let Fact::PersonalDataErased(erased) = &event.fact {
            (status.version, status.updated_at) = (erased.status_version, erased.status_updated_at);
        }
        Self { task, notes, status }
    }

    /// The present state that a list of events leads to; `None` for an empty list.
    pub fn fold<'a>(workflow: &Workflow, events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        Self::fold_each(workflow, events, |_| {})
    }

    /// The same, passing the state after every transition to `show`.
    pub fn fold_each<'a>(
        workflow: &Workflow,
        events: impl IntoIterator<Item = &'a Event>,
        mut show: impl FnMut(&Self),
    ) -> Option<Self> {
        let mut fold = Fold::new(workflow);
        for event in events {
            fold.push(Cow::Borrowed(event), &mut show);
        }
        fold.end(show)
    }

    /// The present state without the texts that are missing in `left`, the trail after an erasure.
    /// The status stays as it was: the transition that records the erasure renders it again. `None`
    /// for an empty trail.
    pub fn without_erased(&self, workflow: &Workflow, left: &[Event]) -> Option<Self> {
        let notes = Self::fold(workflow, left)?.notes;
        Some(Self { notes, ..self.clone() })
    }

    /// The same without the secret of the actors' tags, which no event contains.
    #[must_use]
    pub fn without_tag_secret(mut self) -> Self {
        self.task.tag_secret = None;
        self
    }

    /// Applies one event. The status is rendered only where a transition ends, since nobody sees
    /// the states in between.
    pub(super) fn step(workflow: &Workflow, earlier: Option<Self>, event: &Event, ends: bool) -> Self {
        match earlier {
            Some(mut earlier) if !ends => {
                let task = evolve(workflow, Some(earlier.task), event);
                earlier.notes.apply(&task, event);
                earlier.task = task;
                earlier
            }
            earlier => Self::after(workflow, earlier, event),
        }
    }
}

/// Folds events one by one, so that a long trail need not be held in memory.
#[derive(Debug)]
pub struct Fold<'a> {
    workflow: &'a Workflow,
    present: Option<Snapshot>,
    /// The latest event. Only the next event shows whether a transition ends with this one.
    last: Option<Cow<'a, Event>>,
}

impl<'a> Fold<'a> {
    /// The fold before the first event.
    pub fn new(workflow: &'a Workflow) -> Self {
        Self { workflow, present: None, last: None }
    }

    /// The fold after a transition that led to `present`.
    pub fn resume(workflow: &'a Workflow, present: Snapshot) -> Self {
        Self { workflow, present: Some(present), last: None }
    }

    /// Adds the next event. If it begins a new transition, passes the state after the previous one
    /// to `show`.
    pub fn push(&mut self, event: Cow<'a, Event>, show: impl FnMut(&Snapshot)) {
        let next = event.cause_seq;
        if let Some(last) = self.last.replace(event) {
            let ends = last.cause_seq != next;
            self.step(&last, ends, show);
        }
    }

    /// Ends the fold; `None` if there were no events.
    pub fn end(mut self, show: impl FnMut(&Snapshot)) -> Option<Snapshot> {
        if let Some(last) = self.last.take() {
            self.step(&last, true, show);
        }
        self.present
    }

    fn step(&mut self, event: &Event, ends: bool, mut show: impl FnMut(&Snapshot)) {
        let after = Snapshot::step(self.workflow, self.present.take(), event, ends);
        if ends {
            show(&after);
        }
        self.present = Some(after);
    }
}
