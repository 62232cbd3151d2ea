//! The routes of a development service, for the platform's key: `/dev/clock`, `/dev/scripts` and
//! `/dev/faults`. They are mounted beside the API and are not in its contract; `docs/dev.md` has them.

use std::sync::Arc;

use axum::http::Method;
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};

use crate::domain::values::outside::from_outside;
use crate::domain::values::time::{Seconds, Span, Time};
use crate::http::auth::PlatformOnly;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::deadline::Deadline;
use crate::http::input::extract::{NoParameters, Query};
use crate::http::problem::{FieldError, Problem};
use crate::http::{Mount, MountedRoute};

use super::faults::{Faults, Report};
use super::player::{Move, Refused};
use super::ran::Ran;
use super::scripts::{ScriptList, ScriptReport};
use super::{Dev, LIMIT};

/// The method, the path and the name of each route.
pub const ROUTES: [(Method, &str, &str); 6] = [
    (Method::GET, "/dev/clock", "get_dev_clock"),
    (Method::POST, "/dev/clock", "move_dev_clock"),
    (Method::GET, "/dev/scripts", "get_dev_scripts"),
    (Method::PUT, "/dev/scripts", "set_dev_scripts"),
    (Method::GET, "/dev/faults", "get_dev_faults"),
    (Method::PUT, "/dev/faults", "set_dev_faults"),
];

/// The routes, to be served beside the API.
pub fn mount(dev: &Arc<Dev>) -> Mount {
    let router = Router::new()
        .route("/dev/clock", get(get_clock).post(move_clock))
        .route("/dev/scripts", get(get_scripts).put(set_scripts))
        .route("/dev/faults", get(get_faults).put(set_faults))
        .layer(Extension(Arc::clone(dev)));
    let mounted = ROUTES.map(|(method, path, name)| MountedRoute { method, path, name, is_secret: false }).into();
    Mount { router, routes: mounted, not_found: None }
}

/// The clock of the service.
#[derive(Debug, Serialize)]
struct ClockView {
    /// The service's time.
    now: Time,
    /// The machine's time.
    machine: Time,
    /// How far the first is ahead of the second.
    ahead_seconds: Seconds,
}

async fn get_clock(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
) -> Json<ClockView> {
    let now = dev.player.clock().now();
    let machine = dev.player.clock().outside(now);
    let ahead_seconds = Seconds::from_micros((now - machine).num_microseconds().unwrap_or_default());
    Json(ClockView { now, machine, ahead_seconds })
}

/// Where to move the clock: exactly one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveBody {
    #[serde(default)]
    advance: Option<String>,
    #[serde(default)]
    to: Option<Time>,
}

// The text is parsed below.
from_outside! { MoveBody { ; advance, to } }

impl MoveBody {
    /// The move that is asked for, when the service's time is `now`.
    fn wanted(self, now: Time) -> Result<Move, FieldError> {
        match (self.advance, self.to) {
            (Some(_), Some(_)) => Err(FieldError::new("/to", "not_allowed", "cannot be combined with `advance`")),
            (None, None) => Err(FieldError::required("/advance")),
            (Some(text), None) if text.starts_with('-') => {
                Err(FieldError::new("/advance", "out_of_range", "must not be negative: the clock never goes backwards"))
            }
            (Some(text), None) => {
                let span = Span::parse(text);
                let span = span.map_err(|error| FieldError::new("/advance", "invalid_value", error.to_string()))?;
                Ok(Move::By(span.delta()))
            }
            (None, Some(to)) if to <= now => Err(backwards(now)),
            (None, Some(to)) if to - now > Span::LONGEST => {
                Err(FieldError::new("/to", "out_of_range", "must be at most 366 days ahead"))
            }
            (None, Some(to)) => Ok(Move::To(to)),
        }
    }
}

fn backwards(now: Time) -> FieldError {
    let rule = format!("must be after the service's time, {now}: the clock never goes backwards");
    FieldError::new("/to", "not_in_future", rule)
}

/// What a move did.
#[derive(Debug, Serialize)]
struct MovedView {
    /// Where the clock was left.
    now: Time,
    /// Whether everything was done that was due until then, and the clock is where it was to be.
    quiet: bool,
    /// What happened, in order.
    ran: Vec<Ran>,
    /// How much more happened.
    #[serde(skip_serializing_if = "is_zero")]
    untold: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

async fn move_clock(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
    deadline: Deadline,
    body: RawBody<SMALL>,
) -> Result<Json<MovedView>, Problem> {
    let invalid = |error| Problem::invalid_body(vec![error]);
    let wanted = body.parse::<MoveBody>()?.wanted(dev.player.clock().now()).map_err(invalid)?;
    deadline.extend(LIMIT);
    // It goes on if the caller disconnects.
    let moving = tokio::spawn(async move { Box::pin(dev.player.advance(wanted)).await });
    let moved = moving.await.map_err(Problem::internal)?;
    let moved = moved.map_err(|refused| match refused {
        Refused::Backwards(now) => invalid(backwards(now)),
        Refused::App(error) => Problem::from(error),
    })?;
    Ok(Json(MovedView { now: moved.now, quiet: moved.quiet, ran: moved.ran, untold: moved.untold }))
}

/// The scripts.
#[derive(Debug, Serialize)]
struct ScriptsView {
    scripts: Vec<ScriptReport>,
}

async fn get_scripts(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
) -> Json<ScriptsView> {
    Json(ScriptsView { scripts: dev.scripts().report() })
}

async fn set_scripts(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
    body: RawBody,
) -> Result<Json<ScriptsView>, Problem> {
    let list = body.parse::<ScriptList>()?;
    let mut scripts = dev.scripts();
    scripts.set(list);
    Ok(Json(ScriptsView { scripts: scripts.report() }))
}

async fn get_faults(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
) -> Json<Report> {
    Json(dev.wire.report())
}

async fn set_faults(
    PlatformOnly(_): PlatformOnly,
    Query(NoParameters {}): Query<NoParameters>,
    Extension(dev): Extension<Arc<Dev>>,
    body: RawBody<SMALL>,
) -> Result<Json<Report>, Problem> {
    dev.wire.set(body.parse::<Faults>()?);
    Ok(Json(dev.wire.report()))
}
