//! Digests that distinguish a repeated request from another one with the same id.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a body's meaning: its parsed members except the id, regardless of how ids and
/// times are spelled and whether defaults are given. Values that equal a default are left out: null,
/// `false`, an empty list or object. `opaque` names the member with the sender's own data, which is
/// hashed completely.
pub fn of_meaning(mut members: Map<String, Value>, opaque: &str) -> [u8; 32] {
    members.remove("id");
    let kept = members.remove_entry(opaque).filter(|(_, value)| !value.is_null());
    prune(&mut members);
    if kept.is_none() {
        return of_plain(&members);
    }
    members.extend(kept);
    canonical(&members)
}

/// The same as [`canonical`] at a fraction of its cost, for members of which all names are ASCII
/// and all numbers are integers below 2^53. `serde_json` sorts and writes those as RFC 8785 does.
fn of_plain(members: &Map<String, Value>) -> [u8; 32] {
    let text = serde_json::to_vec(members).expect("members with text as names");
    Sha256::digest(text).into()
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

    #[test]
    fn the_plain_form_of_a_command_is_the_canonical_one() {
        let texts = "\u{0}\u{8}\u{1f}\u{7f}\"\\/\u{2028}\u{e000}\u{10000} ä\n";
        let body = json!({
            "type": "stage_rejected", "round": 3, "revision": u32::MAX, "actor": { "id": texts, "name": texts },
            "feedback": [{ "note": texts, "deep": { "b": 1, "a": true } }, 0], "occurred_at": "2026-01-01T00:00:00Z",
        });
        let Value::Object(members) = body else { unreachable!() };
        assert_eq!(of_plain(&members), canonical(&members));
    }
}
