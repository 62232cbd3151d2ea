//! Links for people: issued by a back end, opened in a browser, and the sessions that follow.
//!
//! A link and its sessions end with the credential that made the link: whoever looks a session up
//! looks the key up with it. Sessions are cached for a few seconds, as keys are, so a revoked one
//! stops working here at once and on other replicas within 5 seconds.

use std::time::Duration;

use crate::domain::calendar::TimeZone;
use crate::domain::link::{Agent, BoundTo, LinkKind, LinkState, NewLink, OpenMode, Voucher};
use crate::domain::values::id::{ActorId, CredentialId, LinkId, TaskId};
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::Time;

use super::access::Caller;
use super::base::Base;
use super::error::Error;

pub use self::visits::{OpenError, OpenLink, Opened, Standing, Visit};

mod visits;

/// Issues links and follows the sessions that they open.
#[derive(Debug)]
pub struct Links {}

/// A link as those who may end it see it. The secret of its address is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    /// The id.
    pub id: LinkId,
    /// Where it leads.
    pub kind: LinkKind,
    /// Its task.
    pub task_id: Option<TaskId>,
    /// The party that the person acts for.
    pub party: Party,
    /// The person; none for a buyer, and once it was erased.
    pub actor: Option<Actor>,
    /// The decision that a `decide` link is for.
    pub bound_to: Option<BoundTo>,
    /// How it is opened.
    pub open: OpenMode,
    /// `console`: whether it may change something.
    pub manage: bool,
    /// The language of the pages.
    pub language: Option<Language>,
    /// The time zone of the pages.
    pub time_zone: Option<TimeZone>,
    /// Whether it can be used, and if not, why.
    pub state: LinkState,
    /// How often it was opened.
    pub openings: u16,
    /// Each opening, the first first. Empty in lists.
    pub opened: Vec<Opening>,
    /// The credential that made it.
    pub made_by: CredentialId,
    /// How long each session lives.
    pub session_for: Duration,
    /// When it was made.
    pub created_at: Time,
    /// When it stops to open.
    pub expires_at: Time,
    /// When it was ended.
    pub ended_at: Option<Time>,
}

/// One opening of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The how-manieth opening it was, from 1.
    pub ordinal: u16,
    /// When.
    pub opened_at: Time,
    /// In which browser.
    pub agent: Agent,
    /// When its session was last used, to the minute.
    pub last_seen_at: Time,
    /// When its session ends, or ended.
    pub ends_at: Time,
}

/// Selects links in a list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Links about this task.
    pub task_id: Option<TaskId>,
    /// Links of this person.
    pub actor: Option<ActorId>,
    /// Links in this state.
    pub state: Option<LinkState>,
}

/// Whose links are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// Those of a person.
    Actor(ActorId),
    /// Those about a task.
    Task(TaskId),
}

impl Links {
    pub(super) fn new(_base: &Base) -> Self {
        Self {}
    }

    /// Makes a link. The voucher for its address is in this answer only.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for a field, or for a key that may not make it; [`Error::NotFound`] for a
    /// task that the caller may not see; [`Error::NothingToDecide`]; [`Error::TooManyRequests`].
    pub async fn issue(&self, _caller: &Caller, _new: NewLink) -> Result<(LinkView, Voucher), Error> {
        unfinished()
    }

    /// One link, with its openings.
    pub async fn get(&self, _caller: &Caller, _id: LinkId) -> Result<LinkView, Error> {
        unfinished()
    }

    /// Up to `limit` of the caller's links before `before`, the latest first.
    pub async fn list(
        &self,
        _caller: &Caller,
        _filter: &Filter,
        _before: Option<LinkId>,
        _limit: u32,
    ) -> Result<Vec<LinkView>, Error> {
        unfinished()
    }

    /// Ends a link and its sessions. Ending it again changes nothing.
    pub async fn end(&self, _caller: &Caller, _id: LinkId) -> Result<(), Error> {
        unfinished()
    }

    /// Ends every open link and session of a person or about a task; returns how many links.
    pub async fn revoke(&self, _caller: &Caller, _whose: Revoke) -> Result<u64, Error> {
        unfinished()
    }
}

fn unfinished<T>() -> Result<T, Error> {
    Err(Error::impossible("links are not stored yet"))
}
