//! Request bodies: read under a limit, parsed strictly, and turned into types with errors that
//! point into the body.
//!
//! Errors in a body are reported only after those in the credential, the route and the resource
//! (the order in design.md). Therefore [`RawBody`] never rejects a request itself; its error
//! surfaces when the handler asks for the body. The body is read after authentication, and all its
//! bytes count against a [`budget`].

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::values::outside::{Fault, Faults, FromOutside};
use crate::http::AppState;
use crate::http::input::deadline::Deadline;
use crate::http::problem::{Code, FieldError, Problem};

use super::media::MediaType;

pub mod budget;
mod explain;

use budget::{Budget, Reservation, Share};
pub use explain::{explain, explain_at};

/// Largest body: 1 MiB. A command may hold a hundred feedback items, a definition fifty stages.
pub const MAX_BYTES: usize = 1 << 20;

/// Largest body of operations that take only a few fields: 64 KiB.
pub const SMALL: usize = 64 << 10;

/// Operations with bodies of at most [`SMALL`], for the contract. A test compares them with the
/// handlers.
pub(in crate::http) const SMALL_OPERATIONS: [&str; 11] = [
    "create_partner",
    "create_partner_key",
    "create_key",
    "request_erasure",
    "open_task",
    "set_webhook",
    "redeliver_since",
    "create_link",
    "revoke_links",
    "claim_task",
    "set_absence",
];

/// Operations whose body is optional, for the contract.
pub(in crate::http) const OPTIONAL_BODIES: [&str; 2] = ["create_partner_key", "create_key"];

/// The body of a request, at most `MAX` bytes, or the reason why there is none. It must be a
/// handler's last argument.
#[derive(Debug)]
pub struct RawBody<const MAX: usize = MAX_BYTES>(Result<Received, Problem>);

/// A body that was received completely.
#[derive(Debug, Default)]
struct Received {
    bytes: Vec<u8>,
    /// Held until the body was parsed.
    _reservation: Option<Reservation>,
}

impl<const MAX: usize> RawBody<MAX> {
    /// Parses the body as JSON.
    pub fn json(self) -> Result<Value, Problem> {
        crate::json::strict::parse(&self.0?.bytes).map_err(Problem::from)
    }

    /// Parses the body as a JSON object, for callers that inspect a member before they know the
    /// type.
    pub fn object(self) -> Result<Map<String, Value>, Problem> {
        object(&self.0?.bytes)
    }

    /// Parses the body as a `T`.
    pub fn parse<T: DeserializeOwned + FromOutside>(self) -> Result<T, Problem> {
        self.object().and_then(|members| from_value(Value::Object(members)))
    }

    /// Parses the body as a `T`, or returns the default if there is no body.
    pub fn parse_or_default<T: DeserializeOwned + FromOutside + Default>(self) -> Result<T, Problem> {
        match &self.0 {
            Ok(received) if received.bytes.is_empty() => Ok(T::default()),
            Ok(_) | Err(_) => self.parse(),
        }
    }
}

impl<const MAX: usize> FromRequest<AppState> for RawBody<MAX> {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Self::Rejection> {
        let limits = request.extensions().get().map_or(state.limits, Deadline::limits);
        let read = tokio::time::timeout(limits.body, read(request, (&state.bodies, MAX), check_type)).await;
        let slow = |_| Err(Problem::new(Code::SlowBody, "The body did not arrive in time."));
        Ok(Self(read.unwrap_or_else(slow)))
    }
}

/// The fields of a form that a page sent, in order. A name may occur several times.
#[derive(Debug)]
pub struct FormBody(Result<Vec<(String, String)>, Problem>);

impl FormBody {
    /// The fields, or the reason why there are none.
    pub fn fields(self) -> Result<Vec<(String, String)>, Problem> {
        self.0
    }
}

impl FromRequest<AppState> for FormBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Self::Rejection> {
        let limits = request.extensions().get().map_or(state.limits, Deadline::limits);
        let read = read(request, (&state.bodies, MAX_BYTES), check_form_type);
        let received = match tokio::time::timeout(limits.body, read).await {
            Ok(received) => received,
            Err(_) => Err(Problem::new(Code::SlowBody, "The form did not arrive in time.")),
        };
        Ok(Self(received.map(|received| form_urlencoded::parse(&received.bytes).into_owned().collect())))
    }
}

/// Converts `value` to a `T` and checks the rules for external input. Errors are 422 and point into
/// the body.
pub fn from_value<T: DeserializeOwned + FromOutside>(value: Value) -> Result<T, Problem> {
    from_value_at("", value)
}

/// Like [`from_value`], for a value at `base` in the body.
pub fn from_value_at<T: DeserializeOwned + FromOutside>(base: &str, value: Value) -> Result<T, Problem> {
    let result: Result<T, serde_path_to_error::Error<serde_json::Error>> = serde_path_to_error::deserialize(value);
    let value = result.map_err(|error| Problem::invalid_body(vec![explain(base, &error)]))?;
    let faults = Faults::of(&value);
    if faults.is_empty() {
        return Ok(value);
    }
    let error = |Fault { pointer, code, rule }| FieldError::new(format!("{base}{pointer}"), code, rule);
    Err(Problem::invalid_body(faults.into_iter().map(error).collect()))
}

