//! The two columns with an event's fields: `data` holds the permanent ones, `personal` those that
//! can be erased.
//!
//! Only this file reads and writes them. It takes texts apart without parsing the values, so that
//! the stored bytes are the hashed ones.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::trail::{Field, Hash, Kind, Salt, Salts};

use super::error::Error;

/// The fields of one event, in the order of the leaves.
pub(super) struct Fields<'a> {
    pub(super) kind: &'static Kind,
    pub(super) list: Vec<(&'static Field, Content<'a>)>,
    /// The source of the salts that `data` does not spell out.
    key: Salt,
}

/// The known content of a field.
pub(super) enum Content<'a> {
    /// Salt and value. The value is RFC 8785 text; `None`: absent.
    Open { salt: Salt, value: Option<Cow<'a, str>> },
    /// Only its commitment.
    Erased(Hash),
}

impl<'a> Fields<'a> {
    /// Splits the JSON text of an event into its fields and gives each a salt.
    pub(super) fn of_event(json: &'a str, kind: &'static Kind, seed: [u8; 32]) -> Self {
        let parts: Parts<'a> = serde_json::from_str(json).expect("an event is an object with a fact");
        debug_assert!(
            parts.paths().all(|path| kind.fields().any(|field| field.path == path)),
            "not in the table: {json}"
        );
        let personal = Salts::new(&seed);
        let key = personal.of("key");
        let others = key.derive();
        let content = |field: &'static Field| {
            let value = parts.value(field.path).map(canonical);
            let salts = if field.is_personal() && value.is_some() { &personal } else { &others };
            (field, Content::Open { salt: salts.of(field.path), value })
        };
        Self { kind, list: kind.fields().map(content).collect(), key }
    }

    /// Reads the columns of an event of one of `kinds`; refuses any text that [`Fields::columns`]
    /// would not write.
    pub(super) fn read(kinds: &'static [Kind], data: &'a str, personal: &'a str) -> Result<Self, Error> {
        let fields = Self::parse(kinds, data, personal).ok_or(Error::Columns)?;
        let (same_data, same_personal) = fields.columns();
        if same_data == data && same_personal == personal { Ok(fields) } else { Err(Error::Columns) }
    }

    /// The texts of the columns `data` and `personal`.
    pub(super) fn columns(&self) -> (String, String) {
        let mut data = String::with_capacity(512);
        let mut personal = String::with_capacity(512);
        write!(data, r#"{{"key":"{}","values":"#, self.key).expect("a String takes all");
        let (mut data_start, mut personal_start) = ('{', '{');
        for (field, content) in &self.list {
            match content {
                Content::Open { value: None, .. } => {}
                Content::Open { value: Some(value), .. } if !field.is_personal() => {
                    write!(data, r#"{data_start}"{}":{value}"#, field.path).expect("a String takes all");
                    data_start = ',';
                }
                Content::Open { salt, value: Some(value) } => {
                    write!(personal, r#"{personal_start}"{}":["{salt}",{value}]"#, field.path)
                        .expect("a String takes all");
                    personal_start = ',';
                }
                Content::Erased(leaf) => {
                    write!(personal, r#"{personal_start}"{}":"{leaf}""#, field.path).expect("a String takes all");
                    personal_start = ',';
                }
            }
        }
        data.push_str(if data_start == '{' { "{}}" } else { "}}" });
        personal.push_str(if personal_start == '{' { "{}" } else { "}" });
        (data, personal)
    }

    /// The root of the tree over all fields.
    pub(super) fn root(&self) -> Hash {
        Hash::of_tree(self.list.iter().map(|(field, content)| content.leaf(field.path)).collect())
    }

    fn parse(kinds: &'static [Kind], data: &'a str, personal: &'a str) -> Option<Self> {
        let (data, personal): (Data<'a>, Entries<'a>) =
            (serde_json::from_str(data).ok()?, serde_json::from_str(personal).ok()?);
        let kind = Kind::find(kinds, serde_json::from_str(data.values.find("type")?).ok()?)?;
        let key = Salt::parse(data.key)?;
        let salts = key.derive();
        let content = |field: &'static Field| {
            let content = match (field.is_personal(), personal.find(field.path), data.values.find(field.path)) {
                (true, Some(stored), _) => Content::parse(stored)?,
                (false, _, Some(value)) => {
                    Content::Open { salt: salts.of(field.path), value: Some(Cow::Borrowed(value)) }
                }
                (true, None, _) | (false, _, None) => Content::Open { salt: salts.of(field.path), value: None },
            };
            Some((field, content))
        };
        Some(Self { kind, list: kind.fields().map(content).collect::<Option<_>>()?, key })
    }
}

impl<'a> Content<'a> {
    /// The commitment to this content at `path`.
    pub(super) fn leaf(&self, path: &str) -> Hash {
        match self {
            Self::Open { salt, value } => Hash::of_field(salt, path, value.as_deref()),
            Self::Erased(leaf) => *leaf,
        }
    }

    /// The value's text, unless it is absent or erased.
    pub(super) fn value(&self) -> Option<&str> {
        match self {
            Self::Open { value, .. } => value.as_deref(),
            Self::Erased(_) => None,
        }
    }

    fn parse(stored: &'a str) -> Option<Self> {
        if stored.starts_with('"') {
            return Some(Self::Erased(serde_json::from_str(stored).ok()?));
        }
        let (salt, value): (&str, &'a RawValue) = serde_json::from_str(stored).ok()?;
        Some(Self::Open { salt: Salt::parse(salt)?, value: Some(Cow::Borrowed(value.get())) })
    }
}

/// The RFC 8785 text of a value that `serde_json` wrote from our own types. Strings, whole numbers
/// and lists already have that form; objects are sorted. Implemented here because every decision
/// needs it and the library takes several times as long.
fn canonical(json: &str) -> Cow<'_, str> {
    if !json.contains('{') {
        return json.into();
    }
    let value = serde_json::from_str(json).expect("a value of an event is JSON");
    let mut text = String::with_capacity(json.len());
    write_canonical(&value, &mut text);
    text.into()
}

fn write_canonical(value: &Value, text: &mut String) {
    let mut start = '[';
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => write!(text, "{value}").expect("a String takes all"),
        Value::Number(number) => {
            text.push_str(&serde_json_canonicalizer::to_string(number).expect("JSON has finite numbers"));
        }
        Value::Array(list) if list.is_empty() => text.push_str("[]"),
        Value::Array(list) => {
            for value in list {
                text.push(std::mem::replace(&mut start, ','));
                write_canonical(value, text);
            }
            text.push(']');
        }
        Value::Object(object) if object.is_empty() => text.push_str("{}"),
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            start = '{';
            for (name, value) in members {
                text.push(std::mem::replace(&mut start, ','));
                text.push_str(&serde_json::to_string(name).expect("a text is plain JSON"));
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
    }
}

/// The column `data`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Data<'a> {
    key: &'a str,
    #[serde(borrow)]
    values: Entries<'a>,
}

/// An event's JSON, split into parts.
struct Parts<'a> {
    row: Entries<'a>,
    actor: Entries<'a>,
    fact: Entries<'a>,
    data: Entries<'a>,
}

