//! A link reaches no further than its key, and what is done through it is its person's.

use serde_json::{Value, json};
use stagegate::domain::audit::ProofView;
use stagegate::domain::audit::receipt::Receipt;
use stagegate::domain::task::command::CommandType;
use stagegate::domain::values::id::TaskId;
use stagegate::domain::values::scope::Scope;

use crate::audit::transparency_log::keys;
use crate::harness::commands::{approve, at, submit};
use crate::harness::parties::{Client, Parties, code};

use super::{approval, console, decide, inbox, key, make, opened, refusal, rejection, send, send_at, state};

#[tokio::test]
async fn a_key_makes_links_for_its_own_scopes_and_people_only() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let kinds = [
        ("decide", decide(&task, "u-anna")),
        ("task", json!({ "to": "task", "task_id": task, "actor": { "id": "u-anna" } })),
        ("inbox", inbox("u-anna")),
        ("console", json!({ "to": "console", "actor": { "id": "u-anna" } })),
        ("manage", console("u-anna")),
    ];
    for (scope, may_make) in [
        ("review", &["decide", "task", "inbox", "console"][..]),
        ("work", &["task", "inbox", "console"]),
        ("define", &["task", "inbox", "console", "manage"]),
        ("read", &["task", "inbox", "console"]),
    ] {
        let (client, _) = key(&parties, &json!({ "scopes": [scope] })).await;
        for (name, link) in &kinds {
            let answer = client.call("POST", "/api/v1/links", link).await;
            let expected = if may_make.contains(name) { (201, "") } else { (403, "key_scope") };
            assert_eq!((answer.status, code(&answer)), expected, "{scope} {name}: {}", answer.text);
        }
    }
    let (bound, _) = key(&parties, &json!({ "actors": ["u-bo"], "expires_at": "2027-01-15T08:05:00Z" })).await;
    let refused = bound.call("POST", "/api/v1/links", &decide(&task, "u-anna")).await;
    assert_eq!((refused.status, code(&refused)), (403, "key_actor"));
    // Nor longer than the key.
    let made = make(&bound, &decide(&task, "u-bo")).await;
    assert_eq!(made.body["expires_at"], "2027-01-15T08:05:00Z");
    let visit = opened(&parties.service.app, &made).await.visit;
    assert_eq!(visit.ends_at.to_string(), "2027-01-15T08:05:00Z");
    assert_eq!(visit.caller.rights().unwrap().scopes.iter().collect::<Vec<_>>(), [Scope::Review, Scope::Read]);
}

#[tokio::test]
async fn a_session_is_bound_to_the_links_person_and_task() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let (task, other) = (parties.open_in_legal().await, parties.open_in_legal().await);
    let visit = opened(app, &make(&parties.partner, &decide(&task, "u-anna")).await).await.visit;
    let sender = visit.sender();
    assert!(sender.bound && sender.admitted);
    assert_eq!(sender.actor.unwrap().id.as_str(), "u-anna");
    let ids = [&task, &other].map(|id| TaskId(id.parse().unwrap()));
    assert!(app.tasks.get_task(&visit.caller, ids[0]).await.is_ok());
    assert_eq!(refusal(app.tasks.get_task(&visit.caller, ids[1]).await), "not_found");
    let place = |round, revision| ("legal".to_owned(), round, revision);
    assert_eq!(refusal(send_at(app, &visit, &other, (place(1, 1), approval())).await), "not_found");
    for (round, revision) in [(2, 1), (1, 2), (1, 0)] {
        let sent = send_at(app, &visit, &task, (place(round, revision), approval())).await;
        assert_eq!(refusal(sent), "key_scope", "{round} {revision}");
    }
    // What the pages would offer says the same.
    let why = app.tasks.get_why(&visit.caller, ids[0], visit.actor.clone().map(|actor| actor.id)).await.unwrap();
    let open: Vec<CommandType> =
        why.you.iter().filter(|ability| ability.refusal.is_none()).map(|you| you.command).collect();
    assert_eq!(open, [CommandType::StageApproved, CommandType::StageRejected, CommandType::StageEscalated]);
    // A link for another task's page decides nothing.
    let look = make(&parties.partner, &json!({ "to": "task", "task_id": task, "actor": { "id": "u-anna" } })).await;
    let visit = opened(app, &look).await.visit;
    assert_eq!(refusal(send_at(app, &visit, &task, (place(1, 1), approval())).await), "key_scope");
    let visit = opened(app, &make(&parties.partner, &console("u-anna")).await).await.visit;
    assert_eq!(refusal(send_at(app, &visit, &task, (place(1, 1), approval())).await), "key_scope");
}

