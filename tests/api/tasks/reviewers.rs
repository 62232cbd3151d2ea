//! People who come and go in a running task, over HTTP: who may change them, what each party and each list shows,
//! claims, and what is refused.

mod inbox;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stagegate::domain::audit::ProofView;

use crate::audit::transparency_log::settle;
use crate::harness::commands::{approve, at, submit, with};
use crate::harness::parties::{Client, Parties, code, events, new_id, text};

/// A change in the stage `stage` that u-lead asks for.
pub fn change(stage: &str, add: &[&str], remove: &[&str]) -> Value {
    json!({ "type": "reviewers_changed", "stage": stage, "actor": { "id": "u-lead" }, "add": add, "remove": remove,
        "reason": "Bo is on leave." })
}

fn with_panels() -> Value {
    json!({ "name": "Release", "stages": [
        { "key": "release", "name": "Release review", "buyer_label": "In release review", "panels": [
            { "key": "legal", "name": "Legal", "reviewers": ["u-anna", "u-bo"], "approvals": "all" },
            { "key": "brand", "name": "Brand", "reviewers": ["u-chi"] } ] },
        { "key": "fixed", "name": "Fixed", "buyer_label": "In the fixed stage", "reviewers": ["u-dan"],
          "reviewers_fixed": true },
        { "key": "anyone", "name": "Anyone", "buyer_label": "In the open stage" } ] })
}

async fn key(parties: &Parties, scope: &str) -> Client {
    let made = parties.partner.call("POST", "/api/v1/keys", &json!({ "scopes": [scope] })).await;
    Client { credential: text(&made.body["key"]), ..parties.partner.clone() }
}

#[tokio::test]
async fn who_reviews_is_for_keys_that_define_and_for_the_partner_alone() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let command = change("legal", &["u-dan"], &["u-bo"]);
    for scope in ["work", "review", "read"] {
        key(&parties, scope).await.refused(&task, &command, (403, "key_scope")).await;
    }
    for other in [&parties.platform, &parties.platform_with_another_key()] {
        other.refused(&task, &command, (403, "wrong_party")).await;
    }
    let mut nobody = command.clone();
    nobody.as_object_mut().unwrap().remove("actor");
    parties.buyer.refused(&task, &nobody, (403, "wrong_party")).await;
    parties.another_partner().await.refused(&task, &command, (404, "not_found")).await;
    let define = key(&parties, "define").await;
    let done = define.done(&task, &command).await;
    assert_eq!(done["event"]["type"], "task.reviewers_changed");
    define.refused(&task, &approve(at("legal", 1, 1), "u-dan"), (403, "key_scope")).await;
    let many = json!({ "items": [{ "task_id": task, "command": with(change("legal", &["u-bo"], &[]), &json!({ "id": new_id() })) }] });
    let answer = define.call("POST", "/api/v1/events", &many).await;
    assert_eq!(answer.body["items"][0]["status"], 201, "{}", answer.text);
}

