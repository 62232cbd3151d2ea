//! Seals events into a chain, opens them again, and checks the chain against the stored rows.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::trail::{Hash, Kind, Recorded, Subject};

use super::columns::{Content, Fields};
use super::error::{Broken, Error};

/// The format number in every entry. It covers the hashes and, by type, the list of fields.
pub const FORMAT: u32 = 1;

/// The stored form of an event, each text byte for byte (in columns of type `text` or `json`;
/// `jsonb` would change it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The text that `hash` covers: the link to the previous entry and the root of the fields.
    pub entry: String,
    /// The fields that are kept for ever.
    pub data: String,
    /// The personal fields: the only text that may change, and only through [`erase`].
    pub personal: String,
    /// The hash that the next entry continues; the last one is the trail's head.
    pub hash: Hash,
}

impl Sealed {
    /// The stored size in bytes.
    pub fn size(&self) -> usize {
        self.entry.len() + self.data.len() + self.personal.len()
    }

    /// The paths of its erased fields.
    pub fn erased(&self) -> Vec<String> {
        let columns: HashMap<String, &RawValue> = serde_json::from_str(&self.personal).unwrap_or_default();
        let erased = columns.into_iter().filter(|(_, stored)| stored.get().starts_with('"'));
        erased.map(|(path, _)| path).collect()
    }
}

/// The end of a chain, as far as it was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The `seq` of the last entry; 0: none yet.
    pub seq: u64,
    /// Its hash; the origin's hash if there is no entry yet.
    pub hash: Hash,
}

/// Seals `event` as the entry after the one with the hash `prev`; the first entry follows
/// [`Subject::hash`]. The `seed` must be random, new for every event, and discarded afterwards,
/// since it would allow guessing erased values.
pub fn seal<E: Recorded>(prev: &Hash, id: <E::Subject as Subject>::Id, event: &E, seed: [u8; 32]) -> Sealed {
    let json = serde_json::to_string(event).expect("an event is plain JSON");
    let fields = Fields::of_event(&json, Kind::of(event), seed);
    let entry = Entry::<E::Subject> { prev: *prev, root: fields.root(), seq: event.seq(), id, v: FORMAT }.text();
    let (data, personal) = fields.columns();
    Sealed { hash: Hash::of_text(E::Subject::ENTRY, &entry), entry, data, personal }
}

/// Rebuilds the event. Erased fields are absent, and an actor without its id is absent as a whole.
/// Does not check hashes; [`verify`] does.
pub fn open<E: Recorded>(row: &Sealed) -> Result<E, Error> {
    let entry = Entry::<E::Subject>::read(&row.entry)?;
    event(entry.seq, &Fields::read(E::KINDS, &row.data, &row.personal)?)
}

/// Checks a whole trail from its first entry. To see that none is missing at the end, compare the
/// head with one known from elsewhere: the task's or partner's own, or one delivered with an event.
pub fn verify<'a>(origin: &impl Subject, rows: impl IntoIterator<Item = &'a Sealed>) -> Result<Head, Broken> {
    let mut chain = Chain::new(origin);
    rows.into_iter().try_for_each(|row| chain.append(row))?;
    Ok(chain.head)
}

/// Erases the personal fields that `which` selects by path from an event's column. Value and
/// salt are removed; the commitment stays, so the chain still verifies. Absent and already erased
/// fields stay unchanged and are not passed to `which`. Returns the column and the number of erased
/// fields.
pub fn erase<E: Recorded>(row: &Sealed, which: impl Fn(&str) -> bool) -> Result<(String, u64), Error> {
    let mut fields = Fields::read(E::KINDS, &row.data, &row.personal)?;
    let mut erased = 0;
    for (field, content) in &mut fields.list {
        if field.is_personal() && content.value().is_some() && which(field.path) {
            *content = Content::Erased(content.leaf(field.path));
            erased += 1;
        }
    }
    Ok((fields.columns().1, erased))
}

/// A chain that is checked one entry after the other.
#[derive(Clone, Debug)]
pub struct Chain<S: Subject> {
    id: S::Id,
    head: Head,
}

