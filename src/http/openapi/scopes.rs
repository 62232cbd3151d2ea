//! The scope of a partner's key that each operation needs. An operation declares it in the
//! `security` of its handler, which is the contract; the service enforces what the contract says.

use std::collections::HashMap;

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;
use utoipa::openapi::OpenApi;

use crate::domain::partner::rights::Rights;
use crate::domain::values::scope::{Scope, Scopes};
use crate::http::problem::{Code, Problem};

use super::{methods_and_paths, scopes_of};

/// The operations that a partner may call and that are no `GET`, each with the scopes that admit a
/// key: any of them.
#[derive(Debug)]
pub(in crate::http) struct RequiredScopes(HashMap<(Method, String), Scopes>);

impl RequiredScopes {
    /// Reads them from the contract.
    pub(in crate::http) fn of(document: &OpenApi) -> Self {
        let operations = methods_and_paths(document);
        let open =
            operations.filter_map(|(method, path, operation)| Some(((method, path.to_owned()), scopes_of(operation)?)));
        Self(open.filter(|((method, _), _)| *method != Method::GET).collect())
    }

    /// Refuses a key whose scopes do not admit it to the operation.
    pub(in crate::http) fn check(&self, parts: &Parts, rights: &Rights) -> Result<(), Problem> {
        // Every key may read.
        if parts.method == Method::GET || parts.method == Method::HEAD || rights.scopes == Scopes::all() {
            return Ok(());
        }
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // An operation that is not open to partners at all refuses the party.
        let Some(needed) = self.0.get(&(parts.method.clone(), path.to_owned())) else { return Ok(()) };
        if rights.scopes.include_any(*needed) {
            return Ok(());
        }
        Err(Problem::new(Code::KeyScope, format!("This operation needs a key with the scope {needed}.")))
    }
}

/// The scope of a `GET`, which a handler need not declare.
pub(super) const READ: Scopes = Scopes::of(&[Scope::Read]);
