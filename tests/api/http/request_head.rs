//! What one request can cost before anybody vouched for it, and how HTTP is read: over real sockets, and straight
//! into the surface.

use std::fs;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use stagegate::http::input::body::budget::Size;
use stagegate::http::input::body::{MAX_BYTES, SMALL};
use stagegate::http::serve::server::MAX_HEADER_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::harness::commands::update;
use crate::harness::contract::operations;
use crate::harness::parties::{Client, Parties, code, events};
use crate::harness::service::{self, Answer, Service, router_with_body_memory};
use crate::harness::waiting::until;
use crate::http::server::{Running, patient, read_all};

const KIB: usize = 1 << 10;

/// What comes back for `bytes`, until the server closes: status, code of the problem, and all of it.
async fn exchange(server: &Running, bytes: &[u8]) -> (u16, Option<String>, String) {
    let mut client = server.connect().await;
    client.write_all(bytes).await.unwrap();
    let answer = read_all(&mut client).await;
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(id) = problem["request_id"].as_str() {
        assert!(head.contains(&format!("x-request-id: {id}")), "{answer}");
        assert!(head.contains("content-type: application/problem+json"), "{answer}");
    }
    (status, problem["code"].as_str().map(str::to_owned), answer)
}

#[expect(clippy::too_many_lines, reason = "a table: a request each")]
#[tokio::test]
async fn rfc_9112_requests_that_are_not_of_its_form_are_refused() {
    let service = Service::start().await;
    let server = Running::start(patient(), service.router.clone());
    let long = "a".repeat(9_000);
    let names = vec!["a=1"; 33].join("&");
    let fields = "x: y\r\n".repeat(98);
    let table: [(&str, &str, u16, Option<&str>); 22] = [
        ("GET /health HTTP/1.1", "host: x", 200, None),
        ("GET http://x/health HTTP/1.1", "host: x", 200, None),
        ("GET /health HTTP/1.0", "", 200, None),
        ("GET /health HTTP/1.1", "host: x\r\nexpect: 100-continue", 200, None),
        // Section 3.2.
        ("GET /health HTTP/1.1", "", 400, Some("invalid_parameter")),
        ("GET /health HTTP/1.1", "host: x\r\nhost: x", 400, Some("invalid_parameter")),
        ("GET /health HTTP/1.1", "host: x/y", 400, Some("invalid_parameter")),
        ("GET /health HTTP/1.1", "host:", 400, Some("invalid_parameter")),
        ("GET /health HTTP/1.0", "host: x\r\nhost: y", 400, Some("invalid_parameter")),
        // Section 6.1.
        (
            "POST /health HTTP/1.1",
            "host: x\r\ntransfer-encoding: gzip, chunked",
            501,
            Some("unsupported_transfer_encoding"),
        ),
        (
            "POST /health HTTP/1.1",
            "host: x\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked",
            501,
            Some("unsupported_transfer_encoding"),
        ),
        (
            "POST /health HTTP/1.1",
            "host: x\r\ntransfer-encoding: chunked, chunked",
            501,
            Some("unsupported_transfer_encoding"),
        ),
        // Bounds.
        (&format!("GET /{long} HTTP/1.1"), "host: x", 414, Some("target_too_long")),
        (&format!("GET /api/v1/tasks?{long} HTTP/1.1"), "host: x", 414, Some("target_too_long")),
        (&format!("GET /api/v1/tasks?{names} HTTP/1.1"), "host: x", 400, Some("invalid_parameter")),
        (
            &format!("GET /api/v1/tasks/0199a000-0000-7000-8000-000000000000/status?{long} HTTP/1.1"),
            "host: x",
            414,
            Some("target_too_long"),
        ),
        (
            &format!("GET /api/v1/tasks/0199a000-0000-7000-8000-000000000000/status?{names} HTTP/1.1"),
            "host: x",
            400,
            Some("invalid_parameter"),
        ),
        ("GET /api/v1/tasks/0199a000-0000-7000-8000-000000000000/status HTTP/1.1", "", 400, Some("invalid_parameter")),
        ("GET /health HTTP/1.1", &format!("{fields}host: x"), 200, None),
        // Bare, as the contract says: hyper cannot read them.
        ("GET /health HTTP/1.1", &format!("{fields}{fields}host: x"), 431, None),
        ("GET /hea lth HTTP/1.1", "host: x", 400, None),
        ("GET /health HTTP/1.1", "ho st: x", 400, None),
    ];
    for (line, header, status, problem) in table {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let body = if line.starts_with("POST") { "0\r\n\r\n" } else { "" };
        let sent = format!("{line}\r\n{header}connection: close\r\n\r\n{body}");
        let short: String = sent.chars().take(200).collect();
        let (found, code, answer) = exchange(&server, sent.as_bytes()).await;
        assert_eq!((found, code.as_deref()), (status, problem), "{short}: {answer}");
        assert_eq!(problem.is_some() || status == 200, answer.contains("x-request-id: "), "{short}: {answer}");
    }
}

