//! Digests that distinguish a repeated request from another one with the same id.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The digest of a request body.
#[derive(Clone, Debug)]
pub struct Digest {
    /// The hash of the body's meaning, regardless of how ids and times are spelled and whether
    /// defaults are given. This one is stored.
    pub meaning: [u8; 32],
    /// The body as it was sent.
    text: Vec<u8>,
}

impl Digest {
    /// The digest of a body with this meaning and text; see [`of_meaning`].
    pub fn new(meaning: [u8; 32], text: Vec<u8>) -> Self {
        Self { meaning, text }
    }

    /// Whether `stored` is a digest of this body.
    pub fn is(&self, stored: &[u8; 32]) -> bool {
        self.any(|digest| digest == stored)
    }

    /// Whether one of the body's digests is stored. Older versions of the service stored the hash
    /// of the text, which is computed only if the hash of the meaning is not found.
    pub fn any(&self, is_stored: impl Fn(&[u8; 32]) -> bool) -> bool {
        is_stored(&self.meaning) || self.as_sent().is_some_and(|digest| is_stored(&digest))
    }

    fn as_sent(&self) -> Option<[u8; 32]> {
        let mut members: Map<String, Value> = serde_json::from_slice(&self.text).ok()?;
        members.remove("id");
        Some(canonical(&members))
    }
}

/// Hashes the parsed members except the id. Values that equal a default are left out: null,
/// `false`, an empty list or object. `opaque` names the member with the sender's own data, which is
/// hashed completely.
pub fn of_meaning(mut members: Map<String, Value>, opaque: &str) -> [u8; 32] {
    members.remove("id");
    let kept = members.remove_entry(opaque).filter(|(_, value)| !value.is_null());
    prune(&mut members);
    members.extend(kept);
    canonical(&members)
}

/// SHA-256 of the canonical form (RFC 8785).
fn canonical(members: &Map<String, Value>) -> [u8; 32] {
    let text = serde_json_canonicalizer::to_vec(members).expect("a checked body is JSON with finite numbers");
    Sha256::digest(text).into()
}

fn prune(members: &mut Map<String, Value>) {
    members.retain(|_, value| {
        prune_within(value);
        !is_default(value)
    });
}

fn prune_within(value: &mut Value) {
    match value {
        Value::Object(members) => prune(members),
        Value::Array(items) => items.iter_mut().for_each(prune_within),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_to_its_default_or_spelt_out_means_the_same() {
        let digest = |body: Value| of_meaning(serde_json::from_value(body).unwrap(), "metadata");
        let table = [
            (json!({ "a": 1 }), json!({ "a": 1, "b": null, "c": false, "d": [], "e": {}, "id": 7 }), true),
            (json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": null, "d": { "e": [] } } }), true),
            (json!({ "a": [{ "b": 1, "c": false }] }), json!({ "a": [{ "b": 1 }] }), true),
            (json!({ "a": 1, "metadata": null }), json!({ "a": 1 }), true),
            (json!({ "metadata": {} }), json!({}), false),
            (json!({ "metadata": { "a": null } }), json!({ "metadata": {} }), false),
            (json!({ "a": true }), json!({}), false),
            (json!({ "a": 0 }), json!({}), false),
            (json!({ "a": [1, null] }), json!({ "a": [1] }), false),
        ];
        for (one, other, same) in table {
            assert_eq!(digest(one.clone()) == digest(other.clone()), same, "{one} {other}");
        }
    }
}
