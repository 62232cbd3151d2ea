//! Early warnings for operators, from one look at the database every few seconds, however many
//! clients scrape it.
//!
//! The look is one statement on a connection of its own. Between two looks, and while the database
//! is unreachable, ages grow from the last result. A transaction that stays open for long, in any
//! database of the server, stops the feed and the checkpoints; its session is found and logged once
//! a minute.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use crate::app::base::Base;
use crate::app::error::Error;
use crate::clock::Clock;
use crate::domain::values::time::Time;
use crate::store::monitor::{self, Observed};
use crate::store::{self, Pool, Usage, Writer, WriterUsage};

pub use crate::store::monitor::Holder;

/// The time limit of a look, and of a search for the session that keeps a transaction open.
const PATIENCE: Duration = Duration::from_secs(3);
/// A transaction that is the oldest one for longer than this is reported, and again after the same
/// time.
pub const HELD_TOO_LONG: TimeDelta = TimeDelta::minutes(1);
/// How much of a statement is reported, in characters.
const MAX_QUERY: usize = 200;

/// Looks at the database, and keeps the result of the last look.
#[derive(Debug)]
pub struct Monitor {
    pool: Pool,
    writer: Writer,
    clock: Clock,
    is_signing: bool,
    source: AsyncMutex<monitor::Monitor>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<(Instant, Observed)>,
    /// Whether the server was a standby at the last look.
    is_standby: Option<bool>,
    /// The oldest running transaction, and since when it has been the oldest.
    oldest: Option<(u64, Time)>,
    reported: Option<Time>,
}

/// The current ages and counts. All times are by this replica's clock, except for `answered`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ages {
    /// How long ago the last look was answered, by the monotonic clock.
    pub answered: Duration,
    /// How far a standby is behind its primary; zero on a primary.
    pub replay_lag: TimeDelta,
    /// How long the same transaction has held back the horizon; zero if none does.
    pub horizon: TimeDelta,
    /// How long the earliest timer has been overdue; zero if none is.
    pub due_timer: TimeDelta,
    /// The unsettled deliveries to enabled endpoints.
    pub pending: u64,
    /// The age of the oldest event among them; zero if there are none.
    pub oldest_pending: TimeDelta,
    /// The age of the first entry that no checkpoint covers; none without a signing key.
    pub uncovered: Option<TimeDelta>,
}

/// A transaction that has held back the horizon for too long.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The transaction.
    pub transaction: u64,
    /// How long it has been the oldest one, as seen by this replica.
    pub seen_for: TimeDelta,
    /// Its session.
    pub holder: Holder,
}

impl Monitor {
    /// `is_signing`: whether there is a key for checkpoints.
    pub(super) fn new(base: &Base, writer: Writer, is_signing: bool) -> Self {
        Self {
            pool: base.pool.clone(),
            writer,
            clock: base.clock.clone(),
            is_signing,
            source: AsyncMutex::new(monitor::Monitor::beside(&base.pool)),
            seen: Mutex::default(),
        }
    }

