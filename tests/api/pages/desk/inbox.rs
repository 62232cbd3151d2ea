//! The inbox: what waits for this person, in groups, with counts of the same answer.

use chrono::TimeDelta;
use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::{Scene, page_of, reviewer, send};
use crate::harness::commands::{approve, at, escalate};
use crate::harness::parties::Parties;

#[tokio::test]
async fn the_inbox_shows_what_this_person_can_decide() {
    let parties = Parties::start().await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let empty = anna.read("/inbox").await;
    empty.keeps_the_rules("the desk");
    assert!(empty.text().contains("Nothing waits for you."), "{}", empty.text());
    Scene::Preparing.play(&parties).await;
    Scene::PlatformDecides.play(&parties).await;
    let open = Scene::InReview.play(&parties).await;
    Scene::OwnWork.play(&parties).await;
    let voted = Scene::Voted.play(&parties).await;
    let page = anna.read("/inbox").await;
    page.keeps_the_rules("the desk");
    let rows = page.all("[data-row]");
    assert_eq!(rows.len(), 2, "{}", page.text());
    let text = page.text().replace(['\u{2068}', '\u{2069}'], "");
    assert!(text.contains("2 tasks wait for you."), "{text}");
    assert!(text.contains("2 more wait for others of your team."), "{text}");
    assert!(text.contains("Legal review · round 1 · revision 1 · 1 of 2 approvals"), "{text}");
    for task in [&open, &voted] {
        assert!(page.html.contains(&page_of(task)));
    }
    let all = anna.read("/inbox?all=yes").await;
    assert_eq!(all.all("[data-row]").len(), 4, "{}", all.text());
    let none = anna.read("/inbox?stage=copy").await;
    assert!(none.text().contains("No task matches the filter."), "{}", none.text());
}

#[tokio::test]
async fn tasks_are_grouped_by_when_they_are_due() {
    let parties = Parties::start().await;
    let stage = |key: &str, within: Option<&str>| {
        let deadline = within.map(|within| json!({ "within": within, "on_timeout": { "action": "none" } }));
        json!({ "name": key, "stages": [{ "key": "only", "name": "Only", "buyer_label": "Under review", "deadline": deadline }] })
    };
    for (key, within) in [("late", Some("PT1H")), ("today", Some("PT3H")), ("later", Some("P5D")), ("never", None)] {
        let mut definition = stage(key, within);
        if within.is_none() {
            definition["stages"][0].as_object_mut().unwrap().remove("deadline");
        }
        parties.register(key, &definition).await;
        let task = parties.open(key).await;
        if key == "late" {
            parties.pass(2);
            parties.tick(&task).await;
        }
    }
    let mut dora = reviewer(&parties, "u-dora").await;
    let page = dora.read("/inbox").await;
    assert_eq!(page.all("main h2"), ["Overdue", "Due today", "Later", "No date"], "{}", page.text());
    let overdue = dora.read("/inbox?overdue=yes").await;
    assert_eq!(overdue.all("main h2"), ["Overdue"]);
    let one = dora.read("/inbox?workflow=later").await;
    assert_eq!(one.all("[data-row]").len(), 1);
}

#[tokio::test]
async fn news_say_how_many_came_and_move_no_row() {
    let parties = Parties::start().await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read("/inbox").await;
    let tree = page.tree();
    let main = tree.select(&scraper::Selector::parse("main").unwrap()).next().unwrap();
    let (live, tag) = (main.attr("data-live-from").unwrap(), main.attr("data-live-tag").unwrap());
    let live = live.replace("wait=25", "wait=0");
    let same = anna.send("GET", &live, &[("if-none-match", tag)], String::new()).await;
    assert_eq!(same.status, 304);
    let clock = &parties.service.clock;
    clock.set(clock.now() + TimeDelta::minutes(1));
    Scene::InReview.play(&parties).await;
    let news = anna.send("GET", &live, &[("if-none-match", tag)], String::new()).await;
    assert_eq!(news.status, 200);
    assert!(news.text().contains("One is new.") && news.all("[data-row]").is_empty(), "{}", news.text());
}

#[tokio::test]
async fn more_rows_follow_after_the_last_one() {
    let parties = Parties::start().await;
    let definition =
        json!({ "name": "Plain", "stages": [{ "key": "only", "name": "Only", "buyer_label": "Under review" }] });
    parties.register("plain", &definition).await;
    for _ in 0..52 {
        parties.open("plain").await;
    }
    let mut dora = reviewer(&parties, "u-dora").await;
    let first = dora.read("/inbox").await;
    let select = scraper::Selector::parse("a.button.second").unwrap();
    let next = first.tree().select(&select).next().unwrap().attr("href").unwrap().to_owned();
    let second = dora.read(&next).await;
    assert_eq!((first.all("[data-row]").len(), second.all("[data-row]").len()), (50, 2));
    assert!(second.tree().select(&select).next().is_none());
}

#[tokio::test]
async fn after_a_decision_the_page_leads_to_the_next_task() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let next = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let sent = send(&mut anna, &page, (&task, "approve"), &[]).await;
    let place = sent.headers["location"].to_str().unwrap().to_owned();
    let done = anna.follow(sent).await;
    assert!(done.html.contains(&page_of(&next)), "{}", done.html);
    let mut bo = reviewer(&parties, "u-bo").await;
    assert_ne!(
        bo.read(&place).await.one("h1"),
        "Your approval counts",
        "what somebody else did is not said as one's own"
    );
}

#[tokio::test]
async fn an_escalation_is_in_the_platforms_inbox_as_a_request() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    parties.partner.done(&task, &escalate(at("legal", 1, 1), "u-anna", "platform")).await;
    let mut olga = parties.visitor(Party::Platform, LinkKind::Inbox, None, "ops-olga").await;
    assert!(olga.read("/inbox").await.text().contains("asks you to decide"));
}
