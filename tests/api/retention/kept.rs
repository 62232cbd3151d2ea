//! What keeps a task: its rows stay as long as anything may still happen to it.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::world::World;

#[tokio::test]
async fn what_was_recorded_late_keeps_a_task_for_another_period() {
    let world = World::start().await;
    let task = world.cancel().await;
    world.pass(20);
    world.decide_late(&task).await;
    world.log().await;
    world.pass(11);
    assert_eq!(world.run().await, 0);
    world.pass(20);
    assert_eq!(world.run().await, 1);
}

#[tokio::test]
async fn an_end_that_no_checkpoint_covers_keeps_a_task() {
    let world = World::start().await;
    world.deliver().await;
    world.pass(31);
    assert_eq!(world.run().await, 0);
    world.log().await;
    assert_eq!(world.run().await, 1);
}

#[tokio::test]
async fn what_an_enabled_webhook_is_still_to_receive_keeps_a_task() {
    let world = World::start().await;
    let parties = &world.parties;
    parties.partner.call("PUT", "/api/v1/webhooks/first", &json!({ "url": "http://127.0.0.1:9/hook" })).await;
    world.deliver().await;
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 0);
    world.execute("update webhook_endpoints set state = 'disabled', disabled_reason = 'failing'").await;
    assert_eq!(world.run().await, 1, "what a disabled one has missed for so long is given up");
    parties.partner.call("DELETE", "/api/v1/webhooks/first", &Value::Null).await;
}

#[tokio::test]
async fn a_damaged_trail_stays_and_the_others_go() {
    let world = World::start().await;
    let (damaged, sound) = (world.deliver().await, world.deliver().await);
    world.log().await;
    world.execute(&format!("update task_events set data = '{{}}' where task_id = '{damaged}' and seq = 3")).await;
    world.pass(31);
    assert_eq!(world.run().await, 1);
    assert_eq!((world.rows("tasks", &damaged).await, world.rows("tasks", &sound).await), (1, 0));
    assert_eq!(world.files(), [world.name(&sound).await], "the file that does not verify is removed");
    assert_eq!(world.scalar("select count(*) from archive_writes").await, 0);
}

/// What the serving role can delete, whatever a bug asks for.
#[tokio::test]
async fn nothing_is_deleted_without_a_file_that_ends_where_the_trail_does() {
    let world = World::start().await;
    let (task, open) = (world.deliver().await, world.parties.open_in_legal().await);
    world.log().await;
    let pool = &world.parties.service.db.pool;
    let call = async |task: &str, head: &str| -> i64 {
        let query = format!(
            "select count(*) from archive_tasks('{WRITER}', array['{task}'::uuid], array[(select version from tasks where task_id = '{task}')],
                 array[{head}], array['f'], array[sha256('')], array[1::bigint], now())",
            head = head.replace("HEAD", &format!("(select head_hash from tasks where task_id = '{task}')")),
        );
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(pool).await.unwrap()
    };
    assert_eq!(call(&task, "HEAD").await, 0, "no file was announced");
    for id in [&task, &open] {
        world.execute(&format!("insert into archive_writes values ('{id}', 'f', '{WRITER}')")).await;
    }
    assert_eq!(call(&task, "sha256(HEAD)").await, 0, "another end");
    assert_eq!(call(&open, "HEAD").await, 0, "it is open");
    world.execute("update archive_writes set holder = gen_random_uuid()").await;
    assert_eq!(call(&task, "HEAD").await, 0, "another process writes its file");
    assert_eq!(world.scalar("select count(*) from tasks").await, 2);
    for statement in [
        "delete from tasks",
        "delete from task_events",
        "insert into archived_tasks select * from archived_tasks",
        "update archived_tasks set file = 'x'",
        "delete from archived_tasks",
        "delete from archived_actors",
        "delete from erasure_archived_tasks",
        "update feed_starts set removals = 9",
        "update archive_secrets set secret = secret",
    ] {
        let error = sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{statement}");
    }
}

const WRITER: &str = "0199aa00-0000-7000-8000-0000000000f7";
