//! Delivers events to the endpoints of their owners, in every replica at once.
//!
//! A search finds lines (one task's events to one endpoint, [`Line`]) with something due.
//! Each endpoint that was found is visited: a visit sends what is due there, several lines at a
//! time. Other modules decide what may be sent, in which order, and what follows from an answer.
//!
//! **Fairness.** The slots are shared by owner (`slots`). However many endpoints an owner has and
//! however long they take, an owner who holds no slot gets one at once. A search returns the first
//! of each owner before the second of any. An endpoint has one visit at a time and gets more
//! concurrent attempts as it accepts quickly (`pace`). A failing endpoint gets one attempt at a
//! time, a slow one at most four, and together they have half of the slots.
//!
//! **Sharing.** A search claims nothing. If two replicas find the same line, both try to take its
//! head, and one gets it.
//!
//! **Waking.** Writes of this process wake the worker. A search once a second finds what others
//! wrote and what is due again. A search is followed by a pause of ten times its length, so it uses
//! a tenth of a connection however busy the service is.
//!
//! **Failure.** A delivery that was taken and not settled is due again when its lease ends. If the
//! database is unavailable, the worker retries after a pause. A visit ends with the first attempt
//! that fails, and the next search finds the rest. A stop waits for the answers that are under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pace::Pace;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use slots::Slots;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use visit::{Visit, Visited};

use crate::app::webhooks::dispatch::{Due, Line, Wanted};
use crate::app::{App, Error};
use crate::causes::with_causes;
use crate::domain::webhook::EndpointKey;

mod pace;
mod slots;
mod visit;

/// The name of the worker.
pub const NAME: &str = "deliveries";
/// The limit of a turn.
pub const BOUND: Duration = Duration::from_mins(1);
/// The most attempts that this replica makes at a time.
const SLOTS: usize = 512;
/// The lines of one endpoint that a search finds. If there may be more, and the endpoint has several
/// concurrent attempts, a second search finds four for each of them.
const EACH: u32 = 4;
/// The most endpoints whose pace is remembered. Beyond that, all start over.
const MAX_PACES: usize = 16_384;
/// The lines that a search finds.
const WINDOW: u32 = 1024;
/// The interval of searches without a wake-up.
const LOOK: Duration = Duration::from_secs(1);
/// The shortest and the longest pause between two searches; it depends on how long the first took.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// The delivery worker. One per process.
#[derive(Debug)]
pub struct Deliveries {
    app: Arc<App>,
    metrics: Arc<Metrics>,
    slots: usize,
}

#[derive(Debug, Default)]
struct Metrics {
    delivered: Counter,
    failed: Counter,
    given_up: Counter,
    in_flight: Gauge,
    lag: Gauge<f64, AtomicU64>,
    disabled: Gauge,
}

/// The work in progress.
#[derive(Debug)]
struct Round {
    visits: JoinSet<Visited>,
    /// The slots and their holders.
    slots: Slots,
    /// The pace of endpoints that were visited.
    paces: HashMap<EndpointKey, Pace>,
    /// When the endpoints were counted.
    counted: Option<Instant>,
    /// Whether there are endpoints to deliver to.
    wanted: bool,
}

