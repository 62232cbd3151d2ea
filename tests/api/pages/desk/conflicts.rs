//! Somebody else was faster, or the task went on: the page says who and what, and nothing that was typed is lost.

use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::{Scene, form_of, offered, page_of, question, reviewer, send};
use crate::harness::commands::{approve, at, cancel, escalate, reject, submit, with};
use crate::harness::parties::Parties;
use crate::harness::visitor::Page;

/// What somebody typed before the task went on.
const TYPED: [(&str, &str); 8] = [
    ("summary", "The summary\nin two lines."),
    ("point-severity", "must"),
    ("point-where", "contract.pdf#page=3"),
    ("point-text", "The first point."),
    ("point-severity", "wish"),
    ("point-where", "logo.svg"),
    ("point-text", "The second point."),
    ("note", "The note."),
];

/// The words of [`TYPED`].
const WORDS: [&str; 8] = [
    "The summary",
    "in two lines.",
    "contract.pdf#page=3",
    "The first point.",
    "wish",
    "logo.svg",
    "The second point.",
    "The note.",
];

fn keeps_all(page: &Page) {
    page.keeps_the_rules("the desk");
    for word in WORDS {
        assert!(page.html.contains(word), "{word} is lost: {}", page.html);
    }
}

#[tokio::test]
async fn who_was_first_is_named_and_what_was_typed_is_kept() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let rejection = with(reject(at("legal", 1, 1), "u-bo"), &json!({ "actor": { "id": "u-bo", "name": "Bo S." } }));
    parties.partner.done(&task, &rejection).await;
    let beaten = send(&mut anna, &page, (&task, "send-back"), &TYPED).await;
    assert_eq!((beaten.status, &*beaten.one("h1")), (409, "Already decided"));
    let text = beaten.text().replace(['\u{2068}', '\u{2069}'], "");
    assert!(text.contains("Bo S. sent this back at"), "{text}");
    assert!(text.contains("Yours was not counted.") && text.contains("Not yet."), "with what Bo said: {text}");
    keeps_all(&beaten);
    assert!(offered(&beaten).is_empty(), "the old form is not applied to anything newer");
}

#[tokio::test]
async fn a_decision_after_the_end_is_kept_in_the_trail_and_the_page_says_so() {
    let parties = Parties::start().await;
    for (immediate, title) in [(true, "The task has ended"), (false, "The task is being cancelled")] {
        let task = Scene::InReview.play(&parties).await;
        let mut anna = reviewer(&parties, "u-anna").await;
        let page = anna.read(&page_of(&task)).await;
        parties.platform.done(&task, &with(cancel(), &json!({ "immediate": immediate }))).await;
        let late = send(&mut anna, &page, (&task, "send-back"), &TYPED).await;
        assert_eq!((late.status, &*late.one("h1")), (409, title));
        keeps_all(&late);
        let trail = parties.trail(&task).await;
        let row = trail.iter().find(|entry| entry["type"] == "task.late_decision_recorded").unwrap();
        assert!(late.text().contains(&format!("as a late decision, entry {}", row["seq"])), "{}", late.text());
        let again = send(&mut anna, &page, (&task, "send-back"), &TYPED).await;
        assert_eq!(again.status, 409);
        assert_eq!(parties.trail(&task).await.len(), trail.len(), "the same form adds nothing");
    }
}

#[tokio::test]
async fn newer_work_gives_the_form_back_bound_to_it_only_on_that_page() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &submit("agent")).await;
    let mut dora = reviewer(&parties, "u-dora").await;
    let page = dora.read(&page_of(&task)).await;
    parties.partner.done(&task, &submit("agent")).await;
    let newer = send(&mut dora, &page, (&task, "send-back"), &TYPED).await;
    assert_eq!(newer.status, 412);
    assert!(newer.one("h1").starts_with("There is newer work"), "{}", newer.one("h1"));
    assert!(newer.text().contains("while you were reading revision 1. Nothing was sent."), "{}", newer.text());
    keeps_all(&newer);
    let bound = form_of(&newer, "send-back");
    assert!(bound.contains(&("revision".to_owned(), "2".to_owned())), "{bound:?}");
    let old = send(&mut dora, &page, (&task, "send-back"), &TYPED).await;
    assert_eq!(old.status, 412, "the old page's form is about the old revision for ever");
    let sent = send(&mut dora, &newer, (&task, "send-back"), &TYPED).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
}

