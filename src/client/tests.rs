//! The client against a server that gives prepared answers, and cuts connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::error::MAX_ANSWER;
use super::*;
use crate::domain::values::id::MessageId;
use crate::domain::values::time::Time;
use crate::webhook::sign;

/// An answer: status, more headers, body. None cuts the connection.
type Planned = Option<(u16, &'static str, String)>;

/// A request: its first line and headers, and its body.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

#[expect(clippy::unnecessary_wraps, reason = "an answer among others that cut the connection")]
fn answer(status: u16, body: &Value) -> Planned {
    Some((status, "", body.to_string()))
}

/// A client of a server with these answers, and what the server has seen.
async fn serving(answers: impl IntoIterator<Item = Planned>) -> (Stagegate, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, mut answers) = (Seen::default(), answers.into_iter().collect::<VecDeque<_>>());
    let shown = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read(&mut stream).await;
            seen.lock().unwrap().push(request);
            if let Some((status, headers, body)) = answers.pop_front().flatten() {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
                // A client that refuses a large answer hangs up.
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        }
    });
    let retry = Retry { retries: 2, backoff: Duration::from_millis(1) };
    (Stagegate::new(&url, "key").unwrap().with_retry(retry), shown)
}

async fn read(stream: &mut TcpStream) -> (String, Value) {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                return (head.to_owned(), serde_json::from_str(body).unwrap_or_default());
            }
        }
        let length = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

fn done() -> Value {
    json!({ "event": { "seq": 1 }, "events": [{ "seq": 1, "type": "task.tomorrow" }], "tomorrows_field": 1 })
}

fn submit() -> Value {
    json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "A draft" })
}

#[tokio::test]
async fn a_client_of_a_cell_names_it() {
    let (client, seen) = serving([answer(201, &done()), answer(201, &done())]).await;
    client.command(Uuid::nil(), &submit(), None).await.unwrap();
    let cell = CellName::parse("eu1").unwrap();
    client.with_cell(&cell).command(Uuid::nil(), &submit(), None).await.unwrap();
    let heads: Vec<String> = seen.lock().unwrap().iter().map(|(head, _)| head.to_ascii_lowercase()).collect();
    assert!(!heads[0].contains("stagegate-cell") && heads[1].contains("stagegate-cell: eu1"), "{heads:?}");
}

