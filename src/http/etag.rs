//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1) over versions: the tag of version 7 is `"7"`.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::problem::{FieldError, Problem};

/// The caller may keep it and must ask again before each use.
const CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The tag of a version.
pub(super) fn tag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header value")
}

/// What the caller has already: `If-None-Match`. The comparison is weak, as it must be here, and what is no tag of ours matches nothing.
#[derive(Debug, Default)]
pub struct IfNoneMatch {
    is_any: bool,
    versions: Vec<u64>,
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.headers))
    }
}

impl IfNoneMatch {
    /// From a request's headers.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let mut known = Self::default();
        for tag in tags(headers, &header::IF_NONE_MATCH) {
            known.is_any |= tag == "*";
            known.versions.extend(parse(tag.strip_prefix("W/").unwrap_or(tag)));
        }
        known
    }

    /// Whether the caller has nothing.
    pub(super) fn is_nothing(&self) -> bool {
        !self.is_any && self.versions.is_empty()
    }

    /// The newest version that the caller names; 0 if it names none.
    pub(super) fn newest(&self) -> u64 {
        self.versions.iter().copied().max().unwrap_or_default()
    }

    /// Whether the caller has this version.
    pub(super) fn has(&self, version: u64) -> bool {
        self.is_any || self.versions.contains(&version)
    }
}

/// What a version is answered with whose caller has it.
pub(super) fn not_modified(version: u64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers(version);
    response
}

/// A JSON body with its tag.
pub(super) fn tagged(version: u64, json: String) -> Response {
    let mut response = Response::new(json.into());
    *response.headers_mut() = headers(version);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn headers(version: u64) -> HeaderMap {
    // With room for those that every answer has: growing costs more than the rest of a 304.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::ETAG, tag(version));
    headers.insert(header::CACHE_CONTROL, CACHING);
    headers
}

/// The versions that the caller accepts; `None`: any. The comparison is strong, so a weak tag matches nothing.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<u64>>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let tags: Vec<&str> = tags(headers, &header::IF_MATCH).collect();
    if tags.is_empty() || tags.iter().any(|tag| *tag != "*" && !is_tag(tag)) {
        let rule = "must be * or a list of entity tags such as \"7\"";
        return Err(Problem::invalid_parameter(FieldError::new("/header/If-Match", "invalid_value", rule)));
    }
    if tags.contains(&"*") { Ok(None) } else { Ok(Some(tags.into_iter().filter_map(parse).collect())) }
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty())
}

fn is_tag(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"')
}

fn parse(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn what_the_caller_has_is_compared_weakly() {
        let table = [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("*", true),
            ("\"6\", \"7\"", true),
            ("\"6\"", false),
            ("7", false),
            ("\"+7\"", false),
        ];
        for (value, same) in table {
            assert_eq!(IfNoneMatch::new(&sent(header::IF_NONE_MATCH, value)).has(7), same, "{value}");
        }
        let none = IfNoneMatch::new(&HeaderMap::new());
        assert!(!none.has(7) && none.is_nothing());
        assert_eq!(IfNoneMatch::new(&sent(header::IF_NONE_MATCH, "\"6\", W/\"9\", \"x\"")).newest(), 9);
    }

    #[test]
    fn what_the_caller_acts_on_is_compared_strongly() {
        let versions = |value: &str| if_match(&sent(header::IF_MATCH, value)).ok();
        assert_eq!(versions("\"7\""), Some(Some(vec![7])));
        assert_eq!(versions("\"6\",\"7\""), Some(Some(vec![6, 7])));
        assert_eq!(versions("W/\"7\""), Some(Some(vec![])));
        assert_eq!(versions("\"x\""), Some(Some(vec![])));
        assert_eq!(versions("*"), Some(None));
        assert_eq!(versions("7"), None);
        assert_eq!(versions(""), None);
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(None));
    }
}
