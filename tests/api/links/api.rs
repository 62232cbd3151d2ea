//! The operations: fields and what is wrong with them, who sees which links, ending and revoking.

use serde_json::{Value, json};
use stagegate::app::{App, Options};
use std::sync::Arc;

use crate::harness::commands::{approve, at, escalate, submit};
use crate::harness::parties::{Client, Parties, code, new_id, text};
use crate::harness::service::{PUBLIC_ORIGIN, Service};

use super::{but, console, decide, inbox, key, make, opened, state};

#[tokio::test]
async fn a_link_has_what_was_asked_for_and_the_defaults_of_its_kind() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let made = make(&parties.partner, &decide(&task, "u-anna")).await;
    let expected = json!({
        "id": made.id, "url": format!("{PUBLIC_ORIGIN}/go/{}", made.voucher), "to": "decide", "task_id": task,
        "party": "partner", "actor": { "id": "u-anna", "name": "Anna K." }, "open": "click", "manage": false,
        "bound_to": { "stage": "legal", "round": 1, "revision": 1, "escalation": null },
        "language": null, "time_zone": null, "state": "open", "openings": 0, "made_by": made.body["made_by"],
        "created_at": "2027-01-15T08:00:00Z", "expires_at": "2027-01-18T08:00:00Z", "ended_at": null,
    });
    assert_eq!(made.body, expected);
    for (link, expires_at) in [
        (but(decide(&task, "u-anna"), &json!({ "open": "at_once" })), "2027-01-15T08:01:00Z"),
        (but(decide(&task, "u-anna"), &json!({ "expires_in": "PT1S" })), "2027-01-15T08:00:01Z"),
        (json!({ "to": "task", "task_id": task, "actor": { "id": "u-bo" } }), "2027-01-22T08:00:00Z"),
        (inbox("u-anna"), "2027-01-15T08:15:00Z"),
        (console("u-anna"), "2027-01-15T08:15:00Z"),
    ] {
        assert_eq!(make(&parties.partner, &link).await.body["expires_at"], expires_at, "{link}");
    }
    let more = json!({ "language": "de", "time_zone": "Europe/Berlin" });
    let german = make(&parties.partner, &but(inbox("u-anna"), &more)).await;
    assert_eq!((&german.body["language"], &german.body["time_zone"]), (&json!("de"), &json!("Europe/Berlin")));
    let opened = opened(&parties.service.app, &german).await.visit;
    assert_eq!(opened.language.unwrap().as_str(), "de");
    // A link for a buyer, by the platform and by the buyer itself.
    for (maker, link) in [
        (&parties.platform, json!({ "to": "task", "task_id": task, "party": "buyer" })),
        (&parties.platform, json!({ "to": "inbox", "task_id": task, "party": "buyer" })),
        (&parties.buyer, json!({ "to": "task", "task_id": task })),
        (&parties.buyer, json!({ "to": "inbox" })),
    ] {
        let made = make(maker, &link).await;
        assert_eq!((&made.body["party"], &made.body["actor"]), (&json!("buyer"), &Value::Null), "{link}");
        assert_eq!(parties.buyer.get(&format!("/api/v1/links/{}", made.id)).await.status, 200);
    }
}

