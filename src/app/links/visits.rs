//! What the pages need: what an address leads to, opening it, and who comes with a session.

use std::sync::Arc;
use std::time::Duration;

use crate::app::access::{Caller, Through};
use crate::app::error::Error;
use crate::domain::calendar::TimeZone;
use crate::domain::link::{
    Agent, BoundTo, FormKey, LinkKind, LinkState, OpenMode, Reach, SecretHash, SessionSecret, Voucher, scopes_of,
};
use crate::domain::partner::rights::Rights;
use crate::domain::task::Task;
use crate::domain::task::command::{Command, CommandType};
use crate::domain::task::refusal::Refusal;
use crate::domain::values::credential;
use crate::domain::values::id::{ActorId, BuyerId, LinkId, PartnerId, TaskId};
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;
use crate::store::links::sessions::{self, Open, Session};
use crate::store::links::{Found, Link, LinkOwner};
use crate::{ids, store};

use super::{Links, Seat};

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

    fn session(&self) -> (LinkId, u16) {
        (self.link_id, self.ordinal)
    }

    fn reach(&self) -> Option<&Reach> {
        self.caller.through().map(|through: &Through| &through.reach)
    }
}

impl Links {
    /// What the address with this voucher leads to. Reads one row, and the task of a link that
    /// leads to one; writes nothing.
    pub async fn look(&self, voucher: &str) -> Result<Standing, Error> {
        let Some(voucher) = Voucher::parse(voucher) else { return Ok(Standing::Unknown) };
        Ok(self.find_open(&voucher).await?.1)
    }

    /// Opens a link: counts the opening and makes a session.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotOpen`] if the link does not open any more, also if another opening was
    /// faster; [`OpenError::TooMany`] beyond 10 tries a minute.
    pub async fn open(&self, voucher: &str, agent: Agent) -> Result<Opened, OpenError> {
        let secret = SessionSecret::from_random(self.cell.name(), &ids::random());
        self.count_opening(voucher, agent, Some(secret.hash())).await?;
        let visit = self.visit(secret.reveal()).await?;
        let visit = visit.ok_or(OpenError::NotOpen(Standing::Unknown))?;
        tracing::info!(link = %visit.link_id, opening = visit.ordinal, "link opened");
        Ok(Opened { secret, visit })
    }

    /// Opens a link in a browser whose session stays, since it [covers](Visit::covers) the link:
    /// counts the opening and makes no session.
    ///
    /// # Errors
    ///
    /// As [`Links::open`], and [`OpenError::NotOpen`] for a session that does not cover the link.
    pub async fn open_within(&self, voucher: &str, agent: Agent, visit: &Visit) -> Result<(), OpenError> {
        let standing = self.look(voucher).await?;
        match &standing {
            Standing::Open(link) if visit.covers(link) => self.count_opening(voucher, agent, None).await,
            Standing::Open(_) | Standing::Closed { .. } | Standing::Unknown => Err(OpenError::NotOpen(standing)),
        }
    }

    async fn count_opening(&self, voucher: &str, agent: Agent, secret: Option<SecretHash>) -> Result<(), OpenError> {
        let voucher = Voucher::parse(voucher).ok_or(OpenError::NotOpen(Standing::Unknown))?;
        let found = store::links::find_by_secret(&self.pool, voucher.hash()).await.map_err(Error::from)?;
        let found = found.ok_or(OpenError::NotOpen(Standing::Unknown))?;
        self.limits.opened.check(&found.link.id).map_err(OpenError::TooMany)?;
        let (link, standing) = self.standing_of(found).await?;
        let Some(link) = link else { return Err(OpenError::NotOpen(standing)) };
        let open = Open { link: &link, secret, agent, at: self.clock.now() };
        match sessions::open(&self.pool, open).await.map_err(Error::from)? {
            Some(_) => Ok(()),
            None => Err(OpenError::NotOpen(self.find_open(&voucher).await?.1)),
        }
    }

    /// The link with this voucher, if it opens, and what its address leads to.
    async fn find_open(&self, voucher: &Voucher) -> Result<(Option<Link>, Standing), Error> {
        let Some(found) = store::links::find_by_secret(&self.pool, voucher.hash()).await? else {
            return Ok((None, Standing::Unknown));
        };
        self.standing_of(found).await
    }

    /// The link, if it opens, and where it stands.
    async fn standing_of(&self, found: Found) -> Result<(Option<Link>, Standing), Error> {
        let state = self.state(&found).await?;
        let link = found.link;
        if state.is_closed() {
            return Ok((None, Standing::Closed { kind: link.kind, state, language: link.language }));
        }
        let open = OpenLink {
            id: link.id,
            kind: link.kind,
            open: link.open,
            party: link.owner.party(),
            partner_id: link.owner.partner(),
            buyer_id: link.owner.buyer(),
            actor: link.actor.clone(),
            task_id: link.task_id,
            bound_to: link.bound_to.clone(),
            manage: link.manage,
            language: link.language.clone(),
            time_zone: link.time_zone,
        };
        Ok((Some(link), Standing::Open(Box::new(open))))
    }

