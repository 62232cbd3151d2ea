//! Writes that share statements. On one thread, all that is begun together is queued before a writer has its turn;
//! and the rows that one statement wrote have one transaction.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use stagegate::domain::audit::{Hash, seal};
use stagegate::domain::task::command::{Action, Command, Meta, StatusUpdated};
use stagegate::domain::task::decide::Transition;
use stagegate::domain::values::id::{CommandId, TaskId};
use stagegate::domain::values::party::Party;
use stagegate::domain::values::text::Message;
use stagegate::ids;
use stagegate::store::tasks::transitions::{Outcome, Prepared, Save};
use stagegate::store::tasks::{Record, events};
use stagegate::store::{Error, Writer};

use crate::harness::database::hold;

use super::world::{World, command, submit, with_id};

fn update(message: &str) -> Command {
    let message = Message::parse(message).unwrap();
    let body = StatusUpdated { message, percent: None, eta: None };
    let update = command(Party::Partner, "u-writer", Action::StatusUpdated(body));
    let meta = Meta { revision: None, ..update.meta().clone() };
    Command::new(meta, update.action().clone()).unwrap()
}

/// So many tasks, each with a submission that is decided on and not written.
async fn decided(world: &World, many: usize) -> Vec<(Record, Transition)> {
    let mut decided = Vec::new();
    for _ in 0..many {
        let record = world.load(world.open(0).await).await;
        let transition = world.decide(&record.snapshot, &submit(), 1);
        decided.push((record, transition));
    }
    decided
}

async fn save_all(world: &World, decided: &[(Record, Transition)]) -> Vec<Outcome> {
    join_all(decided.iter().map(|(record, transition)| world.save(record, transition))).await
}

/// The same where some may fail.
async fn try_all(world: &World, decided: &[(Record, Transition)]) -> Vec<Result<Outcome, Arc<Error>>> {
    let save = async |(record, transition): &(Record, Transition)| {
        let (head, absences_version) = (record.head, record.absences_version);
        let command_digest = Some([9; 32]);
        let save = Save { transition, head, absences_version, command_digest, seed: ids::random, traceparent: None };
        world.writer.write(Prepared::new(&save)).await
    };
    join_all(decided.iter().map(save)).await
}

fn id(transition: &Transition) -> TaskId {
    transition.snapshot().task.id()
}

fn is_saved(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Saved(_))
}

/// The transactions that wrote more than openings, with their number of tasks, in their order.
async fn transactions(world: &World) -> Vec<i64> {
    let sql = "select count(distinct task_id) from task_events where type not in ('task.opened', 'task.stage_entered')
               group by xid order by xid";
    sqlx::query_scalar(sql).fetch_all(&mut world.db.owner().await).await.unwrap()
}

#[tokio::test]
async fn transitions_that_wait_share_a_statement() {
    let world = World::new().await;
    let decided = decided(&world, 20).await;
    assert!(save_all(&world, &decided).await.iter().all(is_saved));
    assert_eq!(transactions(&world).await, [20]);
    for (record, transition) in &decided {
        let stored = world.load(id(transition)).await;
        assert_eq!(&stored.snapshot, transition.snapshot());
        let rows =
            events::list(&world.db.pool, id(transition), record.snapshot.task.version(), 100).await.unwrap().rows;
        let told: Vec<_> = rows.into_iter().map(|row| row.event).collect();
        assert_eq!(told, transition.events());
    }
}

#[tokio::test]
async fn a_statement_has_its_bound() {
    let world = World::new().await;
    let decided = decided(&world, 70).await;
    assert!(save_all(&world, &decided).await.iter().all(is_saved));
    assert_eq!(transactions(&world).await.iter().max(), Some(&64));
}

#[tokio::test]
async fn one_task_is_written_in_order_and_never_twice_at_a_time() {
    let world = World::new().await;
    let opened = world.load(world.open(0).await).await;
    let (mut chain, mut snapshot, mut head) = (Vec::new(), opened.snapshot, opened.head);
    for n in 0..5 {
        let transition = world.decide(&snapshot, &update(&format!("Step {n}")), 1);
        chain.push((transition.clone(), head));
        snapshot = transition.snapshot().clone();
        head = after(head, &transition);
    }
    // Each can be written only right after the one before: together or side by side, all but one would be stale.
    let saves = chain.iter().map(|(transition, head)| async {
        let (head, absences_version, command_digest) = (*head, 0, Some([9; 32]));
        let save = Save { transition, head, absences_version, command_digest, seed: || [5; 32], traceparent: None };
        world.writer.write(Prepared::new(&save)).await.unwrap()
    });
    let others = decided(&world, 5).await;
    let (own, others) = join(join_all(saves), save_all(&world, &others)).await;
    assert!(own.iter().chain(&others).all(is_saved), "{own:?} {others:?}");
    assert_eq!(transactions(&world).await, [6, 1, 1, 1, 1], "the others wait for nobody");
    let stored = world.load(snapshot.task.id()).await;
    assert_eq!((stored.snapshot, stored.head), (snapshot, head));
}

