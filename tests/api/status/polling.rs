//! Polling: what reaches the database and what does not, and that nobody is shown what is older than they may expect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::Connection as _;
use stagegate::app::App;
use stagegate::app::audit::transparency_log::Keys;
use stagegate::worker::erasures::Erasures;
use stagegate::worker::watchers::Watchers;
use tokio::time::timeout;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::audit::transparency_log::settle;
use crate::harness::commands::{update, with};
use crate::harness::parties::{Client, Parties, code, new_id};
use crate::harness::service::Answer;
use crate::harness::waiting::PATIENCE;
use crate::store::statements::Statements;

/// Counts the reads of statuses on this thread, to which the log is confined.
struct Reads {
    statements: Statements,
    _log: DefaultGuard,
    _second: tracing::Dispatch,
}

impl Reads {
    fn begin() -> Self {
        let statements = Statements::default();
        // With a single subscriber whichever thread came first would decide for all.
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        let log = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
        Self { statements, _log: log, _second: second }
    }

    /// How many there were since the last time.
    fn take(&self) -> usize {
        let sent = self.statements.take();
        sent.iter().filter(|sent| sent.contains("jsonb_build_object('phase', phase")).count()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_status_is_read_once_a_second_however_many_poll() {
    let (parties, task) = in_legal().await;
    pass(&parties, 1_000_000);
    let reads = Reads::begin();
    let version = poll(&parties.buyer, &task, "").await.body["version"].clone();
    assert_eq!(reads.take(), 1);
    for micros in [0, 400_000, 599_999] {
        pass(&parties, micros);
        for client in [&parties.buyer, &parties.partner, &parties.platform] {
            assert_eq!(poll(client, &task, "").await.body["version"], version);
            assert_eq!(poll_with(client, &task, &version).await.status, 304);
        }
    }
    assert_eq!(reads.take(), 0);
    pass(&parties, 1);
    assert_eq!(poll_with(&parties.buyer, &task, &version).await.status, 304);
    assert_eq!(reads.take(), 1, "it was read a second ago");
}

#[tokio::test(flavor = "current_thread")]
async fn callers_who_come_together_share_a_statement() {
    let parties = Parties::start().await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(parties.open("brand-campaign").await);
    }
    let reads = Reads::begin();
    let same = (0..20).map(|_| poll(&parties.buyer, &tasks[0], ""));
    let answers = futures_util::future::join_all(same).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body["task_id"] == tasks[0].as_str()));
    assert_eq!(reads.take(), 1, "of the same task");
    let different = tasks[1..].iter().map(|task| poll(&parties.buyer, task, ""));
    let answers = futures_util::future::join_all(different).await;
    let mut told = answers.iter().zip(&tasks[1..]);
    assert!(told.all(|(answer, task)| answer.status == 200 && answer.body["task_id"] == task.as_str()));
    assert_eq!(reads.take(), 2, "of others: the first one's, and one for all who came meanwhile");
}

#[tokio::test(flavor = "current_thread")]
async fn what_does_not_change_is_not_read_again_while_somebody_polls() {
    let (parties, task) = in_legal().await;
    // While transactions of other tests run that are older, a look takes these events for new.
    settle(&parties).await;
    let mut last = None;
    poll(&parties.buyer, &task, "").await;
    last = parties.service.app.statuses.refresh.step(last).await;
    // What was read before the first look cannot be renewed.
    pass(&parties, 1_000_000);
    let reads = Reads::begin();
    for _ in 0..10 {
        assert_eq!(poll(&parties.buyer, &task, "").await.status, 200);
        last = parties.service.app.statuses.refresh.step(last).await;
        pass(&parties, 999_999);
    }
    assert_eq!(reads.take(), 1);
    for (looks, read, why) in
        [(10, 0, "looks go on for a while"), (14, 1, "nobody had asked for long, so nobody looked")]
    {
        for _ in 0..looks {
            last = parties.service.app.statuses.refresh.step(last).await;
            pass(&parties, 900_000);
        }
        poll(&parties.buyer, &task, "").await;
        assert_eq!(reads.take(), read, "{why}");
    }
}

#[tokio::test]
async fn a_look_finds_what_another_replica_has_written_without_a_word() {
    let (parties, task) = in_legal().await;
    let (app, client) = replica(&parties).await;
    let mut last = None;
    poll(&client, &task, "").await;
    last = app.statuses.refresh.step(last).await;
    for message in ["one", "two", "three"] {
        let old = poll(&client, &task, "").await.body["version"].clone();
        parties.partner.done(&task, &update(message)).await;
        assert_eq!(poll(&client, &task, "").await.body["version"], old);
        last = app.statuses.refresh.step(last).await;
        assert_eq!(poll(&client, &task, "").await.body["message"], message);
        pass(&parties, 600_000);
    }
}

