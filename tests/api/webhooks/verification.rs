//! Receivers of webhooks: deliveries look as docs/partner.md shows them, and its lines in three languages tell a
//! genuine delivery from any other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::post;
use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::clock::Clock;
use stagegate::domain::values::id::MessageId;
use stagegate::domain::values::time::Time;
use stagegate::ids;
use stagegate::webhook::address::{Reach, Target};
use stagegate::webhook::client::Client;
use stagegate::webhook::sign::{Secret, Secrets, headers};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::audit::transparency_log::settle;
use crate::harness::commands::{at, reject, with};
use crate::harness::parties::{Parties, text};
use crate::harness::process::run;
use crate::harness::settings::{python, setting};
use crate::readme::{document, is_shortened};

mod snippet;

/// A delivery as it arrived.
#[derive(Clone, Debug)]
struct Delivery {
    headers: HeaderMap,
    body: String,
}

/// A receiver on a socket, which keeps what comes, and a client that sends to it.
struct Wire {
    client: Client,
    target: Target,
    came: UnboundedReceiver<Delivery>,
}

impl Wire {
    async fn new() -> Self {
        let (sender, came) = unbounded_channel();
        let keep = move |headers: HeaderMap, body: Bytes| async move {
            sender.send(Delivery { headers, body: String::from_utf8(body.to_vec()).unwrap() }).unwrap();
            StatusCode::NO_CONTENT
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let receiver = Router::new().route("/hooks", post(keep));
        tokio::spawn(async move { axum::serve(listener, receiver).await });
        let target = Target::parse(&url, Reach::Anywhere).unwrap();
        Self { client: Client::new(Reach::Anywhere), target, came }
    }

    async fn deliver(&mut self, item: &Value, at: Time, secrets: Secrets<'_>) -> Delivery {
        let body = item.to_string();
        let id = MessageId(text(&item["id"]).parse().unwrap());
        let headers = headers(id, at, body.as_bytes(), secrets);
        let attempt = self.client.post(&self.target, (&headers, None), body.into()).await;
        assert!(attempt.outcome.is_delivered(), "{attempt:?}");
        self.came.recv().await.unwrap()
    }
}

/// A rejection as the feed tells the partner of it.
async fn rejection() -> Value {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let rejection = with(reject(at("legal", 1, 1), "u-anna"), &json!({ "note": "Größe: \u{1F600} \"\\\u{2028}" }));
    parties.partner.done(&task, &rejection).await;
    settle(&parties).await;
    let feed = parties.partner.read("/api/v1/events?limit=100").await;
    let items = feed["items"].as_array().unwrap();
    items.iter().find(|item| item["type"] == "task.stage_rejected").unwrap().clone()
}

/// Deliveries with what a receiver that knows `ours` must say of them.
async fn cases(ours: &Secret) -> Vec<(&'static str, Delivery, bool)> {
    let (mut wire, item) = (Wire::new().await, rejection().await);
    let (other, now) = (Secret::from_random(&ids::random()), Clock::system().now());
    let signed = |current| Secrets { current, pending: None };
    let genuine = wire.deliver(&item, now, signed(ours)).await;
    let old = wire.deliver(&item, now - TimeDelta::minutes(6), signed(ours)).await;
    let early = wire.deliver(&item, now + TimeDelta::minutes(6), signed(ours)).await;
    let before = wire.deliver(&item, now, Secrets { current: ours, pending: Some(&other) }).await;
    let after = wire.deliver(&item, now, Secrets { current: &other, pending: Some(ours) }).await;
    let wrong = wire.deliver(&item, now, signed(&other)).await;
    let mut body = genuine.clone();
    body.body = body.body.replace("rejected", "approved");
    let changed = |name: &'static str, value: &str| {
        let mut delivery = genuine.clone();
        delivery.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        delivery
    };
    let second_later = (now.micros() / 1_000_000 + 1).to_string();
    let signature = wrong.headers["webhook-signature"].to_str().unwrap();
    let mut unsigned = genuine.clone();
    unsigned.headers.remove("webhook-signature");
    vec![
        ("another body", body, false),
        ("another time", changed("webhook-timestamp", &second_later), false),
        ("another id", changed("webhook-id", &ids::new().to_string()), false),
        ("another's signature", changed("webhook-signature", signature), false),
        ("an unknown kind of signature", changed("webhook-signature", &signature.replace("v1,", "v2,")), false),
        ("no signature", unsigned, false),
        ("another secret", wrong, false),
        ("too old", old, false),
        ("of the future", early, false),
        ("while a successor is introduced", before, true),
        ("by the successor", after, true),
        ("genuine", genuine, true),
    ]
}

