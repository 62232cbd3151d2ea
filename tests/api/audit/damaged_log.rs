//! A log that somebody with all rights over the database tampered with: who notices, and what is said.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use stagegate::app::audit::transparency_log::Keys;
use stagegate::domain::audit::checkpoint::Checkpoint;
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};
use stagegate::domain::audit::transparency_log::{ConsistencyProof, Error};
use stagegate::worker::checkpoints::Checkpoints;

use crate::audit::transparency_log::{inclusion, keys, newest, path, said, scalar, seconds, settle, tick};
use crate::harness::commands::update;
use crate::harness::parties::{Parties, code};
use crate::harness::service::audit_signer;

/// A log of 5 leaves, the partner's first, with checkpoints at 3 and 5, and its first task.
async fn logged() -> (Parties, Checkpoints, String) {
    let parties = Parties::start().await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    let task = parties.open("brand-campaign").await;
    parties.open("brand-campaign").await;
    assert_eq!(tick(&parties, &worker).await, 1);
    seconds(&parties, 60);
    for _ in 0..2 {
        parties.open("brand-campaign").await;
    }
    assert_eq!(tick(&parties, &worker).await, 1);
    seconds(&parties, 60);
    parties.partner.done(&task, &update("more to log")).await;
    settle(&parties).await;
    (parties, worker, task)
}

async fn tamper(parties: &Parties, statements: &str) {
    let mut owner = parties.service.db.owner().await;
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut owner).await.unwrap();
}

/// Each of these makes the worker say that, and sign nothing.
async fn assert_noticed(cases: &[(String, &str)]) {
    for (statements, expected) in cases {
        let (parties, worker, _) = logged().await;
        tamper(&parties, statements).await;
        let before = scalar(&parties, "select count(*) from audit_checkpoints").await;
        let error = said(&worker.tick().await.expect_err(statements));
        assert!(error.contains(expected), "{statements}: {error}");
        assert_eq!(scalar(&parties, "select count(*) from audit_checkpoints").await, before, "{statements}");
    }
}

#[tokio::test]
async fn nothing_is_signed_on_top_of_a_log_that_was_tampered_with() {
    let zeros = "decode(repeat('00', 32), 'hex')";
    let leaf_hash = r#"sha256('\x00'::bytea || convert_to(format('{"head":"%s","seq":%s,"task":"%s"}', encode(head, 'hex'), seq, subject_id), 'utf8'))"#;
    let cases = [
        ("delete from audit_nodes where level = 2".to_owned(), "the node at level 2, index 0 is missing"),
        ("delete from audit_nodes where level = 0 and index = 4".to_owned(), "the node at level 0, index 4 is missing"),
        (
            format!("update audit_nodes set hash = {zeros} where level = 2"),
            "the node at level 2, index 0 is not the hash of its halves",
        ),
        (
            format!(
                "update audit_leaves set head = {zeros} where index = 4; update audit_nodes set hash =
                 (select {leaf_hash} from audit_leaves where index = 4) where level = 0 and index = 4"
            ),
            "its nodes do not have the root that the checkpoint of 5 leaves signs",
        ),
        ("delete from audit_leaves where index = 4".to_owned(), "leaf 4 is missing"),
        ("delete from audit_leaves where index = 2".to_owned(), "leaf 2 is missing"),
        (format!("update audit_leaves set head = {zeros} where index = 1"), "leaf 1 is not what was signed"),
        ("update audit_leaves set seq = seq + 1 where index = 3".to_owned(), "leaf 3 is not what was signed"),
        (
            "delete from audit_leaves where index = 4; delete from audit_nodes where level = 0 and index = 4"
                .to_owned(),
            "the node at level 0, index 4 is missing",
        ),
        (
            format!("update audit_nodes set hash = {zeros} where level = 1 and index = 1"),
            "the node at level 1, index 1 is not the hash of its halves",
        ),
    ];
    assert_noticed(&cases).await;
}

#[tokio::test]
async fn nothing_is_signed_where_checkpoints_were_tampered_with_or_something_was_added() {
    let zeros = "decode(repeat('00', 32), 'hex')";
    let cases = [
        (
            format!("insert into audit_leaves values (5, 'task', gen_random_uuid(), 1, {zeros})"),
            "it has 6 leaves, and its last checkpoint signs 5",
        ),
        (format!("insert into audit_nodes values (0, 5, {zeros})"), "it has rows beyond the 5 leaves"),
        (
            "delete from audit_checkpoints where size = 5".to_owned(),
            "it has 3 leaves and does not continue the 5 that it had before",
        ),
        ("delete from audit_checkpoints".to_owned(), "it has 0 leaves and does not continue the 5"),
        (format!("update audit_checkpoints set root = {zeros} where size = 5"), "is not what its note signs"),
        (
            "update audit_checkpoints set note = (select note from audit_checkpoints where size = 3) where size = 5"
                .to_owned(),
            "is not what its note signs",
        ),
        (
            "update audit_checkpoints set note = replace(note, E'\\n5\\n', E'\\n6\\n') where size = 5".to_owned(),
            "its signature does not fit its text",
        ),
        ("update audit_checkpoints set note = 'x' where size = 5".to_owned(), "it is not a signed note"),
        (
            "update audit_checkpoints set cursor = '9000000000000000'".to_owned(),
            "the database was restored from a dump",
        ),
    ];
    assert_noticed(&cases).await;
}

