//! The table of the fields of tasks' trails: for every event type each field by its path, whether
//! it is personal, and who sees it. `partner_trail.rs` has the table of partners' trails, with the
//! same types.
//!
//! The platform sees everything. A field that is missing here is neither stored nor shown; a test
//! proves that none is. The paths of a type are part of the format: a new field needs a new format
//! number (see `audit.rs`).

use Personal::{No, Yes};
use Sees::{Always, Answered, Asked, Never, Own, Shared};
use serde::{Deserialize, Serialize};

use crate::domain::task::event::Fact;
use crate::domain::values::party::{Party, Source};

use super::task_trail::Recorded;
use super::view::Role;

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

/// The fields of every event that sort before `data.…`.
const BEFORE: &[Field] = &[
    field("actor.id", Yes, Always, Own),
    field("actor.name", Yes, Always, Own),
    field("actor.role", Yes, Always, Own),
    field("cause_seq", No, Always, Always),
    field("command_id", No, Own, Own),
    field("credential_id", Yes, Own, Own),
];

/// The fields of every event that sort after `data.…`.
const AFTER: &[Field] = &[
    field("note", Yes, Own, Own),
    field("occurred_at", No, Always, Always),
    field("party", No, Always, Always),
    field("recorded_at", No, Always, Always),
    field("round", No, Always, Always),
    field("stage", No, Always, Always),
    field("type", No, Always, Always),
];

/// Every event type, in the order of [`Fact::TYPES`].
pub const KINDS: [Kind; Fact::TYPES.len()] = [
    // The digest of a definition would let a buyer confirm a guess at the reviewers that it names.
    kind(
        "task.opened",
        &[
            field("data.deadline_at", No, Always, Always),
            field("data.definition", No, Always, Never),
            field("data.metadata", Yes, Always, Never),
            field("data.task_id", No, Always, Always),
            field("data.title", Yes, Always, Always),
            field("data.workflow", No, Always, Never),
        ],
    ),
    // A buyer reads the work in the status' action, while it must decide on it.
    kind(
        "task.work_submitted",
        &[
            field("data.artifacts", Yes, Always, Never),
            field("data.clock", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.summary", Yes, Always, Never),
        ],
    )
    .by(Role::Submitter),
    kind(
        "task.status_updated",
        &[
            field("data.eta", No, Always, Always),
            field("data.message", Yes, Always, Always),
            field("data.percent", No, Always, Always),
        ],
    ),
    kind(
        "task.vote_recorded",
        &[
            field("data.decision", No, Always, Always),
            field("data.feedback", Yes, Always, Shared),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
        ],
    )
    .rows(Always, Own)
    .by(Role::Reviewer),
    kind("task.stage_entered", &[field("data.clock", No, Always, Always), field("data.returned", No, Always, Always)]),
    kind("task.stage_approved", &[field("data.revision", No, Always, Always), field("data.votes", No, Always, Never)])
        .by(Role::Reviewer),
    kind(
        "task.stage_rejected",
        &[
            field("data.exhausted", No, Always, Always),
            field("data.internal_feedback", Yes, Always, Never),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.shared_feedback", Yes, Always, Always),
            field("data.votes", No, Always, Never),
        ],
    )
    .by(Role::Reviewer),
    kind(
        "task.stage_escalated",
        &[
            field("data.cause", No, Always, Always),
            field("data.reason", Yes, Always, Asked),
            field("data.respond_by", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    ),
    kind(
        "task.escalation_resolved",
        &[
            field("data.advice", Yes, Always, Answered),
            field("data.clock", No, Always, Always),
            field("data.escalation", No, Always, Always),
            field("data.feedback", Yes, Always, Shared),
            field("data.resolution", No, Always, Always),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    )
    .by(Role::Resolver),
    kind("task.deadline_reminded", &[field("data.due_at", No, Always, Always)]),
    kind(
        "task.deadline_passed",
        &[
            field("data.action", No, Always, Always),
            field("data.deadline", No, Always, Always),
            field("data.due_at", No, Always, Always),
        ],
    ),
    kind("task.held", &[field("data.reason", Yes, Always, Always)]),
    kind("task.resumed", &[field("data.clock", No, Always, Always)]),
    kind(
        "task.cancellation_requested",
        &[
            field("data.grace_until", No, Always, Always),
            field("data.immediate", No, Always, Always),
            field("data.reason", Yes, Always, Always),
        ],
    )
    .ending(Ending::Begins),
    kind("task.review_withdrawn", &[]),
    kind(
        "task.cancellation_acknowledged",
        &[
            field("data.artifacts", Yes, Always, Never),
            field("data.in_flight", No, Always, Never),
            field("data.notes", Yes, Always, Never),
        ],
    )
    .rows(Always, Never)
    .ending(Ending::Follows),
    kind(
        "task.late_decision_recorded",
        &[
            field("data.advice", Yes, Always, Always),
            field("data.command", No, Always, Always),
            field("data.escalation", No, Always, Always),
            field("data.feedback", Yes, Always, Always),
            field("data.phase", No, Always, Always),
            field("data.resolution", No, Always, Always),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    )
    .rows(Own, Own)
    .ending(Ending::Follows),
    kind("task.workflow_completed", &[]).ending(Ending::Begins),
    kind("task.workflow_cancelled", &[]).ending(Ending::Begins),
    kind("task.workflow_expired", &[]).ending(Ending::Begins),
    kind("task.workflow_failed", &[field("data.cause", No, Always, Always)]).ending(Ending::Begins),
    // A buyer may not see which entries an actor wrote.
    kind(
        "task.personal_data_erased",
        &[
            field("data.entries", No, Always, Never),
            field("data.erasure_id", No, Always, Always),
            field("data.ids_remain", No, Always, Never),
            field("data.restated", Yes, Always, Always),
            field("data.status_updated_at", No, Always, Always),
            field("data.status_version", No, Always, Always),
        ],
    ),
];

pub(super) const fn field(path: &'static str, personal: Personal, partner: Sees, buyer: Sees) -> Field {
    Field { path, personal, partner, buyer }
}

/// A type with rows that every party sees.
const fn kind(name: &'static str, data: &'static [Field]) -> Kind {
    Kind { name, ending: Ending::No, partner: Always, buyer: Always, role: None, before: BEFORE, data, after: AFTER }
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

    const fn rows(self, partner: Sees, buyer: Sees) -> Self {
        Self { partner, buyer, ..self }
    }

    const fn by(self, role: Role) -> Self {
        Self { role: Some(role), ..self }
    }

    const fn ending(self, ending: Ending) -> Self {
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
        self.personal == Yes
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
            Never => false,
        }
    }
}
