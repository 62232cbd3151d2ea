//! Time spent by party, and the forecast of the remaining time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use crate::domain::task::event::{Event, WorkflowRef};
use crate::domain::task::evolve::evolve;
use crate::domain::task::forecast::{Finished, Forecast, Remaining, StatusView, Timeline};
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::view::{Identity, Reader, TaskView};
use crate::domain::task::{PhaseName, Task};
use crate::domain::values::id::{BuyerId, PartnerId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Workflow;

use super::random;
use super::test_support::{Play, START, brand};
use super::words::definition;

const SECOND: i64 = 1_000_000;

/// The time spent until `at` according to a trail: by stage and party, in total and on hold.
/// Computed from the states between the events, not from the task's own ledger.
fn told(workflow: &Workflow, trail: &[Event], at: Time) -> BTreeMap<(usize, Party), (i64, i64)> {
    let mut told: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    let mut task: Option<Task> = None;
    for (index, event) in trail.iter().enumerate() {
        let now = evolve(workflow, task, event);
        let until = trail.get(index + 1).map_or(at, |next| next.recorded_at);
        let micros = (until - event.recorded_at).num_microseconds().unwrap();
        if let Some(party) = now.waiting_on(workflow).filter(|_| micros > 0) {
            let (all, held) = told.entry((now.stage, party)).or_default();
            *all += micros;
            *held += if now.phase() == PhaseName::OnHold { micros } else { 0 };
        }
        task = Some(now);
    }
    told
}

/// Checks that the parts match the trail and add up to the whole.
pub(super) fn check(workflow: &Workflow, trail: &[Event], task: &Task, at: Time) {
    let spent = task.spent_until(workflow, at);
    let parts: Vec<_> = spent.waits().iter().map(|wait| ((wait.stage, wait.party), (wait.micros, wait.held))).collect();
    assert_eq!(parts, told(workflow, trail, at).into_iter().collect::<Vec<_>>());
    let whole = task.closed_at().unwrap_or(at.max(task.recorded_at())) - task.opened_at();
    let sum: i64 = parts.iter().map(|(_, (micros, _))| micros).sum();
    assert_eq!(Some(sum), whole.num_microseconds(), "the parts add up to the whole");
    assert!(parts.iter().all(|((_, party), (micros, held))| held <= micros && (*held == 0 || *party != Party::Buyer)));
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 4, ..Config::default() })]

    /// Random sequences with holds, escalations, returns, cancellations and ticks, each step some
    /// microseconds after the previous one.
    #[test]
    fn the_parts_add_up_to_the_whole(
        (definition, rolls) in random::sequences(),
        gaps in prop::collection::vec(0..50_000_000_000_i64, 1..40),
    ) {
        let mut longest: Option<Play> = None;
        random::play(&definition, &rolls, |play| {
            if longest.as_ref().is_none_or(|earlier| play.trail.len() > earlier.trail.len()) {
                longest = Some(play.clone());
            }
        });
        let Play { workflow, mut trail, .. } = longest.unwrap();
        let (mut now, mut gaps) = (START, gaps.iter().cycle());
        for event in trail.iter_mut().skip(1) {
            now += if event.cause_seq == event.seq { *gaps.next().unwrap() } else { 0 };
            event.recorded_at = Time::from_micros(now);
        }
        for end in 1..=trail.len() {
            let task = Snapshot::fold(&workflow, &trail[..end]).unwrap().task;
            for later in [-1, 0, 1, 999_999] {
                check(&workflow, &trail[..end], &task, Time::from_micros(task.recorded_at().micros() + later));
            }
        }
    }
}

/// The time spent as sent this long after the task's last event.
fn account(play: &Play, later: i64) -> Value {
    let workflow = WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 };
    let (partner_id, buyer_id) = (PartnerId(uuid::Uuid::nil()), BuyerId(uuid::Uuid::nil()));
    let identity = Identity { partner_id, buyer_id, workflow, title: None, metadata: None };
    let at = Time::from_micros(play.snapshot.task.recorded_at().micros() + later);
    let view = TaskView::new(
        &play.workflow,
        &identity,
        &play.snapshot,
        None,
        Reader { party: Party::Platform, moment: play.moment().at(at) },
    );
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<TaskView>(&text).unwrap(), view);
    let rows = view.time_spent.iter().map(|row| json!([row.stage, row.party, row.seconds, row.held_seconds]));
    rows.collect()
}

