//! The partners, for the platform's operators: their keys, and adding one.

use askama::Template;
use axum::extract::{Path, State};

use crate::app::partners::Partner;
use crate::domain::values::id::{KeyId, PartnerId};
use crate::domain::values::text::Name;
use crate::http::AppState;
use crate::pages::forms::{Fields, Form};
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::problem::{Kind, PageError};
use crate::pages::session::Visitor;
use crate::pages::texts::written;
use crate::pages::times::TimeTag;

use super::key_rows::{self, KeyForm, KeysPage};
use super::slips::{self, Slip};
use super::tasks::{by_name, outcome};
use super::{Answer, check_manage, enter_as_platform};
use crate::pages::query::Query;

const PATH: &str = "/partners";
/// The rows of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "console/partners.html", config = "src/pages/askama.toml")]
struct PartnersPage {
    frame: Frame,
    slips: Vec<Slip>,
    rows: Vec<PartnerRow>,
    next: Option<String>,
    /// The token of the form, and what was typed in it; none for those who may not.
    form: Option<(String, String)>,
}

struct PartnerRow {
    id: String,
    name: String,
    created: TimeTag,
}

/// The list of partners.
pub(super) async fn get_partners(visitor: Visitor, State(state): State<AppState>, query: Query) -> Answer {
    page(&visitor, &state, query, (String::new(), None)).await
}

async fn page(visitor: &Visitor, state: &AppState, mut query: Query, (typed, slip): (String, Option<Slip>)) -> Answer {
    enter_as_platform(visitor)?;
    let after: Option<PartnerId> = query.cursor();
    let listed = state.app.partners.list_partners(after, ROWS + 1).await;
    let mut partners = listed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let more = partners.len() > ROWS as usize;
    partners.truncate(ROWS as usize);
    let next = partners.last().filter(|_| more).map(|last| query.next(PATH, last.id));
    let frame = visitor.frame(visitor.untitled().t.text("console-partners"));
    let mut slips = slips::of(&query, &frame);
    slips.extend(slip);
    let (status, frame) = outcome(frame, &slips);
    let row = |partner: Partner| PartnerRow {
        id: partner.id.to_string(),
        name: partner.name.to_string(),
        created: frame.times.tag(&partner.created_at),
    };
    let rows = partners.into_iter().map(row).collect();
    let form = visitor.reach.manage.then(|| (visitor.form_token(PATH), typed));
    Ok(render(status, &PartnersPage { frame, slips, rows, next, form }))
}

/// Adds a partner.
pub(super) async fn post_partner(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    enter_as_platform(visitor)?;
    check_manage(visitor)?;
    let typed = form.fields.get("name").trim();
    let name = match Name::parse(typed) {
        Ok(name) => name,
        Err(error) => {
            let slip = Slip { field: "name", text: error.to_string() };
            return page(visitor, &state, Query::empty(&state), (typed.to_owned(), Some(slip))).await;
        }
    };
    let partner = state.app.partners.create_partner(&visitor.caller, None, name).await;
    let (partner, _) = partner.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(&format!("{PATH}/{}", partner.id)))
}

/// One partner with its keys.
pub(super) async fn get_partner(
    visitor: Visitor,
    State(state): State<AppState>,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let partner = find(&visitor, &state, &id).await?;
    keys(&visitor, &state, (&partner, query), (&Fields::default(), None)).await
}

async fn find(visitor: &Visitor, state: &AppState, id: &str) -> Result<Partner, PageError> {
    enter_as_platform(visitor)?;
    let id = by_name(id).ok_or_else(|| PageError::new(Kind::NotFound, visitor.untitled()))?;
    let partner = state.app.partners.get_partner(id).await;
    partner.map_err(|error| PageError::of(error, visitor.untitled()))
}

async fn keys(
    visitor: &Visitor,
    state: &AppState,
    (partner, mut query): (&Partner, Query),
    (fields, slip): (&Fields, Option<Slip>),
) -> Answer {
    let after: Option<KeyId> = query.cursor();
    let (place, base) = (format!("{PATH}/{}", partner.id), base(partner.id));
    let (rows, next) = key_rows::list(visitor, state, (partner.id, &base), after).await?;
    let name = partner.name.to_string();
    let frame = visitor.frame(visitor.untitled().t.with("console-partner-title", "name", written(&name)));
    let mut slips = slips::of(&query, &frame);
    slips.extend(slip);
    let (status, frame) = outcome(frame, &slips);
    let form = visitor.reach.manage.then(|| KeyForm::new(visitor, base, fields));
    let next = next.map(|key| query.next(&place, key));
    Ok(render(status, &KeysPage { frame, partner: Some((name, partner.id.to_string())), slips, rows, next, form }))
}

/// Where the keys of a partner are.
fn base(partner: PartnerId) -> String {
    format!("{PATH}/{partner}/keys")
}

/// Makes a key for a partner.
pub(super) async fn post_key(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let partner = find(visitor, &state, &id).await?;
    check_manage(visitor)?;
    let back = format!("{PATH}/{}", partner.id);
    let retry = async |slip| keys(visitor, &state, (&partner, Query::empty(&state)), (&form.fields, Some(slip))).await;
    key_rows::make(&state, &form, (partner.id, &back), retry).await
}

/// Asks whether to revoke a key.
pub(super) async fn get_revoke(
    visitor: Visitor,
    State(state): State<AppState>,
    Path((id, key)): Path<(String, String)>,
) -> Answer {
    let partner = find(&visitor, &state, &id).await?;
    check_manage(&visitor)?;
    let key = key_rows::key_of(&visitor, &key)?;
    key_rows::ask(&visitor, &state, (partner.id, key), (&base(partner.id), Vec::new())).await
}

/// Revokes a key.
pub(super) async fn post_revoke(
    State(state): State<AppState>,
    Path((id, key)): Path<(String, String)>,
    form: Form,
) -> Answer {
    let partner = find(&form.visitor, &state, &id).await?;
    check_manage(&form.visitor)?;
    let key = key_rows::key_of(&form.visitor, &key)?;
    let back = format!("{PATH}/{}", partner.id);
    key_rows::revoke(&state, &form, (partner.id, key), (&base(partner.id), &back)).await
}
