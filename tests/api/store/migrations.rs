//! How migrations are sent.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};
use stagegate::store::db::connect;

use crate::harness::database::TestDb;

#[tokio::test]
async fn migrations_are_sent_one_statement_at_a_time() {
    let options = TestDb::empty().await;
    let mut owner = PgConnection::connect_with(&options).await.unwrap();
    let spy = "create table sent (query text);
        create function note() returns event_trigger language plpgsql as
            $$ begin insert into public.sent values (current_query()); end $$;
        create event trigger note on ddl_command_end execute function note()";
    sqlx::raw_sql(spy).execute(&mut owner).await.unwrap();
    connect::migrate(&options).await.unwrap();
    sqlx::raw_sql("drop event trigger note").execute(&mut owner).await.unwrap();
    let sent: Vec<String> = sqlx::query_scalar("select distinct query from sent").fetch_all(&mut owner).await.unwrap();
    assert!(sent.len() > 100, "{}", sent.len());
    for message in sent {
        // Postgres refuses to prepare several commands.
        let prepared = owner.prepare(AssertSqlSafe(message.clone()).into_sql_str()).await;
        assert!(prepared.is_ok(), "{message}");
        // Citus refuses a constraint together with anything else.
        let alters = message.to_lowercase().contains("alter table");
        let adds =
            ["add constraint", "add column", " check ("].map(|what| message.to_lowercase().matches(what).count());
        assert!(!alters || matches!(adds, [0, _, 0] | [1, 0, _]), "{message}");
    }
    owner.close().await.unwrap();
}
