//! What no honest client sends: each is a 4xx that names what is wrong, never a fault of ours, never a hang.

use axum::body::{Body, Bytes};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use serde_json::{Value, json};

use crate::harness::commands::{submit, update, with};
use crate::harness::parties::{Parties, code, events, new_id};
use crate::harness::service::{self, Answer};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_announced_or_not() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let padded = |size: usize| {
        let body = update("x").to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    for (method, path) in targets(&id) {
        let answer = send(&parties, method, &path, "application/json", Body::from(vec![b' '; MIB + 1])).await;
        assert_eq!((answer.status, code(&answer)), (413, "payload_too_large"), "{path}");
        let pieces = stream::iter((0..17).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MIB / 16]))));
        let answer = send(&parties, method, &path, "application/json", Body::from_stream(pieces)).await;
        assert_eq!((answer.status, code(&answer)), (413, "payload_too_large"), "{path} in pieces");
    }
    let fits = send(&parties, "POST", &events(&id), "application/json", Body::from(padded(MIB))).await;
    assert_eq!(fits.status, 201, "a MiB is allowed");
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let table: [(&[u8], &str, (u16, &str)); 11] = [
        (b"", "application/json", (400, "invalid_json")),
        (b"   ", "application/json", (400, "invalid_json")),
        (b"{", "application/json", (400, "invalid_json")),
        (b"{}{}", "application/json", (400, "invalid_json")),
        (b"{\"type\":\"resumed\",}", "application/json", (400, "invalid_json")),
        (b"{\"type\":\"\xff\"}", "application/json", (400, "invalid_json")),
        (b"{\"type\":\"\xed\xa0\x80\"}", "application/json", (400, "invalid_json")),
        (b"type=resumed", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b"{}", "text/plain", (415, "unsupported_media_type")),
        (b"{}", "", (415, "unsupported_media_type")),
        (b"{}", "multipart/form-data; boundary=x", (415, "unsupported_media_type")),
    ];
    for (body, kind, expected) in table {
        for (method, path) in targets(&id) {
            let answer = send(&parties, method, &path, kind, Body::from(body)).await;
            assert_eq!((answer.status, code(&answer)), expected, "{path} {body:?}: {}", answer.text);
        }
    }
    let gzip = parties.partner.call_with(("POST", &events(&id)), ("content-encoding", "gzip"), &update("x")).await;
    assert_eq!(gzip.status, 415);
}

