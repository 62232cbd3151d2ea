//! A cell moves to another server while it is written to, by the steps of `docs/operations.md`.

use std::collections::BTreeSet;

use serde_json::Value;
use stagegate::embedded::Postgres;

use super::{NOBODY, is_wanted};
use crate::harness::cells::{Gateway, end_of, replica, replica_with};
use crate::harness::database::{query, scratch_options};
use crate::harness::load::{Load, Target};
use crate::harness::process::{self, addresses};
use crate::harness::servers::free_port;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::standby::Standby;

/// Acknowledgements after which the load is under way.
const UNDER_WAY: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_moves_while_it_is_written_to_loses_and_doubles_nothing() {
    if !is_wanted() {
        return;
    }
    let old = Postgres::start(&scratch_options(), "eu1").await.unwrap();
    let other = Postgres::start(&scratch_options(), "us1").await.unwrap();
    let (programs, data) = (old.bin_dir().to_owned(), old.data_dir().to_owned());
    let (url, database, later) = (Gateway::plan(), old.url("eu1"), format!("127.0.0.1:{}", free_port()));
    // As in production: the gateway sees that the replica is about to stop before it does.
    let drains = ("STAGEGATE_DRAIN_DELAY", "3");
    let mut service = replica_with(&[drains], "eu1", &database, &url);
    let mut neighbour = replica("us1", &other.url("us1"), &url);
    let (_, address) = addresses(&mut service).await;
    let (_, beside) = addresses(&mut neighbour).await;
    // The gateway knows the place of the new replica, which is not there yet.
    let gateway = Gateway::start(url.clone(), [&address, &later, &beside, NOBODY], "").await;
    let target = Target::prepare_in(&gateway.url, Some("eu1")).await;
    let undisturbed = Target::prepare_in(&gateway.url, Some("us1")).await;
    let load = Load::start(&target, 8).await;
    load.go_on(UNDER_WAY).await;
    let before = read(&target, "").await;
    assert!(before.0.len() > UNDER_WAY / 2, "a feed to continue");

    // The steps.
    let standby = Standby::of(&old, "eu1", &[]).await;
    load.go_on(UNDER_WAY).await;
    process::terminate(&mut service).await;
    load.refused(503).await;
    undisturbed.open().await;
    assert!(old.stop().await.unwrap(), "nobody else uses the old server");
    standby.reach(&end_of(&programs, &data).await).await;
    standby.promote().await;
    let mut service = replica_with(&[("STAGEGATE_LISTEN", &later)], "eu1", &standby.url(&database), &url);
    load.go_on(UNDER_WAY).await;

    let histories = load.finish().await;
    let answers: BTreeSet<u16> = histories.iter().flat_map(|history| history.answers.keys().copied()).collect();
    assert!(answers.contains(&503), "the writers were refused meanwhile");
    assert!(answers.is_subset(&BTreeSet::from([200, 201, 503])), "{answers:?}");
    assert_eq!(query(&standby.options, "select name from cell").await, "eu1");

    // Who continues from the cursor gets the rest; who begins anew gets the same as before, and the rest.
    let (rest, all) = (read(&target, &before.1).await.0, read(&target, "").await.0);
    assert!(!rest.is_empty());
    assert_eq!([before.0, rest].concat(), all);
    process::terminate(&mut service).await;
    process::terminate(&mut neighbour).await;
    other.stop().await.unwrap();
}

/// The ids of all events after a cursor, and the cursor after them.
async fn read(target: &Target, after: &str) -> (Vec<Value>, String) {
    let (mut ids, mut after) = (Vec::new(), after.to_owned());
    loop {
        let from = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let path = format!("/api/v1/events?limit=100{from}");
        let (status, page) = target.send("GET", &path, PLATFORM_KEY, &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{page}");
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        page["next"].as_str().unwrap().clone_into(&mut after);
        if page["more"] == false {
            return (ids, after);
        }
    }
}
