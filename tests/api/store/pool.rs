//! The connections that serve, and the one that migrates.

use sqlx::{Connection as _, PgConnection};
use stagegate::store::db::connect;
use stagegate::store::db::probe::{Fitness, Probe};
use stagegate::store::{Limits, Pool};

use crate::harness::commands::{approve, at};
use crate::harness::database::TestDb;
use crate::harness::parties::Parties;
use crate::harness::service::Service;
use crate::harness::waiting::until;

#[tokio::test]
async fn serving_connections_have_the_serving_role_and_time_limits() {
    let db = TestDb::new().await;
    for (setting, expected) in [
        ("role", "stagegate_app"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("application_name", "stagegate"),
        ("jit", "off"),
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
    assert_eq!(look(&db.pool).await, Fitness::Fit);
    let mut owner = db.owner().await;
    sqlx::query("delete from _sqlx_migrations").execute(&mut owner).await.unwrap();
    assert_eq!(look(&db.pool).await, Fitness::NotMigrated);
    sqlx::query("drop table _sqlx_migrations").execute(&mut owner).await.unwrap();
    assert_eq!(look(&db.pool).await, Fitness::NotMigrated);
}

#[tokio::test]
async fn a_connection_that_may_change_the_trail_is_noticed() {
    let db = TestDb::new().await;
    // As behind a pooler that drops start-up options.
    let owner = Pool::new(db.owner.clone(), 1, Limits::default());
    assert_eq!(look(&owner).await, Fitness::NotConfined);
}

async fn look(pool: &Pool) -> Fitness {
    Probe::beside(pool).look().await.unwrap()
}

#[tokio::test]
async fn two_processes_may_migrate_at_the_same_moment() {
    let empty = TestDb::empty().await;
    let (first, second) = tokio::join!(connect::migrate(&empty), connect::migrate(&empty));
    first.unwrap();
    second.unwrap();
    let mut connection = PgConnection::connect_with(&empty).await.unwrap();
    let applied: i64 =
        sqlx::query_scalar("select count(*) from _sqlx_migrations").fetch_one(&mut connection).await.unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), connect::MIGRATOR.iter().count());
}

#[test]
fn a_bad_url_is_not_quoted() {
    let several = ["postgres://u:planted@a,b/d", "postgres://u:planted@a:1,b:2/d", "postgres://u:planted@h/d?host=a,b"];
    for url in several {
        assert!(matches!(connect::parse_url(url), Err(connect::Error::SeveralHosts)), "{url}");
    }
    assert!(connect::parse_url("postgres://u:a,b@h/d?options=-c%20search_path%3Da,b").is_ok());
    for url in ["mysql://root:planted@h/d", "postgres://root:planted@h:port/d", "planted"].into_iter().chain(several) {
        let error = connect::parse_url(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}

#[tokio::test]
async fn a_connection_goes_from_statement_to_statement() {
    let db = TestDb::new().await;
    let first = session(&db).await.unwrap();
    for _ in 0..20 {
        assert_eq!(session(&db).await.unwrap(), first);
    }
}

#[tokio::test]
async fn statements_that_nobody_waits_for_any_more_leave_the_pool_whole() {
    let db = TestDb::new().await;
    let mut given_up = Vec::new();
    for _ in 0..8 {
        let pool = db.pool.clone();
        given_up.push(tokio::spawn(async move { sqlx::query("select pg_sleep(0.2)").execute(&pool).await }));
    }
    tokio::task::yield_now().await;
    for statement in given_up {
        statement.abort();
    }
    let all = (0..20).map(|_| session(&db));
    for session in futures_util::future::join_all(all).await {
        session.unwrap();
    }
}

#[tokio::test]
async fn sessions_that_the_server_ended_are_replaced() {
    let db = TestDb::new().await;
    // All connections wait in the pool.
    let slow = (0..4).map(|_| sqlx::query("select pg_sleep(0.05)").execute(&db.pool));
    for done in futures_util::future::join_all(slow).await {
        done.unwrap();
    }
    let mut owner = db.owner().await;
    let ended = "select pg_terminate_backend(pid, 10000) from pg_stat_activity
         where datname = current_database() and application_name = 'stagegate'";
    assert_eq!(sqlx::query(ended).execute(&mut owner).await.unwrap().rows_affected(), 4);
    // The first to notice finds its connection gone, or was told by the server; then no dead one is left.
    drop(session(&db).await);
    for _ in 0..8 {
        session(&db).await.unwrap();
    }
}

#[tokio::test]
async fn readers_that_take_all_they_can_get_leave_connections_to_commands() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    // It has read neither the key nor the definition nor the task.
    let replica = Service::replica(&parties.service.db, &parties.service.clock).await;
    let mut owner = parties.service.db.owner().await;
    sqlx::query("select pg_advisory_lock(1)").execute(&mut owner).await.unwrap();
    // More than there are connections and places in the line before them.
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let pool = parties.service.db.pool.clone();
        readers.spawn(async move { sqlx::query("select pg_advisory_lock_shared(1)").execute(&pool).await });
    }
    until("one is refused", async || parties.service.db.pool.usage().refused > 0).await;
    parties.partner.at(&replica).done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    readers.shutdown().await;
}

