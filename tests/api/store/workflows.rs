//! Registering, finding, listing and retiring workflows.

use futures_util::future::join_all;
use serde_json::json;
use stagegate::domain::id::{PartnerId, WorkflowKey};
use stagegate::domain::workflow::Workflow;
use stagegate::ids;
use stagegate::store::workflows::{self, Registered};

use super::world::{KEY, World, definition, key, minute, parse};

fn named(name: &str) -> Workflow {
    let mut definition = definition();
    definition["name"] = json!(name);
    parse(&definition)
}

#[tokio::test]
async fn the_same_definition_again_is_no_new_version() {
    let world = World::new().await;
    let (pool, id) = (&world.db.pool, (world.partner, &key(KEY)));
    let again = workflows::register(pool, id, &world.workflow, minute(1)).await.unwrap();
    assert_eq!(again, Registered { version: 1, is_new: false });
    let changed = workflows::register(pool, id, &named("B"), minute(2)).await.unwrap();
    assert_eq!(changed, Registered { version: 2, is_new: true });
    let back = workflows::register(pool, id, &world.workflow, minute(3)).await.unwrap();
    assert_eq!(back, Registered { version: 3, is_new: true }, "only the latest counts");

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
async fn racing_registrations_give_versions_in_a_row_or_one_answer() {
    let world = World::new().await;
    let (pool, fresh) = (&world.db.pool, key("fresh"));
    let register = async |workflow: Workflow| {
        workflows::register(pool, (world.partner, &fresh), &workflow, minute(1)).await.unwrap()
    };

    let same = join_all((0..8).map(|_| register(named("A")))).await;
    assert!(same.iter().all(|registered| registered.version == 1));
    assert_eq!(same.iter().filter(|registered| registered.is_new).count(), 1);

    let different = join_all((0..8).map(|n| register(named(&format!("B{n}"))))).await;
    assert!(different.iter().all(|registered| registered.is_new));
    let mut versions: Vec<u32> = different.iter().map(|registered| registered.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_retired_key_is_brought_back_by_registering() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let retire =
        async |name, minutes| workflows::retire(pool, world.partner, &key(name), minute(minutes)).await.unwrap();
    assert_eq!(retire("none", 1).await, None);
    assert_eq!(retire(KEY, 1).await, Some(minute(1)));
    assert_eq!(retire(KEY, 2).await, Some(minute(1)), "again changes nothing");
    let retired = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!(retired.retired_at, Some(minute(1)));
    let back = workflows::register(pool, (world.partner, &key(KEY)), &world.workflow, minute(3)).await.unwrap();
    assert_eq!(back, Registered { version: 1, is_new: false });
    let found = workflows::find(pool, world.partner, &key(KEY), None).await.unwrap().unwrap();
    assert_eq!(found.retired_at, None);
}

#[tokio::test]
async fn a_list_holds_the_latest_versions_of_one_partner() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let other = PartnerId(ids::new());
    world.add_partner(other).await;
    for (partner, name) in [(world.partner, "a"), (world.partner, "z"), (other, "b"), (world.partner, "a")] {
        workflows::register(pool, (partner, &key(name)), &named(&ids::new().to_string()), minute(1)).await.unwrap();
    }
    let page = async |after: Option<WorkflowKey>| {
        let rows = workflows::list(pool, world.partner, after.as_ref(), 2).await.unwrap();
        rows.into_iter().map(|row| (row.key.to_string(), row.version)).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, [("a".to_owned(), 2), (KEY.to_owned(), 1)]);
    assert_eq!(page(Some(key(KEY))).await, [("z".to_owned(), 1)]);
    assert_eq!(page(Some(key("z"))).await, []);
}
