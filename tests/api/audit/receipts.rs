//! Receipts over HTTP: who gets which, that they say no more than the caller may see, and that they hold with the
//! public key alone.

use serde_json::{Value, json};
use stagegate::domain::audit::receipt::{Receipt, Ruling};

use crate::audit::transparency_log::keys;
use crate::harness::commands::{approve, at, escalate, reject, resolve, submit, with};
use crate::harness::parties::{Parties, code, events, new_id};

fn path(task: &str, seq: u64) -> String {
    format!("/api/v1/tasks/{task}/audit/{seq}/receipt")
}

#[tokio::test]
async fn a_receipt_says_what_its_owner_reads_in_the_trail() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    parties.partner.done(&task, &with(reject(at("legal", 1, 1), "u-anna"), &json!({ "return_to": "legal" }))).await;
    parties.partner.done(&task, &submit("agent")).await;
    parties.partner.done(&task, &escalate(at("legal", 2, 2), "u-anna", "buyer")).await;
    let asked = parties.task(&task).await["version"].as_u64().unwrap();
    parties.buyer.done(&task, &resolve(asked, "approve", "")).await;
    let keys = keys(&parties).await;
    let (mut hidden, mut rulings) = (0, Vec::new());
    for reader in [&parties.partner, &parties.buyer, &parties.platform] {
        let trail = reader.read(&format!("/api/v1/tasks/{task}/audit")).await;
        for row in trail["items"].as_array().unwrap() {
            let answer = reader.get(&path(&task, row["seq"].as_u64().unwrap())).await;
            if row["type"].is_null() {
                assert_eq!((answer.status, code(&answer)), (404, "not_found"), "{row}");
                hidden += 1;
                continue;
            }
            assert_eq!(answer.headers["content-type"], "application/jose");
            let receipt = Receipt::verify(&answer.text, &keys).unwrap();
            let said = serde_json::to_value(&receipt).unwrap();
            for member in ["seq", "type", "stage", "round", "party", "actor", "recorded_at"] {
                assert_eq!(said[member], row[member], "{member} of {row}");
            }
            assert_eq!((&said["head"], &said["task"]), (&row["hash"], &json!(task)));
            assert_eq!(said["iss"], "audit.example.com/stagegate");
            let revision = usize::try_from(receipt.revision).unwrap();
            let submissions =
                trail["items"].as_array().unwrap().iter().filter(|row| row["type"] == "task.work_submitted");
            let digest = submissions.map(|row| &row["hash"]).nth(revision.wrapping_sub(1)).unwrap_or(&Value::Null);
            assert_eq!(said["revision_digest"], *digest, "{row}");
            if let Some(named) = row["data"]["revision"].as_u64() {
                assert_eq!(u64::from(receipt.revision), named);
            }
            rulings.extend(receipt.decision);
        }
    }
    assert!(hidden > 0, "the buyer does not see votes");
    for ruling in [Ruling::Approved, Ruling::Rejected, Ruling::Escalated] {
        assert!(rulings.contains(&ruling), "{ruling:?}");
    }
    for seq in [0, 999, i64::MAX as u64 + 1] {
        assert_eq!(parties.platform.get(&path(&task, seq)).await.status, 404, "{seq}");
    }
    assert_eq!(parties.platform.get(&format!("/api/v1/tasks/{task}/audit/x/receipt")).await.status, 400);
}

#[tokio::test]
async fn before_work_was_handed_in_there_is_no_revision_to_name() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let receipt = parties.platform.get(&path(&task, 1)).await.text;
    let receipt = Receipt::verify(&receipt, &keys(&parties).await).unwrap();
    assert_eq!((receipt.revision, receipt.revision_digest, receipt.stage), (0, None, None));
}

#[tokio::test]
async fn a_command_is_answered_with_its_receipt_where_one_is_asked_for() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let command = with(approve(at("legal", 1, 1), "u-anna"), &json!({ "id": new_id(), "note": "planted-note" }));
    let (plain, asked) = (events(&task), format!("{}?receipt=true", events(&task)));
    let dry = parties.partner.call("POST", &format!("{asked}&dry_run=true"), &command).await;
    assert_eq!((dry.status, dry.body.get("receipt")), (200, None), "nothing was recorded");
    let done = parties.partner.call("POST", &asked, &command).await;
    assert_eq!(done.status, 201);
    let receipt = done.body["receipt"].as_str().unwrap();
    let said = Receipt::verify(receipt, &keys(&parties).await).unwrap();
    assert_eq!((json!(said.seq), said.decision), (done.body["event"]["seq"].clone(), Some(Ruling::Approved)));
    assert_eq!(said.actor.unwrap().id.unwrap().to_string(), "u-anna");
    assert!(
        !serde_json::to_string(&Receipt::verify(receipt, &keys(&parties).await).unwrap()).unwrap().contains("planted")
    );

    // The same again, at once and after everything has moved on; and later, by its seq.
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    parties.pass(24);
    let replayed = parties.partner.call("POST", &asked, &command).await;
    assert_eq!((replayed.status, &replayed.body["receipt"]), (200, &json!(receipt)));
    assert_eq!(parties.partner.get(&path(&task, said.seq)).await.text, receipt);
    let unasked = parties.partner.call("POST", &plain, &command).await;
    assert_eq!((unasked.status, unasked.body.get("receipt")), (200, None));
    let dry_replay = parties.partner.call("POST", &format!("{asked}&dry_run=true"), &command).await;
    assert_eq!((dry_replay.status, dry_replay.body.get("receipt")), (200, None), "a dry run never has one");
    // The vote of one reviewer is not for the buyer.
    assert_eq!(parties.buyer.get(&path(&task, said.seq)).await.status, 404);
}

#[tokio::test]
async fn the_buyer_has_receipts_of_what_it_said_itself() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let asked = format!("{}?receipt=true", events(&task));
    let cancel = json!({ "type": "cancellation_requested", "reason": "planted-reason" });
    let answer = parties.buyer.call("POST", &asked, &cancel).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let said = Receipt::verify(answer.body["receipt"].as_str().unwrap(), &keys(&parties).await).unwrap();
    assert_eq!(
        (said.kind.as_str(), said.party),
        ("task.cancellation_requested", stagegate::domain::values::party::Source::Buyer)
    );
    assert_eq!(said.actor.unwrap().id.unwrap().to_string(), parties.buyer_id);
}
