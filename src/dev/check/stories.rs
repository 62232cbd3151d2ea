//! The ten stories.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::stream::{self, StreamExt as _};

use super::Verdict;
use super::endpoint::{Answer, Endpoint, Signed};
use super::tale::{Delivery, Tale};

/// How many deliveries the burst has, and how many of them are sent at once.
const BURST: (usize, usize) = (100, 20);
/// After this time a sender hangs up, in one story.
const IMPATIENCE: Duration = Duration::from_millis(100);
/// How old a delivery is that must be refused. Standard Webhooks accepts five minutes.
const OLD: TimeDelta = TimeDelta::minutes(10);

/// A story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    Duplicate,
    Gap,
    LateOrder,
    Rotation,
    WrongSignature,
    OldTimestamp,
    Cancellation,
    Retry,
    Burst,
    UnknownType,
}

/// What a story is about.
struct Description {
    name: &'static str,
    played: &'static str,
    expected: &'static str,
    not_checked: Option<&'static str>,
}

/// What an endpoint did wrong.
type Wrong = Option<String>;

impl Story {
    pub(super) const ALL: [Self; 10] = [
        Self::Duplicate,
        Self::Gap,
        Self::LateOrder,
        Self::Rotation,
        Self::WrongSignature,
        Self::OldTimestamp,
        Self::Cancellation,
        Self::Retry,
        Self::Burst,
        Self::UnknownType,
    ];

    pub(super) async fn play(self, endpoint: &Endpoint) -> Verdict {
        let seen = match self {
            Self::Duplicate => duplicate(endpoint).await,
            Self::Gap => gap(endpoint).await,
            Self::LateOrder => late_order(endpoint).await,
            Self::Rotation => rotation(endpoint).await,
            Self::WrongSignature => wrong_signature(endpoint).await,
            Self::OldTimestamp => old_timestamp(endpoint).await,
            Self::Cancellation => cancellation(endpoint).await,
            Self::Retry => retry(endpoint).await,
            Self::Burst => burst(endpoint).await,
            Self::UnknownType => unknown_type(endpoint).await,
        };
        let Description { name, played, expected, not_checked } = self.description();
        Verdict { story: name, survived: seen.is_none(), played, expected, seen, not_checked }
    }

    fn description(self) -> Description {
        let of = |name, played, expected, not_checked| Description { name, played, expected, not_checked };
        match self {
            Self::Duplicate => of(
                "duplicate",
                "the same delivery twice, and again after the next event",
                "2xx each time",
                Some("that it took effect once"),
            ),
            Self::Gap => of(
                "gap",
                "the events 1 and 2 of a task, then 5",
                "2xx each time",
                Some("that your state is that of event 5"),
            ),
            Self::LateOrder => of(
                "late_order",
                "the events 1, 4, 2 and 3 of a task",
                "2xx each time",
                Some("that your state is that of event 4, not of 3"),
            ),
            Self::Rotation => of(
                "rotation",
                "signatures by two secrets in `webhook-signature`, yours first and yours second",
                "2xx each time: one signature that verifies is enough",
                None,
            ),
            Self::WrongSignature => of(
                "wrong_signature",
                "a signature by another secret, and a body that was changed after it was signed",
                "4xx both times, and 2xx for the genuine delivery",
                Some("that nothing of them took effect"),
            ),
            Self::OldTimestamp => of(
                "old_timestamp",
                "a delivery with a good signature that is ten minutes old",
                "4xx, and 2xx for the same delivery signed now",
                None,
            ),
            Self::Cancellation => of(
                "cancellation",
                "a task that is cancelled in the middle of a review",
                "2xx for every event",
                Some("that work on the task stops"),
            ),
            Self::Retry => of(
                "retry",
                "a delivery whose sender hangs up after 100 ms, and then two retries",
                "2xx for the retries, each in time",
                Some("that it took effect once"),
            ),
            Self::Burst => {
                of("burst", "100 tasks at once, 20 deliveries at a time", "2xx for every delivery, each in time", None)
            }
            Self::UnknownType => of(
                "unknown_type",
                "an event of a type that does not exist yet, with a member that does not exist yet",
                "2xx: later versions add types and members",
                Some("that it had no effect"),
            ),
        }
    }
}

