//! What deliveries must withstand: many workers, services that are killed, attempts that nobody settles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use stagegate::domain::values::id::{EndpointId, TaskId};
use stagegate::domain::values::time::Time;
use stagegate::domain::webhook::{DeliveryState, EndpointKey, Owner};
use stagegate::store::webhooks::deliveries::{Line, Settled, settle, take};
use stagegate::worker::deliveries::Deliveries;
use tokio::time::timeout;

use crate::harness::commands::update;
use crate::harness::process;
use crate::harness::receiver::{Received, Receiver, Reply};
use crate::harness::service::PLATFORM_KEY;
use crate::harness::waiting::PATIENCE;

use super::world::{World, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_with_eight_workers_send_everything_once_and_in_order() {
    let world = World::start().await;
    let receivers = [Receiver::accepting().await, Receiver::accepting().await];
    world.set(&world.parties.partner, "a", &receivers[0]).await;
    world.set(&world.parties.platform, "a", &receivers[1]).await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(world.open().await);
    }
    let replicas = [world.replica(4).await, world.replica(4).await];
    let workers: Vec<Deliveries> = (0..8).map(|number| Deliveries::new(Arc::clone(&replicas[number % 2]))).collect();
    let write = async {
        for task in &tasks {
            for message in ["one", "two", "three"] {
                world.parties.partner.done(task, &update(message)).await;
            }
        }
    };
    let send = async || join_all(workers.iter().map(|worker| async { worker.run_due().await.unwrap() })).await;
    tokio::join!(write, send());
    send().await;
    for receiver in &receivers {
        for task in &tasks {
            assert_eq!(receiver.seqs(task), [1, 2, 3, 4, 5]);
        }
        assert_eq!(receiver.received().len(), 100, "each once");
    }
}

#[tokio::test]
async fn what_a_killed_worker_had_taken_is_sent_by_another_and_its_result_does_not_count() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    world.set(&world.parties.platform, "a", &receiver).await;
    let id = world.open().await;
    let (pool, now) = (&world.parties.service.db.pool, world.parties.service.clock.now());
    let endpoint = EndpointKey { owner: Owner::Platform, id: EndpointId::parse("a").unwrap() };
    let line = Line { task_id: TaskId(id.parse().unwrap()), endpoint };
    let lost = take(pool, &line, now, now + seconds(30)).await.unwrap().unwrap();
    assert_eq!((lost.seq, lost.attempt), (1, 1));
    assert_eq!(world.send().await, 0, "it may still be under way");
    world.pass(seconds(29));
    assert_eq!(world.send().await, 0);
    world.pass(seconds(1));
    assert_eq!(world.send().await, 2);
    assert_eq!(receiver.seqs(&id), [1, 2]);
    let failed = Settled { state: DeliveryState::Failed, due_at: None, attempts: &[], answer: None };
    assert_eq!(settle(pool, &line, &lost, (failed, now)).await.unwrap(), None);
    assert_eq!(world.states(&world.parties.platform, "a").await, ["delivered", "delivered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_the_answer_that_is_under_way() {
    let world = World::start().await;
    let receiver = Receiver::start(Reply::WhenLetGo).await;
    world.set(&world.parties.partner, "a", &receiver).await;
    let app = Arc::clone(&world.parties.service.app);
    let worker = Deliveries::new(Arc::clone(&app));
    let running = tokio::spawn(async move { worker.run().await });
    world.open().await;
    receiver.wait_for(1).await;
    app.drain();
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    receiver.let_go();
    timeout(PATIENCE, running).await.unwrap().unwrap();
    assert_eq!(world.states(&world.parties.partner, "a").await, ["delivered", "pending"]);
}

/// Sixteen writers at one service, whose deliveries another one makes, which is killed again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_that_is_killed_again_and_again_loses_nothing_and_invents_nothing() {
    const WRITERS: usize = 16;
    let world = World::start().await;
    // Long ago, so that everything is due for whoever goes by the machine's clock.
    world.parties.service.clock.set(Time::from_micros(1_600_000_000_000_000));
    let receivers = [Receiver::accepting().await, Receiver::accepting().await];
    world.set(&world.parties.partner, "a", &receivers[0]).await;
    world.set(&world.parties.platform, "b", &receivers[1]).await;
    let tasks = join_all((0..WRITERS).map(|_| world.open())).await;
    let url = sqlx::ConnectOptions::to_url_lossy(&world.parties.service.db.owner).to_string();
    let arguments = format!(
        "serve --log error --listen 127.0.0.1:0 --platform-keys {PLATFORM_KEY} --webhook-allow-private true --timers false \
         --pool-size 4 --database-url {url}"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let writers: Vec<_> = tasks
        .iter()
        .map(|task| {
            let (partner, task) = (world.parties.partner.clone(), task.clone());
            tokio::spawn(async move {
                for number in 0..30 {
                    partner.done(&task, &update(&format!("update {number}"))).await;
                }
            })
        })
        .collect();
    for kill in 1..=4 {
        let mut service = process::stagegate(&arguments, Path::new("/nonexistent"));
        receivers[0].wait_for(60 * kill).await;
        // SIGKILL.
        service.kill().await.unwrap();
        // Its leases end.
        world.execute("update webhook_deliveries set due_at = recorded_at where state = 'pending'").await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut service = process::stagegate(&arguments, Path::new("/nonexistent"));
    let pending = "select count(*) from webhook_deliveries where state = 'pending'";
    timeout(PATIENCE, async { while world.count(pending).await > 0 {} }).await.unwrap();
    process::address(&mut service).await;
    process::terminate(&mut service).await;
    assert_eq!(world.count("select count(*) from webhook_deliveries where state <> 'delivered'").await, 0);
    for receiver in &receivers {
        assert_complete(receiver, &tasks);
    }
    // What came is what was recorded.
    let trail = world.parties.trail(&tasks[0]).await;
    assert_eq!(trail.len(), 32);
    let told = receivers[1].received();
    for entry in &trail {
        let came = told.iter().map(Received::body).find(|body| body["event"]["hash"] == entry["hash"]).unwrap();
        assert_eq!(came["event"], *entry);
    }
}

/// Every event of these tasks came, in order by its first arrival, and no others.
fn assert_complete(receiver: &Receiver, tasks: &[String]) {
    let mut first_times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (task, seq) in receiver.places() {
        if seen.insert((task.clone(), seq)) {
            first_times.entry(task).or_default().push(seq);
        }
    }
    for task in tasks {
        assert_eq!(first_times[task], (1..=32).collect::<Vec<_>>());
    }
    assert_eq!(first_times.len(), tasks.len());
}
