//! Clocks that count working time: mornings and afternoons in Berlin (08:00 to 11:00 and 12:00 to 16:00 UTC in
//! winter), Monday to Friday, not on 2026-12-25 and 2027-01-01. The task is opened on Sunday, 2026-11-22, at 10:00
//! UTC.

use crate::domain::task::Timer;
use crate::domain::task::event::{Event, Fact};
use crate::domain::task::snapshot::Snapshot;
use crate::domain::workflow::Workflow;

use super::laws::timers;
use super::test_support::{Play, parse};
use super::words::definition;

/// Description, definition, story, and the resulting timers.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "a start on a Sunday counts from Monday",
        "a deadline=fail within=PT7H business",
        "",
        "Stage 2026-11-23T16:00:00Z",
    ),
    ("hours span noon", "a deadline=fail within=PT4H business", "", "Stage 2026-11-23T13:00:00Z"),
    (
        "a stage in time as it passes beside one in working time",
        "a deadline=fail; b business deadline=none",
        "",
        "Stage 2026-11-23T10:00:00Z",
    ),
    (
        "the week's work ends on Friday, its reminder comes on Thursday",
        "a deadline=fail within=PT35H remind=PT7H business",
        "",
        "Reminder 2026-11-26T16:00:00Z, Stage 2026-11-27T16:00:00Z",
    ),
    (
        "a reminder of the whole time comes at once",
        "a deadline=fail within=PT7H remind=PT7H business",
        "",
        "Reminder 2026-11-22T10:00:00Z, Stage 2026-11-23T16:00:00Z",
    ),
    (
        "reminders before a weekend",
        "a deadline=fail within=PT10H remind=PT5H,PT8H business",
        "wait P5D; submit anna",
        "Reminder 2026-11-27T13:00:00Z, Reminder 2026-11-27T16:00:00Z, Stage 2026-11-30T14:00:00Z",
    ),
    (
        "a hold over a weekend",
        "a deadline=fail within=PT10H remind=PT2H business",
        "wait P5D; submit anna; wait PT1H; hold anna; wait P3D; resume anna",
        "Reminder 2026-12-01T11:00:00Z, Stage 2026-12-01T14:00:00Z",
    ),
    (
        "a hold that takes no working time",
        "a deadline=fail within=PT10H business",
        "wait P5D; submit anna; wait PT7H; hold anna; wait PT12H; resume anna",
        "Stage 2026-11-30T14:00:00Z",
    ),
    (
        "a hold on what is overdue already",
        "a deadline=fail within=PT1H business",
        "wait P2D; hold anna; wait PT1H; resume anna",
        "Stage 2026-11-23T10:00:00Z",
    ),
    (
        "a start on Christmas",
        "a deadline=fail within=PT7H business",
        "wait P33D; submit anna",
        "Stage 2026-12-28T16:00:00Z",
    ),
    (
        "an escalation on a Friday evening",
        "a respond=none business",
        "wait P5D; wait PT7H; escalate bo platform",
        "Escalation 2026-11-30T09:00:00Z",
    ),
    (
        "a redirected one",
        "a to=platform,buyer respond=none business",
        "wait P5D; wait PT7H; escalate bo platform; wait P1D; resolve platform redirect buyer",
        "Escalation 2026-11-30T09:00:00Z",
    ),
    (
        "what was left after an escalation",
        "a deadline=fail within=PT10H respond=none business",
        "wait P5D; submit anna; wait PT4H; escalate bo platform; wait P3D; resolve platform return",
        "Stage 2026-12-01T14:00:00Z",
    ),
    (
        "a return after the deadline gives the full clock",
        "a deadline=platform within=PT7H business",
        "tick; resolve platform return",
        "Stage 2026-11-24T16:00:00Z",
    ),
    ("a grace over a weekend", "a finish business", "wait P5D; wait PT5H; cancel buyer", "Grace 2026-11-30T09:00:00Z"),
    (
        "a grace that the task's deadline cuts short",
        "a finish business | P6D",
        "wait P5D; wait PT5H; cancel buyer",
        "Grace 2026-11-28T10:00:00Z",
    ),
    ("a task's deadline", "a | PT70H business", "hold anna", "Task 2026-12-04T16:00:00Z"),
    (
        "the next stage starts with its hours",
        "a; b deadline=fail within=PT1H business",
        "wait P5D; wait PT7H; approve bo",
        "Stage 2026-11-30T09:00:00Z",
    ),
    (
        "work handed in on a weekend",
        "a required deadline=fail within=PT3H business",
        "wait P6D; submit anna",
        "Stage 2026-11-30T11:00:00Z",
    ),
];

