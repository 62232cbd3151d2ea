//! Erasing a person: the planted words are looked for in every table, the trails are verified, and workers are
//! stopped, doubled and tripped.

mod absent;
mod doors;
mod people;

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::app::App;
use stagegate::domain::audit::{Head, ProofView};
use stagegate::worker::erasures::Erasures;

use crate::harness::commands::{approve, at, cancel, with};
use crate::harness::parties::{Client, Parties, code, events, new_id, text};

/// Two votes and the buyer's word; a review that is under way may finish.
fn definition() -> Value {
    json!({ "name": "Under test", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 2, "rejections": 2 },
          "escalation": { "to": ["platform", "buyer"] }, "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } },
        { "key": "b", "name": "B", "buyer_label": "In B", "reviewer": "buyer" } ] })
}

fn anna() -> Value {
    json!({ "id": "secret-anna", "name": "SECRET Anna", "role": "SECRET counsel" })
}

fn by(actor: &Value, command: Value) -> Value {
    with(command, &json!({ "actor": actor, "note": format!("{} note", word(actor)) }))
}

/// What is in everything that an actor writes.
fn word(actor: &Value) -> &'static str {
    if actor["id"] == "secret-anna" { "SECRET" } else { "KEPT" }
}

fn feedback(actor: &Value, shared: bool) -> Value {
    let word = word(actor);
    json!({ "summary": format!("{word} reason"), "share_with_buyer": shared,
            "items": [{ "severity": word, "anchor": format!("{word}.pdf#page=3"), "text": format!("{word} point") }] })
}

fn artifacts(actor: &Value) -> Value {
    let word = word(actor);
    json!([{ "name": format!("{word}.pdf"), "sha256": "a".repeat(64), "url": format!("https://files.example/{word}") }])
}

fn submission(actor: &Value) -> Value {
    let summary = format!("{} summary", word(actor));
    by(actor, json!({ "type": "work_submitted", "summary": summary, "artifacts": artifacts(actor) }))
}

fn rejection(actor: &Value, round: u32, revision: u32, shared: bool) -> Value {
    let body = json!({ "type": "stage_rejected", "stage": "a", "round": round, "revision": revision });
    with(by(actor, body), &json!({ "feedback": feedback(actor, shared) }))
}

/// A task in which Anna and Bo write in every way they can; it is in review.
async fn play(parties: &Parties) -> String {
    let (anna, bo) = (anna(), json!({ "id": "kept-bo", "name": "KEPT Bo" }));
    let partner = &parties.partner;
    let id = parties.open("w").await;
    partner.done(&id, &submission(&anna)).await;
    partner.done(&id, &rejection(&anna, 1, 1, true)).await;
    partner.done(&id, &rejection(&bo, 1, 1, true)).await;
    partner.done(&id, &submission(&bo)).await;
    partner.done(&id, &submission(&anna)).await;
    let raised = json!({ "type": "stage_escalated", "stage": "a", "round": 2, "revision": 3, "to": "platform", "reason": "SECRET question" });
    partner.done(&id, &by(&anna, raised)).await;
    let asked = parties.task(&id).await["escalation"]["seq"].clone();
    let returned = json!({ "type": "escalation_resolved", "escalation": asked, "resolution": "return", "advice": "KEPT advice",
                           "actor": { "id": "kept-pat" } });
    parties.platform.done(&id, &returned).await;
    partner.done(&id, &by(&anna, json!({ "type": "held", "reason": "SECRET hold" }))).await;
    partner.done(&id, &by(&anna, json!({ "type": "resumed" }))).await;
    partner
        .done(&id, &by(&anna, json!({ "type": "status_updated", "message": "SECRET message", "percent": 40 })))
        .await;
    partner.done(&id, &rejection(&anna, 2, 3, false)).await;
    for (actor, kept) in [(&anna, "SECRET"), (&bo, "KEPT")] {
        let claim = partner.call("PUT", &format!("/api/v1/tasks/{id}/claim"), &json!({ "actor": actor })).await;
        assert!(claim.status == 200 && claim.text.contains(kept), "{}", claim.text);
    }
    id
}

