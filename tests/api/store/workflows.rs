//! Registering, finding, listing and retiring workflows.

use serde_json::json;
use stagegate::domain::partner::event::{record, register};
use stagegate::domain::values::id::{PartnerId, WorkflowKey};
use stagegate::domain::workflow::Workflow;
use stagegate::ids;
use stagegate::store::audit::partner_events::{self, Append};
use stagegate::store::workflows;

use super::world::{KEY, World, definition, key, minute, parse, platform};

fn named(name: &str) -> Workflow {
    let mut definition = definition();
    definition["name"] = json!(name);
    parse(&definition)
}

#[tokio::test]
async fn the_same_definition_again_is_no_new_version() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let register = async |workflow: &Workflow, minutes| world.register(world.partner, KEY, workflow, minutes).await;
    assert_eq!(register(&world.workflow, 1).await, (1, false));
    assert_eq!(register(&named("B"), 2).await, (2, true));
    assert_eq!(register(&world.workflow, 3).await, (3, true), "only the latest counts");

    let first = workflows::find(pool, world.partner, &key(KEY), Some(1)).await.unwrap().unwrap();
    assert_eq!((first.version, first.latest_version, first.created_at), (1, 3, minute(0)));
    assert_eq!((&first.workflow, first.digest), (&world.workflow, world.workflow.digest()));
    let latest = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!((latest.version, latest.created_at, latest.retired_at), (3, minute(3), None));
    for (partner, name, version) in [
        (PartnerId(ids::new()), KEY, None),
        (world.partner, "none", None),
        (world.partner, KEY, Some(4)),
        (world.partner, KEY, Some(u32::MAX)),
    ] {
        assert_eq!(workflows::find(pool, partner, &key(name), version).await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_two_that_read_the_same_end_of_the_trail_one_writes() {
    let world = World::new().await;
    let (pool, fresh, workflow) = (&world.db.pool, key("fresh"), named("A"));
    let workflows::Registry { known, workflows, end } =
        workflows::find_registered(pool, world.partner, &fresh).await.unwrap().unwrap();
    let (version, facts) = register(known, workflows, &fresh, workflow.digest()).unwrap();
    let events = record(Some(end.latest), &platform(), facts, minute(1));
    let append = Append::new(world.partner, Some(&end), &events, ids::random);
    let save = async || workflows::save(pool, (&fresh, version), &workflow, &append).await.unwrap();
    assert!(save().await);
    assert!(!save().await, "the trail has moved on");
    assert!(!workflows::retire(pool, &key(KEY), &append).await.unwrap());
    assert!(!partner_events::insert(pool, &append).await.unwrap());
    let found = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!(found.retired_at, None, "who writes no event does nothing");
    assert_eq!(partner_events::find_end(pool, world.partner).await.unwrap(), Some(append.end()));
}

#[tokio::test]
async fn a_retired_key_is_brought_back_by_registering() {
    let world = World::new().await;
    let pool = &world.db.pool;
    world.retire(KEY, 1).await;
    let retired = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!(retired.retired_at, Some(minute(1)));
    assert_eq!(world.register(world.partner, KEY, &world.workflow, 3).await, (1, true));
    let found = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!((found.version, found.retired_at), (1, None));
}

#[tokio::test]
async fn a_list_holds_the_latest_versions_of_one_partner() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let other = PartnerId(ids::new());
    world.add_partner(other).await;
    for (partner, name) in [(world.partner, "a"), (world.partner, "z"), (other, "b"), (world.partner, "a")] {
        world.register(partner, name, &named(&ids::new().to_string()), 1).await;
    }
    let page = async |after: Option<WorkflowKey>| {
        let rows = workflows::list(pool, world.partner, after.as_ref(), 2).await.unwrap();
        rows.into_iter().map(|row| (row.key.to_string(), row.version)).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, [("a".to_owned(), 2), (KEY.to_owned(), 1)]);
    assert_eq!(page(Some(key(KEY))).await, [("z".to_owned(), 1)]);
    assert_eq!(page(Some(key("z"))).await, []);
}