#[tokio::test]
async fn a_row_that_commits_late_is_found_by_the_next_look() {
    let (parties, task) = in_legal().await;
    let (app, client) = replica(&parties).await;
    let (mut last, mut owner) = (None, parties.service.db.owner().await);
    poll(&client, &task, "").await;
    last = app.statuses.refresh.step(last).await;
    poll(&client, &task, "").await;
    // A writer that has its number and has not committed, while looks go by and others commit.
    let mut late = owner.begin().await.unwrap();
    sqlx::query("select pg_current_xact_id()").execute(&mut *late).await.unwrap();
    for _ in 0..3 {
        parties.open("brand-campaign").await;
        poll(&client, &task, "").await;
        last = app.statuses.refresh.step(last).await;
    }
    let writes = [
        "update tasks set buyer_status = replace(buyer_status::text, 'legal', 'late')::json where task_id = $1::uuid",
        "update task_events set xid = pg_current_xact_id() where task_id = $1::uuid",
    ];
    for write in writes {
        sqlx::query(write).bind(&task).execute(&mut *late).await.unwrap();
    }
    let key = async || poll(&client, &task, "").await.body["stage"]["key"].clone();
    assert_eq!(key().await, "legal");
    late.commit().await.unwrap();
    app.statuses.refresh.step(last).await;
    assert_eq!(key().await, "late");
}

#[tokio::test]
async fn what_is_written_here_is_read_at_once() {
    let (parties, task) = in_legal().await;
    for message in ["one", "two", "three"] {
        let before = poll(&parties.buyer, &task, "").await.body["version"].clone();
        parties.partner.done(&task, &update(message)).await;
        assert_eq!(poll(&parties.buyer, &task, "").await.body["message"], message);
        assert_eq!(poll_with(&parties.buyer, &task, &before).await.body["message"], message);
    }
}

#[tokio::test]
async fn what_another_replica_writes_is_read_when_it_is_heard() {
    let (parties, task) = in_legal().await;
    let (app, client) = replica(&parties).await;
    let listening = Arc::clone(&app);
    tokio::spawn(async move { listening.statuses.replication.listen().await });
    run_watchers(&parties.service.app);
    // Until the replica listens, nothing is heard; the clock stands still, so nothing grows old.
    let heard = async {
        for number in 0.. {
            let message = number.to_string();
            poll(&client, &task, "").await;
            parties.partner.done(&task, &update(&message)).await;
            for _ in 0..20 {
                if poll(&client, &task, "").await.body["message"] == *message {
                    return;
                }
            }
        }
    };
    timeout(PATIENCE, heard).await.unwrap();
}

#[tokio::test]
async fn what_another_replica_writes_without_a_word_is_read_after_a_second() {
    let (parties, task) = in_legal().await;
    let (_, client) = replica(&parties).await;
    let old = poll(&client, &task, "").await.body;
    parties.partner.done(&task, &update("unheard")).await;
    pass(&parties, 999_999);
    assert_eq!(poll(&client, &task, "").await.body["version"], old["version"]);
    pass(&parties, 1);
    assert_eq!(poll(&client, &task, "").await.body["message"], "unheard");
}

#[tokio::test]
async fn whoever_has_seen_more_than_a_replica_is_shown_nothing_older() {
    let (parties, task) = in_legal().await;
    let (_, client) = replica(&parties).await;
    for by_tag in [true, false] {
        let old = poll(&client, &task, "").await.body["version"].as_u64().unwrap();
        let new = parties.partner.done(&task, &update(&old.to_string())).await["task"]["version"].clone();
        assert_eq!(poll(&client, &task, "").await.body["version"], old, "nobody told the replica");
        if by_tag {
            assert_eq!(poll_with(&client, &task, &new).await.status, 304);
        } else {
            assert_eq!(poll(&client, &task, &format!("?min_version={new}")).await.body["version"], new);
        }
        assert_eq!(poll(&client, &task, "").await.body["version"], new, "the replica knows it now");
    }
}

#[tokio::test]
async fn an_older_version_than_was_asked_for_is_never_answered() {
    let (parties, task) = in_legal().await;
    let version = poll(&parties.buyer, &task, "").await.body["version"].as_u64().unwrap();
    for beyond in [version + 1, u64::MAX] {
        let answer = poll(&parties.buyer, &task, &format!("?min_version={beyond}")).await;
        assert_eq!((answer.status, code(&answer)), (503, "behind"));
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(poll_with(&parties.buyer, &task, &json!(beyond)).await.body["version"], version);
    }
    for bad in ["-1", "x", "1.5", "", "18446744073709551616"] {
        let answer = poll(&parties.buyer, &task, &format!("?min_version={bad}")).await;
        assert_eq!((answer.status, code(&answer)), (400, "invalid_parameter"), "{bad}");
    }
}

#[tokio::test]
async fn what_is_kept_is_shown_to_its_parties_alone() {
    let (parties, task) = in_legal().await;
    let version = poll(&parties.buyer, &task, "").await.body["version"].clone();
    for stranger in [parties.another_buyer(), parties.another_partner().await] {
        for answer in [poll(&stranger, &task, "").await, poll_with(&stranger, &task, &version).await] {
            assert_eq!((answer.status, code(&answer)), (404, "not_found"));
        }
    }
    assert_eq!(poll_with(&parties.partner, &task, &version).await.status, 304);
}

