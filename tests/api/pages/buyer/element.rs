//! What the element asks for: the fragment by the buyer's token, and its commands.

use std::sync::Arc;

use stagegate::worker::watchers::Watchers;

use super::{Scene, bearer, fragment, hidden, paths, play, start};
use crate::harness::commands::submit;
use crate::harness::parties::{Client, new_id};
use crate::harness::service::MARKET_ORIGIN;
use crate::harness::visitor::{Page, Visitor};

async fn send(client: &Client, id: &str, fields: &[(&str, &str)]) -> Page {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [
        ("authorization", &*format!("Bearer {}", client.credential)),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    Visitor::new(&client.router).send("POST", &format!("/embed/v1/tasks/{id}/commands"), &headers, body).await
}

#[tokio::test]
async fn the_fragment_is_the_buyers_alone() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviews).await;
    let other = parties.another_buyer();
    for (credential, expected) in [
        (&*parties.partner.credential, 403),
        (&*parties.platform.credential, 403),
        (&*other.credential, 404),
        ("nonsense", 401),
    ] {
        let header = format!("Bearer {credential}");
        let mut client = Visitor::new(&parties.buyer.router);
        let page =
            client.send("GET", &format!("/embed/v1/tasks/{id}"), &[("authorization", &header)], String::new()).await;
        assert_eq!(page.status, expected, "{}", page.html);
        assert!(!page.html.contains("Autumn"));
        let client = Client { credential: credential.to_owned(), ..parties.buyer.clone() };
        let answer = send(&client, &id, &[("form", &new_id()), ("choice", "approve")]).await;
        assert_eq!(answer.status, expected, "{}", answer.html);
    }
    let unknown = fragment(&parties, &new_id()).await;
    assert_eq!(unknown.status, 404);
    let page = fragment(&parties, &id).await;
    assert_eq!(page.headers["cache-control"], "private, no-store");
    assert!(!page.html.contains("<html") && page.all("a[href^='/']").is_empty(), "no address of the hosted page");
}

#[tokio::test]
async fn a_command_of_the_fragment_answers_with_the_view_afterwards() {
    let parties = start().await;
    let id = play(&parties, Scene::BuyerReviews).await;
    let page = fragment(&parties, &id).await;
    let form = hidden(&page, "#action form");
    let own: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mistaken = send(&parties.buyer, &id, &own).await;
    assert_eq!((mistaken.status, mistaken.all(".summary[role=alert]").len()), (422, 1));
    let fields = [&own[..], &[("choice", "reject"), ("text-reject", "A larger margin.")]].concat();
    for _ in 0..2 {
        let done = send(&parties.buyer, &id, &fields).await;
        assert_eq!(done.status, 200, "{}", done.html);
        assert!(done.one("h1").starts_with("Changes asked for – "), "{}", done.one("h1"));
        let tree = done.tree();
        let view = tree.select(&super::selector(".view")).next().unwrap();
        assert_eq!(view.attr("data-done"), Some("task.vote_recorded"));
        assert_eq!(view.attr("data-waiting-on"), Some("partner"));
    }
    let without_id = send(&parties.buyer, &id, &[("choice", "approve")]).await;
    assert_eq!(without_id.status, 400);
}

#[tokio::test]
async fn the_fragment_waits_for_another_state() {
    let parties = start().await;
    let id = play(&parties, Scene::Preparing).await;
    let page = fragment(&parties, &id).await;
    let (token, tag) = (bearer(&parties), page.headers["etag"].to_str().unwrap().to_owned());
    let path = format!("/embed/v1/tasks/{id}");
    let headers = [("authorization", token.as_str()), ("if-none-match", tag.as_str())];
    let known = Visitor::new(&parties.buyer.router).send("GET", &path, &headers, String::new()).await;
    assert_eq!(known.status, 304);
    let german = [&headers[..], &[("accept-language", "de")]].concat();
    let german = Visitor::new(&parties.buyer.router).send("GET", &path, &german, String::new()).await;
    assert!(german.status == 200 && german.text().contains("Die Arbeit wird vorbereitet"), "{}", german.html);
    tokio::spawn(Watchers::new(Arc::clone(&parties.service.app)).run());
    let waiting = {
        let (mut client, path) = (Visitor::new(&parties.buyer.router), format!("{path}?wait=25"));
        let (token, tag) = (token.clone(), tag.clone());
        tokio::spawn(async move {
            client.send("GET", &path, &[("authorization", &token), ("if-none-match", &tag)], String::new()).await
        })
    };
    parties.partner.done(&id, &submit("agent")).await;
    let news = waiting.await.unwrap();
    assert_eq!((news.status, news.all("[data-phase=in_review]").len()), (200, 1));
    assert_eq!(paths(&id).0, format!("/tasks/{id}"));
}

#[tokio::test]
async fn the_script_is_served_to_every_origin_and_small() {
    let parties = start().await;
    let mut client = Visitor::new(&parties.buyer.router);
    let script = client.read("/embed/v1/status.js").await;
    assert_eq!(script.headers["access-control-allow-origin"], "*");
    assert!(script.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    assert!(script.html.len() < 30_000, "{}", script.html.len());
    for forbidden in ["innerHTML", "localStorage", "postMessage", "eval("] {
        assert!(!script.html.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_ask() {
    let parties = start().await;
    let id = play(&parties, Scene::InReview).await;
    let path = format!("/embed/v1/tasks/{id}");
    for (origin, expected) in [(MARKET_ORIGIN, Some(MARKET_ORIGIN)), ("https://evil.example", None)] {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,if-none-match,accept-language"),
        ];
        let allowed = Visitor::new(&parties.buyer.router).send("OPTIONS", &path, &asked, String::new()).await;
        let token = bearer(&parties);
        let read = [("origin", origin), ("authorization", token.as_str())];
        let answer = Visitor::new(&parties.buyer.router).send("GET", &path, &read, String::new()).await;
        for page in [&allowed, &answer] {
            let found = page.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(found, expected, "{origin}");
            assert!(page.headers.get("access-control-allow-credentials").is_none());
        }
        if expected.is_some() {
            let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
            assert!(exposed.contains("etag"), "{exposed}");
        }
    }
}