fn in_words(play: &Play) -> String {
    let mut timers = timers(&play.snapshot.task);
    timers.sort_unstable();
    let words: Vec<String> = timers.into_iter().map(|(at, timer)| format!("{timer:?} {at}")).collect();
    words.join(", ")
}

#[test]
fn working_time_on_the_clocks_of_a_task() {
    for (what, words, script, expected) in CASES {
        assert_eq!(in_words(&Play::of(&definition(words), script)), *expected, "{what}");
    }
}

#[test]
fn ticks_come_at_the_ends_of_working_time() {
    let mut play = Play::of(
        &definition("a deadline=platform within=PT10H remind=PT5H respond=fail business"),
        "wait P5D; submit anna",
    );
    let mut story = Vec::new();
    while play.snapshot.task.next_timer().is_some() {
        story.push(format!("{} {}", play.snapshot.task.wake_at().unwrap(), play.run("tick")));
    }
    assert_eq!(
        story,
        [
            "2026-11-27T16:00:00Z deadline_reminded > in_review",
            "2026-11-30T14:00:00Z deadline_passed stage_escalated > escalated",
            "2026-11-30T15:00:00Z deadline_passed review_withdrawn workflow_failed > failed",
        ]
    );
}

/// A later build with other time zones, hours or holidays must read old events with their original
/// meaning.
#[test]
fn folding_asks_no_calendar() {
    let words = "a deadline=none within=PT10H remind=PT2H respond=none finish business; b deadline=none within=PT10H business | PT300H business";
    let script = "submit anna; wait P5D; hold anna; wait P1D; resume anna; escalate bo platform; wait PT1H; resolve platform return; \
        approve bo; escalate bo platform; cancel buyer";
    for cut in 0..=script.matches(';').count() + 1 {
        let script: Vec<&str> = script.split(';').take(cut).collect();
        let play = Play::of(&definition(words), &script.join(";"));
        let mut other = definition(words);
        other["calendar"] =
            serde_json::json!({"time_zone": "Asia/Tokyo", "hours": {"sunday": [{"from": "00:00", "to": "02:00"}]}});
        for holder in ["deadline", "escalation", "cancellation"] {
            other["stages"][0][holder]["clock"] = "wall".into();
        }
        // The definition shows that the clock counts working time; the calendar itself is not
        // needed.
        other["stages"][0]["deadline"]["clock"] = "business".into();
        other["stages"][0]["deadline"]["within"] = "PT5H".into();
        let folded = fold(&parse(&other), &play.trail);
        let kept = play.snapshot.without_tag_secret();
        assert_eq!((folded.task, folded.notes), (kept.task, kept.notes), "{script:?}");
    }
}

fn fold(workflow: &Workflow, trail: &[Event]) -> Snapshot {
    Snapshot::fold(workflow, trail).unwrap()
}

#[test]
fn events_say_the_times_of_working_clocks_and_of_no_others() {
    let says = |words: &str, script: &str| {
        let play = Play::of(&definition(words), script);
        let clock = |event: &Event| serde_json::to_value(&event.fact).unwrap()["data"].get("clock").is_some();
        play.trail
            .iter()
            .filter(|event| clock(event))
            .map(|event| super::test_support::short(&event.fact))
            .collect::<Vec<_>>()
    };
    let script = "submit anna; hold anna; resume anna; escalate bo platform; resolve platform return; approve bo";
    assert_eq!(says("a deadline=none; b deadline=none", script), Vec::<&str>::new());
    assert_eq!(
        says(
            "a deadline=none business; b required deadline=none business; c deadline=none business",
            &format!("{script}; submit anna")
        ),
        ["stage_entered", "work_submitted", "resumed", "escalation_resolved", "work_submitted"]
    );
    // A hold of a stage that waits for work has no clock to continue; a passed clock stays passed.
    assert_eq!(says("a required deadline=none business", "hold anna; resume anna"), Vec::<&str>::new());
    let play = Play::of(&definition("a deadline=none business"), "tick; hold anna; resume anna");
    assert!(matches!(&play.trail.last().unwrap().fact, Fact::Resumed { clock: None, .. }));
    assert_eq!(play.snapshot.task.next_timer().map(|(_, timer)| timer), None::<Timer>);
}
