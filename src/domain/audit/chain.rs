//! Sealing events into a chain, opening them again, and checking the chain against what is stored.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::columns::{Content, Fields};
use super::fields::Kind;
use super::hash::Hash;
use crate::domain::event::Event;
use crate::domain::id::{BuyerId, PartnerId, TaskId};

/// The number of the format, in every entry: the hashes and, by type, the list of fields.
pub const FORMAT: u32 = 1;

/// What a store keeps of an event, each text byte for byte (`text`, or `json`; `jsonb` would change it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The text that `hash` is of: the link to the entry before and the root of the fields.
    pub entry: String,
    /// The fields that stay for ever.
    pub data: String,
    /// The personal fields: the one text that may change, and only as [`erase`] does it.
    pub personal: String,
    /// What the next entry continues, and after the last one the task's head.
    pub hash: Hash,
}

/// Whose trail it is: what the first entry continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The buyer of the task.
    #[serde(rename = "buyer")]
    pub buyer_id: BuyerId,
    /// The partner who works on it.
    #[serde(rename = "partner")]
    pub partner_id: PartnerId,
    /// The task.
    #[serde(rename = "task")]
    pub task_id: TaskId,
}

/// The end of a chain, as far as it was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The `seq` of the last entry; 0: none yet.
    pub seq: u64,
    /// Its hash; that of the origin if there is none yet.
    pub hash: Hash,
}

/// What is wrong with a stored entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `entry` is not in the form that is hashed.
    #[error("its text is not that of an entry")]
    Entry,
    /// `data` or `personal` is not in the form that is hashed.
    #[error("its fields are not in the form they are stored in")]
    Columns,
    /// The format number is not one of ours.
    #[error("it has the format {0}, which is not known here")]
    Format(u32),
    /// Another entry is where this one should be.
    #[error("entry {0} is in its place")]
    Order(u64),
    /// The entry names another task.
    #[error("it belongs to another task")]
    Task,
    /// The entry does not name the hash of the one before.
    #[error("it does not continue the entry before it")]
    Link,
    /// `hash` is not the hash of `entry`.
    #[error("its hash is not that of its text")]
    Hash,
    /// The fields are not those that the entry commits to.
    #[error("its fields are not those that were committed")]
    Fields,
    /// The fields are those committed but make no event of ours.
    #[error("its fields do not make an event: {0}")]
    Event(String),
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {what}")]
pub struct Broken {
    /// The `seq` that the entry should have by its place.
    pub seq: u64,
    /// What is wrong with it.
    pub what: Error,
}

/// Seals `event` as the entry that follows the one with the hash `prev`; the first follows [`Origin::hash`].
/// The `seed` is random, new for every event, and thrown away afterwards: who had it could guess erased values.
pub fn seal(prev: &Hash, task_id: TaskId, event: &Event, seed: [u8; 32]) -> Sealed {
    let json = serde_json::to_string(event).expect("an event is plain JSON");
    let fields = Fields::of_event(&json, Kind::of(&event.fact), seed);
    let entry = Entry { prev: *prev, root: fields.root(), seq: event.seq, task: task_id, v: FORMAT }.text();
    let (data, personal) = fields.columns();
    Sealed { hash: Hash::of_entry(&entry), entry, data, personal }
}

/// Rebuilds the event, erased fields as absent ones (without its id there is no actor). Does not check hashes: [`verify`] does.
pub fn open(row: &Sealed) -> Result<Event, Error> {
    let entry = Entry::read(&row.entry)?;
    event(entry.seq, &Fields::read(&row.data, &row.personal)?)
}

/// Checks a whole trail from its first entry. That none is missing at the end shows by comparing the head with one known from elsewhere:
/// the task's own, or one that came with an event.
pub fn verify<'a>(origin: &Origin, rows: impl IntoIterator<Item = &'a Sealed>) -> Result<Head, Broken> {
    let mut chain = Chain::new(origin);
    rows.into_iter().try_for_each(|row| chain.append(row))?;
    Ok(chain.head)
}

/// Takes the personal fields that `which` names by path out of the column: value and salt go, the commitment stays,
/// so that the chain still verifies. Absent and erased fields are left as they are.
pub fn erase(row: &Sealed, which: impl Fn(&str) -> bool) -> Result<String, Error> {
    let mut fields = Fields::read(&row.data, &row.personal)?;
    for (field, content) in &mut fields.list {
        if field.is_personal() && content.value().is_some() && which(field.path) {
            *content = Content::Erased(content.leaf(field.path));
        }
    }
    Ok(fields.columns().1)
}

/// A chain as it is followed, one entry after the other.
#[derive(Clone, Debug)]
pub struct Chain {
    task_id: TaskId,
    head: Head,
}

impl Chain {
    /// At its beginning.
    pub fn new(origin: &Origin) -> Self {
        Self { task_id: origin.task_id, head: Head { seq: 0, hash: origin.hash() } }
    }

    /// Checks the next entry with its fields.
    pub fn append(&mut self, row: &Sealed) -> Result<(), Broken> {
        let checked = self.link(&row.entry, &row.hash).and_then(|(entry, head)| {
            let fields = Fields::read(&row.data, &row.personal)?;
            if fields.root() == entry.root { Ok(head) } else { Err(Error::Fields) }
        });
        self.head = checked.map_err(|what| self.broken(what))?;
        Ok(())
    }

    /// How far it was followed.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks everything about the next entry but its fields.
    pub(super) fn link(&self, text: &str, hash: &Hash) -> Result<(Entry, Head), Error> {
        let entry = Entry::read(text)?;
        if entry.seq != self.head.seq + 1 {
            return Err(Error::Order(entry.seq));
        }
        if entry.task != self.task_id {
            return Err(Error::Task);
        }
        if entry.prev != self.head.hash {
            return Err(Error::Link);
        }
        if Hash::of_entry(text) != *hash {
            return Err(Error::Hash);
        }
        Ok((entry, Head { seq: self.head.seq + 1, hash: *hash }))
    }

    pub(super) fn advance(&mut self, head: Head) {
        self.head = head;
    }

    /// The flaw of the next entry.
    pub(super) fn broken(&self, what: Error) -> Broken {
        Broken { seq: self.head.seq + 1, what }
    }
}

impl Origin {
    /// What the first entry continues.
    pub fn hash(&self) -> Hash {
        let Self { buyer_id, partner_id, task_id } = self;
        Hash::of_origin(&format!(r#"{{"buyer":"{buyer_id}","partner":"{partner_id}","task":"{task_id}"}}"#))
    }
}

/// The text that is hashed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) prev: Hash,
    pub(super) root: Hash,
    pub(super) seq: u64,
    pub(super) task: TaskId,
    pub(super) v: u32,
}

impl Entry {
    /// Reads an entry; refuses any text that [`Entry::text`] would not write.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let entry: Self = serde_json::from_str(text).map_err(|_| Error::Entry)?;
        if entry.v != FORMAT {
            return Err(Error::Format(entry.v));
        }
        if entry.text() == text { Ok(entry) } else { Err(Error::Entry) }
    }

    fn text(&self) -> String {
        let Self { prev, root, seq, task, v } = self;
        format!(r#"{{"prev":"{prev}","root":"{root}","seq":{seq},"task":"{task}","v":{v}}}"#)
    }
}

/// Puts the event's JSON together again from the fields that are there.
pub(super) fn event(seq: u64, fields: &Fields<'_>) -> Result<Event, Error> {
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
