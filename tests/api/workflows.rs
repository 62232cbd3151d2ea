//! Registering, versions, retiring, simulating.

mod calendar;
pub mod simulations;

use serde_json::{Value, json};

use crate::harness::commands::with;
use crate::harness::parties::{DEMO, Parties, code, new_id, redacted};
use crate::workflows::simulations::with_statuses;

const PATH: &str = "/api/v1/workflows/campaign";

#[tokio::test]
async fn the_same_definition_is_the_same_version_and_a_changed_one_the_next() {
    let parties = Parties::start().await;
    let put = async |definition: &Value| {
        let answer = parties.partner.call("PUT", PATH, definition).await;
        (answer.status, answer.body["version"].as_u64())
    };
    assert_eq!(put(&DEMO).await, (201, Some(1)));
    assert_eq!(put(&DEMO).await, (200, Some(1)));
    let stored = parties.partner.read(PATH).await;
    assert_eq!(put(&stored["definition"]).await, (200, Some(1)), "its defaults filled in change nothing");
    let renamed = with(DEMO.clone(), &json!({ "name": "Renamed" }));
    assert_eq!(put(&renamed).await, (201, Some(2)));
    assert_eq!(put(&DEMO).await, (201, Some(3)), "an earlier one is the next one again");
    let first = parties.partner.read(&format!("{PATH}/versions/1")).await;
    assert_eq!((&first["version"], &first["latest_version"]), (&json!(1), &json!(3)));
    assert_eq!(parties.partner.get(&format!("{PATH}/versions/4")).await.status, 404);
    assert_eq!(parties.partner.get(&format!("{PATH}/versions/4294967295")).await.status, 404);
}

#[tokio::test]
async fn registration_answers_with_the_whole_of_it() {
    let parties = Parties::start().await;
    let answer = parties.partner.call("PUT", PATH, &DEMO).await;
    assert_eq!(answer.headers["location"], "/api/v1/workflows/campaign/versions/1");
    insta::assert_json_snapshot!("registered", redacted(&answer.body));
    let drawing = parties.partner.get(&format!("{PATH}/diagram")).await;
    assert_eq!(drawing.text, answer.body["diagram"].as_str().unwrap());
    let svg = parties.partner.get(&format!("{PATH}/diagram.svg")).await;
    assert!(svg.text.starts_with("<svg"), "{}", svg.text);
}

#[tokio::test]
async fn a_registration_can_insist_on_what_is_there() {
    let parties = Parties::start().await;
    let put = async |(name, value): (&str, &str), definition: &Value| {
        let answer = parties.partner.call_with(("PUT", PATH), (name, value), definition).await;
        let tag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (answer.status, tag.or_else(|| answer.body["etag"].as_str().map(str::to_owned)))
    };
    let renamed = with(DEMO.clone(), &json!({ "name": "Renamed" }));
    let tag = |version: u32| Some(format!("\"{version}\""));
    assert_eq!(put(("if-match", "*"), &DEMO).await, (412, None), "there is none yet");
    assert_eq!(put(("if-none-match", "*"), &DEMO).await, (201, tag(1)));
    assert_eq!(put(("if-none-match", "*"), &renamed).await, (412, tag(1)), "only create");
    assert_eq!(put(("if-match", "\"2\""), &renamed).await, (412, tag(1)));
    assert_eq!(put(("if-match", "W/\"1\""), &renamed).await, (412, tag(1)), "the comparison is strong");
    assert_eq!(put(("if-match", "1"), &renamed).await.0, 400);
    assert_eq!(put(("if-none-match", "1"), &renamed).await.0, 400);
    assert_eq!(parties.partner.get(PATH).await.headers["etag"], "\"1\"");
    assert_eq!(put(("if-match", "\"1\""), &renamed).await, (201, tag(2)));
    assert_eq!(put(("if-match", "\"1\""), &DEMO).await, (412, tag(2)), "somebody was faster");
    assert_eq!(put(("if-none-match", "\"1\""), &DEMO).await, (201, tag(3)));
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let parties = Parties::start().await;
    let dry = format!("{PATH}?dry_run=true");
    let answer = parties.partner.call("PUT", &dry, &DEMO).await;
    assert_eq!((answer.status, &answer.body["version"]), (200, &json!(1)));
    assert_eq!(parties.partner.get(PATH).await.status, 404);
    parties.register("campaign", &DEMO).await;
    let changed = with(DEMO.clone(), &json!({ "name": "Renamed" }));
    assert_eq!(parties.partner.call("PUT", &dry, &changed).await.body["version"], 2);
    assert_eq!(parties.partner.call("PUT", &dry, &DEMO).await.body["version"], 1);
    assert_eq!(parties.partner.read(PATH).await["latest_version"], 1);
}

