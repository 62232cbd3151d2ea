//! Lists, the inbox, a buyer's statuses and the timers' search.

use stagegate::domain::task::PhaseName;
use stagegate::domain::task::event::WorkflowRef;
use stagegate::domain::values::id::{BuyerId, PartnerId, StageKey, TaskId};
use stagegate::domain::values::party::Party;
use stagegate::ids;
use stagegate::store::Error;
use stagegate::store::tasks::inbox::{self, Assignee, Queue};
use stagegate::store::tasks::lists::{self, After, Filter};
use stagegate::store::tasks::{self, Record};

use super::world::{KEY, World, approve, escalate, key, minute, submit};

const DAY: i64 = 24 * 60;

/// Four tasks, opened a minute after each other: preparing, in review, escalated to the buyer, delivered.
async fn four() -> (World, [TaskId; 4]) {
    let world = World::new().await;
    let tasks = [world.open(0).await, world.open(1).await, world.open(2).await, world.open(3).await];
    for task_id in &tasks[1..] {
        world.play(*task_id, &submit(), 10).await;
    }
    world.play(tasks[2], &escalate(), 11).await;
    world.play(tasks[3], &approve("u-anna"), 12).await;
    (world, tasks)
}

fn ids_of<P>(listed: &[(P, Result<Record, Error>)]) -> Vec<TaskId> {
    listed.iter().map(|(_, record)| record.as_ref().unwrap().snapshot.task.id()).collect()
}

