//! The secrets of an endpoint: the next one is shown once, in the answer to the form.

use axum::extract::{Path, State};

use crate::http::AppState;
use crate::pages::forms::Form;
use crate::pages::links::go_to;
use crate::pages::problem::PageError;

use super::once::{self, SecretPage};
use super::webhooks::key_of;
use super::{Answer, check_manage};

/// Makes the endpoint's next secret.
pub(super) async fn post_rotate(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    if !once::is_first(&form) {
        return Ok(once::again(&form));
    }
    let made = state.app.webhooks.endpoints.rotate_webhook_secret(&key).await;
    let made = made.map_err(|error| {
        once::forget(&form);
        PageError::of(error, visitor.untitled())
    })?;
    let t = visitor.untitled().t;
    Ok(once::show(&SecretPage {
        frame: visitor.frame(t.with("console-rotated-title", "id", id.as_str())),
        secret: made.secret.reveal().to_owned(),
        text: t.text("console-rotated-text").into_owned(),
        back: format!("/webhooks/{id}"),
    }))
}

/// Signs with the next secret alone from now on.
pub(super) async fn post_activate(State(state): State<AppState>, Path(id): Path<String>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let key = key_of(visitor, &id)?;
    check_manage(visitor)?;
    let activated = state.app.webhooks.endpoints.activate_webhook_secret(&key).await;
    activated.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(&format!("/webhooks/{id}?done=activated")))
}
