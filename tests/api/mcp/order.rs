//! Commands that are sent twice have one effect.

use serde_json::{Value, json};

use crate::harness::commands::with;
use crate::harness::parties::{Parties, new_id};

use super::world::Agent;

#[tokio::test]
async fn a_call_that_is_repeated_with_its_id_is_one_effect() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let task = parties.open("brand-campaign").await;
    let work = json!({ "task_id": task, "id": new_id(), "summary": "A draft." });
    let first = agent.done("submit_work", work.clone()).await;
    let entries = parties.trail(&task).await.len();
    for _ in 0..3 {
        let again = agent.done("submit_work", work.clone()).await;
        assert_eq!((&again["event"], &again["task"]["revision"]), (&first["event"], &json!(1)));
    }
    assert_eq!(parties.trail(&task).await.len(), entries);
    // The same id through the other door is the same command.
    let body = json!({ "type": "work_submitted", "id": work["id"], "summary": "A draft." });
    assert_eq!(agent.0.send(&task, &body).await.status, 200, "replayed");
    agent.refused("submit_work", with(work, &json!({ "summary": "Another." })), "event_id_reused").await;
    // Without an id, a repeated call is another command.
    for revision in [2, 3] {
        let done = agent.done("submit_work", json!({ "task_id": task, "summary": "A draft." })).await;
        assert_eq!(done["task"]["revision"], revision);
        assert!(done["event"]["id"].is_string(), "it got an id");
    }
}

#[tokio::test]
async fn calls_at_the_same_time_with_one_id_are_one_effect() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let task = parties.open("brand-campaign").await;
    let work = json!({ "task_id": task, "id": new_id(), "summary": "A draft." });
    let calls = (0..8).map(|_| agent.call("submit_work", work.clone()));
    let answers: Vec<Result<Value, Value>> = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap()["event"] == answers[0].as_ref().unwrap()["event"]));
    assert_eq!(parties.task(&task).await["revision"], 1);
}
