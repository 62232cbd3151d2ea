//! Rows that this build cannot read, of a newer format or damaged: each is told in its place, and takes no other along.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::worker::deliveries::Deliveries;

use crate::audit::transparency_log::settle;
use crate::harness::commands::update;
use crate::harness::parties::{Client, Parties, code, text};
use crate::harness::receiver::Receiver;

async fn execute(parties: &Parties, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(&mut parties.service.db.owner().await).await.unwrap();
}

/// Three tasks, of which a newer build wrote the second and the third is damaged; their ids.
async fn three(parties: &Parties) -> [String; 3] {
    let ids = [
        parties.open("brand-campaign").await,
        parties.open("brand-campaign").await,
        parties.open("brand-campaign").await,
    ];
    execute(parties, format!("update tasks set format = 99 where task_id = '{}'", ids[1])).await;
    execute(parties, format!("update tasks set state = '{{\"phase\": 7}}' where task_id = '{}'", ids[2])).await;
    ids
}

/// Each row of a list, by id: the task's id, and why it is not shown.
fn rows(page: &Value) -> Vec<(String, Value)> {
    let row = |item: &Value| {
        let id = [&item["task_id"], &item["id"]].into_iter().find(|id| id.is_string()).unwrap();
        (text(id), item["unreadable"].clone())
    };
    let all = [&page["items"], &page["unreadable"]].into_iter().filter_map(Value::as_array).flatten();
    sorted(all.map(row).collect())
}

fn sorted(mut rows: Vec<(String, Value)>) -> Vec<(String, Value)> {
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[tokio::test]
async fn a_list_shows_what_it_can_and_names_what_it_cannot() {
    let parties = Parties::start().await;
    let [sound, newer, damaged] = three(&parties).await;
    let why = |id: &String| match id {
        id if *id == newer => json!("newer_format"),
        id if *id == damaged => json!("damaged"),
        _ => Value::Null,
    };
    let all = sorted([damaged.clone(), newer.clone(), sound.clone()].map(|id| (id.clone(), why(&id))).into());
    for client in [&parties.partner, &parties.platform] {
        assert_eq!(rows(&client.read("/api/v1/tasks").await), all);
        // Pages continue behind a row that cannot be shown.
        let first = client.read("/api/v1/tasks?limit=2").await;
        let second = client.read(&format!("/api/v1/tasks?limit=2&cursor={}", text(&first["next"]))).await;
        assert_eq!(sorted([rows(&first), rows(&second)].concat()), all);
    }
    let inbox = rows(&parties.partner.read("/api/v1/reviews").await);
    let first = parties.partner.read("/api/v1/reviews?limit=1").await;
    let rest = parties.partner.read(&format!("/api/v1/reviews?cursor={}", text(&first["next"]))).await;
    assert_eq!(sorted([rows(&first), rows(&rest)].concat()), inbox);
    assert_eq!(inbox, all);
    // A buyer's status is stored apart from the state, and what is added to it may not be.
    let statuses = rows(&parties.buyer.read("/api/v1/statuses").await);
    assert_eq!(statuses.len(), 3);
    let unreadable: Vec<_> = statuses.into_iter().filter(|(_, why)| !why.is_null()).collect();
    assert_eq!(unreadable, [(damaged.clone(), json!("damaged"))]);
}

/// The whole feed of a reader from a cursor on, as far as it goes; the cursor, and the status of the answer that
/// ended it.
async fn follow(client: &Client, mut after: String) -> (Vec<Value>, String, u16) {
    let mut items = Vec::new();
    loop {
        let path = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let answer = client.get(&format!("/api/v1/events?limit=2{path}")).await;
        if answer.status != 200 {
            assert_eq!((code(&answer), answer.headers.contains_key("retry-after")), ("unavailable", true));
            return (items, after, answer.status);
        }
        items.extend(answer.body["items"].as_array().unwrap().iter().cloned());
        after = text(&answer.body["next"]);
        if answer.body["more"] == false {
            return (items, after, 200);
        }
    }
}

#[tokio::test]
async fn a_reader_of_the_feed_passes_what_is_damaged_and_never_what_is_newer() {
    let parties = Parties::start().await;
    let first = parties.open("brand-campaign").await;
    parties.partner.done(&first, &update("one")).await;
    let newer = parties.open("brand-campaign").await;
    let last = parties.open("brand-campaign").await;
    settle(&parties).await;
    let (sound, _, _) = follow(&parties.partner, String::new()).await;

    execute(&parties, format!("update task_events set data = '{{}}' where task_id = '{first}' and seq = 3")).await;
    execute(&parties, format!("update tasks set format = 99 where task_id = '{newer}'")).await;
    for client in [&parties.partner, &parties.platform] {
        let (items, cursor, status) = follow(client, String::new()).await;
        assert_eq!((items.len(), status), (3, 503), "it ends before the first event of the newer task: {items:?}");
        let damaged = json!({ "kind": "unreadable_event", "type": "event.unreadable", "task_id": first, "seq": 3, "unreadable": "damaged" });
        assert_eq!(items[2], damaged);
        // A replica that can read it goes on from the very same place, and nothing is lost or told twice.
        execute(&parties, format!("update tasks set format = 1 where task_id = '{newer}'")).await;
        let (rest, _, status) = follow(client, cursor).await;
        execute(&parties, format!("update tasks set format = 99 where task_id = '{newer}'")).await;
        let places = |items: &[Value]| -> Vec<Value> {
            items.iter().map(|item| json!([item["task_id"], item["seq"]])).collect()
        };
        assert_eq!(status, 200);
        assert_eq!(places(&[items, rest.clone()].concat()), places(&sound));
        assert!(rest.iter().any(|item| item["task_id"] == *last));
    }
}

#[tokio::test]
async fn a_list_of_erasures_names_the_damaged_one() {
    let parties = Parties::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let body = json!({ "party": "platform", "actor_id": "u-anna", "reason": "asked for" });
        let asked = parties.platform.call("POST", "/api/v1/erasures", &body).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        ids.push(text(&asked.body["id"]));
    }
    execute(&parties, format!("update erasures set credential_id = '' where id = '{}'", ids[1])).await;
    let page = parties.platform.read("/api/v1/erasures").await;
    assert_eq!(page["unreadable"], json!([{ "id": ids[1], "unreadable": "damaged" }]), "{page}");
    assert_eq!([&page["items"][0]["reason"], &page["items"][1]["reason"]], [&json!("asked for"); 2]);
    // A page ends and begins with it as with any other.
    let first = parties.platform.read("/api/v1/erasures?limit=2").await;
    let rest = parties.platform.read(&format!("/api/v1/erasures?cursor={}", text(&first["next"]))).await;
    assert_eq!((&first["unreadable"], &rest["items"][0]["id"]), (&page["unreadable"], &json!(ids[2])));
}