#[tokio::test]
async fn who_came_votes_and_who_left_does_not() {
    let parties = Parties::start().await;
    let hook = json!({ "url": "https://127.0.0.1:9/hooks", "types": ["task.reviewers_changed"] });
    let set = parties.partner.call("PUT", "/api/v1/webhooks/hook", &hook).await;
    assert_eq!(set.status, 201, "{}", set.text);
    let task = parties.open_in_legal().await;
    let here = at("legal", 1, 1);
    parties.partner.done(&task, &approve(here, "u-bo")).await;
    let stages = async || parties.partner.read(&format!("/api/v1/tasks/{task}")).await["stages"].clone();
    assert!(stages().await.as_array().unwrap().iter().all(|stage| stage.get("reviewers").is_none()));
    let before = parties.status(&task).await;
    let done = parties.partner.done(&task, &change("legal", &["u-dan"], &["u-bo"])).await;
    let event = &done["event"];
    let vote = parties.trail(&task).await.iter().find(|row| row["actor"]["id"] == "u-bo").unwrap()["seq"].clone();
    assert_eq!(
        event["data"],
        json!({ "of": "legal", "added": ["u-dan"], "removed": ["u-bo"], "reason": "Bo is on leave.", "votes": [vote] })
    );
    assert_eq!(stages().await[1]["reviewers"], json!([{ "named": ["u-anna", "u-chi", "u-dan"] }]));
    assert_eq!(done["task"]["review"]["votes"], json!([]), "the vote of who left has fallen");
    assert_eq!(done["task"]["review"]["eligible"], json!(["u-anna", "u-chi", "u-dan"]));
    assert_eq!(parties.task(&task).await["stages"], stages().await, "the platform sees the same");
    let after = parties.status(&task).await;
    assert_eq!(after["stages"], before["stages"], "no names in what a buyer reads");
    assert!(!after.to_string().contains("u-dan") && !after.to_string().contains("on leave"), "{after}");

    let can = async |actor: &str| {
        let why = parties.partner.read(&format!("/api/v1/tasks/{task}/why?actor={actor}")).await;
        let you = why["you"].as_array().unwrap().clone();
        let of = |kind: &str| you.iter().find(|entry| entry["command"] == kind).unwrap()["allowed"].clone();
        (of("stage_approved"), of("reviewers_changed"))
    };
    assert_eq!(can("u-dan").await, (json!(true), json!(true)));
    assert_eq!(can("u-bo").await, (json!(false), json!(true)));
    parties.partner.refused(&task, &approve(here, "u-bo"), (403, "not_a_reviewer")).await;
    parties.partner.done(&task, &approve(here, "u-dan")).await;
    parties.partner.done(&task, &approve(here, "u-anna")).await;
    assert_eq!(parties.task(&task).await["stage"]["key"], "signoff");
    check_trails(&parties, &task).await;
    settle(&parties).await;
    let feed = parties.partner.read("/api/v1/events?limit=100").await;
    let row = feed["items"].as_array().unwrap().iter().find(|row| row["type"] == "task.reviewers_changed").unwrap();
    assert_eq!(row["event"]["data"]["added"], json!(["u-dan"]), "{row}");
    let listed = parties.partner.read("/api/v1/webhooks/hook/deliveries").await;
    let types: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| text(&item["type"])).collect();
    assert_eq!(types, ["task.reviewers_changed"]);
}

/// Partner and platform read who came and went and why; the buyer that it happened, and all three that it is so.
async fn check_trails(parties: &Parties, task: &str) {
    for client in [&parties.partner, &parties.buyer, &parties.platform] {
        let trail = client.read(&format!("/api/v1/tasks/{task}/audit")).await;
        let rows = trail["items"].as_array().unwrap();
        let row = rows.iter().find(|row| row["type"] == "task.reviewers_changed").unwrap();
        let is_buyer = client.credential == parties.buyer.credential;
        let names = ["u-dan", "u-lead", "on leave"].map(|word| row.to_string().contains(word));
        assert_eq!(names, [!is_buyer; 3], "{row}");
        assert!(!is_buyer || !trail.to_string().contains("u-dan"), "{trail}");
        assert_eq!(row["data"]["of"], "legal");
        let proof = client.read(&format!("/api/v1/tasks/{task}/audit/proof")).await;
        serde_json::from_value::<ProofView>(proof).unwrap().verify().unwrap();
    }
}

#[tokio::test]
async fn a_change_is_replayed_tried_out_and_made_once() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let command = with(change("legal", &["u-dan"], &["u-bo"]), &json!({ "id": new_id() }));
    let (before, dry) = (parties.task(&task).await, format!("{}?dry_run=true", events(&task)));
    let tried = parties.partner.call("POST", &dry, &command).await;
    assert_eq!((tried.status, &tried.body["event"]["hash"]), (200, &Value::Null), "{}", tried.text);
    assert_eq!(tried.body["task"]["stages"][1]["reviewers"][0]["named"], json!(["u-anna", "u-chi", "u-dan"]));
    assert_eq!(parties.task(&task).await, before, "nothing is written");
    let done = parties.partner.done(&task, &command).await;
    let again = parties.partner.send(&task, &command).await;
    assert_eq!((again.status, &again.body), (200, &done));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    // Another change later does not alter what the repetition of the first one answers.
    parties.partner.done(&task, &change("legal", &["u-eve"], &["u-dan"])).await;
    assert_eq!(parties.partner.send(&task, &command).await.body, done);
    let other = with(command, &json!({ "add": ["u-eve"] }));
    parties.partner.refused(&task, &other, (422, "event_id_reused")).await;
}