#[tokio::test]
async fn json_that_programs_read_differently_is_refused_with_its_place() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let deep = format!(r#"{{"type":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let deepest = "[".repeat(MIB - 1);
    let table: [(&str, &str); 16] = [
        (r#"{"type":"resumed","type":"held"}"#, "/type"),
        (r#"{"type":"held","actor":{"id":"a","id":"b"}}"#, "/actor/id"),
        (r#"{"type":"held","reason":"a\u0000b"}"#, "/reason"),
        (r#"{"type":"held","reason":"\ud800"}"#, "/reason"),
        (r#"{"type":"held","\udfff":1}"#, ""),
        (r#"{"type":"escalation_resolved","escalation":9007199254740992}"#, "/escalation"),
        (r#"{"type":"escalation_resolved","escalation":1e400}"#, "/escalation"),
        (r#"{"type":"escalation_resolved","escalation":-9007199254740992}"#, "/escalation"),
        (r#"{"type":"escalation_resolved","escalation":123456789012345678901234567890}"#, "/escalation"),
        (&deep, "/type/0/0"),
        (&deepest, ""),
        ("[]", ""),
        ("null", ""),
        ("7", ""),
        (r#""x""#, ""),
        ("true", ""),
    ];
    for (body, pointer) in table {
        let short = &body[..body.len().min(80)];
        let answer = send(&parties, "POST", &events(&id), "application/json", Body::from(body.to_owned())).await;
        assert_eq!((answer.status, code(&answer)), (422, "invalid_body"), "{short}: {}", answer.text);
        let named = answer.body["errors"][0]["pointer"].as_str().unwrap();
        assert!(named.starts_with(pointer), "{short}: {named}");
        for (method, path) in targets(&id) {
            let answer = send(&parties, method, &path, "application/json", Body::from(body.to_owned())).await;
            assert!((400..500).contains(&answer.status), "{path} {short}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_command_with_a_wrong_member_is_refused_with_its_place() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let long = |characters: usize| "x".repeat(characters);
    let artifact = json!({ "name": "a", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });
    let table = [
        (json!({ "nope": 1 }), "/nope"),
        (json!({ "type": "opened" }), "/type"),
        (json!({ "type": "tick" }), "/type"),
        (json!({ "type": 7 }), "/type"),
        (json!({ "id": "7" }), "/id"),
        (json!({ "id": 7 }), "/id"),
        (json!({ "stage": "../x" }), "/stage"),
        (json!({ "stage": long(65) }), "/stage"),
        (json!({ "round": -1 }), "/round"),
        (json!({ "round": 1.5 }), "/round"),
        (json!({ "round": "1" }), "/round"),
        (json!({ "round": 4_294_967_296_u64 }), "/round"),
        (json!({ "revision": 1e15 }), "/revision"),
        (json!({ "revision": 7 }), "/revision"),
        (json!({ "actor": "agent" }), "/actor"),
        (json!({ "actor": {} }), "/actor/id"),
        (json!({ "actor": { "id": "" } }), "/actor/id"),
        (json!({ "actor": { "id": long(201) } }), "/actor/id"),
        (json!({ "actor": { "id": "a", "email": "b" } }), "/actor/email"),
        (json!({ "actor": { "id": "service" } }), "/actor/id"),
        (json!({ "actor": { "id": "Stagegate" } }), "/actor/id"),
        (json!({ "occurred_at": "yesterday" }), "/occurred_at"),
        (json!({ "occurred_at": "2027-01-14T07:59:59Z" }), "/occurred_at"),
        (json!({ "occurred_at": "0001-01-01T00:00:00Z" }), "/occurred_at"),
        (json!({ "occurred_at": "2027-01-15T08:05:01Z" }), "/occurred_at"),
        (json!({ "occurred_at": "+10000-01-01T00:00:00Z" }), "/occurred_at"),
        (json!({ "note": " " }), "/note"),
        (json!({ "note": long(4_001) }), "/note"),
        (json!({ "summary": "\u{7}" }), "/summary"),
        (json!({ "artifacts": {} }), "/artifacts"),
        (json!({ "artifacts": [artifact, { "name": "b" }] }), "/artifacts/1/sha256"),
        (json!({ "artifacts": [with(artifact.clone(), &json!({ "sha256": "x" }))] }), "/artifacts/0/sha256"),
        (json!({ "artifacts": [with(artifact.clone(), &json!({ "url": "http://x.example" }))] }), "/artifacts/0/url"),
        (json!({ "artifacts": [with(artifact.clone(), &json!({ "url": "javascript:x" }))] }), "/artifacts/0/url"),
        (json!({ "artifacts": [with(artifact.clone(), &json!({ "size": -1 }))] }), "/artifacts/0/size"),
        (json!({ "artifacts": vec![artifact.clone(); 51] }), "/artifacts"),
        (json!({ "feedback": { "summary": "x" } }), "/feedback"),
    ];
    for (change, pointer) in table {
        let answer = parties.partner.send(&id, &with(submit("agent"), &change)).await;
        assert_eq!((answer.status, code(&answer)), (422, "invalid_body"), "{change}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{change}: {}", answer.text);
    }
    assert_eq!(parties.trail(&id).await.len(), 2, "nothing was written");
    let vote = parties.partner.send(&id, &json!({ "type": "stage_approved" })).await;
    let missing: Vec<_> =
        vote.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(json!(missing), json!(["/stage", "/round", "/revision", "/actor"]));
    let named =
        parties.buyer.send(&id, &with(crate::harness::commands::cancel(), &json!({ "actor": { "id": "b" } }))).await;
    assert_eq!((named.status, &named.body["errors"][0]["pointer"]), (422, &json!("/actor")));
}

#[tokio::test]
async fn an_opening_with_a_wrong_member_is_refused_with_its_place() {
    let parties = Parties::start().await;
    let table = [
        (json!({ "id": "7" }), "/id"),
        (json!({ "buyer_id": null }), "/buyer_id"),
        (json!({ "workflow": "brand-campaign" }), "/workflow"),
        (json!({ "workflow": { "key": "../x" } }), "/workflow/key"),
        (json!({ "workflow": { "key": "brand-campaign", "version": 0 } }), "/workflow"),
        (json!({ "workflow": { "key": "brand-campaign", "version": -1 } }), "/workflow/version"),
        (json!({ "workflow": { "key": "brand-campaign", "version": 1.5 } }), "/workflow/version"),
        (json!({ "title": "x".repeat(201) }), "/title"),
        (json!({ "metadata": [] }), "/metadata"),
        (json!({ "metadata": { "x": "y".repeat(16_384) } }), "/metadata"),
        (json!({ "deadline_at": 7 }), "/deadline_at"),
        (json!({ "stage": "legal" }), "/stage"),
    ];
    for (change, pointer) in table {
        let opening = with(parties.opening(&new_id(), "brand-campaign"), &change);
        let answer = parties.platform.call("POST", "/api/v1/tasks", &opening).await;
        assert_eq!(answer.status, 422, "{change}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{change}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_path_or_a_parameter_that_cannot_be_is_refused_by_name() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let cursor = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let table = [
        ("/api/v1/tasks/7".to_owned(), 400, "/path/id"),
        ("/api/v1/tasks/7/status".to_owned(), 400, "/path/id"),
        ("/api/v1/tasks/7/audit".to_owned(), 400, "/path/id"),
        ("/api/v1/tasks/%00/audit/proof".to_owned(), 400, "/path/id"),
        ("/api/v1/tasks/%ff".to_owned(), 400, "/path/id"),
        ("/api/v1/tasks/%2e%2e%2fx".to_owned(), 400, "/path/id"),
        ("/api/v1/workflows/..%2Fx".to_owned(), 400, "/path/key"),
        ("/api/v1/workflows/a%00".to_owned(), 400, "/path/key"),
        ("/api/v1/workflows/%ff".to_owned(), 400, "/path/key"),
        ("/api/v1/workflows/A/diagram".to_owned(), 400, "/path/key"),
        (format!("/api/v1/workflows/{}", "a".repeat(65)), 400, "/path/key"),
        ("/api/v1/workflows/brand-campaign/versions/-1".to_owned(), 400, "/path/n"),
        ("/api/v1/workflows/brand-campaign/versions/x".to_owned(), 400, "/path/n"),
        ("/api/v1/workflows/brand-campaign/versions/4294967296".to_owned(), 400, "/path/n"),
        ("/api/v1/workflows/brand-campaign/versions/4294967295".to_owned(), 404, ""),
        ("/api/v1/workflows/brand-campaign/versions/0".to_owned(), 404, ""),
        (format!("/api/v1/tasks/{id}?wait=1"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status?access_token=x"), 400, "/query/access_token"),
        (format!("/api/v1/tasks/{id}/status?wait=56"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status?wait=-1"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status?wait=1.5"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status?wait="), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status?wait=1&wait=1"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/status/stream?wait=1"), 400, "/query/wait"),
        (format!("/api/v1/tasks/{id}/audit?limit=0"), 400, "/query/limit"),
        (format!("/api/v1/tasks/{id}/audit?limit=101"), 400, "/query/limit"),
        (format!("/api/v1/tasks/{id}/audit?cursor=x"), 400, "/query/cursor"),
        (format!("/api/v1/tasks/{id}/audit?cursor={}", cursor("-1")), 400, "/query/cursor"),
        (format!("/api/v1/tasks/{id}/audit?cursor={}", cursor("18446744073709551616")), 400, "/query/cursor"),
        ("/api/v1/tasks?phase=nowhere".to_owned(), 400, "/query/phase"),
        ("/api/v1/tasks?stage=..%2Fx".to_owned(), 400, "/query/stage"),
        ("/api/v1/tasks?workflow=%00".to_owned(), 400, "/query/workflow"),
        ("/api/v1/tasks?overdue=maybe".to_owned(), 400, "/query/overdue"),
        ("/api/v1/tasks?waiting_on=service".to_owned(), 400, "/query/waiting_on"),
        ("/api/v1/tasks?limit=-1".to_owned(), 400, "/query/limit"),
        ("/api/v1/tasks?limit=1&limit=2".to_owned(), 400, "/query/limit"),
        ("/api/v1/tasks?cursor=".to_owned(), 400, "/query/cursor"),
        (format!("/api/v1/tasks?cursor={}", cursor("[1,2]")), 400, "/query/cursor"),
        (format!("/api/v1/tasks?cursor={}", cursor(&"[".repeat(2_000))), 400, "/query/cursor"),
        (format!("/api/v1/reviews?actor={}", "x".repeat(201)), 400, "/query/actor"),
        ("/api/v1/reviews?actor=%00".to_owned(), 400, "/query/actor"),
        (format!("/api/v1/reviews?cursor={}", cursor(r#"["2027-01-15T08:00:00Z"]"#)), 400, "/query/cursor"),
        ("/api/v1/workflows?limit=999999999999".to_owned(), 400, "/query/limit"),
        (format!("/api/v1/workflows?cursor={}", cursor(r#""../x""#)), 400, "/query/cursor"),
        ("/api/v1/nothing".to_owned(), 404, ""),
        ("/api/v1/tasks/".to_owned(), 404, ""),
        ("/api/v1//tasks".to_owned(), 404, ""),
        ("/api/v1/../../etc/passwd".to_owned(), 404, ""),
    ];
    for (path, status, pointer) in table {
        let answer = parties.partner.get(&path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"].as_str().unwrap_or_default(), pointer, "{path}");
    }
}

#[tokio::test]
async fn a_cursor_beyond_everything_gives_an_empty_page() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let nil = "00000000-0000-0000-0000-000000000000";
    let cursor = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let table = [
        format!("/api/v1/tasks/{id}/audit?cursor={}", cursor(&json!(u64::MAX))),
        format!("/api/v1/tasks/{id}/audit?cursor={}", cursor(&json!(i64::MAX))),
        format!("/api/v1/tasks?cursor={}", cursor(&json!(["0000-01-01T00:00:00Z", nil]))),
        format!("/api/v1/reviews?cursor={}", cursor(&json!(["9999-12-31T23:59:59Z", nil]))),
        format!("/api/v1/reviews?cursor={}", cursor(&json!([null, "ffffffff-ffff-ffff-ffff-ffffffffffff"]))),
    ];
    for path in table {
        let page = parties.partner.read(&path).await;
        assert_eq!((&page["items"], &page["next"]), (&json!([]), &Value::Null), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_named_in_allow_and_reading_heads_works() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let status = format!("/api/v1/tasks/{id}/status");
    for (method, path) in
        [("PATCH", status.as_str()), ("DELETE", "/api/v1/tasks"), ("PUT", "/health"), ("TRACE", "/ready")]
    {
        let answer = parties.partner.call(method, path, &Value::Null).await;
        assert_eq!((answer.status, code(&answer)), (405, "method_not_allowed"), "{method} {path}");
    }
    let answer = parties.partner.call("HEAD", &status, &Value::Null).await;
    assert_eq!((answer.status, answer.headers.contains_key("etag")), (200, true));
    assert_eq!(parties.partner.call("HEAD", "/api/v1/tasks/7", &Value::Null).await.status, 400);
    assert_eq!(parties.partner.call("PURGE", &status, &Value::Null).await.status, 405);
}

#[tokio::test]
async fn one_request_has_one_credential() {
    let parties = Parties::start().await;
    let key = parties.partner.credential.clone();
    let nobody = crate::harness::parties::Client { credential: String::new(), ..parties.partner.clone() };
    let get = ("GET", "/api/v1/workflows");
    let by_header = nobody.call_with(get, ("x-aitasker-key", &key), &Value::Null).await;
    assert_eq!(by_header.status, 200);
    let both = parties.partner.call_with(get, ("x-aitasker-key", &key), &Value::Null).await;
    assert_eq!((both.status, code(&both)), (400, "two_credentials"));
    let twice = parties.partner.call_with(get, ("authorization", &format!("Bearer {key}")), &Value::Null).await;
    assert_eq!((twice.status, code(&twice)), (400, "two_credentials"));
    for (header, value) in [
        ("x-aitasker-key", crate::harness::service::PLATFORM_KEY),
        ("x-aitasker-key", ""),
        ("x-aitasker-key", "ait_"),
        ("authorization", "Basic YTpi"),
        ("authorization", "Bearer"),
        ("authorization", &key),
        ("authorization", "Bearer ey.ey.ey"),
        ("cookie", "token=x"),
    ] {
        let answer = nobody.call_with(get, (header, value), &Value::Null).await;
        assert_eq!((answer.status, code(&answer)), (401, "unauthorized"), "{header}: {value}");
        assert!(
            value.is_empty() || !answer.text.contains(value) || value == "Bearer",
            "{header}: the credential is repeated"
        );
    }
    let buyers = nobody.call_with(get, ("x-aitasker-key", &parties.buyer.credential), &Value::Null).await;
    assert_eq!(buyers.status, 401, "that header is for partners' keys");
}

/// Every operation with a body, and how the parties that it is open to are told apart.
fn targets(task: &str) -> [(&'static str, String); 5] {
    [
        ("POST", events(task)),
        ("PUT", "/api/v1/workflows/abused".to_owned()),
        ("POST", "/api/v1/workflows/brand-campaign/simulate".to_owned()),
        ("POST", "/api/v1/tasks".to_owned()),
        ("POST", "/api/v1/partners".to_owned()),
    ]
}

/// Sends a body as it is, by a party that the operation is open to.
async fn send(parties: &Parties, method: &str, path: &str, kind: &str, body: Body) -> Answer {
    let by_platform = path == "/api/v1/tasks" || path == "/api/v1/partners";
    let client = if by_platform { &parties.platform } else { &parties.partner };
    let mut request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", client.credential));
    if !kind.is_empty() {
        request = request.header("content-type", kind);
    }
    service::send(&client.router, request.body(body).unwrap()).await
}