#[tokio::test]
async fn lists_of_webhooks_and_deliveries_name_the_damaged_one() {
    let parties = Parties::start().await;
    let receiver = Receiver::accepting().await;
    for id in ["a", "b", "c"] {
        let path = format!("/api/v1/webhooks/{id}");
        assert_eq!(parties.partner.call("PUT", &path, &json!({ "url": receiver.url() })).await.status, 201);
    }
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &update("On it")).await;
    let path = "/api/v1/webhooks/a/deliveries";
    let sound = parties.partner.read(path).await["items"].clone();
    execute(&parties, "update webhook_deliveries set attempts = '7' where endpoint_id = 'a' and seq = 2".to_owned())
        .await;
    let place = json!({ "id": sound[1]["id"], "task_id": task, "seq": 2, "unreadable": "damaged" });
    let page = parties.partner.read(path).await;
    assert_eq!((&page["items"], &page["unreadable"]), (&json!([sound[0], sound[2]]), &json!([place])));
    let first = parties.partner.read(&format!("{path}?limit=2")).await;
    let rest = parties.partner.read(&format!("{path}?cursor={}", text(&first["next"]))).await;
    assert_eq!(rest["items"], json!([sound[2]]));

    let sound = parties.partner.read("/api/v1/webhooks").await["items"].clone();
    execute(&parties, "update webhook_endpoints set secret = 'damaged' where id = 'b'".to_owned()).await;
    let page = parties.partner.read("/api/v1/webhooks").await;
    let place = json!({ "id": "b", "unreadable": "damaged" });
    assert_eq!((&page["items"], &page["unreadable"]), (&json!([sound[0], sound[2]]), &json!([place])));
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_put_off_and_keeps_no_other_waiting() {
    let parties = Parties::start().await;
    let (receiver, other) = (Receiver::accepting().await, Receiver::accepting().await);
    for (id, receiver) in [("a", &receiver), ("b", &other)] {
        let path = format!("/api/v1/webhooks/{id}");
        assert_eq!(parties.partner.call("PUT", &path, &json!({ "url": receiver.url() })).await.status, 201);
    }
    let secret = async |value: &str| {
        let set = format!("update webhook_endpoints set secret = '{value}' where id = 'a'");
        execute(&parties, set).await;
    };
    let mut owner = parties.service.db.owner().await;
    let kept: String =
        sqlx::query_scalar("select secret from webhook_endpoints where id = 'a'").fetch_one(&mut owner).await.unwrap();
    secret("damaged").await;
    parties.open("brand-campaign").await;
    let worker = Deliveries::new(Arc::clone(&parties.service.app));
    assert_eq!(worker.run_due().await.unwrap(), 2, "those of the other endpoint");
    let tried = "select count(*) from webhook_deliveries where endpoint_id = 'a' and state = 'pending'
         and attempts -> 0 ->> 'error' = 'not_made'";
    assert_eq!(sqlx::query_scalar::<_, i64>(tried).fetch_one(&mut owner).await.unwrap(), 1, "the head waits its turn");
    // What was written of earlier attempts is only shown: that it is damaged keeps nothing from being sent.
    secret(&kept).await;
    execute(&parties, "update webhook_deliveries set attempts = '7' where endpoint_id = 'a'".to_owned()).await;
    parties.pass(1);
    assert_eq!(worker.run_due().await.unwrap(), 2);
    assert_eq!((receiver.places().len(), other.places().len()), (2, 2));
}
