//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110, sections 8.8.3 and 13.1) over versions: the
//! tag of version 7 is `"7"`.
//!
//! Both conditions are `*` or a list of entity tags. A valid tag that this service never issues,
//! such as `"07"`, matches nothing.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::http::problem::{FieldError, Problem};

/// Clients may store the response and must revalidate it before each use.
const CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The tag of a version.
pub(in crate::http) fn tag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header value")
}

/// `If-None-Match`: the versions that the caller has. The comparison is weak, as the RFC requires.
/// A malformed field is ignored, so the response is complete.
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
    /// Reads a request's headers.
    pub(in crate::http) fn new(headers: &HeaderMap) -> Self {
        match Tags::read(headers, &header::IF_NONE_MATCH) {
            Ok(Some(tags)) => Self::from(tags),
            Ok(None) | Err(Malformed) => Self::default(),
        }
    }

    /// Whether the caller names no version.
    pub(in crate::http) fn is_nothing(&self) -> bool {
        !self.is_any && self.versions.is_empty()
    }

    /// The newest version that the caller names; 0 if none.
    pub(in crate::http) fn newest(&self) -> u64 {
        self.versions.iter().copied().max().unwrap_or_default()
    }

    /// Whether the caller has this version.
    pub(in crate::http) fn has(&self, version: u64) -> bool {
        self.is_any || self.versions.contains(&version)
    }
}

impl From<Tags> for IfNoneMatch {
    fn from(tags: Tags) -> Self {
        Self { is_any: tags.is_any, versions: tags.versions.into_iter().map(|(_, version)| version).collect() }
    }
}

/// The 304 response for a caller that has this version.
pub(in crate::http) fn not_modified(version: u64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers(version);
    response
}

/// A JSON response with its tag.
pub(in crate::http) fn tagged(version: u64, json: String) -> Response {
    let mut response = Response::new(json.into());
    *response.headers_mut() = headers(version);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn headers(version: u64) -> HeaderMap {
    // Reserve space for the common headers: growing the map costs more than the rest of a 304.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::ETAG, tag(version));
    headers.insert(header::CACHE_CONTROL, CACHING);
    headers
}

/// `If-Match`: the versions that the caller accepts; `None`: any. The comparison is strong, so a
/// weak tag matches nothing.
pub(in crate::http) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<u64>>, Problem> {
    let tags = Tags::read(headers, &header::IF_MATCH).map_err(|Malformed| malformed("If-Match"))?;
    Ok(tags.filter(|tags| !tags.is_any).map(Tags::strong))
}

/// Conditions for writing something that may not exist yet, evaluated in the order of section
/// 13.2.2: `If-Match`, then `If-None-Match`.
#[derive(Debug)]
pub(in crate::http) struct Preconditions {
    /// Whether there is an `If-Match`, with any value.
    must_exist: bool,
    matching: Option<Vec<u64>>,
    none_matching: IfNoneMatch,
}

impl Preconditions {
    /// Reads a request's headers. Malformed conditions refuse the write.
    pub(in crate::http) fn new(headers: &HeaderMap) -> Result<Self, Problem> {
        let (must_exist, matching) = (headers.contains_key(header::IF_MATCH), if_match(headers)?);
        let tags = Tags::read(headers, &header::IF_NONE_MATCH).map_err(|Malformed| malformed("If-None-Match"))?;
        Ok(Self { must_exist, matching, none_matching: tags.map(IfNoneMatch::from).unwrap_or_default() })
    }

    /// Whether the conditions hold for the current version; `None`: it does not exist yet.
    pub(in crate::http) fn hold(&self, current: Option<u32>) -> bool {
        let current = current.map(u64::from);
        let is_match = match (&self.matching, current) {
            (Some(versions), Some(current)) => versions.contains(&current),
            (Some(_), None) => false,
            (None, current) => current.is_some() || !self.must_exist,
        };
        is_match && !current.is_some_and(|current| self.none_matching.has(current))
    }
}

fn malformed(name: &str) -> Problem {
    let rule = "must be * or a list of entity tags such as \"7\"";
    Problem::invalid_parameter(FieldError::new(format!("/header/{name}"), "invalid_value", rule))
}

/// A malformed field.
struct Malformed;

/// The value of `If-Match` or `If-None-Match`.
struct Tags {
    is_any: bool,
    /// The tags that can be versions, and whether they are weak.
    versions: Vec<(bool, u64)>,
}

impl Tags {
    /// Reads a field; `None` if it is absent. Several fields form one list (section 5.3).
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Malformed> {
        let mut values = headers.get_all(name).into_iter().map(HeaderValue::as_bytes).peekable();
        if values.peek().is_none() {
            return Ok(None);
        }
        let (mut tags, mut count, mut stars) = (Self { is_any: false, versions: Vec::new() }, 0, 0);
        for value in values {
            if value.trim_ascii() == b"*" {
                stars += 1;
            } else {
                count += tags.append(value)?;
            }
        }
        tags.is_any = stars == 1;
        // Exactly one star and nothing else, or at least one tag.
        if (stars == 1 && count == 0) || (stars == 0 && count > 0) { Ok(Some(tags)) } else { Err(Malformed) }
    }

    /// Parses `[ entity-tag ] *( OWS "," OWS [ entity-tag ] )` and ignores empty elements (section
    /// 5.6.1.2). Returns the number of tags.
    fn append(&mut self, mut rest: &[u8]) -> Result<usize, Malformed> {
        let mut count = 0;
        loop {
            rest = blanks(rest);
            if !rest.is_empty() && rest[0] != b',' {
                let weak = rest.starts_with(b"W/");
                let opaque = rest[if weak { 2 } else { 0 }..].strip_prefix(b"\"").ok_or(Malformed)?;
                let end = opaque.iter().position(|byte| *byte == b'"').ok_or(Malformed)?;
                let is_etagc = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..);
                if !opaque[..end].iter().all(is_etagc) {
                    return Err(Malformed);
                }
                self.versions.extend(version(&opaque[..end]).map(|version| (weak, version)));
                count += 1;
                rest = blanks(&opaque[end + 1..]);
            }
            match rest.split_first() {
                None => return Ok(count),
                Some((b',', after)) => rest = after,
                Some(_) => return Err(Malformed),
            }
        }
    }

    fn strong(self) -> Vec<u64> {
        self.versions.into_iter().filter(|(weak, _)| !weak).map(|(_, version)| version).collect()
    }
}

