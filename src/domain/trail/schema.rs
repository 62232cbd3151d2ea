//! What the trails of tasks and of partners have in common: the types of events, the fields of each
//! type, and who sees them. The tables are in `task/trail/fields.rs` and `partner/trail.rs`.

use std::fmt::{Debug, Display};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::party::{Party, Source};

use super::hash::Hash;
use Sees::{Always, Answered, Asked, Involved, Never, Own, Shared};

/// The owner of a trail, which the first entry continues.
pub trait Subject: Copy {
    /// The id of the owner in every entry.
    type Id: Copy + PartialEq + Debug + Display + DeserializeOwned;
    /// The type of its events.
    type Event: Recorded<Subject = Self>;
    /// The member of an entry's text that holds the id.
    const MEMBER: &'static str;
    /// The prefix hashed before the text of an entry.
    const ENTRY: &'static [u8];
    /// The prefix hashed before the text of the origin.
    const GENESIS: &'static [u8];

    /// Its id.
    fn id(&self) -> Self::Id;

    /// The text that the first entry continues (RFC 8785).
    fn text(&self) -> String;

    /// The hash that the first entry continues.
    fn hash(&self) -> Hash {
        Hash::of_text(Self::GENESIS, &self.text())
    }
}

/// An event of a trail. Its JSON is an object with `seq` and `fact: {type, data}`, optionally
/// `actor`, and the fields of the row.
pub trait Recorded: Serialize + DeserializeOwned {
    /// The owner of the event's trail.
    type Subject: Subject<Event = Self>;
    /// Every type of event and its fields.
    const KINDS: &'static [Kind];

    /// Its place in the trail, from 1.
    fn seq(&self) -> u64;

    /// Its type.
    fn kind(&self) -> &'static str;

    /// The party, or the service, that it is from.
    fn source(&self) -> Source;

    /// Whether its author shared it with the buyer.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it asks this party a question.
    fn asks(&self, _party: Party) -> bool {
        false
    }

    /// Whether it returns an escalation with advice to this party, or answers its question.
    fn answers(&self, _party: Party) -> bool {
        false
    }
}

/// A field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its path: the name of a field of the row, `actor.…`, or `data.…` for the fields of the type.
    pub path: &'static str,
    /// Whether it can be erased.
    pub personal: Personal,
    /// When the partner sees it.
    pub partner: Sees,
    /// When the buyer sees it.
    pub buyer: Sees,
}

/// Whether a field holds names, ids of people, free text or URLs. Such a field may be absent from
/// any event, since it can be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// It is kept for ever.
    No,
    /// It can be erased.
    Yes,
}

/// When a party sees a field or a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Whenever it sees the row.
    Always,
    /// In rows from this party itself.
    Own,
    /// Own rows, and feedback that its author shared with the buyer.
    Shared,
    /// Own rows, and the question of an escalation to this party.
    Asked,
    /// Own rows, and the advice with which an escalation is returned to this party.
    Answered,
    /// Own rows, questions to this party, answers to its questions, and what was shared with the
    /// buyer.
    Involved,
    /// Never.
    Never,
}

/// Who may read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    partner: bool,
    buyer: bool,
    platform: bool,
}

/// By default the buyer may not read a text.
impl Default for Readers {
    fn default() -> Self {
        Self { partner: true, buyer: false, platform: true }
    }
}

impl Readers {
    /// Whether this party may read it.
    pub fn include(self, party: Party) -> bool {
        match party {
            Party::Partner => self.partner,
            Party::Buyer => self.buyer,
            Party::Platform => self.platform,
        }
    }
}

/// How entries of a type relate to the end of a task. It limits what a hidden entry can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No relation.
    No,
    /// From such an entry on, the task is ending or has ended.
    Begins,
    /// Comes only after an entry that begins the end.
    Follows,
}

/// An event type: who sees its rows, and its fields. Types with rows that some party may not see
/// come first in their transition.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The type.
    pub name: &'static str,
    /// How it relates to the end of the task.
    pub ending: Ending,
    /// When the partner sees the row.
    pub partner: Sees,
    /// When the buyer sees the row.
    pub buyer: Sees,
    /// The role that a buyer reads instead of another party's actor.
    pub role: Option<Role>,
    /// The fields of every event that sort before `data`.
    pub before: &'static [Field],
    /// The fields of the type, `data.…`, sorted by path.
    pub data: &'static [Field],
    /// The fields of every event that sort after `data`.
    pub after: &'static [Field],
}

