//! Writing and reading tasks.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;
use stagegate::domain::audit::{Head, Origin, verify};
use stagegate::domain::task::PhaseName;
use stagegate::domain::task::command::{
    Action, CancellationAcknowledged, CancellationRequested, Command, Held, Resumed,
};
use stagegate::domain::task::decide::Input;
use stagegate::domain::task::event::InFlight;
use stagegate::domain::task::snapshot::Snapshot;
use stagegate::domain::values::id::{ActorId, CommandId, StageKey, TaskId};
use stagegate::domain::values::party::Party;
use stagegate::domain::values::text::Message;
use stagegate::ids;
use stagegate::store::Error;
use stagegate::store::tasks::transitions::Outcome;
use stagegate::store::tasks::{self, events};

use super::world::{World, approve, command, escalate, minute, submit, with_id};

fn hold() -> Command {
    command(Party::Platform, "u-pat", Action::Held(Held { reason: Message::parse("Wait").unwrap() }))
}

fn cancel() -> Command {
    let reason = Message::parse("Changed my mind").unwrap();
    command(Party::Buyer, "u-buyer", Action::CancellationRequested(CancellationRequested { reason, immediate: false }))
}

fn acknowledge() -> Command {
    let body = CancellationAcknowledged { in_flight: InFlight::Discarded, notes: None, artifacts: vec![] };
    command(Party::Partner, "u-writer", Action::CancellationAcknowledged(body))
}

#[tokio::test]
async fn every_phase_survives_the_round_trip() {
    let world = World::new().await;
    let resume = command(Party::Platform, "u-pat", Action::Resumed(Resumed {}));
    let (days, hours) = (24 * 60, 60);
    // Without a command it is a tick.
    let stories: [&[(Option<Command>, i64)]; 5] = [
        &[
            (Some(submit()), 1),
            (Some(escalate()), 2),
            (Some(cancel()), 3),
            (Some(acknowledge()), 4),
            (Some(approve("u-anna")), 5),
        ],
        &[(Some(submit()), 1), (Some(hold()), 2), (Some(resume), 3), (Some(approve("u-anna")), 4)],
        &[(Some(submit()), 1), (None, 41 * hours), (None, 49 * hours)],
        &[(None, 14 * days)],
        &[(Some(submit()), 1), (Some(cancel()), 2), (None, 3 * hours)],
    ];
    let mut seen = BTreeSet::new();
    for story in stories {
        let task_id = world.open(0).await;
        let mut snapshot = assert_stored(&world, task_id).await;
        seen.insert(snapshot.task.phase());
        for (command, minutes) in story {
            let written = world.play(task_id, command.as_ref().map_or(Input::Tick, Input::Party), *minutes).await;
            snapshot = assert_stored(&world, task_id).await;
            assert_eq!(&snapshot, written.snapshot());
            seen.insert(snapshot.task.phase());
        }
        assert!(snapshot.task.phase().is_terminal());
    }
    assert_eq!(seen, PhaseName::ALL.into());
}

/// The present, read back, agrees with its trail, and the trail with its chain.
async fn assert_stored(world: &World, task_id: TaskId) -> Snapshot {
    let pool = &world.db.pool;
    let record = world.load(task_id).await;
    let version = record.snapshot.task.version();
    let rows = events::list(pool, task_id, 0, 1000).await.unwrap().rows;
    assert_eq!(rows.len() as u64, version);
    let trail: Vec<_> = rows.iter().map(|row| row.event.clone()).collect();
    assert_eq!(Snapshot::fold(&world.workflow, &trail), Some(record.snapshot.clone().without_tag_secret()));
    assert_eq!(record.metadata.as_ref(), json!({"b": 1, "a": ["ä", 2]}).as_object());
    assert_eq!((record.partner_id, record.buyer_id), (world.partner, world.buyer));

    let origin = Origin { task_id, partner_id: world.partner, buyer_id: world.buyer };
    let head = verify(&origin, rows.iter().map(|row| &row.sealed)).unwrap();
    assert_eq!(head, Head { seq: version, hash: record.head });

    let (_, status) = tasks::list_statuses(pool, &[task_id]).await.unwrap().remove(0);
    let status = status.unwrap();
    assert_eq!(status.json, serde_json::to_string(&record.snapshot.status).unwrap());
    assert_eq!((status.version, status.opened_at), (record.snapshot.status.version, minute(0)));
    record.snapshot
}

#[tokio::test]
async fn of_writers_that_decided_on_the_same_version_one_wins() {
    let world = World::new().await;
    let task_id = world.open(0).await;
    world.play(task_id, &submit(), 1).await;
    let record = world.load(task_id).await;
    let decided: Vec<_> = (0..16).map(|n| world.decide(&record.snapshot, &approve(&format!("u-{n}")), 2)).collect();
    let outcomes = join_all(decided.iter().map(|transition| world.save(&record, transition))).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Saved(_))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stale).count(), 15);
    let snapshot = assert_stored(&world, task_id).await;
    assert_eq!(snapshot.task.phase(), PhaseName::Delivery);
}