impl<S: Subject> Chain<S> {
    /// The chain before its first entry.
    pub fn new(origin: &S) -> Self {
        Self { id: origin.id(), head: Head { seq: 0, hash: origin.hash() } }
    }

    /// Checks the next entry and its fields.
    pub fn append(&mut self, row: &Sealed) -> Result<(), Broken> {
        let checked = self.link(&row.entry, &row.hash).and_then(|(entry, head)| {
            let fields = Fields::read(S::Event::KINDS, &row.data, &row.personal)?;
            if fields.root() == entry.root { Ok(head) } else { Err(Error::Fields) }
        });
        self.head = checked.map_err(|what| self.broken(what))?;
        Ok(())
    }

    /// How far the chain was checked.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks the next entry without its fields.
    pub(super) fn link(&self, text: &str, hash: &Hash) -> Result<(Entry<S>, Head), Error> {
        let entry = Entry::read(text)?;
        if entry.seq != self.head.seq + 1 {
            return Err(Error::Order(entry.seq));
        }
        if entry.id != self.id {
            return Err(Error::Trail);
        }
        if entry.prev != self.head.hash {
            return Err(Error::Link);
        }
        if Hash::of_text(S::ENTRY, text) != *hash {
            return Err(Error::Hash);
        }
        Ok((entry, Head { seq: self.head.seq + 1, hash: *hash }))
    }

    pub(super) fn advance(&mut self, head: Head) {
        self.head = head;
    }

    /// The error for the next entry.
    pub(super) fn broken(&self, what: Error) -> Broken {
        Broken { seq: self.head.seq + 1, what }
    }
}

/// The hashed text, parsed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub(super) struct Entry<S: Subject> {
    pub(super) prev: Hash,
    pub(super) root: Hash,
    pub(super) seq: u64,
    // The comparison with the text that would be written decides which of the two it must be.
    #[serde(alias = "task", alias = "partner")]
    pub(super) id: S::Id,
    pub(super) v: u32,
}

impl<S: Subject> Entry<S> {
    /// Parses an entry and refuses any text that [`Entry::text`] would not write.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let entry: Self = serde_json::from_str(text).map_err(|_| Error::Entry)?;
        if entry.v != FORMAT {
            return Err(Error::Format(entry.v));
        }
        if entry.text() == text { Ok(entry) } else { Err(Error::Entry) }
    }

    fn text(&self) -> String {
        let Self { prev, root, seq, id, v } = self;
        let whose = |text: &mut String| write!(text, r#""{}":"{id}","#, S::MEMBER).expect("a String takes all");
        let mut text = String::with_capacity(256);
        text.push('{');
        // The members are sorted by name.
        if S::MEMBER < "prev" {
            whose(&mut text);
        }
        write!(text, r#""prev":"{prev}","root":"{root}","seq":{seq},"#).expect("a String takes all");
        if S::MEMBER > "seq" {
            whose(&mut text);
        }
        write!(text, r#""v":{v}}}"#).expect("a String takes all");
        text
    }
}

/// Rebuilds the event's JSON from the fields that are present.
pub(super) fn event<E: Recorded>(seq: u64, fields: &Fields<'_>) -> Result<E, Error> {
    let (mut row, mut actor, mut data) = (format!(r#"{{"seq":{seq}"#), String::new(), String::new());
    for (field, content) in &fields.list {
        let Some(value) = content.value() else { continue };
        let (part, name) = match field.path.split_once('.') {
            Some(("actor", name)) => (&mut actor, name),
            Some((_, name)) => (&mut data, name),
            None if field.path == "type" => continue,
            None => (&mut row, field.path),
        };
        write!(part, r#","{name}":{value}"#).expect("a String takes all");
    }
    if actor.starts_with(r#","id":"#) {
        write!(row, r#","actor":{{{}}}"#, &actor[1..]).expect("a String takes all");
    }
    let data = data.get(1..).unwrap_or_default();
    write!(row, r#","fact":{{"type":"{}","data":{{{data}}}}}}}"#, fields.kind.name).expect("a String takes all");
    serde_json::from_str(&row).map_err(|error| Error::Event(error.to_string()))
}
