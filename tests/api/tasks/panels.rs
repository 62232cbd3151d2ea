//! A stage with panels, over HTTP: registration, votes, what each party and each page shows, claims, links
//! and the feed.

use serde_json::{Value, json};
use stagegate::domain::audit::ProofView;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use crate::audit::transparency_log::settle;
use crate::harness::commands::{approve, at, escalate, reject, resolve, submit};
use crate::harness::parties::{Client, Parties, code, text};

const WORKFLOW: &str = "release";

fn definition() -> Value {
    json!({ "name": "Release", "deadline": { "within": "P14D" }, "stages": [
        { "key": "release", "name": "Release review", "buyer_label": "In release review",
          "escalation": { "to": ["partner", "platform"] }, "panels": [
            { "key": "legal", "name": "Legal", "reviewers": ["u-anna", "u-bo"] },
            { "key": "brand", "name": "Brand & design", "reviewers": ["u-chi", "u-dan", "u-eve"], "approvals": "all" } ] },
        { "key": "signoff", "name": "Sign-off", "buyer_label": "Awaiting your approval", "reviewer": "buyer" } ] })
}

async fn start() -> (Parties, String) {
    let parties = Parties::start().await;
    parties.register(WORKFLOW, &definition()).await;
    let task = parties.open(WORKFLOW).await;
    parties.partner.done(&task, &submit("u-eve")).await;
    (parties, task)
}

fn states(panels: &Value) -> Vec<(String, String)> {
    panels.as_array().unwrap().iter().map(|panel| (text(&panel["key"]), text(&panel["state"]))).collect()
}

fn both(legal: &str, brand: &str) -> Vec<(String, String)> {
    vec![("legal".to_owned(), legal.to_owned()), ("brand".to_owned(), brand.to_owned())]
}

