//! Strict JSON: refuses input that two readers could interpret differently, or that the database
//! cannot store.
//!
//! Built on `serde_json`'s parser. The visitor here tracks the path, so that every error names its
//! place.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::pointer;

/// Maximum nesting of arrays and objects.
pub const MAX_DEPTH: usize = 32;

/// The largest integer that every JSON reader represents exactly: 2^53 − 1 (RFC 8259, section 6).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The text is not JSON.
    Malformed {
        /// The parser's message, with line and column.
        message: String,
    },
    /// The text is JSON that this service does not accept.
    Refused {
        /// JSON pointer to the place.
        pointer: String,
        /// A stable code.
        code: &'static str,
        /// The message for people.
        message: &'static str,
    },
}

/// Parses exactly one JSON value.
///
/// Refuses duplicate keys, lone surrogates, NUL characters, numbers greater in size than
/// [`MAX_INTEGER`], nesting deeper than [`MAX_DEPTH`], and everything that is not JSON in UTF-8
/// from the first byte to the last.
pub fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(malformed("it starts with a byte order mark"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed(format!("it is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Err(malformed("it is empty; send a JSON object"));
    }
    let walk = Walk::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let result = Seed(&walk).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    result.map_err(|error| walk.fault(&error))
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::Malformed { message: message.into() }
}

/// The parser's position, and why it stopped.
#[derive(Default)]
struct Walk {
    path: RefCell<String>,
    depth: Cell<usize>,
    refused: Cell<Option<(&'static str, &'static str)>>,
}

impl Walk {
    fn refuse<E: serde::de::Error>(&self, code: &'static str, message: &'static str) -> E {
        self.refused.set(Some((code, message)));
        E::custom(message)
    }

    /// Runs `inner` one level down at `segment`. After an error the path stays at its place.
    fn within<T, E>(&self, segment: &str, inner: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let length = self.path.borrow().len();
        pointer::push(&mut self.path.borrow_mut(), segment);
        let value = inner()?;
        self.path.borrow_mut().truncate(length);
        Ok(value)
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth.get() == MAX_DEPTH {
            return Err(self.refuse("too_deep", "is nested deeper than 32 levels"));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    fn string<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(self.refuse("nul_character", "must not contain the character NUL"));
        }
        Ok(())
    }

    fn fault(&self, error: &serde_json::Error) -> Fault {
        let text = error.to_string();
        let (code, message) = if let Some(refused) = self.refused.get() {
            refused
        } else if text.starts_with("number out of range") {
            OUT_OF_RANGE
        } else if text.starts_with("lone leading surrogate") || text.starts_with("unexpected end of hex escape") {
            ("lone_surrogate", "must not contain half of a surrogate pair")
        } else {
            return malformed(text);
        };
        Fault::Refused { pointer: self.path.borrow().clone(), code, message }
    }
}

const OUT_OF_RANGE: (&str, &str) =
    ("number_out_of_range", "must be a number from -9007199254740991 to 9007199254740991");

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Walk);

impl Seed<'_> {
    fn out_of_range<E: serde::de::Error>(self) -> E {
        self.0.refuse(OUT_OF_RANGE.0, OUT_OF_RANGE.1)
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER { Err(self.out_of_range()) } else { Ok(value.into()) }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER { Err(self.out_of_range()) } else { Ok(value.into()) }
    }

    /// Integers that do not fit in 64 bits arrive here as well and have the same limit. A number
    /// without a fraction is an integer in any notation, such as `1.0` or `1e2` (JSON Schema core,
    /// section 4.2.3).
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact in an f64")]
        let bound = MAX_INTEGER as f64;
        if value.abs() > bound {
            return Err(self.out_of_range());
        }
        if value.fract() == 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "an integer that an f64 represents exactly")]
            return Ok((value as i64).into());
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.out_of_range())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        self.0.string(&text)?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let mut items = Vec::new();
        while let Some(item) = self.0.within(&items.len().to_string(), || seq.next_element_seed(self))? {
            items.push(item);
        }
        self.0.leave();
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = self.0.within(&key, || {
                self.0.string(&key)?;
                if members.contains_key(&key) {
                    return Err(self.0.refuse("duplicate_key", "must appear only once"));
                }
                map.next_value_seed(self)
            })?;
            members.insert(key, value);
        }
        self.0.leave();
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_json_is_kept_as_it_is() {
        let text = r#" {"a": [1, -1, 0.5, 1e3, true, null], "ä\u00e4": "\ud83d\ude00", "max": 9007199254740991} "#;
        let value = json!({ "a": [1, -1, 0.5, 1000, true, null], "ää": "😀", "max": MAX_INTEGER });
        assert_eq!(parse(text.as_bytes()), Ok(value));
    }

    #[test]
    fn json_schema_core_section_4_2_3_integers() {
        let table = [
            ("1.0", json!(1)),
            ("1e2", json!(100)),
            ("1.5e1", json!(15)),
            ("-2.0", json!(-2)),
            ("-0.0", json!(0)),
            ("0e9", json!(0)),
            ("10e-1", json!(1)),
            ("9007199254740991.0", json!(MAX_INTEGER)),
            ("9.007199254740991e15", json!(MAX_INTEGER)),
            ("1.5", json!(1.5)),
            ("1e-1", json!(0.1)),
        ];
        for (text, value) in table {
            assert_eq!(parse(text.as_bytes()), Ok(value), "{text}");
        }
        for text in ["9007199254740992.0", "9.007199254740992e15", "-1e16"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn ambiguous_json_is_refused_at_its_place() {
        let table: &[(&str, &str, &str)] = &[
            (r#"{"a":1,"a":1}"#, "/a", "duplicate_key"),
            (r#"{"a":1,"\u0061":2}"#, "/a", "duplicate_key"),
            (r#"[{"b/c":{"~":0,"~":0}}]"#, "/0/b~1c/~0", "duplicate_key"),
            (r#"{"a":"\ud800"}"#, "/a", "lone_surrogate"),
            (r#"{"a":"\udc00"}"#, "/a", "lone_surrogate"),
            (r#"{"a":["x","\ud800x"]}"#, "/a/1", "lone_surrogate"),
            (r#"{"a":"\ud800\n"}"#, "/a", "lone_surrogate"),
            (r#"{"a":"\ud800\ud800"}"#, "/a", "lone_surrogate"),
            (r#"{"\ud800":1}"#, "", "lone_surrogate"),
            (r#"{"a":9007199254740992}"#, "/a", "number_out_of_range"),
            (r#"{"a":-9007199254740992}"#, "/a", "number_out_of_range"),
            (r#"{"a":123456789012345678901234567890}"#, "/a", "number_out_of_range"),
            (r"[0,1e400]", "/1", "number_out_of_range"),
            (r"-1e400", "", "number_out_of_range"),
            (r"1e300", "", "number_out_of_range"),
            (r#"{"a":"x\u0000y"}"#, "/a", "nul_character"),
            (r#"{"x\u0000":1}"#, "/x\0", "nul_character"),
        ];
        for (text, pointer, code) in table {
            match parse(text.as_bytes()) {
                Err(Fault::Refused { pointer: p, code: c, .. }) => {
                    assert_eq!((p.as_str(), c), (*pointer, *code), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_json_in_utf8_is_malformed() {
        let table: &[&[u8]] = &[
            b"",
            b" \n",
            b"{",
            b"{\"a\":}",
            b"{} {}",
            b"[1,]",
            b"{a:1}",
            b"nul",
            b"01",
            b"NaN",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"\"a\nb\"",
            b"\xEF\xBB\xBF{}",
            b"\"\xFF\"",
            b"\"\xED\xA0\x80\"",
            b"\xFF\xFE{\0}\0",
            b"/* */{}",
        ];
        for text in table {
            assert!(matches!(parse(text), Err(Fault::Malformed { .. })), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn thirty_two_levels_are_deep_enough() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(32).as_bytes()).is_ok());
        assert!(matches!(parse(nested(33).as_bytes()), Err(Fault::Refused { code: "too_deep", .. })));
        assert!(matches!(parse("[".repeat(500_000).as_bytes()), Err(Fault::Refused { code: "too_deep", .. })));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33));
        let pointer = "/a".repeat(32);
        assert!(matches!(parse(objects.as_bytes()), Err(Fault::Refused { pointer: p, .. }) if p == pointer));
        let wide = format!("[{}[]]", "[[]],".repeat(100));
        assert!(parse(wide.as_bytes()).is_ok(), "depth counts levels, not brackets");
    }
}
