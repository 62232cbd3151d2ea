//! What the forms do, and what they say when they cannot.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::worker::watchers::Watchers;

use super::{Scene, buyer, choices, hidden, paths, play, start, submit_form};
use crate::harness::commands::{approve, at, submit, with};
use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

const PANEL: &str = "#action form";

/// Sends a choice and, if the page asks once more, confirms it.
async fn choose(visitor: &mut Visitor, page: &Page, id: &str, fields: &[(&str, &str)]) -> Page {
    let (_, commands) = paths(id);
    let form = if fields.contains(&("choice", "cancel")) { "#stop form" } else { PANEL };
    let fields: Vec<_> = fields.iter().copied().filter(|field| *field != ("choice", "cancel")).collect();
    let answer = submit_form(visitor, (page, form), &commands, &fields).await;
    if answer.status == 200 && answer.one("h1").starts_with("Please check") {
        return submit_form(visitor, (&answer, "form.sheet"), &commands, &[("confirmed", "yes")]).await;
    }
    answer
}

#[tokio::test]
async fn every_choice_does_what_the_page_said_before() {
    let parties = start().await;
    let mut tried = 0;
    for scene in Scene::ASKING {
        let id = play(&parties, scene).await;
        let page = buyer(&parties, &id).await.read(&paths(&id).0).await;
        let stop = ("cancel".to_owned(), page.one("[data-live=stop]"));
        let mut offered = choices(&page);
        let commands = parties.status(&id).await["action"]["commands"].as_array().unwrap().len();
        assert_eq!(offered.len(), commands, "{scene:?}: {offered:?}");
        offered.push(stop);
        for (choice, consequence) in offered {
            let id = play(&parties, scene).await;
            let mut visitor = buyer(&parties, &id).await;
            let before = parties.status(&id).await;
            let page = visitor.read(&paths(&id).0).await;
            let text = format!("text-{choice}");
            let answer = choose(&mut visitor, &page, &id, &[("choice", &*choice), (&*text, "Because of this.")]).await;
            let after = visitor.follow(answer).await;
            assert_eq!(after.status, 200, "{scene:?} {choice}: {}", after.text());
            assert!(after.one("h1").ends_with(" – Autumn campaign"), "{scene:?} {choice}: {}", after.one("h1"));
            assert!(after.one("title").starts_with(after.one("h1").split(" – ").next().unwrap()));
            happened(&consequence, &before, &parties.status(&id).await);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

/// Whether what was announced is what is there.
fn happened(consequence: &str, before: &Value, after: &Value) {
    let stage = after["stage"]["name"].as_str().unwrap();
    let (phase, waiting_on) = (after["phase"].as_str().unwrap(), after["waiting_on"].as_str());
    let is_true = if consequence.starts_with("Goes on to") {
        consequence.contains(stage) && after["stage"]["position"].as_u64() > before["stage"]["position"].as_u64()
    } else if consequence.starts_with("Goes back to") {
        consequence.contains(stage) && after["round"].as_u64() > Some(1)
    } else if consequence.starts_with("This is the last step") {
        phase == "delivery"
    } else if consequence.starts_with("The task ends at once") {
        phase == "cancelled"
    } else if consequence.starts_with("Those who are looking at the work may finish until") {
        phase == "cancelling"
    } else if consequence.starts_with("AITasker decides") {
        (phase, waiting_on) == ("escalated", Some("platform"))
    } else if consequence.starts_with("The partner decides") {
        (phase, waiting_on) == ("escalated", Some("partner"))
    } else if consequence.starts_with("The review goes on") {
        phase == "in_review" && after["stage"] == before["stage"]
    } else if consequence.starts_with("Your answer goes to those who asked") {
        phase == before["phase"] && after["action"]["ask"] != "answer"
    } else {
        panic!("{consequence}");
    };
    assert!(is_true, "{consequence} {after}");
}

#[tokio::test]
async fn changes_are_asked_for_with_points_and_more_of_them() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviews).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    assert_eq!(page.all("fieldset.point").len(), 3);
    let typed = [
        ("choice", "reject"),
        ("text-reject", "Nearly.\r\nTwo things."),
        ("point-severity", "must"),
        ("point-where", "logo.svg"),
        ("point-text", "Larger margin"),
        ("point-severity", "could"),
        ("point-where", ""),
        ("point-text", "Another blue"),
        ("point-severity", "must"),
        ("point-where", ""),
        ("point-text", ""),
    ];
    let more =
        submit_form(&mut visitor, (&page, PANEL), &commands, &[&typed[..], &[("more", "points")]].concat()).await;
    assert_eq!((more.status, more.all("fieldset.point").len()), (200, 6));
    assert!(more.html.contains("Another blue") && more.html.contains("value=\"logo.svg\""), "{}", more.html);
    assert!(more.all("option[selected]").contains(&"could".to_owned()));
    let sent = submit_form(&mut visitor, (&more, PANEL), &commands, &typed).await;
    let done = visitor.follow(sent).await;
    assert!(done.one("h1").starts_with("Changes asked for – "), "{}", done.one("h1"));
    let trail = parties.trail(&id).await;
    let vote = trail.iter().find(|row| row["type"] == "task.vote_recorded" && row["party"] == "buyer").unwrap();
    let id = |index: usize| format!("{}.{index}", vote["seq"]);
    let feedback = json!({ "summary": "Nearly.\nTwo things.", "share_with_buyer": true, "items": [
        { "id": id(1), "severity": "must", "anchor": "logo.svg", "text": "Larger margin", "blocking": true },
        { "id": id(2), "severity": "could", "text": "Another blue", "blocking": false }] });
    assert_eq!(vote["data"]["feedback"], feedback);
    assert!(done.one("#history").contains("Larger margin"), "the buyer reads the own words again");
    assert!(vote["credential_id"].as_str().unwrap().starts_with("link:"));
}

#[tokio::test]
async fn mistakes_come_back_with_all_that_was_typed() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviews).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    let long = "x".repeat(4001);
    for (fields, field, words) in [
        (&[][..], "choice", "Choose one"),
        (&[("choice", "nonsense")], "choice", "Choose one"),
        (&[("choice", "reject"), ("point-text", "Kept")], "text-reject", "Write a few words"),
        (&[("choice", "reject"), ("text-reject", &*long), ("point-text", "Kept")], "text-reject", "at most 4"),
        (
            &[("choice", "reject"), ("text-reject", "Kept"), ("point-where", "p. 3"), ("point-text", "")],
            "point-text-0",
            "Write what",
        ),
        (&[("choice", "reject"), ("text-reject", "Kept \u{202e}evil")], "text-reject", "Remove invisible"),
        (
            &[("choice", "reject"), ("text-reject", "Kept"), ("point-text", ""), ("point-text", "a\u{7}")],
            "point-text-1",
            "Remove invisible",
        ),
        (
            &[("choice", "escalate-platform"), ("text-escalate-platform", " ")],
            "text-escalate-platform",
            "Write a few words",
        ),
    ] {
        let again = submit_form(&mut visitor, (&page, PANEL), &commands, fields).await;
        assert_eq!(again.status, 422, "{fields:?}: {}", again.text());
        assert!(again.one("title").starts_with("Error – "), "{}", again.one("title"));
        let links = again.tree();
        let summary = super::selector(".summary[role=alert] a");
        let summary: Vec<_> = links.select(&summary).collect();
        assert_eq!(summary.len(), 1, "{fields:?}");
        assert_eq!(summary[0].attr("href"), Some(&*format!("#{field}")), "{fields:?}");
        assert!(again.all(&format!("[id=\"{field}-error\"]"))[0].contains(words), "{fields:?}: {}", again.text());
        assert_eq!(links.select(&super::selector(&format!("[id=\"{field}\"]"))).count(), 1);
        assert_eq!(again.html.contains("Kept"), fields.iter().any(|(_, value)| value.contains("Kept")), "{fields:?}");
    }
    let stop = submit_form(&mut visitor, (&page, "#stop form"), &commands, &[("text-cancel", "")]).await;
    assert_eq!((stop.status, stop.all("details#stop[open] .error").len()), (422, 1));
    assert_eq!(parties.status(&id).await["phase"], "in_review", "nothing was sent");
}