#[tokio::test]
async fn mistakes_are_named_at_their_place() {
    let parties = Parties::start().await;
    parties.register("release", &with_panels()).await;
    let task = parties.open("release").await;
    parties.partner.done(&task, &submit("u-anna")).await;
    let of = |panel: &str, add: &[&str], remove: &[&str]| {
        let command = change("release", add, remove);
        if panel.is_empty() { command } else { with(command, &json!({ "panel": panel })) }
    };
    let without = |name: &str| {
        let mut command = of("legal", &["u-eve"], &[]);
        command.as_object_mut().unwrap().remove(name);
        command
    };
    let many: Vec<String> = (0..101).map(|n| format!("u-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (command, pointer, mistake) in [
        (without("stage"), "/stage", "required"),
        (without("actor"), "/actor", "required"),
        (without("reason"), "/reason", "required"),
        (without("panel"), "/panel", "required"),
        (of("legal", &[], &[]), "/add", "required"),
        (of("other", &["u-eve"], &[]), "/panel", "unknown_panel"),
        (of("legal", &["u-bo"], &[]), "/add/0", "duplicate"),
        (of("legal", &["u-eve", "u-eve"], &[]), "/add/1", "duplicate"),
        (of("legal", &["u-eve"], &["u-eve"]), "/remove/0", "duplicate"),
        (of("legal", &["u-eve", "u-chi"], &[]), "/add/1", "two_panels"),
        (of("legal", &[], &["u-chi"]), "/remove/0", "unknown_reviewer"),
        // Anna did the work, so nobody would be left who may approve.
        (of("legal", &[], &["u-bo"]), "/remove", "quorum_unreachable"),
        (of("brand", &[], &["u-chi"]), "/remove", "quorum_unreachable"),
        (of("legal", &many, &[]), "/add", "too_many"),
        (of("legal", &many[..98], &[]), "/add", "too_many"),
        (with(of("", &["u-eve"], &[]), &json!({ "stage": "nowhere" })), "/stage", "unknown_stage"),
    ] {
        let answer = parties.partner.send(&task, &command).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, text(&error["pointer"]).as_str(), text(&error["code"]).as_str()),
            (422, pointer, mistake),
            "{command}: {}",
            answer.text
        );
    }
    for stage in ["fixed", "anyone"] {
        let refused = parties.partner.refused(&task, &change(stage, &["u-eve"], &[]), (403, "reviewers_fixed")).await;
        assert!(text(&refused["detail"]).contains("stage"), "{refused}");
    }
    parties.partner.done(&task, &of("legal", &many[..97], &[])).await;
}

