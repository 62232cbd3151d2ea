//! Many commands in one request are answered as each would be alone.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, submit, update, with};
use crate::harness::parties::{Client, Parties, code, events, new_id, text};

const BULK: &str = "/api/v1/events";

fn item(task: &str, command: &Value) -> Value {
    json!({ "task_id": task, "command": with(command.clone(), &json!({ "id": new_id() })) })
}

async fn send(client: &Client, items: &[Value]) -> Vec<Value> {
    let answer = client.call("POST", BULK, &json!({ "items": items })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["items"].as_array().unwrap().clone()
}

/// The result that the single call has for this item.
async fn alone(client: &Client, item: &Value) -> Value {
    let answer = client.call("POST", &events(&text(&item["task_id"])), &item["command"]).await;
    json!({ "status": answer.status, "body": answer.body })
}

/// Without what differs from one request to the next.
fn of_any_request(mut result: Value) -> Value {
    result["body"].as_object_mut().unwrap().remove("request_id");
    result
}

#[tokio::test]
async fn a_bad_command_at_each_of_a_hundred_places_is_answered_as_alone_and_affects_no_other() {
    let parties = Parties::start().await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(parties.open("brand-campaign").await);
    }
    let good: Vec<_> = (0..100).map(|n| item(&tasks[n % 20], &update(&format!("Note {n}")))).collect();
    let done = send(&parties.partner, &good).await;
    assert_eq!(done.len(), 100);
    for (place, (item, result)) in good.iter().zip(&done).enumerate() {
        assert_eq!(
            (&result["status"], &result["body"]["event"]["id"]),
            (&json!(201), &item["command"]["id"]),
            "{place}"
        );
        assert_eq!(result["body"]["event"]["data"]["message"], format!("Note {place}"));
    }
    let theirs = parties.another_partner().await;
    let with_id = |place: usize, command: Value| with(command, &json!({ "id": good[place]["command"]["id"] }));
    let bad = |place: usize| {
        let task = tasks[place % 20].clone();
        let (task, command) = match place % 9 {
            0 => (task, with_id(place, json!({ "type": "approved" }))),
            1 => (task, with_id(place, json!({ "type": "status_updated" }))),
            2 => (task, with_id(place, with(update("x"), &json!({ "stage": "legal" })))),
            3 => (task, with_id(place, update("another text under the same id"))),
            4 => (task, json!({ "type": "status_updated", "message": "x", "id": 7 })),
            5 => (task, with_id(place, json!({ "type": "status_updated", "message": ["x"] }))),
            6 => (new_id(), with_id(place, update("x"))),
            7 => (task, with_id(place, json!({ "type": "cancellation_acknowledged", "in_flight": "completed" }))),
            _ => (task, with_id(place, json!({ "message": "no type" }))),
        };
        json!({ "task_id": task, "command": command })
    };
    // Each place is bad in one of the requests.
    for turn in 0..10 {
        let is_bad = |place: usize| place % 10 == turn;
        let items: Vec<_> =
            (0..good.len()).map(|place| if is_bad(place) { bad(place) } else { good[place].clone() }).collect();
        let results = send(&parties.partner, &items).await;
        for (place, (result, first)) in results.iter().zip(&done).enumerate() {
            if is_bad(place) {
                let alone = alone(&parties.partner, &items[place]).await;
                assert!(alone["status"].as_u64().unwrap() >= 400, "{place}: {alone}");
                assert_eq!(of_any_request(result.clone()), of_any_request(alone), "{place}");
            } else {
                assert_eq!((&result["status"], &result["body"]), (&json!(200), &first["body"]), "{place}");
            }
        }
    }
    let results = send(&theirs, &good[..3]).await;
    assert!(results.iter().all(|result| result["body"]["code"] == "not_found"), "{results:?}");
}

