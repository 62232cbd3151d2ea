//! The trail over HTTP: each party's view of it, pages, and proofs that hold without the service.

mod damaged_log;
pub mod export;
mod fields;
mod partner_trail;
mod people;
mod readers;
mod receipts;
pub mod transparency_log;

use serde_json::{Value, json};
use stagegate::domain::audit::ProofView;

use crate::harness::commands::{approve, at, reject, submit, update, with};
use crate::harness::parties::{Client, Parties, code, new_id, redacted};

#[tokio::test]
async fn each_party_reads_its_own_view_of_the_trail() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let rejection = with(reject(at("legal", 1, 1), "u-anna"), &json!({ "note": "ours", "return_to": "legal" }));
    parties.partner.done(&id, &rejection).await;
    parties.partner.done(&id, &submit("agent")).await;
    for (name, reader) in parties_of(&parties) {
        let trail = reader.read(&format!("/api/v1/tasks/{id}/audit")).await;
        let rows = trail["items"].as_array().unwrap();
        let seqs: Vec<_> = rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=rows.len() as u64).collect::<Vec<_>>(), "no gaps");
        assert_eq!(rows.last().unwrap()["hash"], parties.task(&id).await["head_hash"]);
        let view: Vec<Value> = rows.iter().skip(6).map(without_credential).collect();
        insta::assert_json_snapshot!(format!("trail_of_the_{name}"), redacted(&json!(view)));
    }
}

#[tokio::test]
async fn a_trail_comes_in_pages() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let whole = parties.buyer.read(&format!("/api/v1/tasks/{id}/audit")).await;
    let (mut rows, mut path) = (Vec::new(), format!("/api/v1/tasks/{id}/audit?limit=2"));
    loop {
        let page = parties.buyer.read(&path).await;
        rows.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/tasks/{id}/audit?limit=2&cursor={next}");
    }
    assert_eq!(json!(rows), whole["items"]);
}