#[tokio::test]
async fn a_closed_pool_keeps_no_connection() {
    let db = TestDb::new().await;
    session(&db).await.unwrap();
    db.pool.close().await;
    assert!(matches!(session(&db).await, Err(sqlx::Error::PoolClosed)));
    let mut owner = db.owner().await;
    let left = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend'";
    // A session that was told to end takes a moment.
    while sqlx::query_scalar::<_, i64>(left).fetch_one(&mut owner).await.unwrap() > 0 {}
}

async fn session(db: &TestDb) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(&db.pool).await
}

/// What statements rely on, whatever the server, the database, the role and the URL have as their defaults.
#[tokio::test]
async fn inherited_settings_change_nothing() {
    let db = TestDb::new().await;
    let mut owner = db.owner().await;
    let hostile = [
        ("default_transaction_isolation", "serializable", "read committed"),
        ("default_transaction_deferrable", "on", "off"),
        ("synchronous_commit", "off", "on"),
        ("timezone", "Asia/Kolkata", "UTC"),
        ("datestyle", "SQL, DMY", "ISO, MDY"),
        ("intervalstyle", "iso_8601", "postgres"),
        ("standard_conforming_strings", "off", "on"),
        ("bytea_output", "escape", "hex"),
        ("extra_float_digits", "-15", "2"),
        ("client_encoding", "LATIN1", "UTF8"),
        ("jit", "on", "off"),
        ("statement_timeout", "1ms", "5s"),
        ("lock_timeout", "1ms", "2s"),
        ("idle_session_timeout", "1ms", "0"),
        ("plan_cache_mode", "force_custom_plan", "auto"),
        ("client_min_messages", "debug5", "warning"),
        ("role", "pg_monitor", "stagegate_app"),
    ];
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut owner).await.unwrap();
    for (setting, bad, _) in hostile.iter().filter(|(setting, ..)| !["role", "idle_session_timeout"].contains(setting))
    {
        let set = format!("alter database {name} set {setting} = '{bad}'");
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut owner).await.unwrap();
    }
    let by_url = db.owner.clone().options(hostile.map(|(setting, bad, _)| (setting, bad)));
    for options in [db.owner.clone(), by_url] {
        let pool = connect::connect(&options, 1).await.unwrap();
        for (setting, _, expected) in hostile {
            let value: String =
                sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
            assert_eq!(value, expected, "{setting}");
        }
    }
}

#[tokio::test]
async fn an_operators_stricter_durability_stays() {
    let db = TestDb::new().await;
    let strict = db.owner.clone().options([("synchronous_commit", "remote_apply")]);
    let pool = connect::connect(&strict, 1).await.unwrap();
    let value: String =
        sqlx::query_scalar("select current_setting('synchronous_commit')").fetch_one(&pool).await.unwrap();
    assert_eq!(value, "remote_apply");
}

#[tokio::test]
async fn an_older_build_starts_on_a_newer_schema_and_not_on_a_changed_one() {
    let db = TestDb::new().await;
    let mut owner = db.owner().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (999999, 'of a newer build', true, '', 0)";
    sqlx::query(newer).execute(&mut owner).await.unwrap();
    connect::migrate(&db.owner).await.unwrap();
    assert_eq!(look(&db.pool).await, Fitness::Fit);
    sqlx::query("update _sqlx_migrations set checksum = 'x' where version = 1").execute(&mut owner).await.unwrap();
    let refused = connect::migrate(&db.owner).await.unwrap_err();
    assert!(matches!(refused, connect::Error::Migrate(sqlx::migrate::MigrateError::VersionMismatch(1))), "{refused:?}");
}
