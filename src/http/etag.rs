//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1) over versions: the tag of version 7 is `"7"`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{FieldError, Problem};

/// The tag of a version.
pub(super) fn tag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits in quotes are a header value")
}

/// A JSON body with its tag, or 304 without one if the caller has it.
pub(super) fn conditional(headers: &HeaderMap, version: u64, json: String) -> Response {
    let tag = tag(version);
    let caching = (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if none_match(headers, version) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), caching]).into_response();
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (StatusCode::OK, [(header::ETAG, tag), caching, kind], json).into_response()
}

/// Whether the caller has this version. The comparison is weak, as it must be here, and what is no tag of ours matches nothing.
pub(super) fn none_match(headers: &HeaderMap, version: u64) -> bool {
    let mut tags = tags(headers, &header::IF_NONE_MATCH);
    tags.any(|tag| tag == "*" || parse(tag.strip_prefix("W/").unwrap_or(tag)) == Some(version))
}

/// The newest version that the caller has, 0 for any; `None` if it names none at all.
pub(super) fn newest(headers: &HeaderMap) -> Option<u64> {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let versions = tags(headers, &header::IF_NONE_MATCH).filter_map(|tag| parse(tag.strip_prefix("W/").unwrap_or(tag)));
    Some(versions.max().unwrap_or_default())
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

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
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
            assert_eq!(none_match(&headers(header::IF_NONE_MATCH, value), 7), same, "{value}");
        }
        assert!(!none_match(&HeaderMap::new(), 7));
    }

    #[test]
    fn what_the_caller_acts_on_is_compared_strongly() {
        let versions = |value: &str| if_match(&headers(header::IF_MATCH, value)).ok();
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
