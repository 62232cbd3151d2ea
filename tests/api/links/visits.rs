//! Looking and opening: nothing is spent by looking, and no link opens more often than it may.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stagegate::app::links::{OpenError, Standing};
use stagegate::app::{App, Error};
use stagegate::domain::link::{Agent, LinkState, NewLink, OpenMode, SessionSecret, Voucher};
use stagegate::domain::values::id::TaskId;

use crate::harness::parties::{Parties, code};

use super::{approval, but, decide, inbox, make, not_open, opened, send, state};

#[tokio::test]
async fn looking_at_a_link_a_thousand_times_changes_nothing() {
    let parties = Parties::start().await;
    let links = &parties.service.app.links;
    let task = parties.open_in_legal().await;
    let made = make(&parties.partner, &decide(&task, "u-anna")).await;
    let before = parties.service.db.versions_of_every_row().await;
    for _ in 0..1_000 {
        let standing = links.look(&made.voucher).await.unwrap();
        assert!(matches!(&standing, Standing::Open(link) if link.open == OpenMode::Click), "{standing:?}");
    }
    assert_eq!(parties.service.db.versions_of_every_row().await, before);
    opened(&parties.service.app, &made).await;
    for unknown in ["", "sgl_", &made.voucher[1..], Voucher::from_random(None, &[7; 32]).reveal()] {
        assert_eq!(links.look(unknown).await.unwrap(), Standing::Unknown);
    }
    for unknown in ["", &made.voucher, SessionSecret::from_random(None, &[7; 32]).reveal()] {
        assert!(links.visit(unknown).await.unwrap().is_none());
    }
}

/// Opens a link fifty times at once, ten times on each of five replicas. Returns how often it
/// opened.
async fn open_fifty_times(parties: &Parties, voucher: &str) -> usize {
    let mut attempts = Vec::new();
    for _ in 0..5 {
        let app = Arc::new(App::new(parties.service.db.pool.clone(), parties.service.clock.clone()));
        for _ in 0..10 {
            let (app, voucher) = (Arc::clone(&app), voucher.to_owned());
            attempts.push(tokio::spawn(async move { app.links.open(&voucher, Agent::Chrome).await }));
        }
    }
    let mut ordinals = Vec::new();
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(opened) => ordinals.push(opened.visit.ordinal),
            other => assert_eq!(not_open(&other), Some(LinkState::Expired), "{other:?}"),
        }
    }
    ordinals.sort_unstable();
    assert!(ordinals.iter().copied().eq(1..=u16::try_from(ordinals.len()).unwrap()), "{ordinals:?}");
    ordinals.len()
}

#[tokio::test]
async fn fifty_openings_at_once_open_a_link_as_often_as_it_opens() {
    let parties = Parties::start().await;
    for (open, times) in [("click", 5), ("at_once", 1)] {
        let made = make(&parties.partner, &but(inbox("u-anna"), &json!({ "open": open }))).await;
        assert_eq!(open_fifty_times(&parties, &made.voucher).await, times, "{open}");
        let read = parties.partner.read(&format!("/api/v1/links/{}", made.id)).await;
        assert_eq!((&read["openings"], &read["state"]), (&json!(times), &json!("expired")));
        assert_eq!(read["opened"].as_array().unwrap().len(), times);
        assert_eq!(read["opened"][0]["agent"], "chrome");
    }
}

