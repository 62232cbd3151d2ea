//! The keys of the partner whose console it is.

use axum::extract::{Path, State};

use crate::domain::values::id::KeyId;
use crate::http::AppState;
use crate::pages::forms::{Fields, Form};
use crate::pages::frame::render;
use crate::pages::session::Visitor;

use super::key_rows::{self, KeyForm, KeysPage};
use super::slips::{self, Slip};
use super::tasks::outcome;
use super::{Answer, check_manage, enter_as_partner};
use crate::pages::query::Query;

const PATH: &str = "/keys";

/// The list, and for those who may the form for another one.
pub(super) async fn get_keys(visitor: Visitor, State(state): State<AppState>, query: Query) -> Answer {
    page(&visitor, &state, query, (&Fields::default(), None)).await
}

async fn page(
    visitor: &Visitor,
    state: &AppState,
    mut query: Query,
    (fields, slip): (&Fields, Option<Slip>),
) -> Answer {
    let partner = enter_as_partner(visitor)?;
    let after: Option<KeyId> = query.cursor();
    let (rows, next) = key_rows::list(visitor, state, (partner, PATH), after).await?;
    let frame = visitor.frame(visitor.untitled().t.text("console-keys"));
    let mut slips = slips::of(&query, &frame);
    slips.extend(slip);
    let (status, frame) = outcome(frame, &slips);
    let form = visitor.reach.manage.then(|| KeyForm::new(visitor, PATH.to_owned(), fields));
    let next = next.map(|key| query.next(PATH, key));
    Ok(render(status, &KeysPage { frame, partner: None, slips, rows, next, form }))
}

/// Makes a key.
pub(super) async fn post_key(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let partner = enter_as_partner(visitor)?;
    check_manage(visitor)?;
    let retry = async |slip| page(visitor, &state, Query::empty(&state), (&form.fields, Some(slip))).await;
    key_rows::make(&state, &form, (partner, PATH), retry).await
}

/// Asks whether to revoke a key.
pub(super) async fn get_revoke(visitor: Visitor, State(state): State<AppState>, Path(key): Path<String>) -> Answer {
    let partner = enter_as_partner(&visitor)?;
    check_manage(&visitor)?;
    let key = key_rows::key_of(&visitor, &key)?;
    key_rows::ask(&visitor, &state, (partner, key), (PATH, Vec::new())).await
}

/// Revokes a key.
pub(super) async fn post_revoke(State(state): State<AppState>, Path(key): Path<String>, form: Form) -> Answer {
    let partner = enter_as_partner(&form.visitor)?;
    check_manage(&form.visitor)?;
    let key = key_rows::key_of(&form.visitor, &key)?;
    key_rows::revoke(&state, &form, (partner, key), (PATH, PATH)).await
}
