//! Who comes in, by which link, and how to end that.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::app::links::{Filter, LinkView, Opening, Revoke};
use crate::domain::link::{LinkKind, LinkState, NewLink, OpenMode};
use crate::domain::values::id::{ActorId, LinkId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::pages::forms::Form;
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;
use crate::pages::texts::written;
use crate::pages::times::TimeTag;

use super::once::{self, SecretPage};
use super::slips::{self, Slip};
use super::tasks::{by_name, outcome};
use super::{Answer, check_manage, enter, words};
use crate::pages::query::Query;

const PATH: &str = "/people";
/// The links of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "console/people.html", config = "src/pages/askama.toml")]
struct PeoplePage {
    frame: Frame,
    slips: Vec<Slip>,
    query: Query,
    people: Vec<Person>,
    next: Option<String>,
    /// The token of the form that makes a link for the visitor.
    link: Option<String>,
}

/// A person with the links of this page.
struct Person {
    /// Empty for a buyer, and for somebody who was erased.
    id: String,
    name: String,
    role: Option<String>,
    party: &'static str,
    links: Vec<LinkRow>,
    /// The token of the form that ends all links; none for those who may not.
    end_all: Option<String>,
}

struct LinkRow {
    path: String,
    kind: &'static str,
    task: Option<String>,
    state: &'static str,
    openings: u16,
    /// The sessions that have not ended.
    sessions: usize,
    /// When one of its sessions last asked for a page.
    seen: Option<TimeTag>,
    manage: bool,
    made_by: String,
    created: TimeTag,
    expires: TimeTag,
}

#[derive(Template)]
#[template(path = "console/link.html", config = "src/pages/askama.toml")]
struct LinkPage {
    frame: Frame,
    name: String,
    party: &'static str,
    row: LinkRow,
    opened: Vec<OpeningItem>,
    ended: Option<TimeTag>,
    /// The token of the form that ends it; none if it has ended, or for those who may not.
    end: Option<(String, String)>,
}

struct OpeningItem {
    ordinal: u16,
    agent: String,
    opened: TimeTag,
    seen: TimeTag,
    ends: TimeTag,
}

/// The links by person, the latest first.
pub(super) async fn get_people(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    enter(&visitor)?;
    let filter = Filter {
        task_id: query.read("task", by_name),
        actor: query.read("actor", |text| ActorId::parse(text).ok()),
        state: query.read("state", by_name::<LinkState>),
    };
    let before: Option<LinkId> = query.cursor();
    let frame = visitor.frame(visitor.untitled().t.text("console-people"));
    let slips = slips::of(&query, &frame);
    let (mut links, mut last) = (Vec::new(), None);
    if slips.is_empty() {
        let listed = state.app.links.list(&visitor.caller, &filter, before, ROWS).await;
        let failed = |error| PageError::of(error, visitor.untitled());
        (links, last) = listed.map_err(failed)?;
        state.app.links.add_openings(&mut links).await.map_err(failed)?;
    }
    let next = last.map(|last| query.next(PATH, last));
    let people = by_person(&links, &visitor, (&frame, state.app.clock().now()));
    let link = visitor.reach.manage.then(|| visitor.form_token("/people/link"));
    let (status, frame) = outcome(frame, &slips);
    Ok(render(status, &PeoplePage { frame, slips, query, people, next, link }))
}

/// The links of each person, those with the latest link first.
fn by_person(links: &[LinkView], visitor: &Visitor, (frame, now): (&Frame, Time)) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for link in links {
        let id = link.link.actor.as_ref().map(|actor| actor.id.to_string()).unwrap_or_default();
        let party = words::party(link.party);
        let known = people.iter().position(|person| person.id == id && person.party == party);
        let place = known.unwrap_or_else(|| {
            let can_end = visitor.reach.manage && !id.is_empty();
            people.push(Person {
                name: name(link, frame),
                role: link.link.actor.as_ref().and_then(|actor| actor.role.as_ref()).map(ToString::to_string),
                party,
                links: Vec::new(),
                end_all: can_end.then(|| visitor.form_token("/people/end-all")),
                id,
            });
            people.len() - 1
        });
        people[place].links.push(LinkRow::of(link, frame, now));
    }
    people
}

/// The person's name; the id where no name is known, and words for somebody without either.
fn name(link: &LinkView, frame: &Frame) -> String {
    match (&link.link.actor, link.party) {
        (Some(actor), _) => actor.name.as_ref().map_or_else(|| actor.id.to_string(), ToString::to_string),
        (None, Party::Buyer) => frame.t.text("console-person-buyer").into_owned(),
        (None, Party::Partner | Party::Platform) => frame.t.text("console-person-erased").into_owned(),
    }
}

