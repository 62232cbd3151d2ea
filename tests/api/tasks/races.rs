//! Many at once on a real database: one effect, and everybody is told the same story.

use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::harness::commands::{approve, at, cancel, update, with};
use crate::harness::parties::{Client, Parties, code, new_id};
use crate::harness::service::Answer;

const ONE_STAGE: &str = "one-stage";
const TWO_STAGES: &str = "two-stages";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_decisions_on_one_stage_one_counts() {
    let parties = start().await;
    let id = parties.open(TWO_STAGES).await;
    let clients = replicas(&parties, &parties.partner).await;
    let answers = at_once(50, |n| {
        let (client, id) = (clients[n % 2].clone(), id.clone());
        async move { client.send(&id, &approve(at("a", 1, 0), &format!("u-{n}"))).await }
    })
    .await;
    assert_eq!(count(&answers, 201, ""), 1);
    assert_eq!(count(&answers, 409, "already_decided"), 49, "{:?}", summary(&answers));
    let won = answers.iter().find(|answer| answer.status == 201).unwrap();
    let decision =
        won.body["events"].as_array().unwrap().iter().find(|row| row["type"] == "task.stage_approved").unwrap();
    for lost in answers.iter().filter(|answer| answer.status == 409) {
        assert_eq!(lost.body["decision"]["seq"], decision["seq"]);
    }
    assert_eq!(kinds(&parties, &id, "task.stage_approved").await, 1);
    assert_eq!(kinds(&parties, &id, "task.vote_recorded").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_decisions_on_the_last_stage_one_counts_and_the_others_are_kept_as_late() {
    let parties = start().await;
    let id = parties.open(ONE_STAGE).await;
    let clients = replicas(&parties, &parties.partner).await;
    let answers = at_once(50, |n| {
        let (client, id) = (clients[n % 2].clone(), id.clone());
        async move { client.send(&id, &approve(at("a", 1, 0), &format!("u-{n}"))).await }
    })
    .await;
    assert_eq!(count(&answers, 201, ""), 1);
    assert_eq!(count(&answers, 409, "task_closed"), 49, "{:?}", summary(&answers));
    let late = answers
        .iter()
        .filter(|answer| answer.status == 409)
        .map(|answer| answer.body["recorded"]["seq"].as_u64().unwrap());
    let mut late: Vec<_> = late.collect();
    late.sort_unstable();
    late.dedup();
    assert_eq!(late.len(), 49, "each has a row of its own");
    assert_eq!(kinds(&parties, &id, "task.late_decision_recorded").await, 49);
    assert_eq!(parties.status(&id).await["phase"], "delivery");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_votes_short_of_the_quorum_are_all_counted() {
    let parties = start().await;
    let definition = json!({ "name": "Many", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 50, "rejections": 1 } }] });
    parties.register("many", &definition).await;
    let id = parties.open("many").await;
    let clients = replicas(&parties, &parties.partner).await;
    let answers = at_once(50, |n| {
        let (client, id) = (clients[n % 2].clone(), id.clone());
        async move { client.send(&id, &approve(at("a", 1, 0), &format!("u-{n}"))).await }
    })
    .await;
    assert_eq!(count(&answers, 201, ""), 50, "{:?}", summary(&answers));
    assert_eq!(parties.status(&id).await["phase"], "delivery");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_decision_and_a_cancellation_exactly_one_takes_effect_first() {
    let parties = start().await;
    let (partners, buyers) = (replicas(&parties, &parties.partner).await, replicas(&parties, &parties.buyer).await);
    let mut won = [0, 0];
    for race in 0..200 {
        let id = parties.open(ONE_STAGE).await;
        let answers = at_once(2, |n| {
            let id = id.clone();
            let client = if n == 0 { &partners[race % 2] } else { &buyers[(race / 2) % 2] }.clone();
            let command = if n == 0 { approve(at("a", 1, 0), "u-1") } else { cancel() };
            async move { (n, client.send(&id, &command).await) }
        })
        .await;
        let [(_, approval), (_, cancellation)] = &sorted(answers)[..] else { unreachable!() };
        let phase = parties.status(&id).await["phase"].clone();
        match (approval.status, cancellation.status) {
            (201, 409) => {
                assert_eq!((code(cancellation), &phase), ("task_closed", &json!("delivery")));
                won[0] += 1;
            }
            (409, 201) => {
                assert_eq!((code(approval), &phase), ("task_closed", &json!("cancelled")));
                let recorded = approval.body["recorded"]["seq"].as_u64().unwrap();
                assert_eq!(parties.trail(&id).await.last().unwrap()["seq"], recorded);
                won[1] += 1;
            }
            other => panic!("{other:?}: {} / {}", approval.text, cancellation.text),
        }
    }
    assert_eq!(won[0] + won[1], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_command_from_twenty_connections_has_one_effect_and_one_answer() {
    let parties = start().await;
    let clients = replicas(&parties, &parties.partner).await;
    let (id, closing) = (parties.open(TWO_STAGES).await, parties.open(ONE_STAGE).await);
    let vote = with(approve(at("a", 1, 0), "u-1"), &json!({ "id": new_id() }));
    // One that could be carried out many times, one that decides, one that ends the task.
    for (task, command) in [(&id, with(update("x"), &json!({ "id": new_id() }))), (&id, vote.clone()), (&closing, vote)]
    {
        let before = parties.trail(task).await.len();
        let answers = at_once(20, |n| {
            let (client, id, command) = (clients[n % 2].clone(), task.clone(), command.clone());
            async move { client.send(&id, &command).await }
        })
        .await;
        assert_eq!((count(&answers, 201, ""), count(&answers, 200, "")), (1, 19), "{:?}", summary(&answers));
        for answer in &answers {
            assert_eq!(answer.body, answers[0].body);
            assert_eq!(answer.headers.contains_key("idempotent-replayed"), answer.status == 200);
        }
        let rows = answers[0].body["events"].as_array().unwrap().len();
        assert_eq!(parties.trail(task).await.len(), before + rows, "once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_late_decision_from_twenty_connections_is_kept_once() {
    let parties = start().await;
    let id = parties.open(ONE_STAGE).await;
    parties.buyer.done(&id, &cancel()).await;
    let clients = replicas(&parties, &parties.partner).await;
    let command = with(approve(at("a", 1, 0), "u-1"), &json!({ "id": new_id() }));
    let answers = at_once(20, |n| {
        let (client, id, command) = (clients[n % 2].clone(), id.clone(), command.clone());
        async move { client.send(&id, &command).await }
    })
    .await;
    assert_eq!(count(&answers, 409, "task_closed"), 20, "{:?}", summary(&answers));
    for answer in &answers {
        assert_eq!(without_request_id(&answer.body), without_request_id(&answers[0].body));
    }
    assert_eq!(kinds(&parties, &id, "task.late_decision_recorded").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_openings_with_one_id_one_opens() {
    let parties = start().await;
    let clients = replicas(&parties, &parties.platform).await;
    let opening = parties.opening(&new_id(), ONE_STAGE);
    let answers = at_once(20, |n| {
        let client = clients[n % 2].clone();
        // Every fourth is another task with the same id.
        let opening = if n % 4 == 3 { with(opening.clone(), &json!({ "title": "Other" })) } else { opening.clone() };
        async move { client.call("POST", "/api/v1/tasks", &opening).await }
    })
    .await;
    assert_eq!(count(&answers, 201, ""), 1, "{:?}", summary(&answers));
    let title = answers.iter().find(|answer| answer.status == 201).unwrap().body["title"].clone();
    let same = if title == "Other" { 4 } else { 14 };
    assert_eq!(
        (count(&answers, 200, ""), count(&answers, 409, "task_exists")),
        (same, 19 - same),
        "{:?}",
        summary(&answers)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_registrations_make_versions_without_gaps() {
    let parties = start().await;
    let clients = replicas(&parties, &parties.partner).await;
    let answers = at_once(20, |n| {
        let client = clients[n % 2].clone();
        let definition = one_stage(&format!("Name {}", n / 2));
        async move { client.call("PUT", "/api/v1/workflows/raced", &definition).await }
    })
    .await;
    // The two of one name are one version, unless another came between them.
    let mut made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.body["version"].as_u64().unwrap())
        .collect();
    made.sort_unstable();
    assert_eq!(made, (1..=made.len() as u64).collect::<Vec<_>>(), "{:?}", summary(&answers));
    assert_eq!(count(&answers, 201, "") + count(&answers, 200, ""), 20, "{:?}", summary(&answers));
    assert_eq!(parties.partner.read("/api/v1/workflows/raced").await["latest_version"], made.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_timer_that_two_replicas_handle_takes_effect_once() {
    let parties = start().await;
    let id = parties.open("brand-campaign").await;
    parties.pass(14 * 24);
    let task = stagegate::domain::values::id::TaskId(id.parse().unwrap());
    let handled = at_once(10, |_| {
        let app = Arc::clone(&parties.service.app);
        async move { app.tasks.commands.tick(task).await.unwrap() }
    })
    .await;
    assert_eq!(handled.iter().filter(|handled| **handled).count(), 1);
    assert_eq!(kinds(&parties, &id, "task.workflow_expired").await, 1);
}

async fn start() -> Parties {
    let parties = Parties::start().await;
    parties.register(ONE_STAGE, &one_stage("One")).await;
    let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": key });
    parties.register(TWO_STAGES, &json!({ "name": "Two", "stages": [stage("a"), stage("b")] })).await;
    parties
}

fn one_stage(name: &str) -> Value {
    json!({ "name": name, "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] })
}

/// The client at two replicas with connections enough to race.
pub async fn replicas(parties: &Parties, client: &Client) -> [Client; 2] {
    [client.at(&parties.service.wide_replica(10).await), client.at(&parties.service.wide_replica(10).await)]
}

/// Starts all at one moment, and gives what came of each.
pub async fn at_once<F, T>(many: usize, each: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (barrier, mut racers) = (Arc::new(Barrier::new(many)), JoinSet::new());
    for n in 0..many {
        let (barrier, racer) = (Arc::clone(&barrier), each(n));
        racers.spawn(async move {
            barrier.wait().await;
            racer.await
        });
    }
    racers.join_all().await
}

pub fn sorted(mut answers: Vec<(usize, Answer)>) -> Vec<(usize, Answer)> {
    answers.sort_by_key(|(n, _)| *n);
    answers
}

pub fn count(answers: &[Answer], status: u16, expected: &str) -> usize {
    answers.iter().filter(|answer| answer.status == status && code(answer) == expected).count()
}

pub fn summary(answers: &[Answer]) -> Vec<(u16, &str)> {
    answers.iter().map(|answer| (answer.status, code(answer))).collect()
}

async fn kinds(parties: &Parties, id: &str, kind: &str) -> usize {
    parties.trail(id).await.iter().filter(|row| row["type"] == kind).count()
}

fn without_request_id(body: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    body
}
