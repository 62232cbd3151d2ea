//! Claims on the desk: who has a task until when, and the button that says so.

use serde_json::json;

use super::{Scene, page_of, reviewer, send};
use crate::harness::commands::{approve, at};
use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

/// Presses this button of the decision's form on a page.
async fn say(visitor: &mut Visitor, page: &Page, task: &str, say: &str) -> Page {
    send(visitor, page, (task, "send-back"), &[("claim", say), ("summary", "Half a thought")]).await
}

/// The button that the page offers; empty if it offers none.
fn offered(page: &Page) -> String {
    page.all("button[name=claim]").concat()
}

#[tokio::test]
async fn people_see_who_has_a_task_and_say_that_they_have_it() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    assert_eq!(offered(&page), "I take it for an hour");
    let page = say(&mut anna, &page, &task, "take").await;
    assert_eq!((page.status, offered(&page).as_str()), (200, "Give it back"), "{}", page.text());
    assert!(page.text().contains("You have it until"), "{}", page.text());
    assert!(page.html.contains("Half a thought"), "nothing that was typed is lost");
    page.keeps_the_rules("the desk");

    // Two approve together, so there is room for one more.
    let mut bo = reviewer(&parties, "u-bo").await;
    assert!(
        bo.read("/inbox").await.text().replace(['\u{2068}', '\u{2069}'], "").contains("u-anna has it until"),
        "the inbox says it, too"
    );
    let page = bo.read(&page_of(&task)).await;
    assert!(page.text().replace(['\u{2068}', '\u{2069}'], "").contains("u-anna has it until"), "{}", page.text());
    assert_eq!(offered(&page), "I take it for an hour");
    say(&mut bo, &page, &task, "take").await;

    // A third one is told, and can take over; whoever decides is not held up.
    let mut chi = reviewer(&parties, "u-chi").await;
    let page = chi.read(&page_of(&task)).await;
    assert_eq!(offered(&page), "Take it over for an hour");
    let page = say(&mut chi, &page, &task, "take").await;
    assert_eq!(page.status, 409);
    assert!(page.one("[role=alert]").contains("was first and has it now."), "{}", page.text());
    let page = say(&mut chi, &page, &task, "take-over").await;
    assert!(page.text().contains("You have it until"), "{}", page.text());
    let page = say(&mut chi, &page, &task, "give-back").await;
    assert!(!page.text().contains("You have it until"), "{}", page.text());
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-chi")).await;
}

#[tokio::test]
async fn where_there_is_nothing_to_decide_there_is_nothing_to_claim() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    let claims = parties.partner.read(&format!("/api/v1/tasks/{task}/claim")).await;
    assert_eq!(claims["items"], json!([]));
    let page = say(&mut anna, &page, &task, "take").await;
    assert_eq!(page.status, 409, "{}", page.text());
    assert!(page.one("[role=alert]").contains("nothing left here that you could decide"), "{}", page.text());
    assert_eq!(offered(&page), "");
}
