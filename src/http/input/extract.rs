//! Extractors for path and query parameters. They turn axum's rejections into problems that name
//! the parameter.

use std::collections::HashSet;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::problem::{FieldError, Problem};
use crate::json::pointer;

use super::body::{explain, explain_at};

/// The path's parameters as a struct with one field each. A path with one parameter may use a bare
/// type.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The query's parameters as a struct. Mark it `deny_unknown_fields`, so that mistyped parameters
/// are refused.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// The query of an operation without query parameters.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let names = names(parts, state).await;
                Err(Problem::invalid_parameter(path_error(rejection, &names)))
            }
        }
    }
}

async fn names<S: Send + Sync>(parts: &mut Parts, state: &S) -> Vec<String> {
    match RawPathParams::from_request_parts(parts, state).await {
        Ok(params) => params.iter().map(|(name, _)| name.to_owned()).collect(),
        Err(_) => Vec::new(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "axum's enums may grow; handlers cannot cause the other variants")]
fn path_error(rejection: PathRejection, names: &[String]) -> FieldError {
    let only = names.first().map_or("", String::as_str);
    let (name, message) = match rejection {
        PathRejection::FailedToDeserializePathParams(error) => match error.into_kind() {
            ErrorKind::ParseErrorAtKey { key, expected_type, .. } => (key, expected(expected_type)),
            ErrorKind::DeserializeError { key, message, .. } => (key, message),
            ErrorKind::InvalidUtf8InPathParam { key } => (key, "must be UTF-8".to_owned()),
            ErrorKind::ParseError { expected_type, .. } => (only.to_owned(), expected(expected_type)),
            ErrorKind::Message(message) => (only.to_owned(), message),
            _ => (only.to_owned(), "is not valid".to_owned()),
        },
        _ => (only.to_owned(), "is not valid".to_owned()),
    };
    explain_at(&pointer::join("/path", &name), &message)
}

fn expected(name: &str) -> String {
    format!("invalid type: text, expected {name}")
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Parses a query in time linear in its length.
pub(in crate::http) fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut seen = HashSet::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if seen.contains(&name) {
            let error = FieldError::new(pointer::join("/query", &name), "duplicate_key", "must appear only once");
            return Err(Problem::invalid_parameter(error));
        }
        seen.insert(name);
    }
    let parameters = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(parameters).map_err(|error| Problem::invalid_parameter(explain("/query", &error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::id::{TaskId, WorkflowKey};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Filter {
        workflow: Option<WorkflowKey>,
        task: Option<TaskId>,
        limit: Option<u32>,
        overdue: Option<bool>,
    }

    #[test]
    fn a_query_that_is_not_understood_is_refused_and_named() {
        assert!(parse_query::<Filter>("workflow=a&limit=3&overdue=true").is_ok());
        assert!(parse_query::<NoParameters>("").is_ok());
        let table = [
            ("nope=1", "/query/nope", "unknown_field"),
            ("limit=1&limit=1", "/query/limit", "duplicate_key"),
            ("limit=x", "/query/limit", "invalid_value"),
            ("limit=-1", "/query/limit", "invalid_value"),
            ("limit=99999999999", "/query/limit", "invalid_value"),
            ("overdue=yes", "/query/overdue", "invalid_value"),
            ("task=7", "/query/task", "invalid_value"),
            ("workflow=..%2Fx", "/query/workflow", "invalid_value"),
            ("workflow=%00", "/query/workflow", "invalid_value"),
        ];
        for (query, pointer, code) in table {
            let problem = parse_query::<Filter>(query).unwrap_err();
            assert_eq!(problem.errors().len(), 1, "{query}");
            let error = &problem.errors()[0];
            assert_eq!((error.pointer.as_str(), error.code.as_ref()), (pointer, code), "{query}: {error:?}");
        }
        assert!(parse_query::<NoParameters>("access_token=x").is_err());
    }
}
