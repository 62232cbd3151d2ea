//! What the roles may do to the trail, whatever a bug asks for.

use sqlx::error::DatabaseError;
use sqlx::{Executor, Postgres};

use super::world::{World, submit};

#[tokio::test]
async fn the_serving_role_changes_nothing_that_was_recorded() {
    let world = World::new().await;
    let task_id = world.open(0).await;
    world.play(task_id, &submit(), 1).await;
    for statement in [
        "update task_events set personal = '{}'",
        "update task_events set hash = hash",
        "delete from task_events",
        "truncate task_events",
        "truncate tasks cascade",
        "delete from tasks",
        "update workflow_versions set format = 1",
        "delete from workflow_versions",
        "delete from workflows",
        "alter table task_events disable trigger all",
        "update audit_leaves set head = head",
        "delete from audit_leaves",
        "truncate audit_leaves",
        "update audit_nodes set hash = hash",
        "delete from audit_nodes",
        "truncate audit_nodes",
        "update audit_checkpoints set note = note",
        "delete from audit_checkpoints",
        "truncate audit_checkpoints",
        "update partner_events set personal = '{}'",
        "update partner_events set hash = hash",
        "delete from partner_events",
        "truncate partner_events",
        "truncate partners cascade",
        "update partners set name = 'x'",
        "update partners set id = id",
        "delete from erasures",
        "truncate erasures cascade",
        "delete from erasure_partners",
        "delete from webhook_endpoints",
        "delete from webhook_deliveries",
        "truncate webhook_deliveries",
        "update webhook_notices set reason = reason",
        "delete from webhook_notices",
        "update stage_facts set rounds = 1",
        "delete from stage_facts",
        "truncate stage_facts",
        "delete from stage_facts_start",
    ] {
        assert_denied(&world.db.pool, statement).await;
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from task_events").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(kept, 3);
}

#[tokio::test]
async fn the_erasing_role_reaches_the_personal_column_alone() {
    let world = World::new().await;
    world.open(0).await;
    let mut owner = world.db.owner().await;
    sqlx::query("set role stagegate_erasure").execute(&mut owner).await.unwrap();
    for statement in [
        "update task_events set data = '{}'",
        "update task_events set personal = '{}', hash = hash",
        "delete from task_events",
        "insert into task_events select * from task_events",
        "update task_events set entry = ''",
        "update task_events set seq = 9",
        "truncate task_events",
        "update tasks set title = null",
        "select * from tasks",
        "select * from erasures",
        "update partners set name = 'x'",
        "update partner_events set personal = '{}', hash = hash",
        "update partner_events set data = '{}'",
        "delete from partner_events",
        "select * from api_keys",
    ] {
        assert_denied(&mut owner, statement).await;
    }
    let erased = sqlx::query("update task_events set personal = '{}' where seq = 1").execute(&mut owner).await.unwrap();
    assert_eq!(erased.rows_affected(), 1);
}

async fn assert_denied<'c>(database: impl Executor<'c, Database = Postgres>, statement: &'static str) {
    let error = sqlx::query(statement).execute(database).await.unwrap_err();
    let code = error.as_database_error().and_then(DatabaseError::code);
    assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
}
