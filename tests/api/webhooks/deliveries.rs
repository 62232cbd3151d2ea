//! Deliveries as their owners read them, and send them again.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::commands::update;
use crate::harness::parties::{code, new_id, text};
use crate::harness::receiver::{Receiver, Reply};

use super::world::{World, path, seconds};

#[tokio::test]
async fn deliveries_are_listed_the_newest_first_by_state_and_task() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(world.open().await);
        world.pass(seconds(1));
    }
    receiver.script([Reply::With(500, "", "x".repeat(5_000))]);
    world.send().await;
    let read = async |query: &str| partner.read(&format!("{}/deliveries?{query}", path("a"))).await;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = read(&format!("limit=2{cursor}")).await;
        all.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let places: Vec<(String, u64)> =
        all.iter().map(|row| (text(&row["task_id"]), row["seq"].as_u64().unwrap())).collect();
    let expected: Vec<(String, u64)> =
        tasks.iter().rev().flat_map(|task| [(task.clone(), 2), (task.clone(), 1)]).collect();
    assert_eq!(places, expected);
    for (query, count) in [
        ("state=pending".to_owned(), 2),
        ("state=delivered".to_owned(), 4),
        ("state=failed".to_owned(), 0),
        (format!("task_id={}", tasks[0]), 2),
        (format!("task_id={}&state=delivered", tasks[0]), 0),
        (format!("task_id={}", new_id()), 0),
    ] {
        assert_eq!(read(&query).await["items"].as_array().unwrap().len(), count, "{query}");
    }
    let failing = &all[5];
    assert_eq!((&failing["state"], &failing["attempts"][0]["status"]), (&json!("pending"), &json!(500)));
    assert_eq!(failing["answer"], json!("x".repeat(2_048)));
    assert_eq!((&all[0]["due_at"], &all[0]["type"]), (&Value::Null, &json!("task.stage_entered")));
    let wrong = partner.get(&format!("{}/deliveries?state=lost", path("a"))).await;
    assert_eq!((wrong.status, code(&wrong)), (400, "invalid_parameter"));
}

#[tokio::test]
async fn one_is_sent_again_and_later_ones_wait_for_it() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let id = world.open().await;
    world.send().await;
    let delivery = text(&world.deliveries(partner, "a").await[0]["id"]);
    let redeliver = format!("{}/deliveries/{delivery}/redeliver", path("a"));
    let answer = partner.call("POST", &redeliver, &Value::Null).await;
    assert_eq!((answer.status, &answer.body["state"], &answer.body["id"]), (202, &json!("pending"), &json!(delivery)));
    partner.done(&id, &update("later")).await;
    receiver.script([Reply::Status(500)]);
    assert_eq!(world.send().await, 0);
    // In its wait for the next attempt it can be asked for, too.
    assert_eq!(partner.call("POST", &redeliver, &Value::Null).await.status, 202);
    assert_eq!(world.send().await, 2);
    assert_eq!(receiver.seqs(&id), [1, 2, 1, 1, 3]);
    let ids: Vec<String> = receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((&ids[2], &ids[3]), (&ids[0], &ids[0]));
    for unknown in [new_id(), delivery.replace(|c: char| c.is_ascii_digit(), "0")] {
        let path = format!("{}/deliveries/{unknown}/redeliver", path("a"));
        assert_eq!(partner.call("POST", &path, &Value::Null).await.status, 404);
    }
    // An event's id opens nobody else's delivery of it.
    world.set(&world.parties.platform, "a", &receiver).await;
    assert_eq!(world.parties.platform.call("POST", &redeliver, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn all_since_a_time_are_sent_again_in_order() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let early = world.open().await;
    world.pass(TimeDelta::hours(1));
    let since = world.parties.service.clock.now().to_string();
    let late = world.open().await;
    world.send().await;
    world.execute(format!("update webhook_deliveries set state = 'failed' where task_id = '{late}' and seq = 2")).await;
    let redeliver = async |body: Value| {
        let answer = partner.call("POST", &(path("a") + "/redeliver"), &body).await;
        assert_eq!((answer.status, &answer.body["next"]), (202, &Value::Null), "{}", answer.text);
        (answer.body["count"].as_u64().unwrap(), world.send().await)
    };
    assert_eq!(redeliver(json!({ "since": since })).await, (1, 1), "those that failed");
    assert_eq!(redeliver(json!({ "since": since })).await, (0, 0));
    assert_eq!(redeliver(json!({ "since": since, "state": "delivered" })).await, (2, 2));
    assert_eq!(redeliver(json!({ "since": "2027-01-15T00:00:00Z", "state": "all" })).await, (4, 4));
    assert_eq!((receiver.seqs(&early), receiver.seqs(&late)), (vec![1, 2, 1, 2], vec![1, 2, 2, 1, 2, 1, 2]));
    let wrong = partner.call("POST", &(path("a") + "/redeliver"), &json!({ "since": since, "state": "pending" })).await;
    assert_eq!((wrong.status, &wrong.body["errors"][0]["pointer"]), (422, &json!("/state")));
}

#[tokio::test]
async fn more_than_one_call_takes_are_sent_again_in_several() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    let id = world.open().await;
    world.execute("alter table webhook_deliveries drop constraint webhook_deliveries_event_fkey").await;
    world
        .execute(
            "insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, state)
             select task_id, 100 + n, owner_id, endpoint_id, gen_random_uuid(), recorded_at + n * interval '1 ms', 'failed'
             from webhook_deliveries, generate_series(1, 10500) n where seq = 1",
        )
        .await;
    let (mut since, mut counts) = (json!("2027-01-15T00:00:00Z"), Vec::new());
    while !since.is_null() {
        let answer = partner.call("POST", &(path("a") + "/redeliver"), &json!({ "since": since })).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        counts.push(answer.body["count"].as_u64().unwrap());
        since = answer.body["next"].clone();
    }
    assert_eq!(counts, [10_000, 500]);
    let pending = format!("select count(*) from webhook_deliveries where state = 'pending' and task_id = '{id}'");
    assert_eq!(world.count(&pending).await, 10_502);
}
