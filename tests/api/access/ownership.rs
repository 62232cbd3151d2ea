//! What belongs to somebody else does not exist, and what is another party's to do is not open: for every operation
//! of the contract, so that a new one is tested or fails.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::checkpoints::Checkpoints;

use crate::audit::transparency_log::tick;
use crate::harness::commands::{approve, at, cancel, reject, submit, update, with};
use crate::harness::contract::{Operation, operations};
use crate::harness::parties::{Client, DEMO, Parties, code, new_id};

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_found_and_stays_as_it_is() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let (partner, buyer) = (parties.another_partner().await, parties.another_buyer());
    let ids = ids(&parties, &task).await;
    let before = everything(&parties).await;
    let mut tried = 0;
    for operation in operations().iter().filter(|operation| operation.path.contains('{')) {
        let mut strangers = Vec::new();
        if operation.parties.contains("partner") {
            strangers.push(&partner);
        }
        if operation.parties.contains("buyer") {
            strangers.push(&buyer);
        }
        // Registering and setting up make the key the caller's own; see below. So it is with people.
        if OWN.contains(&operation.id.as_str()) {
            continue;
        }
        for stranger in strangers {
            for body in bodies(operation) {
                let answer = stranger.call(&operation.method, &path(operation, &ids), &body).await;
                assert_eq!(
                    (answer.status, code(&answer)),
                    (404, "not_found"),
                    "{} {body}: {}",
                    operation.id,
                    answer.text
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried} calls");
    assert_eq!(everything(&parties).await, before, "nothing was written");
}

#[tokio::test]
async fn a_key_that_another_partner_has_is_free() {
    let parties = Parties::start().await;
    let stranger = parties.another_partner().await;
    let path = "/api/v1/workflows/brand-campaign";
    let mine = parties.partner.read(path).await;
    let definition = json!({ "name": "Other", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] });
    let registered = stranger.call("PUT", path, &definition).await;
    assert_eq!((registered.status, &registered.body["version"]), (201, &json!(1)));
    assert_eq!(stranger.call("DELETE", path, &Value::Null).await.status, 204);
    assert_eq!(parties.partner.read(path).await, mine);
    // A task on the one partner's workflow is not opened on the other's.
    let id = parties.open("brand-campaign").await;
    assert_eq!(parties.task(&id).await["stage"]["key"], "copy");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_by_anyone() {
    let parties = Parties::start().await;
    let nothing = Ids {
        task: new_id(),
        workflow: "nothing".to_owned(),
        partner: new_id(),
        key: new_id(),
        webhook: "nothing".to_owned(),
        delivery: new_id(),
        link: new_id(),
    };
    for operation in operations().iter().filter(|operation| operation.path.contains('{')) {
        for client in clients(&parties, operation) {
            for body in bodies(operation) {
                if OWN.contains(&operation.id.as_str()) {
                    continue;
                }
                // The platform names whose workflow it is.
                let is_named = matches!(operation.id.as_str(), "get_workflow_analytics" | "get_absence")
                    && client.credential == parties.platform.credential;
                let query = if is_named { format!("?partner_id={}", parties.partner_id) } else { String::new() };
                let answer = client.call(&operation.method, &(path(operation, &nothing) + &query), &body).await;
                assert_eq!((answer.status, code(&answer)), (404, "not_found"), "{}: {}", operation.id, answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_party_that_an_operation_is_not_open_to_is_refused() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let ids = ids(&parties, &task).await;
    // So that there is a checkpoint to read.
    assert_eq!(tick(&parties, &Checkpoints::new(Arc::clone(&parties.service.app))).await, 1);
    let before = everything(&parties).await;
    let nobody = Client { credential: String::new(), ..parties.buyer.clone() };
    let (mut refused, mut public) = (0, 0);
    for operation in operations() {
        let path = path(operation, &ids);
        if operation.parties.is_empty() {
            let path = if operation.id == "get_log_consistency" { format!("{path}?from=1") } else { path };
            assert_eq!(nobody.call(&operation.method, &path, &Value::Null).await.status, 200, "{}", operation.id);
            public += 1;
            continue;
        }
        for body in bodies(operation) {
            let answer = nobody.call(&operation.method, &path, &body).await;
            assert_eq!((answer.status, code(&answer)), (401, "unauthorized"), "{}", operation.id);
            assert!(answer.headers.contains_key("www-authenticate"));
            for (scheme, client) in schemes(&parties) {
                if !operation.parties.contains(scheme) {
                    let answer = client.call(&operation.method, &path, &body).await;
                    assert_eq!((answer.status, code(&answer)), (403, "forbidden"), "{} by {scheme}", operation.id);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 20 && public == 8, "{refused} refused, {public} public");
    assert_eq!(everything(&parties).await, before, "nothing was written");
}

/// What a caller may always do with a key or a person of its own by that name.
const OWN: [&str; 4] = ["register_workflow", "set_webhook", "set_absence", "remove_absence"];

struct Ids {
    task: String,
    workflow: String,
    partner: String,
    key: String,
    webhook: String,
    delivery: String,
    link: String,
}

async fn ids(parties: &Parties, task: &str) -> Ids {
    let webhook = "partners-own".to_owned();
    let set = parties.partner.call("PUT", &format!("/api/v1/webhooks/{webhook}"), &definition_of_webhook()).await;
    assert_eq!(set.status, 201);
    parties.partner.done(task, &update("delivered")).await;
    let deliveries = parties.partner.read(&format!("/api/v1/webhooks/{webhook}/deliveries")).await;
    let delivery = deliveries["items"][0]["id"].as_str().unwrap().to_owned();
    let away = json!({ "from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z", "substitute": "u-bo" });
    assert_eq!(parties.partner.call("PUT", "/api/v1/absences/u-anna", &away).await.status, 200);
    let link = json!({ "to": "inbox", "actor": { "id": "u-anna" } });
    let made = parties.partner.call("POST", "/api/v1/links", &link).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let keys = parties.platform.read(&format!("/api/v1/partners/{}/keys", parties.partner_id)).await;
    Ids {
        task: task.to_owned(),
        workflow: "brand-campaign".to_owned(),
        partner: parties.partner_id.clone(),
        key: keys["items"][0]["id"].as_str().unwrap().to_owned(),
        webhook,
        delivery,
        link: made.body["id"].as_str().unwrap().to_owned(),
    }
}

/// Nobody listens there.
fn definition_of_webhook() -> Value {
    json!({ "url": "http://127.0.0.1:1/" })
}

/// The operation's path with what is somebody's in it.
fn path(operation: &Operation, ids: &Ids) -> String {
    let id = match operation.path.split('/').nth(3) {
        Some("partners") => &ids.partner,
        Some("webhooks") => &ids.webhook,
        Some("links") => &ids.link,
        _ => &ids.task,
    };
    let path =
        operation.path.replace("{id}", id).replace("{key}", &ids.workflow).replace("{delivery_id}", &ids.delivery);
    let path = if operation.id == "release_claim" { format!("{path}?actor=u-anna") } else { path };
    let path =
        path.replace("{actor}", "u-anna").replace("{key_id}", &ids.key).replace("{n}", "1").replace("{seq}", "1");
    assert!(!path.contains('{'), "{} has a parameter that this test does not know", operation.path);
    path
}

/// What to send to it: bodies that would do something for who may send them.
fn bodies(operation: &Operation) -> Vec<Value> {
    match operation.id.as_str() {
        "post_event" => vec![
            submit("agent"),
            update("x"),
            approve(at("legal", 1, 1), "u-anna"),
            reject(at("legal", 1, 1), "u-anna"),
            cancel(),
            json!({ "type": "held", "reason": "x" }),
        ],
        "post_events" => {
            vec![json!({ "items": [{ "task_id": new_id(), "command": with(cancel(), &json!({ "id": new_id() })) }] })]
        }
        "register_workflow" => vec![DEMO.clone()],
        "simulate_workflow" => vec![json!({})],
        "open_task" => vec![json!({ "id": new_id() })],
        "create_partner" => vec![json!({ "name": "Contoso" })],
        "request_erasure" => vec![json!({ "party": "buyer", "actor_id": "u-anna", "reason": "x" })],
        "set_absence" => vec![json!({ "from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z" })],
        "claim_task" => vec![json!({ "actor": { "id": "u-anna" } })],
        "create_link" => vec![json!({ "to": "console", "actor": { "id": "u-anna" } })],
        "revoke_links" => vec![json!({ "actor_id": "u-anna" })],
        "set_webhook" => vec![definition_of_webhook()],
        "redeliver_since" => vec![json!({ "since": "2020-01-01T00:00:00Z", "state": "all" })],
        "create_partner_key"
        | "create_key"
        | "rotate_webhook_secret"
        | "activate_webhook_secret"
        | "redeliver"
        | "test_webhook" => {
            vec![Value::Null]
        }
        other if matches!(operation.method.as_str(), "GET" | "DELETE") => {
            assert!(!other.is_empty());
            vec![Value::Null]
        }
        other => panic!("this test does not know how to call {other}"),
    }
}

fn schemes(parties: &Parties) -> [(&'static str, &Client); 3] {
    [("partner", &parties.partner), ("buyer", &parties.buyer), ("platform", &parties.platform)]
}

fn clients<'a>(parties: &'a Parties, operation: &Operation) -> Vec<&'a Client> {
    let open = schemes(parties).into_iter().filter(|(scheme, _)| operation.parties.contains(*scheme));
    open.map(|(_, client)| client).collect()
}

/// Every row of every table, as one text.
async fn everything(parties: &Parties) -> String {
    let mut rows = String::new();
    for table in [
        "partners",
        "api_keys",
        "workflows",
        "workflow_versions",
        "tasks",
        "task_events",
        "partner_events",
        "erasures",
        "links",
        "link_sessions",
        "webhook_endpoints",
        "webhook_deliveries",
        "claims",
        "absences",
        "stage_facts",
    ] {
        let query = format!("select coalesce(string_agg(t::text, E'\\n' order by t::text), '') from {table} t");
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&parties.service.db.pool).await.unwrap();
        rows.push_str(&text);
    }
    rows
}
