//! What a request for a link may ask for: who, where to, and for how long.

use chrono::TimeDelta;

use crate::domain::calendar::TimeZone;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::TaskId;
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::scope::{Scope, Scopes};
use crate::domain::values::time::Span;

use super::{LinkKind, OpenMode};

/// A request for a link.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLink {
    /// Where it leads.
    pub kind: LinkKind,
    /// The task, for `decide` and `task`; the first page, for `inbox`. It also names the buyer of a
    /// link that the platform makes for one.
    pub task_id: Option<TaskId>,
    /// The person; none for a buyer.
    pub actor: Option<Actor>,
    /// `buyer` for a link that the platform makes for the task's buyer.
    pub party: Option<Party>,
    /// How it is opened.
    pub open: OpenMode,
    /// How long it lives; `None`: the default of its kind.
    pub expires_in: Option<Span>,
    /// How long each of its sessions lives; `None`: the default of its kind.
    pub session_for: Option<Span>,
    /// `console`: whether it may change something.
    pub manage: bool,
    /// The language of the pages; `None`: the browser's.
    pub language: Option<Language>,
    /// The time zone of the pages; `None`: the browser's.
    pub time_zone: Option<TimeZone>,
}

/// The party that a link is for, and how long link and sessions live: a request that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The party that the person acts for.
    pub party: Party,
    /// How long the link lives.
    pub lives: TimeDelta,
    /// How long each session lives.
    pub session_for: TimeDelta,
}

/// A duration that a request may choose up to a limit. The least is a second, as of every [`Span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What applies if the request chooses nothing.
    pub default: TimeDelta,
    /// The longest.
    pub most: TimeDelta,
}

/// How long links of a kind and their sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The link.
    pub link: Limit,
    /// A session.
    pub session: Limit,
    /// A session without a request.
    pub idle: TimeDelta,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const fn limit(default: i64, most: i64) -> Limit {
    Limit { default: TimeDelta::seconds(default), most: TimeDelta::seconds(most) }
}

impl LinkKind {
    /// How long its links and their sessions live.
    pub fn lifetimes(self, open: OpenMode) -> Lifetimes {
        let (link, session, idle) = match self {
            Self::Decide => (limit(72 * HOUR, 14 * DAY), limit(HOUR, 8 * HOUR), 30 * MINUTE),
            Self::Task => (limit(7 * DAY, 30 * DAY), limit(8 * HOUR, 24 * HOUR), 2 * HOUR),
            Self::Inbox => (limit(15 * MINUTE, 15 * MINUTE), limit(8 * HOUR, 12 * HOUR), HOUR),
            Self::Console => (limit(15 * MINUTE, 15 * MINUTE), limit(HOUR, 8 * HOUR), 30 * MINUTE),
        };
        let link = match open {
            OpenMode::Click => link,
            OpenMode::AtOnce => limit(MINUTE, 2 * MINUTE),
        };
        Lifetimes { link, session, idle: TimeDelta::seconds(idle) }
    }
}

/// The scopes of a partner's key that may make such a link: any of these.
pub fn scopes_to_make(kind: LinkKind, manage: bool) -> Scopes {
    Scopes::of(match kind {
        LinkKind::Decide => &[Scope::Review],
        LinkKind::Console if manage => &[Scope::Define],
        LinkKind::Task | LinkKind::Inbox | LinkKind::Console => &[Scope::Read],
    })
}

/// The scopes of a partner's sessions: those of the key that made the link, as far as the kind of
/// link has a use for them.
pub fn scopes_of(kind: LinkKind, manage: bool, key: Scopes) -> Scopes {
    let useful = Scopes::of(match kind {
        LinkKind::Decide => &[Scope::Review, Scope::Read],
        LinkKind::Inbox => &[Scope::Work, Scope::Review, Scope::Read],
        LinkKind::Console if manage => &[Scope::Define, Scope::Read],
        LinkKind::Task | LinkKind::Console => &[Scope::Read],
    });
    useful.iter().filter(|scope| key.include(*scope)).collect()
}

impl NewLink {
    /// Checks the request of a caller of this party. Whether the task exists and waits for a
    /// decision, and whether the credential may make the link, is checked elsewhere.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`], which names the first field that is missing or may not be there.
    pub fn check(&self, caller: Party) -> Result<Terms, Refusal> {
        let party = self.check_party(caller)?;
        self.check_actor(caller, party)?;
        self.check_target(caller, party)?;
        if self.manage && self.kind != LinkKind::Console {
            return Err(not_allowed("/manage", "may be true only for `console`"));
        }
        let lifetimes = self.kind.lifetimes(self.open);
        Ok(Terms {
            party,
            lives: within("/expires_in", self.expires_in.as_ref(), lifetimes.link)?,
            session_for: within("/session_for", self.session_for.as_ref(), lifetimes.session)?,
        })
    }

    fn check_party(&self, caller: Party) -> Result<Party, Refusal> {
        match self.party {
            None => Ok(caller),
            Some(Party::Buyer) if caller == Party::Platform => Ok(Party::Buyer),
            Some(_) => Err(not_allowed("/party", "may only be `buyer`, and only the platform may send it")),
        }
    }

    fn check_actor(&self, caller: Party, party: Party) -> Result<(), Refusal> {
        match (party, &self.actor) {
            (Party::Buyer, Some(_)) if caller == Party::Buyer => {
                Err(not_allowed("/actor", "must not be sent by a buyer, whose token identifies the person"))
            }
            (Party::Buyer, Some(_)) => Err(not_allowed("/actor", "must not be sent with `party`")),
            (Party::Partner | Party::Platform, None) => Err(Refusal::required("/actor")),
            (Party::Buyer, None) | (Party::Partner | Party::Platform, Some(_)) => Ok(()),
        }
    }

    fn check_target(&self, caller: Party, party: Party) -> Result<(), Refusal> {
        let names_buyer = party == Party::Buyer && caller != Party::Buyer;
        match (self.kind, self.task_id) {
            (LinkKind::Console, _) if party == Party::Buyer => {
                Err(not_allowed("/to", "must not be `console` for a buyer"))
            }
            (LinkKind::Console, Some(_)) => Err(not_allowed("/task_id", "must not be sent for `console`")),
            (LinkKind::Decide | LinkKind::Task, None) => Err(Refusal::required("/task_id")),
            (LinkKind::Inbox, None) if names_buyer => Err(Refusal::required("/task_id")),
            (LinkKind::Decide | LinkKind::Task, Some(_)) | (LinkKind::Inbox | LinkKind::Console, _) => Ok(()),
        }
    }
}

fn not_allowed(pointer: &'static str, rule: &str) -> Refusal {
    Refusal::invalid(pointer, "not_allowed", rule)
}

/// The duration that applies, at most the limit's.
fn within(pointer: &'static str, wanted: Option<&Span>, limit: Limit) -> Result<TimeDelta, Refusal> {
    let wanted = wanted.map_or(limit.default, Span::delta);
    if wanted > limit.most {
        let rule = format!("must be at most {} seconds for such a link", limit.most.num_seconds());
        return Err(Refusal::invalid(pointer, "out_of_range", &rule));
    }
    Ok(wanted)
}