#[tokio::test]
async fn every_mistake_is_named_at_once() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "submission": "sometimes" },
        { "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 3 }, "reviewers": ["u-1", "u-2"] },
        { "key": "b", "name": "B", "buyer_label": "In B", "reviewer": "buyer", "escalation": { "to": ["buyer"] },
          "deadline": { "within": "PT1H", "remind_before": ["PT2H"], "on_timeout": { "action": "approve" } } },
    ], "nope": 1 });
    let answer = parties.partner.call("PUT", PATH, &definition).await;
    assert_eq!((answer.status, code(&answer)), (422, "invalid_body"));
    insta::assert_json_snapshot!("mistakes", answer.body["errors"]);
    assert_eq!(parties.partner.get(PATH).await.status, 404);
    for body in [json!([]), json!("x"), json!({}), json!({ "name": "x", "stages": [] }), json!(7)] {
        let answer = parties.partner.call("PUT", PATH, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_retired_workflow_takes_no_tasks_until_it_is_registered_again() {
    let parties = Parties::start().await;
    parties.register("campaign", &DEMO).await;
    let running = parties.open("campaign").await;
    for _ in 0..2 {
        assert_eq!(parties.partner.call("DELETE", PATH, &Value::Null).await.status, 204, "again too");
    }
    assert_eq!(parties.partner.read(PATH).await["retired_at"], "2027-01-15T08:00:00Z");
    let refused = parties.platform.call("POST", "/api/v1/tasks", &parties.opening(&new_id(), "campaign")).await;
    assert_eq!((refused.status, code(&refused)), (422, "workflow_unavailable"));
    parties.partner.done(&running, &crate::harness::commands::submit("agent")).await;
    let back = parties.partner.call("PUT", PATH, &DEMO).await;
    assert_eq!((back.status, &back.body["version"]), (200, &json!(1)));
    assert_eq!(parties.partner.read(PATH).await["retired_at"], Value::Null);
    parties.open("campaign").await;
    let missing = parties.partner.call("DELETE", "/api/v1/workflows/nothing", &Value::Null).await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_task_keeps_its_version_for_life() {
    let parties = Parties::start().await;
    parties.register("campaign", &DEMO).await;
    let id = parties.open("campaign").await;
    parties.register("campaign", &with(DEMO.clone(), &json!({ "name": "Renamed" }))).await;
    assert_eq!(parties.task(&id).await["workflow"], json!({ "key": "campaign", "version": 1 }));
    let second = parties.open("campaign").await;
    assert_eq!(parties.task(&second).await["workflow"]["version"], 2);
    let mut named = parties.opening(&new_id(), "campaign");
    for (version, status) in [(1, 201), (3, 422), (4_294_967_295_u32, 422)] {
        named["id"] = json!(new_id());
        named["workflow"]["version"] = json!(version);
        let answer = parties.platform.call("POST", "/api/v1/tasks", &named).await;
        assert_eq!(answer.status, status, "{version}: {}", answer.text);
    }
}

#[tokio::test]
async fn workflows_are_listed_in_pages() {
    let parties = Parties::start().await;
    for key in ["a", "c", "b"] {
        parties.register(key, &DEMO).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/workflows?limit=3".to_owned());
    loop {
        let page = parties.partner.read(&path).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/workflows?limit=3&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "brand-campaign", "c"]);
    assert_eq!(parties.another_partner().await.read("/api/v1/workflows").await["items"], json!([]));
}

#[tokio::test]
async fn thirty_days_are_simulated_with_every_timer_at_its_time() {
    let parties = Parties::start().await;
    let day = |day: u32| format!("2027-01-{day:02}T09:00:00Z");
    let plan = json!({ "opened_at": "2027-01-01T08:00:00Z", "until": "2027-01-31T08:00:00Z", "commands": [
        { "at": day(1), "party": "partner", "type": "work_submitted", "actor": { "id": "agent" }, "summary": "Draft." },
        { "at": day(2), "party": "partner", "type": "stage_approved", "stage": "copy", "round": 1, "revision": 1, "actor": { "id": "u-copy" } },
        { "at": day(2), "party": "buyer", "type": "stage_approved", "stage": "legal", "round": 1, "revision": 1 },
    ] });
    let before = rows(&parties).await;
    let answer = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &plan).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let steps: Vec<Value> = with_statuses(answer.body["steps"].as_array().unwrap())
        .iter()
        .map(|step| json!([step["at"], step["trigger"], step["status"]["label"], step["refusal"]["code"]]))
        .collect();
    insta::assert_json_snapshot!("thirty_days", steps);
    assert_eq!(rows(&parties).await, before, "nothing was stored");
    let last = json!({ "opened_at": "9997-12-31T23:59:59Z", "until": "9997-12-31T23:59:59Z" });
    let answer = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &last).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let version = json!({ "version": 4_294_967_295_u32 });
    let answer = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &version).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_plan_that_cannot_be_played_is_refused_with_the_place_of_its_mistake() {
    let parties = Parties::start().await;
    let update = |at: &str| json!({ "at": at, "party": "partner", "type": "status_updated", "message": "x" });
    let table = [
        (json!({ "commands": [{ "party": "partner", "type": "resumed" }] }), "/commands/0/at"),
        (json!({ "commands": [{ "at": "2028-01-01T00:00:00Z", "type": "resumed" }] }), "/commands/0/party"),
        (json!({ "commands": [update("2028-01-02T00:00:00Z"), update("2028-01-01T00:00:00Z")] }), "/commands/1/at"),
        (json!({ "commands": [update("2020-01-01T00:00:00Z")] }), "/commands/0/at"),
        (json!({ "definition": { "name": "x", "stages": [] } }), "/definition/stages"),
        (json!({ "definition": *DEMO, "version": 1 }), "/version"),
        (json!({ "nope": 1 }), "/nope"),
        (json!({ "opened_at": "9999-12-31T23:59:59Z" }), "/opened_at"),
        (json!({ "until": "9998-01-01T00:00:00Z" }), "/until"),
        (json!({ "commands": [update("9999-01-01T00:00:00Z")] }), "/commands/0/at"),
        (json!({ "commands": vec![update("2028-01-01T00:00:00Z"); 501] }), "/commands"),
    ];
    for (plan, pointer) in table {
        let answer = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &plan).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{}", answer.text);
    }
}

async fn rows(parties: &Parties) -> i64 {
    let count = "select (select count(*) from tasks) + (select count(*) from task_events) + (select count(*) from workflow_versions)";
    sqlx::query_scalar(count).fetch_one(&parties.service.db.pool).await.unwrap()
}
