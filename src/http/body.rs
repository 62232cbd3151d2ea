//! Bodies of requests: read under a limit, parsed strictly, turned into types with errors that name their place.
//!
//! The checks of design.md have an order in which the body comes after the credential, the route and the resource.
//! So [`RawBody`] never refuses a request by itself: what was wrong with it comes out when the handler asks for it.

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::middleware::{Deadline, Limits};
use super::problem::{Code, FieldError, Problem};

mod explain;
pub mod pointer;
pub mod strict;

pub use explain::{explain, explain_at};

/// The largest body: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

/// The body of a request, or why there is none to use. Take it as a handler's last argument.
#[derive(Debug)]
pub struct RawBody(Result<Vec<u8>, Problem>);

impl RawBody {
    /// The body as JSON.
    pub fn json(self) -> Result<Value, Problem> {
        strict::parse(&self.0?).map_err(Problem::from)
    }

    /// The body as a JSON object, for those that look at a member before they know its type.
    pub fn object(self) -> Result<Map<String, Value>, Problem> {
        match self.json()? {
            Value::Object(members) => Ok(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Problem::invalid_body(vec![FieldError::new("", "wrong_type", "must be an object")]))
            }
        }
    }

    /// The body as a `T`.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, Problem> {
        self.object().and_then(|members| from_value(Value::Object(members)))
    }
}

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(read(request).await))
    }
}

/// `value` as a `T`; errors are 422 and point into the body.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    from_value_at("", value)
}

/// As [`from_value`], for a value that stands at `base` in the body.
pub fn from_value_at<T: DeserializeOwned>(base: &str, value: Value) -> Result<T, Problem> {
    let result: Result<T, serde_path_to_error::Error<serde_json::Error>> = serde_path_to_error::deserialize(value);
    result.map_err(|error| Problem::invalid_body(vec![explain(base, &error)]))
}

/// Takes the string `name` out of an object: the tag of a command. (Serde's internally tagged enums lose the path of an
/// error, so the tag is taken first and the rest becomes the struct that belongs to it.)
pub fn take_string(members: &mut Map<String, Value>, name: &str) -> Result<String, Problem> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        None => Err(Problem::invalid_body(vec![FieldError::required(pointer::join("", name))])),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Problem::invalid_body(vec![FieldError::new(pointer::join("", name), "wrong_type", "must be a string")]))
        }
    }
}

impl From<strict::Fault> for Problem {
    fn from(fault: strict::Fault) -> Self {
        match fault {
            strict::Fault::Malformed { message } => {
                Self::new(Code::InvalidJson, format!("The body is not JSON: {message}."))
            }
            strict::Fault::Refused { pointer, code, message } => {
                Self::invalid_body(vec![FieldError::new(pointer, code, message)])
            }
        }
    }
}

async fn read(request: Request) -> Result<Vec<u8>, Problem> {
    let (head, body) = request.into_parts();
    // What is announced as too large is not read at all.
    if body.size_hint().lower() > MAX_BYTES as u64 {
        return Err(too_large());
    }
    let body = Limited::new(body, MAX_BYTES);
    let limits = head.extensions.get().map_or_else(Limits::default, Deadline::limits);
    let bytes = match tokio::time::timeout(limits.body, body.collect()).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(Problem::new(Code::InvalidJson, "The body ended before it was complete.")),
        Err(_) => return Err(Problem::new(Code::SlowBody, "The body did not arrive in time.")),
    };
    // An empty body needs no type: that it is empty is the better message.
    if !bytes.is_empty() {
        check_type(&head.headers)?;
    }
    Ok(bytes.into())
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge, "The body is larger than 1 MiB (1,048,576 bytes).")
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body without `Content-Encoding`."));
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "Send the body as `Content-Type: application/json`."))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::domain::id::{PartnerId, StageKey};
    use crate::domain::text::Name;
    use crate::domain::time::Time;

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
        let known = "is not known here; known: `stage`, `kind`";
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
        let known = "is not known here; known: `id`, `name`, `items`, `count`, `at`, `flag`, `nested`";
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
        let request = |content_type: &str, body: axum::body::Body| {
            Request::builder().header("content-type", content_type).body(body).unwrap()
        };
        let code = async |request: Request| RawBody(read(request).await).json().map_err(|problem| problem.code());
        assert_eq!(code(request("application/json; charset=utf-8", "{}".into())).await, Ok(json!({})));
        assert_eq!(code(request("application/merge-patch+json", "{}".into())).await, Ok(json!({})));
        assert_eq!(code(request("text/plain", "{}".into())).await, Err(Code::UnsupportedMediaType));
        assert_eq!(code(request("", "{}".into())).await, Err(Code::UnsupportedMediaType));
        assert_eq!(code(request("application/json", "".into())).await, Err(Code::InvalidJson));
        let padded = |bytes: usize| format!("{}1", " ".repeat(bytes - 1));
        assert_eq!(code(request("application/json", padded(MAX_BYTES).into())).await, Ok(json!(1)));
        assert_eq!(code(request("application/json", padded(MAX_BYTES + 1).into())).await, Err(Code::PayloadTooLarge));
        let frames = (0..20).map(|_| Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b' '; 65_536])));
        let chunked = axum::body::Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(code(request("application/json", chunked)).await, Err(Code::PayloadTooLarge));
        let mut gzip = request("application/json", "{}".into());
        gzip.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        assert_eq!(code(gzip).await, Err(Code::UnsupportedMediaType));
    }
}
