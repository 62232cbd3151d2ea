//! What statements read while much is pending, and the database does not know how much: a plan that is slow then
//! would stay for as long as the load does.

use crate::harness::plans::{executed, rows};
use crate::harness::receiver::Receiver;

use super::world::World;

/// A key that every endpoint here belongs to.
const PLATFORM: &str = "'00000000-0000-0000-0000-000000000000'";

#[tokio::test]
async fn endpoints_that_are_busy_are_left_out_by_one_look_at_each() {
    let world = backlog().await;
    let busy: Vec<String> = (1..=500).map(|number| format!("e-{number}")).collect();
    let (owners, busy) = (format!("array_fill({PLATFORM}::uuid, array[500])"), busy.join(","));
    let arguments = format!("now() + interval '10 years', 4, true, {owners}, '{{{busy}}}', '{{}}', 1024");
    let read = rows_read(&world, "/* search: due deliveries */", &arguments).await;
    assert!(read < 100_000.0, "{read} rows");
}

#[tokio::test]
async fn the_rest_of_a_busy_endpoint_is_found_by_reading_as_many_rows_as_are_asked_for() {
    let world = backlog().await;
    let arguments = format!("now() + interval '10 years', array[{PLATFORM}::uuid], '{{a}}', array[256::bigint]");
    let read = rows_read(&world, "/* search: due deliveries of endpoints */", &arguments).await;
    assert!((1.0..2_000.0).contains(&read), "{read} rows");
}

#[tokio::test]
async fn a_head_is_taken_and_settled_without_reading_what_waits_behind_it() {
    let world = backlog().await;
    world.execute("analyze").await;
    let head = sqlx::query_as(
        "select task_id::text, recorded_at::text from webhook_deliveries where seq = 1 and endpoint_id = 'a'",
    );
    let (task, at): (String, String) = head.fetch_one(&mut world.parties.service.db.owner().await).await.unwrap();
    let take = format!("'{task}', {PLATFORM}, 'a', now() + interval '10 years', now()");
    let settle = format!(
        "'{task}', 1, {PLATFORM}, 'a', 1, 0, 'delivered', null, '[]', null, '{at}', 'http://a.example/', now()"
    );
    for (beginning, arguments) in [
        ("update webhook_deliveries delivery set attempt = delivery.attempt + 1", take),
        ("update webhook_deliveries set state = $7", settle),
    ] {
        let read = rows_read(&world, beginning, &arguments).await;
        assert!((1.0..20.0).contains(&read), "{beginning}: {read} rows");
    }
}

#[tokio::test]
async fn what_the_console_shows_of_a_busy_endpoint_costs_what_it_shows() {
    let world = backlog().await;
    world
        .execute(
            "update webhook_deliveries set state = 'failed', due_at = null where endpoint_id = 'a' and seq % 1000 = 0",
        )
        .await;
    world.execute("analyze").await;
    for (search, arguments, most) in [
        ("failed deliveries of an endpoint", "'a', null, null, null, 51", 200.0),
        ("deliveries of an endpoint", "'a', null, null, null, 51, null", 500.0),
        ("latest successes of endpoints", "'{a,e-1,e-2}', 100", 2_000.0),
        ("number of deliveries to send again", "'a', '{failed,pending}', '-infinity', 200", 2_000.0),
        ("backlogs of an owner", "'{a,e-1,e-2}', 100", 2_000.0),
    ] {
        let arguments = format!("{PLATFORM}, {arguments}");
        let read = rows_read(&world, &format!("/* search: {search} */"), &arguments).await;
        assert!((1.0..most).contains(&read), "{search}: {read} rows");
    }
}

/// A thousand endpoints, one line in which 10,000 deliveries are pending, and many short ones.
async fn backlog() -> World {
    let world = World::start().await;
    world.set(&world.parties.platform, "a", &Receiver::accepting().await).await;
    world.open().await;
    for statement in [
        "alter table webhook_deliveries drop constraint webhook_deliveries_event_fkey",
        "insert into webhook_endpoints (owner_id, id, url, state, secret, secret_created_at, created_at, updated_at)
         select owner_id, 'e-' || n, url, state, secret, created_at, created_at, created_at
         from webhook_endpoints, generate_series(1, 1000) n",
        "insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
         select task_id, 100 + n, owner_id, endpoint_id, gen_random_uuid(), recorded_at, recorded_at
         from webhook_deliveries, generate_series(1, 10000) n where seq = 1",
        "insert into webhook_deliveries (task_id, seq, owner_id, endpoint_id, event_id, recorded_at, due_at)
         select md5((n / 5)::text)::uuid, n, owner_id, 'e-' || n % 1000, gen_random_uuid(), recorded_at, recorded_at
         from webhook_deliveries, generate_series(1, 20000) n where seq = 1",
    ] {
        world.execute(statement).await;
    }
    world
}

/// How many rows the steps of a statement pass on or reject.
async fn rows_read(world: &World, beginning: &str, arguments: &str) -> f64 {
    rows(&executed(&world.parties.service.db, beginning, arguments).await)
}
