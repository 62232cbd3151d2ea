//! More than can be done: refused at once, with a word on when to come back, and nothing is lost of what was accepted.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use stagegate::app::App;

use crate::harness::commands::update;
use crate::harness::database::{TestDb, connect};
use crate::harness::parties::{Parties, code};
use crate::harness::service::router_with_heartbeat;

#[tokio::test]
async fn a_command_that_there_is_no_room_for_is_told_to_come_back() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let app = App::new(parties.service.db.pool.clone(), parties.service.clock.clone()).with_room_for_writes(0);
    let router = router_with_heartbeat(&Arc::new(app), Duration::from_secs(15)).await;
    let answer = parties.partner.at(&router).send(&id, &update("Anybody?")).await;
    assert_eq!((answer.status, code(&answer)), (503, "overloaded"), "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(parties.trail(&id).await.len(), 2, "nothing was done");
    parties.partner.at(&router).read(&format!("/api/v1/tasks/{id}")).await;
}

// On one thread, so that all stand in line before the first is served.
#[tokio::test(flavor = "current_thread")]
async fn a_line_before_the_database_that_is_too_long_is_refused_at_once() {
    let db = TestDb::new().await;
    // With the limits of the service, those at the end of the line would be refused on a busy machine, too.
    let pool = connect(&db.owner, 1).await;
    let asked = (0..70).map(|_| sqlx::query_scalar::<_, i32>("select 1").fetch_optional(&pool));
    let answers = join_all(asked).await;
    // One is served, 64 wait for their turn.
    assert!(answers[..65].iter().all(|answer| matches!(answer, Ok(Some(1)))), "{answers:?}");
    assert!(answers[65..].iter().all(|answer| matches!(answer, Err(sqlx::Error::PoolTimedOut))), "{answers:?}");
    assert!(sqlx::query_scalar::<_, i32>("select 1").fetch_optional(&pool).await.is_ok());
}
