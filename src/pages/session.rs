//! Who visits a page: the cookie, and the session that it names.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tracing::Span;
use uuid::Uuid;

use crate::app::Caller;
use crate::app::links::Visit;
use crate::domain::calendar::TimeZone;
use crate::domain::link::{LinkKind, Reach, SessionSecret};
use crate::domain::values::id::CommandId;
use crate::domain::values::language::Language;
use crate::domain::values::party::{Actor, Party};
use crate::http::AppState;
use crate::http::input::body::budget::Share;
use crate::ids;

use super::frame::{self, Acting, Entry, Frame};
use super::problem::{Kind, PageError};

/// Somebody with a valid session. The extractor of every page that is for people who came in.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// The caller for every use case: bound to the person, and of no further reach than the link.
    pub(super) caller: Caller,
    /// The person; none for a buyer.
    pub(super) actor: Option<Actor>,
    /// What the session may see and send.
    pub(super) reach: Reach,
    /// The session.
    pub(super) visit: Visit,
    frame: Frame,
}

impl Visitor {
    /// The party that the visitor acts for.
    pub(super) fn party(&self) -> Party {
        self.caller.party()
    }

    /// The frame of a page with this title.
    pub(super) fn frame(&self, title: impl Into<String>) -> Frame {
        self.frame.titled(title)
    }

    /// The frame, for words and times; without a title.
    pub(super) fn untitled(&self) -> &Frame {
        &self.frame
    }

    /// A fresh token for a form that is posted to `path`: it proves that this session rendered the
    /// form, and its id is the id of the command.
    pub(super) fn form_token(&self, path: &str) -> String {
        form_token(&self.visit, ids::new(), path)
    }

    /// The token for a form that goes on with the command `id`: one that is sent again after a
    /// mistake was mended has another effect, so it gets a fresh token instead.
    pub(super) fn form_id(&self, token: &str, path: &str) -> Option<CommandId> {
        let (id, _) = token.split_once('.')?;
        let id = Uuid::try_parse(id).ok()?;
        let is_ours = subtle::ConstantTimeEq::ct_eq(form_token(&self.visit, id, path).as_bytes(), token.as_bytes());
        bool::from(is_ours).then_some(CommandId(id))
    }
}

fn form_token(visit: &Visit, id: Uuid, path: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(visit.key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(id.as_bytes());
    mac.update(path.as_bytes());
    format!("{id}.{}", hex::encode(mac.finalize().into_bytes()))
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let frame = Frame::of(&parts.headers);
        let visit = current(&parts.headers, state).await.map_err(|error| PageError::of(error, &frame))?;
        let visit = visit.ok_or_else(|| PageError::new(Kind::NoSession, &frame))?;
        let is_wait = parts.uri.query().is_some_and(|query| query.contains("part=live"));
        if !is_wait {
            let admitted = state.app.links.admit_page(&visit);
            admitted.map_err(|wait| PageError::new(Kind::TooMany(wait.as_secs().max(1)), &frame))?;
        }
        let visitor = visitor(visit, &parts.headers, parts.uri.path());
        parts.extensions.insert(Share::of(&visitor.caller));
        let span = Span::current();
        if !span.is_disabled() {
            span.record("caller", tracing::field::display(visitor.caller.credential_id()));
        }
        Ok(visitor)
    }
}

/// The session that a browser's cookie names, if it is valid.
pub(super) async fn current(headers: &HeaderMap, state: &AppState) -> Result<Option<Visit>, crate::app::Error> {
    let Some(secret) = secret(headers, state) else { return Ok(None) };
    state.app.links.visit(secret).await
}

/// The secret in a browser's cookie.
pub(super) fn secret<'a>(headers: &'a HeaderMap, state: &AppState) -> Option<&'a str> {
    frame::cookie(headers, cookie_name(is_secure(state)))
}