#[test]
fn time_goes_to_whoever_is_waited_on_and_a_hold_to_who_held() {
    let words = "a required; b buyer to=platform back=a,b; c finish";
    let cases = [
        ("", json!([["a", "partner", 0.25, 0]])),
        ("wait PT1H; submit anna", json!([["a", "partner", 3600.25, 0]])),
        ("wait PT1H; submit anna; wait PT1H; approve bo", json!([["a", "partner", 7200, 0], ["b", "buyer", 0.25, 0]])),
        (
            "submit anna; approve bo; wait PT2S; hold platform; wait PT5S; resume platform; wait PT1S; reject buyer b; wait PT3S; submit anna",
            json!([["b", "partner", 3, 0], ["b", "buyer", 3.25, 0], ["b", "platform", 5, 5]]),
        ),
        (
            "submit anna; approve bo; escalate buyer platform; wait PT7S; resolve platform approve; wait PT1S; hold anna; wait PT2S; cancel buyer",
            json!([["b", "platform", 7, 0], ["c", "partner", 3, 2]]),
        ),
        (
            "submit anna; approve bo; approve buyer; wait PT1S; cancel buyer; wait PT9S; approve bo; wait PT1S; ack anna discarded; wait PT5S; approve chi",
            json!([["c", "partner", 11, 0]]),
        ),
    ];
    for (script, expected) in cases {
        assert_eq!(account(&Play::of(&definition(words), script), SECOND / 4), expected, "{script}");
    }
}

#[test]
fn an_older_state_goes_on_without_what_was_not_kept() {
    let mut play = Play::of(&brand(), "submit anna; wait PT1H");
    let mut state = serde_json::to_value(&play.snapshot.task).unwrap();
    for part in ["/stages/0", ""] {
        state.pointer_mut(part).unwrap().as_object_mut().unwrap().remove("entered_at").unwrap();
    }
    play.snapshot.task = serde_json::from_value(state).unwrap();
    let course = Timeline::of(&play.snapshot.task);
    let pace = Forecast::new(&course, play.now, Some(&finished(&[10; 30])));
    assert_eq!(pace, Forecast { stage_seconds: 3_600, remaining_seconds: None, unusually_long: false });
}

/// Tasks that were delivered this many seconds after they entered their only stage.
fn finished(seconds: &[i64]) -> Finished {
    let end = |took: &i64| (Time::from_micros(START + took * SECOND), vec![Time::from_micros(START)]);
    Finished::new(seconds.iter().map(end))
}

fn course(phase: PhaseName, entered: i64, since: i64) -> Timeline {
    let at = |seconds: i64| Time::from_micros(START + seconds * SECOND);
    Timeline { phase, stage: 0, since: at(since), entered_at: Some(at(entered)), first_entered_at: Some(at(0)) }
}

/// The durations of finished tasks, this task's time so far, and the expected forecast, in seconds.
type Case<'a> = (&'a [i64], i64, Option<(u64, u64)>);

#[test]
fn what_remains_is_what_longer_ones_took_from_here_on() {
    let (hundred, twenty): (Vec<i64>, Vec<i64>) = ((1..=100).collect(), (1..=20).collect());
    let cases: [Case<'_>; 9] = [
        (&hundred, 0, Some((50, 90))),
        (&hundred, 50, Some((25, 45))),
        (&hundred, 95, Some((3, 5))),
        (&hundred, 96, None),
        (&hundred, 1_000, None),
        (&hundred, -5, Some((50, 90))),
        (&twenty, 0, Some((10, 18))),
        (&twenty[1..], 0, None),
        (&[7; 20], 6, Some((1, 1))),
    ];
    for (took, elapsed, expected) in cases {
        let at = Time::from_micros(START + elapsed * SECOND);
        let pace = Forecast::new(&course(PhaseName::InReview, 0, 0), at, Some(&finished(took)));
        let expected = expected.map(|(p50, p90)| Remaining { p50, p90 });
        assert_eq!(pace.remaining_seconds, expected, "{} tasks, {elapsed} s", took.len());
    }
    let at = Time::from_micros(START + 6 * SECOND + 999_999);
    let pace = Forecast::new(&course(PhaseName::OnHold, 0, 0), at, Some(&finished(&[7; 20])));
    assert_eq!(
        pace,
        Forecast { stage_seconds: 6, remaining_seconds: Some(Remaining { p50: 1, p90: 1 }), unusually_long: false },
        "never nothing"
    );
}