    /// The use of the database connections, by pool: those that serve requests, and those of the
    /// writer.
    pub fn connections(&self) -> [(&'static str, Usage); 2] {
        [("serving", self.pool.usage()), ("writer", self.writer.connections())]
    }

    /// The writer's queue and its totals.
    pub fn writer(&self) -> WriterUsage {
        self.writer.usage()
    }

    /// Looks at the database once; returns the session that holds back the horizon, if it must be
    /// reported now.
    pub async fn look(&self) -> Result<Option<Held>, Error> {
        let mut source = self.source.lock().await;
        let observed = in_time(source.look()).await?;
        self.log_role(observed.is_standby);
        let report = self.seen().note(observed, self.clock.now());
        let Some((transaction, seen_for)) = report else { return Ok(None) };
        let holder = in_time(source.find_holder(transaction)).await?;
        Ok(holder.map(|holder| Held { transaction, seen_for, holder }))
    }

    /// The current values; `None` before the first look.
    pub fn ages(&self) -> Option<Ages> {
        let (now, seen) = (self.clock.now(), self.seen());
        let (at, observed) = seen.last?;
        let since = |time: Option<Time>| time.map_or(TimeDelta::zero(), |time| (now - time).max(TimeDelta::zero()));
        Some(Ages {
            answered: at.elapsed(),
            replay_lag: since(observed.replayed_until),
            horizon: since(seen.oldest.map(|(_, since)| since)),
            due_timer: since(observed.next_timer),
            pending: observed.pending,
            oldest_pending: since(observed.oldest_pending),
            uncovered: self.is_signing.then(|| since(observed.first_uncovered)),
        })
    }

    /// Whether this replica only reads. What concerns those that write is then theirs to show, from a
    /// database that is not behind.
    pub fn is_read_only(&self) -> bool {
        self.pool.is_read_only()
    }

    /// Logs when the database below a replica that only reads is promoted.
    fn log_role(&self, is_standby: bool) {
        let before = self.seen().is_standby.replace(is_standby);
        match before {
            _ if !self.is_read_only() => {}
            Some(true) if !is_standby => tracing::warn!(
                "the database is no longer a standby, since it was promoted; this replica goes on and only reads (STAGEGATE_READ_ONLY)"
            ),
            None if !is_standby => {
                tracing::info!("the database is no standby; this replica only reads, as STAGEGATE_READ_ONLY says");
            }
            Some(_) | None => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Records the result of a look; returns the transaction to report, if any.
    fn note(&mut self, observed: Observed, now: Time) -> Option<(u64, TimeDelta)> {
        self.last = Some((Instant::now(), observed));
        let same = self.oldest.filter(|(transaction, _)| observed.oldest_running == Some(*transaction));
        self.oldest = same.or_else(|| observed.oldest_running.map(|transaction| (transaction, now)));
        let (transaction, since) = self.oldest?;
        let is_due = self.reported.is_none_or(|reported| now - reported >= HELD_TOO_LONG);
        if now - since < HELD_TOO_LONG || !is_due {
            return None;
        }
        self.reported = Some(now);
        Some((transaction, now - since))
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, store::Error>>) -> Result<T, Error> {
    match timeout(PATIENCE, what).await {
        Ok(done) => Ok(done?),
        Err(elapsed) => Err(Error::Unavailable(Arc::new(elapsed))),
    }
}

/// The log text. The statement is shortened, and control characters in it are escaped.
impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transaction, seen_for, holder } = self;
        let unknown = || "(unknown)".to_owned();
        let text = |value: &Option<String>| value.as_deref().map_or_else(unknown, shortened);
        match (&holder.pid, &holder.gid) {
            (Some(pid), _) => write!(f, "process {pid}")?,
            (None, Some(gid)) => write!(f, "the prepared transaction {}", shortened(gid))?,
            (None, None) => f.write_str("an unknown session")?,
        }
        let age = holder.age.map_or_else(unknown, |seconds| format!("{seconds:.0} s"));
        write!(
            f,
            " of database {}, user {}, application {}, state {}, began {age} ago, last statement {}; transaction {transaction}, the oldest for {} s",
            text(&holder.database),
            text(&holder.user),
            text(&holder.application),
            text(&holder.state),
            text(&holder.query),
            seen_for.num_seconds(),
        )
    }
}

/// The beginning of a text on one line, in quotes.
fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let beginning: String = characters.by_ref().take(MAX_QUERY).collect();
    let more = if characters.next().is_some() { "…" } else { "" };
    format!("{beginning:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(oldest_running: Option<u64>) -> Observed {
        Observed {
            oldest_running,
            next_timer: None,
            pending: 0,
            oldest_pending: None,
            first_uncovered: None,
            is_standby: false,
            replayed_until: None,
        }
    }

    fn second(second: i64) -> Time {
        Time::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_transaction_that_stays_the_oldest_is_reported_once_a_minute() {
        // The second of each look, the oldest transaction, and the expected report.
        let looks = [
            (0, Some(7), None),
            (59, Some(7), None),
            (60, Some(7), Some((7, 60))),
            (65, Some(7), None),
            (119, Some(7), None),
            (120, Some(7), Some((7, 120))),
            // Changing transactions are not reported, even if there is always one.
            (200, Some(8), None),
            (259, Some(9), None),
            // A transaction that was not seen in between is not reported either.
            (300, None, None),
            (330, Some(9), None),
            (390, Some(9), Some((9, 60))),
        ];
        let mut seen = Seen::default();
        for (at, oldest, reported) in looks {
            let found = seen.note(observed(oldest), second(at)).map(|(id, time)| (id, time.num_seconds()));
            assert_eq!(found, reported, "at {at} s");
        }
    }

    #[test]
    fn a_report_is_one_line_however_the_statement_was_written() {
        let query = Some(format!("select '\u{1b}[2J',\n\t{}", "x".repeat(1_000)));
        let holder = Holder { gid: Some("two\nlines".to_owned()), query, ..Holder::default() };
        let held = Held { transaction: 7, seen_for: HELD_TOO_LONG, holder };
        let text = held.to_string();
        assert!(text.starts_with("the prepared transaction \"two\\nlines\" of database (unknown), "), "{text}");
        assert!(text.ends_with("x\"…; transaction 7, the oldest for 60 s"), "{text}");
        assert!(!text.chars().any(char::is_control) && text.len() < 500, "{text}");
    }
}