/// Removes the string `name` from an object: the tag of a command. Serde's internally tagged enums
/// lose the path of an error, so the tag is read first and the rest becomes the struct that belongs
/// to it.
pub fn take_string(members: &mut Map<String, Value>, name: &str) -> Result<String, Problem> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        None => Err(Problem::invalid_body(vec![FieldError::required(crate::json::pointer::join("", name))])),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Problem::invalid_body(vec![FieldError::new(
                crate::json::pointer::join("", name),
                "wrong_type",
                "must be a string",
            )]))
        }
    }
}

impl From<crate::json::strict::Fault> for Problem {
    fn from(fault: crate::json::strict::Fault) -> Self {
        match fault {
            crate::json::strict::Fault::Malformed { message } => {
                Self::new(Code::InvalidJson, format!("The body is not JSON: {message}."))
            }
            crate::json::strict::Fault::Refused { pointer, code, message } => {
                Self::invalid_body(vec![FieldError::new(pointer, code, message)])
            }
        }
    }
}

fn object(text: &[u8]) -> Result<Map<String, Value>, Problem> {
    match crate::json::strict::parse(text)? {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::invalid_body(vec![FieldError::new("", "wrong_type", "must be an object")]))
        }
    }
}

async fn read(
    request: Request,
    (budget, max): (&Budget, usize),
    check_type: fn(&HeaderMap) -> Result<(), Problem>,
) -> Result<Received, Problem> {
    let (head, mut body) = request.into_parts();
    // Reject by the announced length, without reading.
    if body.size_hint().lower() > max as u64 {
        return Err(too_large(max));
    }
    let share = head.extensions.get().copied().unwrap_or(Share::Nobody);
    let mut reservation = budget.reserve(share);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::InvalidJson, "The body ended before it was complete."))?;
        // Other frames are trailers, which the service ignores.
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(too_large(max));
        }
        reservation.grow(data.len())?;
        bytes.extend_from_slice(&data);
    }
    // An empty body needs no type: the error about the missing body is more useful.
    if !bytes.is_empty() {
        check_type(&head.headers)?;
    }
    Ok(Received { bytes, _reservation: Some(reservation) })
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("The body is larger than {} KiB ({max} bytes).", max >> 10))
}

/// Requires the type of a form that a browser sends.
fn check_form_type(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(MediaType::parse);
    if media_type.is_some_and(|media_type| media_type.is("application", "x-www-form-urlencoded")) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "Send the form as `application/x-www-form-urlencoded`."))
}

