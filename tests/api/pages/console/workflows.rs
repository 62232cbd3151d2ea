//! Workflows: checking, registering and playing them through.

use serde_json::{Value, json};
use stagegate::domain::values::party::Party;

use crate::harness::parties::{DEMO, Parties};

#[tokio::test]
async fn check_finds_what_the_api_finds() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, false).await;
    let mut faulty = DEMO.clone();
    faulty["stages"][0]["key"] = json!("Copy");
    faulty["stages"][1]["quorum"]["approvals"] = json!(9);
    faulty["stages"][2]["colour"] = json!("blue");
    let of_api = parties.partner.call("PUT", "/api/v1/workflows/other?dry_run=true", &faulty).await;
    assert_eq!(of_api.status, 422);
    let text = serde_json::to_string_pretty(&faulty).unwrap();
    let empty = visitor.read("/workflows/check").await;
    let page = visitor.submit(&empty, "/workflows/check", &[("definition", &text)]).await;
    assert_eq!(page.status, 422);
    assert!(page.one("h1").starts_with("Error: "));
    let listed = page.all(".summary li");
    let errors = of_api.body["errors"].as_array().unwrap();
    assert_eq!(listed.len(), errors.len(), "{listed:#?}\n{errors:#?}");
    for (error, shown) in errors.iter().zip(&listed) {
        for member in ["pointer", "code", "message"] {
            assert!(shown.contains(error[member].as_str().unwrap()), "{shown}: {error}");
        }
        assert!(shown.starts_with("Line "), "{shown}");
    }
    let line = text.lines().position(|line| line.contains("colour")).unwrap() + 1;
    assert!(page.html.contains(&format!("href=\"#line-{line}\"")), "{}", page.html);
    assert!(page.html.contains(&format!("id=\"line-{line}\"")));
    assert_eq!(page.one("textarea"), text.split_whitespace().collect::<Vec<_>>().join(" "));

    let of_api = parties.partner.call("PUT", "/api/v1/workflows/other?dry_run=true", &DEMO).await;
    let page = visitor.submit(&empty, "/workflows/check", &[("definition", &DEMO.to_string())]).await;
    assert_eq!((page.status, &*page.one("h1")), (200, "No mistakes"));
    for warning in of_api.body["warnings"].as_array().unwrap() {
        assert!(page.text().contains(warning["message"].as_str().unwrap()), "{warning}");
    }
    assert_eq!(page.all("figure svg > title")[0], "Workflow Brand campaign");
    assert!(page.text().contains("A task takes 14 days at most."));
    for broken in ["", "{", "[]", "{\"a\":1,\"a\":2}", "null", "{\n\n\"name\": }"] {
        let page = visitor.submit(&empty, "/workflows/check", &[("definition", broken)]).await;
        assert_eq!(page.status, 422, "{broken}");
    }
    assert_eq!(parties.partner.get("/api/v1/workflows/other").await.status, 404, "nothing is stored");
}

#[tokio::test]
async fn who_may_registers_what_was_checked() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, true).await;
    let form = visitor.read("/workflows/check?from=brand-campaign").await;
    let mut changed = DEMO.clone();
    changed["stages"][1]["name"] = json!("Lawyers");
    let checked = visitor.submit(&form, "/workflows/check", &[("definition", &changed.to_string())]).await;
    assert_eq!(checked.status, 200);
    let refused = visitor.submit(&checked, "/workflows/register", &[("key", "No Key")]).await;
    assert_eq!(refused.status, 422);
    let registered = visitor.submit(&checked, "/workflows/register", &[("key", "brand-campaign")]).await;
    let page = visitor.follow(registered).await;
    assert_eq!((page.status, page.one("h1").starts_with("Registered: ")), (200, true), "{}", page.text());
    assert_eq!(page.all("section[aria-labelledby=versions] li li"), ["Stage \u{2068}Lawyers\u{2069}: name"]);
    assert_eq!(parties.partner.read("/api/v1/workflows/brand-campaign").await["version"], 2);
    let again = visitor.submit(&checked, "/workflows/register", &[("key", "brand-campaign")]).await;
    assert_eq!(again.status, 303);
    assert_eq!(parties.partner.read("/api/v1/workflows/brand-campaign").await["version"], 2);
    let trail = parties.platform.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let entry = trail["items"].as_array().unwrap().last().unwrap();
    assert!(entry["credential_id"].as_str().unwrap().starts_with("link:"), "{entry}");
}

#[tokio::test]
async fn a_play_is_the_simulation_of_the_api() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, false).await;
    let plays = [
        "opened_at=2027-01-15T08:00:00Z",
        "do-0=send_back_once&after-0=5&do-1=approve&after-1=60&do-2=nothing",
        "do-1=nothing&do-e=approve&after-e=3",
        "do-1=send_back&after-1=1&do-e=send_back",
        "do-1=nothing&do-e=nothing",
        "after-w=2000",
    ];
    for play in plays {
        let page = visitor.read(&format!("/workflows/brand-campaign/play?{play}")).await;
        let body: Value = serde_json::from_str(&page.one("#body")).unwrap();
        let simulated = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &body).await;
        assert_eq!(simulated.status, 200, "{play}: {}", simulated.text);
        let steps = simulated.body["steps"].as_array().unwrap();
        let shown = page.all("ol.timeline > li");
        assert_eq!(shown.len(), steps.len(), "{play}: {shown:#?}");
        for (step, shown) in steps.iter().zip(&shown) {
            assert_eq!(step["refusal"], Value::Null, "{play}: {step}");
            for event in step["events"].as_array().unwrap() {
                assert!(shown.contains(event["type"].as_str().unwrap()), "{play}: {shown}: {event}");
            }
            match step["status"]["label"].as_str() {
                Some(label) => assert!(shown.contains(label), "{play}: {shown}: {label}"),
                None => assert!(!shown.contains("The buyer reads"), "{play}: {shown}"),
            }
        }
    }
}

#[tokio::test]
async fn a_play_goes_through_to_delivery_and_shows_whose_turn_it_is() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, false).await;
    let page = visitor.read("/workflows/brand-campaign/play").await;
    let steps = page.all("ol.timeline > li");
    assert!(steps.last().unwrap().contains("It is over."), "{steps:#?}");
    for turn in ["The partner is working on it.", "It is the reviewers' turn.", "It is your turn."] {
        assert!(steps.iter().any(|step| step.contains(turn)), "{turn}: {steps:#?}");
    }
    let silent =
        visitor.read("/workflows/brand-campaign/play?do-0=nothing&do-1=nothing&do-2=nothing&do-e=nothing").await;
    assert!(silent.all("ol.timeline > li").last().unwrap().contains("task.workflow_expired"), "{}", silent.text());
    let chosen = silent.all("#do-0 option[selected]");
    assert_eq!(chosen, ["says nothing"]);
}