#[tokio::test]
async fn a_definition_with_panels_is_registered_with_its_defaults_and_checked() {
    let parties = Parties::start().await;
    let put = async |body: &Value| parties.partner.call("PUT", "/api/v1/workflows/release", body).await;
    let made = put(&definition()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let stage = &made.body["definition"]["stages"][0];
    assert_eq!((&stage["panels"][0]["approvals"], &stage["panels"][1]["approvals"]), (&json!(1), &json!("all")));
    assert_eq!((stage.get("quorum"), stage.get("reviewers"), &stage["self_approval"]), (None, None, &json!(false)));
    let warnings: Vec<_> =
        made.body["warnings"].as_array().unwrap().iter().map(|it| (&it["pointer"], &it["code"])).collect();
    assert!(warnings.contains(&(&json!("/stages/0/panels/1/approvals"), &json!("all_may_be_fewer"))), "{warnings:?}");
    assert!(text(&made.body["diagram"]).contains("Legal with 1 approval or 1 rejection of 2 named"), "{}", made.text);
    assert_eq!(put(&definition()).await.status, 200, "the same again is no new version");
    let stored = parties.partner.read("/api/v1/workflows/release").await;
    assert_eq!(put(&stored["definition"]).await.status, 200, "also as it was answered");

    let mut wrong = definition();
    wrong["stages"][0]["quorum"] = json!({ "approvals": "all" });
    wrong["stages"][0]["panels"][1]["reviewers"] = json!(["u-chi", "u-bo"]);
    wrong["stages"][0]["panels"][0]["approvals"] = json!(3);
    let refused = put(&wrong).await;
    let found: Vec<_> =
        refused.body["errors"].as_array().unwrap().iter().map(|it| (text(&it["pointer"]), text(&it["code"]))).collect();
    let expected = [
        ("/stages/0/quorum", "not_applicable"),
        ("/stages/0/panels/0", "quorum_unreachable"),
        ("/stages/0/panels/1/reviewers/1", "two_panels"),
    ];
    assert_eq!((refused.status, found), (422, expected.map(|(at, code)| (at.to_owned(), code.to_owned())).to_vec()));
}

#[tokio::test]
async fn every_panel_must_approve_and_the_buyer_reads_which_have() {
    let (parties, task) = start().await;
    let here = at("release", 1, 1);
    let panels = async || states(&parties.status(&task).await["stages"][0]["panels"]);
    assert_eq!(panels().await, both("open", "open"));
    parties.partner.refused(&task, &approve(here, "u-zoe"), (403, "not_a_reviewer")).await;
    parties.partner.refused(&task, &approve(here, "u-eve"), (403, "self_approval")).await;
    let dry = parties
        .partner
        .call("POST", &format!("/api/v1/tasks/{task}/events?dry_run=true"), &approve(here, "u-bo"))
        .await;
    assert_eq!(states(&dry.body["task"]["review"]["panels"]), both("approved", "open"), "{}", dry.text);
    assert_eq!(panels().await, both("open", "open"));
    let voted = parties.partner.done(&task, &approve(here, "u-anna")).await;
    assert_eq!(voted["event"]["data"]["panel"], json!({ "key": "legal", "state": "approved" }));
    assert_eq!(panels().await, both("approved", "open"));
    let status = parties.status(&task).await;
    assert_eq!(status["stages"][0]["panels"][1], json!({ "key": "brand", "name": "Brand & design", "state": "open" }));
    assert!(!status.to_string().contains("u-chi"), "the buyer reads no names: {status}");

    // Eve handed the work in, so she is not waited for.
    parties.partner.done(&task, &approve(here, "u-chi")).await;
    let review = &parties.task(&task).await["review"];
    assert_eq!(review["needed"], json!({ "approvals": 3, "rejections": 1 }));
    assert_eq!(review["panels"][1]["needed"]["approvals"], 2);
    assert_eq!(review["panels"][1]["eligible"], json!(["u-chi", "u-dan"]));
    let seats: Vec<_> = review["votes"].as_array().unwrap().iter().map(|vote| text(&vote["panel"])).collect();
    assert_eq!(seats, ["legal", "brand"]);
    let why = parties.partner.read(&format!("/api/v1/tasks/{task}/why?actor=u-dan")).await;
    assert_eq!(why["needs"]["approvals"], json!({ "have": 2, "want": 3 }));
    assert_eq!(why["needs"]["panels"][1]["approvals"], json!({ "have": 1, "want": 2 }));
    let ended = parties.partner.done(&task, &approve(here, "u-dan")).await;
    assert_eq!(ended["events"][1]["data"]["votes"].as_array().map(Vec::len), Some(3), "{ended}");
    assert_eq!(panels().await, both("approved", "approved"));
    // The feed has what was recorded.
    settle(&parties).await;
    let feed = parties.partner.read("/api/v1/events?limit=100").await;
    let rows = feed["items"].as_array().unwrap().iter().filter(|row| row["type"] == "task.vote_recorded");
    let said: Vec<_> = rows.map(|row| text(&row["event"]["data"]["panel"]["state"])).collect();
    assert_eq!(said, ["approved", "open", "approved"], "{feed}");
    for client in [&parties.partner, &parties.buyer, &parties.platform] {
        let proof = client.read(&format!("/api/v1/tasks/{task}/audit/proof")).await;
        serde_json::from_value::<ProofView>(proof).unwrap().verify().unwrap();
    }
}

#[tokio::test]
async fn one_panel_rejects_alone_and_an_approval_of_an_escalation_is_one_vote() {
    let (parties, task) = start().await;
    let here = at("release", 1, 1);
    parties.partner.done(&task, &approve(here, "u-anna")).await;
    parties.partner.done(&task, &escalate(here, "u-bo", "partner")).await;
    assert_eq!(states(&parties.status(&task).await["stages"][0]["panels"]), both("approved", "open"));
    let seq = parties.task(&task).await["escalation"]["seq"].as_u64().unwrap();
    let refused =
        parties.partner.refused(&task, &resolve(seq, "approve", "u-chi"), (403, "resolution_not_allowed")).await;
    assert!(text(&refused["detail"]).contains("each panel"), "{refused}");
    parties.partner.done(&task, &resolve(seq, "return", "u-chi")).await;
    // Anna changes her mind, although her panel has approved.
    let rejected = parties.partner.done(&task, &reject(here, "u-anna")).await;
    assert_eq!(rejected["events"][1]["type"], "task.stage_rejected");
    assert_eq!(states(&parties.status(&task).await["stages"][0]["panels"]), both("open", "open"));
}

/// The tasks on the desk of a person.
async fn desk(client: &Client, actor: &str, more: &str) -> usize {
    let page = client.read(&format!("/api/v1/reviews?actor={actor}{more}")).await;
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_inbox_asks_the_open_panels_and_each_has_its_own_claims() {
    let (parties, task) = start().await;
    let here = at("release", 1, 1);
    let claim = async |actor: &str, more: &Value| {
        let mut body = json!({ "actor": { "id": actor } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parties.partner.call("PUT", &format!("/api/v1/tasks/{task}/claim"), &body).await
    };
    let none = json!({});
    assert_eq!(claim("u-anna", &none).await.status, 200);
    let second = claim("u-bo", &none).await;
    assert_eq!((second.status, code(&second)), (409, "claimed"), "{}", second.text);
    assert_eq!(second.body["by"]["id"], "u-anna");
    for brand in ["u-chi", "u-dan"] {
        assert_eq!(claim(brand, &none).await.status, 200, "a claim of another panel");
    }
    let third = claim("u-eve", &none).await;
    assert_eq!((third.status, code(&third)), (409, "claimed"), "she may not approve: {}", third.text);
    let claimed = async || {
        let found = parties.partner.read(&format!("/api/v1/tasks/{task}/claim")).await;
        let mut people: Vec<_> = found["items"].as_array().unwrap().iter().map(|it| text(&it["actor"]["id"])).collect();
        people.sort();
        people
    };
    assert_eq!(claim("u-bo", &json!({ "take_over": true })).await.status, 200);
    assert_eq!(claimed().await, ["u-bo", "u-chi", "u-dan"], "of his own panel");
    let unclaimed = "&unclaimed=true";
    assert_eq!(desk(&parties.partner, "u-anna", unclaimed).await, 0);
    parties.partner.call("DELETE", &format!("/api/v1/tasks/{task}/claim?actor=u-dan"), &Value::Null).await;
    assert_eq!(
        (desk(&parties.partner, "u-anna", unclaimed).await, desk(&parties.partner, "u-dan", unclaimed).await),
        (0, 1)
    );

    assert_eq!((desk(&parties.partner, "u-anna", "").await, desk(&parties.partner, "u-bo", "").await), (1, 1));
    assert_eq!(desk(&parties.partner, "u-bo", "&reviewer=u-bo").await, 1, "a panel names him");
    parties.partner.done(&task, &approve(here, "u-bo")).await;
    assert_eq!((desk(&parties.partner, "u-anna", "").await, desk(&parties.partner, "u-bo", "").await), (0, 0));
    assert_eq!((desk(&parties.partner, "u-chi", "").await, desk(&parties.partner, "u-eve", "").await), (1, 0));
    // A link is for what somebody can do, also to change a vote.
    for (actor, status) in [("u-anna", 201), ("u-dan", 201), ("u-zoe", 409)] {
        let link = json!({ "to": "decide", "task_id": task, "actor": { "id": actor } });
        assert_eq!(parties.partner.call("POST", "/api/v1/links", &link).await.status, status, "{actor}");
    }
}

#[tokio::test]
async fn a_simulation_plays_panels() {
    let (parties, _) = start().await;
    let vote = |hour: u32, actor: &str| {
        json!({ "at": format!("2027-03-01T{hour}:00:00Z"), "party": "partner", "type": "stage_approved", "stage": "release",
            "round": 1, "revision": 0, "actor": { "id": actor } })
    };
    let body = json!({ "opened_at": "2027-03-01T09:00:00Z", "until": "2027-03-02T09:00:00Z",
        "commands": [vote(10, "u-anna"), vote(11, "u-chi"), vote(12, "u-dan"), vote(13, "u-eve")] });
    let played = parties.partner.call("POST", "/api/v1/workflows/release/simulate", &body).await;
    assert_eq!(played.status, 200, "{}", played.text);
    let steps = played.body["steps"].as_array().unwrap().iter();
    // A step that changes nothing for the buyer has no status.
    let told = steps.map(|step| &step["status"]).filter(|status| !status.is_null());
    let said: Vec<_> = told.map(|status| states(&status["stages"][0]["panels"])).collect();
    assert_eq!(said, [both("open", "open"), both("approved", "open"), both("approved", "approved")]);
}

#[tokio::test]
async fn pages_show_the_panels_in_words() {
    let (parties, task) = start().await;
    let here = at("release", 1, 1);
    parties.partner.done(&task, &approve(here, "u-anna")).await;
    let mut buyer = parties.visitor(Party::Buyer, LinkKind::Task, Some(&task), "").await;
    let page = buyer.read(&format!("/tasks/{task}")).await;
    page.keeps_the_rules("the buyer's page");
    assert_eq!(page.all(".panels li"), ["✓ Legal : approved", "○ Brand & design : still open"]);

    let mut dan = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-dan").await;
    let page = dan.read(&format!("/tasks/{task}")).await;
    page.keeps_the_rules("the review page");
    let rows = page.all("[data-live=head] tbody tr").join("\n");
    for words in ["Approved, with 1 of 1 approvals.", "Open, with 0 of 2 approvals.", "(approved)", "(may only reject)"]
    {
        assert!(rows.contains(words), "{words}: {rows}");
    }
    assert!(page.text().contains("1 of 2 panels have approved."), "{}", page.text());
    assert!(page.text().contains("decided by 2 panels"), "{}", page.text());
    let inbox = dan.read("/inbox").await;
    assert!(inbox.text().contains("1 of 2 panels have approved."), "{}", inbox.text());
    let german = dan.get(&format!("/tasks/{task}?language=de")).await;
    let german = dan.follow(german).await;
    assert!(german.text().contains("1 von 2 Gremien haben zugestimmt."), "{}", german.text());

    let mut console = parties.visitor(Party::Partner, LinkKind::Console, None, "u-dora").await;
    let page = console.read("/workflows/release").await;
    page.keeps_the_rules("the workflow's page");
    let text = page.text().replace(['\u{2068}', '\u{2069}'], "");
    for words in [
        "in panels. Every panel must approve",
        "Legal: 1 approval or 1 rejection of u-anna, u-bo.",
        "Brand & design: the approval of all",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    parties.partner.done(&task, &approve(here, "u-chi")).await;
    parties.partner.done(&task, &approve(here, "u-dan")).await;
    let page = buyer.read(&format!("/tasks/{task}")).await;
    assert_eq!(page.all(".panels li"), ["✓ Legal : approved", "✓ Brand & design : approved"]);
}
