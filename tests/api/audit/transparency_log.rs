//! The log of heads: when it grows, that nothing is left out, and that its proofs hold with the public key alone.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::app::audit::transparency_log::Keys;
use stagegate::domain::audit::ProofView;
use stagegate::domain::audit::checkpoint::Checkpoint;
use stagegate::domain::audit::receipt::Receipt;
use stagegate::domain::audit::signed_note::{KeyName, SignerKey, VerifierKey};
use stagegate::domain::audit::transparency_log::{ConsistencyProof, InclusionProof};
use stagegate::worker::checkpoints::Checkpoints;

use crate::harness::commands::{submit, update, with};
use crate::harness::parties::{Client, Parties, code, events, new_id};
use crate::harness::service::audit_signer;
use crate::harness::waiting::until;

#[tokio::test]
async fn a_minute_with_changes_has_one_checkpoint_and_a_quiet_one_none() {
    let parties = Parties::start().await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    assert_eq!(parties.buyer.get("/api/v1/audit/checkpoint").await.status, 404);
    assert_eq!(tick(&parties, &worker).await, 1);
    assert_eq!(newest(&parties).await.size, 1, "the partner's own trail");
    let task = parties.open_in_legal().await;
    seconds(&parties, 60);
    assert_eq!(tick(&parties, &worker).await, 1);
    assert_eq!(newest(&parties).await.size, 2, "one leaf for a task, however many events it had");
    let other = parties.open("brand-campaign").await;
    parties.partner.done(&task, &update("nearly there")).await;
    assert_eq!(tick(&parties, &worker).await, 0, "the minute is not over");
    seconds(&parties, 59);
    assert_eq!(tick(&parties, &worker).await, 0, "nor is it now");
    seconds(&parties, 1);
    assert_eq!(tick(&parties, &worker).await, 1);
    assert_eq!(newest(&parties).await.size, 4);
    for _ in 0..3 {
        seconds(&parties, 60);
        assert_eq!(tick(&parties, &worker).await, 0, "a quiet minute");
    }
    assert_eq!(newest(&parties).await.size, 4);
    parties.partner.done(&other, &submit("agent")).await;
    // A clock that was set back does not keep the log from growing.
    seconds(&parties, -3600);
    assert_eq!(tick(&parties, &worker).await, 1);
    assert_eq!(newest(&parties).await.size, 5);
}

#[tokio::test]
async fn two_replicas_at_once_make_one_log_without_holes() {
    let parties = Parties::start().await;
    let (app, _) = parties.service.replica_with(Keys::new(Some(audit_signer()), vec![])).await;
    let workers = [Checkpoints::new(Arc::clone(&parties.service.app)), Checkpoints::new(app)];
    let mut tasks = Vec::new();
    for round in 0..12 {
        for _ in 0..=(round % 3) {
            tasks.push(parties.open("brand-campaign").await);
        }
        parties.partner.done(&tasks[0], &update("on it")).await;
        seconds(&parties, 60);
        settle(&parties).await;
        let (one, two) = tokio::join!(workers[0].tick(), workers[1].tick());
        assert_eq!(one.unwrap() + two.unwrap(), 1, "round {round}");
    }
    let holes: i64 = scalar(&parties, "select count(*) - max(index) - 1 from audit_leaves").await;
    assert_eq!(holes, 0);
    for task in &tasks {
        let proof = inclusion(&parties.platform, task, "").await;
        assert_eq!(json!(proof.leaf.head), parties.task(task).await["head_hash"]);
        proof.verify(&keys(&parties).await).unwrap();
    }
    let sizes: Vec<i64> = sqlx::query_scalar("select size from audit_checkpoints order by size")
        .fetch_all(&parties.service.db.pool)
        .await
        .unwrap();
    assert_eq!(sizes.len(), 12);
    for pair in sizes.windows(2) {
        assert_consistent(&parties, pair[0], pair[1]).await;
    }
    assert_consistent(&parties, sizes[0], sizes[11]).await;
}