/// The head of the chain after a transition whose salts are those of the test.
fn after(head: Hash, transition: &Transition) -> Hash {
    transition.events().iter().fold(head, |head, event| seal(&head, id(transition), event, [5; 32]).hash)
}

#[tokio::test]
async fn what_is_wrong_with_one_harms_no_other() {
    let world = World::new().await;
    let mut decided = decided(&world, 6).await;
    let (used, refused) = (CommandId(ids::new()), decided[3].0.snapshot.task.id());
    let (record, _) = &decided[1];
    // The first moves on while it waits, the second sends an id again, of the fourth the database wants nothing.
    world.play(id(&decided[0].1), &update("Faster"), 1).await;
    world.play(record.snapshot.task.id(), &with_id(&submit(), used), 1).await;
    let record = world.load(record.snapshot.task.id()).await;
    let again = world.decide(&record.snapshot, &with_id(&update("Again"), used), 2);
    decided[1] = (record, again);
    let constraint =
        format!("alter table task_events add constraint unwanted check (task_id <> '{refused}') not valid");
    sqlx::query(sqlx::AssertSqlSafe(constraint)).execute(&mut world.db.owner().await).await.unwrap();

    let outcomes = try_all(&world, &decided).await;
    assert!(matches!(outcomes[0], Ok(Outcome::Stale)), "{:?}", outcomes[0]);
    assert!(matches!(outcomes[1], Ok(Outcome::Duplicate)), "{:?}", outcomes[1]);
    assert!(matches!(&outcomes[3], Err(error) if error.constraint() == Some("unwanted")), "{:?}", outcomes[3]);
    for n in [2, 4, 5] {
        assert!(outcomes[n].as_ref().is_ok_and(is_saved), "{n}: {:?}", outcomes[n]);
        assert_eq!(&world.load(id(&decided[n].1)).await.snapshot, decided[n].1.snapshot());
    }
    for n in [1, 3] {
        assert_eq!(world.load(id(&decided[n].1)).await, decided[n].0, "nothing was written");
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let mut world = World::new().await;
    world.writer = Writer::with_capacity(&world.db.pool, 2);
    let decided = decided(&world, 5).await;
    let outcomes = try_all(&world, &decided).await;
    assert!(outcomes[..2].iter().all(|outcome| outcome.as_ref().is_ok_and(is_saved)), "{outcomes:?}");
    assert!(
        outcomes[2..].iter().all(|outcome| matches!(outcome, Err(error) if matches!(**error, Error::Full))),
        "{outcomes:?}"
    );
    assert!(!world.writer.is_full());
    assert!(is_saved(&world.save(&decided[2].0, &decided[2].1).await), "there is room again");
}

#[tokio::test]
async fn closing_writes_what_was_accepted() {
    let world = World::new().await;
    let decided = decided(&world, 70).await;
    let (outcomes, ()) = join(save_all(&world, &decided[1..]), world.writer.close()).await;
    assert!(outcomes.iter().all(is_saved), "{outcomes:?}");
    let late = try_all(&world, &decided[..1]).await;
    assert!(matches!(&late[0], Err(error) if matches!(**error, Error::Unreachable(_))), "{late:?}");
}

#[tokio::test]
async fn what_was_accepted_is_written_though_nobody_waits_for_it() {
    let world = World::new().await;
    let decided = decided(&world, 1).await;
    let mut save = Box::pin(save_all(&world, &decided));
    assert_eq!(save.as_mut().now_or_never(), None);
    drop(save);
    world.writer.close().await;
    assert_eq!(&world.load(id(&decided[0].1)).await.snapshot, decided[0].1.snapshot());
}

#[tokio::test]
async fn commands_that_are_known_share_the_statement_of_the_others_and_are_not_written() {
    let world = World::new().await;
    let mut decided = decided(&world, 40).await;
    let used = CommandId(ids::new());
    for n in [3, 17, 39] {
        let task = id(&decided[n].1);
        world.play(task, &with_id(&submit(), used), 1).await;
        let record = world.load(task).await;
        let again = world.decide(&record.snapshot, &with_id(&update("Again"), used), 2);
        decided[n] = (record, again);
    }
    let outcomes = save_all(&world, &decided).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let known = [3, 17, 39].contains(&n);
        assert_eq!(*outcome == Outcome::Duplicate, known, "{n}: {outcome:?}");
        assert_eq!(is_saved(outcome), !known, "{n}: {outcome:?}");
    }
    assert_eq!(transactions(&world).await, [1, 1, 1, 37], "one statement for all of them");
}