/// Winds it down; Anna's decision comes too late.
async fn wind_down(parties: &Parties, id: &str) {
    parties.buyer.done(id, &cancel()).await;
    let late = with(rejection(&json!({ "id": "secret-anna" }), 2, 3, false), &json!({ "actor": anna() }));
    parties.partner.refused(id, &late, (409, "cancelling")).await;
}

async fn close(parties: &Parties, id: &str) {
    let salvaged = json!({ "type": "cancellation_acknowledged", "in_flight": "salvaged", "notes": "SECRET notes",
                           "artifacts": artifacts(&anna()) });
    parties.partner.done(id, &by(&anna(), salvaged)).await;
}

async fn start() -> Parties {
    let parties = Parties::start().await;
    parties.register("w", &definition()).await;
    parties
}

fn request(parties: &Parties) -> Value {
    json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": "secret-anna", "reason": "Request 118" })
}

async fn ask(parties: &Parties, body: &Value) -> String {
    let answer = parties.platform.call("POST", "/api/v1/erasures", body).await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("pending")), "{}", answer.text);
    assert!(!answer.text.contains("secret-anna"), "{}", answer.text);
    parties.pass(1);
    text(&answer.body["id"])
}

async fn erasure(parties: &Parties, id: &str) -> Value {
    parties.platform.read(&format!("/api/v1/erasures/{id}")).await
}

fn worker(parties: &Parties, window: u32) -> Erasures {
    let app = App::new(parties.service.db.pool.clone(), parties.service.clock.clone());
    Erasures::with_window(Arc::new(app), window)
}

/// Every row of every table, a line each.
async fn dump(parties: &Parties) -> String {
    let mut owner = parties.service.db.owner().await;
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    let mut rows = String::new();
    for table in tables {
        let query = format!("select coalesce(string_agg('{table} ' || t::text, E'\\n'), '') from {table} t");
        rows += &sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch_one(&mut owner).await.unwrap();
        rows.push('\n');
    }
    rows
}

fn assert_gone(dump: &str, word: &str) {
    if let Some(line) = dump.lines().find(|line| line.contains(word)) {
        panic!("{word} is left: {line}");
    }
}

/// Every party's proof verifies, with one head; what was chained before still is.
async fn verify(parties: &Parties, id: &str, before: Option<Head>) -> Head {
    let mut heads = Vec::new();
    for client in [&parties.partner, &parties.buyer, &parties.platform] {
        let proof = client.read(&format!("/api/v1/tasks/{id}/audit/proof")).await;
        let proof: ProofView = serde_json::from_value(proof).unwrap();
        heads.push(proof.verify().unwrap());
        if let Some(before) = before {
            let index = usize::try_from(before.seq).unwrap() - 1;
            assert_eq!(proof.entries[index].hash, before.hash, "a head that was kept is in the chain");
        }
    }
    assert!(heads.iter().all(|head| *head == heads[0]));
    heads[0]
}

async fn recorded(client: &Client, id: &str) -> Vec<Value> {
    let trail = client.read(&format!("/api/v1/tasks/{id}/audit?limit=100")).await;
    let items = trail["items"].as_array().unwrap().clone();
    items.into_iter().filter(|item| item["type"] == "task.personal_data_erased").collect()
}

