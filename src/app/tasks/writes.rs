//! What every write of a task goes through.

use std::sync::Arc;

use crate::app::base::Base;
use crate::app::commits::Commits;
use crate::app::contention::Turns;
use crate::app::error::Error;
use crate::domain::task::decide::Transition;
use crate::store::Writer;
use crate::store::tasks::transitions::{Outcome, Prepared};
use crate::telemetry::spans;

use super::write_cache::Recent;

/// The queue of transitions, and what knows about written ones.
#[derive(Debug)]
pub(in crate::app) struct Writes {
    /// The queue of transitions.
    pub(in crate::app) writer: Writer,
    /// The tasks that were just written.
    pub(in crate::app) recent: Recent,
    /// The turns of writers that lost a race.
    pub(in crate::app) turns: Turns,
    /// Announces what was written.
    pub(in crate::app) commits: Arc<Commits>,
}

impl Writes {
    /// At most `capacity` transitions may wait to be written; `None`: the writer's default.
    pub(in crate::app) fn new(base: &Base, capacity: Option<usize>, commits: Arc<Commits>) -> Self {
        let writer = match capacity {
            Some(transitions) => Writer::with_capacity(&base.pool, transitions),
            None => Writer::beside(&base.pool),
        };
        Self { writer, recent: Recent::default(), turns: Turns::default(), commits }
    }

    /// Writes a transition and, if it was saved, announces it.
    pub(super) async fn send(&self, write: Prepared, transition: &Transition) -> Result<Outcome, Error> {
        let span = spans::Span::step("write");
        let outcome = span.run(self.writer.write(write)).await.inspect_err(|_| span.fail("not_written"))?;
        span.set("stagegate.outcome", outcome_word(&outcome));
        if let Outcome::Saved(_) = outcome {
            self.commits.announce(transition);
        }
        Ok(outcome)
    }
}

/// What became of a write, for its span.
fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Saved(_) => "saved",
        Outcome::Stale => "stale",
        Outcome::Duplicate => "duplicate",
    }
}
