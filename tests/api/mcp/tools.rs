//! Every tool: who gets it, what it announces, and what it does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, submit, with};
use crate::harness::parties::{DEMO, Parties, new_id, text};

use super::world::Agent;

const READ: [&str; 6] = ["get_analytics", "get_task", "list_reviews", "list_tasks", "wait", "why"];
const WORK: [&str; 5] = ["acknowledge_cancellation", "answer", "ask", "post_update", "submit_work"];
const REVIEW: [&str; 4] = ["answer", "ask", "claim_task", "release_claim"];
const DEFINE: [&str; 3] = ["check_workflow", "register_workflow", "simulate_workflow"];

fn all<'a>(lists: &[&[&'a str]]) -> BTreeSet<&'a str> {
    lists.concat().into_iter().collect()
}

#[tokio::test]
async fn a_key_gets_the_tools_that_it_can_use_and_the_others_refuse_it() {
    let parties = Parties::start().await;
    let every = all(&[&READ, &WORK, &REVIEW, &DEFINE, &["approve", "reject"]]);
    // Reviewers may ask and answer as well, as in the contract.
    let table = [
        (json!({ "scopes": ["read"] }), all(&[&READ])),
        (json!({ "scopes": ["work"] }), all(&[&READ, &WORK])),
        (json!({ "scopes": ["define"] }), all(&[&READ, &DEFINE])),
        (json!({ "scopes": ["review"] }), all(&[&READ, &REVIEW])),
        (json!({ "scopes": ["review"], "actors": ["u-bo", "u-chi"] }), all(&[&READ, &REVIEW])),
        (json!({ "scopes": ["review"], "actors": ["u-bo"] }), all(&[&READ, &REVIEW, &["approve", "reject"]])),
        (json!({ "scopes": ["work", "define"], "actors": ["u-bo"] }), all(&[&READ, &WORK, &DEFINE])),
    ];
    for (limits, expected) in table {
        let agent = Agent::new(&parties, &limits).await;
        let tools = agent.tools().await;
        assert_eq!(tools.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{limits}");
        for (name, tool) in &tools {
            let reads =
                READ.contains(&name.as_str()) || ["check_workflow", "simulate_workflow"].contains(&name.as_str());
            assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{name}");
        }
        for tool in every.difference(&expected) {
            agent.refused(tool, json!({}), "key_scope").await;
        }
        for tool in expected {
            let problem = agent.call(tool, json!({ "nonsense": 1 })).await.unwrap_err();
            assert_ne!(problem["code"], "key_scope", "{limits}: {tool}");
        }
    }
}

#[tokio::test]
async fn a_key_of_one_actor_is_asked_for_no_actor() {
    let parties = Parties::start().await;
    let (bound, free) = (Agent::worker(&parties).await, Agent::new(&parties, &json!({ "scopes": ["work"] })).await);
    let (of_bound, of_free) = (bound.tools().await, free.tools().await);
    for tool in WORK.iter().chain(&["why"]) {
        assert!(of_bound[*tool]["inputSchema"]["properties"].get("actor").is_none(), "{tool}");
        assert!(of_free[*tool]["inputSchema"]["properties"].get("actor").is_some(), "{tool}");
    }
    let task = parties.open("brand-campaign").await;
    let work = json!({ "task_id": task, "summary": "A draft." });
    let missing = free.refused("submit_work", work.clone(), "invalid_body").await;
    assert_eq!(missing["errors"][0]["pointer"], "/actor");
    let done = bound.done("submit_work", work).await;
    assert_eq!(done["event"]["actor"]["id"], "agent-7");
}

#[tokio::test]
async fn every_tool_for_work_does_what_it_says() {
    let parties = Parties::start().await;
    let agent = Agent::worker(&parties).await;
    let task = parties.open("brand-campaign").await;
    let listed = agent.done("list_tasks", json!({ "waiting_on": "partner", "limit": 1 })).await;
    assert_eq!((text(&listed["items"][0]["id"]), &listed["next"]), (task.clone(), &json!(null)));
    let of_task = json!({ "task_id": task });
    let read = agent.done("get_task", of_task.clone()).await;
    assert_eq!((&read["phase"], &read["work_list"]), (&json!("preparing"), &json!([])));
    let why = agent.done("why", of_task.clone()).await;
    let submission = why["you"].as_array().unwrap().iter().find(|one| one["command"] == "work_submitted").unwrap();
    assert_eq!(submission["allowed"], true);
    let updated = agent.done("post_update", json!({ "task_id": task, "message": "Half done.", "percent": 50 })).await;
    assert_eq!(updated["task"]["percent"], 50);
    let question =
        json!({ "task_id": task, "stage": "copy", "round": 1, "revision": 0, "to": "partner", "question": "Blue?" });
    agent.refused("ask", question.clone(), "invalid_body").await;
    agent.done("ask", with(question, &json!({ "to": "buyer" }))).await;
    parties
        .buyer
        .done(
            &task,
            &json!({ "type": "question_answered", "question": text_seq(&agent, &task).await, "answer": "Blue." }),
        )
        .await;
    let asked = json!({ "type": "question_asked", "stage": "copy", "round": 1, "revision": 0, "to": "partner", "actor": { "id": "ops-anna" }, "question": "When?" });
    parties.platform.done(&task, &asked).await;
    let seq = text_seq(&agent, &task).await;
    let answered = agent.done("answer", json!({ "task_id": task, "question": seq, "answer": "Tomorrow." })).await;
    assert_eq!(answered["event"]["type"], "task.question_answered");
    let work = json!({ "task_id": task, "id": new_id(), "summary": "A draft.", "artifacts": [{ "name": "copy.md", "sha256": "a".repeat(64) }] });
    let submitted = agent.done("submit_work", work).await;
    assert_eq!((&submitted["task"]["revision"], &submitted["task"]["phase"]), (&json!(1), &json!("in_review")));
    let waited = agent.done("wait", json!({ "task_id": task, "after": 1 })).await;
    assert_eq!((&waited["changed"], &waited["ended"]), (&json!(true), &json!(false)));
    parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
    // The work in flight may be finished here.
    parties.platform.done(&task, &cancel()).await;
    let stopped = agent.done("acknowledge_cancellation", json!({ "task_id": task, "in_flight": "discarded" })).await;
    assert_eq!(stopped["task"]["phase"], "cancelled");
    let ended = agent.done("wait", json!({ "task_id": task })).await;
    assert_eq!((&ended["changed"], &ended["ended"]), (&json!(false), &json!(true)));
}

/// The `seq` of the open question, as the agent reads it.
async fn text_seq(agent: &Agent, task: &str) -> u64 {
    agent.done("get_task", json!({ "task_id": task })).await["question"]["seq"].as_u64().unwrap()
}

#[tokio::test]
async fn feedback_becomes_a_list_of_work() {
    let parties = Parties::start().await;
    let (agent, anna) = (Agent::worker(&parties).await, Agent::reviewer(&parties, "u-anna").await);
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &submit("agent")).await;
    parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
    let feedback = json!({ "summary": "Clause 4 promises too much.", "items": [
        { "severity": "blocking", "anchor": "contract.pdf#page=3", "text": "Remove the last sentence." }, { "text": "A typo." }] });
    let rejection = json!({ "task_id": task, "stage": "legal", "round": 1, "revision": 1, "return_to": "copy", "feedback": feedback });
    let rejected = anna.done("reject", rejection).await;
    assert_eq!(rejected["event"]["actor"]["id"], "u-anna");
    let list = agent.done("get_task", json!({ "task_id": task })).await["work_list"].clone();
    assert_eq!(
        list,
        json!([
            { "stage": "legal", "must_answer": false, "written_by_reviewer": { "text": "Clause 4 promises too much." } },
            { "stage": "legal", "item": "7.1", "must_answer": false, "written_by_reviewer": { "text": "Remove the last sentence.",
                "severity": "blocking", "anchor": "contract.pdf#page=3", "blocking": true } },
            { "stage": "legal", "item": "7.2", "must_answer": false, "written_by_reviewer": { "text": "A typo.", "blocking": true } },
        ])
    );
}