#[tokio::test]
async fn tries_links_pages_and_commands_are_limited_by_the_clock() {
    let parties = Parties::start().await;
    let (app, clock) = (&parties.service.app, &parties.service.clock);
    let made = make(&parties.partner, &inbox("u-anna")).await;
    let visit = opened(app, &made).await.visit;
    for _ in 0..4 {
        opened(app, &made).await;
    }
    // It is spent now, which is said five times more in this minute.
    for _ in 0..5 {
        assert_eq!(not_open(&app.links.open(&made.voucher, Agent::Other).await), Some(LinkState::Expired));
    }
    let tried = app.links.open(&made.voucher, Agent::Other).await;
    assert!(matches!(tried, Err(OpenError::TooMany(wait)) if wait == Duration::from_secs(6)), "{tried:?}");
    let pages = (0..200).filter(|_| app.links.admit_page(&visit).is_ok()).count();
    let commands = (0..200).filter(|_| app.links.admit_command(&visit).is_ok()).count();
    assert_eq!((pages, commands), (120, 30));
    clock.set(clock.now() + chrono::TimeDelta::seconds(2));
    assert!(app.links.admit_page(&visit).is_ok() && app.links.admit_command(&visit).is_ok());
    // Requests for links count whatever becomes of them.
    let nothing: NewLink = NewLink {
        kind: stagegate::domain::link::LinkKind::Decide,
        task_id: Some(TaskId(uuid::Uuid::nil())),
        actor: visit.actor.clone(),
        party: None,
        open: OpenMode::Click,
        expires_in: None,
        session_for: None,
        manage: true,
        language: None,
        time_zone: None,
    };
    let ops = make(&parties.platform, &inbox("ops-1")).await;
    let caller = opened(app, &ops).await.visit.caller;
    let mut made = 0;
    while !matches!(app.links.issue(&caller, nothing.clone()).await, Err(Error::TooManyRequests(_))) {
        made += 1;
    }
    // With the one above, by the key that vouches for the session.
    assert_eq!(made, 599);
    let refused = parties.platform.call("POST", "/api/v1/links", &inbox("ops-1")).await;
    assert_eq!((refused.status, code(&refused)), (429, "too_many_requests"));
    assert_eq!(refused.headers["retry-after"], "1");
    make(&parties.partner, &inbox("u-anna")).await;
    clock.set(clock.now() + chrono::TimeDelta::seconds(1));
    make(&parties.platform, &inbox("ops-1")).await;
}

#[tokio::test]
async fn a_session_that_reaches_as_far_stays_and_is_an_opening_all_the_same() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let made = make(&parties.partner, &inbox("u-anna")).await;
    let visit = opened(app, &made).await.visit;
    // A session that reaches as far stays; each is an opening all the same.
    for _ in 0..4 {
        app.links.open_within(&made.voucher, Agent::Safari, &visit).await.unwrap();
    }
    let read = parties.partner.read(&format!("/api/v1/links/{}", made.id)).await;
    assert_eq!((read["openings"].as_u64(), read["opened"].as_array().unwrap().len()), (Some(5), 5));
    let task = parties.open_in_legal().await;
    let other = make(&parties.partner, &decide(&task, "u-bo")).await;
    for _ in 0..20 {
        let within = app.links.open_within(&other.voucher, Agent::Safari, &visit).await;
        assert!(matches!(within, Err(OpenError::NotOpen(Standing::Open(_)))), "another person's session");
    }
    // The same person's inbox covers a link to one of its tasks.
    let own = make(&parties.partner, &decide(&task, "u-anna")).await;
    app.links.open_within(&own.voucher, Agent::Safari, &visit).await.unwrap();
}

#[tokio::test]
async fn a_link_is_over_when_its_decision_is_made_and_no_transition_writes_to_it() {
    let parties = Parties::start().await;
    let app = &parties.service.app;
    let stage =
        json!({ "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 2, "rejections": 1 } });
    parties.register("w", &json!({ "name": "Under test", "stages": [stage] })).await;
    let task = parties.open("w").await;
    let (anna, bo) =
        (make(&parties.partner, &decide(&task, "u-anna")).await, make(&parties.partner, &decide(&task, "u-bo")).await);
    let (first, second) = (opened(app, &anna).await.visit, opened(app, &bo).await.visit);
    let links = async || -> String {
        let query = "select string_agg(format('%s %s', ctid, xmin), ' ' order by id) from links";
        sqlx::query_scalar(query).fetch_one(&parties.service.db.pool).await.unwrap()
    };
    let before = links().await;
    send(app, &first, &task, approval()).await.unwrap();
    for link in [&anna, &bo] {
        assert_eq!(state(&parties.partner, &link.id).await, "open", "one vote of two");
    }
    parties.partner.done(&task, &json!({ "type": "held", "reason": "x" })).await;
    assert_eq!(state(&parties.partner, &bo.id).await, "held");
    assert!(matches!(app.links.look(&bo.voucher).await.unwrap(), Standing::Open(_)), "it shows the task");
    parties.partner.done(&task, &json!({ "type": "resumed" })).await;
    send(app, &second, &task, approval()).await.unwrap();
    for link in [&anna, &bo] {
        assert_eq!(state(&parties.partner, &link.id).await, "decided");
        assert_eq!(not_open(&app.links.open(&link.voucher, Agent::Other).await), Some(LinkState::Decided));
    }
    assert_eq!(links().await, before, "no transition wrote to a link");
}