/// An id that is written otherwise takes the long way, through the router.
#[tokio::test]
async fn both_ways_to_a_status_answer_the_same() {
    let (parties, task) = in_legal().await;
    let version = poll(&parties.buyer, &task, "").await.body["version"].clone();
    let mut callers = vec![parties.buyer.clone(), parties.partner.clone(), parties.platform.clone()];
    callers.extend([parties.another_buyer(), parties.another_partner().await]);
    let unknown =
        ["", "ey.no.token", "no-key-at-all", "ait_unknown"].map(|credential| with_credential(&parties, credential));
    callers.extend(unknown);
    let known = [format!("\"{version}\""), "W/\"1\"".into(), "\"99\", *".into(), "\"99\"".into(), "nonsense".into()];
    let others = [
        ("accept", "*/*"),
        ("x-aitasker-key", "ait_second"),
        ("origin", "https://elsewhere.example"),
        ("x-request-id", "mine"),
    ];
    let headers = known.iter().map(|tag| ("if-none-match", tag.as_str())).chain(others);
    let mut statuses = BTreeSet::new();
    for header in headers {
        for caller in &callers {
            for task in [&task, &task.to_uppercase(), &new_id(), &task[1..].to_owned(), &"-".repeat(36)] {
                for method in ["GET", "HEAD", "PUT"] {
                    let path = format!("/api/v1/tasks/{task}/status");
                    let encoded = format!("/api/v1/tasks/%{:02X}{}/status", task.as_bytes()[0], &task[1..]);
                    for query in ["", "?min_version=1", "?min_version=1&wait=0", "?wait=56", "?x"] {
                        let short = answer(caller, (method, &format!("{path}{query}")), header).await;
                        let long = answer(caller, (method, &format!("{encoded}{query}")), header).await;
                        assert_eq!(short, long, "{method} {path}{query} {header:?} by {}", caller.credential);
                        statuses.insert(short.0);
                    }
                }
            }
        }
    }
    assert_eq!(statuses, BTreeSet::from([200, 304, 400, 401, 404, 405]));
}

fn with_credential(parties: &Parties, credential: &str) -> Client {
    Client { credential: credential.to_owned(), ..parties.buyer.clone() }
}

/// All of an answer but for what numbers it.
async fn answer(
    client: &Client,
    request: (&str, &str),
    header: (&str, &str),
) -> (u16, BTreeMap<String, Vec<u8>>, Value) {
    let Answer { status, headers, mut body, .. } = client.call_with(request, header, &Value::Null).await;
    let mut headers: BTreeMap<_, _> =
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    assert!(headers.remove("x-request-id").is_some_and(|id| header.0 != "x-request-id" || id == header.1.as_bytes()));
    // Of a body that is there, the connection says its length by itself.
    let length = headers.remove("content-length");
    assert!(length.is_none() || status != 304, "of what is not sent no length is said");
    if let Some(id) = body.get_mut("request_id") {
        *id = Value::Null;
    }
    (status, headers, body)
}

#[tokio::test]
async fn an_erased_text_is_not_shown_any_more() {
    let (parties, task) = in_legal().await;
    let (_, client) = replica(&parties).await;
    let message = with(update("PLANTED"), &json!({ "actor": { "id": "u-anna" } }));
    parties.partner.done(&task, &message).await;
    let request = json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-anna", "reason": "Request 118" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &request).await.status, 202);
    parties.pass(1);
    for reader in [&parties.buyer, &client] {
        assert_eq!(poll(reader, &task, "").await.body["message"], "PLANTED");
    }
    let erasures = Erasures::new(Arc::clone(&parties.service.app));
    for _ in 0..10 {
        erasures.run_due().await.unwrap();
    }
    assert_eq!(poll(&parties.buyer, &task, "").await.body["message"], Value::Null, "at once where it was erased");
    pass(&parties, 1_000_000);
    assert_eq!(poll(&client, &task, "").await.body["message"], Value::Null, "elsewhere within a second");
}

async fn in_legal() -> (Parties, String) {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    (parties, task)
}

/// Another replica, which hears nothing; the buyer asks it.
async fn replica(parties: &Parties) -> (Arc<App>, Client) {
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    (app, parties.buyer.at(&router))
}

fn run_watchers(app: &Arc<App>) {
    let watchers = Watchers::new(Arc::clone(app));
    tokio::spawn(async move { watchers.run().await });
}

fn pass(parties: &Parties, micros: i64) {
    let now = parties.service.clock.now().utc();
    parties.service.clock.set((now + TimeDelta::microseconds(micros)).into());
}

async fn poll(client: &Client, task: &str, query: &str) -> Answer {
    client.get(&format!("/api/v1/tasks/{task}/status{query}")).await
}

/// By whoever has this version.
async fn poll_with(client: &Client, task: &str, version: &Value) -> Answer {
    let path = format!("/api/v1/tasks/{task}/status");
    client.call_with(("GET", &path), ("if-none-match", &format!("\"{version}\"")), &Value::Null).await
}
