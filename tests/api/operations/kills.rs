//! The service and its Postgres are killed again and again under load: nothing that was acknowledged is lost,
//! nothing comes twice that must come once, and whoever follows by feed or webhook has seen everything.
//!
//! `STAGEGATE_TEST_KILLS` says how often each is killed; a run of `./test` does it twice. A long run, of
//! some five minutes, is `STAGEGATE_TEST_KILLS=20 ./test kills_of_service`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stagegate::embedded::{Options, Postgres};
use tokio::process::Child;
use tokio::time::timeout;

use crate::harness::database::scratch_options;
use crate::harness::load::{History, Load, Target};
use crate::harness::process::{self, Signal, signal};
use crate::harness::receiver::Receiver;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::settings::setting;
use crate::harness::waiting::PATIENCE;

const DATABASE: &str = "stagegate";
const WRITERS: usize = 32;
/// Acknowledgements between two kills.
const BETWEEN: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_service_and_database_lose_and_double_nothing() {
    let options = Options { durable: true, ..scratch_options() };
    let postgres = Arc::new(Postgres::start(&options, DATABASE).await.unwrap());
    let kept = Arc::clone(&postgres);
    let keeper = tokio::spawn(async move { kept.keep_running().await });
    let (mut service, url) = serve(&postgres).await;
    let target = Target::prepare(&url).await;
    let receiver = Receiver::accepting().await;
    let webhook = json!({ "url": receiver.url() });
    let (status, answer) = target.send("PUT", "/api/v1/webhooks/all", &target.partner.1, &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(follow(target.clone(), Arc::clone(&is_over)));

    let load = Load::start(&target, WRITERS).await;
    for _ in 0..kills() {
        load.go_on(BETWEEN).await;
        service.kill().await.unwrap();
        let (next, url) = serve(&postgres).await;
        (service, *target.url.lock().unwrap()) = (next, url);
        load.go_on(BETWEEN).await;
        let postmaster = fs::read_to_string(postgres.data_dir().join("postmaster.pid")).unwrap();
        signal(postmaster.lines().next().unwrap().parse().unwrap(), Signal::KILL);
    }
    load.go_on(BETWEEN).await;
    let histories = load.finish().await;

    let expected = places(&target, &histories).await;
    is_over.store(true, Ordering::SeqCst);
    // The more there is, the longer a reader that fell behind takes.
    let patience = PATIENCE * kills().max(1);
    let fed = timeout(patience, reader).await.unwrap().unwrap();
    assert_eq!(fed.len(), expected.len(), "the feed gives each event once");
    assert_eq!(fed.into_iter().collect::<BTreeSet<_>>(), expected);
    let delivered = async { while receiver.places().into_iter().collect::<BTreeSet<_>>() != expected {} };
    assert!(timeout(patience, delivered).await.is_ok(), "not everything was delivered");
    assert_in_order(&receiver);
    process::terminate(&mut service).await;
    keeper.abort();
    let _ = keeper.await;
    Arc::into_inner(postgres).unwrap().stop().await.unwrap();
}

async fn serve(postgres: &Postgres) -> (Child, String) {
    let url = postgres.url(DATABASE);
    let arguments = ["serve", "--log", "error", "--listen", "127.0.0.1:0", "--platform-keys", PLATFORM_KEY];
    let more = ["--webhook-allow-private", "true", "--database-url", url.as_str()];
    // A service that starts while its database does not answer ends; whoever runs it starts it again.
    loop {
        let mut service = process::stagegate(&[&arguments[..], &more[..]].concat(), Path::new("/nonexistent"));
        if let Some(address) = process::try_address(&mut service).await {
            return (service, format!("http://{address}"));
        }
    }
}

/// Every event of the writers' tasks, as their trails have them.
async fn places(target: &Target, histories: &[History]) -> BTreeSet<(String, u64)> {
    let mut places = BTreeSet::new();
    for History { task, .. } in histories {
        let trail = target.trail(task).await;
        places.extend(trail.iter().map(|entry| (task.clone(), entry["seq"].as_u64().unwrap())));
    }
    places
}

/// Reads the feed to its end once all is over.
async fn follow(target: Target, is_over: Arc<AtomicBool>) -> Vec<(String, u64)> {
    let (mut places, mut after) = (Vec::new(), String::new());
    loop {
        let last = is_over.load(Ordering::SeqCst);
        let path = format!("/api/v1/events?limit=100&wait=1{after}");
        let answered = target.send("GET", &path, &target.partner.1, &Value::Null).await;
        let Some((200, page)) = answered else {
            assert!(matches!(answered, None | Some((503, _))), "{answered:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let items = page["items"].as_array().unwrap();
        places.extend(
            items.iter().map(|item| (item["task_id"].as_str().unwrap().to_owned(), item["seq"].as_u64().unwrap())),
        );
        after = format!("&after={}", page["next"].as_str().unwrap());
        if last && items.is_empty() && page["more"] == false {
            return places;
        }
    }
}

/// The events of each task arrived in their order, by the first arrival of each.
fn assert_in_order(receiver: &Receiver) {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for (task, seq) in receiver.places() {
        let newest = newest.entry(task).or_default();
        assert!(seq <= *newest + 1, "{seq} after {newest}");
        *newest = seq.max(*newest);
    }
}

fn kills() -> u32 {
    setting("STAGEGATE_TEST_KILLS").map_or(2, |kills| kills.parse().unwrap())
}
