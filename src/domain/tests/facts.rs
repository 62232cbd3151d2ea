//! The facts of statistics, compared with a count of the trail that knows nothing of the state.

use std::collections::BTreeMap;

use serde_json::json;

use crate::domain::task::event::{Event, Fact, Resolution};
use crate::domain::task::facts::StageFacts;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::{Cause, Task};
use crate::domain::values::time::Time;

use super::test_support::{Play, brand};
use super::words::definition;

/// What a trail says of a stage: rounds, approvals, rejections, whether the first round was
/// approved, escalations by cause, deadlines, questions, microseconds of revising.
type Counted = (u32, u64, u64, bool, [u64; 4], u64, u64, u64);

/// What is open while a trail is read.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each can be open beside the others")]
struct Reading {
    stage: String,
    revising: bool,
    held: bool,
    asked: bool,
    escalated: bool,
    since: Option<Time>,
}

fn count(trail: &[Event]) -> BTreeMap<String, Counted> {
    let mut counts: BTreeMap<String, Counted> = BTreeMap::new();
    let mut now = Reading::default();
    for event in trail {
        let passed = now.since.map_or(0, |since| (event.recorded_at - since).num_microseconds().unwrap());
        now.since = Some(event.recorded_at);
        if now.revising && !now.held && !now.asked {
            counts.entry(now.stage.clone()).or_default().7 += u64::try_from(passed).unwrap();
        }
        if let Fact::StageEntered { returned, .. } = &event.fact {
            let stage = event.stage.as_ref().unwrap().to_string();
            now = Reading { stage, revising: *returned, since: now.since, ..Reading::default() };
        }
        add(counts.entry(now.stage.clone()).or_default(), &mut now, event);
        if now.stage.is_empty() {
            counts.clear();
        }
        if event.fact.kind().starts_with("task.workflow_") {
            break;
        }
    }
    counts
}

fn add(counts: &mut Counted, now: &mut Reading, event: &Event) {
    let (rounds, approved, rejected, first, escalated, overdue, questions, _) = counts;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others count nothing")]
    match &event.fact {
        Fact::StageEntered { .. } => *rounds += 1,
        Fact::WorkSubmitted { .. } | Fact::CancellationRequested { grace_until: Some(_), .. } => now.revising = false,
        Fact::StageApproved { .. } => {
            *approved += 1;
            *first |= event.round == Some(1);
        }
        Fact::StageRejected(_) => *rejected += 1,
        Fact::StageEscalated(raised) if !now.escalated => {
            now.escalated = true;
            escalated[Cause::ALL.iter().position(|cause| *cause == raised.cause).unwrap()] += 1;
        }
        Fact::EscalationResolved(resolved) => now.escalated = resolved.resolution == Resolution::Redirect,
        Fact::DeadlinePassed { .. } => *overdue += 1,
        Fact::QuestionAsked(_) => {
            *questions += 1;
            now.asked = true;
        }
        Fact::QuestionAnswered(_) | Fact::QuestionClosed { .. } => now.asked = false,
        Fact::Held { .. } => now.held = true,
        Fact::Resumed { .. } => now.held = false,
        _ => {}
    }
}

fn of(snapshot: &Snapshot) -> BTreeMap<String, Counted> {
    let facts = StageFacts::of(snapshot).into_iter();
    let columns = |facts: StageFacts| {
        let StageFacts { rounds, approved, rejected, first_pass, escalated, overdue, questions, revising, .. } = facts;
        (facts.stage.to_string(), (rounds, approved, rejected, first_pass, escalated, overdue, questions, revising))
    };
    facts.map(columns).collect()
}

/// Checks the facts of a task against its trail. The time is that of the ledger.
pub(super) fn check(trail: &[Event], snapshot: &Snapshot) {
    assert_eq!(of(snapshot), count(trail));
    let facts = StageFacts::of(snapshot);
    let waited: i64 = facts.iter().flat_map(|facts| facts.waited).sum();
    let end = snapshot.task.closed_at().unwrap_or(snapshot.task.recorded_at());
    assert_eq!(Some(waited), (end - snapshot.task.opened_at()).num_microseconds(), "the whole time is somebody's");
    for facts in facts {
        assert!(i64::try_from(facts.revising).unwrap() <= facts.waited[0], "revising is the partner's time");
        assert!(facts.approved + facts.rejected > 0 || facts.rounds == 1);
    }
}

fn facts(play: &Play) -> Vec<StageFacts> {
    StageFacts::of(&play.snapshot)
}

#[test]
fn each_round_is_counted_with_how_it_was_left() {
    let script = "submit anna; wait PT1H; approve bo; approve bo; reject chi a; wait PT2H; submit anna; approve bo; \
                  approve bo; approve chi";
    let play = Play::of(&definition("a required; b; c back=a"), script);
    let facts = facts(&play);
    let rounds: Vec<_> =
        facts.iter().map(|stage| (stage.rounds, stage.approved, stage.rejected, stage.first_pass)).collect();
    assert_eq!(rounds, [(2, 2, 0, true), (2, 2, 0, true), (2, 1, 1, false)]);
    assert_eq!(facts.iter().map(|stage| stage.revising / 1_000_000).collect::<Vec<_>>(), [7_200, 0, 0]);
}

#[test]
fn an_escalation_that_changes_hands_is_one() {
    let script = "escalate bo platform; resolve platform redirect buyer; resolve buyer return; escalate bo platform; \
                  resolve platform approve";
    let play = Play::of(&definition("a to=platform,buyer"), script);
    assert_eq!(facts(&play)[0].escalated, [2, 0, 0, 0]);
    let play = Play::of(&definition("a rounds=1 | P30D"), "reject bo full; resolve platform approve");
    let [stage] = &facts(&play)[..] else { panic!("one stage") };
    assert_eq!((stage.escalated, stage.rejected, stage.approved, stage.first_pass), ([0, 0, 1, 0], 1, 1, true));
    let play = Play::of(&definition("a deadline=platform respond=none"), "tick; tick");
    assert_eq!((facts(&play)[0].overdue, facts(&play)[0].escalated), (2, [0, 1, 0, 0]));
}

#[test]
fn a_task_that_is_approved_stage_by_stage_stores_no_counts() {
    let play = Play::of(&brand(), "submit anna; wait PT1H; approve dora; approve bo; approve chi; approve buyer");
    assert!(play.snapshot.task.phase().is_terminal());
    let stored = serde_json::to_value(&play.snapshot.task).unwrap();
    assert_eq!(stored.get("tally"), None);
    let play = Play::of(&definition("a"), "reject bo full; ask anna buyer");
    let stored = serde_json::to_value(&play.snapshot.task).unwrap();
    assert_eq!(stored["tally"], json!([[0, "question", 1]]), "the latest decision is in the record of the stage");
}

#[test]
fn a_stage_that_was_never_entered_has_no_facts() {
    let play = Play::of(&definition("a; b"), "cancel platform");
    assert_eq!(facts(&play).len(), 1);
    // A task whose state was stored before there were counts.
    let mut stored = serde_json::to_value(&play.snapshot.task).unwrap();
    stored.as_object_mut().unwrap().remove("tally");
    let task: Task = serde_json::from_value(stored).unwrap();
    let snapshot = Snapshot { task, ..play.snapshot };
    assert_eq!(StageFacts::of(&snapshot).len(), 1);
}