async fn duplicate(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin().submit();
    let [first, second, ..] = tale.deliveries() else { return None };
    accepted(
        endpoint,
        &[("the first time", first), ("the second time", first), ("the next event", second), ("once more", first)],
    )
    .await
}

async fn gap(endpoint: &Endpoint) -> Wrong {
    in_order(endpoint, &Tale::begin().submit().approve(), &[1, 2, 5]).await
}

async fn late_order(endpoint: &Endpoint) -> Wrong {
    in_order(endpoint, &Tale::begin().submit().approve(), &[1, 4, 2, 3]).await
}

async fn rotation(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin().submit();
    let [first, second, ..] = tale.deliveries() else { return None };
    let mine_first = endpoint.send_signed(first, Signed::BeforeAnother).await;
    let mine_second = endpoint.send_signed(second, Signed::AfterAnother).await;
    unless(mine_first.is_accepting(), "yours first", &mine_first)
        .or_else(|| unless(mine_second.is_accepting(), "yours second", &mine_second))
}

async fn wrong_signature(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin().submit();
    let [first, second, ..] = tale.deliveries() else { return None };
    let by_another = endpoint.send_signed(first, Signed::ByAnother).await;
    let changed = endpoint.send_signed(second, Signed::BeforeAChange).await;
    let genuine = endpoint.send(first).await;
    unless(by_another.is_refusing(), "another secret", &by_another)
        .or_else(|| unless(changed.is_refusing(), "a changed body", &changed))
        .or_else(|| unless(genuine.is_accepting(), "the genuine delivery", &genuine))
}

async fn old_timestamp(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin();
    let [first, ..] = tale.deliveries() else { return None };
    let old = endpoint.send_signed(first, Signed::Ago(OLD)).await;
    let now = endpoint.send(first).await;
    unless(old.is_refusing(), "ten minutes old", &old).or_else(|| unless(now.is_accepting(), "signed now", &now))
}

async fn cancellation(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin().submit().approve().cancel();
    let places: Vec<usize> = (1..=tale.deliveries().len()).collect();
    in_order(endpoint, &tale, &places).await
}

async fn retry(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin();
    let [first, ..] = tale.deliveries() else { return None };
    endpoint.hang_up(first, IMPATIENCE).await;
    accepted(endpoint, &[("the first retry", first), ("the second retry", first)]).await
}

async fn burst(endpoint: &Endpoint) -> Wrong {
    let (number, width) = BURST;
    let answers = stream::iter(0..number)
        .map(|_| async {
            let tale = Tale::begin();
            match tale.deliveries() {
                [first, ..] => Some(endpoint.send(first).await),
                [] => None,
            }
        })
        .buffer_unordered(width);
    let refused: Vec<Answer> =
        answers.filter_map(|answer| async move { answer.filter(|answer| !answer.is_accepting()) }).collect().await;
    let first = refused.first()?;
    Some(format!("{} of {number} were not accepted; one of them: {first}", refused.len()))
}

async fn unknown_type(endpoint: &Endpoint) -> Wrong {
    let tale = Tale::begin().submit();
    let [first, second, ..] = tale.deliveries() else { return None };
    let later = second.of_a_later_version();
    accepted(endpoint, &[("the first event", first), ("the unknown type", &later)]).await
}

/// Sends these events of a task, by their place from 1.
async fn in_order(endpoint: &Endpoint, tale: &Tale, places: &[usize]) -> Wrong {
    for place in places {
        let Some(delivery) = tale.deliveries().get(place - 1) else { continue };
        let answer = endpoint.send(delivery).await;
        if !answer.is_accepting() {
            return Some(format!("event {place}: {answer}"));
        }
    }
    None
}

/// Sends these deliveries, each of which must be accepted.
async fn accepted(endpoint: &Endpoint, deliveries: &[(&str, &Delivery)]) -> Wrong {
    for (which, delivery) in deliveries {
        let answer = endpoint.send(delivery).await;
        if !answer.is_accepting() {
            return Some(format!("{which}: {answer}"));
        }
    }
    None
}

fn unless(is_right: bool, which: &str, answer: &Answer) -> Wrong {
    (!is_right).then(|| format!("{which}: {answer}"))
}