#[tokio::test]
async fn what_ends_the_task_is_checked_first_and_can_be_changed() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviewsLast).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    let check = submit_form(&mut visitor, (&page, PANEL), &commands, &[("choice", "approve")]).await;
    assert_eq!((check.status, check.one("h1").starts_with("Please check – ")), (200, true));
    assert!(check.text().contains("Revision 1") && check.text().contains("This is the last step"), "{}", check.text());
    assert_eq!(parties.status(&id).await["phase"], "in_review");
    let changed = submit_form(&mut visitor, (&check, "form.sheet"), &commands, &[("change", "yes")]).await;
    assert_eq!(hidden(&changed, PANEL).len(), hidden(&page, PANEL).len());
    assert_eq!(changed.all("input[checked]").len(), 1);
    let sent = submit_form(&mut visitor, (&check, "form.sheet"), &commands, &[("confirmed", "yes")]).await;
    assert_eq!(visitor.follow(sent).await.one("h1"), "Approved – Autumn campaign");
    let again = submit_form(&mut visitor, (&check, "form.sheet"), &commands, &[("confirmed", "yes")]).await;
    assert_eq!(again.status, 303, "the same form has the same answer, after the end as well");
    let late = submit_form(&mut visitor, (&page, PANEL), &commands, &[("choice", "approve")]).await;
    assert_eq!(late.status, 409);
    assert!(late.one("h1").starts_with("The task is ending – "), "{}", late.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_form_is_one_decision_however_often_it_is_sent() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviews).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    let mut sending = tokio::task::JoinSet::new();
    // A session sends at most 30 commands a minute.
    for _ in 0..25 {
        let (mut visitor, page, commands) = (visitor.clone(), page.clone(), commands.clone());
        sending.spawn(async move {
            let fields = [("choice", "reject"), ("text-reject", "Once.")];
            let answer = submit_form(&mut visitor, (&page, PANEL), &commands, &fields).await;
            (answer.status, answer.headers["location"].to_str().unwrap().to_owned())
        });
    }
    let answers = sending.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 303), "{answers:?}");
    let votes = parties.trail(&id).await.into_iter().filter(|row| row["type"] == "task.vote_recorded");
    assert_eq!(votes.filter(|row| row["party"] == "buyer").count(), 1);
    for _ in 0..6 {
        let fields = [("choice", "reject"), ("text-reject", "Once.")];
        let answer = submit_form(&mut visitor, (&page, PANEL), &commands, &fields).await;
        if answer.status == 429 {
            assert!(
                answer.text().contains("Too many requests") && answer.text().contains("Once."),
                "{}",
                answer.text()
            );
            return;
        }
    }
    panic!("more than 30 commands in a minute");
}