#[tokio::test]
async fn a_list_shows_the_latest_first_and_what_is_asked_for() {
    let (world, [preparing, in_review, escalated, delivered]) = four().await;
    let mine = Filter { partner_id: Some(world.partner), ..Filter::default() };
    let (stage, no_stage) = (StageKey::parse("copy").unwrap(), StageKey::parse("none").unwrap());
    let (workflow, no_workflow) = (key(KEY), key("none"));
    let cases: [(Filter<'_>, &[TaskId]); 13] = [
        (mine, &[delivered, escalated, in_review, preparing]),
        (Filter::default(), &[delivered, escalated, in_review, preparing]),
        (Filter { partner_id: Some(PartnerId(ids::new())), ..mine }, &[]),
        (Filter { phases: &[PhaseName::InReview], ..mine }, &[in_review]),
        (Filter { phases: &[PhaseName::Preparing, PhaseName::Delivery], ..mine }, &[delivered, preparing]),
        (Filter { phases: &[PhaseName::Delivery], ..Filter::default() }, &[delivered]),
        (Filter { phases: &[PhaseName::Failed], ..mine }, &[]),
        (Filter { stage: Some(&stage), ..mine }, &[delivered, escalated, in_review, preparing]),
        (Filter { stage: Some(&no_stage), ..mine }, &[]),
        (Filter { workflow: Some(&workflow), phases: &[PhaseName::Escalated], ..mine }, &[escalated]),
        (Filter { workflow: Some(&no_workflow), ..mine }, &[]),
        (Filter { waiting_on: Some(Party::Partner), ..mine }, &[in_review, preparing]),
        (Filter { overdue: Some(true), ..mine }, &[]),
    ];
    for (filter, expected) in cases {
        let found = lists::list(&world.db.pool, filter, None, 10).await.unwrap();
        assert_eq!(ids_of(&found), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_of_a_list_join_without_gap_or_overlap() {
    let (world, [preparing, in_review, escalated, delivered]) = four().await;
    let mut after = None;
    for expected in [vec![delivered, escalated, in_review], vec![preparing], vec![]] {
        let page = lists::list(&world.db.pool, Filter::default(), after, 3).await.unwrap();
        assert_eq!(ids_of(&page), expected);
        after = page.last().map(|(place, _)| *place);
    }
}

#[tokio::test]
async fn a_buyer_sees_every_status_of_theirs() {
    let (world, [preparing, in_review, escalated, delivered]) = four().await;
    let pool = &world.db.pool;
    let all = lists::list_statuses(pool, world.buyer, None, 10).await.unwrap();
    let seen: Vec<TaskId> = all.iter().map(|(_, status)| status.as_ref().unwrap().task_id).collect();
    assert_eq!(seen, [delivered, escalated, in_review, preparing]);
    let places = |listed: &[(After, _)]| listed.iter().map(|(place, _)| *place).collect::<Vec<_>>();
    let rest = lists::list_statuses(pool, world.buyer, Some(all[1].0), 10).await.unwrap();
    assert_eq!(places(&rest), places(&all[2..]));
    assert!(lists::list_statuses(pool, BuyerId(ids::new()), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_inbox_holds_what_waits_on_that_party_the_earliest_due_first() {
    let (world, [preparing, in_review, escalated, _]) = four().await;
    let pool = &world.db.pool;
    let unbounded = world.open(20).await;
    sqlx::query("update tasks set due_at = null where task_id = $1")
        .bind(unbounded.0)
        .execute(&mut world.db.owner().await)
        .await
        .unwrap();
    let list = async |desk, after| {
        let queues = inbox::queues(pool, desk, 9).await.unwrap();
        ids_of(&inbox::list(pool, (desk, &queues), None, after, 2).await.unwrap())
    };
    let partner = Assignee::Partner(world.partner);
    assert_eq!(list(partner, None).await, [in_review, preparing]);
    let after = inbox::After { due_at: Some(minute(14 * DAY)), task_id: preparing };
    assert_eq!(list(partner, Some(after)).await, [unbounded]);
    assert_eq!(list(partner, Some(inbox::After { due_at: None, task_id: unbounded })).await, []);
    assert_eq!(list(Assignee::Buyer(world.buyer), None).await, [escalated]);
    assert_eq!(list(Assignee::Platform, None).await, []);
    assert_eq!(list(Assignee::Partner(PartnerId(ids::new())), None).await, []);
    assert_eq!(list(Assignee::Partner(PartnerId(world.buyer.0)), None).await, [], "a buyer's id is no partner's");
}

#[tokio::test]
async fn an_inbox_is_made_of_queues_that_are_counted_up_to_a_bound() {
    let (world, [preparing, in_review, ..]) = four().await;
    let pool = &world.db.pool;
    let partner = Assignee::Partner(world.partner);
    let late = world.open(20).await;
    world.play(late, &submit(), 20).await;
    let queue = |stage: &str, waiting, overdue| Queue {
        partner_id: world.partner,
        workflow: WorkflowRef { key: key(KEY), version: 1 },
        stage: StageKey::parse(stage).unwrap(),
        waiting,
        overdue,
    };
    assert_eq!(inbox::queues(pool, partner, 9).await.unwrap(), [queue("copy", 3, 0)]);
    let mut owner = world.db.owner().await;
    for (task_id, change) in [(late, "overdue = true"), (preparing, "stage = 'brief'")] {
        let change = format!("update tasks set {change} where task_id = $1");
        sqlx::query(sqlx::AssertSqlSafe(change)).bind(task_id.0).execute(&mut owner).await.unwrap();
    }
    let queues = inbox::queues(pool, partner, 9).await.unwrap();
    assert_eq!(queues, [queue("brief", 1, 0), queue("copy", 2, 1)]);
    assert_eq!(inbox::queues(pool, partner, 1).await.unwrap(), [queue("brief", 1, 0), queue("copy", 1, 1)]);
    assert_eq!(inbox::queues(pool, Assignee::Platform, 9).await.unwrap(), []);

    let list = async |queues, overdue| ids_of(&inbox::list(pool, (partner, queues), overdue, None, 9).await.unwrap());
    assert_eq!(list(&queues, None).await, [in_review, late, preparing], "merged by due time");
    assert_eq!(list(&queues, Some(true)).await, [late]);
    assert_eq!(list(&queues, Some(false)).await, [in_review, preparing]);
    assert_eq!(list(&queues[..1], None).await, [preparing]);
    assert_eq!(list(&[], None).await, []);
    assert_eq!(list(&[queue("none", 0, 0)], None).await, []);
}

#[tokio::test]
async fn the_timers_find_what_is_due_the_longest_due_first() {
    let (world, [preparing, in_review, escalated, _]) = four().await;
    let due_but = async |minutes, except: &[TaskId], limit| {
        let due = tasks::list_due(&world.db.pool, minute(minutes), except, limit).await.unwrap();
        due.into_iter().map(|due| due.task_id).collect::<Vec<_>>()
    };
    let due = async |minutes, limit| due_but(minutes, &[], limit).await;
    assert_eq!(due(20, 9).await, []);
    assert_eq!(due(11 + DAY, 9).await, [escalated]);
    assert_eq!(due(14 * DAY, 9).await, [escalated, in_review, preparing]);
    assert_eq!(due(14 * DAY, 1).await, [escalated]);
    assert_eq!(due_but(14 * DAY, &[escalated, preparing], 9).await, [in_review]);
    let [first] = tasks::list_due(&world.db.pool, minute(14 * DAY), &[], 1).await.unwrap()[..] else { panic!() };
    assert_eq!(first.wake_at, minute(11 + DAY));
}