#[tokio::test]
async fn rfc_9112_section_6_3_a_connection_whose_framing_is_doubtful_ends() {
    let service = Service::start().await;
    let server = Running::start(patient(), service.router.clone());
    let next = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    // Both lengths, and what is refused: what comes next is not served.
    for header in ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: gzip, chunked"] {
        let sent = format!("POST /api/v1/partners HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n0\r\n\r\n{next}");
        let (_, _, answer) = exchange(&server, sent.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{header}: {answer}");
    }
    for header in ["content-length: 1\r\ncontent-length: 2", "content-length: +1", "transfer-encoding: chunked, gzip"] {
        let sent = format!("POST /api/v1/partners HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n{next}");
        let (_, _, answer) = exchange(&server, sent.as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{header}: {answer}");
    }
}

#[tokio::test]
async fn rfc_9110_section_10_1_1_a_body_that_is_refused_is_not_asked_for() {
    let service = Service::start().await;
    let server = Running::start(patient(), service.router.clone());
    let mut client = server.connect().await;
    let head = "POST /api/v1/partners HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 20\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn a_header_is_refused_at_64_kib_though_it_is_unfinished() {
    let service = Service::start().await;
    let server = Running::start(patient(), service.router.clone());
    let begin = "GET /health HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ";
    let fits = format!("{begin}{}\r\nconnection: close\r\n\r\n", "a".repeat(60 * KIB));
    assert_eq!(exchange(&server, fits.as_bytes()).await.0, 200);
    // Not a byte more than the bound is sent, and no end: the server must not wait for it.
    let unfinished = format!("{begin}{}", "a".repeat(MAX_HEADER_BYTES - begin.len()));
    let (status, _, answer) = exchange(&server, unfinished.as_bytes()).await;
    assert_eq!(status, 431, "{answer}");
}

#[tokio::test]
async fn a_header_of_http_2_is_refused_at_64_kib_though_it_is_unfinished() {
    let service = Service::start().await;
    let server = Running::start(patient(), service.router.clone());
    let mut client = server.connect().await;
    let frame = |kind: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, u8::from(kind != 4)], payload].concat()
    };
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    client.write_all(&frame(4, &[])).await.unwrap();
    // `GET http://x/`, then fields `a: …` without an index, 126 bytes of value each, in frames that never end the
    // header.
    client.write_all(&frame(1, &[0x82, 0x86, 0x84, 0x41, 0x01, b'x'])).await.unwrap();
    let field = [&[0, 1, b'a', 126][..], &[b'b'; 126]].concat();
    let piece = frame(9, &field.repeat(100));
    let mut sent = 0;
    // What cannot be sent was refused.
    while sent < 20 * MAX_HEADER_BYTES && client.write_all(&piece).await.is_ok() {
        sent += piece.len();
        let mut answer = [0; 4096];
        match client.try_read(&mut answer) {
            Ok(length) if length == 0 || answer[..length].windows(4).any(|it| it == [7, 0, 0, 0]) => break,
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    }
    assert!(sent < 20 * MAX_HEADER_BYTES, "more than 1 MiB of header was taken");
}

#[test]
fn the_work_of_a_refused_query_is_that_of_a_plain_request() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = runtime.block_on(Service::start());
    let names: Vec<_> = (0..9_000).map(|n| format!("a{n}")).collect();
    let heavy = format!("/api/v1/tasks?{}", names.join("&"));
    let dense = format!("/api/v1/tasks?{}", "&".repeat(8_000));
    let cost = |path: &str, status: u16| {
        let before = processor_nanos();
        for _ in 0..50 {
            let answer = runtime.block_on(service.call("GET", path, "", &Value::Null));
            assert_eq!(answer.status, status);
        }
        processor_nanos() - before
    };
    cost("/api/v1/tasks", 401);
    let plain = cost("/api/v1/tasks", 401);
    for (path, status) in [(heavy, 414), (dense, 400)] {
        let cost = cost(&path, status);
        // Quadratic, one was 500 times as much. The client's own work with the address is part of it.
        assert!(cost < 20 * plain, "{cost} ns where a plain request takes {plain}");
    }
}