#[tokio::test]
async fn mistakes_in_a_request_for_a_link_are_named() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let (partner, platform, buyer) = (&parties.partner, &parties.platform, &parties.buyer);
    let own = decide(&task, "u-anna");
    for (client, body, pointer, rule) in [
        (partner, json!({}), "/to", "required"),
        (partner, json!({ "to": "everything" }), "/to", "invalid_value"),
        (partner, json!({ "to": "inbox" }), "/actor", "required"),
        (partner, json!({ "to": "decide", "actor": { "id": "u-anna" } }), "/task_id", "required"),
        (partner, json!({ "to": "task", "actor": { "id": "u-anna" } }), "/task_id", "required"),
        (partner, inbox("system"), "/actor/id", "reserved"),
        (partner, but(console("u-anna"), &json!({ "task_id": task })), "/task_id", "not_allowed"),
        (partner, but(inbox("u-anna"), &json!({ "manage": true })), "/manage", "not_allowed"),
        (partner, but(inbox("u-anna"), &json!({ "party": "buyer" })), "/party", "not_allowed"),
        (partner, but(own.clone(), &json!({ "expires_in": "P15D" })), "/expires_in", "out_of_range"),
        (partner, but(own.clone(), &json!({ "session_for": "PT9H" })), "/session_for", "out_of_range"),
        (partner, but(own.clone(), &json!({ "open": "at_once", "expires_in": "PT3M" })), "/expires_in", "out_of_range"),
        (partner, but(own.clone(), &json!({ "language": "?" })), "/language", "invalid_value"),
        (partner, but(own.clone(), &json!({ "time_zone": "Mars" })), "/time_zone", "invalid_value"),
        (partner, but(own.clone(), &json!({ "who": "me" })), "/who", "unknown_field"),
        (platform, but(own.clone(), &json!({ "party": "partner" })), "/party", "not_allowed"),
        (platform, but(own.clone(), &json!({ "party": "buyer" })), "/actor", "not_allowed"),
        (platform, json!({ "to": "inbox", "party": "buyer" }), "/task_id", "required"),
        (platform, json!({ "to": "console", "party": "buyer", "task_id": task }), "/to", "not_allowed"),
        (buyer, inbox("u-anna"), "/actor", "not_allowed"),
        (buyer, json!({ "to": "console" }), "/to", "not_allowed"),
    ] {
        let answer = client.call("POST", "/api/v1/links", &body).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, &error["pointer"], &error["code"]),
            (422, &json!(pointer), &json!(rule)),
            "{body}: {}",
            answer.text
        );
    }
    let unknown = parties.partner.call("POST", "/api/v1/links", &decide(&new_id(), "u-anna")).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_link_that_could_decide_nothing_is_not_made() {
    let parties = Parties::start().await;
    let stage = |key: &str, more: Value| but(json!({ "key": key, "name": key, "buyer_label": key }), &more);
    let definition = json!({ "name": "Under test", "stages": [
        stage("a", json!({ "submission": "required", "reviewers": ["u-anna", "u-bo"], "escalation": { "to": ["platform"] } })),
        stage("b", json!({ "reviewer": "buyer" })),
    ] });
    parties.register("w", &definition).await;
    let task = parties.open("w").await;
    let partner = &parties.partner;
    let why = async |client: &Client, link: Value| {
        let answer = client.call("POST", "/api/v1/links", &link).await;
        assert_eq!((answer.status, code(&answer)), (409, "nothing_to_decide"), "{link}: {}", answer.text);
        text(&answer.body["why"])
    };
    assert_eq!(why(partner, decide(&task, "u-anna")).await, "not_waiting");
    partner.done(&task, &submit("u-anna")).await;
    assert_eq!(why(partner, decide(&task, "u-chi")).await, "not_a_reviewer");
    assert_eq!(why(&parties.buyer, json!({ "to": "decide", "task_id": task })).await, "wrong_party");
    // Who may only send back gets a link.
    make(partner, &decide(&task, "u-anna")).await;
    let escalated = make(partner, &decide(&task, "u-bo")).await;
    partner.done(&task, &escalate(at("a", 1, 1), "u-bo", "platform")).await;
    assert_eq!(state(partner, &escalated.id).await, "held");
    assert_eq!(why(partner, decide(&task, "u-bo")).await, "wrong_party");
    make(&parties.platform, &decide(&task, "ops-1")).await;
    parties.platform.done(&task, &json!({ "type": "cancellation_requested", "reason": "x", "immediate": true })).await;
    assert_eq!(why(partner, decide(&task, "u-bo")).await, "not_waiting");
    assert_eq!(state(partner, &escalated.id).await, "withdrawn");
}

#[tokio::test]
async fn without_a_public_url_no_link_is_made() {
    let parties = Parties::start().await;
    let app = App::with_options(parties.service.db.pool.clone(), parties.service.clock.clone(), Options::default());
    let router = Service::router_of(&Arc::new(app)).await;
    let answer = parties.partner.at(&router).call("POST", "/api/v1/links", &inbox("u-anna")).await;
    assert_eq!((answer.status, code(&answer)), (503, "no_public_url"));
}

