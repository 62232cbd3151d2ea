//! Erasing a person whom others let into a task, or out of it: the person did nothing there, and the trail has the
//! id all the same.

use serde_json::{Value, json};

use super::{ask, assert_gone, dump, erasure, verify, worker};
use crate::harness::commands::{cancel, with};
use crate::harness::parties::{Parties, new_id};
use crate::tasks::reviewers::change;

fn request(parties: &Parties, actor: &str) -> Value {
    json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": actor, "reason": "Request 118" })
}

async fn named(parties: &Parties, task: &str) -> (Value, Value) {
    let row = parties.trail(task).await.into_iter().find(|row| row["type"] == "task.reviewers_changed").unwrap();
    (row["data"]["added"].clone(), row["data"]["removed"].clone())
}

#[tokio::test]
async fn the_lists_that_name_a_person_stay_while_the_task_is_open_and_go_when_it_has_closed() {
    let parties = Parties::start().await;
    let (open, closed) = (parties.open_in_legal().await, parties.open_in_legal().await);
    for task in [&open, &closed] {
        parties.partner.done(task, &change("legal", &["secret-gone", "u-eve"], &["u-chi"])).await;
    }
    parties.platform.done(&closed, &with(cancel(), &json!({ "immediate": true }))).await;
    let before = [verify(&parties, &open, None).await, verify(&parties, &closed, None).await];
    let id = ask(&parties, &request(&parties, "secret-gone")).await;
    worker(&parties, 1).run_due().await.unwrap();
    let waiting = erasure(&parties, &id).await;
    assert_eq!(
        (&waiting["state"], &waiting["progress"]["tasks_waiting"]),
        (&json!("waiting"), &json!(1)),
        "a task where the person only was let in is found: {waiting}"
    );
    assert_eq!(named(&parties, &closed).await, (Value::Null, json!(["u-chi"])), "the list goes as a whole");
    assert_eq!(named(&parties, &open).await.0, json!(["secret-gone", "u-eve"]), "the rules need it");
    // The person may review until the task ends.
    let eligible = parties.task(&open).await["review"]["eligible"].clone();
    assert_eq!(eligible, json!(["u-anna", "u-bo", "secret-gone", "u-eve"]));
    parties.platform.done(&open, &with(cancel(), &json!({ "immediate": true }))).await;
    worker(&parties, 1).run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "done");
    assert_eq!(named(&parties, &open).await, (Value::Null, json!(["u-chi"])));
    verify(&parties, &open, Some(before[0])).await;
    verify(&parties, &closed, Some(before[1])).await;

    let id = ask(&parties, &request(&parties, "u-chi")).await;
    worker(&parties, 500).run_due().await.unwrap();
    assert_eq!(erasure(&parties, &id).await["state"], "done", "who was let out");
    assert_eq!(named(&parties, &closed).await, (Value::Null, Value::Null));
    verify(&parties, &closed, Some(before[1])).await;
    // The definition still names Chi.
    let left = dump(&parties).await;
    let left: Vec<&str> = left.lines().filter(|line| !line.starts_with("workflow")).collect();
    for word in ["secret-gone", "u-chi"] {
        assert_gone(&left.join("\n"), word);
    }
}

#[tokio::test]
async fn a_person_of_another_party_or_partner_with_the_same_id_keeps_theirs() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    parties.partner.done(&task, &change("legal", &["u-same"], &[])).await;
    parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    let platforms = json!({ "party": "platform", "actor_id": "u-same", "reason": "Request 119" });
    let id = ask(&parties, &platforms).await;
    worker(&parties, 500).run_due().await.unwrap();
    let done = erasure(&parties, &id).await;
    assert_eq!((&done["state"], &done["progress"]["tasks_erased"]), (&json!("done"), &json!(0)), "{done}");
    assert_eq!(named(&parties, &task).await.0, json!(["u-same"]));
}