/// Processor time of this thread.
fn processor_nanos() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_operation_takes_a_body_of_the_size_that_the_contract_says() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let webhook = "/api/v1/webhooks/main".to_owned();
    let definition = json!({ "url": "http://127.0.0.1:9/hook" });
    assert_eq!(parties.partner.call("PUT", &webhook, &definition).await.status, 201);
    let contract = serde_json::to_value(stagegate::http::openapi::document()).unwrap();
    let mut checked = 0;
    for operation in operations() {
        let (method, path) = (operation.method.as_str(), operation.path.as_str());
        let body = &contract["paths"][path][method.to_lowercase()]["requestBody"];
        let Some(text) = body["description"].as_str() else { continue };
        let most = if text.ends_with("At most 64 KiB.") { SMALL } else { MAX_BYTES };
        assert!(most == SMALL || text.ends_with("At most 1 MiB."), "{path}: {text}");
        let client = if operation.parties.contains("partner") { &parties.partner } else { &parties.platform };
        let path = path.replace("/tasks/{id}", &format!("/tasks/{task}")).replace("{key}", "brand-campaign");
        let path = path.replace("/partners/{id}", &format!("/partners/{}", parties.partner_id));
        let path = path.replace("/api/v1/webhooks/{id}", &webhook);
        for (size, expected) in [(most, (400, "invalid_json")), (most + 1, (413, "payload_too_large"))] {
            let answer = send(client, (method, &path), Body::from(vec![b' '; size])).await;
            assert_eq!((answer.status, code(&answer)), expected, "{method} {path}: {size}");
        }
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} operations take a body");
}

#[tokio::test]
async fn bodies_under_way_have_a_bound_and_each_caller_a_share() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    // A share of 1 MiB.
    let (router, operators) = router_with_body_memory(&parties.service.app, Size(4 * MAX_BYTES)).await;
    let (partner, platform) = (parties.partner.at(&router), parties.platform.at(&router));
    let held: Vec<_> = (0..4).map(|_| unfinished(&partner, &task, 256 * KIB)).collect();
    until_held(&operators, MAX_BYTES).await;
    let refused = partner.send(&task, &update("one too many")).await;
    assert_eq!((refused.status, code(&refused)), (429, "too_many_at_once"));
    assert_eq!(refused.headers["retry-after"], "1");
    let mut all = vec![unfinished(&platform, &task, MAX_BYTES)];
    until_held(&operators, 2 * MAX_BYTES).await;
    for _ in 0..2 {
        let other = parties.another_partner().await.at(&router);
        all.push(unfinished_at(&other, "PUT", "/api/v1/workflows/any", MAX_BYTES));
    }
    until_held(&operators, 4 * MAX_BYTES).await;
    let another = parties.another_partner().await.at(&router);
    let full = another.call("PUT", "/api/v1/workflows/any", &json!({})).await;
    assert_eq!((full.status, code(&full)), (503, "overloaded"));
    assert_eq!(full.headers["retry-after"], "1");
    for body in held.into_iter().chain(all) {
        body.abort();
    }
    until_held(&operators, 0).await;
    assert_eq!(partner.send(&task, &update("there is room again")).await.status, 201);
}

fn unfinished(client: &Client, task: &str, size: usize) -> JoinHandle<Answer> {
    unfinished_at(client, "POST", &events(task), size)
}

/// Sends so many bytes of a body, and then nothing.
fn unfinished_at(client: &Client, method: &str, path: &str, size: usize) -> JoinHandle<Answer> {
    let (client, method, path) = (client.clone(), method.to_owned(), path.to_owned());
    let piece = |_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 16 * KIB]));
    let body = stream::iter(0..size / (16 * KIB)).map(piece).chain(stream::pending());
    tokio::spawn(async move { send(&client, (&method, &path), Body::from_stream(body)).await })
}

/// Waits until so many bytes are under way, by the gauge.
async fn until_held(operators: &axum::Router, bytes: usize) {
    let wanted = format!("stagegate_http_request_body_bytes {bytes}\n");
    until("so many bytes are under way", async || {
        let scrape = Request::builder().uri("/metrics").body(Body::empty()).unwrap();
        let body = operators.clone().oneshot(scrape).await.unwrap().into_body();
        String::from_utf8_lossy(&axum::body::to_bytes(body, usize::MAX).await.unwrap()).contains(&wanted)
    })
    .await;
}

async fn send(client: &Client, (method, path): (&str, &str), body: Body) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", client.credential));
    service::send(&client.router, request.body(body).unwrap()).await
}