/// The block of this language in docs/partner.md, in its part about receiving.
fn block(language: &str) -> String {
    let page = document("docs/partner.md");
    let (_, part) = page.split_once("\n### Receiving webhooks\n").unwrap();
    let part = part.split("\n## ").next().unwrap();
    let (_, block) = part.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Asks a program, which is given the cases and says of each `genuine` or `refused`, a line each.
async fn judged_by(mut program: Command, secret: &Secret, cases: &[(&'static str, Delivery, bool)]) {
    let plain = |headers: &HeaderMap| -> BTreeMap<String, String> {
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    };
    let given: Vec<Value> = cases
        .iter()
        .map(|(_, delivery, _)| json!({ "headers": plain(&delivery.headers), "body": delivery.body }))
        .collect();
    program.env("WEBHOOK_SECRET", secret.reveal()).env("CASES", Value::from(given).to_string());
    let (well, said) = run(&mut program).await;
    assert!(well, "the libraries of tests/receivers are needed, which ./test sees to: {said}");
    let verdicts: Vec<&str> = said.lines().collect();
    let expected: Vec<&str> = cases.iter().map(|(.., genuine)| if *genuine { "genuine" } else { "refused" }).collect();
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    assert_eq!(verdicts, expected, "{names:?}");
}

/// Where the public libraries are.
fn libraries() -> PathBuf {
    let folder = setting("STAGEGATE_TEST_RECEIVERS");
    folder.map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/receivers").into(), PathBuf::from)
}

#[tokio::test]
async fn the_lines_for_python_tell_genuine_deliveries_from_others() {
    let secret = Secret::from_random(&ids::random());
    let driver = r#"
import json
from standardwebhooks import WebhookVerificationError
for case in json.loads(os.environ["CASES"]):
    try:
        event = receive(case["body"].encode(), case["headers"])
        print("genuine" if event["id"] == case["headers"]["webhook-id"] else "other")
    except WebhookVerificationError:
        print("refused")
"#;
    let mut python = Command::new(python());
    python.arg("-c").arg(block("python") + driver).env("PYTHONPATH", libraries().join("python"));
    judged_by(python, &secret, &cases(&secret).await).await;
}

#[tokio::test]
async fn the_lines_for_typescript_tell_genuine_deliveries_from_others() {
    let secret = Secret::from_random(&ids::random());
    // Node.js 20 does not read types.
    let lines = block("ts").replace(": string", "").replace(": Record<string, string>", "");
    let driver = r#"
import { WebhookVerificationError } from "standardwebhooks";
for (const { body, headers } of JSON.parse(process.env.CASES)) {
  try {
    console.log(receive(body, headers).id === headers["webhook-id"] ? "genuine" : "other");
  } catch (error) {
    console.log(error instanceof WebhookVerificationError ? "refused" : String(error));
  }
}
"#;
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval"]).arg(lines + driver).current_dir(libraries());
    judged_by(node, &secret, &cases(&secret).await).await;
}

#[tokio::test]
async fn the_lines_for_rust_tell_genuine_deliveries_from_others() {
    assert!(
        include_str!("verification/snippet.rs").ends_with(&block("rust")),
        "docs/partner.md has other lines for Rust"
    );
    let secret = Secret::from_random(&ids::random());
    for (name, delivery, genuine) in cases(&secret).await {
        let verified = snippet::verify(secret.reveal(), delivery.body.as_bytes(), &delivery.headers);
        assert_eq!(verified.is_ok(), genuine, "{name}: {verified:?}");
    }
}

#[tokio::test]
async fn a_delivery_looks_as_the_documentation_shows_it() {
    let secret = Secret::from_random(&ids::random());
    let item = rejection().await;
    let secrets = Secrets { current: &secret, pending: None };
    let delivery = Wire::new().await.deliver(&item, Clock::system().now(), secrets).await;
    let shown = block("text");
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("POST /hooks HTTP/1.1"));
    let mut shown: Vec<&str> = lines.map(|line| line.split(": ").next().unwrap()).collect();
    let signed = |name: &&str| name.starts_with("webhook-") || name.starts_with("x-aitasker-");
    let mut came: Vec<&str> = delivery.headers.keys().map(HeaderName::as_str).filter(signed).collect();
    came.push("content-type");
    assert_eq!(delivery.headers["content-type"], "application/json");
    shown.sort_unstable();
    came.sort_unstable();
    assert_eq!(shown, came);
    let shown: Value = serde_json::from_str(&block("json")).unwrap();
    let body: Value = serde_json::from_str(&delivery.body).unwrap();
    assert!(is_shortened(&shown, &body), "{body:#} is not, shortened, {shown:#}");
}