#[tokio::test]
async fn an_agent_answers_the_items_that_a_refusal_names() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Strict", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A",
        "submission": "required", "on_reject": { "answers": "required" } }] });
    parties.register("strict", &definition).await;
    let (agent, anna) = (Agent::worker(&parties).await, Agent::reviewer(&parties, "u-anna").await);
    let task = parties.open("strict").await;
    let work = json!({ "task_id": task, "summary": "A draft." });
    agent.done("submit_work", work.clone()).await;
    let feedback = json!({ "summary": "Not yet.", "items": [{ "text": "The price." }, { "text": "The date." }] });
    anna.done("reject", json!({ "task_id": task, "stage": "a", "round": 1, "revision": 1, "feedback": feedback }))
        .await;
    let list = agent.done("get_task", json!({ "task_id": task })).await["work_list"].clone();
    assert_eq!((&list[1]["item"], &list[1]["must_answer"]), (&json!("4.1"), &json!(true)));
    let problem = agent.refused("submit_work", work.clone(), "unanswered_feedback").await;
    let named: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["item"]).collect();
    assert_eq!(named, ["4.1", "4.2"]);
    let answers =
        json!([{ "item": "4.1", "how": "done" }, { "item": "4.2", "how": "declined", "text": "It is not fixed." }]);
    let done = agent.done("submit_work", with(work, &json!({ "answers": answers }))).await;
    assert_eq!(done["task"]["phase"], "in_review");
    let list = anna.done("get_task", json!({ "task_id": task })).await["work_list"].clone();
    assert_eq!((&list[1]["answer"], &list[2]["answer"]), (&answers[0], &answers[1]));
    let described = &anna.tools().await["reject"]["inputSchema"]["properties"]["feedback"]["properties"]["items"];
    let item = &described["items"]["properties"];
    assert!(item.get("id").is_none() && item.get("reopens").is_some(), "an id is given out: {described}");
}