#[tokio::test]
async fn an_event_of_a_transaction_that_commits_late_is_not_left_out() {
    let parties = Parties::start().await;
    let late = parties.open("brand-campaign").await;
    let mut owner = parties.service.db.owner().await;
    settle(&parties).await;
    // The older transaction: its event is written now, and seen by nobody yet.
    sqlx::query("begin").execute(&mut owner).await.unwrap();
    let copied = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
        select task_id, seq + 1, cause_seq, 'task.resumed', stage, round, party, recorded_at, entry, data, personal, hash
        from task_events where task_id = $1 order by seq desc limit 1";
    let id: uuid::Uuid = late.parse().unwrap();
    assert_eq!(sqlx::query(copied).bind(id).execute(&mut owner).await.unwrap().rows_affected(), 1);
    let early = parties.open("brand-campaign").await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    assert_eq!(worker.tick().await.unwrap(), 1);
    assert_eq!(inclusion(&parties.platform, &late, "").await.leaf.seq, 2);
    assert_eq!(
        code(&parties.platform.get(&path(&early, "")).await),
        "not_logged",
        "it waits for the older transaction"
    );
    sqlx::query("commit").execute(&mut owner).await.unwrap();
    seconds(&parties, 60);
    assert_eq!(tick(&parties, &worker).await, 1);
    assert_eq!(inclusion(&parties.platform, &late, "").await.leaf.seq, 3);
    assert_eq!(inclusion(&parties.platform, &early, "").await.leaf.seq, 2);
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let parties = Parties::start().await;
    let mut owner = parties.service.db.owner().await;
    parties.open("brand-campaign").await;
    let forbid = "alter table audit_checkpoints add constraint broken check (size > 100)";
    sqlx::query(forbid).execute(&mut owner).await.unwrap();
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    settle(&parties).await;
    worker.tick().await.unwrap_err();
    let rows = "select (select count(*) from audit_leaves) + (select count(*) from audit_nodes) + (select count(*) from audit_checkpoints)";
    assert_eq!(scalar(&parties, rows).await, 0);
    sqlx::query("alter table audit_checkpoints drop constraint broken").execute(&mut owner).await.unwrap();
    assert_eq!(tick(&parties, &worker).await, 1);
}

#[tokio::test]
async fn more_events_than_a_batch_holds_are_logged_at_once() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let mut owner = parties.service.db.owner().await;
    let id: uuid::Uuid = task.parse().unwrap();
    // 30 transactions of 500 events each, and one that alone is larger than a batch.
    let many = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
        select task_id, n, cause_seq, 'task.resumed', stage, round, party, recorded_at, entry, data, personal, sha256(n::text::bytea)
        from task_events, generate_series($2::bigint, $3) n where task_id = $1 and seq = 2";
    for (from, to) in (0..30).map(|n| (n * 500 + 3, n * 500 + 502)).chain([(15_003, 22_000)]) {
        sqlx::query(many).bind(id).bind(from).bind(to).execute(&mut owner).await.unwrap();
    }
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    let signed = tick(&parties, &worker).await;
    assert!(signed > 2, "{signed} checkpoints");
    assert_eq!(scalar(&parties, "select max(seq) from audit_leaves").await, 22_000);
    assert_eq!(
        newest(&parties).await.size,
        u64::from(signed) + 1,
        "the partner's, and in each the task's latest head alone"
    );
}

