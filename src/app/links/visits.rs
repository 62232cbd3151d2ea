//! What the pages need: what an address leads to, opening it, and who comes with a session.

use std::time::Duration;

use crate::app::access::{Caller, Through};
use crate::app::error::Error;
use crate::domain::calendar::TimeZone;
use crate::domain::link::{Agent, BoundTo, FormKey, LinkKind, LinkState, OpenMode, Reach, SessionSecret};
use crate::domain::task::Task;
use crate::domain::task::command::{Command, CommandType};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::{BuyerId, LinkId, PartnerId, TaskId};
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

use super::{Links, unfinished};

/// What an address leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// To a link that opens.
    Open(Box<OpenLink>),
    /// To a link that no longer opens.
    Closed {
        /// Where it led.
        kind: LinkKind,
        /// Why it does not open. Never open or held.
        state: LinkState,
        /// The language of its pages.
        language: Option<Language>,
    },
    /// Nowhere: no link has this address.
    Unknown,
}

/// A link that opens. A page that shows it before the click says nothing of it but how it opens.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenLink {
    /// The id.
    pub id: LinkId,
    /// Where it leads.
    pub kind: LinkKind,
    /// How it is opened.
    pub open: OpenMode,
    /// The party that the person acts for.
    pub party: Party,
    /// The partner of the person; none for other parties.
    pub partner_id: Option<PartnerId>,
    /// The buyer; none for other parties.
    pub buyer_id: Option<BuyerId>,
    /// The person; none for a buyer.
    pub actor: Option<Actor>,
    /// Its task.
    pub task_id: Option<TaskId>,
    /// The decision of a `decide` link.
    pub bound_to: Option<BoundTo>,
    /// `console`: whether it may change something.
    pub manage: bool,
    /// The language of the pages.
    pub language: Option<Language>,
    /// The time zone of the pages.
    pub time_zone: Option<TimeZone>,
}

/// A session that was just made. Only this value holds its secret.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The secret for the cookie.
    pub secret: SessionSecret,
    /// The session.
    pub visit: Visit,
}

/// Why a link was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The link does not open; says why.
    #[error("the link does not open")]
    NotOpen(Standing),
    /// The link was tried too often; try again after this time.
    #[error("the link was tried too often")]
    TooMany(Duration),
    /// The use case failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A person who comes with a valid session.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The caller for every use case: bound to the actor, and of no further reach than the link.
    pub caller: Caller,
    /// The person; none for a buyer.
    pub actor: Option<Actor>,
    /// Where the link leads.
    pub kind: LinkKind,
    /// Its task.
    pub task_id: Option<TaskId>,
    /// The decision of a `decide` link.
    pub bound_to: Option<BoundTo>,
    /// `console`: whether it may change something.
    pub manage: bool,
    /// The language of the pages; `None`: the browser's.
    pub language: Option<Language>,
    /// The time zone of the pages; `None`: the browser's.
    pub time_zone: Option<TimeZone>,
    /// When the session ends at the latest. Without a request it ends earlier.
    pub ends_at: Time,
    /// How long the session lasts without a request.
    pub idle: Duration,
    /// The link.
    pub link_id: LinkId,
    /// The how-manieth opening of the link it is, from 1.
    pub ordinal: u16,
    /// The key of the session's form tokens.
    pub key: FormKey,
}

impl Visit {
    /// The sender of the person's commands.
    pub fn sender(&self) -> Sender {
        self.caller.sender(self.actor.clone())
    }

    /// Whether the link allows this type of command at all. The rules may still refuse it; see
    /// `Tasks::get_why` with this visit's caller, which asks both.
    pub fn allows_type(&self, command: CommandType) -> bool {
        self.reach().is_some_and(|reach| reach.allows_type(command))
    }

    /// Whether the link allows this very command. `Commands::post_event` asks the same again.
    ///
    /// # Errors
    ///
    /// When the link is for something else.
    pub fn allows(&self, command: &Command) -> Result<(), Refusal> {
        self.caller.check_reach(command)
    }

    /// Whether the task still waits for the decision of a `decide` link, and if not, why. Always
    /// open for other links, which are for no decision in particular.
    pub fn may_decide(&self, workflow: &Workflow, task: &Task) -> LinkState {
        self.bound_to.as_ref().map_or(LinkState::Open, |bound| bound.compare(workflow, task))
    }

    /// Whether this session reaches as far as `link` would, for the same party and person, so that
    /// it can stay when the link is opened in the same browser.
    pub fn covers(&self, link: &OpenLink) -> bool {
        let is_same_kind = self.kind == link.kind && self.bound_to == link.bound_to && self.manage >= link.manage;
        let is_wider = self.kind == LinkKind::Inbox && matches!(link.kind, LinkKind::Task | LinkKind::Decide);
        let is_same_task = self.task_id == link.task_id || self.kind == LinkKind::Inbox;
        self.is_same_person(link) && (is_wider || is_same_kind && is_same_task)
    }

    /// Whether `link` is for the same party and person.
    pub fn is_same_person(&self, link: &OpenLink) -> bool {
        let id = |actor: &Option<Actor>| actor.as_ref().map(|actor| actor.id.clone());
        self.caller.party() == link.party
            && self.caller.partner_id() == link.partner_id
            && self.caller.buyer_id() == link.buyer_id
            && id(&self.actor) == id(&link.actor)
    }

    fn reach(&self) -> Option<&Reach> {
        self.caller.through().map(|through: &Through| &through.reach)
    }
}

impl Links {
    /// What the address with this voucher leads to. Reads one row, and the task of a link that
    /// names one; writes nothing.
    pub async fn look(&self, _voucher: &str) -> Result<Standing, Error> {
        unfinished()
    }

    /// Opens a link: counts the opening and makes a session.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotOpen`] if the link does not open any more, also if another opening was
    /// faster; [`OpenError::TooMany`] beyond 10 tries a minute.
    pub async fn open(&self, _voucher: &str, _agent: Agent) -> Result<Opened, OpenError> {
        unfinished().map_err(OpenError::Failed)
    }

    /// Opens a link in a browser whose session stays, since it [covers](Visit::covers) the link:
    /// counts the opening and makes no session.
    ///
    /// # Errors
    ///
    /// As [`Links::open`].
    pub async fn open_within(&self, _voucher: &str, _agent: Agent, _visit: &Visit) -> Result<(), OpenError> {
        unfinished().map_err(OpenError::Failed)
    }

    /// The person who comes with this secret; `None` if the session is unknown or has ended, by
    /// itself, with its link or with the credential that made the link.
    pub async fn visit(&self, _secret: &str) -> Result<Option<Visit>, Error> {
        unfinished()
    }

    /// Ends a session. Ending it again changes nothing.
    pub async fn end_session(&self, _secret: &str) -> Result<(), Error> {
        unfinished()
    }

    /// "This is not me": ends a session and its link.
    pub async fn disown(&self, _secret: &str) -> Result<(), Error> {
        unfinished()
    }

    /// Counts a page of the session against its 120 a minute.
    ///
    /// # Errors
    ///
    /// The time to wait, beyond that.
    pub fn admit_page(&self, _visit: &Visit) -> Result<(), Duration> {
        Ok(())
    }

    /// Counts a command of the session against its 30 a minute.
    ///
    /// # Errors
    ///
    /// The time to wait, beyond that.
    pub fn admit_command(&self, _visit: &Visit) -> Result<(), Duration> {
        Ok(())
    }
}

impl Links {
    /// The origin of the public URL, such as `https://stagegate.example`; `None` if none is known.
    pub fn public_origin(&self) -> Option<&str> {
        None
    }
}