    /// The person who comes with this secret; `None` if the session is unknown or has ended, by
    /// itself, with its link or with the credential that made the link.
    pub async fn visit(&self, secret: &str) -> Result<Option<Visit>, Error> {
        let Some(secret) = SessionSecret::parse(secret) else { return Ok(None) };
        let Some(known) = self.sessions.find(&self.pool, secret.hash()).await? else { return Ok(None) };
        let (session, now) = (&known.session, self.clock.now());
        let idle = session.link.kind.lifetimes(session.link.open).idle;
        let is_over = now >= session.opening.expires_at || now >= known.last_seen() + idle;
        if is_over || !self.is_vouched_for(&session.link) {
            return Ok(None);
        }
        let Some(visit) = visit_of(session, &secret)? else { return Ok(None) };
        if known.is_seen(now) {
            sessions::touch(&self.pool, visit.link_id, visit.ordinal, now).await?;
        }
        Ok(Some(visit))
    }

    /// Ends a session. Ending it again changes nothing.
    pub async fn end_session(&self, secret: &str) -> Result<(), Error> {
        let Some(secret) = SessionSecret::parse(secret) else { return Ok(()) };
        sessions::end(&self.pool, secret.hash(), self.clock.now()).await?;
        self.sessions.leave(secret.hash()).await;
        Ok(())
    }

    /// "This is not me": ends the session's link, and with it all its sessions. A session that has
    /// ended by then changes nothing.
    pub async fn disown(&self, secret: &str) -> Result<(), Error> {
        let Some(visit) = self.visit(secret).await? else { return Ok(()) };
        let found = store::links::find(&self.pool, visit.link_id).await?;
        match found.filter(|found| found.link.ended_at.is_none()) {
            Some(found) => self.end_link(&visit.caller, &found.link).await,
            None => Ok(()),
        }
    }

    /// Counts a page of the session against its 120 a minute.
    ///
    /// # Errors
    ///
    /// The time to wait, beyond that.
    pub fn admit_page(&self, visit: &Visit) -> Result<(), Duration> {
        self.limits.pages.check(&visit.session())
    }

    /// Counts a command of the session against its 30 a minute.
    ///
    /// # Errors
    ///
    /// The time to wait, beyond that.
    pub fn admit_command(&self, visit: &Visit) -> Result<(), Duration> {
        self.limits.commands.check(&visit.session())
    }

    /// A place for a waiting request of the session, which may have 6; the oldest is ended then.
    pub fn wait(&self, visit: &Visit) -> Seat {
        self.limits.waits.take(visit.session())
    }
}

/// The sender of what the owner's `actor` would do through a link that `maker` makes.
pub(super) fn sender_of(owner: LinkOwner, maker: &Caller, actor: Option<Actor>) -> Sender {
    let actor = owner.buyer().map(|buyer| actor_of(buyer).into()).or(actor);
    let credential_id = maker.credential_id();
    Sender { party: owner.party(), bound: actor.is_some(), admitted: true, actor, credential_id }
}

fn actor_of(buyer: BuyerId) -> ActorId {
    ActorId::parse(buyer.to_string()).expect("a UUID is a short text")
}

/// The person of a session; none once the person was erased or taken out of the key.
fn visit_of(session: &Session, secret: &SessionSecret) -> Result<Option<Visit>, Error> {
    let Session { link, opening, rights } = session;
    let Some(caller) = caller_of(link, opening.ordinal, (rights.as_ref(), opening.expires_at))? else {
        return Ok(None);
    };
    Ok(Some(Visit {
        caller,
        actor: link.actor.clone(),
        kind: link.kind,
        task_id: link.task_id,
        bound_to: link.bound_to.clone(),
        manage: link.manage,
        language: link.language.clone(),
        time_zone: link.time_zone,
        ends_at: opening.expires_at,
        idle: link.kind.lifetimes(link.open).idle.to_std().unwrap_or_default(),
        link_id: link.id,
        ordinal: opening.ordinal,
        key: secret.form_key(),
    }))
}

fn caller_of(link: &Link, ordinal: u16, (rights, ends_at): (Option<&Rights>, Time)) -> Result<Option<Caller>, Error> {
    let credential_id = credential::of_session(link.id, ordinal, &link.made_by)
        .map_err(|_| Error::impossible("a credential with a long name"))?;
    let reach = Reach {
        kind: link.kind,
        party: link.owner.party(),
        task_id: link.task_id,
        bound_to: link.bound_to.clone(),
        manage: link.manage,
    };
    let through = Some(Arc::new(Through { credential_id: credential_id.clone(), reach, ends_at }));
    let person = link.actor.as_ref().map(|actor| actor.id.clone());
    Ok(match (link.owner, person) {
        (LinkOwner::Partner(partner_id), Some(person)) => {
            let Some((key, key_id)) = rights.filter(|key| key.admits(&person)).zip(link.key_id) else {
                return Ok(None);
            };
            let scopes = scopes_of(link.kind, link.manage, key.scopes);
            let rights = Arc::new(Rights { scopes, actors: Some(vec![person]), expires_at: Some(ends_at) });
            Some(Caller::Partner { partner_id, key_id, rights, through })
        }
        (LinkOwner::Platform, person @ Some(_)) => Some(Caller::Platform { credential_id, person, through }),
        (LinkOwner::Buyer(buyer_id), _) => {
            Some(Caller::Buyer { buyer_id, credential_id, expires_at: ends_at, through })
        }
        (LinkOwner::Partner(_) | LinkOwner::Platform, None) => None,
    })
}