#[tokio::test]
async fn each_party_proves_its_trail_with_the_public_key_alone() {
    let parties = Parties::start().await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    let task = parties.open_in_legal().await;
    let before = parties.task(&task).await["version"].as_u64().unwrap();
    tick(&parties, &worker).await;
    let kept = newest(&parties).await;
    for _ in 0..5 {
        parties.open("brand-campaign").await;
    }
    parties.partner.done(&task, &update("nearly there")).await;
    let unlogged = inclusion(&parties.buyer, &task, "").await;
    assert_eq!(unlogged.leaf.seq, before, "what is newer is not in it yet");
    seconds(&parties, 60);
    tick(&parties, &worker).await;
    parties.partner.done(&task, &update("almost")).await;

    let keys = keys(&parties).await;
    for reader in [&parties.partner, &parties.buyer, &parties.platform] {
        let proof = inclusion(reader, &task, "").await;
        assert_eq!((proof.leaf.seq, proof.size), (before + 1, 8));
        proof.verify(&keys).unwrap();
        // The trail as this party can check it leads to the head that was signed.
        let trail: ProofView =
            serde_json::from_value(reader.read(&format!("/api/v1/tasks/{task}/audit/proof")).await).unwrap();
        trail.verify().unwrap();
        assert_eq!(trail.entries[usize::try_from(before).unwrap()].hash, proof.leaf.head);
        // An older entry is covered by the first head after it; against the checkpoint that was kept, too.
        assert_eq!(inclusion(reader, &task, "?seq=2").await.leaf.seq, before);
        let old = inclusion(reader, &task, &format!("?size={}", kept.size)).await;
        old.verify_against(&kept).unwrap();
        assert_eq!(old.leaf.seq, before);
        for (query, expected) in [
            (format!("?seq={}", before + 2), (404, "not_logged")),
            (format!("?seq={}&size={}", before + 1, kept.size), (404, "not_logged")),
            ("?size=3".to_owned(), (404, "no_checkpoint")),
            ("?seq=18446744073709551615".to_owned(), (404, "not_logged")),
            ("?seq=0".to_owned(), (400, "invalid_parameter")),
            ("?size=x".to_owned(), (400, "invalid_parameter")),
        ] {
            let answer = reader.get(&path(&task, &query)).await;
            assert_eq!((answer.status, code(&answer)), expected, "{query}");
        }
    }
    assert_consistent(&parties, 2, 8).await;
    for (query, expected) in [
        ("from=9", (404, "no_checkpoint")),
        ("from=2&to=9", (404, "no_checkpoint")),
        ("from=3&to=2", (400, "invalid_parameter")),
        ("from=0", (400, "invalid_parameter")),
        ("", (400, "invalid_parameter")),
    ] {
        let answer = parties.buyer.get(&format!("/api/v1/audit/consistency?{query}")).await;
        assert_eq!((answer.status, code(&answer)), expected, "{query}");
    }
    assert_eq!(parties.buyer.get("/api/v1/audit/checkpoint?size=3").await.status, 404);
}

#[tokio::test]
async fn without_a_key_nothing_is_signed_and_the_rest_is_served() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    tick(&parties, &Checkpoints::new(Arc::clone(&parties.service.app))).await;
    let (app, router) = parties.service.replica_with(Keys::default()).await;
    let partner = parties.partner.at(&router);
    for path in [
        "/.well-known/stagegate-audit-key",
        "/api/v1/audit/checkpoint",
        "/api/v1/audit/consistency?from=1",
        &format!("/api/v1/tasks/{task}/audit/inclusion"),
        &format!("/api/v1/tasks/{task}/audit/1/receipt"),
    ] {
        // No credential where none is asked for, so that two kinds of callers are seen.
        let answer = partner.get(path).await;
        assert_eq!((answer.status, code(&answer)), (503, "no_audit_key"), "{path}");
    }
    let with_receipt = format!("{}?receipt=true", events(&task));
    let answer = partner.call("POST", &with_receipt, &submit("agent")).await;
    assert_eq!((answer.status, code(&answer)), (503, "no_audit_key"));
    assert_eq!(parties.task(&task).await["version"], 2, "nothing was done");
    partner.done(&task, &submit("agent")).await;
    assert!(Checkpoints::new(app).tick().await.is_err());
}

#[tokio::test]
async fn after_a_change_of_keys_what_the_old_one_signed_still_verifies() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    tick(&parties, &Checkpoints::new(Arc::clone(&parties.service.app))).await;
    let receipt_path = format!("/api/v1/tasks/{task}/audit/1/receipt");
    let (kept, old_receipt) = (newest(&parties).await, parties.buyer.get(&receipt_path).await.text);
    parties.partner.done(&task, &submit("agent")).await;
    seconds(&parties, 60);

    let fresh = SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [43; 32]);
    // Whoever forgets the old key learns it before anything is signed.
    let (forgetful, _) = parties.service.replica_with(Keys::new(Some(fresh.clone()), vec![])).await;
    let error = said(&Checkpoints::new(forgetful).tick().await.unwrap_err());
    assert!(error.contains("STAGEGATE_AUDIT_OLD_KEYS"), "{error}");

    let rotated = Keys::new(Some(fresh.clone()), vec![audit_signer().verifier().clone()]);
    let (app, router) = parties.service.replica_with(rotated).await;
    assert_eq!(tick(&parties, &Checkpoints::new(app)).await, 1);
    let reader = parties.buyer.at(&router);
    let served = reader.get("/.well-known/stagegate-audit-key").await.text;
    assert_eq!(served, format!("{}\n{}\n", fresh.verifier(), audit_signer().verifier()));
    let keys: Vec<_> = served.lines().map(|line| VerifierKey::parse(line).unwrap()).collect();
    let newest = Checkpoint::open(&reader.get("/api/v1/audit/checkpoint").await.text, &keys[..1]).unwrap();
    let again = Checkpoint::open(&reader.get("/api/v1/audit/checkpoint?size=2").await.text, &keys[1..]).unwrap();
    assert_eq!(again, kept);
    let proof = reader.read("/api/v1/audit/consistency?from=2").await;
    serde_json::from_value::<ConsistencyProof>(proof).unwrap().verify(&kept, &newest).unwrap();
    let new_receipt = reader.get(&receipt_path).await.text;
    assert_eq!(Receipt::verify(&old_receipt, &keys).unwrap(), Receipt::verify(&new_receipt, &keys[..1]).unwrap());
    assert_ne!(old_receipt, new_receipt);
}