#[tokio::test]
async fn a_row_that_another_session_has_locked_keeps_no_other_waiting_and_is_written_when_it_is_released() {
    let world = World::new().await;
    let decided = decided(&world, 20).await;
    let mut owner = world.db.owner().await;
    let mut lock = sqlx::Connection::begin(&mut owner).await.unwrap();
    let statement = format!("select 1 from tasks where task_id = '{}' for update", id(&decided[4].1));
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *lock).await.unwrap();
    let (locked, others) = (&decided[4..5], [&decided[..4], &decided[5..]].concat());
    let waits = save_all(&world, locked);
    let first = save_all(&world, &others);
    let (waited, ()) = join(waits, async {
        // The lock is released only once all others are written.
        assert!(first.await.iter().all(is_saved));
        assert_eq!(transactions(&world).await, [19]);
        lock.rollback().await.unwrap();
    })
    .await;
    assert!(is_saved(&waited[0]), "{waited:?}");
    assert_eq!(&world.load(id(&decided[4].1)).await.snapshot, decided[4].1.snapshot());
}

#[tokio::test]
async fn a_lock_that_is_on_no_task_keeps_its_member_waiting_and_no_other() {
    let world = World::new().await;
    let decided = decided(&world, 8).await;
    // Another session has written the next event of one task, and has not committed.
    let mut owner = world.db.owner().await;
    assert!(hold(&mut owner, &id(&decided[3].1).to_string()).await);
    let (held, others) = (&decided[3..4], [&decided[..3], &decided[4..]].concat());
    let (waits, first) = (save_all(&world, held), save_all(&world, &others));
    let (waited, ()) = join(waits, async {
        assert!(first.await.iter().all(is_saved));
        sqlx::query("rollback").execute(&mut owner).await.unwrap();
    })
    .await;
    assert!(is_saved(&waited[0]), "{waited:?}");
}

#[tokio::test]
async fn a_row_that_stays_locked_is_refused_and_nothing_that_follows_it_overtakes_it() {
    let world = World::new().await;
    let decided = decided(&world, 1).await;
    let mut owner = world.db.owner().await;
    let mut lock = sqlx::Connection::begin(&mut owner).await.unwrap();
    sqlx::query("select 1 from tasks for update").execute(&mut *lock).await.unwrap();
    let outcomes = try_all(&world, &[decided[0].clone(), decided[0].clone()]).await;
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(error) if matches!(**error, Error::Locked)), "{outcome:?}");
    }
    lock.rollback().await.unwrap();
    assert!(is_saved(&world.save(&decided[0].0, &decided[0].1).await));
    world.writer.close().await;
}

#[tokio::test]
async fn what_the_server_refuses_for_its_content_goes_alone_from_then_on() {
    let world = World::new().await;
    let decided = decided(&world, 32).await;
    let refused = id(&decided[9].1);
    let constraint =
        format!("alter table task_events add constraint unwanted check (task_id <> '{refused}') not valid");
    sqlx::query(sqlx::AssertSqlSafe(constraint)).execute(&mut world.db.owner().await).await.unwrap();
    let outcomes = try_all(&world, &decided).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(is_saved)).count(), 31);
    // Halves, not one by one. (A half can be cut once more, as the server is slow to release the rows of a
    // statement that it refused.)
    let shared = transactions(&world).await;
    assert_eq!(shared.iter().sum::<i64>(), 31);
    assert!(shared.len() < 16, "{shared:?}");
    // The same task again, among others: these are written together at once, and it is refused alone.
    let mut more = self::decided(&world, 10).await;
    more.insert(5, decided[9].clone());
    let outcomes = try_all(&world, &more).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(is_saved)).count(), 10);
    assert!(matches!(&outcomes[5], Err(error) if error.constraint() == Some("unwanted")));
    assert_eq!(transactions(&world).await.last(), Some(&10));
}
