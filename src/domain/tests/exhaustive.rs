//! Every sequence over small definitions: breadth first over an alphabet of commands, merging
//! states that differ only in times and numbers. Every step checks the laws, and every state must
//! have a way out.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use crate::domain::task::PhaseName;

use super::laws;
use super::test_support::Play;
use super::why;
use super::words::definition;

/// The length of the longest sequence.
const DEPTH: usize = 6;

/// The commands tried in every state; most of them are refused in most states.
const ALPHABET: &[&str] = &[
    "submit anna",
    "approve anna",
    "approve bo",
    "reject bo",
    "reject anna a",
    "approve bo @a .1",
    "approve buyer",
    "status anna",
    "escalate bo platform",
    "resolve platform approve",
    "resolve platform reject",
    "resolve platform return",
    "resolve platform redirect buyer",
    "resolve buyer approve",
    "hold anna",
    "resume anna",
    "cancel buyer",
    "cancel platform now",
    "ack anna discarded",
    "tick",
];

/// The commands tried as well where questions are explored.
const QUESTIONS: &[&str] = &["ask anna buyer", "answer buyer", "withdraw anna"];

/// The commands tried as well where a stage requires bound keys: under a bound key (`*`), and under
/// one that is bound to somebody else (`-`).
const KEYS: &[&str] = &[
    "approve anna*",
    "approve bo*",
    "reject bo*",
    "approve bo-",
    "resolve platform* approve",
    "resolve platform- reject",
    "submit anna*",
];

/// The partner decides an escalation of its own by a vote; what the platform takes over needs a
/// second person.
const OWN: &[&str] =
    &["escalate platform platform", "resolve platform-olga^2 approve", "escalate bo partner", "resolve bo approve"];

/// The votes of two panels.
const PANELS: &[&str] = &["approve chi", "reject chi", "escalate bo partner", "resolve chi approve", "submit chi"];

/// People come and go, while their votes stand.
const STAFF: &[&str] = &["staff lead -bo", "staff lead +bo -anna", "staff lead +anna"];

/// Definitions, the minimum number of states that their sequences reach, and further commands.
const WORLDS: &[(&str, usize, &[&str])] = &[
    // Two-person approval with a bar, new work in between, rounds that run out, a review that may finish.
    ("a required; b panel distinct=a rounds=1 finish; c buyer", 100, &[]),
    // Every clock: reminders, timeouts that reject and escalate, a deadline of the whole task.
    ("a quorum=2,2 deadline=reject remind=PT8H rounds=2 to=platform,buyer respond=buyer | P10D", 100, &[]),
    // The same clocks in working time, paused and resumed.
    (
        "a deadline=reject remind=PT8H within=PT10H to=platform,buyer respond=buyer finish business | PT80H business",
        100,
        &[],
    ),
    // Two people under bound keys, then anybody's.
    ("a required bound quorum=2,1 rounds=1 finish; b", 100, KEYS),
    // The partner decides its own escalation by a vote; the platform needs a second person.
    ("a quorum=2,1 to=partner,platform; b buyer", 100, OWN),
    // Two panels, one of which needs all who may approve.
    ("a required to=partner,platform panels=legal:anna/brand:bo+chi:all; b", 100, PANELS),
    // Other people vote, where all must approve.
    ("a required named=anna,bo quorum=all,1 rounds=2; b", 100, STAFF),
    // A timeout approves on the way, and fails at the end.
    ("a required deadline=approve; b deadline=platform respond=fail rounds=1 exhausted=fail", 100, &[]),
    // Questions in every phase that can have one, whose times run with the stage's and the task's.
    ("a required deadline=reject remind=PT8H asks=2 answer=PT24H; b buyer finish asks=1 | P3D", 100, QUESTIONS),
    ("a required deadline=none within=PT10H answer=PT5H finish business | PT80H business", 100, QUESTIONS),
];

/// The state with times relative to the last event and without numbers: the part that decides how
/// the task can continue.
pub(super) fn essence(play: &Play) -> String {
    let task = &play.snapshot.task;
    let mut value = serde_json::to_value(task).unwrap();
    relative(&mut value, task.recorded_at().micros());
    value.to_string()
}

fn relative(value: &mut Value, origin: i64) {
    match value {
        Value::Object(fields) => {
            // `since` and `decided_at` are shown but decide nothing; numbers only name events.
            let names = ["seq", "version", "since", "decided_at", "voted_at", "opened_at", "recorded_at"];
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|value| relative(value, origin));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| relative(value, origin)),
        Value::String(text) => {
            if let Ok(time) = serde_json::from_value::<crate::domain::values::time::Time>(Value::String(text.clone())) {
                *value = (time.micros() - origin).into();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn the_laws_hold_in_every_state_of_small_definitions() {
    let phases: BTreeSet<PhaseName> = thread::scope(|scope| {
        let worlds: Vec<_> = WORLDS.iter().map(|world| scope.spawn(|| explore(*world))).collect();
        worlds.into_iter().flat_map(|world| world.join().unwrap()).collect()
    });
    assert_eq!(phases.len(), PhaseName::ALL.len(), "{phases:?}");
}

/// Checks every state that the sequences reach. Returns the phases that were there.
fn explore((words, least, more): (&str, usize, &[&str])) -> BTreeSet<PhaseName> {
    let mut phases = BTreeSet::new();
    let first = Play::open(&definition(words));
    let mut known = BTreeSet::from([essence(&first)]);
    let mut edge = vec![first];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for play in &edge {
            for step in ALPHABET.iter().chain(more) {
                let mut play = play.clone();
                let taken = play.run(step).contains('>');
                if taken && known.insert(essence(&play)) {
                    laws::check_way_out(&play);
                    why::check_next(&play, known.len());
                    phases.insert(play.snapshot.task.phase());
                    next.push(play);
                }
            }
        }
        edge = next;
    }
    edge.iter().step_by(10).for_each(laws::check_ticks_end);
    println!("{words}: {} states, {} of them after {DEPTH} steps", known.len(), edge.len());
    assert!(known.len() >= least, "{words}: only {} states", known.len());
    phases
}