#[tokio::test]
async fn an_old_form_is_answered_in_words_and_keeps_what_was_typed() {
    let parties = start().await;
    let fields = [("choice", "reject"), ("text-reject", "My own words.")];
    for (meanwhile, status, title) in [
        ("decided", 409, "Already decided – "),
        ("cancelled", 409, "The task is ending – "),
        ("escalated", 409, "Not sent – "),
    ] {
        let id = play(&parties, Scene::BuyerReviews).await;
        let mut visitor = buyer(&parties, &id).await;
        let (path, commands) = paths(&id);
        let page = visitor.read(&path).await;
        change(&parties, &id, meanwhile).await;
        let answer = submit_form(&mut visitor, (&page, PANEL), &commands, &fields).await;
        assert_eq!(answer.status, status, "{meanwhile}: {}", answer.text());
        assert!(answer.one("h1").starts_with(title), "{meanwhile}: {}", answer.one("h1"));
        assert_eq!(answer.all("[role=alert]").len(), 1, "{meanwhile}");
        let typed = [answer.all(".note.stop pre"), answer.all("#action textarea")].concat();
        let typed: Vec<_> = typed.iter().filter(|text| *text == "My own words.").collect();
        assert_eq!(typed.len(), 1, "{meanwhile}: {}", answer.text());
    }
}

