//! The form with which other people review a task: who has it, what it does, and what it keeps.

use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::{Scene, offered, page_of, send};
use crate::harness::commands::{approve, at};
use crate::harness::parties::Parties;
use crate::harness::visitor::Page;

fn plain(page: &Page) -> String {
    page.text().replace(['\u{2068}', '\u{2069}'], "")
}

/// The mistakes of a form: the field of each.
fn mistakes(page: &Page) -> Vec<String> {
    let (tree, link) = (page.tree(), scraper::Selector::parse(".summary a").unwrap());
    tree.select(&link).filter_map(|link| link.attr("href")).map(str::to_owned).collect()
}

/// What the form shows: the places, and the people who can go, each with a plus if ticked.
fn shown(page: &Page) -> (Vec<String>, Vec<String>) {
    let tree = page.tree();
    let [options, boxes] =
        ["#reviewers-place option", "input[name=leave]"].map(|text| scraper::Selector::parse(text).unwrap());
    let places = tree.select(&options).map(|option| option.attr("value").unwrap().to_owned());
    let people = tree.select(&boxes).map(|input| {
        format!("{}{}", input.attr("value").unwrap(), if input.attr("checked").is_some() { "+" } else { "" })
    });
    (places.collect(), people.collect())
}

#[tokio::test]
async fn who_may_change_a_workflow_may_change_who_reviews() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut manager = parties.console(Party::Partner, true).await;
    let page = manager.read(&page_of(&task)).await;
    page.keeps_the_rules("the desk");
    assert_eq!(offered(&page), ["reviewers"]);
    assert_eq!(
        shown(&page),
        (vec!["legal:".to_owned()], ["anna", "bo", "chi"].map(|id| format!("legal::u-{id}")).into())
    );
    let mut others = vec![
        ("a reader", parties.console(Party::Partner, false).await),
        ("the platform", parties.console(Party::Platform, true).await),
        ("a decision", parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await),
        ("a reviewer", parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await),
        ("a task", parties.visitor(Party::Partner, LinkKind::Task, Some(&task), "u-anna").await),
    ];
    for (who, visitor) in &mut others {
        let found = visitor.read(&page_of(&task)).await;
        assert!(!offered(&found).contains(&"reviewers".to_owned()), "{who}");
    }
    // A form of theirs in which the choice is written by hand is refused.
    let (_, decider) = &mut others[2];
    let page = decider.read(&page_of(&task)).await;
    let mut hidden = super::form_of(&page, "approve");
    hidden.extend(
        [("choice", "reviewers"), ("place", "legal:"), ("come", "u-dan"), ("people-reason", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let fields: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let refused = decider.post(&super::commands_of(&task), &fields).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(parties.trail(&task).await.iter().all(|row| row["type"] != "task.reviewers_changed"));
}

#[tokio::test]
async fn the_form_changes_who_reviews_and_the_pages_say_so() {
    let parties = Parties::start().await;
    let task = Scene::Voted.play(&parties).await;
    let mut manager = parties.console(Party::Partner, true).await;
    let page = manager.read(&page_of(&task)).await;
    let fields = [
        ("place", "legal:"),
        ("leave", "legal::u-bo"),
        ("come", "u-dan\r\n\r\n  u-eve "),
        ("people-reason", "Bo is on leave."),
    ];
    let answer = send(&mut manager, &page, (&task, "reviewers"), &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let done = manager.follow(answer).await;
    done.keeps_the_rules("the desk");
    assert_eq!(done.one("h1"), "The reviewers were changed");
    let row = parties.trail(&task).await.into_iter().rfind(|row| row["type"] == "task.reviewers_changed").unwrap();
    assert_eq!((&row["actor"]["id"], &row["data"]["added"]), (&json!("u-dev"), &json!(["u-dan", "u-eve"])));
    assert_eq!((&row["data"]["removed"], &row["data"]["reason"]), (&json!(["u-bo"]), &json!("Bo is on leave.")));

    let page = manager.read(&page_of(&task)).await;
    let now = ["u-anna", "u-chi", "u-dan", "u-eve"].map(|id| format!("legal::{id}"));
    assert_eq!(shown(&page).1, now);
    let mut reviewer = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-dan").await;
    let mut platform = parties.visitor(Party::Platform, LinkKind::Inbox, None, "ops-pia").await;
    for visitor in [&mut manager, &mut reviewer, &mut platform] {
        let text = plain(&visitor.read(&page_of(&task)).await);
        assert!(text.contains("changed who reviews Legal review (new: u-dan, u-eve; no longer: u-bo)"), "{text}");
        assert!(text.contains("Bo is on leave."), "{text}");
        assert!(text.contains("These may approve: u-anna, u-chi, u-dan, u-eve."), "{text}");
    }
    assert!(offered(&reviewer.read(&page_of(&task)).await).contains(&"approve".to_owned()));
    assert_eq!(reviewer.read("/inbox").await.all("[data-row]").len(), 1);
    let mut buyer = parties.visitor(Party::Buyer, LinkKind::Task, Some(&task), "").await;
    let page = buyer.read(&page_of(&task)).await;
    page.keeps_the_rules("the buyer's page");
    assert!(plain(&page).contains("The people who review Legal review changed."), "{}", page.text());
    for secret in ["u-dan", "u-bo", "on leave", "u-dev"] {
        assert!(!page.html.contains(secret), "{secret}");
    }
    for (visitor, words) in [
        (&mut manager, "hat geändert, wer Legal review prüft (neu: u-dan, u-eve; nicht mehr: u-bo)"),
        (&mut buyer, "Es prüfen nun andere Personen Legal review."),
    ] {
        let german = visitor.get(&format!("{}?language=de", page_of(&task))).await;
        let german = visitor.follow(german).await;
        assert!(plain(&german).contains(words), "{}", german.text());
    }
}

#[tokio::test]
async fn what_the_votes_that_are_left_decide_is_said_afterwards() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "All", "stages": [
        { "key": "legal", "name": "Legal", "buyer_label": "In legal", "reviewers": ["u-anna", "u-bo"],
          "quorum": { "approvals": "all" } },
        { "key": "open", "name": "Open", "buyer_label": "In open" } ] });
    parties.register("all", &definition).await;
    let task = parties.open("all").await;
    parties.partner.done(&task, &approve(at("legal", 1, 0), "u-anna")).await;
    let mut manager = parties.console(Party::Partner, true).await;
    let page = manager.read(&page_of(&task)).await;
    let fields = [("place", "legal:"), ("leave", "legal::u-bo"), ("people-reason", "Bo is on leave.")];
    let answer = send(&mut manager, &page, (&task, "reviewers"), &fields).await;
    let done = manager.follow(answer).await;
    assert_eq!(done.one("h1").replace(['\u{2068}', '\u{2069}'], ""), "Approved: next is Open");
    assert_eq!(parties.task(&task).await["stage"]["key"], "open");
    assert!(offered(&manager.read(&page_of(&task)).await).is_empty(), "no stage that is left names its reviewers");
}