#[test]
fn a_task_is_unusually_long_once_almost_every_other_took_less() {
    let (hundred, twenty): (Vec<i64>, Vec<i64>) = ((1..=100).collect(), (1..=20).collect());
    // Of twenty, one that took longer is one in twenty. Without twenty, nothing is known.
    let cases: [(&[i64], i64, bool); 6] = [
        (&hundred, 95, false),
        (&hundred, 96, true),
        (&hundred, 1_000, true),
        (&twenty, 19, false),
        (&twenty, 20, true),
        (&twenty[1..], 1_000, false),
    ];
    for (took, elapsed, expected) in cases {
        let at = Time::from_micros(START + elapsed * SECOND);
        let of = |phase| Forecast::new(&course(phase, 0, 0), at, Some(&finished(took))).unusually_long;
        assert_eq!(
            (of(PhaseName::InReview), of(PhaseName::Cancelling)),
            (expected, false),
            "{} tasks, {elapsed} s",
            took.len()
        );
    }
}

proptest! {
    #[test]
    fn what_remains_is_never_in_the_past_and_in_order(
        took in prop::collection::vec(0..1_000_i64, 0..60), elapsed in 0..1_200_000_000_i64
    ) {
        let at = Time::from_micros(START + elapsed);
        let pace = Forecast::new(&course(PhaseName::InReview, 0, 0), at, Some(&finished(&took)));
        let longer = took.iter().filter(|took| **took * SECOND > elapsed).count();
        prop_assert_eq!(pace.remaining_seconds.is_some(), took.len() >= 20 && longer >= 5);
        if let Some(Remaining { p50, p90 }) = pace.remaining_seconds {
            prop_assert!(1 <= p50 && p50 <= p90);
        }
    }
}

#[test]
fn a_task_without_a_delivery_to_come_has_no_time_that_remains() {
    let table = PhaseName::ALL.map(|phase| {
        let pace =
            Forecast::new(&course(phase, 10, 30), Time::from_micros(START + 50 * SECOND), Some(&finished(&[100; 20])));
        (phase, pace.stage_seconds, pace.remaining_seconds.map(|left| left.p50))
    });
    let (open, over) = (40, 20);
    assert_eq!(
        table,
        [
            (PhaseName::Preparing, open, Some(50)),
            (PhaseName::InReview, open, Some(50)),
            (PhaseName::Escalated, open, Some(50)),
            (PhaseName::OnHold, open, Some(50)),
            (PhaseName::Cancelling, open, None),
            (PhaseName::Delivery, over, None),
            (PhaseName::Cancelled, over, None),
            (PhaseName::Expired, over, None),
            (PhaseName::Failed, over, None),
        ]
    );
}

#[test]
fn the_stage_s_time_starts_anew_with_its_round_and_what_it_took_counts_from_the_first() {
    let mut play = Play::of(&definition("a; b back=a,b"), "wait PT1H; approve bo; wait PT1H");
    let pace =
        |play: &Play| Forecast::new(&Timeline::of(&play.snapshot.task), play.now, Some(&finished(&[20_000; 20])));
    assert_eq!(pace(&play).stage_seconds, 3_600);
    play.run("reject bo a; wait PT1M");
    let back = pace(&play);
    assert_eq!((back.stage_seconds, back.remaining_seconds.unwrap().p50), (60, 20_000 - 7_260));
    play.run("submit anna; hold anna; wait PT1M");
    assert_eq!(pace(&play).stage_seconds, 120, "the round goes on");
}

#[test]
fn a_stored_status_is_answered_like_one_that_was_just_made() {
    let play = Play::of(&brand(), "submit anna; approve dora");
    for finished in [None, Some(finished(&[20_000; 20]))] {
        let course = Timeline { stage: 0, ..Timeline::of(&play.snapshot.task) };
        let pace = Forecast::new(&course, play.now, finished.as_ref());
        assert_eq!(pace.remaining_seconds.is_some(), finished.is_some());
        let status = play.snapshot.status.clone();
        let stored = serde_json::to_string(&status).unwrap();
        assert_eq!(pace.after(&stored), serde_json::to_string(&StatusView { status, pace }).unwrap());
    }
}
