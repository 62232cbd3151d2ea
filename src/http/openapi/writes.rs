//! Which operations write. A replica that only reads refuses them before it reads their body.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use crate::http::problem::Problem;

use super::methods_and_paths;

/// Operations that are no `GET` and write nothing. All others write, and so does a new one.
const PURE: [&str; 1] = ["simulate_workflow"];
/// The parameter with which an operation writes nothing.
const DRY_RUN: &str = "dry_run";

/// The operations that write, each with whether it has a dry run.
#[derive(Debug)]
pub(in crate::http) struct Writes(HashMap<(Method, String), bool>);

impl Writes {
    /// Reads them from the contract.
    pub(in crate::http) fn of(document: &OpenApi) -> Self {
        let operations = methods_and_paths(document).filter(|(method, _, operation)| {
            let is_pure = operation.operation_id.as_ref().is_some_and(|id| PURE.contains(&id.as_str()));
            *method != Method::GET && !is_pure
        });
        Self(operations.map(|(method, path, operation)| ((method, path.clone()), has_dry_run(operation))).collect())
    }

    /// Refuses a request that writes, by its method, route and query.
    pub(in crate::http) fn check(&self, request: &Request) -> Result<(), Problem> {
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        match self.0.get(&(request.method().clone(), path.as_str().to_owned())) {
            None => Ok(()),
            Some(has_dry_run) if *has_dry_run && is_dry_run(request.uri().query()) => Ok(()),
            Some(_) => Err(Problem::read_only()),
        }
    }
}

fn has_dry_run(operation: &Operation) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == DRY_RUN))
}

/// Whether the query asks for a dry run. The handler refuses a query that does not parse, or that
/// says it twice.
fn is_dry_run(query: Option<&str>) -> bool {
    let query = query.unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).any(|(name, value)| name == DRY_RUN && value == "true")
}