#[tokio::test]
async fn a_person_goes_from_every_table_and_everybody_else_stays() {
    let parties = start().await;
    let (closed, cancelling, open) = (play(&parties).await, play(&parties).await, play(&parties).await);
    wind_down(&parties, &closed).await;
    close(&parties, &closed).await;
    wind_down(&parties, &cancelling).await;
    // Another partner calls somebody by the same id.
    let stranger = parties.another_partner().await;
    let mut before = Vec::new();
    for id in [&closed, &cancelling, &open] {
        before.push(verify(&parties, id, None).await);
    }
    let status = parties.status(&closed).await;
    assert_eq!(parties.status(&open).await["message"], "SECRET message");

    let id = ask(&parties, &request(&parties)).await;
    worker(&parties, 2).run_due().await.unwrap();
    let waiting = erasure(&parties, &id).await;
    assert_eq!((&waiting["state"], &waiting["progress"]["tasks_waiting"]), (&json!("waiting"), &json!(2)), "{waiting}");
    assert_eq!((&waiting["progress"]["tasks_examined"], &waiting["progress"]["tasks_erased"]), (&json!(3), &json!(3)));
    assert_gone(&dump(&parties).await, "SECRET");
    for (id, before) in [&closed, &cancelling, &open].into_iter().zip(&before) {
        verify(&parties, id, Some(*before)).await;
    }
    // The closed task's status and tag are what they were; the open one's says less, and says so by its version.
    assert_eq!(parties.status(&closed).await, status);
    let said = parties.status(&open).await;
    assert_eq!((&said["message"], &said["percent"]), (&Value::Null, &json!(40)));
    assert_eq!(said["version"], parties.task(&open).await["version"]);
    // The rules still know Anna: she has her vote, and one is all she has.
    let votes = parties.task(&open).await["review"]["votes"].clone();
    assert_eq!((votes.as_array().unwrap().len(), &votes[0]["actor"]), (1, &json!({ "id": "secret-anna" })), "{votes}");

    let bo = json!({ "id": "kept-bo", "name": "KEPT Bo" });
    parties.partner.done(&open, &rejection(&bo, 2, 3, true)).await;
    let now = with(cancel(), &json!({ "immediate": true }));
    for id in [&cancelling, &open] {
        parties.platform.done(id, &now).await;
    }
    worker(&parties, 2).run_due().await.unwrap();
    let done = erasure(&parties, &id).await;
    assert_eq!((&done["state"], &done["progress"]["tasks_erased"]), (&json!("done"), &json!(3)), "{done}");
    let left = dump(&parties).await;
    assert_gone(&left, "SECRET");
    assert_gone(&left, "secret-anna");
    for (id, before) in [&closed, &cancelling, &open].into_iter().zip(&before) {
        verify(&parties, id, Some(*before)).await;
    }
    others_stay(&parties, &open).await;
    partners_read_of_it(&parties, &stranger, &id).await;
}

/// What Bo said is where it was, and what he said to the buyer is said again.
async fn others_stay(parties: &Parties, open: &str) {
    let items = parties.trail(open).await;
    let votes: Vec<&Value> = items.iter().filter(|item| item["actor"]["id"] == "kept-bo").collect();
    assert!(votes.iter().any(|vote| vote["data"]["feedback"]["summary"] == "KEPT reason"), "{votes:?}");
    assert!(items.iter().any(|item| item["data"]["advice"] == "KEPT advice"));
    let lost = items.iter().filter(|item| item["erased"] == true).count();
    assert!(lost > 8, "{lost} entries say that they lost something");
    let for_buyer = recorded(&parties.buyer, open).await;
    assert_eq!(for_buyer.len(), 2, "{for_buyer:?}");
    assert_eq!(for_buyer[0]["data"]["restated"][0]["shared_feedback"][0]["summary"], "KEPT reason");
    assert!(for_buyer.iter().all(|item| item["data"].get("entries").is_none()), "{for_buyer:?}");
    let for_partner = recorded(&parties.partner, open).await;
    let remain: Vec<&Value> = for_partner.iter().map(|item| &item["data"]["ids_remain"]).collect();
    assert_eq!(remain, [&json!(true), &json!(false)], "one entry for each time");
    assert!(for_partner[0]["data"]["entries"].as_array().unwrap().contains(&json!(3)));
    assert_eq!((&for_partner[0]["party"], for_partner[0].get("actor")), (&json!("platform"), None));
}

async fn partners_read_of_it(parties: &Parties, stranger: &Client, id: &str) {
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let items = trail["items"].as_array().unwrap().clone();
    let about: Vec<&Value> = items.iter().filter(|item| item["data"]["erasure_id"] == id).collect();
    let kinds: Vec<&Value> = about.iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, [&json!("partner.erasure_requested"), &json!("partner.erasure_completed")], "{trail}");
    assert_eq!(about[1]["data"]["tasks"], 3);
    let proof = parties.partner.read(&format!("/api/v1/partners/{}/audit/proof", parties.partner_id)).await;
    serde_json::from_value::<ProofView>(proof).unwrap().verify().unwrap();
    assert_eq!(stranger.get(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await.status, 404);
}

