//! Turns serde's messages into a stable code and a message for callers. Messages never repeat input
//! values.

use serde_path_to_error::{Path, Segment};

use crate::http::problem::FieldError;
use crate::json::pointer;

/// Longest message of a type's own parser that is passed on, in characters.
const MAX_MESSAGE: usize = 300;

/// Explains serde's error at its path below `base`.
pub fn explain<E: std::fmt::Display>(base: &str, error: &serde_path_to_error::Error<E>) -> FieldError {
    explain_at(&locate(base, error.path()), &error.inner().to_string())
}

/// Explains serde's `message` for the value at `place`.
pub fn explain_at(place: &str, message: &str) -> FieldError {
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return FieldError::required(pointer::join(place, field));
    }
    if message.starts_with("unknown field `") {
        return FieldError::new(place, "unknown_field", unknown_field(message));
    }
    if message.starts_with("duplicate field `") {
        return FieldError::new(place, "duplicate_key", "must appear only once");
    }
    let expected = message.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    if message.starts_with("invalid type: ") {
        return FieldError::new(place, "wrong_type", format!("must be {}", readable(expected)));
    }
    let message = if message.starts_with("unknown variant `") {
        if expected.is_empty() { "must be another value".to_owned() } else { format!("must be {expected}") }
    } else if message.starts_with("invalid value: ") || message.starts_with("invalid length ") {
        format!("must be {}", readable(expected))
    } else {
        own_words(message)
    };
    FieldError::new(place, "invalid_value", message)
}

fn locate(base: &str, path: &Path) -> String {
    let mut place = base.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer::push(&mut place, &index.to_string()),
            Segment::Map { key } | Segment::Enum { variant: key } => pointer::push(&mut place, key),
            Segment::Unknown => {}
        }
    }
    place
}

fn unknown_field(message: &str) -> String {
    match message.rsplit_once("`, expected ") {
        Some((_, known)) => {
            format!("is unknown; known fields: {}", known.trim_start_matches("one of ").replace("` or `", "`, `"))
        }
        None => "is unknown".to_owned(),
    }
}

/// Translates Rust's type names for callers.
fn readable(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "an integer that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "an integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "unit" => "null".to_owned(),
        "a borrowed string" | "string" => "a string".to_owned(),
        "" => "of another type".to_owned(),
        other if other.starts_with("struct ") || other.contains(" enum ") => "an object".to_owned(),
        other if other.starts_with("enum ") || other == "string or map" => "one of the known values".to_owned(),
        other => other.to_owned(),
    }
}

/// Passes on the message of a type's own parser, and rewords those of libraries.
fn own_words(message: &str) -> String {
    if message.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    if message.starts_with("invalid digit found") || message.starts_with("cannot parse integer") {
        return "must be an integer that is not negative".to_owned();
    }
    if message.starts_with("number too large") || message.starts_with("number too small") {
        return "is out of range".to_owned();
    }
    if message.starts_with("provided string was not `true` or `false`") {
        return "must be true or false".to_owned();
    }
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    if message.starts_with("must ") || message.starts_with("is ") {
        message
    } else {
        format!("is not valid: {message}")
    }
}