impl LinkRow {
    fn of(view: &LinkView, frame: &Frame, now: Time) -> Self {
        let link = &view.link;
        let is_open = |opening: &&Opening| opening.ended_at.is_none() && opening.expires_at > now;
        Self {
            path: format!("{PATH}/{}", link.id),
            kind: words::link_kind(link.kind),
            task: link.task_id.map(|id| id.to_string()),
            state: words::link_state(view.state),
            openings: link.openings,
            sessions: view.openings.iter().filter(is_open).count(),
            seen: view.openings.iter().map(|opening| opening.last_seen_at).max().map(|at| frame.times.tag(&at)),
            manage: link.manage,
            made_by: link.made_by.to_string(),
            created: frame.times.tag(&link.created_at),
            expires: frame.times.tag(&link.expires_at),
        }
    }
}

/// One link with its openings.
pub(super) async fn get_link(visitor: Visitor, State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    enter(&visitor)?;
    let id = link_of(&visitor, &id)?;
    let link = state.app.links.get(&visitor.caller, id).await;
    let link = link.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let name = name(&link, visitor.untitled());
    let frame = visitor.frame(visitor.untitled().t.with("console-link-title", "name", written(&name)));
    let path = format!("{PATH}/{id}/end");
    let can_end = visitor.reach.manage && link.link.ended_at.is_none();
    let page = LinkPage {
        party: words::party(link.party),
        row: LinkRow::of(&link, &frame, state.app.clock().now()),
        opened: link.openings.iter().map(|opening| OpeningItem::of(opening, &frame)).collect(),
        ended: link.link.ended_at.map(|at| frame.times.tag(&at)),
        end: can_end.then(|| (visitor.form_token(&path), path)),
        name,
        frame,
    };
    Ok(render(StatusCode::OK, &page))
}

fn link_of(visitor: &Visitor, id: &str) -> Result<LinkId, PageError> {
    by_name(id).ok_or_else(|| PageError::new(Kind::NotFound, visitor.untitled()))
}

impl OpeningItem {
    fn of(opening: &Opening, frame: &Frame) -> Self {
        Self {
            ordinal: opening.ordinal,
            agent: opening.agent.as_str().to_owned(),
            opened: frame.times.tag(&opening.created_at),
            seen: frame.times.tag(&opening.last_seen_at),
            ends: frame.times.tag(&opening.ended_at.unwrap_or(opening.expires_at)),
        }
    }
}

/// Ends a link and its sessions.
pub(super) async fn post_end(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    enter(visitor)?;
    check_manage(visitor)?;
    let id = link_of(visitor, &id)?;
    let ended = state.app.links.end(&visitor.caller, id).await;
    ended.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(&format!("{PATH}/{id}")))
}

/// Ends every link and session of a person.
pub(super) async fn post_end_all(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    enter(visitor)?;
    check_manage(visitor)?;
    let person = ActorId::parse(form.fields.get("person"));
    let person = person.map_err(|_| PageError::new(Kind::Unreadable, visitor.untitled()))?;
    let ended = state.app.links.revoke(&visitor.caller, Revoke::Actor(person)).await;
    ended.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(PATH))
}

/// Makes a link to a task for the visitor, to see what a reviewer sees. It decides nothing.
pub(super) async fn post_link(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    enter(visitor)?;
    check_manage(visitor)?;
    let task = by_name(form.fields.get("task").trim());
    let task = task.ok_or_else(|| PageError::new(Kind::NotFound, visitor.untitled()))?;
    if !once::is_first(&form) {
        return Ok(once::again(&form));
    }
    let new = NewLink {
        kind: LinkKind::Task,
        task_id: Some(task),
        actor: visitor.actor.clone(),
        party: None,
        open: OpenMode::Click,
        expires_in: None,
        session_for: None,
        manage: false,
        language: None,
        time_zone: None,
    };
    let made = state.app.links.issue(&visitor.caller, new).await;
    let (_, voucher) = made.map_err(|error| {
        once::forget(&form);
        PageError::of(error, visitor.untitled())
    })?;
    let origin = state.app.links.public_origin().unwrap_or_default();
    let t = visitor.untitled().t;
    Ok(once::show(&SecretPage {
        frame: visitor.frame(t.text("console-own-link-title")),
        secret: format!("{origin}/go/{}", voucher.reveal()),
        text: t.text("console-own-link-text").into_owned(),
        back: PATH.to_owned(),
    }))
}