#[tokio::test]
async fn a_swallowed_answer_429_and_retry_after_keep_the_id() {
    let busy = Some((429, "retry-after: 0\r\n", json!({ "code": "rate_limited" }).to_string()));
    let (client, seen) = serving([None, busy, answer(201, &done())]).await;
    let result = client.command(Uuid::nil(), &submit(), None).await.unwrap();
    assert_eq!(result.types(), ["task.tomorrow"]);
    assert_eq!(result.rest["tomorrows_field"], 1);
    let seen = seen.lock().unwrap();
    let ids: Vec<_> = seen.iter().map(|(_, body)| body["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0] && id.parse::<Uuid>().is_ok()), "{ids:?}");
    assert!(seen[0].0.contains("authorization: Bearer key"), "{}", seen[0].0);
}

#[tokio::test]
async fn the_id_is_the_callers_if_it_gives_one() {
    let (client, seen) = serving([answer(201, &done()), answer(200, &done())]).await;
    client.command(Uuid::nil(), &submit(), Some(Uuid::max())).await.unwrap();
    let mut own = submit();
    own["id"] = "mine".into();
    client.command(Uuid::nil(), &own, None).await.unwrap();
    let ids: Vec<_> = seen.lock().unwrap().iter().map(|(_, body)| body["id"].clone()).collect();
    assert_eq!(ids, [json!(Uuid::max()), json!("mine")]);
}

#[tokio::test]
async fn a_delay_of_more_than_a_minute_is_left_to_the_caller() {
    let (client, seen) = serving([Some((503, "retry-after: 3600\r\n", "{}".to_owned()))]).await;
    assert_eq!(client.status(Uuid::nil()).await.unwrap_err().problem().unwrap().status, 503);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn retries_are_bounded_and_what_may_not_be_repeated_is_sent_once() {
    let (client, seen) = serving([answer(503, &json!({})), None, None, answer(201, &done())]).await;
    let failure = client.command(Uuid::nil(), &submit(), None).await.unwrap_err();
    assert!(matches!(failure, Error::NoAnswer { .. }) && failure.may_have_had_effect(), "{failure}");
    assert_eq!(seen.lock().unwrap().len(), 3);
    let (client, seen) = serving([None, answer(201, &json!({}))]).await;
    client.request(Method::POST, "/api/v1/links", Some(&json!({}))).await.unwrap_err();
    assert_eq!(seen.lock().unwrap().len(), 1);
    let opening = json!({ "title": "no id" });
    assert!(matches!(client.open_task(&opening).await, Err(Error::Body("/id", _))));
}

#[tokio::test]
async fn a_problem_is_typed_and_one_of_a_proxy_is_too() {
    let problem = json!({ "code": "tomorrows_code", "detail": "No.", "x": 1,
        "errors": [{ "pointer": "/a", "code": "b", "message": "is c", "y": 1 }] });
    let (client, seen) =
        serving([Some((409, "x-request-id: r1\r\n", problem.to_string())), Some((502, "", "<html>".to_owned()))]).await;
    let failure = client.command(Uuid::nil(), &submit(), None).await.unwrap_err();
    let problem = failure.problem().unwrap();
    assert_eq!((problem.status, &*problem.code, &*problem.detail), (409, "tomorrows_code", "No."));
    assert_eq!(problem.request_id.as_deref(), Some("r1"));
    assert_eq!(failure.to_string(), "409 tomorrows_code: No.\n/a is c (b)");
    assert!(!failure.may_have_had_effect());
    let failure = client.status(Uuid::nil()).await.unwrap_err();
    assert_eq!(failure.problem().unwrap().code, "");
    assert!(failure.to_string().contains("502"), "{failure}");
    assert_eq!(seen.lock().unwrap().len(), 2, "neither is retried");
}

fn status(version: u64, waiting_on: Option<&str>) -> Value {
    json!({ "task_id": Uuid::nil(), "version": version, "phase": "tomorrows_phase", "label": "L", "round": 1,
        "stage": { "key": "k", "name": "K", "position": 1 }, "waiting_on": waiting_on, "tomorrows_field": {} })
}

#[tokio::test]
async fn wait_asks_with_the_version_that_is_known_and_tolerates_the_words_of_tomorrow() {
    let unchanged = || Some((304, "", String::new()));
    let (client, seen) =
        serving([unchanged(), answer(200, &status(6, Some("partner"))), answer(200, &status(7, Some("partner")))])
            .await;
    let wait = Wait { after: Some(6), ..Wait::default() };
    let found = client.wait(Uuid::nil(), wait, |_| true).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(found).unwrap(), status(7, Some("partner")));
    let seen = seen.lock().unwrap()[0].0.clone();
    assert!(seen.contains("if-none-match: \"6\"") && seen.contains("wait=50"), "{seen}");

    let (client, _) = serving([unchanged(), answer(200, &status(6, None))]).await;
    assert_eq!(client.wait(Uuid::nil(), wait, |_| true).await.unwrap(), None, "it has ended");
    let (client, seen) = serving([answer(200, &status(1, Some("buyer"))), answer(200, &status(2, None))]).await;
    assert_eq!(client.wait(Uuid::nil(), Wait::default(), |_| false).await.unwrap(), None, "it has ended otherwise");
    assert!(seen.lock().unwrap()[1].0.contains("if-none-match: \"1\""));
    let (client, _) = serving([answer(200, &status(1, Some("buyer")))]).await;
    let at_once = Wait { timeout: Duration::ZERO, ..Wait::default() };
    assert_eq!(client.wait(Uuid::nil(), at_once, |_| false).await.unwrap(), None);
}

#[tokio::test]
async fn follow_continues_after_its_cursor_and_over_failures() {
    let page = |next: &str, more: bool, ids: &[u32]| {
        let items: Vec<_> = ids.iter().map(|id| json!({ "id": id, "type": "new.type" })).collect();
        answer(200, &json!({ "items": items, "next": next, "more": more, "epoch": 1, "tomorrow": 1 }))
    };
    let (client, seen) = serving([page("b", true, &[1, 2]), None, page("c", true, &[]), page("d", false, &[3])]).await;
    let (mut feed, mut got) = (client.follow(Some("a".to_owned()), false), Vec::new());
    while let Some(FeedEvent { cursor, item, .. }) = feed.next().await.unwrap() {
        got.push((item["id"].as_u64().unwrap(), cursor.unwrap()));
    }
    assert_eq!(got, [(1, "a".to_owned()), (2, "b".to_owned()), (3, "d".to_owned())]);
    let seen = seen.lock().unwrap();
    for (asked, cursor) in seen.iter().zip(["a", "b", "b", "c"]) {
        assert!(asked.0.contains(&format!("after={cursor}")), "{}", asked.0);
    }
}

#[tokio::test]
async fn what_is_read_has_a_limit_and_must_be_json() {
    let (client, _) = serving([Some((200, "", "x".repeat(MAX_ANSWER + 1)))]).await;
    assert!(matches!(client.status(Uuid::nil()).await, Err(Error::TooLarge { .. })));
    let (client, _) =
        serving([Some((200, "", "<html>".to_owned())), Some((302, "location: /x\r\n", String::new()))]).await;
    assert!(matches!(client.status(Uuid::nil()).await, Err(Error::Answer { .. })));
    assert_eq!(client.status(Uuid::nil()).await.unwrap_err().problem().unwrap().status, 302);
}

#[test]
fn addresses_and_credentials_are_checked_and_never_shown() {
    for url in ["", "localhost:8080", "ftp://h", "http://h/?a=b", "http://h/#a"] {
        assert!(matches!(Stagegate::new(url, "key"), Err(Error::Url(_))), "{url}");
    }
    let failure = Stagegate::new("http://h", "plan\nted").unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains("plan"));
    let client = Stagegate::new("https://h/below/", "planted").unwrap();
    assert_eq!(client.url(), "https://h/below");
    assert!(!format!("{client:?}").contains("planted"));
    assert_eq!(segment("a/b ?c"), "a%2Fb%20%3Fc");
}

#[test]
fn webhooks_that_the_service_signs_are_verified() {
    let secret = |byte| sign::Secret::parse(&format!("whsec_{}", STANDARD.encode([byte; 32]))).unwrap();
    let (ours, theirs) = (secret(1), secret(2));
    let now = Time::from_micros(1_800_000_000_000_000);
    let body = br#"{"type":"tomorrows.type","x":1}"#;
    let id = MessageId(Uuid::nil());
    let secrets = sign::Secrets { current: &theirs, pending: Some(&ours) };
    let headers = sign::headers(id, now, body, secrets);
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.to_str().ok());
    let verify = |body: &[u8], secrets: &[&str], seconds: i64| {
        verify_webhook(body, header, secrets, now + chrono::TimeDelta::seconds(seconds))
    };
    assert_eq!(verify(body, &[ours.reveal()], 300).unwrap()["x"], 1);
    assert!(verify(body, &[secret(3).reveal(), theirs.reveal()], -300).is_ok());
    assert_eq!(verify(body, &[secret(3).reveal()], 0), Err(WebhookVerificationError::Signature));
    assert_eq!(verify(b"{}", &[ours.reveal()], 0), Err(WebhookVerificationError::Signature));
    for seconds in [301, -301] {
        assert_eq!(verify(body, &[ours.reveal()], seconds), Err(WebhookVerificationError::Timestamp));
    }
    assert_eq!(verify(body, &["whsec_?"], 0), Err(WebhookVerificationError::Secret));
    let without = verify_webhook(body, |_| None, &[ours.reveal()], now);
    assert_eq!(without, Err(WebhookVerificationError::Header("webhook-id")));
}