impl Deliveries {
    /// Creates the worker for this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, metrics: Arc::default(), slots: SLOTS }
    }

    /// Replaces the default of 512 concurrent attempts.
    #[must_use]
    pub fn with_slots(self, slots: usize) -> Self {
        Self { slots, ..self }
    }

    /// How many attempts are under way, from before a delivery is taken until it is settled.
    pub fn in_flight(&self) -> i64 {
        self.metrics.in_flight.get()
    }

    /// Registers the worker's metrics.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { delivered, failed, given_up, in_flight, lag, disabled } = &*self.metrics;
        registry.register("webhooks_delivered", "Deliveries that were accepted", delivered.clone());
        registry.register("webhooks_failed_attempts", "Attempts that failed", failed.clone());
        registry.register("webhooks_given_up", "Deliveries given up after their last attempt failed", given_up.clone());
        registry.register("webhooks_in_flight", "Attempts under way", in_flight.clone());
        let help = "How long the oldest delivery that may be sent has waited, as of the last search";
        registry.register_with_unit("webhooks_lag", help, Unit::Seconds, lag.clone());
        registry.register("webhooks_disabled", "Endpoints that the service disabled", disabled.clone());
    }

    /// Sends what is due until the service drains. Finishes the attempts in progress.
    pub async fn run(&self) {
        let (mut round, mut is_away) = (Round::of(self.slots), false);
        while !self.app.shutdown.is_draining() {
            self.app.operations.workers.turned(NAME);
            let looked = Instant::now();
            let visits = match self.begin(&mut round).await {
                Ok(visits) => {
                    is_away = false;
                    visits
                }
                Err(error) => {
                    if !is_away {
                        tracing::warn!(
                            error = with_causes(&error),
                            "deliveries stop until the database is available again"
                        );
                    }
                    is_away = true;
                    0
                }
            };
            sleep((looked.elapsed() * 10).clamp(PAUSES.0, PAUSES.1)).await;
            while let Some(visited) = round.visits.try_join_next() {
                round.end(visited);
            }
            if visits == 0 {
                self.rest(&mut round).await;
            }
        }
        while let Some(visited) = round.visits.join_next().await {
            round.end(visited);
        }
    }

    /// Sends everything that is due now and waits until nothing is in progress. Returns the number
    /// of accepted deliveries.
    pub async fn run_due(&self) -> Result<u64, Error> {
        let (mut round, mut delivered) = (Round::of(self.slots), 0);
        loop {
            round.counted = None;
            self.begin(&mut round).await?;
            let Some(visited) = round.visits.join_next().await else { return Ok(delivered) };
            delivered += round.end(visited);
        }
    }

    /// Waits until there may be something to do.
    async fn rest(&self, round: &mut Round) {
        tokio::select! {
            () = self.app.webhooks.dispatch.wait(LOOK) => {}
            Some(visited) = round.visits.join_next() => {
                round.end(visited);
            }
        }
    }

    /// Searches for what is due and starts to visit the endpoints. Returns how many.
    async fn begin(&self, round: &mut Round) -> Result<usize, Error> {
        if round.counted.is_none_or(|counted| counted.elapsed() >= LOOK) {
            let count = self.app.webhooks.dispatch.count_endpoints().await?;
            self.metrics.disabled.set(i64::try_from(count.disabled).unwrap_or(i64::MAX));
            (round.counted, round.wanted) = (Some(Instant::now()), count.enabled > 0);
        }
        if !round.wanted || round.slots.are_all_held() {
            return Ok(0);
        }
        let wanted = Wanted {
            each: EACH,
            failing: round.slots.has_room_for_slow(),
            except: round.slots.busy(),
            except_owners: round.slots.full_owners(),
            limit: WINDOW,
        };
        let mut due = self.app.webhooks.dispatch.list_due(&wanted).await?;
        let now = self.app.clock().now();
        let lag = due.iter().map(|due| now - due.due_at).max().unwrap_or_default();
        self.metrics.lag.set(lag.as_seconds_f64());
        let wide = round.wide(&due);
        if !wide.is_empty() {
            due.extend(self.app.webhooks.dispatch.list_due_of(&wide).await?);
        }
        let mut begun = 0;
        for (endpoint, found) in by_endpoint(due) {
            begun += usize::from(self.visit(round, endpoint, found));
        }
        Ok(begun)
    }

    /// Starts a visit if there is a free slot for it.
    fn visit(&self, round: &mut Round, endpoint: EndpointKey, mut found: Found) -> bool {
        let pace = round.paces.get(&endpoint).copied().unwrap_or_default();
        let width = if found.is_failing { 1 } else { pace.width };
        let wanted = width.min(found.lines.len());
        let number = round.slots.take(&endpoint, wanted, found.is_failing || pace.is_slow);
        if number == 0 {
            return false;
        }
        if width == 1 {
            // One attempt shows whether the endpoint works again.
            found.lines.truncate(1);
        }
        let visit = Visit::new(Arc::clone(&self.app), Arc::clone(&self.metrics), endpoint);
        round.visits.spawn(visit.run(found.lines, number));
        true
    }
}

impl Round {
    fn of(slots: usize) -> Self {
        let (visits, paces) = (JoinSet::new(), HashMap::new());
        Self { visits, slots: Slots::of(slots), paces, counted: None, wanted: false }
    }

    /// Takes in the result of a visit. Returns the number of accepted deliveries.
    fn end(&mut self, visited: Result<Visited, JoinError>) -> u64 {
        match visited {
            Ok(Visited { endpoint, delivered, course }) => {
                self.slots.give_back(&endpoint);
                if self.paces.len() >= MAX_PACES {
                    self.paces.clear();
                }
                let pace = self.paces.remove(&endpoint).unwrap_or_default().after(course, delivered);
                if pace != Pace::default() {
                    self.paces.insert(endpoint, pace);
                }
                delivered
            }
            Err(fault) => unreachable!("a visit's attempts have tasks of their own, and nothing ends it: {fault}"),
        }
    }

