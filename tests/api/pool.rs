//! The connections that serve, and the one that migrates.

use sqlx::{Connection as _, PgConnection};
use stagegate::store::pool;

use crate::harness::database::TestDb;

#[tokio::test]
async fn serving_connections_have_the_serving_role_and_time_limits() {
    let db = TestDb::new().await;
    for (setting, expected) in [
        ("role", "stagegate_app"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("application_name", "stagegate"),
    ] {
        let value: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&db.pool).await.unwrap();
        assert_eq!(value, expected, "{setting}");
    }
}

#[tokio::test]
async fn the_serving_role_makes_no_tables() {
    let db = TestDb::new().await;
    let error = sqlx::query("create table public.mine (n int)").execute(&db.pool).await.unwrap_err();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap().into_owned();
    assert_eq!(code, "42501", "insufficient_privilege");
}

#[tokio::test]
async fn a_database_knows_whether_it_is_migrated() {
    let db = TestDb::new().await;
    assert!(pool::is_migrated(&db.pool).await.unwrap());
    let mut owner = db.owner().await;
    sqlx::query("delete from _sqlx_migrations").execute(&mut owner).await.unwrap();
    assert!(!pool::is_migrated(&db.pool).await.unwrap());
    sqlx::query("drop table _sqlx_migrations").execute(&mut owner).await.unwrap();
    assert!(!pool::is_migrated(&db.pool).await.unwrap());
}

#[tokio::test]
async fn two_processes_may_migrate_at_the_same_moment() {
    let empty = TestDb::empty().await;
    let (first, second) = tokio::join!(pool::migrate(&empty), pool::migrate(&empty));
    first.unwrap();
    second.unwrap();
    let mut connection = PgConnection::connect_with(&empty).await.unwrap();
    let applied: i64 =
        sqlx::query_scalar("select count(*) from _sqlx_migrations").fetch_one(&mut connection).await.unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), pool::MIGRATOR.iter().count());
}

#[test]
fn a_bad_url_is_not_quoted() {
    for url in ["mysql://root:planted@h/d", "postgres://root:planted@h:port/d", "planted"] {
        let error = pool::parse_url(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}
