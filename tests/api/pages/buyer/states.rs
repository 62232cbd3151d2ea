//! Every state of a task, as a page.

use serde_json::json;

use super::{Scene, buyer, fragment, paths, play, selector, start};
use crate::harness::commands::{approve, at};
use crate::harness::visitor::Page;

#[tokio::test]
async fn every_state_has_a_page_that_says_what_the_api_says() {
    let parties = start().await;
    for scene in Scene::ALL {
        let id = play(&parties, scene).await;
        let (path, _) = paths(&id);
        let mut visitor = buyer(&parties, &id).await;
        let page = visitor.read(&path).await;
        let status = parties.status(&id).await;
        page.keeps_the_rules(&format!("{scene:?}"));
        assert_eq!(page.one("h1"), "Autumn campaign", "{scene:?}");
        let label = page.one(".state .big");
        assert!(label.ends_with(status["label"].as_str().unwrap()), "{scene:?}: {label}");
        assert_eq!(page.all("#action").len(), usize::from(!status["action"].is_null()), "{scene:?}");
        assert_eq!(page.all(".note.late").len(), usize::from(status["overdue"] == true), "{scene:?}");
        let steps: Vec<&str> =
            status["stages"].as_array().unwrap().iter().map(|stage| stage["state"].as_str().unwrap()).collect();
        assert_eq!(page.all(".steps > li").len(), steps.len(), "{scene:?}");
        let current = usize::from(steps.contains(&"current"));
        assert_eq!(page.all("[aria-current=step]").len(), current, "{scene:?}");
        if let Some(due) = status["due_at"].as_str() {
            assert!(page.html.contains(&format!("datetime=\"{due}\"")), "{scene:?}");
        }
        assert!(page.all(".estimate").is_empty(), "{scene:?}: nothing is known of such tasks");
        let open = !matches!(
            status["phase"].as_str().unwrap(),
            "delivery" | "cancelled" | "expired" | "failed" | "cancelling"
        );
        assert_eq!(page.all("#stop").len(), usize::from(open), "{scene:?}");
        the_fragment_shows_the_same(&page, &fragment(&parties, &id).await, scene);
        let german = visitor.get(&format!("{path}?language=de")).await;
        let german = visitor.follow(german).await;
        german.keeps_the_rules(&format!("{scene:?}, in German"));
        assert!(!german.one(".steps").is_empty());
        assert!(!german.text().contains("It is"), "{scene:?}: {}", german.text());
        visitor.forget();
    }
}

/// The element shows what the page shows.
fn the_fragment_shows_the_same(page: &Page, fragment: &Page, scene: Scene) {
    assert_eq!(fragment.status, 200, "{scene:?}");
    for region in ["head", "steps", "history"] {
        let region = format!("[data-live={region}]");
        assert_eq!(page.one(&region), fragment.one(&region), "{scene:?}");
    }
    assert_eq!(page.all("#action legend, #action .hint"), fragment.all("#action legend, #action .hint"), "{scene:?}");
}

#[tokio::test]
async fn the_page_says_what_is_asked_what_silence_means_and_what_the_partner_says() {
    let parties = start().await;
    for (scene, expected) in [
        (
            Scene::Updated,
            &["The partner says", "Our editor is on page two.", "40 % done", "The partner expects to be done"][..],
        ),
        (Scene::OnHold, &["AITasker says", "The office is closed.", "The clock of this stage is stopped"]),
        (
            Scene::BuyerDecides,
            &["Please decide", "The partner asks", "May we?", "somebody else decides", "Only give advice"],
        ),
        (
            Scene::BuyerReviews,
            &[
                "Please look at the work",
                "this counts as approved",
                "logo.svg",
                "13 KB",
                "Open at files.example",
                "9f86d081884c",
            ],
        ),
        (
            Scene::BuyerAnswers,
            &["Please answer a question", "Which logo?", "The round one", "goes on without your answer"],
        ),
        (Scene::Cancelling, &["You said", "Called off.", "The task is being stopped"]),
        (Scene::Cancelled, &["You said", "Called off.", "Your payment is handled by AITasker"]),
        (Scene::Delivery, &["AITasker now hands the work over to you"]),
        (Scene::Returned, &["Changes are being made", "now, round 2", "Draft review was sent back to Draft review"]),
    ] {
        let id = play(&parties, scene).await;
        let text = fragment(&parties, &id).await.text().replace(['\u{2068}', '\u{2069}'], "");
        for words in expected {
            assert!(text.contains(words), "{scene:?} does not say {words:?}: {text}");
        }
    }
}

#[tokio::test]
async fn an_estimate_is_shown_once_there_is_one() {
    let parties = crate::harness::parties::Parties::start().await;
    let definition = json!({ "name": "Short", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] });
    parties.register("short", &definition).await;
    let mut tasks = Vec::new();
    for _ in 0..21 {
        tasks.push(parties.open("short").await);
    }
    let waiting = tasks.pop().unwrap();
    parties.pass(3);
    for id in &tasks {
        parties.partner.done(id, &approve(at("a", 1, 0), "u-bo")).await;
    }
    let fresh = parties.open("short").await;
    parties.service.clock.set((parties.service.clock.now().utc() + chrono::TimeDelta::minutes(3)).into());
    let page = fragment(&parties, &fresh).await;
    assert!(
        page.one(".estimate").contains("nine of ten such tasks were ready within 3 hours"),
        "{}",
        page.one(".estimate")
    );
    let late = fragment(&parties, &waiting).await.one(".estimate");
    assert!(late.starts_with("This is taking longer than almost every task like it."), "{late}");
}

#[tokio::test]
async fn unknown_tasks_and_those_of_others_are_not_there() {
    let parties = start().await;
    let (mine, other) = (play(&parties, Scene::InReview).await, play(&parties, Scene::InReview).await);
    let mut visitor = buyer(&parties, &mine).await;
    for path in
        [format!("/tasks/{other}"), format!("/tasks/{}", crate::harness::parties::new_id()), "/tasks/x".to_owned()]
    {
        assert_eq!(visitor.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(visitor.get("/tasks").await.status, 403, "a link to one task lists nothing");
    visitor.forget();
    assert_eq!(visitor.get(&format!("/tasks/{mine}")).await.status, 401);
}

#[tokio::test]
async fn the_list_has_those_first_that_wait_for_the_buyer() {
    let parties = start().await;
    let asking = play(&parties, Scene::BuyerReviews).await;
    let other = play(&parties, Scene::InReview).await;
    let mut visitor = parties
        .visitor(
            stagegate::domain::values::party::Party::Buyer,
            stagegate::domain::link::LinkKind::Inbox,
            Some(&asking),
            "",
        )
        .await;
    let page = visitor.read("/tasks").await;
    let tree = page.tree();
    let links: Vec<_> = tree.select(&selector(".rows a")).map(|link| link.attr("href").unwrap().to_owned()).collect();
    assert_eq!(links, [format!("/tasks/{asking}"), format!("/tasks/{other}")]);
    assert_eq!(page.all("h2"), ["Waiting for you", "All others"]);
    for id in [asking, other] {
        visitor.read(&format!("/tasks/{id}")).await;
    }
}