/// Describes a visitor with everything that the frame of a page shows.
pub(super) fn visitor(visit: Visit, headers: &HeaderMap, path: &str) -> Visitor {
    let language = frame::language(headers, visit.language.as_ref().map(Language::as_str));
    let mut frame = Frame::new(language, visit.time_zone.map(TimeZone::tz));
    let reach = visit.caller.through().map(|through| through.reach.clone()).expect("a visit goes through a link");
    frame.acting = Some(Acting {
        name: name(&visit),
        party: match visit.caller.party() {
            Party::Partner => "acting-partner",
            Party::Platform => "acting-platform",
            Party::Buyer => "acting-buyer",
        },
        role: visit.actor.as_ref().and_then(|actor| actor.role.as_ref()).map(ToString::to_string),
        is_mailed: matches!(reach.kind, LinkKind::Decide | LinkKind::Task) && visit.actor.is_some(),
        form: form_token(&visit, ids::new(), END_PATH),
    });
    frame.navigation = navigation(&reach, path);
    Visitor { caller: visit.caller.clone(), actor: visit.actor.clone(), reach, visit, frame }
}

/// Where the form that ends the session goes.
pub(super) const END_PATH: &str = "/session/end";

/// The name of the visit's person; the id where no name is known.
pub(super) fn name(visit: &Visit) -> String {
    visit
        .actor
        .as_ref()
        .map_or_else(String::new, |actor| actor.name.as_ref().map_or_else(|| actor.id.to_string(), ToString::to_string))
}

/// The pages that a session reaches, for the navigation. A session for one task has none.
fn navigation(reach: &Reach, path: &str) -> Vec<Entry> {
    let entries: &[(&'static str, &'static str)] = match (reach.kind, reach.party) {
        (LinkKind::Decide | LinkKind::Task, _) | (LinkKind::Console, Party::Buyer) => &[],
        (LinkKind::Inbox, Party::Buyer) => &[("/tasks", "nav-tasks")],
        (LinkKind::Inbox, Party::Partner | Party::Platform) => &[("/inbox", "nav-inbox")],
        (LinkKind::Console, Party::Partner) => &[
            ("/tasks", "nav-tasks"),
            ("/workflows", "nav-workflows"),
            ("/webhooks", "nav-webhooks"),
            ("/deliveries", "nav-deliveries"),
            ("/insights", "nav-insights"),
            ("/people", "nav-people"),
            ("/absences", "nav-absences"),
            ("/keys", "nav-keys"),
        ],
        (LinkKind::Console, Party::Platform) => &[
            ("/tasks", "nav-tasks"),
            ("/webhooks", "nav-webhooks"),
            ("/deliveries", "nav-deliveries"),
            ("/insights", "nav-insights"),
            ("/people", "nav-people"),
            ("/partners", "nav-partners"),
            ("/erasures", "nav-erasures"),
        ],
    };
    let is_current = |entry: &str| path == entry || path.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/'));
    entries.iter().map(|(to, text)| Entry { path: to, text, is_current: is_current(to) }).collect()
}

/// The first page of a session.
pub(super) fn first_page(reach: &Reach) -> String {
    match (reach.kind, reach.task_id, reach.party) {
        (LinkKind::Decide | LinkKind::Task | LinkKind::Inbox, Some(task), _) => format!("/tasks/{task}"),
        (LinkKind::Inbox, None, Party::Partner | Party::Platform) => "/inbox".to_owned(),
        (LinkKind::Decide | LinkKind::Task | LinkKind::Inbox | LinkKind::Console, _, _) => "/tasks".to_owned(),
    }
}

/// Whether browsers reach the pages over TLS. Cookies then have the prefix `__Host-` and `Secure`.
fn is_secure(state: &AppState) -> bool {
    state.app.links.public_origin().is_some_and(|origin| origin.starts_with("https://"))
}

/// Over plain http the name has no prefix: Safari drops `Secure` cookies of `http://localhost`.
fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-stagegate" } else { "stagegate" }
}

/// The header that gives a browser its session.
pub(super) fn set_cookie(secret: &SessionSecret, seconds: i64, state: &AppState) -> HeaderValue {
    cookie(secret.reveal(), seconds, is_secure(state))
}

/// The header that takes it away again.
pub(super) fn clear_cookie(state: &AppState) -> HeaderValue {
    cookie("", 0, is_secure(state))
}

/// `Lax` and not `Strict`, so that the first page after following a mail finds the session. No `GET`
/// changes anything.
fn cookie(value: &str, seconds: i64, is_secure: bool) -> HeaderValue {
    let name = cookie_name(is_secure);
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("a secret has the characters of a header")
}

/// The header's name.
pub(super) const SET_COOKIE: header::HeaderName = header::SET_COOKIE;