#[tokio::test]
async fn a_proof_holds_without_the_service_and_breaks_with_any_change() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    parties.partner.done(&id, &reject(at("legal", 1, 1), "u-anna")).await;
    let head = parties.task(&id).await["head_hash"].clone();
    for (name, reader) in parties_of(&parties) {
        let answer = reader.read(&format!("/api/v1/tasks/{id}/audit/proof")).await;
        let proof: ProofView = serde_json::from_value(answer.clone()).unwrap();
        let end = proof.verify().unwrap();
        assert_eq!(json!(end.hash), head, "{name}");
        assert_eq!(end.seq, parties.task(&id).await["version"].as_u64().unwrap());
        let entry =
            answer["entries"].as_array().unwrap().iter().position(|entry| entry.get("fields").is_some()).unwrap();
        let mut forged = answer.clone();
        let fields = forged["entries"][entry]["fields"].as_array_mut().unwrap();
        let shown = fields.iter_mut().find(|field| field["path"] == "recorded_at").unwrap();
        shown["value"] = json!("\"2020-01-01T00:00:00Z\"");
        assert!(serde_json::from_value::<ProofView>(forged).unwrap().verify().is_err(), "{name}");
        let mut shortened = answer;
        shortened["entries"].as_array_mut().unwrap().remove(1);
        assert!(serde_json::from_value::<ProofView>(shortened).unwrap().verify().is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_buyer_learns_that_a_row_exists_and_no_more() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let vote = parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    let trail = parties.buyer.read(&format!("/api/v1/tasks/{id}/audit")).await;
    let row = trail["items"].as_array().unwrap().last().unwrap().as_object().unwrap().clone();
    assert_eq!(row.keys().collect::<Vec<_>>(), ["hash", "seq"]);
    assert_eq!(row["hash"], vote["event"]["hash"]);
    let proof = parties.buyer.read(&format!("/api/v1/tasks/{id}/audit/proof")).await;
    let entry = proof["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(entry.as_object().unwrap().keys().collect::<Vec<_>>(), ["entry", "hash", "seq"]);
}

fn parties_of(parties: &Parties) -> [(&'static str, &Client); 3] {
    [("partner", &parties.partner), ("buyer", &parties.buyer), ("platform", &parties.platform)]
}

/// The platform's credential id is made from its key: a part of a hash.
fn without_credential(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(credential) = row.get_mut("credential_id") {
        *credential = json!("[credential]");
    }
    row
}

/// A rejection with some 400 KB of feedback.
fn long_rejection(actor: &str) -> Value {
    let items: Vec<Value> = (0..100).map(|_| json!({ "severity": "minor", "text": "x".repeat(4_000) })).collect();
    json!({ "type": "stage_rejected", "stage": "a", "round": 1, "revision": 0, "actor": { "id": actor },
        "feedback": { "summary": "No.", "items": items } })
}

/// The same of the feed; and all deliveries are listed, with the types of their events, which are read for it.
async fn feed_ends_by_bytes(parties: &Parties, id: &str) {
    crate::audit::transparency_log::settle(parties).await;
    let (mut items, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = parties.partner.get(&format!("/api/v1/events?limit=100{after}")).await;
        assert!(page.text.len() < 2_000_000, "{} bytes", page.text.len());
        items.extend(page.body["items"].as_array().unwrap().clone());
        pages += 1;
        if page.body["more"] == false {
            break;
        }
        after = format!("&after={}", page.body["next"].as_str().unwrap());
    }
    assert!(items.iter().all(|item| item["task_id"] == id));
    let seqs: Vec<u64> = items.iter().map(|item| item["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>(), "each once, in order");
    assert!(pages >= 3, "{pages} pages");
    let deliveries = parties.partner.read("/api/v1/webhooks/hook/deliveries?limit=100").await;
    let types: Vec<&Value> = deliveries["items"].as_array().unwrap().iter().rev().map(|item| &item["type"]).collect();
    assert_eq!(types, items.iter().map(|item| &item["type"]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_ends_by_bytes_as_well_as_by_entries() {
    let parties = Parties::start().await;
    let hook = json!({ "url": "https://203.0.113.7/hook" });
    let set = parties.partner.call("PUT", "/api/v1/webhooks/hook", &hook).await;
    assert_eq!(set.status, 201, "{}", set.text);
    let stage =
        json!({ "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 9, "rejections": 9 } });
    parties.register("votes", &json!({ "name": "Votes", "stages": [stage] })).await;
    let id = parties.open("votes").await;
    for number in 0..8 {
        parties.partner.done(&id, &long_rejection(&format!("u-{number}"))).await;
    }
    let first = format!("/api/v1/tasks/{id}/audit?limit=100");
    let (mut seqs, mut path, mut pages) = (Vec::new(), first.clone(), 0);
    loop {
        let page = parties.partner.get(&path).await;
        assert!(page.text.len() < 2_000_000, "{} bytes", page.text.len());
        seqs.extend(page.body["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        pages += 1;
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("{first}&cursor={next}");
    }
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>(), "each once, in order");
    assert!(pages >= 3, "{pages} pages");
    feed_ends_by_bytes(&parties, &id).await;
    // What reads a whole trail goes on behind a page that was cut: a replay, a proof, an export.
    let again = json!({ "id": new_id() });
    let command = with(long_rejection("u-8"), &again);
    let told = parties.partner.done(&id, &command).await;
    parties.partner.done(&id, &update("later")).await;
    let replayed = parties.partner.send(&id, &command).await;
    assert_eq!((replayed.status, &replayed.body["events"]), (200, &told["events"]), "{}", code(&replayed));
    let proof = parties.partner.get(&format!("/api/v1/tasks/{id}/audit/proof")).await;
    let proof: ProofView = serde_json::from_value(proof.body).unwrap();
    proof.verify().unwrap();
    let export = parties.partner.get(&format!("/api/v1/tasks/{id}/audit/export")).await;
    assert_eq!(export.status, 200);
}