#[tokio::test]
async fn a_command_id_works_once_per_party_and_task() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let (task_id, id) = (world.open(0).await, CommandId(ids::new()));
    let written = world.play(task_id, &with_id(&submit(), id), 1).await;
    let (first, last) = (written.events()[0].seq, written.snapshot().task.version());

    let accepted = events::find_by_command(pool, task_id, Party::Partner, id).await.unwrap().unwrap();
    assert_eq!((accepted.digest, accepted.first, accepted.last), ([9; 32], first, last));
    assert_eq!(events::find_by_command(pool, task_id, Party::Buyer, id).await.unwrap(), None);
    assert_eq!(events::find_by_command(pool, TaskId(ids::new()), Party::Partner, id).await.unwrap(), None);

    let record = world.load(task_id).await;
    let again = world.decide(&record.snapshot, &with_id(&approve("u-anna"), id), 2);
    assert_eq!(world.save(&record, &again).await, Outcome::Duplicate);
    assert_eq!(assert_stored(&world, task_id).await, record.snapshot, "the task's own row was not written either");

    let of_another_party = world.decide(&record.snapshot, &with_id(&hold(), id), 2);
    assert!(matches!(world.save(&record, &of_another_party).await, Outcome::Saved(_)));
    let elsewhere = world.open(0).await;
    world.play(elsewhere, &with_id(&submit(), id), 1).await;
}

#[tokio::test]
async fn the_same_task_is_opened_once() {
    let world = World::new().await;
    let task_id = TaskId(ids::new());
    let outcomes = join_all((0..8).map(|n| world.try_open(task_id, n))).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Saved(_))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Stale).count(), 7);
    let record = world.load(task_id).await;
    let trail = events::list(&world.db.pool, task_id, 0, 100).await.unwrap().rows;
    assert_eq!(trail.last().unwrap().sealed.hash, record.head);
    assert_eq!(record.open_digest, [7; 32]);
}

#[tokio::test]
async fn decisions_and_late_decisions_are_found_again() {
    let world = World::new().await;
    let pool = &world.db.pool;
    let task_id = world.open(0).await;
    let stage = StageKey::parse("copy").unwrap();
    world.play(task_id, &submit(), 1).await;
    assert_eq!(events::find_decision(pool, task_id, &stage, 1).await.unwrap(), None);
    world.play(task_id, &cancel(), 2).await;
    let late = world.play(task_id, &approve("u-anna"), 3).await;
    let find = async |party, actor| {
        let actor = ActorId::parse(actor).unwrap();
        events::find_late(pool, task_id, (party, &actor), (&stage, 1)).await.unwrap()
    };
    assert_eq!(find(Party::Partner, "u-anna").await, Some(late.snapshot().task.version()));
    assert_eq!(find(Party::Partner, "u-bo").await, None);
    assert_eq!(find(Party::Platform, "u-anna").await, None);

    let decided = world.open(0).await;
    world.play(decided, &submit(), 1).await;
    let approved = world.play(decided, &approve("u-anna"), 2).await;
    let decision = events::find_decision(pool, decided, &stage, 1).await.unwrap().unwrap();
    assert_eq!(decision.event.fact.kind(), "task.stage_approved");
    assert!(approved.events().contains(&decision.event));
    assert_eq!(events::find_decision(pool, decided, &stage, 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_page_of_the_trail_starts_where_the_one_before_ended() {
    let world = World::new().await;
    let task_id = world.open(0).await;
    let written = world.play(task_id, &submit(), 1).await;
    let page = events::list(&world.db.pool, task_id, 1, 1).await.unwrap().rows;
    assert_eq!(page.iter().map(|row| row.event.seq).collect::<Vec<_>>(), [2]);
    let version = written.snapshot().task.version();
    assert_eq!(events::list(&world.db.pool, task_id, version, 10).await.unwrap().rows, []);
}

#[tokio::test]
async fn what_a_newer_build_wrote_is_left_alone() {
    let world = World::new().await;
    let task_id = world.open(0).await;
    sqlx::query("update tasks set format = 99").execute(&mut world.db.owner().await).await.unwrap();
    let found = tasks::find(&world.db.pool, task_id).await;
    assert!(matches!(found, Err(Error::Newer { table: "tasks", format: 99, .. })), "{found:?}");
    assert_eq!(tasks::find(&world.db.pool, TaskId(ids::new())).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_that_cannot_be_is_an_error() {
    let world = World::new().await;
    let task_id = world.open(0).await;
    sqlx::query("update tasks set version = 77").execute(&mut world.db.owner().await).await.unwrap();
    let found = tasks::find(&world.db.pool, task_id).await;
    assert!(matches!(&found, Err(Error::Impossible { key, .. }) if *key == task_id.to_string()), "{found:?}");
}
