//! Who is who: ids and texts at every door, and people whose ids were stored in spellings that nobody can tell apart.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::tasks::commands::Request;
use stagegate::app::{App, Caller};
use stagegate::domain::task::command::{Action, Command, Meta, WorkSubmitted};
use stagegate::domain::values::id::{ActorId, CommandId, KeyId, PartnerId, TaskId};
use stagegate::domain::values::party::{Actor, Party, Sender};
use stagegate::domain::values::text::Prose;
use stagegate::ids;
use stagegate::worker::erasures::Erasures;
use uuid::Uuid;

use crate::harness::commands::{approve, at, cancel, reject, submit, update, with};
use crate::harness::parties::{Parties, code, events, new_id, text};
use crate::harness::service::Service;

/// Ids that look like `u dora` or cannot be told from another.
const UNFIT: [&str; 12] = [
    "u dora ",
    " u dora",
    "u  dora",
    "u\u{A0}dora",
    "u\tdora",
    "u dora\u{200B}",
    "u\u{200D}dora",
    "u dora\u{202E}",
    "zoe\u{308}",
    "u-\u{E000}",
    "erased-7",
    "System",
];

/// A workflow of which everybody may be a reviewer.
fn open_to_all() -> Value {
    json!({ "name": "Open", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "submission": "required" },
        { "key": "b", "name": "B", "buyer_label": "In B", "distinct_from": ["a"] } ] })
}

/// Who sends what where, and the place of what is wrong with it.
type Door = (&'static str, &'static str, String, Value, &'static str);

const HIDDEN: &str = "a\u{202E}b";

fn commands(path: &str) -> Vec<Door> {
    let send = |body: Value, pointer| ("partner", "POST", path.to_owned(), body, pointer);
    let work = |change: Value, pointer| send(with(submit("x"), &change), pointer);
    let rejection = |feedback: Value, pointer| {
        send(with(reject(at("copy", 1, 0), "u-1"), &json!({ "feedback": feedback })), pointer)
    };
    vec![
        work(json!({ "actor": { "id": "x", "name": HIDDEN } }), "/actor/name"),
        work(json!({ "actor": { "id": "x", "name": "two\nlines" } }), "/actor/name"),
        work(json!({ "actor": { "id": "x", "role": "\u{3164}" } }), "/actor/role"),
        work(json!({ "note": HIDDEN }), "/note"),
        work(json!({ "summary": "\u{2800}" }), "/summary"),
        work(json!({ "artifacts": [{ "name": HIDDEN, "sha256": "a".repeat(64) }] }), "/artifacts/0/name"),
        send(update("\u{200B}"), "/message"),
        send(with(cancel(), &json!({ "reason": HIDDEN })), "/reason"),
        rejection(json!({ "summary": HIDDEN }), "/feedback/summary"),
        rejection(json!({ "summary": "x", "items": [{ "text": HIDDEN }] }), "/feedback/items/0/text"),
    ]
}

fn definition(field: &str, value: Value) -> Value {
    let mut definition = open_to_all();
    definition["stages"][1][field] = value;
    definition
}

fn others(parties: &Parties) -> Vec<Door> {
    let register =
        |field, value, pointer| ("partner", "PUT", "/api/v1/workflows/w".to_owned(), definition(field, value), pointer);
    let post = |who, path: &str, body, pointer| (who, "POST", format!("/api/v1{path}"), body, pointer);
    let command = with(submit("u dora "), &json!({ "at": "2026-11-22T09:00:00Z", "party": "partner" }));
    let play = json!({ "opened_at": "2026-11-22T08:00:00Z", "commands": [command] });
    let opening = with(parties.opening(&new_id(), "brand-campaign"), &json!({ "title": HIDDEN }));
    let webhook = json!({ "url": "https://a\u{202E}.example/" });
    vec![
        register("name", json!(HIDDEN), "/stages/1/name"),
        register("buyer_label", json!("two\nlines"), "/stages/1/buyer_label"),
        post("partner", "/workflows/brand-campaign/simulate", play, "/commands/0/actor/id"),
        post("platform", "/tasks", opening, "/title"),
        post("platform", "/partners", json!({ "name": "North\u{200B}wind" }), "/name"),
        post("platform", "/erasures", json!({ "party": "platform", "actor_id": "x", "reason": HIDDEN }), "/reason"),
        post("platform", "/erasures", json!({ "party": "buyer", "actor_id": "u-1", "reason": "x" }), "/actor_id"),
        ("partner", "PUT", "/api/v1/webhooks/w".to_owned(), webhook, "/url"),
    ]
}

fn unfit_ids(path: &str) -> Vec<Door> {
    let doors = UNFIT.map(|unfit| {
        let cancelled = with(cancel(), &json!({ "actor": { "id": unfit } }));
        let named = definition("reviewers", json!([unfit]));
        [
            ("partner", "POST", path.to_owned(), submit(unfit), "/actor/id"),
            ("platform", "POST", path.to_owned(), cancelled, "/actor/id"),
            ("partner", "PUT", "/api/v1/workflows/w".to_owned(), named, "/stages/1/reviewers/0"),
        ]
    });
    doors.into_iter().flatten().collect()
}

#[tokio::test]
async fn every_door_refuses_ids_and_texts_that_cannot_be_told_apart() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let path = events(&id);
    for (who, method, path, body, pointer) in [commands(&path), others(&parties), unfit_ids(&path)].concat() {
        let client = if who == "partner" { &parties.partner } else { &parties.platform };
        let answer = client.call(method, &path, &body).await;
        assert_eq!(answer.status, 422, "{method} {path} {body}: {}", answer.text);
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &json!(pointer)), "{body}: {}", answer.text);
        let message = text(&errors[0]["message"]);
        assert!(!message.is_empty() && !message.contains(['\u{202E}', '\u{200B}']), "{message}");
    }
    assert_eq!(parties.trail(&id).await.len(), 2, "nothing was written");
    let person = json!({ "id": "u-1", "name": "Zoë 👩\u{200D}💻", "role": "می\u{200C}خواهم" });
    parties.partner.done(&id, &with(submit("x"), &json!({ "actor": person, "summary": "one\n\ttwo" }))).await;
}

