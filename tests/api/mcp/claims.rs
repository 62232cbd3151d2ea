//! The inbox and claims through the tools: what the routes of the API do, under the same rules.

use serde_json::{Value, json};

use crate::harness::commands::{submit, with};
use crate::harness::parties::{Client, Parties, new_id, text};

use super::world::{Agent, is_marked};

/// Who has claimed the task, as the API says.
async fn claimed(client: &Client, task: &str) -> Vec<String> {
    let claims = client.read(&format!("/api/v1/tasks/{task}/claim")).await;
    claims["items"].as_array().unwrap().iter().map(|claim| text(&claim["actor"]["id"])).collect()
}

/// The tasks of a page of the inbox.
fn tasks(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|row| text(&row["task_id"])).collect()
}

#[tokio::test]
async fn people_claim_and_give_up_tasks_through_their_agents() {
    let parties = Parties::start().await;
    // Two approvals are needed here.
    let task = parties.open_in_legal().await;
    let of_task = json!({ "task_id": task });
    let (bo, chi, anna) = (
        Agent::reviewer(&parties, "u-bo").await,
        Agent::reviewer(&parties, "u-chi").await,
        Agent::reviewer(&parties, "u-anna").await,
    );
    let claim = bo.done("claim_task", with(of_task.clone(), &json!({ "lease": "PT2H" }))).await;
    assert_eq!((&claim["actor"]["id"], &claim["until"]), (&json!("u-bo"), &json!("2027-01-15T10:00:00Z")));
    assert_eq!(chi.done("claim_task", of_task.clone()).await["until"], "2027-01-15T09:00:00Z", "an hour by default");
    assert_eq!(claimed(&parties.partner, &task).await, ["u-chi", "u-bo"]);
    let version = parties.task(&task).await["version"].clone();
    // The third reads who has it, and how to go on.
    let refused = anna.refused("claim_task", of_task.clone(), "claimed").await;
    assert_eq!((&refused["by"]["id"], &refused["until"]), (&json!("u-chi"), &json!("2027-01-15T09:00:00Z")));
    assert_eq!(refused["status"], 409);
    assert!(is_marked(&refused.to_string()), "it has a name: {refused}");
    let taken = anna.done("claim_task", with(of_task.clone(), &json!({ "take_over": true }))).await;
    assert_eq!(taken["actor"]["id"], "u-anna");
    assert_eq!(claimed(&parties.partner, &task).await, ["u-anna", "u-bo"]);
    for _ in 0..2 {
        let left = anna.done("release_claim", of_task.clone()).await;
        assert_eq!(
            left["items"].as_array().unwrap().iter().map(|one| text(&one["actor"]["id"])).collect::<Vec<_>>(),
            ["u-bo"]
        );
    }
    assert_eq!(claimed(&parties.partner, &task).await, ["u-bo"]);
    assert_eq!(parties.task(&task).await["version"], version, "a claim is no event");
    // Who has none votes all the same.
    let at_legal = with(of_task, &json!({ "stage": "legal", "round": 1, "revision": 1 }));
    for agent in [&anna, &chi] {
        agent.done("approve", at_legal.clone()).await;
    }
    assert_eq!(claimed(&parties.partner, &task).await, Vec::<String>::new(), "the stage is decided");
}

