//! Routes that others add beside the API, such as the pages for people. They share the listener, the
//! limits, the log and the metrics with the API, and are not in its contract.

use std::fmt;

use axum::Router;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use crate::http::AppState;

/// Routes beside the API.
#[derive(Clone, Default)]
pub struct Mount {
    /// The routes.
    pub router: Router<AppState>,
    /// The same routes by name, for the log and the metrics.
    pub routes: Vec<MountedRoute>,
    /// Makes the answer to a path outside `/api` that does not exist; `None` leaves it to the API.
    pub not_found: Option<fn(&HeaderMap) -> Option<Response>>,
}

/// A route beside the API.
#[derive(Clone, Debug)]
pub struct MountedRoute {
    /// The method.
    pub method: Method,
    /// The path as the router matches it, such as `/tasks/{id}`.
    pub path: &'static str,
    /// Names the operation in the log and the metrics.
    pub name: &'static str,
    /// Whether the path itself is a secret. The log then has the route in its place.
    pub is_secret: bool,
}

impl Mount {
    /// These routes and others, whose paths differ.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self.not_found = self.not_found.or(other.not_found);
        self
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("routes", &self.routes).finish_non_exhaustive()
    }
}