impl<'a> Parts<'a> {
    fn value(&self, path: &str) -> Option<&'a str> {
        match path.split_once('.') {
            Some(("actor", name)) => self.actor.find(name),
            Some((_, name)) => self.data.find(name),
            None => self.row.find(path).or_else(|| self.fact.find(path)),
        }
    }

    /// The paths that must be in the table.
    fn paths(&self) -> impl Iterator<Item = String> {
        let row = self.row.0.iter().map(|(name, _)| (*name).to_owned());
        let actor = self.actor.0.iter().map(|(name, _)| format!("actor.{name}"));
        let data = self.data.0.iter().map(|(name, _)| format!("data.{name}"));
        row.filter(|name| !matches!(name.as_str(), "seq" | "actor" | "fact")).chain(actor).chain(data)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Entries::deserialize(deserializer)?;
        let nested =
            |entries: &Entries<'a>, name| entries.find(name).map_or(Ok(Entries::default()), serde_json::from_str);
        let fact = nested(&row, "fact").map_err(serde::de::Error::custom)?;
        let actor = nested(&row, "actor").map_err(serde::de::Error::custom)?;
        let data = nested(&fact, "data").map_err(serde::de::Error::custom)?;
        Ok(Self { row, actor, fact, data })
    }
}

/// The members of a JSON object in order, with the text of each value.
#[derive(Default)]
struct Entries<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'a> Entries<'a> {
    /// A member that is null counts as absent, since optional fields of an event are written either
    /// way.
    fn find(&self, name: &str) -> Option<&'a str> {
        let value = self.0.iter().find(|(member, _)| *member == name).map(|(_, value)| value.get());
        value.filter(|value| *value != "null")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(&'de str, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