#[tokio::test]
async fn newer_work_is_said_and_the_form_is_bound_to_it() {
    let parties = start().await;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" });
    parties.register("direct", &json!({ "name": "Direct", "stages": [stage] })).await;
    let id = parties.open("direct").await;
    parties.partner.done(&id, &submit("agent")).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    parties.partner.done(&id, &submit("agent")).await;
    let fields = [("choice", "reject"), ("text-reject", "My own words.")];
    let answer = submit_form(&mut visitor, (&page, PANEL), &commands, &fields).await;
    assert_eq!((answer.status, answer.one("h1")), (412, "There is newer work – Autumn campaign".to_owned()));
    assert_eq!(answer.text().matches("My own words.").count(), 1, "{}", answer.text());
    assert!(hidden(&answer, PANEL).contains(&("revision".to_owned(), "2".to_owned())));
    let sent = submit_form(&mut visitor, (&answer, PANEL), &commands, &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
}

async fn change(parties: &Parties, id: &str, meanwhile: &str) {
    match meanwhile {
        "decided" => drop(parties.buyer.done(id, &approve(at("look", 1, 1), "")).await),
        "cancelled" => {
            let cancel = json!({ "type": "cancellation_requested", "reason": "Over.", "immediate": true });
            parties.platform.done(id, &cancel).await;
        }
        _ => {
            let escalate = json!({ "type": "stage_escalated", "stage": "look", "round": 1, "revision": 1, "to": "platform", "reason": "You?" });
            parties.buyer.done(id, &escalate).await;
        }
    }
}

#[tokio::test]
async fn a_form_cannot_name_another_person_party_or_task() {
    let parties = start().await;
    let (id, other) = (play(&parties, Scene::BuyerReviews).await, play(&parties, Scene::BuyerReviews).await);
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    let fields = [
        ("choice", "reject"),
        ("text-reject", "No."),
        ("actor", "u-anna"),
        ("party", "platform"),
        ("task_id", &*other),
    ];
    let stolen = submit_form(&mut visitor, (&page, PANEL), &paths(&other).1, &fields).await;
    assert_eq!(stolen.status, 403, "the token is for the form's own address");
    let sent = submit_form(&mut visitor, (&page, PANEL), &commands, &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let trail = parties.trail(&id).await;
    let vote = trail.iter().find(|row| row["type"] == "task.vote_recorded" && row["party"] == "buyer").unwrap();
    assert_eq!(vote["actor"]["id"], json!(parties.buyer_id));
    assert_eq!(parties.status(&other).await["stage"]["key"], "look");
}

#[tokio::test]
async fn the_page_waits_for_news_and_sends_its_regions_without_a_control() {
    let parties = start().await;
    let id = play(&parties, Scene::Preparing).await;
    let mut visitor = buyer(&parties, &id).await;
    let page = visitor.read(&paths(&id).0).await;
    let main = page.tree();
    let main = main.select(&super::selector("main")).next().unwrap();
    let (from, tag) = (main.attr("data-live-from").unwrap().to_owned(), main.attr("data-live-tag").unwrap().to_owned());
    assert_eq!(from, format!("/tasks/{id}?part=live&wait=25"));
    let now = format!("/tasks/{id}?part=live");
    let known = visitor.send("GET", &now, &[("if-none-match", &tag)], String::new()).await;
    assert_eq!((known.status, known.html.as_str()), (304, ""));
    tokio::spawn(Watchers::new(Arc::clone(&parties.service.app)).run());
    let waiting = {
        let (mut visitor, from, tag) = (visitor.clone(), from.clone(), tag.clone());
        tokio::spawn(async move { visitor.send("GET", &from, &[("if-none-match", &tag)], String::new()).await })
    };
    parties.partner.done(&id, &submit("agent")).await;
    let news = waiting.await.unwrap();
    assert_eq!(news.status, 200);
    assert!(
        news.one("[data-say]").starts_with("Draft is being reviewed. It is the reviewers' turn."),
        "{}",
        news.text()
    );
    assert!(news.all("form, input, button, textarea").is_empty());
    assert_ne!(news.headers["etag"].to_str().unwrap(), tag);
    assert_eq!(news.one("[data-live=steps]"), visitor.read(&paths(&id).0).await.one("[data-live=steps]"));
}

#[tokio::test]
async fn the_proof_is_a_file_that_the_buyer_can_check() {
    let parties = start().await;
    let id = play(&parties, Scene::Delivery).await;
    let mut visitor = buyer(&parties, &id).await;
    let file = visitor.read(&format!("/tasks/{id}/proof")).await;
    assert!(file.headers["content-disposition"].to_str().unwrap().contains(&format!("task-{id}.jsonl")));
    let direct = parties.buyer.get(&format!("/api/v1/tasks/{id}/audit/export")).await;
    assert_eq!(file.html.lines().count(), direct.text.lines().count());
}

#[tokio::test]
async fn the_buyer_reads_the_answers_and_asks_again_for_a_reason() {
    let parties = Parties::start().await;
    let reasons = json!([{ "key": "colour", "name": "The colour" }, { "key": "form", "name": "The form" }]);
    let definition = json!({ "name": "Look", "stages": [
        { "key": "draft", "name": "Draft", "buyer_label": "In draft", "submission": "required" },
        { "key": "look", "name": "Your look", "buyer_label": "Ready for your look", "reviewer": "buyer",
          "on_reject": { "return_to": ["draft"], "answers": "required", "reasons": reasons } } ] });
    parties.register("look", &definition).await;
    let id = parties.open("look").await;
    parties.partner.done(&id, &submit("agent")).await;
    parties.partner.done(&id, &approve(at("draft", 1, 1), "u-bo")).await;
    let mut visitor = buyer(&parties, &id).await;
    let (path, commands) = paths(&id);
    let page = visitor.read(&path).await;
    let point = [("point-severity", "must"), ("point-where", ""), ("point-text", "Bluer.")];
    let chosen = [&[("choice", "reject"), ("text-reject", "Nearly."), ("cause", "")][..], &point].concat();
    let again = submit_form(&mut visitor, (&page, PANEL), &commands, &chosen).await;
    assert_eq!((again.status, again.one("#cause-error").as_str()), (422, "Choose a reason."));
    again.keeps_the_rules("the buyer's page");
    let chosen = [&[("choice", "reject"), ("text-reject", "Nearly."), ("cause", "colour")][..], &point].concat();
    let sent = submit_form(&mut visitor, (&again, PANEL), &commands, &chosen).await;
    let done = visitor.follow(sent).await;
    assert!(done.one("h1").starts_with("Changes asked for – "), "{}", done.text());
    let item = parties.task(&id).await["unanswered"][0].as_str().unwrap().to_owned();
    let answers = json!({ "answers": [{ "item": item, "how": "declined", "text": "The brand is green." }] });
    parties.partner.done(&id, &with(submit("agent"), &answers)).await;
    parties.partner.done(&id, &approve(at("draft", 2, 2), "u-bo")).await;
    let page = visitor.read(&path).await;
    let panel = page.one("#action");
    for words in ["What you asked for, and the answers", "Bluer.", "Declined:", "The brand is green."] {
        assert!(panel.contains(words), "{words}: {panel}");
    }
    assert!(page.one("#history").contains("The brand is green."));
    page.keeps_the_rules("the buyer's page");
    let point = [("point-severity", "must"), ("point-where", ""), ("point-text", "Still."), ("point-reopens", &*item)];
    let chosen = [&[("choice", "reject"), ("text-reject", "No."), ("cause", "colour")][..], &point].concat();
    let sent = submit_form(&mut visitor, (&page, PANEL), &commands, &chosen).await;
    visitor.follow(sent).await;
    let trail = parties.trail(&id).await;
    let vote = trail.iter().rev().find(|row| row["type"] == "task.vote_recorded").unwrap();
    assert_eq!(vote["data"]["feedback"]["items"][0]["reopens"], json!(item));
}