#[tokio::test]
async fn commands_on_one_task_are_carried_out_in_order() {
    let parties = Parties::start().await;
    let (one, other) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    let items = [
        item(&one, &submit("u-dora")),
        item(&other, &approve(at("copy", 1, 1), "u-copy")),
        item(&one, &approve(at("copy", 1, 1), "u-copy")),
        item(&other, &submit("u-dora")),
    ];
    let results = send(&parties.partner, &items).await;
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 409, 201, 201], "{results:?}");
    assert_eq!(results[2]["body"]["task"]["stage"]["key"], "legal");
    assert_eq!(results[1]["body"]["code"], "wrong_phase");
    // A buyer is answered with the status.
    let results = send(&parties.buyer, &[item(&one, &cancel())]).await;
    assert_eq!((&results[0]["status"], &results[0]["body"]["status"]["phase"]), (&json!(201), &json!("cancelling")));
    // A decision that comes too late is kept, as it is alone.
    parties.platform.done(&one, &with(cancel(), &json!({ "immediate": true }))).await;
    let late = item(&one, &approve(at("legal", 1, 1), "u-anna"));
    let results = send(&parties.partner, std::slice::from_ref(&late)).await;
    assert_eq!(of_any_request(results[0].clone()), of_any_request(alone(&parties.partner, &late).await));
    assert_eq!(results[0]["body"]["code"], "task_closed");
    assert!(results[0]["body"]["recorded"]["seq"].is_u64(), "{results:?}");
}

#[tokio::test]
async fn what_a_key_cannot_do_is_refused_for_each_command() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let key = async |scope: &str| {
        let made = parties.partner.call("POST", "/api/v1/keys", &json!({ "scopes": [scope] })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        Client { credential: text(&made.body["key"]), ..parties.partner.clone() }
    };
    let items = [item(&task, &submit("u-dora")), item(&task, &approve(at("copy", 1, 1), "u-copy"))];
    let results = send(&key("work").await, &items).await;
    assert_eq!((&results[0]["status"], &results[1]["body"]["code"]), (&json!(201), &json!("key_scope")), "{results:?}");
    for refused in send(&key("define").await, &items).await {
        assert_eq!((&refused["status"], &refused["body"]["code"]), (&json!(403), &json!("key_scope")), "{refused}");
    }
    let answer = key("read").await.call("POST", BULK, &json!({ "items": items })).await;
    assert_eq!((answer.status, code(&answer)), (403, "key_scope"), "no command is for such a key");
}

#[tokio::test]
async fn a_request_that_is_wrong_as_a_whole_does_nothing() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let good = item(&task, &update("x"));
    let changed = |change: Value| with(good.clone(), &change);
    let without_id = json!({ "task_id": task, "command": update("x") });
    let many = vec![good.clone(); 101];
    for (body, pointer, error) in [
        (json!({}), "/items", "required"),
        (json!({ "items": [] }), "/items", "too_few"),
        (json!({ "items": many }), "/items", "too_many"),
        (json!({ "items": [good, without_id] }), "/items/1/command/id", "required"),
        (json!({ "items": [good, changed(json!({ "task_id": "x" }))] }), "/items/1/task_id", "invalid_value"),
        (json!({ "items": [good, changed(json!({ "command": "x" }))] }), "/items/1/command", "wrong_type"),
        (json!({ "items": [good, changed(json!({ "more": 1 }))] }), "/items/1/more", "unknown_field"),
        (json!({ "items": [good], "more": 1 }), "/more", "unknown_field"),
    ] {
        let answer = parties.partner.call("POST", BULK, &body).await;
        let found = (answer.status, &answer.body["errors"][0]["pointer"], &answer.body["errors"][0]["code"]);
        assert_eq!(found, (422, &json!(pointer), &json!(error)), "{}", answer.text);
    }
    let body = json!({ "items": [good] });
    let answer = parties.partner.call_with(("POST", BULK), ("idempotency-key", &new_id()), &body).await;
    assert_eq!(
        (answer.status, &answer.body["errors"][0]["pointer"]),
        (400, &json!("/header/Idempotency-Key")),
        "{}",
        answer.text
    );
    assert_eq!(parties.trail(&task).await.len(), 2, "nothing was done");
}