/// Hands in work by a person whose id no door takes any more, as older versions of the service did.
async fn submit_as(parties: &Parties, task: &str, spelling: &str) {
    let caller = Caller::Partner {
        partner_id: PartnerId(parties.partner_id.parse().unwrap()),
        key_id: KeyId(Uuid::nil()),
        rights: Arc::default(),
        through: None,
    };
    let actor = Actor { id: ActorId::stored(spelling).unwrap(), name: None, role: None };
    let sender = Sender {
        party: Party::Partner,
        actor: Some(actor),
        credential_id: caller.credential_id(),
        bound: false,
        admitted: true,
    };
    let work = WorkSubmitted { summary: Prose::parse("A draft.").ok(), artifacts: Vec::new(), answers: Vec::new() };
    let meta = Meta { id: Some(CommandId(ids::new())), ..Meta::new(sender) };
    let command = Command::new(meta, Action::WorkSubmitted(work)).unwrap();
    let digest = [0; 32];
    let request = Request { command, digest, id_given: false, if_match: None, dry_run: false };
    let app = &parties.service.app;
    let target = app.tasks.commands.find_target(&caller, TaskId(task.parse().unwrap())).await.unwrap();
    app.tasks.commands.post_event(&caller, target, request).await.unwrap();
}

/// Another replica, which remembers nothing.
fn worker(parties: &Parties) -> Erasures {
    let app = App::new(parties.service.db.pool.clone(), parties.service.clock.clone());
    Erasures::with_window(Arc::new(app), 500)
}