#[tokio::test]
async fn a_person_approves_through_an_agent() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let at_legal = json!({ "task_id": task, "stage": "legal", "round": 1, "revision": 1 });
    for person in ["u-bo", "u-chi"] {
        let agent = Agent::reviewer(&parties, person).await;
        let stale = agent.refused("approve", with(at_legal.clone(), &json!({ "revision": 0 })), "stale_revision").await;
        assert_eq!(stale["revision"], 1, "it reads how to mend its call");
        agent.refused("approve", with(at_legal.clone(), &json!({ "actor": { "id": "u-anna" } })), "key_actor").await;
        agent.done("approve", at_legal.clone()).await;
    }
    assert_eq!(parties.task(&task).await["stage"]["key"], "signoff");
}

#[tokio::test]
async fn workflows_are_checked_simulated_and_registered() {
    let parties = Parties::start().await;
    let agent = Agent::new(&parties, &json!({ "scopes": ["define"] })).await;
    let new = json!({ "key": "new", "definition": *DEMO });
    let checked = agent.done("check_workflow", new.clone()).await;
    assert_eq!((&checked["version"], &checked["key"]), (&json!(1), &json!("new")));
    assert_eq!(parties.partner.get("/api/v1/workflows/new").await.status, 404, "checking stores nothing");
    let bad = json!({ "key": "new", "definition": with(DEMO.clone(), &json!({ "stages": [] })) });
    for tool in ["check_workflow", "register_workflow"] {
        let problem = agent.refused(tool, bad.clone(), "invalid_body").await;
        assert_eq!(problem["errors"][0]["pointer"], "/definition/stages", "{problem}");
    }
    let commands = json!([{ "at": "2027-01-15T09:00:00Z", "party": "partner", "type": "work_submitted",
        "actor": { "id": "agent-7" }, "summary": "First draft." }]);
    let play = json!({ "key": "new", "definition": *DEMO, "opened_at": "2027-01-15T08:00:00Z", "commands": commands });
    let played = agent.done("simulate_workflow", play).await;
    assert_eq!(played["steps"].as_array().unwrap().len(), 2);
    let wrong =
        json!({ "key": "new", "definition": *DEMO, "commands": [{ "at": "2027-01-15T09:00:00Z", "party": "moon" }] });
    let problem = agent.refused("simulate_workflow", wrong, "invalid_body").await;
    assert_eq!(problem["errors"][0]["pointer"], "/commands/0/party");
    for _ in 0..2 {
        assert_eq!(agent.done("register_workflow", new.clone()).await["version"], 1, "again, it is the same");
    }
    assert_eq!(parties.partner.get("/api/v1/workflows/new").await.status, 200);
}

#[tokio::test]
async fn mistakes_in_arguments_are_refusals_that_name_the_place() {
    let parties = Parties::start().await;
    let agent = Agent::new(&parties, &json!({ "scopes": ["work", "define"] })).await;
    let task = parties.open("brand-campaign").await;
    let table: [(&str, Value, &str); 13] = [
        ("get_task", json!({}), "/task_id"),
        ("get_task", json!({ "task_id": "7" }), "/task_id"),
        ("get_task", json!({ "task_id": task, "x": 1 }), "/x"),
        ("list_tasks", json!({ "limit": 0 }), "/limit"),
        ("list_tasks", json!({ "phase": "nowhere" }), "/phase"),
        ("list_reviews", json!({ "actor": "" }), "/actor"),
        ("list_reviews", json!({ "partner_id": new_id() }), "/partner_id"),
        ("wait", json!({ "task_id": task, "seconds": 51 }), "/seconds"),
        ("wait", json!({ "task_id": task, "after": -1 }), "/after"),
        ("submit_work", json!({ "summary": "x" }), "/task_id"),
        ("submit_work", json!({ "task_id": task, "type": "stage_approved" }), "/type"),
        ("post_update", json!({ "task_id": task, "message": "x", "percent": 101 }), "/percent"),
        ("check_workflow", json!({ "key": "A B", "definition": {} }), "/key"),
    ];
    for (tool, arguments, pointer) in table {
        let problem = agent.refused(tool, arguments.clone(), "invalid_body").await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{tool} {arguments}: {problem}");
    }
    let missing = agent.refused("why", json!({ "task_id": task }), "invalid_parameter").await;
    assert!(text(&missing["detail"]).contains("actor"), "{missing}");
    agent.refused("get_task", json!({ "task_id": new_id() }), "not_found").await;
    let foreign = Agent(parties.another_partner().await);
    foreign.refused("get_task", json!({ "task_id": task }), "not_found").await;
    foreign.refused("post_update", json!({ "task_id": task, "message": "x" }), "not_found").await;
}