#[tokio::test]
async fn rules_on_actors_hold_between_the_api_and_pages() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    let mut last = stage("b");
    last["distinct_from"] = json!(["a"]);
    let mut first = stage("a");
    first["submission"] = json!("required");
    parties.register("w", &json!({ "name": "Under test", "stages": [first, last] })).await;
    let task = parties.open("w").await;
    parties.partner.done(&task, &submit("u-anna")).await;
    let anna = opened(app, &make(&parties.partner, &decide(&task, "u-anna")).await).await.visit;
    assert_eq!(refusal(send(app, &anna, &task, approval()).await), "self_approval");
    let bo = opened(app, &make(&parties.partner, &decide(&task, "u-bo")).await).await.visit;
    assert_eq!(refusal(send(app, &bo, &task, approval()).await), "accepted");
    // The page's approval counts against the API's, and the other way round.
    parties.partner.refused(&task, &approve(at("b", 1, 1), "u-bo"), (403, "not_distinct")).await;
    let again = opened(app, &make(&parties.partner, &decide(&task, "u-bo")).await).await.visit;
    assert_eq!(refusal(send(app, &again, &task, approval()).await), "not_distinct");
    assert_eq!(refusal(send(app, &again, &task, rejection()).await), "accepted");
}

#[tokio::test]
async fn a_decision_through_a_link_is_bound_and_names_link_opening_and_key() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "assurance": "bound" });
    parties.register("w", &json!({ "name": "Under test", "stages": [stage] })).await;
    let task = parties.open("w").await;
    parties.partner.refused(&task, &approve(at("a", 1, 0), "u-anna"), (403, "key_unbound")).await;
    let made = make(&parties.partner, &decide(&task, "u-anna")).await;
    opened(app, &made).await;
    let visit = opened(app, &made).await.visit;
    send(app, &visit, &task, approval()).await.unwrap();
    assert_eq!(state(&parties.partner, &made.id).await, "decided");
    let path = format!("/api/v1/tasks/{task}/audit");
    let trail = parties.partner.read(&path).await;
    let rows = trail["items"].as_array().unwrap();
    let vote = rows.iter().find(|row| row["type"] == "task.vote_recorded").unwrap();
    let credential = format!("link:{}/2@{}", made.id, made.body["made_by"].as_str().unwrap());
    assert_eq!((&vote["credential_id"], &vote["data"]["bound"]), (&json!(credential), &json!(true)), "{vote}");
    let proof = parties.partner.read(&format!("{path}/proof")).await;
    assert!(proof.to_string().contains(&credential));
    serde_json::from_value::<ProofView>(proof).unwrap().verify().unwrap();
    let receipt = parties.partner.get(&format!("{path}/{}/receipt", vote["seq"])).await.text;
    let receipt = serde_json::to_value(Receipt::verify(&receipt, &keys(&parties).await).unwrap()).unwrap();
    assert_eq!((&receipt["head"], &receipt["actor"]["id"]), (&vote["hash"], &json!("u-anna")), "{receipt}");
    // Nobody else reads whose key it was.
    let read = parties.buyer.read(&path).await.to_string();
    assert!(!read.contains("link:"), "{read}");
}

#[tokio::test]
async fn a_buyer_who_comes_by_a_link_is_that_buyer() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" });
    parties.register("w", &json!({ "name": "Under test", "stages": [stage] })).await;
    let task = parties.open("w").await;
    let link = json!({ "to": "task", "task_id": task, "party": "buyer" });
    let visit = opened(app, &make(&parties.platform, &link).await).await.visit;
    assert_eq!(visit.caller.buyer_id().unwrap().to_string(), parties.buyer_id);
    let sent = send_at(app, &visit, &task, (("a".to_owned(), 1, 0), approval())).await;
    assert_eq!(refusal(sent), "accepted");
    let client: &Client = &parties.buyer;
    let status: Value = client.read(&format!("/api/v1/tasks/{task}/status")).await;
    assert_eq!(status["phase"], "delivery", "{status}");
}