#[tokio::test]
async fn the_inbox_of_an_agent_is_that_of_the_api() {
    let parties = Parties::start().await;
    let (free, copy) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    for task in [&free, &copy] {
        parties.partner.done(task, &submit("u-dora")).await;
    }
    let agent = Agent::reviewer(&parties, "u-copy").await;
    agent.done("claim_task", json!({ "task_id": copy })).await;
    for (arguments, query) in [
        (json!({}), "limit=10"),
        (json!({ "unclaimed": true }), "limit=10&unclaimed=true"),
        (json!({ "actor": "u-dora" }), "limit=10&actor=u-dora"),
        (
            json!({ "stage": "copy", "workflow": "brand-campaign", "overdue": false, "reviewer": "u-anna" }),
            "limit=10&stage=copy&workflow=brand-campaign&overdue=false&reviewer=u-anna",
        ),
        (json!({ "limit": 1 }), "limit=1"),
    ] {
        let mut page = agent.done("list_reviews", arguments.clone()).await;
        page.as_object_mut().unwrap().remove("about_this_data").unwrap();
        assert_eq!(page, parties.partner.read(&format!("/api/v1/reviews?{query}")).await, "{arguments}");
    }
    assert_eq!(tasks(&agent.done("list_reviews", json!({ "unclaimed": true })).await), std::slice::from_ref(&free));
    let all = agent.done("list_reviews", json!({})).await;
    let row = all["items"].as_array().unwrap().iter().find(|row| row["task_id"] == copy).unwrap();
    assert_eq!(row["claimed_by"][0]["actor"]["id"], "u-copy");
    let mut walked = Vec::new();
    let mut page = agent.done("list_reviews", json!({ "limit": 1 })).await;
    walked.extend(tasks(&page));
    while let Some(next) = page["next"].as_str() {
        page = agent.done("list_reviews", json!({ "limit": 1, "cursor": next })).await;
        walked.extend(tasks(&page));
    }
    assert_eq!(walked, tasks(&all));
}

#[tokio::test]
async fn claims_are_refused_to_an_agent_as_to_every_other_caller() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let of_task = json!({ "task_id": task });
    let by = |actor: &str| with(of_task.clone(), &json!({ "actor": { "id": actor } }));
    let bound = Agent::reviewer(&parties, "u-bo").await;
    bound.refused("claim_task", by("u-anna"), "key_actor").await;
    bound.refused("release_claim", with(of_task.clone(), &json!({ "actor": "u-anna" })), "key_actor").await;
    let team = Agent::new(&parties, &json!({ "scopes": ["review"] })).await;
    for (tool, arguments, pointer) in [
        ("claim_task", of_task.clone(), "/actor"),
        ("release_claim", of_task.clone(), "/actor"),
        ("claim_task", json!({ "actor": { "id": "u-anna" } }), "/task_id"),
        ("claim_task", with(by("u-anna"), &json!({ "lease": "P2D" })), "/lease"),
        ("claim_task", with(by("u-anna"), &json!({ "lease": "soon" })), "/lease"),
        ("claim_task", with(by("u-anna"), &json!({ "take_over": "yes" })), "/take_over"),
        ("claim_task", with(by("u-anna"), &json!({ "stage": "legal" })), "/stage"),
        ("release_claim", with(of_task.clone(), &json!({ "actor": "u-anna", "lease": "PT1H" })), "/lease"),
    ] {
        let problem = team.refused(tool, arguments.clone(), "invalid_body").await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{tool} {arguments}: {problem}");
    }
    let mallory = team.refused("claim_task", by("u-mallory"), "nothing_to_decide").await;
    assert_eq!(mallory["why"], "not_a_reviewer", "{mallory}");
    let foreign = Agent(parties.another_partner().await);
    for (tool, arguments) in [
        // The task comes before mistakes in the claim, as in the API.
        ("claim_task", with(of_task.clone(), &json!({ "lease": "soon" }))),
        ("claim_task", by("u-anna")),
        ("claim_task", with(by("u-anna"), &json!({ "task_id": new_id() }))),
        ("release_claim", with(of_task.clone(), &json!({ "actor": "u-anna" }))),
    ] {
        foreign.refused(tool, arguments, "not_found").await;
    }
    assert_eq!(claimed(&parties.partner, &task).await, Vec::<String>::new(), "nothing was claimed");
    // A key of several people names one.
    team.done("claim_task", by("u-anna")).await;
    let left = team.done("release_claim", with(of_task, &json!({ "actor": "u-anna" }))).await;
    assert_eq!(left["items"], json!([]));
}