/// Requires plain JSON in UTF-8 (RFC 9110, sections 8.3 and 8.4; RFC 8259, section 8.1).
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).into_iter().all(plain) {
        // The header tells the client what to send (RFC 9110, section 12.5.3).
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body without `Content-Encoding`.")
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let mut values = headers.get_all(header::CONTENT_TYPE).into_iter();
    let media_type = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
    let Some(media_type) = media_type.and_then(MediaType::parse).filter(MediaType::is_json) else {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body as `Content-Type: application/json`."));
    };
    if media_type.parameter("charset").is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body in UTF-8; JSON allows no other encoding."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::domain::values::id::{PartnerId, StageKey};
    use crate::domain::values::outside::from_outside;
    use crate::domain::values::text::Name;
    use crate::domain::values::time::Time;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Sample {
        id: PartnerId,
        name: Name,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        count: Option<u32>,
        #[serde(default)]
        at: Option<Time>,
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        nested: Option<Box<Item>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Item {
        stage: StageKey,
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Blocking,
        Minor,
    }

    from_outside! {
        Sample { name, items; id, count, at, flag, nested }
        Item { ; stage, kind }
    }

    fn refusal(change: &Value) -> FieldError {
        let mut body = json!({ "id": "0199a000-0000-7000-8000-000000000000", "name": "x" });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let problem = from_value::<Sample>(body).unwrap_err();
        assert_eq!((problem.code(), problem.errors().len()), (Code::InvalidBody, 1), "{change}");
        problem.errors()[0].clone()
    }

    #[test]
    fn a_wrong_field_is_named_with_its_place() {
        let natural = "must be an integer that is not negative";
        let time = "must be an RFC 3339 date and time, such as 2026-11-22T10:00:00Z";
        let known = "is unknown; known fields: `stage`, `kind`";
        let key = "must be 1 to 64 of the characters a-z, 0-9 and -";
        let table = [
            (json!({ "nested": { "nested": 1 } }), "/nested/nested", "unknown_field", known),
            (json!({ "id": "7" }), "/id", "invalid_value", "must be a UUID"),
            (json!({ "name": 7 }), "/name", "wrong_type", "must be a string"),
            (json!({ "name": null }), "/name", "wrong_type", "must be a string"),
            (json!({ "name": " " }), "/name", "invalid_value", "must not be empty"),
            (json!({ "count": -1 }), "/count", "invalid_value", natural),
            (json!({ "count": 1.5 }), "/count", "wrong_type", natural),
            (json!({ "flag": "yes" }), "/flag", "wrong_type", "must be true or false"),
            (json!({ "at": "yesterday" }), "/at", "invalid_value", time),
            (json!({ "items": {} }), "/items", "wrong_type", "must be an array"),
            (json!({ "items": [3] }), "/items/0", "wrong_type", "must be an object"),
            (json!({ "items": [{ "kind": "minor" }] }), "/items/0/stage", "required", "is required"),
            (json!({ "items": [{ "stage": "../x" }] }), "/items/0/stage", "invalid_value", key),
            (
                json!({ "items": [{ "kind": "huge" }] }),
                "/items/0/kind",
                "invalid_value",
                "must be `blocking` or `minor`",
            ),
            (json!({ "items": [{ "a/b": 1 }] }), "/items/0/a~1b", "unknown_field", known),
        ];
        for (change, pointer, code, message) in table {
            assert_eq!(refusal(&change), FieldError::new(pointer, code, message), "{change}");
        }
        let known = "is unknown; known fields: `id`, `name`, `items`, `count`, `at`, `flag`, `nested`";
        assert_eq!(refusal(&json!({ "nope": 1 })), FieldError::new("/nope", "unknown_field", known));
        assert_eq!(from_value::<Sample>(json!({})).unwrap_err().errors(), [FieldError::required("/id")]);
    }

    #[test]
    fn the_tag_of_a_command_is_a_string() {
        let mut members = Map::from_iter([("type".to_owned(), json!("held")), ("n".to_owned(), json!(3))]);
        assert_eq!(take_string(&mut members, "type").unwrap(), "held");
        assert_eq!(take_string(&mut members, "type").unwrap_err().errors(), [FieldError::required("/type")]);
        assert_eq!(take_string(&mut members, "n").unwrap_err().errors()[0].code, "wrong_type");
    }

    #[tokio::test]
    async fn size_and_type_are_checked() {
        let budget = Budget::new(4 * MAX_BYTES);
        let request = |content_type: &str, body: axum::body::Body| {
            Request::builder().header("content-type", content_type).body(body).unwrap()
        };
        let code = async |request: Request| {
            RawBody::<MAX_BYTES>(read(request, (&budget, MAX_BYTES), check_type).await)
                .json()
                .map_err(|problem| problem.code())
        };
        assert_eq!(code(request("application/json", "".into())).await, Err(Code::InvalidJson));
        let padded = |bytes: usize| format!("{}1", " ".repeat(bytes - 1));
        assert_eq!(code(request("application/json", padded(MAX_BYTES).into())).await, Ok(json!(1)));
        assert_eq!(code(request("application/json", padded(MAX_BYTES + 1).into())).await, Err(Code::PayloadTooLarge));
        let frames = (0..20).map(|_| Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b' '; 65_536])));
        let chunked = axum::body::Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(code(request("application/json", chunked)).await, Err(Code::PayloadTooLarge));
        assert_eq!(budget.bytes().get(), 0, "all of it was given back");
    }

    #[test]
    fn rfc_9110_sections_8_3_and_8_4_content_type_and_encoding() {
        type Fields<'a> = &'a [(&'static str, &'a str)];
        let json = ("content-type", "application/json");
        let of = |value: &str| -> bool {
            check_type(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap())])).is_ok()
        };
        let good = [
            "application/json",
            "Application/JSON",
            "application/merge-patch+json",
            "application/json ; charset=UTF-8",
        ];
        let more = [
            "application/json;charset=\"utf-8\"",
            "application/json; v=1",
            "application/json;",
            "application/json; ;a=b",
        ];
        for value in good.into_iter().chain(more) {
            assert!(of(value), "{value}");
        }
        let bad = ["", "text/plain", "text/json", "application/jsonp", "application/", "application/json/x", "json"];
        let worse = [
            "application/json charset=utf-8",
            "application/json; charset",
            "application/json; charset=",
            "image/svg+json",
        ];
        let other =
            ["application/json; charset=utf-16", "application/json; charset=\"latin1", "application/json, text/plain"];
        for value in bad.into_iter().chain(worse).chain(other) {
            assert!(!of(value), "{value}");
        }
        let table: [(Fields, bool); 6] = [
            (&[json, ("content-encoding", "identity")], true),
            (&[json, ("content-encoding", "Identity")], true),
            (&[json, ("content-encoding", "gzip")], false),
            (&[json, ("content-encoding", "identity"), ("content-encoding", "gzip")], false),
            (&[json, json], false),
            (&[], false),
        ];
        for (fields, good) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(check_type(&headers).is_ok(), good, "{fields:?}");
        }
    }
}
