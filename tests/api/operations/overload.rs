//! More than can be done: refused at once, with a word on when to come back, and nothing is lost of what was accepted.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::AssertSqlSafe;
use stagegate::app::{App, Options};

use crate::harness::commands::update;
use crate::harness::database::{TestDb, connect};
use crate::harness::parties::{Parties, code};
use crate::harness::service::router_with_heartbeat;
use crate::harness::waiting::until;

#[tokio::test]
async fn a_command_that_there_is_no_room_for_is_told_to_come_back() {
    let parties = Parties::start().await;
    let id = parties.open("brand-campaign").await;
    let options = Options { write_capacity: Some(0), ..Options::default() };
    let app = App::with_options(parties.service.db.pool.clone(), parties.service.clock.clone(), options);
    let router = router_with_heartbeat(&Arc::new(app), Duration::from_secs(15)).await;
    let answer = parties.partner.at(&router).send(&id, &update("Anybody?")).await;
    assert_eq!((answer.status, code(&answer)), (503, "overloaded"), "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(parties.trail(&id).await.len(), 2, "nothing was done");
    parties.partner.at(&router).read(&format!("/api/v1/tasks/{id}")).await;
}

#[tokio::test]
async fn a_line_before_the_database_that_is_too_long_is_refused_at_once() {
    let db = TestDb::new().await;
    let pool = connect(&db.owner, 1).await;
    // The only session waits for a lock until the test releases it, however slow the machine is.
    for setting in ["statement_timeout", "lock_timeout"] {
        sqlx::query(AssertSqlSafe(format!("set {setting} = 0"))).execute(&pool).await.unwrap();
    }
    let mut owner = db.owner().await;
    sqlx::query("select pg_advisory_lock(1)").execute(&mut owner).await.unwrap();
    let ask = |statement: &'static str| {
        let pool = pool.clone();
        tokio::spawn(async move { sqlx::query(statement).execute(&pool).await.map(drop) })
    };
    let served = ask("select pg_advisory_xact_lock(1)");
    until("the session is taken", async || pool.usage().in_use == 1 && pool.usage().waiting == 0).await;
    let waiting: Vec<_> = (0..64).map(|_| ask("select 1")).collect();
    until("64 wait", async || pool.usage().waiting == 64).await;

    for _ in 0..5 {
        let refused = sqlx::query("select 1").execute(&pool).await;
        assert!(matches!(refused, Err(sqlx::Error::PoolTimedOut)), "{refused:?}");
    }
    assert_eq!(pool.usage().refused, 5);

    sqlx::query("select pg_advisory_unlock(1)").execute(&mut owner).await.unwrap();
    for answer in join_all(std::iter::once(served).chain(waiting)).await {
        answer.unwrap().unwrap();
    }
    sqlx::query("select 1").execute(&pool).await.unwrap();
}
