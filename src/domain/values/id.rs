//! One type per kind of id, so that no bare `Uuid` or `String` crosses a function boundary.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use uuid::Uuid;

pub use super::identity::ActorId;
use super::text::Text;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_id! {
    /// A task's id, assigned by the platform.
    TaskId;
    /// A partner.
    PartnerId;
    /// A buyer: the `sub` of the buyer's token.
    BuyerId;
    /// A command's id: the idempotency key, unique per task and party.
    CommandId;
    /// The id of a partner's API key (of its record, not the secret).
    KeyId;
    /// The id of a link for a person (of its record, not the secret in its address).
    LinkId;
    /// The id of an erasure of a person's data.
    ErasureId;
    /// The id of an event, the same for every reader. It is derived from the hash of its entry.
    EventId;
    /// The id by which a receiver of webhooks recognizes a message: an event's id, or a sample's.
    MessageId;
    /// The id of a notice to the owner of a webhook endpoint.
    NoticeId;
}

impl From<EventId> for MessageId {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

macro_rules! key {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `key`.
            pub fn parse(key: impl Into<String>) -> Result<Self, InvalidKey> {
                let key = key.into();
                if is_key(&key) { Ok(Self(key)) } else { Err(InvalidKey) }
            }

            /// The key.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKey;
            fn try_from(key: String) -> Result<Self, InvalidKey> {
                Self::parse(key)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^[a-z0-9-]{1,64}$"))
                    .description(Some("1 to 64 of the characters a-z, 0-9 and -."))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

key! {
    /// A workflow's key, unique per partner.
    WorkflowKey;
    /// A stage's key, unique per workflow.
    StageKey;
    /// A panel's key, unique per stage.
    PanelKey;
    /// The key of a reason for rejections, unique per stage.
    ReasonKey;
    /// The name that an owner gives one of its webhook endpoints.
    EndpointId;
}

/// A key that does not match `[a-z0-9-]{1,64}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 of the characters a-z, 0-9 and -")]
pub struct InvalidKey;

fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Names the credential used: a key's id, or a digest of a token. Never the secret.
pub type CredentialId = Text<100>;