#[tokio::test]
async fn a_form_that_only_grows_stays_bound_to_what_it_was_made_for() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &submit("agent")).await;
    let mut dora = reviewer(&parties, "u-dora").await;
    let page = dora.read(&page_of(&task)).await;
    parties.partner.done(&task, &submit("agent")).await;
    let fields: Vec<_> = TYPED.into_iter().chain([("more", "points")]).collect();
    let more = send(&mut dora, &page, (&task, "send-back"), &fields).await;
    assert_eq!(more.status, 200);
    keeps_all(&more);
    assert!(form_of(&more, "send-back").contains(&("revision".to_owned(), "1".to_owned())));
    let shown = scraper::Selector::parse("#changed:not([hidden])").unwrap();
    assert_eq!(more.tree().select(&shown).count(), 1, "the page says that something has changed");
    assert_eq!(send(&mut dora, &more, (&task, "send-back"), &TYPED).await.status, 412);
}

#[tokio::test]
async fn a_hold_is_named_with_who_and_why() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    parties.platform.done(&task, &json!({ "type": "held", "reason": "The client is away." })).await;
    let held = send(&mut anna, &page, (&task, "send-back"), &TYPED).await;
    assert_eq!((held.status, &*held.one("h1")), (409, "The task is on hold"));
    assert!(held.text().contains("by AITasker") && held.text().contains("The client is away."), "{}", held.text());
    keeps_all(&held);
    let page = anna.read(&page_of(&task)).await;
    assert!(page.text().contains("Your link works again when the work goes on."), "{}", page.text());
}

#[tokio::test]
async fn an_old_request_for_a_decision_is_not_answered_by_an_old_form() {
    let parties = Parties::start().await;
    let task = Scene::PlatformDecides.play(&parties).await;
    let mut olga = parties.visitor(Party::Platform, LinkKind::Inbox, None, "ops-olga").await;
    let page = olga.read(&page_of(&task)).await;
    let seq = parties.task(&task).await["escalation"]["seq"].as_u64().unwrap();
    let back = json!({ "type": "escalation_resolved", "escalation": seq, "resolution": "return", "actor": { "id": "ops-pia" } });
    parties.platform.done(&task, &back).await;
    let moved = send(&mut olga, &page, (&task, "resolve-reject"), &TYPED).await;
    assert_eq!(moved.status, 409, "{}", moved.text());
    keeps_all(&moved);
    parties.partner.done(&task, &escalate(at("legal", 1, 1), "u-anna", "platform")).await;
    let stale = send(&mut olga, &page, (&task, "resolve-reject"), &TYPED).await;
    assert_eq!((stale.status, &*stale.one("h1")), (409, "This is no longer the open request"));
    keeps_all(&stale);
}

#[tokio::test]
async fn a_question_that_somebody_else_answered_is_said_so() {
    let parties = Parties::start().await;
    let task = Scene::PartnerAnswers.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let seq = parties.task(&task).await["question"]["seq"].as_u64().unwrap();
    let answer = json!({ "type": "question_answered", "question": seq, "option": 2, "actor": { "id": "u-bo", "name": "Bo S." } });
    parties.partner.done(&task, &answer).await;
    let beaten = send(&mut anna, &page, (&task, "answer"), &[("answer", "The round one, please.")]).await;
    assert_eq!((beaten.status, &*beaten.one("h1")), (409, "This question is closed"));
    let text = beaten.text().replace(['\u{2068}', '\u{2069}'], "");
    assert!(text.contains("Bo S. answered it at") && text.contains("The round one, please."), "{text}");
    let mut bo = reviewer(&parties, "u-bo").await;
    let page = bo.read(&page_of(&task)).await;
    parties.platform.done(&task, &question("ops-olga", "partner")).await;
    let open = send(&mut bo, &page, (&task, "ask"), &[("ask-to", "buyer"), ("question", "Which one?")]).await;
    assert_eq!((open.status, &*open.one("h1")), (409, "Another question is open"));
    assert!(open.text().contains("Which one?"));
}

#[tokio::test]
async fn a_decide_link_ends_with_its_decision() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let sent = send(&mut anna, &page, (&task, "approve"), &[]).await;
    let done = anna.follow(sent).await;
    assert_eq!(done.one("h1"), "Your approval counts");
    assert!(done.text().contains("You can close this page.") && !done.html.contains("/inbox"));
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    let page = anna.read(&page_of(&task)).await;
    assert!(offered(&page).is_empty() && page.text().contains("This has been decided."), "{}", page.text());
}
