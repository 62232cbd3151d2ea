//! One message and its sender, while it is answered.

use std::sync::OnceLock;

use axum::response::Response;

use crate::app::Caller;
use crate::app::refusals::Reason;
use crate::domain::values::id::PartnerId;
use crate::http::AppState;
use crate::http::auth::Authenticated;
use crate::http::input::deadline::Deadline;
use crate::http::problem::{Carried, Code, Problem};

/// A message that passed the checks of a request.
#[derive(Debug)]
pub(super) struct Call {
    /// The service.
    pub(super) state: AppState,
    /// The sender, whose key can be checked again after a wait.
    pub(super) authenticated: Authenticated,
    /// The end of the request, which a wait moves.
    pub(super) deadline: Deadline,
    /// The request. The SDK answers in a task of its own.
    pub(super) request: Carried,
    /// Why a tool refused, for the metrics.
    refused: OnceLock<(Code, Option<Reason>)>,
}

impl Call {
    /// A call of the request that is being served.
    pub(super) fn new(state: AppState, authenticated: Authenticated, deadline: Deadline) -> Self {
        Self { state, authenticated, deadline, request: Carried::current(), refused: OnceLock::new() }
    }

    /// The sender.
    pub(super) fn caller(&self) -> &Caller {
        &self.authenticated.caller
    }

    /// The sender's partner.
    pub(super) fn partner(&self) -> PartnerId {
        self.caller().partner_id().expect("only partners pass the checks")
    }

    /// Remembers why a tool refused, and logs the cause of a fault.
    pub(super) fn refuse(&self, problem: &Problem) {
        problem.log();
        let _ = self.refused.set((problem.code(), problem.reason()));
    }

    /// Lets the middleware count a tool's refusal like that of a route.
    pub(super) fn count(&self, mut response: Response) -> Response {
        if let Some((code, reason)) = self.refused.get() {
            response.extensions_mut().insert(*code);
            if let Some(reason) = reason {
                response.extensions_mut().insert(*reason);
            }
        }
        response
    }
}
