//! The keys of a partner, as its own console and the platform's show them.

use axum::http::StatusCode;
use axum::response::Response;

use askama::Template;

use crate::app::links::Filter;
use crate::app::partners::{Key, Wanted};
use crate::domain::link::LinkState;
use crate::domain::partner::rights::Rights;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::id::{ActorId, KeyId, PartnerId};
use crate::domain::values::scope::Scope;
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::pages::forms::{Fields, Form};
use crate::pages::frame::{Frame, render};
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;
use crate::pages::times::{TimeTag, typed_time};

use super::Answer;
use super::once::{self, SecretPage};
use super::slips::{self, Slip};
use super::tasks::by_name;

/// The most keys that a partner can have in total is more than a page shows at a time.
const ROWS: u32 = 100;
/// Among how many links those of a key are counted.
const LINKS: u32 = 500;

/// A key in a table.
pub(super) struct KeyRow {
    pub(super) id: String,
    pub(super) hint: String,
    pub(super) label: Option<String>,
    pub(super) scopes: String,
    /// The only people that it can name; none: any.
    pub(super) actors: Option<String>,
    pub(super) made_by: Option<String>,
    pub(super) created: TimeTag,
    pub(super) expires: Option<TimeTag>,
    pub(super) revoked: Option<TimeTag>,
    /// Where it is revoked; none if it is, or for those who may not.
    pub(super) revoke: Option<String>,
}

