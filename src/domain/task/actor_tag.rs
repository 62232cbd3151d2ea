//! Tags of actors. They show that two entries of a task are from the same person or program, or
//! from different ones, without a name.
//!
//! A tag is an HMAC of the party and the actor's id under a random secret of the task. Within a task
//! equal tags are equal actors. Tags of two tasks cannot be linked, and nobody can test a guess at
//! an id. The secret is part of the state and is removed when the task closes. So a tag outlives an
//! erasure without naming anybody, and a late decision after the end has none.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::values::party::ActorRef;

/// The secret of a task's tags: 16 random bytes. The one part of a task's state that its events do
/// not contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TagSecret([u8; 16]);

/// The tag of an actor within one task: the first 16 bytes of HMAC-SHA256(secret, party ":" id), in
/// lower-case hexadecimal digits. Ids that count as one person have one tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorTag([u8; 16]);

impl TagSecret {
    /// The secret of simulated tasks, which nobody else sees.
    pub const SIMULATED: Self = Self([0; 16]);

    /// A secret from random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The tag of this actor.
    pub fn tag(&self, actor: &ActorRef) -> ActorTag {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        let mac = mac.chain_update(actor.party.as_str()).chain_update(":").chain_update(actor.id.key());
        let code = mac.finalize().into_bytes();
        let mut tag = [0; 16];
        tag.copy_from_slice(&code[..16]);
        ActorTag(tag)
    }
}

/// Does not show the secret.
impl fmt::Debug for TagSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagSecret")
    }
}

impl fmt::Display for ActorTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(digits(&self.0, &mut [0; 32]))
    }
}

impl fmt::Debug for ActorTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorTag({self})")
    }
}

impl Serialize for TagSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(digits(&self.0, &mut [0; 32]))
    }
}

impl<'de> Deserialize<'de> for TagSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        sixteen(deserializer).map(Self)
    }
}

impl Serialize for ActorTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(digits(&self.0, &mut [0; 32]))
    }
}

impl<'de> Deserialize<'de> for ActorTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        sixteen(deserializer).map(Self)
    }
}

/// Sixteen bytes as 32 lower-case hexadecimal digits.
fn digits<'a>(bytes: &[u8; 16], text: &'a mut [u8; 32]) -> &'a str {
    hex::encode_to_slice(bytes, text).expect("a byte has two digits");
    str::from_utf8(text).expect("digits are ASCII")
}

fn sixteen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(&*text, &mut bytes).map_err(D::Error::custom)?;
    Ok(bytes)
}

impl PartialSchema for ActorTag {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{32}$"))
            .description(Some(
                "Stands for the actor within this task: equal tags are the same person or program. Tags of two tasks cannot be linked. An erasure keeps it, since it names nobody.",
            ))
            .into()
    }
}

impl ToSchema for ActorTag {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::id::ActorId;
    use crate::domain::values::party::Party;

    fn tag(secret: u8, party: Party, id: &str) -> ActorTag {
        TagSecret::from_random([secret; 16]).tag(&ActorRef { party, id: ActorId::stored(id).unwrap() })
    }

    #[test]
    fn a_tag_stands_for_one_actor_of_one_task() {
        let anna = tag(1, Party::Partner, "u-anna");
        assert_eq!(tag(1, Party::Partner, "u-anna"), anna);
        for other in [
            tag(1, Party::Partner, "u-bo"),
            tag(1, Party::Partner, "U-anna"),
            tag(1, Party::Platform, "u-anna"),
            tag(2, Party::Partner, "u-anna"),
        ] {
            assert_ne!(other, anna);
        }
        let (upper, lower) = ("0193F4E2-7C1B-7D3A-8F00-5A1B2C3D4E5F", "0193f4e2-7c1b-7d3a-8f00-5a1b2c3d4e5f");
        assert_eq!(tag(1, Party::Buyer, upper), tag(1, Party::Buyer, lower), "ids are compared by their key");
    }

    /// Computed with `printf 'partner:u-anna' | openssl dgst -sha256 -mac HMAC -macopt hexkey:01…01`.
    #[test]
    fn the_tag_is_what_others_compute() {
        assert_eq!(tag(1, Party::Partner, "u-anna").to_string(), "f240b105cd1ee9cc40bc0e31e732c014");
        let text = serde_json::to_string(&tag(1, Party::Partner, "u-anna")).unwrap();
        assert_eq!(serde_json::from_str::<ActorTag>(&text).unwrap(), tag(1, Party::Partner, "u-anna"));
        assert_eq!(format!("{:?}", TagSecret::from_random([1; 16])), "TagSecret");
    }
}
