//! What ends a link and its sessions: the key that made it, an erasure, and time.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::domain::link::{Agent, LinkState};
use stagegate::domain::values::id::CredentialId;
use stagegate::worker::erasures::Erasures;
use stagegate::worker::links::Links;

use crate::harness::commands::{cancel, with};
use crate::harness::parties::Parties;
use crate::harness::waiting::until;

use super::{closed, console, decide, inbox, key, make, not_open, opened, state};

async fn is_over(app: &App, secret: &str) -> bool {
    app.links.visit(secret).await.unwrap().is_none()
}

#[tokio::test]
async fn a_revoked_key_ends_what_it_vouched_for_on_every_replica() {
    let parties = Parties::start().await;
    let here = &parties.service.app;
    let there = Arc::new(App::new(parties.service.db.pool.clone(), parties.service.clock.clone()));
    let task = parties.open_in_legal().await;
    let (client, id) = key(&parties, &Value::Null).await;
    let mut secrets = Vec::new();
    let mut links = Vec::new();
    for link in [decide(&task, "u-anna"), inbox("u-anna"), console("u-anna")] {
        let made = make(&client, &link).await;
        secrets.push(opened(here, &made).await.secret);
        links.push(made);
    }
    for (app, secret) in secrets.iter().flat_map(|secret| [(here, secret), (&there, secret)]) {
        assert!(!is_over(app, secret.reveal()).await, "both replicas know the session");
    }
    let path = format!("/api/v1/partners/{}/keys/{id}", parties.partner_id);
    assert_eq!(parties.platform.call("DELETE", &path, &Value::Null).await.status, 204);
    for (secret, link) in secrets.iter().zip(&links) {
        assert!(is_over(here, secret.reveal()).await, "at once on the replica that revoked the key");
        until("the other replica ends the session", async || is_over(&there, secret.reveal()).await).await;
        for app in [here, &there] {
            assert_eq!(closed(&app.links.look(&link.voucher).await.unwrap()), Some(LinkState::Ended));
            assert_eq!(not_open(&app.links.open(&link.voucher, Agent::Other).await), Some(LinkState::Ended));
        }
        assert_eq!(state(&parties.partner, &link.id).await, "ended");
    }
}

#[tokio::test]
async fn a_platform_key_that_is_no_longer_configured_vouches_for_nobody() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let task = parties.open_in_legal().await;
    let ops = make(&parties.platform, &inbox("ops-1")).await;
    let buyers = make(&parties.platform, &json!({ "to": "task", "task_id": task, "party": "buyer" })).await;
    let own = make(&parties.buyer, &json!({ "to": "task", "task_id": task })).await;
    let secrets = [opened(app, &ops).await.secret, opened(app, &buyers).await.secret];
    let kept = opened(app, &own).await.secret;
    app.links.set_platform_credentials([CredentialId::parse("platform-other").unwrap()]);
    for secret in &secrets {
        assert!(is_over(app, secret.reveal()).await);
    }
    assert_eq!(state(&parties.platform, &ops.id).await, "ended");
    assert!(!is_over(app, kept.reveal()).await, "a buyer vouches for itself");
}

#[tokio::test]
async fn an_erasure_clears_the_persons_links() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let task = parties.open_in_legal().await;
    let person = json!({ "id": "u-anna", "name": "SECRET Anna", "role": "SECRET counsel" });
    let anna = make(&parties.partner, &json!({ "to": "inbox", "actor": person })).await;
    let bo = make(&parties.partner, &decide(&task, "u-bo")).await;
    let buyers = make(&parties.platform, &json!({ "to": "task", "task_id": task, "party": "buyer" })).await;
    let secrets = [opened(app, &anna).await.secret, opened(app, &buyers).await.secret];
    for body in [
        json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-anna", "reason": "x" }),
        json!({ "party": "buyer", "actor_id": parties.buyer_id, "reason": "x" }),
    ] {
        let asked = parties.platform.call("POST", "/api/v1/erasures", &body).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
    }
    let now = parties.service.clock.now();
    parties.service.clock.set(now + chrono::TimeDelta::minutes(5));
    let worker = Erasures::new(Arc::clone(app));
    worker.run_due().await.unwrap();
    for secret in &secrets {
        assert!(is_over(app, secret.reveal()).await);
    }
    let read = parties.partner.read(&format!("/api/v1/links/{}", anna.id)).await;
    assert_eq!((&read["actor"], &read["state"]), (&Value::Null, &json!("ended")));
    assert_eq!(state(&parties.platform, &buyers.id).await, "ended");
    assert_eq!(state(&parties.partner, &bo.id).await, "open");
    let mut owner = parties.service.db.owner().await;
    for table in ["links", "partner_events"] {
        let query = format!("select coalesce(string_agg(t::text, ''), '') from {table} t");
        let stored: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut owner).await.unwrap();
        assert!(!stored.contains("SECRET") && !stored.contains("u-anna"), "{table}: {stored}");
    }
}

