//! Somebody who was absent, stood in for others and was stood in for is erased.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, with};
use crate::harness::parties::Parties;

use super::{ask, assert_gone, dump, erasure, request, verify, worker};

const BEFORE: &str = "2027-01-01T00:00:00Z";
const LATER: &str = "2027-02-01T00:00:00Z";

async fn away(parties: &Parties, actor: &str, substitute: Option<&str>) {
    let body = json!({ "from": BEFORE, "until": LATER, "substitute": substitute });
    let answer = parties.partner.call("PUT", &format!("/api/v1/absences/{actor}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn who_was_absent_or_stood_in_goes_from_every_table_and_every_trail_can_be_read() {
    let parties = Parties::start().await;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 2, "rejections": 1 },
        "reviewers": ["kept-bo", "kept-chi"] });
    let named = with(stage.clone(), &json!({ "key": "b", "reviewers": ["kept-bo", "kept-chi", "kept-dan"] }));
    parties.register("w", &json!({ "name": "W", "stages": [stage, named] })).await;
    let link = json!({ "to": "inbox", "actor": { "id": "secret-anna" } });
    assert_eq!(parties.partner.call("POST", "/api/v1/links", &link).await.status, 201);

    // Anna stands in for Bo, and Eve for Anna, whom the stage lets in meanwhile.
    let task = parties.open("w").await;
    away(&parties, "kept-bo", Some("secret-anna")).await;
    parties.partner.done(&task, &approve(at("a", 1, 0), "secret-anna")).await;
    parties.partner.done(&task, &approve(at("a", 1, 0), "kept-chi")).await;
    let change = json!({ "type": "reviewers_changed", "stage": "b", "add": ["secret-anna"], "reason": "More eyes.",
        "actor": { "id": "kept-lead" } });
    parties.partner.done(&task, &change).await;
    away(&parties, "secret-anna", Some("kept-eve")).await;
    parties.partner.done(&task, &approve(at("b", 1, 0), "kept-eve")).await;
    let open = verify(&parties, &task, None).await;

    let id = ask(&parties, &request(&parties)).await;
    worker(&parties, 2).run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "waiting", "the rules of the open task need her");
    let votes = parties.task(&task).await["review"]["votes"].clone();
    assert_eq!(votes[0]["for"], "secret-anna");
    let listed = parties.partner.read("/api/v1/absences").await["items"].clone();
    let left = json!([{ "actor": "kept-bo", "from": BEFORE, "until": LATER, "substitute": null }]);
    assert_eq!(listed, left, "she is nobody's substitute, and Bo is still absent");

    parties.partner.done(&task, &approve(at("b", 1, 0), "kept-chi")).await;
    assert_eq!(parties.task(&task).await["phase"], "delivery");
    worker(&parties, 2).run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "done");
    let rows = dump(&parties).await;
    // The table of workflows knows nobody here, and the tables of absences and links only the others.
    assert_gone(&rows, "secret-anna");
    assert!(rows.contains("kept-eve") && rows.contains("kept-bo"));
    verify(&parties, &task, Some(open)).await;
    let votes = parties.trail(&task).await;
    let by_eve = votes.iter().find(|row| row["actor"]["id"] == "kept-eve").unwrap();
    assert_eq!((&by_eve["type"], by_eve["data"].get("for")), (&json!("task.vote_recorded"), None));

    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit?limit=100", parties.partner_id)).await;
    let of = |kind: &str| -> Vec<Value> {
        let rows = trail["items"].as_array().unwrap().iter().filter(|row| row["type"] == kind);
        rows.map(|row| row["data"].clone()).collect()
    };
    assert_eq!(
        of("partner.absence_set"),
        [
            json!({ "actor": "kept-bo", "from": BEFORE, "until": LATER }),
            json!({ "from": BEFORE, "until": LATER, "substitute": "kept-eve" }),
        ]
    );
    let made = &of("partner.link_created")[0];
    assert_eq!((made.get("actor"), &made["to"]), (None, &json!("inbox")));
    let proof = parties.partner.get(&format!("/api/v1/partners/{}/audit/proof", parties.partner_id)).await;
    assert_eq!(proof.status, 200);
}
