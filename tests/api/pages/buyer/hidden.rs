//! What a buyer must not read is nowhere in the pages, and what people write is never markup.

use serde_json::json;

use super::{KEY, Scene, bearer, buyer, fragment, paths, play, start};
use crate::harness::commands::{approve, at, escalate, reject, resolve, submit, update, with};
use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

/// Every page and fragment of a task that its buyer can get.
async fn everything(parties: &Parties, id: &str) -> Vec<Page> {
    let mut visitor = buyer(parties, id).await;
    let (path, commands) = paths(id);
    let mut pages = vec![
        visitor.read(&path).await,
        visitor.read(&format!("{path}?part=live")).await,
        visitor.read(&format!("{path}/proof")).await,
        fragment(parties, id).await,
    ];
    let form = pages[0].hidden(&commands);
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for choice in ["approve", "reject", "resolve-approve", "cancel"] {
        pages.push(
            visitor
                .post(&commands, &[&form[..1], &[("choice", choice), ("stage", "draft"), ("round", "9")]].concat())
                .await,
        );
    }
    pages
}

#[tokio::test]
async fn nothing_internal_is_in_a_page_of_the_buyer() {
    let parties = start().await;
    let id = parties.open(KEY).await;
    let (partner, platform) = (&parties.partner, &parties.platform);
    let person = |id: &str| json!({ "actor": { "id": format!("secret-id-{id}"), "name": format!("Secret Name {id}"), "role": "secret-role" } });
    let work = json!({ "note": "secret-note-1", "summary": "secret-summary" });
    partner.done(&id, &with(with(submit("x"), &work), &person("agent"))).await;
    look(&parties, &id).await;
    let feedback = json!({ "feedback": { "summary": "secret-feedback", "items": [{ "text": "secret-item", "anchor": "secret-anchor" }] },
        "note": "secret-note-2" });
    partner.done(&id, &with(with(reject(at("draft", 1, 1), "x"), &feedback), &person("bo"))).await;
    look(&parties, &id).await;
    partner.done(&id, &with(submit("x"), &json!({ "summary": "secret-second" }))).await;
    let asked = json!({ "reason": "secret-question" });
    let asked =
        partner.done(&id, &with(with(escalate(at("draft", 2, 2), "x", "platform"), &asked), &person("anna"))).await;
    look(&parties, &id).await;
    let seq = asked["event"]["seq"].as_u64().unwrap();
    let back = json!({ "advice": "secret-advice", "note": "secret-note-3" });
    platform.done(&id, &with(resolve(seq, "return", "secret-operator"), &back)).await;
    partner.done(&id, &update("A message for the buyer")).await;
    look(&parties, &id).await;
    let question = json!({ "type": "question_asked", "stage": "draft", "round": 2, "revision": 2, "to": "platform", "question": "secret-asked" });
    partner.done(&id, &with(question, &person("chi"))).await;
    look(&parties, &id).await;
    partner.done(&id, &with(approve(at("draft", 2, 2), "x"), &person("dana"))).await;
    let found = everything(&parties, &id).await;
    let page = &found[0];
    assert!(page.text().contains("A message for the buyer"), "{}", page.text());
    assert!(page.text().contains("secret-second"), "the work that the buyer is asked about is there to be read");
}

async fn look(parties: &Parties, id: &str) {
    for page in everything(parties, id).await {
        assert!(page.status < 500, "{}", page.html);
        let html = page.html.replace("&#45;", "-");
        let place = html.to_lowercase().find("secret");
        assert_eq!(place, None, "{}", &html[place.unwrap_or_default()..]);
    }
}

#[tokio::test]
async fn what_people_write_is_never_markup() {
    let hostile = [
        "\"><img src=x onerror=alert(1)>",
        "</textarea></blockquote><script>alert(1)</script>",
        "{{ 7 * 7 }} ${7*7} %0a",
        "🧑\u{200d}🎨 émoji und Umlaute",
        "' onfocus='alert(1)",
    ];
    for text in hostile {
        let parties = start().await;
        let id = told(&parties, text).await;
        let mut visitor = buyer(&parties, &id).await;
        let (path, commands) = paths(&id);
        let page = visitor.read(&path).await;
        let fields = [
            ("choice", "reject"),
            ("text-reject", ""),
            ("point-where", text),
            ("point-text", text),
            ("text-escalate-platform", text),
        ];
        let again = super::submit_form(&mut visitor, (&page, "#action form"), &commands, &fields).await;
        assert_eq!(again.status, 422);
        for page in [page, again, fragment(&parties, &id).await] {
            assert!(page.all("img, script:not([src])").is_empty(), "{text}: {}", page.html);
            let tree = page.tree();
            for element in tree.select(&super::selector("*")) {
                assert!(element.value().attrs().all(|(name, _)| !name.starts_with("on")), "{text}");
            }
            assert!(
                page.text().contains(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
                "{text} is shown as it was written"
            );
            let outside = page.all("blockquote > :not(bdi)");
            assert!(outside.is_empty(), "words of people are isolated: {outside:?}");
        }
    }
}

/// A task about which everybody has written this text.
async fn told(parties: &Parties, text: &str) -> String {
    let id = crate::harness::parties::new_id();
    let stage = |key: &str, reviewer: &str| json!({ "key": key, "name": text, "buyer_label": text, "reviewer": reviewer, "escalation": { "to": ["platform"] } });
    parties.register("hostile", &json!({ "name": "H", "stages": [stage("a", "partner"), stage("b", "buyer")] })).await;
    let opening = with(parties.opening(&id, "hostile"), &json!({ "title": text }));
    assert_eq!(parties.platform.call("POST", "/api/v1/tasks", &opening).await.status, 201);
    parties.partner.done(&id, &update(text)).await;
    let artifact = json!({ "name": text, "media_type": text, "url": "https://files.example/x",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });
    let work = json!({ "summary": text, "artifacts": [artifact] });
    parties.partner.done(&id, &with(submit("agent"), &work)).await;
    let severity: String = text.chars().take(10).collect();
    let feedback = json!({ "feedback": { "summary": text, "share_with_buyer": true, "items": [{ "severity": severity, "anchor": text, "text": text }] } });
    parties.partner.done(&id, &with(reject(at("a", 1, 1), "u-bo"), &feedback)).await;
    parties.partner.done(&id, &with(submit("agent"), &work)).await;
    parties.partner.done(&id, &approve(at("a", 2, 2), "u-bo")).await;
    id
}

#[tokio::test]
async fn the_longest_text_without_a_blank_is_shown_whole() {
    let parties = start().await;
    let id = play(&parties, Scene::InReview).await;
    let long = "x".repeat(4000);
    parties.partner.done(&id, &with(escalate(at("draft", 1, 1), "u-bo", "buyer"), &json!({ "reason": long }))).await;
    assert!(fragment(&parties, &id).await.one("#action").contains(&long));
}

#[tokio::test]
async fn a_cookie_opens_no_fragment_and_a_token_no_page() {
    let parties = start().await;
    let id = play(&parties, Scene::InReview).await;
    let mut visitor = buyer(&parties, &id).await;
    assert_eq!(visitor.get(&format!("/embed/v1/tasks/{id}")).await.status, 401);
    let mut other = Visitor::new(&parties.buyer.router);
    let token = bearer(&parties);
    assert_eq!(
        other.send("GET", &format!("/tasks/{id}"), &[("authorization", &token)], String::new()).await.status,
        401
    );
}
