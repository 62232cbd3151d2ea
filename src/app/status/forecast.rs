//! Forecasts: the part of a status that depends on the time of the response.
//!
//! The durations of a version's finished tasks are read once per minute and replica, however many
//! clients poll; responses in a minute use the tasks finished before that minute began. So the
//! response to a command, computed for the time of the command, is the same when it is repeated,
//! whatever finished since. The minutes of each version begin at a different second, so that not
//! all versions are read at the same instant.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::app::base::Base;
use crate::app::error::Error;
use crate::clock::Clock;
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::forecast::{Finished, Forecast, StatusView, Timeline};
use crate::domain::task::status::Status;
use crate::domain::values::id::PartnerId;
use crate::domain::values::time::Time;
use crate::store::{self, Pool};

/// How long a result is used: one minute of the app's clock.
const AGE_MICROS: i64 = 60_000_000;
/// How many of the latest finished tasks count.
const MOST: u32 = 1_000;
/// The memory limit of the results in bytes.
const ROOM: u64 = 64 << 20;

/// The durations of a version's finished tasks, by the microsecond at which the version's minute
/// began.
type DurationHistory = Cache<(PartnerId, WorkflowRef, i64), Arc<Finished>>;

/// Adds forecasts to statuses.
#[derive(Debug)]
pub(in crate::app) struct Forecasts {
    decisions: Pool,
    clock: Clock,
    history: DurationHistory,
}

impl Forecasts {
    pub(in crate::app) fn new(base: &Base) -> Self {
        Self { decisions: base.decisions.clone(), clock: base.clock.clone(), history: history() }
    }

    /// A status as it is sent at `at`.
    pub(in crate::app) async fn view(
        &self,
        workflow: (PartnerId, &WorkflowRef),
        (status, course): (Status, &Timeline),
        at: Time,
    ) -> StatusView {
        StatusView { status, pace: self.pace(workflow, course, at).await }
    }

    /// The status in an event, the same each time it is read: as of `at`, when the event was
    /// recorded, but based on the tasks finished before the previous minute. Tasks that a replica
    /// was still writing in the event's own minute would appear in one read and not in another.
    /// Fails where [`Forecasts::view`] would omit the forecast.
    pub(in crate::app) async fn as_recorded(
        &self,
        (partner, workflow): (PartnerId, &WorkflowRef),
        (status, course): (Status, &Timeline),
        at: Time,
    ) -> Result<StatusView, Error> {
        let settled = Time::from_micros(at.micros().saturating_sub(AGE_MICROS));
        let finished =
            if course.heads_for_delivery() { Some(self.load((partner, workflow), settled).await?) } else { None };
        Ok(StatusView { status, pace: Forecast::new(course, at, finished.as_deref()) })
    }

    /// The body of a response now, with the stored part.
    pub(in crate::app) async fn answer(
        &self,
        workflow: (PartnerId, &WorkflowRef),
        course: &Timeline,
        stored: &str,
    ) -> String {
        self.pace(workflow, course, self.clock.now()).await.after(stored)
    }

    async fn pace(&self, workflow: (PartnerId, &WorkflowRef), course: &Timeline, at: Time) -> Forecast {
        let finished = if course.heads_for_delivery() { self.finished(workflow, at).await } else { None };
        Forecast::new(course, at, finished.as_deref())
    }

    /// The durations of a version's finished tasks. A failed forecast is logged and omitted; the
    /// response still succeeds.
    async fn finished(&self, version: (PartnerId, &WorkflowRef), at: Time) -> Option<Arc<Finished>> {
        let found = self.load(version, at).await;
        found
            .inspect_err(
                |error| tracing::warn!(error = %error, "the forecast is omitted: the finished tasks could not be read"),
            )
            .ok()
    }

    /// The tasks that finished before the version's minute of `at` began.
    async fn load(&self, (partner, workflow): (PartnerId, &WorkflowRef), at: Time) -> Result<Arc<Finished>, Error> {
        let before = Time::from_micros(minute(at.micros(), shift(partner, workflow)));
        let load = async {
            let found = store::tasks::finished::list(&self.decisions, partner, workflow, before, MOST).await?;
            Ok::<_, store::Error>(Arc::new(Finished::new(found)))
        };
        let version = (partner, workflow.clone(), before.micros());
        // Boxed, since the future of every response with a status includes this one.
        match Box::pin(self.history.get(&version)).await {
            Some(finished) => Ok(finished),
            None => Ok(Box::pin(self.history.try_get_with(version, load)).await?),
        }
    }
}

fn history() -> DurationHistory {
    Cache::builder()
        .max_capacity(ROOM)
        .weigher(|_, finished: &Arc<Finished>| u32::try_from(finished.size() + 256).unwrap_or(u32::MAX))
        // The minute in the key limits the age; this frees the memory of past minutes.
        .time_to_live(Duration::from_mins(2))
        .build()
}

/// The start of the minute of `at`, if minutes begin `shift` after the clock's.
fn minute(at: i64, shift: i64) -> i64 {
    at.saturating_sub(shift).div_euclid(AGE_MICROS).saturating_mul(AGE_MICROS).saturating_add(shift)
}

/// The offset of a version's minutes from the clock's, in microseconds. Every replica and every
/// build must compute the same, so it is the FNV-1a hash of the version's name.
fn shift(PartnerId(partner): PartnerId, workflow: &WorkflowRef) -> i64 {
    let name = partner.as_bytes().iter().chain(workflow.key.as_str().as_bytes()).copied();
    let hash = name
        .chain(workflow.version.to_be_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The result is less than a minute.
    i64::try_from(hash % AGE_MICROS.unsigned_abs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::values::id::WorkflowKey;

    #[test]
    fn a_minute_begins_where_its_version_says_and_lasts_a_minute() {
        for shift in [0, 1, 59_999_999] {
            for at in [-1, 0, 1, 60_000_000, 1_800_000_123_456_789] {
                let begin = minute(at, shift);
                assert!((0..AGE_MICROS).contains(&(at - begin)), "{at} {shift}");
                assert_eq!((begin - shift).rem_euclid(AGE_MICROS), 0, "{at} {shift}");
            }
        }
    }

    #[test]
    fn versions_are_read_all_over_the_minute() {
        let workflow = |version| WorkflowRef { key: WorkflowKey::parse("brand-campaign").unwrap(), version };
        let partner = PartnerId(uuid::Uuid::from_u128(7));
        let seconds: BTreeSet<i64> = (1..=600).map(|version| shift(partner, &workflow(version)) / 1_000_000).collect();
        assert!(seconds.len() > 50, "{seconds:?}");
    }
}
