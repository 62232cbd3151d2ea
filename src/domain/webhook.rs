//! Webhooks: owners, states, and the rules of sending: when to retry a delivery, when to give it
//! up, and when to disable its endpoint. Randomness and the time are passed in.

use std::borrow::Cow;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::audit::EventType;
use super::task::event::Fact;
use super::values::id::{EndpointId, PartnerId};
use super::values::party::Party;
use super::values::time::Time;

mod rules;

pub use rules::{AttemptOutcome, DAYS_OF_FAILURES, NextStep, pause, retry_decision};

/// The owner of an endpoint, which determines the view of events that it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A partner.
    Partner(PartnerId),
    /// The platform.
    Platform,
}

impl Owner {
    /// The party whose view it receives.
    pub fn party(self) -> Party {
        match self {
            Self::Partner(_) => Party::Partner,
            Self::Platform => Party::Platform,
        }
    }

    /// The owner's id where partners and the platform share a column: the platform's is all zeros.
    pub fn id(self) -> Uuid {
        match self {
            Self::Partner(id) => id.0,
            Self::Platform => Uuid::nil(),
        }
    }

    /// The owner with this [`Owner::id`].
    pub fn of(id: Uuid) -> Self {
        if id.is_nil() { Self::Platform } else { Self::Partner(PartnerId(id)) }
    }
}

/// Identifies an endpoint among those of all owners.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// The owner.
    pub owner: Owner,
    /// The name that the owner gave it.
    pub id: EndpointId,
}

/// Whether an endpoint receives deliveries. (A removed endpoint has no state: its row is gone.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Deliveries are sent.
    Enabled,
    /// The service disabled it: deliveries are recorded and wait until the owner enables it.
    Disabled,
}

impl EndpointState {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Enabled, Self::Disabled];

    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// Why the service disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// It answered 410: the receiver no longer wants deliveries.
    Gone,
    /// Every attempt in five days failed.
    Failing,
}

impl DisabledReason {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gone, Self::Failing];

    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be sent, or sent again.
    Pending,
    /// The endpoint answered 2xx.
    Delivered,
    /// Given up: the last attempt failed, or the endpoint was removed. It is sent again only if the
    /// owner requests it.
    Failed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One attempt at a delivery. Stored with the delivery: the shape is a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct Attempt {
    /// When it began.
    pub at: Time,
    /// The response status; absent if there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 100, maximum = 999)]
    pub status: Option<u16>,
    /// Why there was no response, as a stable code; absent if there was one. Later versions may add
    /// codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "timed_out")]
    pub error: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "no answer came within 15 seconds")]
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How many attempts are kept with a delivery: the latest ones.
pub const MAX_ATTEMPTS: usize = 20;

/// The event types that an endpoint receives: at least one, each once, in the order of
/// [`Fact::TYPES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Types(Vec<&'static str>);

/// Why types were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTypes {
    /// The list is empty.
    #[error("must name at least one type; leave out the field to receive all types")]
    None,
    /// A type that does not exist.
    #[error("must be event types, but `{0}` is not one")]
    Unknown(String),
    /// A type that is listed twice.
    #[error("must name each type once, but `{0}` is listed twice")]
    Twice(&'static str),
}

impl Types {
    /// The type names.
    pub fn as_slice(&self) -> &[&'static str] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Types {
    type Error = InvalidTypes;

    fn try_from(words: Vec<String>) -> Result<Self, InvalidTypes> {
        let mut places = Vec::with_capacity(words.len().min(Fact::TYPES.len()));
        for word in words {
            let place = Fact::TYPES.iter().position(|known| *known == word).ok_or(InvalidTypes::Unknown(word))?;
            if places.contains(&place) {
                return Err(InvalidTypes::Twice(Fact::TYPES[place]));
            }
            places.push(place);
        }
        if places.is_empty() {
            return Err(InvalidTypes::None);
        }
        places.sort_unstable();
        Ok(Self(places.into_iter().map(|place| Fact::TYPES[place]).collect()))
    }
}

impl PartialSchema for Types {
    fn schema() -> RefOr<Schema> {
        let words = utoipa::openapi::Ref::from_schema_name(EventType::name());
        ArrayBuilder::new()
            .items(words)
            .min_items(Some(1))
            .max_items(Some(Fact::TYPES.len()))
            .unique_items(true)
            .description(Some("Types of events, each once."))
            .into()
    }
}

impl ToSchema for Types {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EventTypes")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EventType::name().into_owned(), EventType::schema()));
    }
}

/// How long two secrets are valid side by side at most: then the new one takes over.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_known_and_there_once() {
        let parse = |words: &[&str]| Types::try_from(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        let sorted = parse(&["task.held", "task.opened"]).unwrap();
        assert_eq!(sorted.as_slice(), ["task.opened", "task.held"]);
        assert_eq!(parse(&[]), Err(InvalidTypes::None));
        assert_eq!(parse(&["task.held", "task.held"]), Err(InvalidTypes::Twice("task.held")));
        assert_eq!(parse(&["task.approved"]), Err(InvalidTypes::Unknown("task.approved".to_owned())));
    }

    #[test]
    fn what_is_stored_of_an_attempt_keeps_its_shape() {
        let at = Time::from_micros(1_800_000_000_000_000);
        let answered = Attempt { at, status: Some(500), error: None, detail: None, took_ms: 12 };
        let (error, detail) = (Some("timed_out".to_owned()), Some("no answer came".to_owned()));
        let failed = Attempt { at, status: None, error, detail, took_ms: 15_000 };
        let stored = json!([
            { "at": "2027-01-15T08:00:00Z", "status": 500, "took_ms": 12 },
            { "at": "2027-01-15T08:00:00Z", "error": "timed_out", "detail": "no answer came", "took_ms": 15000 },
        ]);
        assert_eq!(serde_json::to_value([&answered, &failed]).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Vec<Attempt>>(stored).unwrap(), [answered, failed]);
    }

    #[test]
    fn the_platform_is_the_owner_of_all_zeros() {
        let partner = Owner::Partner(PartnerId(Uuid::from_u128(7)));
        for owner in [partner, Owner::Platform] {
            assert_eq!(Owner::of(owner.id()), owner);
        }
        assert_eq!((Owner::Platform.id(), Owner::Platform.party()), (Uuid::nil(), Party::Platform));
    }
}
