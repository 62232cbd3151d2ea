//! Scripted reviewers: they decide at their time, through the ordinary commands, as a stage wants it decided.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::world::{DevWorld, time};
use crate::harness::commands::{approve, at, submit};
use crate::harness::parties::text;
use crate::tasks::reviewers::change;

fn script(stage: &str, decide: &str, after: &str) -> Value {
    json!({ "workflow": "brand-campaign", "stage": stage, "decide": decide, "after": after })
}

fn with(mut script: Value, name: &str, value: Value) -> Value {
    script[name] = value;
    script
}

/// Who an entry is from: the actor's id.
fn actor(entry: &Value) -> String {
    text(&entry["actor"]["id"])
}

#[tokio::test]
async fn a_reviewer_rejects_the_first_revision_and_approves_the_second() {
    let world = DevWorld::start().await;
    let feedback = json!({ "summary": "The headline promises too much.", "share_with_buyer": true });
    let first = with(with(script("copy", "reject", "PT3H"), "revision", json!(1)), "feedback", feedback);
    let second = with(script("copy", "approve", "PT5H"), "revision", json!(2));
    world.set_scripts(json!([first, second])).await;
    let task = world.parties.open("brand-campaign").await;
    world.parties.partner.done(&task, &submit("u-dora")).await;
    let since = time(&world.parties.task(&task).await["since"]);

    let moved = world.advance("PT4H").await;
    let rejected = &world.entries(&task, "task.stage_rejected").await[0];
    assert_eq!(time(&rejected["recorded_at"]) - since, TimeDelta::hours(3));
    let vote = &world.entries(&task, "task.vote_recorded").await[0];
    assert_eq!(actor(vote), "dev-reviewer-1");
    assert_eq!(vote["data"]["feedback"]["summary"], "The headline promises too much.", "{vote}");
    let ran = &moved["ran"][0];
    assert_eq!(
        (&ran["what"], &ran["script"], time(&ran["at"])),
        (&json!("reviewer"), &json!(0), since + TimeDelta::hours(3))
    );
    assert_eq!(world.parties.task(&task).await["phase"], "preparing");

    world.parties.partner.done(&task, &submit("u-dora")).await;
    let since = time(&world.parties.task(&task).await["since"]);
    world.advance("PT6H").await;
    let approved = &world.entries(&task, "task.stage_approved").await[0];
    assert_eq!(time(&approved["recorded_at"]) - since, TimeDelta::hours(5));
    assert_eq!(world.parties.task(&task).await["stage"]["key"], "legal");
    let (_, shown) = world.call("GET", "/dev/scripts", &Value::Null).await;
    assert_eq!([&shown["scripts"][0]["acted"], &shown["scripts"][1]["acted"]], [1, 1]);
}

#[tokio::test]
async fn named_reviewers_vote_in_turn_until_the_quorum_is_reached() {
    let world = DevWorld::start().await;
    world.set_scripts(json!([script("legal", "approve", "PT24H")])).await;
    let task = world.parties.open_in_legal().await;
    world.advance("PT25H").await;
    let votes: Vec<_> = world.entries(&task, "task.vote_recorded").await;
    let of_legal: Vec<String> = votes.iter().filter(|vote| vote["stage"] == "legal").map(actor).collect();
    assert_eq!(of_legal, ["u-anna", "u-bo"], "two of the three that are named");
    assert_eq!(world.parties.task(&task).await["stage"]["key"], "signoff");
}

#[tokio::test]
async fn a_reviewer_who_may_not_decide_is_passed_over() {
    let world = DevWorld::start().await;
    world.set_scripts(json!([script("legal", "approve", "PT1H")])).await;
    let task = world.parties.open("brand-campaign").await;
    // Anna did the work, so two others decide.
    world.parties.partner.done(&task, &submit("u-anna")).await;
    world.parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
    world.advance("PT2H").await;
    let approvals = world.entries(&task, "task.vote_recorded").await;
    let of_legal: Vec<String> = approvals.iter().filter(|vote| vote["stage"] == "legal").map(actor).collect();
    assert_eq!(of_legal, ["u-bo", "u-chi"]);
    assert_eq!(world.parties.task(&task).await["stage"]["key"], "signoff");
}