#[tokio::test]
async fn a_definition_fixes_its_reviewers_only_where_it_names_some() {
    let parties = Parties::start().await;
    let put = async |body: &Value| parties.partner.call("PUT", "/api/v1/workflows/release", body).await;
    let made = put(&with_panels()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let stages = &made.body["definition"]["stages"];
    assert_eq!((&stages[1]["reviewers_fixed"], stages[0].get("reviewers_fixed")), (&json!(true), None));
    assert_eq!(put(&made.body["definition"]).await.status, 200, "as it was answered");
    for (stage, value, mistake) in [(2, json!(true), "not_applicable"), (1, json!("yes"), "wrong_type")] {
        let mut wrong = with_panels();
        wrong["stages"][stage]["reviewers_fixed"] = value;
        let refused = put(&wrong).await;
        let error = &refused.body["errors"][0];
        assert_eq!(
            (refused.status, text(&error["pointer"])),
            (422, format!("/stages/{stage}/reviewers_fixed")),
            "{}",
            refused.text
        );
        assert_eq!(error["code"], mistake, "{}", refused.text);
    }
}

#[tokio::test]
async fn who_left_lets_the_votes_that_are_left_decide() {
    let parties = Parties::start().await;
    parties.register("release", &with_panels()).await;
    let task = parties.open("release").await;
    let here = at("release", 1, 0);
    parties.partner.done(&task, &approve(here, "u-anna")).await;
    parties.partner.done(&task, &approve(here, "u-chi")).await;
    let leave = with(change("release", &[], &["u-bo"]), &json!({ "panel": "legal" }));
    let done = parties.partner.done(&task, &leave).await;
    let kinds: Vec<_> = done["events"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["task.reviewers_changed", "task.stage_approved", "task.stage_entered"]);
    assert_eq!(done["event"]["data"]["panel"], json!({ "key": "legal", "state": "approved" }));
    let approved = &done["events"][1];
    assert_eq!(
        (&approved["party"], &approved["actor"]),
        (&json!("partner"), &Value::Null),
        "nobody's alone: {approved}"
    );
    let shown = parties.status(&task).await;
    assert_eq!(shown["stages"][0]["state"], "approved");
    parties.partner.refused(&task, &leave, (409, "stage_mismatch")).await;
}

#[tokio::test]
async fn who_came_can_claim_and_a_panel_has_its_own_places() {
    let parties = Parties::start().await;
    let panel = |n: u32| json!({ "key": format!("p-{n}"), "name": format!("Panel {n}"), "reviewers": [format!("u-{n}")], "approvals": "all" });
    let panels: Vec<Value> = (1..=20).map(panel).collect();
    let definition =
        json!({ "name": "W", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A", "panels": panels }] });
    parties.register("wide", &definition).await;
    let task = parties.open("wide").await;
    let path = format!("/api/v1/tasks/{task}/claim");
    let claim = async |actor: &str| parties.partner.call("PUT", &path, &json!({ "actor": { "id": actor } })).await;
    assert_eq!(claim("u-20").await.status, 200);
    let early = claim("u-eve").await;
    assert_eq!((early.status, code(&early)), (409, "nothing_to_decide"));
    // The last panel gets as many people as a stage can name; each may claim.
    let many: Vec<String> = (0..80).map(|n| format!("u-more-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    parties.partner.done(&task, &with(change("a", &many, &[]), &json!({ "panel": "p-20" }))).await;
    let answers = join_all(many.iter().map(|actor| claim(actor))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().find(|it| it.status != 200));
    let highest: i32 =
        sqlx::query_scalar("select max(seat) from claims").fetch_one(&parties.service.db.pool).await.unwrap();
    assert_eq!(highest, 1_981, "81 of the last panel's hundred places are taken");
    assert_eq!(claim("u-1").await.status, 200, "another panel has room");
    // Who leaves has nothing to claim any more.
    let leave = with(change("a", &[], &["u-20", "u-more-0"]), &json!({ "panel": "p-20" }));
    parties.partner.done(&task, &leave).await;
    let late = claim("u-more-0").await;
    assert_eq!((late.status, code(&late)), (409, "nothing_to_decide"));
}

#[tokio::test]
async fn of_changes_at_once_each_is_made_on_what_the_others_left() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let names: Vec<String> = (0..8).map(|n| format!("u-new-{n}")).collect();
    let (partner, task) = (&parties.partner, &task);
    let come = names.iter().map(|name| async move { partner.send(task, &change("legal", &[name], &[])).await.status });
    assert_eq!(join_all(come).await, [201; 8]);
    let shown = parties.task(task).await["stages"][1]["reviewers"][0]["named"].clone();
    let mut all: Vec<String> = shown.as_array().unwrap().iter().map(text).collect();
    all.sort();
    let mut expected = [["u-anna", "u-bo", "u-chi"].map(str::to_owned).to_vec(), names].concat();
    expected.sort();
    assert_eq!(all, expected);
    // Two approvals are needed, so of eleven nine can go, whoever asks first.
    let go = expected.iter().map(|name| async move { partner.send(task, &change("legal", &[], &[name])).await });
    let answers = join_all(go).await;
    let went = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(went, 9, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.body["errors"][0]["code"], "quorum_unreachable", "{}", refused.text);
    }
}

#[tokio::test]
async fn a_simulation_changes_reviewers_too() {
    let parties = Parties::start().await;
    parties.register("release", &with_panels()).await;
    let send = |hour: u32, command: Value| {
        with(command, &json!({ "at": format!("2027-03-01T{hour}:00:00Z"), "party": "partner" }))
    };
    let commands = json!([
        send(10, approve(at("release", 1, 0), "u-anna")),
        send(11, with(change("release", &[], &["u-bo"]), &json!({ "panel": "legal" }))),
        send(12, approve(at("release", 1, 0), "u-chi")),
        send(13, change("fixed", &["u-eve"], &[])),
    ]);
    let body = json!({ "opened_at": "2027-03-01T09:00:00Z", "until": "2027-03-02T09:00:00Z", "commands": commands });
    let played = parties.partner.call("POST", "/api/v1/workflows/release/simulate", &body).await;
    assert_eq!(played.status, 200, "{}", played.text);
    let steps = played.body["steps"].as_array().unwrap();
    let of =
        |step: usize| steps[step]["events"].as_array().unwrap().iter().map(|it| text(&it["type"])).collect::<Vec<_>>();
    assert_eq!(of(2), ["task.reviewers_changed"]);
    assert_eq!(of(3)[1], "task.stage_approved", "Bo is not waited for");
    assert_eq!(steps[4]["refusal"]["code"], "reviewers_fixed", "{}", steps[4]);
}

/// A claim takes a place. Who has left gives it up, and who has changed panels does.
#[tokio::test]
async fn the_claims_of_those_who_left_take_no_place() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "W", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A", "panels": [
        { "key": "x", "name": "X", "reviewers": ["u-anna", "u-bo"] }, { "key": "y", "name": "Y", "reviewers": ["u-chi", "u-dan"] } ] }] });
    parties.register("two", &definition).await;
    let task = parties.open("two").await;
    let path = format!("/api/v1/tasks/{task}/claim");
    let claim = async |actor: &str| parties.partner.call("PUT", &path, &json!({ "actor": { "id": actor } })).await;
    let claimed = async || {
        let found = parties.partner.read(&path).await;
        let mut people: Vec<_> = found["items"].as_array().unwrap().iter().map(|it| text(&it["actor"]["id"])).collect();
        people.sort();
        people
    };
    let staff = async |panel: &str, add: &[&str], remove: &[&str]| {
        parties.partner.done(&task, &with(change("a", add, remove), &json!({ "panel": panel }))).await;
    };
    for actor in ["u-anna", "u-chi"] {
        assert_eq!(claim(actor).await.status, 200);
    }
    staff("x", &[], &["u-anna"]).await;
    assert_eq!(claimed().await, ["u-chi"], "nobody reads that she decides it");
    let row = parties.partner.read("/api/v1/reviews?unclaimed=true&actor=u-bo").await;
    assert_eq!(row["items"].as_array().map(Vec::len), Some(1), "there is room: {row}");
    assert_eq!(claim("u-bo").await.status, 200, "the place is free");
    // Anna comes to the other panel; her earlier place is not hers there.
    staff("y", &["u-anna"], &["u-chi"]).await;
    assert_eq!(claimed().await, ["u-bo"]);
    assert_eq!(claim("u-anna").await.status, 200);
    assert_eq!(claimed().await, ["u-anna", "u-bo"]);
    // And Bo follows with a claim of his own in the first: it is void there, and his next is in the second.
    staff("x", &["u-eve"], &["u-bo"]).await;
    staff("y", &["u-bo"], &[]).await;
    assert_eq!(claimed().await, ["u-anna"]);
    assert_eq!(claim("u-eve").await.status, 200);
    let full = claim("u-bo").await;
    assert_eq!((full.status, code(&full)), (409, "claimed"), "Anna has the place of the second: {}", full.text);
}
