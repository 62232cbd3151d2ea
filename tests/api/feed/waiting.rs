//! Readers that wait for the feed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stagegate::app::App;
use stagegate::http::input::deadline::TimeLimits;
use stagegate::http::{AppState, HttpService, Settings};
use tokio::task::JoinSet;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::audit::transparency_log::settle;
use crate::harness::commands::update;
use crate::harness::parties::{Parties, text};
use crate::harness::service::{PLATFORM_KEY, Service};
use crate::harness::waiting::until;
use crate::status::waiting::run;
use crate::store::statements::Statements;

use super::Copy;

#[tokio::test]
async fn waiting_ends_with_an_event_and_with_its_time() {
    let parties = Parties::start().await;
    run(&parties.service.app);
    let id = parties.open("brand-campaign").await;
    let mut copy = Copy::default();
    copy.catch_up(&parties, &parties.partner).await;
    // Nothing comes: the answer has nothing, and the cursor goes on from where it is.
    let before = copy.clone();
    assert!(!copy.read(&parties.partner, "wait=1").await);
    assert_eq!((copy.items.len(), &copy.cursor), (before.items.len(), &before.cursor));
    // Something comes, at this replica or at another one.
    let other = Service::replica(&parties.service.db, &parties.service.clock).await;
    for writer in [parties.partner.clone(), parties.partner.at(&other)] {
        let (path, reader) = (copy.path("wait=55"), parties.partner.clone());
        let waiting = tokio::spawn(async move { reader.read(&path).await });
        writer.done(&id, &update("news")).await;
        let page = waiting.await.unwrap();
        assert_eq!(page["items"][0]["type"], "task.status_updated", "{page}");
        copy.cursor = Some(text(&page["next"]));
    }
    // The service stops: an answer at once, to go on from elsewhere.
    let (path, reader) = (copy.path("wait=55"), parties.partner.clone());
    let waiting = tokio::spawn(async move { reader.read(&path).await });
    tokio::task::yield_now().await;
    parties.service.app.drain();
    let page = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it goes on waiting").unwrap();
    assert_eq!((&page["items"], &page["next"]), (&json!([]), &json!(copy.cursor)));
}

// On one thread, to which the log of statements is confined.
#[tokio::test(flavor = "current_thread")]
async fn what_one_owner_writes_costs_nothing_for_those_who_wait_for_others() {
    let parties = Parties::start().await;
    let app = run(&parties.service.app);
    let task = parties.open("brand-campaign").await;
    let mut quiet = JoinSet::new();
    for partners in 1..=5 {
        let stranger = parties.another_partner().await;
        for _ in 0..60 {
            let reader = stranger.clone();
            quiet.spawn(async move { reader.read("/api/v1/events?wait=55").await });
        }
        until_waiting(&app, 60 * partners).await;
    }
    let mut copy = Copy::default();
    copy.catch_up(&parties, &parties.partner).await;

    let statements = Statements::default();
    // As in `statements`: with two subscribers, all call sites ask whether anybody listens.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    for _ in 0..3 {
        let (path, reader) = (copy.path("wait=55"), parties.partner.clone());
        let waiting = tokio::spawn(async move { reader.read(&path).await });
        until_waiting(&app, 301).await;
        parties.partner.done(&task, &update("news")).await;
        let page = waiting.await.unwrap();
        assert_eq!(page["items"][0]["type"], "task.status_updated", "{page}");
        copy.cursor = Some(text(&page["next"]));
    }
    let sent = statements.take();
    drop(log);
    let count = |search: &str| sent.iter().filter(|statement| statement.contains(search)).count();
    let (looks, pages) = (count("/* search: tasks and owners in the feed */"), count("/* search: feed */"));
    assert!(looks >= 3, "{sent:#?}");
    assert!((6..=12).contains(&pages), "of the one whose events they are, and of no other: {pages}");
    assert!(sent.len() < 300, "{} statements", sent.len());
    app.drain();
    while let Some(page) = quiet.join_next().await {
        assert_eq!(page.unwrap()["items"], json!([]));
    }
}

/// Until so many requests wait for the feed.
async fn until_waiting(app: &App, readers: usize) {
    until("they wait", async || app.feed.tail.count() == readers).await;
}

#[tokio::test]
async fn waiting_is_not_cut_by_the_time_limit_of_requests() {
    let parties = Parties::start().await;
    settle(&parties).await;
    let app = Arc::new(App::new(parties.service.db.pool.clone(), parties.service.clock.clone()));
    let limits = TimeLimits { request: Duration::from_millis(500), ..TimeLimits::default() };
    let settings = Settings { platform_keys: vec![PLATFORM_KEY.into()], limits, ..Settings::default() };
    let router = HttpService::new(AppState::new(app, settings).await.unwrap());
    let page = parties.platform.at(&router).read("/api/v1/events?wait=2").await;
    assert_eq!(page["items"], json!([]));
}