/// The form for a new key, as it was filled in.
pub(super) struct KeyForm {
    pub(super) path: String,
    pub(super) token: String,
    pub(super) label: String,
    pub(super) scopes: Vec<(&'static str, bool)>,
    pub(super) actors: String,
    pub(super) expires_at: String,
}

#[derive(Template)]
#[template(path = "console/keys.html", config = "src/pages/askama.toml")]
pub(super) struct KeysPage {
    pub(super) frame: Frame,
    /// The partner's name and id, on the platform's page.
    pub(super) partner: Option<(String, String)>,
    pub(super) slips: Vec<Slip>,
    pub(super) rows: Vec<KeyRow>,
    pub(super) next: Option<String>,
    pub(super) form: Option<KeyForm>,
}

#[derive(Template)]
#[template(path = "console/revoke.html", config = "src/pages/askama.toml")]
struct RevokePage {
    frame: Frame,
    slips: Vec<Slip>,
    row: KeyRow,
    /// How many other keys end with it.
    keys: usize,
    links: usize,
    sessions: u32,
    are_links_counted: bool,
    path: String,
    form: String,
    back: String,
}

/// A page of the keys of a partner, the oldest first, and where the next one begins.
pub(super) async fn list(
    visitor: &Visitor,
    state: &AppState,
    (partner, base): (PartnerId, &str),
    after: Option<KeyId>,
) -> Result<(Vec<KeyRow>, Option<KeyId>), PageError> {
    let keys = state.app.partners.list_partner_keys(partner, after, ROWS + 1).await;
    let mut keys = keys.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let more = keys.len() > ROWS as usize;
    keys.truncate(ROWS as usize);
    let next = keys.last().filter(|_| more).map(|last| last.id);
    Ok((keys.iter().map(|key| KeyRow::of(key, visitor, base)).collect(), next))
}

impl KeyRow {
    fn of(key: &Key, visitor: &Visitor, base: &str) -> Self {
        let times = visitor.untitled().times;
        let scopes: Vec<&str> = key.rights.scopes.iter().map(Scope::as_str).collect();
        let actors = key.rights.actors.as_ref();
        let can_revoke = visitor.reach.manage && key.revoked_at.is_none();
        Self {
            id: key.id.to_string(),
            hint: key.hint.clone(),
            label: key.label.as_ref().map(ToString::to_string),
            scopes: scopes.join(", "),
            actors: actors.map(|actors| actors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            made_by: key.made_by.map(|id| id.to_string()),
            created: times.tag(&key.created_at),
            expires: key.rights.expires_at.map(|at| times.tag(&at)),
            revoked: key.revoked_at.map(|at| times.tag(&at)),
            revoke: can_revoke.then(|| format!("{base}/{}/revoke", key.id)),
        }
    }
}

impl KeyForm {
    /// The form, with the scopes that the visitor's keys may have.
    pub(super) fn new(visitor: &Visitor, path: String, fields: &Fields) -> Self {
        let own = visitor.caller.rights();
        let scopes = Scope::ALL.into_iter().filter(|scope| own.is_none_or(|own| own.scopes.include(*scope)));
        let chosen = |scope: Scope| fields.all("scope").any(|name| name == scope.as_str());
        Self {
            token: visitor.form_token(&path),
            path,
            label: fields.get("label").to_owned(),
            scopes: scopes.map(|scope| (scope.as_str(), chosen(scope))).collect(),
            actors: fields.get("actors").to_owned(),
            expires_at: fields.get("expires_at").to_owned(),
        }
    }
}

/// The key that a form asks for.
fn wanted(fields: &Fields, now: Time) -> Result<Wanted, Slip> {
    let wrong = |field: &'static str, text: String| Slip { field, text };
    let label = fields.filled("label").map(Name::parse).transpose();
    let label = label.map_err(|error| wrong("label", error.to_string()))?;
    let scopes: Option<Vec<Scope>> = fields.all("scope").map(Scope::parse).collect();
    let scopes = scopes.ok_or_else(|| wrong("scope", "?".to_owned()))?;
    let actors = fields.get("actors").lines().map(str::trim).filter(|line| !line.is_empty());
    let actors: Result<Vec<ActorId>, _> = actors.map(ActorId::parse).collect();
    let actors = actors.map_err(|error| wrong("actors", error.to_string()))?;
    let expires_at = fields.filled("expires_at").map(|text| typed_time(text).ok_or(text)).transpose();
    let expires_at = expires_at.map_err(|text| wrong("expires_at", text.to_owned()))?;
    let actors = Some(actors).filter(|actors| !actors.is_empty());
    let rights = Rights::new(Some(scopes), actors, expires_at, now).map_err(|refusal| {
        let Refusal::Invalid { pointer, message, .. } = refusal else { return wrong("label", refusal.to_string()) };
        wrong(field_of(&pointer), message)
    })?;
    Ok(Wanted { label, rights })
}

fn field_of(pointer: &str) -> &'static str {
    match pointer.split('/').nth(1) {
        Some("scopes") => "scope",
        Some("actors") => "actors",
        Some("expires_at") => "expires_at",
        _ => "label",
    }
}

/// Makes a key and shows it once; `retry` renders the form again with a mistake.
pub(super) async fn make(
    state: &AppState,
    form: &Form,
    (partner, back): (PartnerId, &str),
    retry: impl AsyncFnOnce(Slip) -> Answer,
) -> Answer {
    let visitor = &form.visitor;
    let wanted = match wanted(&form.fields, state.app.clock().now()) {
        Ok(wanted) => wanted,
        Err(slip) => return retry(slip).await,
    };
    if !once::is_first(form) {
        return Ok(once::again(form));
    }
    let made = match state.app.partners.create_partner_key(&visitor.caller, partner, wanted).await {
        Ok(made) => made,
        Err(error) => {
            once::forget(form);
            return retry(slips::refused(error, visitor.untitled(), field_of)?).await;
        }
    };
    let t = visitor.untitled().t;
    Ok(once::show(&SecretPage {
        frame: visitor.frame(t.with("console-key-made-title", "hint", made.record.hint.as_str())),
        secret: made.secret.reveal().to_owned(),
        text: t.text("console-key-made-text").into_owned(),
        back: back.to_owned(),
    }))
}

/// Asks whether to revoke a key, and names what ends with it.
pub(super) async fn ask(
    visitor: &Visitor,
    state: &AppState,
    (partner, key): (PartnerId, KeyId),
    (base, slips): (&str, Vec<Slip>),
) -> Result<Response, PageError> {
    let failed = |error| PageError::of(error, visitor.untitled());
    let found = state.app.partners.get_partner_key(partner, key).await.map_err(failed)?;
    let ending = state.app.partners.list_dependent_keys(partner, key).await.map_err(failed)?;
    // The platform does not see a partner's links.
    let is_own = visitor.caller.partner_id() == Some(partner);
    let (links, sessions) = if is_own { count_links(visitor, state, &ending).await? } else { (0, 0) };
    let path = format!("{base}/{key}/revoke");
    let frame = visitor.frame(visitor.untitled().t.with("console-revoke-title", "hint", found.hint.as_str()));
    let status = if slips.is_empty() { StatusCode::OK } else { StatusCode::FORBIDDEN };
    let page = RevokePage {
        frame,
        slips,
        row: KeyRow::of(&found, visitor, base),
        keys: ending.len().saturating_sub(1),
        links,
        sessions,
        are_links_counted: is_own,
        form: visitor.form_token(&path),
        path,
        back: base.trim_end_matches("/keys").to_owned() + if is_own { "/keys" } else { "" },
    };
    Ok(render(status, &page))
}

/// The open links that these keys made, among the latest, and how often they were opened.
async fn count_links(visitor: &Visitor, state: &AppState, keys: &[KeyId]) -> Result<(usize, u32), PageError> {
    let filter = Filter { state: Some(LinkState::Open), ..Filter::default() };
    let links = state.app.links.list(&visitor.caller, &filter, None, LINKS).await;
    let (links, _) = links.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let ending = links.iter().filter(|view| view.link.key_id.is_some_and(|key| keys.contains(&key)));
    Ok(ending.fold((0, 0), |(count, sessions), view| (count + 1, sessions + u32::from(view.link.openings))))
}

/// Revokes a key.
pub(super) async fn revoke(
    state: &AppState,
    form: &Form,
    (partner, key): (PartnerId, KeyId),
    (base, back): (&str, &str),
) -> Answer {
    let visitor = &form.visitor;
    match state.app.partners.revoke_partner_key(&visitor.caller, partner, key).await {
        Ok(()) => Ok(crate::pages::links::go_to(back)),
        Err(error) => {
            let slip = slips::refused(error, visitor.untitled(), |_| "revoke")?;
            ask(visitor, state, (partner, key), (base, vec![slip])).await
        }
    }
}

/// The key with this id.
pub(super) fn key_of(visitor: &Visitor, id: &str) -> Result<KeyId, PageError> {
    by_name(id).ok_or_else(|| PageError::new(Kind::NotFound, visitor.untitled()))
}
