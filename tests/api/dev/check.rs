//! `stagegate dev check` against a good endpoint, and against bad ones: each story fails for the endpoint that
//! deserves it, and no other does.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use stagegate::clock::Clock;
use stagegate::config::{DevCheck, Secret};
use stagegate::dev::check;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use crate::harness::parties::text;
use crate::harness::process::{command, run};
use crate::harness::waiting::PATIENCE;

const SECRET: &str = "whsec_c3RhZ2VnYXRlLWRldi1jaGVjay1zZWNyZXQ=";

/// What an endpoint does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    RefusesDuplicates,
    RefusesGaps,
    RefusesLateEvents,
    ReadsOneSignature,
    VerifiesNoSignature,
    IgnoresTheTime,
    CannotCancel,
    HangsOnRetries,
    LimitsItsCallers,
    RefusesUnknownTypes,
    KnowsAnotherSecret,
}

/// An endpoint, and what it remembers.
struct Endpoint {
    flaw: Flaw,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    ids: BTreeSet<String>,
    seqs: HashMap<String, u64>,
    openings: usize,
}

impl Endpoint {
    fn is_genuine(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let webhook = Webhook::new(SECRET).unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let sent: i64 = header("webhook-timestamp").parse().unwrap();
        if self.flaw == Flaw::VerifiesNoSignature {
            return (Clock::system().now().utc().timestamp() - sent).abs() < 300;
        }
        if self.flaw == Flaw::IgnoresTheTime {
            let signature = webhook.sign(&header("webhook-id"), sent, body).unwrap();
            return header("webhook-signature").split(' ').any(|given| given == signature);
        }
        let mut headers = headers.clone();
        if self.flaw == Flaw::ReadsOneSignature {
            let first = header("webhook-signature").split(' ').next().unwrap().to_owned();
            headers.insert("webhook-signature", first.parse().unwrap());
        }
        self.flaw != Flaw::KnowsAnotherSecret && webhook.verify(body, &headers).is_ok()
    }

    /// The answer; `None`: never.
    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Option<StatusCode> {
        if !self.is_genuine(headers, body) {
            return Some(StatusCode::UNAUTHORIZED);
        }
        let event: Value = serde_json::from_slice(body).unwrap();
        let (task, seq, kind) = (text(&event["task_id"]), event["seq"].as_u64().unwrap(), text(&event["type"]));
        let mut memory = self.memory.lock().unwrap();
        let is_known = !memory.ids.insert(headers["webhook-id"].to_str().unwrap().to_owned());
        let latest = memory.seqs.get(&task).copied().unwrap_or_default();
        memory.seqs.insert(task, latest.max(seq));
        memory.openings += usize::from(seq == 1 && !is_known);
        let wrong = [
            (Flaw::RefusesDuplicates, is_known, Some(StatusCode::CONFLICT)),
            (Flaw::RefusesGaps, seq > latest + 1, Some(StatusCode::INTERNAL_SERVER_ERROR)),
            (Flaw::RefusesLateEvents, seq < latest && !is_known, Some(StatusCode::BAD_REQUEST)),
            (Flaw::CannotCancel, kind == "task.cancellation_requested", Some(StatusCode::INTERNAL_SERVER_ERROR)),
            (Flaw::HangsOnRetries, is_known, None),
            (Flaw::LimitsItsCallers, (40..60).contains(&memory.openings), Some(StatusCode::TOO_MANY_REQUESTS)),
            (Flaw::RefusesUnknownTypes, kind == "task.announced_later", Some(StatusCode::BAD_REQUEST)),
        ];
        let wrong = wrong.into_iter().find(|(flaw, is_met, _)| *flaw == self.flaw && *is_met);
        wrong.map_or(Some(StatusCode::NO_CONTENT), |(_, _, answer)| answer)
    }
}

async fn receive(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match endpoint.answer(&headers, &body) {
        Some(status) => status,
        None => std::future::pending().await,
    }
}