#[tokio::test]
async fn each_party_lists_reads_and_ends_its_own_links() {
    let parties = Parties::start().await;
    let (task, other) = (parties.open_in_legal().await, parties.open_in_legal().await);
    let partners = make(&parties.partner, &decide(&task, "u-anna")).await;
    let anna = make(&parties.partner, &inbox("u-anna")).await;
    let bo = make(&parties.partner, &decide(&other, "u-bo")).await;
    let buyers = make(&parties.platform, &json!({ "to": "task", "task_id": task, "party": "buyer" })).await;
    let platforms = make(&parties.platform, &inbox("ops-1")).await;
    let list = async |client: &Client, query: &str| -> Vec<String> {
        let page = client.read(&format!("/api/v1/links{query}")).await;
        page["items"].as_array().unwrap().iter().map(|link| text(&link["id"])).collect()
    };
    assert_eq!(list(&parties.partner, "").await, [&*bo.id, &*anna.id, &*partners.id]);
    assert_eq!(list(&parties.partner, "?actor=u-anna").await, [&*anna.id, &*partners.id]);
    assert_eq!(list(&parties.partner, &format!("?task_id={task}")).await, [&*partners.id]);
    assert_eq!(list(&parties.buyer, "").await, [&*buyers.id]);
    assert_eq!(list(&parties.platform, "").await, [&*platforms.id, &*buyers.id]);
    assert!(list(&parties.another_partner().await, "").await.is_empty());
    assert!(list(&parties.another_buyer(), "").await.is_empty());
    let page = parties.partner.read("/api/v1/links?limit=2").await;
    let cursor = text(&page["next"]);
    assert_eq!(list(&parties.partner, &format!("?limit=2&cursor={cursor}")).await, [&*partners.id]);
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-bo")).await;
    assert_eq!(list(&parties.partner, "?state=decided").await, [&*partners.id]);
    assert_eq!(list(&parties.partner, "?state=open").await, [&*bo.id, &*anna.id]);
    // Nobody else's.
    for (client, id) in [(&parties.buyer, &partners.id), (&parties.platform, &anna.id), (&parties.partner, &buyers.id)]
    {
        for method in ["GET", "DELETE"] {
            assert_eq!(client.call(method, &format!("/api/v1/links/{id}"), &Value::Null).await.status, 404);
        }
    }
    for _ in 0..2 {
        let ended = parties.buyer.call("DELETE", &format!("/api/v1/links/{}", buyers.id), &Value::Null).await;
        assert_eq!(ended.status, 204);
    }
    let read = parties.buyer.read(&format!("/api/v1/links/{}", buyers.id)).await;
    assert_eq!((&read["state"], &read["made_by"]), (&json!("ended"), &Value::Null));
}

#[tokio::test]
async fn a_person_or_a_task_loses_its_links_at_once() {
    let parties = Parties::start().await;
    let (task, other) = (parties.open_in_legal().await, parties.open_in_legal().await);
    let of_anna = [decide(&task, "u-anna"), decide(&other, "u-anna"), inbox("u-anna")];
    let mut links = Vec::new();
    for link in &of_anna {
        links.push(make(&parties.partner, link).await);
    }
    let session = opened(&parties.service.app, &links[2]).await;
    let bo = make(&parties.partner, &decide(&task, "u-bo")).await;
    let buyers = make(&parties.platform, &json!({ "to": "task", "task_id": task, "party": "buyer" })).await;
    let revoke = async |client: &Client, body: Value| client.call("POST", "/api/v1/links/revoke", &body).await;
    let (bound, _) = key(&parties, &json!({ "actors": ["u-bo"] })).await;
    let refused = revoke(&bound, json!({ "actor_id": "u-anna" })).await;
    assert_eq!((refused.status, code(&refused)), (403, "key_actor"));
    let (reader, _) = key(&parties, &json!({ "scopes": ["read"] })).await;
    assert_eq!(code(&revoke(&reader, json!({ "actor_id": "u-anna" })).await), "key_scope");
    // An inbox that has expired still has its session.
    parties.pass(1);
    assert_eq!(revoke(&parties.partner, json!({ "actor_id": "u-anna" })).await.body, json!({ "ended": 3 }));
    assert_eq!(revoke(&parties.partner, json!({ "actor_id": "u-anna" })).await.body, json!({ "ended": 0 }));
    for link in &links {
        assert_eq!(state(&parties.partner, &link.id).await, "ended");
    }
    assert!(parties.service.app.links.visit(session.secret.reveal()).await.unwrap().is_none());
    assert_eq!(state(&parties.partner, &bo.id).await, "open");
    assert_eq!(revoke(&parties.platform, json!({ "task_id": task })).await.body, json!({ "ended": 1 }));
    assert_eq!(state(&parties.platform, &buyers.id).await, "ended");
    assert_eq!(revoke(&bound, json!({ "task_id": task })).await.body, json!({ "ended": 1 }));
    assert_eq!(revoke(&parties.partner, json!({ "task_id": new_id() })).await.status, 404);
    for (client, body, pointer) in [
        (&parties.partner, json!({}), ""),
        (&parties.partner, json!({ "actor_id": "u-a", "task_id": task }), "/task_id"),
        (&parties.buyer, json!({ "actor_id": "u-a" }), "/actor_id"),
    ] {
        let answer = revoke(client, body).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{}", answer.text);
    }
    // What the partner's trail says, in which only what reaches far is recorded.
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let about: Vec<(String, Value)> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["type"].as_str().unwrap().starts_with("partner.link"))
        .map(|row| (text(&row["type"]), row["data"].clone()))
        .collect();
    let created = json!({ "link_id": links[2].id, "to": "inbox", "actor": "u-anna", "manage": false, "expires_at": "2027-01-15T08:15:00Z" });
    assert_eq!(
        about,
        [
            ("partner.link_created".to_owned(), created),
            ("partner.links_revoked".to_owned(), json!({ "actor": "u-anna", "links": 3 })),
            ("partner.links_revoked".to_owned(), json!({ "task_id": task, "links": 1 })),
        ]
    );
}