#[tokio::test]
async fn the_worker_stops_when_the_service_drains() {
    let parties = Parties::start().await;
    parties.open("brand-campaign").await;
    settle(&parties).await;
    let app = Arc::clone(&parties.service.app);
    let worker = tokio::spawn(async move { Checkpoints::new(app).run().await });
    until("a checkpoint", async || scalar(&parties, "select count(*) from audit_checkpoints").await > 0).await;
    parties.service.app.drain();
    worker.await.unwrap();
}

/// Waits until no transaction is running that is older than the last event. The server counts them over all of its
/// databases, so those of other tests hold an event back for a moment.
pub async fn settle(parties: &Parties) {
    let unsettled = "select (select count(*) from task_events where xid >= pg_snapshot_xmin(pg_current_snapshot()))
        + (select count(*) from partner_events where xid >= pg_snapshot_xmin(pg_current_snapshot()))";
    until("no transaction is older", async || scalar(parties, unsettled).await == 0).await;
}

/// What the worker does in its minute; how many checkpoints it signed.
pub async fn tick(parties: &Parties, worker: &Checkpoints) -> u32 {
    settle(parties).await;
    worker.tick().await.unwrap()
}

/// Moves the clock on, or back.
pub fn seconds(parties: &Parties, seconds: i64) {
    let clock = &parties.service.clock;
    clock.set(clock.now() + TimeDelta::seconds(seconds));
}

/// The served keys.
pub async fn keys(parties: &Parties) -> Vec<VerifierKey> {
    let nobody = Client { credential: String::new(), ..parties.buyer.clone() };
    let answer = nobody.get("/.well-known/stagegate-audit-key").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    answer.text.lines().map(|line| VerifierKey::parse(line).unwrap()).collect()
}

/// The newest checkpoint, checked.
pub async fn newest(parties: &Parties) -> Checkpoint {
    let nobody = Client { credential: String::new(), ..parties.buyer.clone() };
    let answer = nobody.get("/api/v1/audit/checkpoint").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Checkpoint::open(&answer.text, &keys(parties).await).unwrap()
}

/// Where a task's proof of inclusion is.
pub fn path(task: &str, query: &str) -> String {
    format!("/api/v1/tasks/{task}/audit/inclusion{query}")
}

/// A task's proof of inclusion.
pub async fn inclusion(reader: &Client, task: &str, query: &str) -> InclusionProof {
    serde_json::from_value(reader.read(&path(task, query)).await).unwrap()
}

/// An error with its causes.
pub fn said(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A number from the database.
pub async fn scalar(parties: &Parties, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&parties.service.db.pool).await.unwrap()
}

async fn assert_consistent(parties: &Parties, from: i64, to: i64) {
    let keys = keys(parties).await;
    let mut ends = Vec::new();
    for size in [from, to] {
        let note = parties.buyer.get(&format!("/api/v1/audit/checkpoint?size={size}")).await.text;
        ends.push(Checkpoint::open(&note, &keys).unwrap());
    }
    let answer: Value = parties.buyer.read(&format!("/api/v1/audit/consistency?from={from}&to={to}")).await;
    serde_json::from_value::<ConsistencyProof>(answer).unwrap().verify(&ends[0], &ends[1]).unwrap();
}

#[tokio::test]
async fn a_dry_run_and_a_refusal_are_not_logged() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    tick(&parties, &worker).await;
    let dry = format!("{}?dry_run=true", events(&task));
    let command = with(submit("agent"), &json!({ "id": new_id() }));
    assert_eq!(parties.partner.call("POST", &dry, &command).await.status, 200);
    assert_eq!(parties.buyer.send(&task, &json!({ "type": "held", "reason": "x" })).await.status, 403);
    seconds(&parties, 60);
    assert_eq!(tick(&parties, &worker).await, 0);
}