#[tokio::test]
async fn a_buyer_goes_too_and_the_partner_learns_of_it() {
    let parties = start().await;
    let id = parties.open("w").await;
    for actor in ["kept-bo", "kept-chi"] {
        parties.partner.done(&id, &approve(at("a", 1, 0), actor)).await;
    }
    let said = json!({ "summary": "SECRET of the buyer", "share_with_buyer": true });
    let rejected = json!({ "type": "stage_rejected", "stage": "b", "round": 1, "revision": 0, "feedback": said, "note": "SECRET note" });
    parties.buyer.done(&id, &rejected).await;
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    let body = json!({ "party": "buyer", "actor_id": parties.buyer_id, "reason": "Account closed" });
    let erased = ask(&parties, &body).await;
    worker(&parties, 500).run_due().await.unwrap();
    assert_eq!(erasure(&parties, &erased).await["state"], "done");
    assert_gone(&dump(&parties).await, "SECRET");
    verify(&parties, &id, None).await;
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let about = trail["items"].as_array().unwrap().iter().filter(|item| item["data"]["erasure_id"] == erased.as_str());
    assert_eq!(about.count(), 2, "{trail}");
}

#[tokio::test]
async fn what_is_written_after_the_request_stays() {
    let parties = start().await;
    let id = parties.open("w").await;
    parties.partner.done(&id, &submission(&anna())).await;
    ask(&parties, &request(&parties)).await;
    parties.partner.done(&id, &by(&anna(), json!({ "type": "status_updated", "message": "Later words" }))).await;
    worker(&parties, 500).run_due().await.unwrap();
    assert_eq!(parties.status(&id).await["message"], "Later words");
    let items = parties.trail(&id).await;
    let submitted = items.iter().find(|item| item["type"] == "task.work_submitted").unwrap();
    assert_eq!((submitted["data"].get("summary"), &submitted["erased"]), (None, &json!(true)));
}

#[tokio::test]
async fn a_worker_that_stops_is_followed_by_another_and_two_at_once_do_nothing_twice() {
    let parties = start().await;
    let mut tasks = Vec::new();
    for index in 0..12 {
        let id = parties.open("w").await;
        parties.partner.done(&id, &submission(&anna())).await;
        if index % 3 > 0 {
            parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
        }
        tasks.push(id);
    }
    let id = ask(&parties, &request(&parties)).await;
    // One that ends after two windows of three tasks.
    let first = worker(&parties, 3);
    assert!(first.step().await.unwrap() && first.step().await.unwrap());
    drop(first);
    let half = erasure(&parties, &id).await;
    assert_eq!((&half["state"], &half["progress"]["tasks_examined"]), (&json!("running"), &json!(6)), "{half}");
    assert!(half["progress"]["tasks_erased"] == 6, "{half}");
    let workers = [worker(&parties, 2), worker(&parties, 2), worker(&parties, 3)];
    let (a, b, c) = tokio::join!(workers[0].run_due(), workers[1].run_due(), workers[2].run_due());
    for done in [a, b, c] {
        done.unwrap();
    }
    let waiting = erasure(&parties, &id).await;
    assert_eq!(
        waiting["progress"],
        json!({ "tasks_examined": 12, "tasks_erased": 12, "entries_erased": 12,
        "fields_erased": 12 * 5 + 8, "tasks_waiting": 4, "tasks_failing": 0, "tasks_archived": 0 }),
        "{waiting}"
    );
    for task in &tasks {
        assert_eq!(recorded(&parties.platform, task).await.len(), 1);
    }
    let now = with(cancel(), &json!({ "immediate": true }));
    for task in tasks.iter().step_by(3) {
        parties.platform.done(task, &now).await;
    }
    let (a, b) = tokio::join!(workers[0].run_due(), workers[1].run_due());
    a.and(b).unwrap();
    worker(&parties, 500).run_due().await.unwrap();
    let done = erasure(&parties, &id).await;
    assert_eq!((&done["state"], &done["progress"]["fields_erased"]), (&json!("done"), &json!(12 * 6)), "{done}");
    for (index, task) in tasks.iter().enumerate() {
        assert_eq!(recorded(&parties.platform, task).await.len(), if index % 3 == 0 { 2 } else { 1 });
        verify(&parties, task, None).await;
    }
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let about = trail["items"].as_array().unwrap().iter().filter(|item| item["data"]["erasure_id"] == id.as_str());
    assert_eq!(about.count(), 2, "asked for once, completed once: {trail}");
}