    /// Lists the endpoints with several concurrent attempts of which the search may not have found
    /// all lines, and how many to find.
    fn wide(&self, due: &[Due]) -> Vec<(EndpointKey, u32)> {
        let mut found: HashMap<&EndpointKey, u32> = HashMap::new();
        for due in due.iter().filter(|due| !due.is_failing) {
            *found.entry(&due.line.endpoint).or_default() += 1;
        }
        let width = |endpoint: &EndpointKey| self.paces.get(endpoint).map_or(1, |pace| pace.width);
        let wide = found.into_iter().filter(|(endpoint, rows)| *rows >= EACH && width(endpoint) > 1);
        wide.map(|(key, _)| (key.clone(), u32::try_from(width(key)).unwrap_or(u32::MAX).saturating_mul(EACH))).collect()
    }
}

/// What a search found for an endpoint.
struct Found {
    lines: Vec<Line>,
    is_failing: bool,
}

/// Groups lines by endpoint, in the order in which the endpoints were found, each line once.
fn by_endpoint(due: Vec<Due>) -> Vec<(EndpointKey, Found)> {
    let mut places: HashMap<EndpointKey, usize> = HashMap::new();
    let mut found: Vec<(EndpointKey, Found)> = Vec::new();
    for Due { line, is_failing, .. } in due {
        let place = *places.entry(line.endpoint.clone()).or_insert(found.len());
        if place == found.len() {
            found.push((line.endpoint.clone(), Found { lines: Vec::new(), is_failing }));
        }
        let lines = &mut found[place].1.lines;
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::pace::Course;
    use super::*;
    use crate::domain::values::id::{EndpointId, TaskId};
    use crate::domain::values::time::Time;
    use crate::domain::webhook::Owner;

    fn endpoint(number: usize) -> EndpointKey {
        EndpointKey { owner: Owner::Platform, id: EndpointId::parse(format!("e-{number}")).unwrap() }
    }

    fn due(endpoints: &[(usize, u128)]) -> Vec<Due> {
        let row = |(number, task): &(usize, u128)| Due {
            line: Line { task_id: TaskId(uuid::Uuid::from_u128(*task)), endpoint: endpoint(*number) },
            due_at: Time::default(),
            is_failing: *number > 100,
        };
        endpoints.iter().map(row).collect()
    }

    #[test]
    fn what_is_found_is_sorted_by_endpoint_and_each_line_is_there_once() {
        let found = by_endpoint(due(&[(1, 7), (2, 7), (1, 7), (1, 8), (101, 9)]));
        let lines: Vec<_> =
            found.iter().map(|(key, found)| (key.clone(), found.lines.len(), found.is_failing)).collect();
        assert_eq!(lines, [(endpoint(1), 2, false), (endpoint(2), 1, false), (endpoint(101), 1, true)]);
    }

    #[tokio::test]
    async fn an_endpoint_begins_with_one_attempt_and_gets_more_once_it_has_accepted_one() {
        let app = Arc::new(App::without_database(crate::clock::Clock::system()));
        let (worker, mut round) = (Deliveries::new(app), Round::of(SLOTS));
        let lines: Vec<(usize, u128)> = (0..100).map(|task| (1, task)).collect();
        let mut width = |ended: Option<(Course, u64)>| {
            if let Some((course, delivered)) = ended {
                round.end(Ok(Visited { endpoint: endpoint(1), delivered, course }));
            }
            for (endpoint, found) in by_endpoint(due(&lines)) {
                assert!(worker.visit(&mut round, endpoint, found));
            }
            let held = round.slots.number_of(&endpoint(1));
            let wide = round.wide(&due(&lines));
            (held, wide.first().map_or(EACH, |(_, each)| *each))
        };
        assert_eq!(width(None), (1, EACH));
        assert_eq!(width(Some((Course::Quick, 1))), (4, 16));
        assert_eq!(width(Some((Course::Quick, 4))), (16, 64));
        assert_eq!(width(Some((Course::Quick, 16))), (64, 256));
        assert_eq!(width(Some((Course::Slow, 64))), (4, 16));
        assert_eq!(width(Some((Course::Failed, 0))), (1, EACH));
        assert!(round.wide(&due(&lines[..3])).is_empty(), "the search has found all there is");
    }
}