#[tokio::test]
async fn a_person_stored_in_another_spelling_is_the_same_to_the_rules_and_goes_with_an_erasure() {
    let parties = Parties::start().await;
    parties.register("open", &open_to_all()).await;
    for (spelling, id) in [
        ("u-dora ", "u-dora"),
        ("u-dora\u{200B}", "u-dora"),
        ("zoe\u{308}", "zoë"),
        ("0199AA00-0000-7000-8000-0000000000BB", "0199aa00-0000-7000-8000-0000000000bb"),
    ] {
        let task = parties.open("open").await;
        submit_as(&parties, &task, spelling).await;
        let replica = Service::replica(&parties.service.db, &parties.service.clock).await;
        let fresh = parties.partner.at(&replica);
        fresh.refused(&task, &approve(at("a", 1, 1), id), (403, "self_approval")).await;
        fresh.done(&task, &approve(at("a", 1, 1), "u-eli")).await;
        let reviews = fresh.read("/api/v1/reviews?stage=b").await;
        assert!(reviews["items"].to_string().contains(&task));
        let request = json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": id, "reason": "x" });
        let erasure = parties.platform.call("POST", "/api/v1/erasures", &request).await;
        assert_eq!(erasure.status, 202, "{}", erasure.text);
        parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
        parties.pass(1);
        worker(&parties).run_due().await.unwrap();
        let done = parties.platform.read(&format!("/api/v1/erasures/{}", text(&erasure.body["id"]))).await;
        assert_eq!(done["state"], "done", "{done}");
        assert!(done["progress"]["fields_erased"].as_u64().unwrap() > 0, "{spelling:?}: {done}");
        let trail = parties.trail(&task).await;
        assert!(!json!(trail).to_string().contains(spelling), "{trail:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_a_uuid_is_compared_as_one() {
    let parties = Parties::start().await;
    let (lower, upper) = ("0199aa00-0000-7000-8000-0000000000bb", "0199AA00-0000-7000-8000-0000000000BB");
    let mut definition = open_to_all();
    definition["stages"][0]["reviewers"] = json!([lower, "u-eli"]);
    parties.register("named", &definition).await;
    let task = parties.open("named").await;
    parties.partner.done(&task, &submit(lower)).await;
    parties.partner.refused(&task, &approve(at("a", 1, 1), upper), (403, "self_approval")).await;
    parties.partner.done(&task, &reject(at("a", 1, 1), upper)).await;
    parties.partner.done(&task, &submit("agent")).await;
    parties.partner.done(&task, &approve(at("a", 2, 2), upper)).await;
    parties.partner.refused(&task, &approve(at("b", 1, 2), lower), (403, "not_distinct")).await;
    let desk = parties.partner.read(&format!("/api/v1/reviews?actor={lower}")).await;
    assert_eq!(desk["items"], json!([]));
    // What was sent is told as it was sent.
    assert!(json!(parties.trail(&task).await).to_string().contains(upper));
    // The buyer by the `sub` in upper case.
    parties.buyer.done(&task, &cancel()).await;
    let request = json!({ "party": "buyer", "actor_id": parties.buyer_id.to_uppercase(), "reason": "x" });
    let erasure = parties.platform.call("POST", "/api/v1/erasures", &request).await;
    parties.pass(200);
    parties.tick(&task).await;
    worker(&parties).run_due().await.unwrap();
    let done = parties.platform.read(&format!("/api/v1/erasures/{}", text(&erasure.body["id"]))).await;
    assert!(done["progress"]["fields_erased"].as_u64().unwrap() > 0, "{done}");
}

#[tokio::test]
async fn a_body_that_means_the_same_is_the_same_request() {
    let parties = Parties::start().await;
    let upper = |id: &str| id.to_uppercase();
    let id = new_id();
    let opening = parties.opening(&id, "brand-campaign");
    assert_eq!(parties.platform.call("POST", "/api/v1/tasks", &opening).await.status, 201);
    let spelt = json!({ "id": upper(&id), "partner_id": upper(&parties.partner_id), "buyer_id": upper(&parties.buyer_id),
        "metadata": null, "deadline_at": null, "workflow": { "key": "brand-campaign", "version": null } });
    let again = parties.platform.call("POST", "/api/v1/tasks", &with(opening.clone(), &spelt)).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let other = parties.platform.call("POST", "/api/v1/tasks", &with(opening, &json!({ "metadata": {} }))).await;
    assert_eq!((other.status, code(&other)), (409, "task_exists"));

    let actor = new_id();
    let command = with(submit(&actor), &json!({ "id": new_id(), "occurred_at": "2027-01-15T07:59:00Z" }));
    parties.partner.done(&id, &command).await;
    let spelt = json!({ "actor": { "id": upper(&actor), "name": null }, "artifacts": [], "note": null,
        "occurred_at": "2027-01-15T08:59:00.000+01:00" });
    let again = parties.partner.send(&id, &with(command.clone(), &spelt)).await;
    assert_eq!(again.status, 200, "{}", again.text);
    parties.partner.refused(&id, &with(command, &json!({ "note": "x" })), (422, "event_id_reused")).await;

    let erasure = json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": actor, "reason": "x" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    let spelt = json!({ "partner_id": upper(&parties.partner_id), "actor_id": upper(&actor) });
    let again = parties.platform.call("POST", "/api/v1/erasures", &with(erasure, &spelt)).await;
    assert_eq!(again.status, 200, "{}", again.text);
}
