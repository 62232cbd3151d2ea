//! The endpoint under test, and one delivery to it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::domain::values::id::MessageId;
use crate::ids;
use crate::webhook::address::{Reach, Refused, Target};
use crate::webhook::client::{Client, Outcome};
use crate::webhook::sign::{InvalidSecret, Secret, Secrets, headers};

use super::tale::Delivery;

/// An endpoint and the secret that it shares.
#[derive(Debug)]
pub(super) struct Endpoint {
    client: Client,
    target: Target,
    secret: Secret,
    /// A secret that the endpoint does not know.
    other: Secret,
    within: Duration,
    answered: AtomicBool,
}

/// Why there is no endpoint to check.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The URL cannot be called.
    #[error("--webhook")]
    Url(#[source] Refused),
    /// The secret has another form.
    #[error("--secret {0}")]
    Secret(InvalidSecret),
}

/// How a delivery is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// As usual.
    Properly,
    /// With another secret that is to replace this one.
    BeforeAnother,
    /// With another secret that this one is to replace.
    AfterAnother,
    /// With another secret.
    ByAnother,
    /// Before the body was changed.
    BeforeAChange,
    /// So long ago.
    Ago(TimeDelta),
}

/// How a delivery was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With a status.
    Status(u16),
    /// Not in time.
    Late(Duration),
    /// Not at all.
    Failed(String),
}

impl Answer {
    /// Whether it accepts the delivery.
    pub(super) fn is_accepting(&self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// Whether it refuses the delivery for good.
    pub(super) fn is_refusing(&self) -> bool {
        matches!(self, Self::Status(400..=499))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Late(within) => write!(f, "no answer within {} s", within.as_secs()),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Endpoint {
    pub(super) fn new(url: &str, secret: &str, within: Duration) -> Result<Self, Unusable> {
        let target = Target::parse(url, Reach::Anywhere).map_err(Unusable::Url)?;
        let secret = Secret::parse(secret.trim()).map_err(Unusable::Secret)?;
        let (client, other) = (Client::new(Reach::Anywhere), Secret::from_random(&ids::random()));
        Ok(Self { client, target, secret, other, within, answered: AtomicBool::new(false) })
    }

    /// Whether it has answered anything.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends a delivery that is signed as usual.
    pub(super) async fn send(&self, delivery: &Delivery) -> Answer {
        self.send_signed(delivery, Signed::Properly).await
    }

    /// Sends a delivery.
    pub(super) async fn send_signed(&self, delivery: &Delivery, signed: Signed) -> Answer {
        self.post(delivery, (signed, self.within)).await
    }

    /// Sends a delivery and hangs up after this time.
    pub(super) async fn hang_up(&self, delivery: &Delivery, after: Duration) {
        self.post(delivery, (Signed::Properly, after)).await;
    }

    async fn post(&self, delivery: &Delivery, (signed, within): (Signed, Duration)) -> Answer {
        let pair = |current, pending| Secrets { current, pending };
        let secrets = match signed {
            Signed::Properly | Signed::BeforeAChange | Signed::Ago(_) => pair(&self.secret, None),
            Signed::BeforeAnother => pair(&self.secret, Some(&self.other)),
            Signed::AfterAnother => pair(&self.other, Some(&self.secret)),
            Signed::ByAnother => pair(&self.other, None),
        };
        let ago = if let Signed::Ago(ago) = signed { ago } else { TimeDelta::zero() };
        let headers = headers(MessageId(delivery.id), Clock::system().now() - ago, &delivery.body, secrets);
        let mut body = delivery.body.clone();
        if signed == Signed::BeforeAChange {
            // Still JSON, with one byte more.
            body.insert(body.len() - 1, b' ');
        }
        let sending = self.client.post(&self.target, (&headers, None), Bytes::from(body));
        let Ok(attempt) = timeout(within, sending).await else { return Answer::Late(within) };
        match attempt.outcome {
            Outcome::Answered { status, .. } => {
                self.answered.store(true, Ordering::Relaxed);
                Answer::Status(status)
            }
            Outcome::Failed(failure) => Answer::Failed(failure.to_string()),
        }
    }
}
