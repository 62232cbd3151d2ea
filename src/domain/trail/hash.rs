//! The hashes of trails: the input to SHA-256, byte by byte. `audit.rs` specifies it.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// A SHA-256 hash; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// Not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a SHA-256 hash: 64 lower-case hexadecimal digits")]
pub struct InvalidHash;

impl Hash {
    /// From the stored bytes of a hash.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses the text form; accepts exactly one text per hash.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        decode(text).map(Self).ok_or(InvalidHash)
    }

    /// The hash of a text of the chain, prefixed with the separator of its kind.
    pub(in crate::domain) fn of_text(separator: &[u8], text: &str) -> Self {
        Self(Sha256::new().chain_update(separator).chain_update(text).finalize().into())
    }

    /// The commitment to one field. No JSON text is empty, so an absent field differs from every
    /// value.
    pub(in crate::domain) fn of_field(salt: &Salt, path: &str, value: Option<&str>) -> Self {
        let length = u8::try_from(path.len()).expect("the table's paths are short");
        let hash = Sha256::new().chain_update([0]).chain_update(salt.0).chain_update([length]);
        Self(hash.chain_update(path).chain_update(value.unwrap_or_default()).finalize().into())
    }

    /// The leaf hash of RFC 6962, section 2.1, for the log of heads.
    pub(in crate::domain) fn of_leaf(data: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    }

    /// The root of a Merkle tree as in RFC 6962 over already hashed leaves.
    pub(in crate::domain) fn of_tree(mut level: Vec<Self>) -> Self {
        while level.len() > 1 {
            let half = level.len().div_ceil(2);
            for at in 0..half {
                let left = level[2 * at];
                level[at] = level.get(2 * at + 1).map_or(left, |right| left.beside(right));
            }
            level.truncate(half);
        }
        level.pop().unwrap_or_else(|| Self(Sha256::digest([]).into()))
    }

    /// The hash of the node over these two.
    pub(in crate::domain) fn beside(&self, right: &Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(self.0).chain_update(right.0).finalize().into())
    }
}

/// The salt that makes a commitment unguessable: 16 bytes; as text 32 lower-case hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Parses the text form; accepts exactly one text per salt.
    pub(in crate::domain) fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }

    /// Uses it as a key from which further salts are derived.
    pub(in crate::domain) fn derive(&self) -> Salts {
        Salts::new(&self.0)
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// Salts derived from one secret: the first 16 bytes of HMAC-SHA256(secret, path).
pub(in crate::domain) struct Salts(Hmac<Sha256>);

impl Salts {
    pub(in crate::domain) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    pub(in crate::domain) fn of(&self, path: &str) -> Salt {
        let code = self.0.clone().chain_update(path).finalize().into_bytes();
        let mut salt = [0; 16];
        salt.copy_from_slice(&code[..16]);
        Salt(salt)
    }
}

/// Decodes exactly `N` bytes; `None` unless the text has their one canonical form.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; 64];
    let text = &mut text[..2 * bytes.len()];
    hex::encode_to_slice(bytes, text).map_err(|_| fmt::Error)?;
    f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Hash {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9a-f]{64}$"))
            .description(Some("A SHA-256 hash: 64 lower-case hexadecimal digits."))
            .into()
    }
}

impl utoipa::ToSchema for Hash {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Hash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition of RFC 6962, section 2.1.
    fn tree_hash(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash(Sha256::digest([]).into()),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                tree_hash(&leaves[..split]).beside(&tree_hash(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_tree_is_that_of_rfc_6962() {
        let leaves: Vec<Hash> = (0..40).map(|n| Hash([n; 32])).collect();
        for n in 0..leaves.len() {
            assert_eq!(Hash::of_tree(leaves[..n].to_vec()), tree_hash(&leaves[..n]), "{n} leaves");
        }
    }

    #[test]
    fn a_hash_has_exactly_one_text() {
        let hash = Hash::of_text(b"x\0", "x");
        let text = hash.to_string();
        assert_eq!(Hash::parse(&text), Ok(hash));
        for other in [text.to_uppercase(), text[..63].to_owned(), format!("{text}0"), format!("{}g", &text[..63])] {
            assert_eq!(Hash::parse(&other), Err(InvalidHash), "{other}");
        }
    }
}