#[tokio::test]
async fn a_task_that_cannot_be_read_waits_and_holds_up_no_other() {
    let parties = start().await;
    let (broken, sound) = (parties.open("w").await, parties.open("w").await);
    for id in [&broken, &sound] {
        parties.partner.done(id, &submission(&anna())).await;
        parties.platform.done(id, &with(cancel(), &json!({ "immediate": true }))).await;
    }
    let mut owner = parties.service.db.owner().await;
    let set = async |owner: &mut sqlx::PgConnection, format: i32| {
        let statement = format!("update tasks set format = {format} where task_id = '{broken}'");
        sqlx::query(AssertSqlSafe(statement)).execute(owner).await.unwrap();
    };
    // As a newer replica would have written it.
    set(&mut owner, 99).await;
    let id = ask(&parties, &request(&parties)).await;
    let worker = worker(&parties, 500);
    worker.run_due().await.unwrap();
    let waiting = erasure(&parties, &id).await;
    assert_eq!((&waiting["state"], &waiting["progress"]["tasks_failing"]), (&json!("waiting"), &json!(1)), "{waiting}");
    assert_eq!(recorded(&parties.platform, &sound).await.len(), 1);
    set(&mut owner, 1).await;
    worker.run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "waiting", "not before its time");
    parties.pass(1);
    worker.run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "done");
    assert_gone(&dump(&parties).await, "SECRET");
}

#[tokio::test]
async fn the_same_request_is_the_same_erasure_and_a_wrong_one_is_told_why() {
    let parties = start().await;
    let body = request(&parties);
    let id = ask(&parties, &body).await;
    let again = parties.platform.call("POST", "/api/v1/erasures", &body).await;
    assert_eq!((again.status, &again.body["id"]), (200, &json!(id)), "{}", again.text);
    worker(&parties, 500).run_due().await.unwrap();
    let again = parties.platform.call("POST", "/api/v1/erasures", &body).await;
    assert_eq!((again.status, &again.body["state"]), (200, &json!("done")), "known when whose it was is forgotten");
    let unnamed = json!({ "party": "platform", "actor_id": "secret-anna", "reason": "x" });
    let ids: Vec<Value> = [ask(&parties, &unnamed).await, ask(&parties, &unnamed).await].map(Value::from).into();
    assert_ne!(ids[0], ids[1]);
    let list = parties.platform.read("/api/v1/erasures?limit=2").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let rest = parties.platform.read(&format!("/api/v1/erasures?limit=2&cursor={}", text(&list["next"]))).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));

    let wrong = [
        (json!({ "reason": "Another reason" }), "erasure_id_reused", "/id"),
        (json!({ "partner_id": null }), "invalid_body", "/partner_id"),
        (json!({ "partner_id": new_id() }), "invalid_body", "/partner_id"),
        (json!({ "party": "buyer" }), "invalid_body", "/partner_id"),
        (json!({ "party": "service" }), "invalid_body", "/party"),
        (json!({ "actor_id": "" }), "invalid_body", "/actor_id"),
        (json!({ "reason": "" }), "invalid_body", "/reason"),
        (json!({ "until": "now" }), "invalid_body", "/until"),
    ];
    for (change, expected, pointer) in wrong {
        let answer = parties.platform.call("POST", "/api/v1/erasures", &with(body.clone(), &change)).await;
        let found = (answer.status, code(&answer), &answer.body["errors"][0]["pointer"]);
        assert_eq!(found, (422, expected, &json!(pointer)), "{change}: {}", answer.text);
    }
    // No door takes the command that puts an erasure on record.
    let task = parties.open("w").await;
    let forged = json!({ "type": "personal_data_erased", "erasure_id": id, "entries": [1], "ids_remain": false });
    for client in [&parties.partner, &parties.platform] {
        let answer = client.call("POST", &events(&task), &forged).await;
        assert_eq!((answer.status, code(&answer)), (422, "invalid_body"), "{}", answer.text);
    }
}
