//! Waiting for a change of a task.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::worker::watchers::Watchers;
use tokio::task::JoinHandle;

use crate::harness::commands::{cancel, update, with};
use crate::harness::parties::{Client, Parties, text};
use crate::harness::waiting::until;

use super::world::Agent;

/// Runs what wakes the watchers of this replica.
fn run(app: &Arc<App>) {
    let watchers = Watchers::new(Arc::clone(app));
    tokio::spawn(async move { watchers.run().await });
}

fn start(agent: &Agent, arguments: &Value) -> JoinHandle<Result<Value, Value>> {
    let (agent, arguments) = (agent.clone(), arguments.clone());
    tokio::spawn(async move { agent.call("wait", arguments).await })
}

async fn until_watched(app: &App) {
    until("one waits", async || app.statuses.watchers.count().0 > 0).await;
}

#[tokio::test]
async fn a_wait_returns_on_a_change_and_says_where_to_go_on() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let (task, app) = (parties.open_in_legal().await, &parties.service.app);
    run(app);
    // The version of the task is good enough to begin with, though its status may be older.
    let mut after = agent.done("get_task", json!({ "task_id": task })).await["version"].clone();
    for message in ["one", "two"] {
        let waiting = start(&agent, &json!({ "task_id": task, "after": after }));
        until_watched(app).await;
        parties.partner.done(&task, &update(message)).await;
        let waited = waiting.await.unwrap().unwrap();
        assert_eq!((&waited["changed"], &waited["ended"]), (&json!(true), &json!(false)));
        assert_eq!(waited["next_after"], parties.status(&task).await["version"]);
        after = waited["next_after"].clone();
    }
    let waiting = start(&agent, &json!({ "task_id": task }));
    until_watched(app).await;
    parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    let waited = waiting.await.unwrap().unwrap();
    assert_eq!((&waited["changed"], &waited["ended"]), (&json!(true), &json!(true)));
    assert_eq!(app.statuses.watchers.count().0, 0, "nothing is left of it");
}

#[tokio::test]
async fn a_wait_ends_at_its_limit() {
    let parties = Parties::start().await;
    let (agent, task) = (Agent::worker(&parties).await, parties.open_in_legal().await);
    run(&parties.service.app);
    let after = parties.task(&task).await["version"].clone();
    for seconds in [0, 1] {
        let waited = agent.done("wait", json!({ "task_id": task, "after": after, "seconds": seconds })).await;
        assert_eq!(waited, json!({ "changed": false, "next_after": after, "ended": false }));
    }
    let fresh = agent.done("wait", json!({ "task_id": task, "seconds": 0 })).await;
    assert_eq!(fresh["next_after"], parties.status(&task).await["version"]);
}

#[tokio::test]
async fn a_wait_outlasts_neither_its_key_nor_the_service() {
    let parties = Parties::start().await;
    let (task, app) = (parties.open_in_legal().await, &parties.service.app);
    run(app);
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let made = parties.platform.call("POST", &keys, &json!({ "scopes": ["read"] })).await;
    let agent = Agent(Client { credential: text(&made.body["key"]), ..parties.partner.clone() });
    let waiting = start(&agent, &json!({ "task_id": task }));
    until_watched(app).await;
    parties.platform.call("DELETE", &format!("{keys}/{}", text(&made.body["id"])), &Value::Null).await;
    parties.partner.done(&task, &update("x")).await;
    assert_eq!(waiting.await.unwrap().unwrap_err()["code"], "unauthorized");
    let worker = Agent::worker(&parties).await;
    let waiting = start(&worker, &json!({ "task_id": task }));
    until_watched(app).await;
    app.drain();
    assert_eq!(waiting.await.unwrap().unwrap()["changed"], false);
    let stranger = Agent(parties.another_partner().await);
    stranger.refused("wait", json!({ "task_id": task }), "not_found").await;
}