#[tokio::test]
async fn mistakes_come_back_with_everything_that_was_typed() {
    let parties = Parties::start().await;
    let panel = |key: &str, name: &str, people: &[&str]| json!({ "key": key, "name": name, "reviewers": people });
    let definition = json!({ "name": "Release", "stages": [
        { "key": "copy", "name": "Copy", "buyer_label": "In copy", "reviewers": ["u-anna"] },
        { "key": "fixed", "name": "Fixed", "buyer_label": "In fixed", "reviewers": ["u-anna"], "reviewers_fixed": true },
        { "key": "release", "name": "Release", "buyer_label": "In release",
          "panels": [panel("legal", "Legal", &["u-anna"]), panel("brand", "Brand", &["u-chi", "u-dan"])] } ] });
    parties.register("release", &definition).await;
    let task = parties.open("release").await;
    let mut manager = parties.console(Party::Partner, true).await;
    let mut page = manager.read(&page_of(&task)).await;
    assert_eq!(shown(&page).0, ["copy:", "release:legal", "release:brand"]);
    let reason = ("people-reason", "More eyes.");
    for (fields, expected) in [
        (&[("place", "copy:"), reason][..], "#come"),
        (&[("place", "copy:"), ("come", "u-eve")], "#people-reason"),
        (&[("place", "copy:"), ("leave", "copy::u-anna"), reason], "#leave"),
        (&[("place", "release:legal"), ("leave", "release:brand:u-chi"), ("come", "u-eve"), reason], "#leave"),
        (&[("place", "release:legal"), ("come", "u-eve\nu-chi"), reason], "#come"),
        (&[("place", "copy:"), ("come", "u-anna"), reason], "#come"),
        (&[("place", "release:brand"), ("leave", "release:brand:u-gone"), reason], "#leave"),
        (&[("place", "release:other"), ("come", "u-eve"), reason], "#place"),
        (&[("place", "nowhere:"), ("come", "u-eve"), reason], "#place"),
        (&[("come", "u-eve"), reason], "#place"),
    ] {
        let again = send(&mut manager, &page, (&task, "reviewers"), fields).await;
        assert_eq!((again.status, mistakes(&again)), (422, vec![expected.to_owned()]), "{fields:?}: {}", again.text());
        again.keeps_the_rules("the desk");
        let typed = |name: &str| fields.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value);
        assert_eq!(again.one("#come"), typed("come").replace('\n', " "));
        assert_eq!(again.one("#people-reason"), typed("people-reason"));
        let chosen = scraper::Selector::parse("#reviewers-place option[selected]").unwrap();
        let chosen = again.tree().select(&chosen).next().map(|option| option.attr("value").unwrap().to_owned());
        let place = typed("place");
        assert_eq!(
            chosen.as_deref(),
            shown(&again).0.iter().any(|known| known == place).then_some(place),
            "{fields:?}"
        );
        let ticked: Vec<_> = shown(&again).1.into_iter().filter(|value| value.ends_with('+')).collect();
        let known = fields.iter().filter(|(name, value)| *name == "leave" && !value.ends_with("gone"));
        assert_eq!(ticked, known.map(|(_, value)| format!("{value}+")).collect::<Vec<_>>());
        page = again;
    }
    let fields = [("place", "release:brand"), ("leave", "release:brand:u-dan"), ("come", "u-eve"), reason];
    let sent = send(&mut manager, &page, (&task, "reviewers"), &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let text = plain(&manager.read(&page_of(&task)).await);
    assert!(text.contains("changed who reviews Release · Brand (new: u-eve; no longer: u-dan)"), "{text}");
    let stages = parties.task(&task).await["stages"].clone();
    assert_eq!(stages[2]["reviewers"], json!([{ "panel": "brand", "named": ["u-chi", "u-eve"] }]));
}

#[tokio::test]
async fn a_form_for_a_stage_that_was_decided_meanwhile_changes_nothing_and_loses_no_word() {
    let parties = Parties::start().await;
    let task = Scene::Voted.play(&parties).await;
    let mut manager = parties.console(Party::Partner, true).await;
    let page = manager.read(&page_of(&task)).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    let fields =
        [("place", "legal:"), ("leave", "legal::u-chi"), ("come", "u-typed"), ("people-reason", "Words that stay.")];
    let late = send(&mut manager, &page, (&task, "reviewers"), &fields).await;
    assert_eq!((late.status, late.one("h1")), (409, "The task has moved on".to_owned()), "{}", late.text());
    for words in ["u-typed", "u-chi", "Words that stay."] {
        assert!(late.text().contains(words), "{words}: {}", late.text());
    }
}