/// The role of an actor in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decided a stage, or voted on it.
    Reviewer,
    /// Submitted work.
    Submitter,
    /// Resolved an escalation.
    Resolver,
}

/// A field of a table.
pub const fn field(path: &'static str, personal: Personal, partner: Sees, buyer: Sees) -> Field {
    Field { path, personal, partner, buyer }
}

impl Kind {
    /// The type with this name in a table.
    pub fn find(kinds: &'static [Self], name: &str) -> Option<&'static Self> {
        kinds.iter().find(|kind| kind.name == name)
    }

    /// The type of this event.
    pub fn of<E: Recorded>(event: &E) -> &'static Self {
        Self::find(E::KINDS, event.kind()).expect("the table has every type of event")
    }

    /// All fields of an event of this type, sorted by path: the leaves of its tree.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.before.iter().chain(self.data).chain(self.after)
    }

    /// Whether `viewer` sees the row of `event` at all.
    pub fn shows_row(&self, event: &impl Recorded, viewer: Party) -> bool {
        self.rows_for(viewer).holds(event, viewer)
    }

    /// When `viewer` sees the row.
    pub fn rows_for(&self, viewer: Party) -> Sees {
        match viewer {
            Party::Platform => Always,
            Party::Partner => self.partner,
            Party::Buyer => self.buyer,
        }
    }

    /// Every party that may read the field at `path` of `event`. All code that shows a text of an
    /// event uses this.
    pub fn readers(path: &str, event: &impl Recorded) -> Readers {
        let kind = Self::of(event);
        let [partner, buyer, platform] = Party::ALL.map(|party| kind.shows(path, event, party));
        Readers { partner, buyer, platform }
    }

    /// Whether `viewer` sees the field at `path` in every event of this type, for code that shows
    /// it outside the trail.
    pub fn always_shows(&self, path: &str, viewer: Party) -> bool {
        let field = self.fields().find(|field| field.path == path);
        self.rows_for(viewer) == Always && field.is_some_and(|field| field.sees(viewer) == Always)
    }

    /// Whether `viewer` sees the field at `path` of `event`.
    pub fn shows(&self, path: &str, event: &impl Recorded, viewer: Party) -> bool {
        let field = self.fields().find(|field| field.path == path);
        viewer == Party::Platform
            || field.is_some_and(|field| field.is_shown(event, viewer)) && self.shows_row(event, viewer)
    }

    /// A type with rows that not every party sees.
    #[must_use]
    pub const fn rows(self, partner: Sees, buyer: Sees) -> Self {
        Self { partner, buyer, ..self }
    }

    /// A type whose actors have this role for a buyer.
    #[must_use]
    pub const fn by(self, role: Role) -> Self {
        Self { role: Some(role), ..self }
    }

    /// A type that relates to the end of the task.
    #[must_use]
    pub const fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

impl Field {
    /// Whether `viewer` sees it in a row that it may see.
    pub fn is_shown(&self, event: &impl Recorded, viewer: Party) -> bool {
        self.sees(viewer).holds(event, viewer)
    }

    /// When `viewer` sees it in a row that it may see.
    pub fn sees(&self, viewer: Party) -> Sees {
        match viewer {
            Party::Platform => Always,
            Party::Partner => self.partner,
            Party::Buyer => self.buyer,
        }
    }

    /// Whether it can be erased.
    pub fn is_personal(&self) -> bool {
        self.personal == Personal::Yes
    }
}

impl Sees {
    /// The word for it in the output of `stagegate audit fields`.
    pub fn as_str(self) -> &'static str {
        match self {
            Always => "always",
            Own => "own",
            Shared => "shared",
            Asked => "asked",
            Answered => "answered",
            Involved => "involved",
            Never => "never",
        }
    }

    fn holds(self, event: &impl Recorded, viewer: Party) -> bool {
        let own = event.source() == Source::from(viewer);
        match self {
            Always => true,
            Own => own,
            Shared => own || event.is_shared(),
            Asked => own || event.asks(viewer),
            Answered => own || event.answers(viewer),
            Involved => own || event.asks(viewer) || event.answers(viewer) || event.is_shared(),
            Never => false,
        }
    }
}
