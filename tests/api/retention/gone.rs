//! What is said of a task that was put away, at every door, and to whom.

use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::world::World;
use crate::harness::commands::{approve, at, cancel, update};
use crate::harness::contract;
use crate::harness::parties::{Client, code, new_id};
use crate::mcp::world::Agent;

async fn put_away(world: &World) -> String {
    let task = world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    task
}

/// The paths of all operations on a task that read.
fn reads(task: &str) -> Vec<String> {
    let found = contract::operations().iter().filter(|of| of.method == "GET" && of.path.contains("/tasks/{id}"));
    let paths = found.map(|of| of.path.replace("{id}", task).replace("{seq}", "1").replace("{revision}", "1"));
    paths.map(|path| if path.ends_with("/why") { format!("{path}?actor=u-anna") } else { path }).collect()
}

async fn assert_archived(reader: &Client, path: &str, with_file: bool) {
    let answer = reader.get(path).await;
    if answer.status == 403 {
        return;
    }
    assert_eq!((answer.status, code(&answer)), (410, "task_archived"), "{path}: {}", answer.text);
    assert_eq!(answer.body["archived"]["task_id"].as_str(), path.split('/').nth(4), "{path}");
    assert_eq!(answer.body["archived"]["file"].is_string(), with_file, "{}", answer.text);
    assert_eq!(answer.body["archived"]["sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn every_reading_says_where_it_is_to_those_who_could_read_it_before() {
    let world = World::start().await;
    let parties = &world.parties;
    let task = put_away(&world).await;
    let paths = reads(&task);
    assert!(paths.len() >= 8, "{paths:?}");
    for path in &paths {
        assert_archived(&parties.platform, path, true).await;
        assert_archived(&parties.partner, path, true).await;
        assert_archived(&parties.buyer, &path.replace("?actor=u-anna", ""), false).await;
    }
    let said = parties.partner.get(&format!("/api/v1/tasks/{task}")).await.body["archived"].clone();
    assert_eq!((&said["file"], &said["sha256"]), (&json!(world.name(&task).await), &json!(world.sha256(&task).await)));
    // Strangers get what they get for any id.
    let (partner, buyer) = (parties.another_partner().await, parties.another_buyer());
    for path in &paths {
        for stranger in [&partner, &buyer] {
            let path =
                if stranger.credential == buyer.credential { path.replace("?actor=u-anna", "") } else { path.clone() };
            let (here, nowhere) = (stranger.get(&path).await, stranger.get(&path.replace(&task, &new_id())).await);
            assert_eq!((here.status, &here.body["detail"]), (nowhere.status, &nowhere.body["detail"]), "{path}");
            assert!([403, 404].contains(&here.status), "{path}: {}", here.text);
        }
    }
}

#[tokio::test]
async fn no_command_reaches_it_and_its_id_is_used_for_ever() {
    let world = World::start().await;
    let parties = &world.parties;
    let task = put_away(&world).await;
    for (sender, command) in [
        (&parties.partner, update("hello")),
        (&parties.partner, approve(at("legal", 1, 1), "u-chi")),
        (&parties.buyer, cancel()),
        (&parties.platform, cancel()),
    ] {
        sender.refused(&task, &command, (410, "task_archived")).await;
        let dry = sender.call("POST", &format!("/api/v1/tasks/{task}/events?dry_run=true"), &command).await;
        assert_eq!((dry.status, code(&dry)), (410, "task_archived"), "{}", dry.text);
    }
    parties.another_partner().await.refused(&task, &update("hello"), (404, "not_found")).await;
    for title in ["Autumn campaign", "Another one"] {
        let mut opening = parties.opening(&task, "brand-campaign");
        opening["title"] = json!(title);
        let again = parties.platform.call("POST", "/api/v1/tasks", &opening).await;
        assert_eq!((again.status, code(&again)), (409, "task_exists"), "{}", again.text);
        assert_eq!(again.body["archived"]["file"], json!(world.name(&task).await));
    }
    assert_eq!(world.rows("tasks", &task).await + world.rows("task_events", &task).await, 0);
}

#[tokio::test]
async fn lists_do_not_have_it() {
    let world = World::start().await;
    let parties = &world.parties;
    let (task, open) = (put_away(&world).await, parties.open("brand-campaign").await);
    for (reader, path) in [
        (&parties.platform, "/api/v1/tasks"),
        (&parties.partner, "/api/v1/tasks"),
        (&parties.buyer, "/api/v1/statuses"),
        (&parties.partner, "/api/v1/reviews"),
        (&parties.platform, "/api/v1/reviews"),
    ] {
        let list = reader.get(path).await;
        assert!(list.status == 200 && !list.text.contains(&task), "{path}: {}", list.text);
        let waits = reader.credential != parties.platform.credential || path.ends_with("tasks");
        assert_eq!(list.text.contains(&open), waits, "{path}");
    }
}

#[tokio::test]
async fn what_is_in_memory_of_it_is_gone_as_well_in_every_replica() {
    let world = World::start().await;
    let parties = &world.parties;
    let other = world.replica_app();
    let elsewhere = parties.buyer.at(&crate::harness::service::Service::router_of(&other).await);
    let task = world.deliver().await;
    world.log().await;
    world.pass(31);
    let path = format!("/api/v1/tasks/{task}/status");
    elsewhere.read(&path).await;
    let look = other.statuses.refresh.step(None).await;
    elsewhere.read(&path).await;
    parties.buyer.read(&path).await;
    assert_eq!(world.run().await, 1);
    assert_eq!(parties.buyer.get(&path).await.status, 410, "here, at once");
    // The other one looks for what changed, and does not keep this status for current.
    crate::audit::transparency_log::settle(parties).await;
    other.statuses.refresh.step(look).await;
    assert_eq!(elsewhere.get(&path).await.status, 410);
}

#[tokio::test]
async fn pages_and_tools_say_so_and_its_links_lead_nowhere() {
    let world = World::start().await;
    let parties = &world.parties;
    let (task, other) = (world.deliver().await, parties.open_in_legal().await);
    let of_task = parties.link(Party::Partner, LinkKind::Task, Some(&task), "u-anna").await;
    let mut at_desk = parties.visitor(Party::Partner, LinkKind::Inbox, Some(&task), "u-anna").await;
    let mut looking = parties.visitor(Party::Buyer, LinkKind::Task, Some(&task), "").await;
    assert_eq!(looking.get(&format!("/tasks/{task}")).await.status, 200);
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    assert_eq!(
        (world.rows("links", &task).await, world.scalar("select count(*) from links").await),
        (0, 1),
        "the inbox"
    );
    assert!([404, 410].contains(&looking.get(&of_task).await.status));
    assert_eq!(looking.get(&format!("/tasks/{task}")).await.status, 401, "its session went with the link");
    let _ = at_desk.get(&format!("/tasks/{task}")).await;
    let mut console = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await;
    let page = console.get(&format!("/tasks/{task}")).await;
    assert_eq!(page.status, 410, "{}", page.text());
    assert!(page.text().contains("This task has been put away"), "{}", page.text());
    assert_eq!(console.get(&format!("/tasks/{other}")).await.status, 200);
    let link = json!({ "to": "task", "task_id": task, "actor": { "id": "u-anna", "name": "Anna" } });
    let refused = parties.partner.call("POST", "/api/v1/links", &link).await;
    assert_eq!((refused.status, code(&refused)), (410, "task_archived"), "{}", refused.text);
    let agent = Agent::worker(parties).await;
    let problem = agent.refused("get_task", json!({ "task_id": task }), "task_archived").await;
    assert_ne!(problem["archived"], Value::Null, "{problem}");
}