#[tokio::test]
async fn the_buyer_and_the_platform_have_scripts_too() {
    let world = DevWorld::start().await;
    let definition = json!({ "name": "Two parties", "stages": [
        { "key": "ours", "name": "Ours", "buyer_label": "Checking", "reviewer": "platform" },
        { "key": "yours", "name": "Yours", "buyer_label": "Yours", "reviewer": "buyer" } ] });
    world.parties.register("parties", &definition).await;
    let of = |stage, decide, after| with(script(stage, decide, after), "workflow", json!("parties"));
    world.set_scripts(json!([of("ours", "approve", "PT1H"), of("yours", "approve", "PT2H")])).await;
    let task = world.parties.open("parties").await;
    let since = time(&world.parties.task(&task).await["since"]);
    world.advance("PT4H").await;
    let approved: Vec<_> = world.entries(&task, "task.stage_approved").await;
    let at: Vec<_> = approved.iter().map(|entry| time(&entry["recorded_at"]) - since).collect();
    assert_eq!(at, [TimeDelta::hours(1), TimeDelta::hours(3)]);
    assert_eq!([&approved[0]["party"], &approved[1]["party"]], ["platform", "buyer"]);
    assert_eq!(world.parties.task(&task).await["phase"], "delivery");
}

#[tokio::test]
async fn a_reviewer_escalates_and_each_review_is_decided_once() {
    let world = DevWorld::start().await;
    world.set_scripts(json!([script("legal", "escalate", "PT1H")])).await;
    let task = world.parties.open_in_legal().await;
    world.advance("PT2H").await;
    let escalated = world.entries(&task, "task.stage_escalated").await;
    assert_eq!((escalated.len(), actor(&escalated[0]).as_str()), (1, "u-anna"));
    assert_eq!(world.parties.task(&task).await["phase"], "escalated");

    // Where a task waits for another party, no script acts.
    let unwanted = json!([with(script("copy", "escalate", "PT1H"), "workflow", json!("closed"))]);
    let definition = json!({ "name": "Closed", "stages": [{ "key": "copy", "name": "Copy", "buyer_label": "Checking",
        "assurance": "bound", "reviewers": ["u-anna"], "escalation": { "to": ["platform"] } }] });
    world.parties.register("closed", &definition).await;
    world.set_scripts(unwanted).await;
    let task = world.parties.open("closed").await;
    let question = json!({ "type": "stage_escalated", "stage": "copy", "round": 1, "revision": 0, "actor": { "id": "u-anna" },
        "to": "platform", "reason": "May we?" });
    world.parties.partner.done(&task, &question).await;
    let moved = world.advance("PT2H").await;
    assert!(moved["ran"].as_array().unwrap().iter().all(|ran| ran["what"] != "reviewer"), "{moved}");
}

#[tokio::test]
async fn a_reviewer_who_has_voted_is_passed_over_and_the_next_one_completes_the_quorum() {
    let world = DevWorld::start().await;
    world.set_scripts(json!([script("legal", "approve", "PT1H")])).await;
    let task = world.parties.open_in_legal().await;
    world.parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    let moved = world.advance("PT2H").await;
    let acted: Vec<_> = moved["ran"].as_array().unwrap().iter().filter(|ran| ran["what"] == "reviewer").collect();
    let events = acted[0]["events"].as_array().unwrap();
    assert_eq!((acted.len(), &events[0], &events[1]), (1, &json!("task.vote_recorded"), &json!("task.stage_approved")));
    assert!(acted[0].get("refused").is_none(), "{moved}");
    let votes = world.entries(&task, "task.vote_recorded").await;
    let of_legal: Vec<String> = votes.iter().filter(|vote| vote["stage"] == "legal").map(actor).collect();
    assert_eq!(of_legal, ["u-anna", "u-bo"]);
}

#[tokio::test]
async fn who_came_votes_and_who_left_does_not() {
    let world = DevWorld::start().await;
    world.set_scripts(json!([script("legal", "approve", "PT1H")])).await;
    let task = world.parties.open_in_legal().await;
    world.parties.partner.done(&task, &change("legal", &["u-dan"], &["u-anna", "u-chi"])).await;
    world.advance("PT2H").await;
    let votes = world.entries(&task, "task.vote_recorded").await;
    let of_legal: Vec<String> = votes.iter().filter(|vote| vote["stage"] == "legal").map(actor).collect();
    assert_eq!(of_legal, ["u-bo", "u-dan"]);
    assert_eq!(world.parties.task(&task).await["stage"]["key"], "signoff");
}