#[tokio::test]
async fn links_and_sessions_end_with_their_time() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let start = parties.service.clock.now();
    let after = |minutes: i64| parties.service.clock.set(start + chrono::TimeDelta::minutes(minutes));
    let task = parties.open_in_legal().await;
    let made = make(&parties.partner, &decide(&task, "u-anna")).await;
    let (idle, used) = (opened(app, &made).await.secret, opened(app, &made).await.secret);
    for minutes in [20, 40] {
        after(minutes);
        assert!(!is_over(app, used.reveal()).await, "{minutes}");
    }
    assert!(is_over(app, idle.reveal()).await, "half an hour without a request");
    after(59);
    assert!(!is_over(app, used.reveal()).await);
    after(60);
    assert!(is_over(app, used.reveal()).await, "an hour, however much it is used");
    after(72 * 60 - 1);
    assert_eq!(closed(&app.links.look(&made.voucher).await.unwrap()), None);
    after(72 * 60);
    assert_eq!(closed(&app.links.look(&made.voucher).await.unwrap()), Some(LinkState::Expired));
    assert_eq!(not_open(&app.links.open(&made.voucher, Agent::Other).await), Some(LinkState::Expired));
    let worker = Links::new(Arc::clone(app));
    after(72 * 60 + 90 * 24 * 60 - 1);
    assert_eq!(worker.step().await.unwrap(), 0);
    after(72 * 60 + 90 * 24 * 60 + 1);
    assert_eq!(worker.step().await.unwrap(), 1);
    let rows: i64 = sqlx::query_scalar("select (select count(*) from links) + (select count(*) from link_sessions)")
        .fetch_one(&parties.service.db.pool)
        .await
        .unwrap();
    assert_eq!(rows, 0, "its sessions go with it");
}

#[tokio::test]
async fn a_link_to_a_task_works_for_thirty_days_after_its_end() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let task = parties.open_in_legal().await;
    let start = parties.service.clock.now();
    let after = |hours: i64| parties.service.clock.set(start + chrono::TimeDelta::hours(hours));
    let at_once = with(cancel(), &json!({ "immediate": true }));
    parties.platform.done(&task, &at_once).await;
    after(5 * 24);
    let month = json!({ "to": "task", "task_id": task, "party": "buyer", "expires_in": "P30D" });
    let made = make(&parties.platform, &month).await;
    after(30 * 24 - 1);
    assert_eq!(closed(&app.links.look(&made.voucher).await.unwrap()), None);
    after(30 * 24);
    assert_eq!(closed(&app.links.look(&made.voucher).await.unwrap()), Some(LinkState::Expired));
    assert_eq!(not_open(&app.links.open(&made.voucher, Agent::Other).await), Some(LinkState::Expired));
}

#[tokio::test]
async fn a_session_ends_on_request_and_disowning_ends_the_link() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let made = make(&parties.partner, &inbox("u-anna")).await;
    let (one, other) = (opened(app, &made).await, opened(app, &made).await);
    for _ in 0..2 {
        app.links.end_session(one.secret.reveal()).await.unwrap();
        assert!(is_over(app, one.secret.reveal()).await);
    }
    assert!(!is_over(app, other.secret.reveal()).await);
    app.links.disown(other.secret.reveal()).await.unwrap();
    assert!(is_over(app, other.secret.reveal()).await);
    assert_eq!(state(&parties.partner, &made.id).await, "ended");
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
    let ended = trail["items"].as_array().unwrap().iter().find(|row| row["type"] == "partner.link_ended").unwrap();
    let by = format!("link:{}/2@{}", made.id, made.body["made_by"].as_str().unwrap());
    assert_eq!((&ended["data"]["link_id"], &ended["credential_id"]), (&json!(made.id), &json!(by)));
}