#[tokio::test]
async fn a_replica_that_has_seen_nothing_before_finds_what_is_inconsistent_in_itself() {
    let (parties, _, _) = logged().await;
    let fresh = || Checkpoints::new(Arc::clone(&parties.service.app));
    tamper(&parties, "delete from audit_checkpoints where size = 5").await;
    let error = said(&fresh().tick().await.unwrap_err());
    assert!(error.contains("it has 5 leaves, and its last checkpoint signs 3"), "{error}");
    tamper(&parties, "delete from audit_checkpoints").await;
    let error = said(&fresh().tick().await.unwrap_err());
    assert!(error.contains("it has 5 leaves, and its last checkpoint signs 0"), "{error}");
}

#[tokio::test]
async fn a_leaf_or_node_that_was_rewritten_is_handed_out_to_nobody() {
    let zeros = "decode(repeat('00', 32), 'hex')";
    for statements in [
        format!("update audit_leaves set head = {zeros}"),
        "update audit_leaves set seq = seq + 7".to_owned(),
        format!("update audit_nodes set hash = {zeros} where level = 0"),
        format!("update audit_nodes set hash = {zeros} where level = 1"),
        "delete from audit_nodes where level = 1".to_owned(),
        "update audit_checkpoints set note = replace(note, '5', '4')".to_owned(),
    ] {
        let (parties, _, task) = logged().await;
        inclusion(&parties.buyer, &task, "").await;
        tamper(&parties, &statements).await;
        let answer = parties.buyer.get(&path(&task, "")).await;
        assert_eq!((answer.status, code(&answer)), (500, "internal"), "{statements}");
    }
    for statements in
        ["delete from audit_nodes where level = 1", "update audit_nodes set hash = sha256(hash) where level = 1"]
    {
        let (parties, _, _) = logged().await;
        tamper(&parties, statements).await;
        let answer = parties.buyer.get("/api/v1/audit/consistency?from=3").await;
        assert_eq!(answer.status, 500, "{statements}");
    }
}

#[tokio::test]
async fn a_tail_that_was_cut_off_cleanly_contradicts_the_checkpoint_that_somebody_kept() {
    let (parties, worker, _) = logged().await;
    let kept = newest(&parties).await;
    // All traces of the second checkpoint, as if it had never been.
    tamper(
        &parties,
        "delete from audit_checkpoints where size = 5; delete from audit_leaves where index >= 3;
         delete from audit_nodes where (index + 1) << level > 3",
    )
    .await;
    // The process that signed it remembers.
    let error = said(&worker.tick().await.unwrap_err());
    assert!(error.contains("it has 3 leaves and does not continue the 5 that it had before"), "{error}");
    // Another one cannot know; whoever kept the checkpoint can.
    let answer = parties.buyer.get(&format!("/api/v1/audit/consistency?from={}", kept.size)).await;
    assert_eq!((answer.status, code(&answer)), (404, "no_checkpoint"));
    // It grows anew, past the kept size, in another order.
    tamper(&parties, "update audit_checkpoints set cursor = '1'; delete from audit_leaves; delete from audit_nodes; delete from audit_checkpoints").await;
    let other = Checkpoints::new(Arc::clone(&parties.service.app));
    assert_eq!(tick(&parties, &other).await, 1);
    for _ in 0..3 {
        parties.open("brand-campaign").await;
    }
    seconds(&parties, 60);
    assert_eq!(tick(&parties, &other).await, 1);
    let now = newest(&parties).await;
    assert!(now.size > kept.size);
    let answer = parties.buyer.read(&format!("/api/v1/audit/consistency?from={}", kept.size)).await;
    let proof: ConsistencyProof = serde_json::from_value(answer).unwrap();
    assert_eq!(proof.verify(&kept, &now), Err(Error::History(kept.size, now.size)));
    // And the process that remembers finds it too.
    let error = said(&worker.tick().await.unwrap_err());
    assert!(error.contains("does not continue the 5 that it had before"), "{error}");
}

#[tokio::test]
async fn a_rewritten_trail_contradicts_the_log() {
    let (parties, _, task) = logged().await;
    let proof = inclusion(&parties.buyer, &task, "").await;
    proof.verify(&keys(&parties).await).unwrap();
    tamper(&parties, "update task_events set hash = sha256(hash)").await;
    let trail = parties.buyer.read(&format!("/api/v1/tasks/{task}/audit")).await;
    let at = usize::try_from(proof.leaf.seq - 1).unwrap();
    let logged = inclusion(&parties.buyer, &task, "").await;
    assert_eq!(logged, proof, "the log has what was there");
    assert_ne!(trail["items"][at]["hash"], serde_json::json!(proof.leaf.head));
}

#[tokio::test]
async fn a_log_signed_by_another_key_is_not_continued() {
    let (parties, _, _) = logged().await;
    let stranger = SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [1; 32]);
    let last = newest(&parties).await;
    let forged = Checkpoint::sign(&stranger, last.size, last.root);
    tamper(&parties, &format!("update audit_checkpoints set note = '{forged}' where size = {}", last.size)).await;
    let (app, _) = parties.service.replica_with(Keys::new(Some(audit_signer()), vec![])).await;
    let error = said(&Checkpoints::new(app).tick().await.unwrap_err());
    assert!(error.contains("it is signed by none of the keys given"), "{error}");
}