fn blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
}

/// Parses a version in canonical form: digits without a sign or a leading zero.
pub(in crate::http) fn version(digits: &[u8]) -> Option<u64> {
    let is_ours = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
    if is_ours { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    /// The versions that the fields name, or another word for the result.
    type Named = Result<&'static [u64], &'static str>;

    const MALFORMED: Named = Err("malformed");
    const ANY: Named = Err("any");
    const NONE: Named = Ok(&[]);

    #[test]
    fn rfc_9110_sections_8_8_3_and_13_1_entity_tags() {
        let table: [(&[&str], Named, Named); 38] = [
            (&["\"7\""], Ok(&[7]), Ok(&[7])),
            (&["W/\"7\""], Ok(&[7]), NONE),
            (&["\"0\""], Ok(&[0]), Ok(&[0])),
            (&["*"], ANY, ANY),
            (&[" * "], ANY, ANY),
            (&["\"6\",\"7\""], Ok(&[6, 7]), Ok(&[6, 7])),
            (&["\"6\" , W/\"7\""], Ok(&[6, 7]), Ok(&[6])),
            (&["\"6\"", "\"7\""], Ok(&[6, 7]), Ok(&[6, 7])),
            (&[",, \"7\" ,\t,"], Ok(&[7]), Ok(&[7])),
            (&["", "\"7\""], Ok(&[7]), Ok(&[7])),
            (&["\"07\""], NONE, NONE),
            (&["\"00\""], NONE, NONE),
            (&["\"+7\""], NONE, NONE),
            (&["\"-7\""], NONE, NONE),
            (&["\"7,8\""], NONE, NONE),
            (&["\"7\", \"a,b\""], Ok(&[7]), Ok(&[7])),
            (&["\"W/7\""], NONE, NONE),
            (&["\"\""], NONE, NONE),
            (&["\"x\""], NONE, NONE),
            (&["\"\u{e4}\""], NONE, NONE),
            (&["\"a\\\""], NONE, NONE),
            (&["\"18446744073709551615\""], Ok(&[u64::MAX]), Ok(&[u64::MAX])),
            (&["\"18446744073709551616\""], NONE, NONE),
            (&[""], MALFORMED, MALFORMED),
            (&[","], MALFORMED, MALFORMED),
            (&["7"], MALFORMED, MALFORMED),
            (&["\"7"], MALFORMED, MALFORMED),
            (&["7\""], MALFORMED, MALFORMED),
            (&["w/\"7\""], MALFORMED, MALFORMED),
            (&["W/ \"7\""], MALFORMED, MALFORMED),
            (&["W/7"], MALFORMED, MALFORMED),
            (&["\"7\" \"8\""], MALFORMED, MALFORMED),
            (&["\"7\"; \"8\""], MALFORMED, MALFORMED),
            (&["\"7 8\""], MALFORMED, MALFORMED),
            (&["*, \"7\""], MALFORMED, MALFORMED),
            (&["\"7\", *"], MALFORMED, MALFORMED),
            (&["*", "\"7\""], MALFORMED, MALFORMED),
            (&["*", "*"], MALFORMED, MALFORMED),
        ];
        for (values, weak, strong) in table {
            let named = |any: bool, versions: Vec<u64>| if any { Err("any") } else { Ok(versions) };
            let read = Tags::read(&sent(&header::IF_NONE_MATCH, values), &header::IF_NONE_MATCH);
            let read = match read.ok().flatten().map(IfNoneMatch::from) {
                Some(known) => named(known.is_any, known.versions),
                None => Err("malformed"),
            };
            assert_eq!(read, weak.map(<[u64]>::to_vec), "If-None-Match: {values:?}");
            let read = match if_match(&sent(&header::IF_MATCH, values)) {
                Ok(versions) => named(versions.is_none(), versions.unwrap_or_default()),
                Err(_) => Err("malformed"),
            };
            assert_eq!(read, strong.map(<[u64]>::to_vec), "If-Match: {values:?}");
        }
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(None));
    }

    #[test]
    fn rfc_9110_section_13_1_2_if_none_match_of_a_read() {
        let known = |values: &[&str]| IfNoneMatch::new(&sent(&header::IF_NONE_MATCH, values));
        assert!(known(&["*"]).has(7) && known(&["W/\"7\""]).has(7) && !known(&["\"6\""]).has(7));
        assert!(known(&["7"]).is_nothing(), "what is malformed is not known");
        assert!(known(&[]).is_nothing());
        assert_eq!(known(&["\"6\", W/\"9\", \"x\""]).newest(), 9);
    }

    #[test]
    fn rfc_9110_section_13_2_2_preconditions_of_a_write() {
        // If-Match, If-None-Match, and whether they hold if nothing exists, for version 1 and for
        // version 2.
        let table: [(&[&str], &[&str], [bool; 3]); 9] = [
            (&[], &[], [true, true, true]),
            (&[], &["*"], [true, false, false]),
            (&[], &["\"1\""], [true, false, true]),
            (&[], &["W/\"1\""], [true, false, true]),
            (&["*"], &[], [false, true, true]),
            (&["\"2\""], &[], [false, false, true]),
            (&["W/\"2\""], &[], [false, false, false]),
            (&["\"1\", \"2\""], &["\"2\""], [false, true, false]),
            (&["*"], &["*"], [false, false, false]),
        ];
        for (matching, none_matching, expected) in table {
            let mut headers = sent(&header::IF_MATCH, matching);
            headers.extend(sent(&header::IF_NONE_MATCH, none_matching));
            let conditions = Preconditions::new(&headers).unwrap();
            assert_eq!([None, Some(1), Some(2)].map(|current| conditions.hold(current)), expected, "{headers:?}");
        }
        for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
            assert!(Preconditions::new(&sent(&name, &["7"])).is_err(), "{name}");
        }
    }
}