/// Starts an endpoint; its URL.
async fn start(flaw: Flaw) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let endpoint = Arc::new(Endpoint { flaw, memory: Mutex::default() });
    let router = Router::new().route("/hooks", post(receive)).with_state(endpoint);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The verdicts about the endpoint at this URL.
async fn verdicts(url: &str) -> Vec<Value> {
    let settings =
        DevCheck { webhook: url.to_owned(), secret: Secret::new(SECRET), within: Duration::from_secs(2), json: true };
    let mut out = Vec::new();
    check::run(&settings, &mut out).await.unwrap();
    let told: Value = serde_json::from_slice(&out).unwrap();
    told["stories"].as_array().unwrap().clone()
}

const STORIES: [&str; 10] = [
    "duplicate",
    "gap",
    "late_order",
    "rotation",
    "wrong_signature",
    "old_timestamp",
    "cancellation",
    "retry",
    "burst",
    "unknown_type",
];

#[tokio::test]
async fn each_story_fails_for_the_endpoint_that_deserves_it() {
    let table: [(Flaw, &[&str]); 12] = [
        (Flaw::Nothing, &[]),
        // A retry is a duplicate if the first attempt got through.
        (Flaw::RefusesDuplicates, &["duplicate", "retry"]),
        (Flaw::RefusesGaps, &["gap", "late_order"]),
        (Flaw::RefusesLateEvents, &["late_order"]),
        (Flaw::ReadsOneSignature, &["rotation"]),
        (Flaw::VerifiesNoSignature, &["wrong_signature"]),
        (Flaw::IgnoresTheTime, &["old_timestamp"]),
        (Flaw::CannotCancel, &["cancellation"]),
        (Flaw::HangsOnRetries, &["duplicate", "retry"]),
        (Flaw::LimitsItsCallers, &["burst"]),
        (Flaw::RefusesUnknownTypes, &["unknown_type"]),
        (Flaw::KnowsAnotherSecret, &STORIES),
    ];
    for (flaw, failing) in table {
        let verdicts = verdicts(&start(flaw).await).await;
        let names: Vec<_> = verdicts.iter().map(|verdict| text(&verdict["story"])).collect();
        assert_eq!(names, STORIES);
        let failed: Vec<_> = verdicts.iter().filter(|verdict| verdict["survived"] == false).collect();
        let names: Vec<_> = failed.iter().map(|verdict| text(&verdict["story"])).collect();
        assert_eq!(names, failing, "{flaw:?}: {failed:#?}");
        assert!(failed.iter().all(|verdict| verdict["seen"].is_string()), "{failed:#?}");
    }
}

#[tokio::test]
async fn the_command_prints_what_was_survived_and_its_exit_code_says_so() {
    let code = |url: String, more: &'static [&'static str]| async move {
        let mut command = command(Path::new("/nonexistent"));
        command.args(["dev", "check", "--webhook", &url, "--secret", SECRET]).args(more).env("STAGEGATE_LOG", "off");
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, said) = code(start(Flaw::Nothing).await, &[]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("survived 10 of 10") && said.contains("not checked: that it took effect once"), "{said}");
    let (status, said) = code(start(Flaw::IgnoresTheTime).await, &[]).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("FAILED    old_timestamp") && said.contains("seen: ten minutes old: 204"), "{said}");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let webhook = format!("http://{unused}/hooks?to=\u{200b}");
    let (status, said) = code(webhook.clone(), &["--json"]).await;
    assert_eq!(status, 2, "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["answered"], &told["survived"], &told["webhook"]), (&json!(false), &json!(0), &json!(webhook)));
}

#[tokio::test]
async fn a_secret_or_an_address_that_cannot_be_used_is_named_and_not_repeated() {
    for (url, secret, why) in [
        ("http://127.0.0.1:1/hooks", "hunter2", "--secret must be whsec_"),
        ("ftp://127.0.0.1/hooks", SECRET, "--webhook"),
    ] {
        let mut command = command(Path::new("/nonexistent"));
        let (well, said) = run(command.args(["dev", "check", "--webhook", url, "--secret", secret])).await;
        assert!(!well && said.contains(why) && !said.contains("hunter2"), "{said}");
    }
}
