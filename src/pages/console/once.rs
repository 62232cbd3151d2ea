//! Forms whose answer shows a secret: the same form twice makes one secret, so that a double click or
//! a reload does not replace the secret that was just shown.

use std::sync::LazyLock;
use std::time::Duration;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use moka::sync::Cache;

use crate::domain::values::id::CommandId;
use crate::pages::forms::Form;
use crate::pages::frame::{Frame, render};

/// The ids of forms that were answered, longer than anybody waits before pressing reload. Ids are
/// unique across services, so one list of a process is enough.
static ANSWERED: LazyLock<Cache<CommandId, ()>> =
    LazyLock::new(|| Cache::builder().max_capacity(10_000).time_to_live(Duration::from_hours(1)).build());

/// The page of a form that was answered before.
#[derive(Template)]
#[template(path = "message.html", config = "src/pages/askama.toml")]
struct Message {
    frame: Frame,
    text: String,
}

/// Whether the form comes for the first time.
pub(super) fn is_first(form: &Form) -> bool {
    ANSWERED.entry(form.id).or_insert(()).is_fresh()
}

/// Lets the form be sent again, since it had no effect.
pub(super) fn forget(form: &Form) {
    ANSWERED.invalidate(&form.id);
}

/// The answer to a form that comes again: its secret is not shown again.
pub(super) fn again(form: &Form) -> Response {
    let t = form.visitor.untitled().t;
    let text = t.text("console-secret-again-text").into_owned();
    render(StatusCode::CONFLICT, &Message { frame: form.visitor.frame(t.text("console-secret-again")), text })
}

/// A secret, shown once.
#[derive(Template)]
#[template(path = "console/secret.html", config = "src/pages/askama.toml")]
pub(super) struct SecretPage {
    /// The frame; its title begins with the outcome.
    pub(super) frame: Frame,
    /// The secret.
    pub(super) secret: String,
    /// What to do with it.
    pub(super) text: String,
    /// Where to go on.
    pub(super) back: String,
}

/// The page that shows a secret.
pub(super) fn show(page: &SecretPage) -> Response {
    render(StatusCode::CREATED, page)
}
