//! What the desk hides from whom, and what it makes of texts that are written to do harm.

use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::{Scene, page_of, reviewer, send};
use crate::harness::commands::{approve, at, escalate, with};
use crate::harness::parties::Parties;

#[tokio::test]
async fn a_party_reads_no_note_of_another() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let note = |body: Value, note: &str| with(body, &json!({ "note": note }));
    let partner = note(approve(at("legal", 1, 1), "u-bo"), "partner-secret");
    parties.partner.done(&task, &partner).await;
    let platform = note(escalate(at("legal", 1, 1), "ops-olga", "buyer"), "platform-secret");
    parties.platform.done(&task, &platform).await;
    let buyer = json!({ "type": "escalation_resolved", "resolution": "return", "note": "buyer-secret",
        "escalation": parties.task(&task).await["escalation"]["seq"] });
    parties.buyer.done(&task, &buyer).await;
    let live = format!("{}?part=live", page_of(&task));
    for kind in [LinkKind::Inbox, LinkKind::Console, LinkKind::Task] {
        let mut anna = parties
            .visitor(Party::Partner, kind, Some(&task).filter(|_| kind == LinkKind::Task).map(String::as_str), "u-anna")
            .await;
        for path in [&page_of(&task), &live] {
            let page = anna.read(path).await;
            assert!(page.html.contains("partner-secret"), "{kind:?}: the own note");
            for secret in ["platform-secret", "buyer-secret"] {
                assert!(!page.html.contains(secret), "{kind:?} {path}: {secret}");
            }
        }
    }
    let mut olga = parties.visitor(Party::Platform, LinkKind::Inbox, None, "ops-pia").await;
    let page = olga.read(&page_of(&task)).await;
    for secret in ["partner-secret", "platform-secret", "buyer-secret"] {
        assert!(page.html.contains(secret), "the platform sees all: {secret}");
    }
}

#[tokio::test]
async fn other_partners_tasks_do_not_exist() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let unknown = "/tasks/0199aaaa-0000-7000-8000-000000000000";
    for path in
        [unknown, "/tasks/x", &format!("{}/receipts/99", page_of(&task)), &format!("{}/receipts/x", page_of(&task))]
    {
        let page = anna.get(path).await;
        assert!([404, 503].contains(&page.status), "{path}: {}", page.status);
    }
}

#[tokio::test]
async fn texts_that_are_written_to_do_harm_stay_texts() {
    let parties = Parties::start().await;
    let long = "x".repeat(4_000);
    let hostile = [
        "\"><img src=x onerror=alert(1)>",
        "</textarea></bdi><script>alert(1)</script>",
        "{{ 7 * 7 }} ${7*7} 😀",
        &long,
    ];
    for text in hostile {
        let task = Scene::InReview.play(&parties).await;
        let short: String = text.chars().take(60).collect();
        let mut anna = reviewer(&parties, "u-anna").await;
        let page = anna.read(&page_of(&task)).await;
        let typed = [
            ("summary", text),
            ("point-severity", &short),
            ("point-where", &short),
            ("point-text", text),
            ("note", text),
            ("preview", "yes"),
        ];
        let preview = send(&mut anna, &page, (&task, "send-back"), &typed).await;
        let sent = send(&mut anna, &page, (&task, "send-back"), &typed[..5]).await;
        let done = anna.follow(sent).await;
        let page = anna.read(&page_of(&task)).await;
        for page in [&preview, &done, &page] {
            page.keeps_the_rules("the desk");
            let injected = scraper::Selector::parse("img, main script, [onerror]").unwrap();
            assert_eq!(page.tree().select(&injected).count(), 0, "{}", page.html);
        }
        assert!(page.text().contains(text.split_whitespace().next().unwrap()), "{text} is shown as it was written");
    }
}
