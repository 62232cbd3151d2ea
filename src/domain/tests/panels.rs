//! Panels: what people, links, claims and the buyer see of them, and how each case ends.

use serde_json::{Value, json};

use crate::domain::task::decide::may_decide;
use crate::domain::task::event::Fact;
use crate::domain::task::seats::{Places, Tally, tallies};
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::status::StageState;
use crate::domain::task::view::{Reader, review};
use crate::domain::task::why::{Asker, Why};
use crate::domain::task::{PanelState, Verdict};
use crate::domain::values::id::{ActorId, StageKey};
use crate::domain::values::party::Party;
use crate::domain::workflow::Workflow;

use super::test_support::{Play, sender};
use super::words::definition;

mod votes;

/// The panels of a state are those that the votes say; of a stage that is still to come, none has
/// approved.
pub(super) fn check(workflow: &Workflow, after: &Snapshot) {
    let Snapshot { task, status, .. } = after;
    for (index, stage) in workflow.stages.iter().enumerate() {
        let shown = &status.stages[index].panels;
        let keys: Vec<_> = shown.iter().map(|panel| &panel.key).collect();
        assert_eq!(keys, stage.panels().iter().map(|panel| &panel.key).collect::<Vec<_>>());
        if status.stages[index].state == StageState::Pending {
            assert!(shown.iter().all(|panel| panel.state == PanelState::Open), "{shown:?}");
        }
        if index == task.stage && task.phase.votes().is_some() {
            let counted: Vec<_> = tallies(workflow, task, None).iter().map(Tally::state).collect();
            let shown: Vec<_> = shown.iter().map(|panel| panel.state).collect();
            assert!(shown.is_empty() || shown == counted, "{shown:?} {counted:?}");
        }
    }
}

const TWO: &str = "panels=legal:anna+bo/brand:chi+dan+eve:all";

fn states(play: &Play, stage: usize) -> Vec<PanelState> {
    play.snapshot.status.stages[stage].panels.iter().map(|panel| panel.state).collect()
}

#[test]
fn the_buyer_reads_which_panels_have_approved() {
    let mut play = Play::open(&definition(&format!("a {TWO}; b buyer")));
    let panels = |play: &Play| serde_json::to_value(&play.snapshot.status.stages[0].panels).unwrap();
    let both = |legal: &str, brand: &str| {
        json!([
            { "key": "legal", "name": "Panel legal", "state": legal },
            { "key": "brand", "name": "Panel brand", "state": brand },
        ])
    };
    assert_eq!(panels(&play), both("open", "open"));
    let version = play.snapshot.status.version;
    play.run("approve chi");
    assert_eq!(play.snapshot.status.version, version, "a vote short of its panel changes nothing for the buyer");
    play.run("approve anna");
    assert_eq!(panels(&play), both("approved", "open"));
    assert_eq!(play.snapshot.status.version, play.snapshot.task.version());
    play.run("hold anna; resume anna; ask bo buyer; escalate bo platform; resolve platform return");
    assert_eq!(panels(&play), both("approved", "open"), "pauses change no panel");
    play.run("submit dora");
    assert_eq!(panels(&play), both("open", "open"), "new work is voted on anew");
    play.run("approve anna; approve bo; approve chi; approve dan; approve eve");
    assert_eq!((panels(&play), states(&play, 1)), (both("approved", "approved"), vec![]));
    assert_eq!(play.run("approve buyer"), "vote_recorded stage_approved workflow_completed > delivery");
    assert_eq!(panels(&play), both("approved", "approved"), "after the end as well");
}

#[test]
fn a_stage_that_others_approve_says_which_panels_had() {
    use PanelState::{Approved, Open};
    for (more, script, expected) in [
        ("", "approve anna; escalate bo platform; resolve platform approve", [Approved, Open]),
        ("deadline=approve", "approve anna; tick", [Approved, Open]),
        (
            "to=partner",
            "approve anna; approve chi; approve dan; escalate bo partner; resolve eve approve",
            [Approved; 2],
        ),
        ("deadline=reject", "approve anna; tick", [Open, Open]),
        ("rounds=1", "approve anna; reject chi", [Open, Open]),
    ] {
        let play = Play::of(&definition(&format!("a {TWO} {more}; b")), script);
        assert_eq!(states(&play, 0), expected, "{more}: {script}");
    }
    let play = Play::of(&definition(&format!("a; b {TWO} back=a; c")), "approve bo; approve anna; reject chi");
    assert_eq!(states(&play, 1), [Open, Open], "to be decided again");
}

/// What happens, one line each: the stage, what was done, the last step and its outcome.
const CASES: &[(&str, &str, &str, &str)] = &[
    (TWO, "", "approve dora", "not_a_reviewer"),
    (TWO, "", "reject dora", "not_a_reviewer"),
    (TWO, "approve anna", "approve bo", "vote_recorded > in_review"),
    (TWO, "approve anna", "reject anna", "vote_recorded stage_rejected stage_entered > preparing"),
    ("bound panels=legal:anna+bo/brand:chi", "", "approve anna", "key_unbound"),
    (
        "bound panels=legal:anna+bo/brand:chi",
        "approve anna*",
        "approve chi*",
        "vote_recorded stage_approved workflow_completed > delivery",
    ),
    // Those who may not approve are not waited for, and an empty panel never passes.
    (TWO, "submit chi; approve anna; approve dan", "approve chi", "self_approval"),
    (
        TWO,
        "submit chi; approve anna; approve dan",
        "approve eve",
        "vote_recorded stage_approved workflow_completed > delivery",
    ),
    (
        TWO,
        "submit chi; submit dan; approve anna",
        "approve eve",
        "vote_recorded stage_approved workflow_completed > delivery",
    ),
    (TWO, "submit chi; submit dan", "submit eve", "work_submitted stage_escalated > escalated"),
    (TWO, "submit chi; approve anna", "reject chi", "vote_recorded stage_rejected stage_entered > preparing"),
    ("panels=legal:anna/brand:chi+dan", "", "submit anna", "work_submitted stage_escalated > escalated"),
    ("panels=legal:anna/brand:chi+dan", "submit anna", "resolve platform return", "nothing_to_return_to"),
    ("panels=legal:anna/brand:chi+dan to=partner", "submit anna", "resolve chi approve", "resolution_not_allowed"),
    ("panels=legal:anna/brand:chi+dan to=partner", "submit anna", "resolve anna approve", "self_approval"),
    // The partner's resolution is one vote, and every panel's quorum must be met.
    (
        "panels=legal:anna+bo/brand:chi to=partner",
        "escalate bo partner",
        "resolve bo approve",
        "resolution_not_allowed",
    ),
    (
        "panels=legal:anna+bo/brand:chi to=partner",
        "approve anna; escalate bo partner",
        "resolve bo approve",
        "resolution_not_allowed",
    ),
    (
        "panels=legal:anna+bo/brand:chi to=partner",
        "approve anna; escalate bo partner",
        "resolve dora approve",
        "resolution_not_allowed",
    ),
    (
        "panels=legal:anna+bo/brand:chi to=partner",
        "approve anna; escalate bo partner",
        "resolve chi approve",
        "escalation_resolved stage_approved workflow_completed > delivery",
    ),
    (
        "panels=legal:anna+bo:1:2/brand:chi to=partner",
        "reject anna; approve chi; escalate bo partner",
        "resolve anna approve",
        "escalation_resolved stage_approved workflow_completed > delivery",
    ),
    (
        "panels=legal:anna/brand:chi to=partner rounds=1",
        "approve anna; reject chi",
        "resolve chi approve",
        "resolution_not_allowed",
    ),
    // Silence approves without the panels, but not over a rejection in any of them.
    (
        "panels=legal:anna+bo:1:2/brand:chi deadline=approve",
        "approve anna",
        "tick",
        "deadline_passed stage_approved workflow_completed > delivery",
    ),
    (
        "panels=legal:anna+bo:1:2/brand:chi deadline=approve",
        "reject anna; approve chi",
        "tick",
        "deadline_passed stage_escalated > escalated",
    ),
    (
        "panels=legal:anna+bo/brand:chi finish",
        "approve anna; cancel buyer",
        "approve chi",
        "late_decision_recorded > cancelling",
    ),
    // All of an ordinary quorum.
    (
        "named=anna,bo,chi quorum=all,1",
        "approve anna; approve bo",
        "approve chi",
        "vote_recorded stage_approved workflow_completed > delivery",
    ),
    ("named=anna,bo,chi quorum=all,1", "approve anna", "approve bo", "vote_recorded > in_review"),
    (
        "named=anna,bo,chi quorum=all,1",
        "submit bo; approve anna",
        "approve chi",
        "vote_recorded stage_approved workflow_completed > delivery",
    ),
    ("named=anna,bo,chi quorum=all,1 self", "submit bo; approve anna", "approve chi", "vote_recorded > in_review"),
    (
        "named=anna,bo,chi quorum=all,1",
        "approve anna; approve bo",
        "reject anna",
        "vote_recorded stage_rejected stage_entered > preparing",
    ),
    ("named=anna,bo quorum=all,1", "submit anna", "submit bo", "work_submitted stage_escalated > escalated"),
    (
        "named=anna,bo quorum=all,1 to=partner",
        "approve anna; escalate bo partner",
        "resolve bo approve",
        "escalation_resolved stage_approved workflow_completed > delivery",
    ),
    ("named=anna,bo quorum=all,1 to=partner", "escalate bo partner", "resolve bo approve", "resolution_not_allowed"),
];

#[test]
fn panels_case_by_case() {
    for (stage, script, step, expected) in CASES {
        let mut play = Play::of(&definition(&format!("a {stage}")), script);
        let outcome = play.run(step);
        let expected = if expected.starts_with("late") { "cancelling" } else { expected };
        assert!(
            outcome == *expected || outcome.ends_with(&format!("> {expected}")),
            "{stage}: {script}; {step}: {outcome}"
        );
    }
}

#[test]
fn approvers_of_an_earlier_stage_are_not_waited_for_in_a_panel() {
    let words = "a; b distinct=a panels=legal:anna+bo:all/brand:chi";
    let mut play = Play::of(&definition(words), "approve bo");
    assert_eq!(play.run("approve bo"), "not_distinct");
    play.run("approve anna");
    assert_eq!(states(&play, 1), [PanelState::Approved, PanelState::Open]);
    assert_eq!(play.run("approve chi"), "vote_recorded stage_approved workflow_completed > delivery");
    // Everybody whose approval counted in a panel is barred later on, also beyond what it needs.
    let words = "a panels=legal:anna+bo/brand:chi; b distinct=a named=anna,bo,dan quorum=1,1";
    let mut play = Play::of(&definition(words), "approve anna; approve bo; approve chi");
    assert_eq!(
        (play.run("approve anna"), play.run("approve bo")),
        ("not_distinct".to_owned(), "not_distinct".to_owned())
    );
    let words = words.replace("anna,bo,dan", "anna,bo");
    let mut play = Play::of(&definition(&words), "approve anna; approve bo");
    assert_eq!(play.run("approve chi"), "vote_recorded stage_approved stage_entered stage_escalated > escalated");
}

#[test]
fn nobody_of_a_panel_that_has_approved_is_asked_but_may_still_change_a_vote() {
    let mut play = Play::of(&definition(&format!("a {TWO}")), "submit eve; approve anna");
    let asked =
        |play: &Play, who: &str| may_decide(&play.workflow, &play.snapshot.task, (&sender(who), true), play.moment());
    let may = |play: &Play, who: &str| {
        let sender = sender(who);
        let why =
            Why::new(&play.workflow, &play.snapshot, Asker { sender: &sender, dual_control: true }, play.moment());
        why.you.iter().filter(|ability| ability.refusal.is_none()).any(|it| it.command.as_str() == "stage_rejected")
    };
    for (who, is_asked, may_reject) in
        [("anna", false, true), ("bo", false, true), ("chi", true, true), ("eve", false, true), ("dora", false, false)]
    {
        assert_eq!((asked(&play, who), may(&play, who)), (is_asked, may_reject), "{who}");
    }
    play = Play::of(&definition("a panels=legal:anna+bo:1:2/brand:chi"), "approve anna; reject anna");
    assert!(asked(&play, "bo") && asked(&play, "anna"), "the panel is open again");
}

fn shown(play: &Play) -> Value {
    let Snapshot { task, notes, .. } = &play.snapshot;
    let found = serde_json::to_value(review(
        &play.workflow,
        task,
        notes,
        Reader { party: Party::Partner, moment: play.moment() },
    ))
    .unwrap();
    json!({ "needed": found["needed"], "eligible": found["eligible"], "panels": found["panels"],
        "votes": found["votes"].as_array().unwrap().iter().map(|vote| vote["panel"].clone()).collect::<Vec<_>>() })
}

#[test]
fn a_review_shows_who_sits_where_and_what_each_panel_needs() {
    let words = "a panels=legal:anna+bo:1:2/brand:chi+dan+eve:all";
    let play = Play::of(&definition(words), "submit eve; approve bo; approve chi; reject anna");
    let panel = |key: &str, state: &str, needed: (u32, u32), reviewers: &[&str], eligible: &[&str]| {
        json!({ "key": key, "name": format!("Panel {key}"), "state": state,
            "needed": { "approvals": needed.0, "rejections": needed.1 }, "reviewers": reviewers, "eligible": eligible })
    };
    assert_eq!(
        shown(&play),
        json!({
            "needed": { "approvals": 3, "rejections": 1 }, "eligible": ["u-anna", "u-bo", "u-chi", "u-dan"],
            "panels": [
                panel("legal", "approved", (1, 2), &["u-anna", "u-bo"], &["u-anna", "u-bo"]),
                panel("brand", "open", (2, 1), &["u-chi", "u-dan", "u-eve"], &["u-chi", "u-dan"]),
            ],
            "votes": ["legal", "brand", "legal"],
        })
    );
    let who = sender("dan");
    let why = Why::new(&play.workflow, &play.snapshot, Asker { sender: &who, dual_control: true }, play.moment());
    let needs = serde_json::to_value(why.needs).unwrap();
    let count = |have: u32, want: u32| json!({ "have": have, "want": want });
    assert_eq!((&needs["approvals"], &needs["rejections"]), (&count(2, 3), &count(1, 2)));
    assert_eq!(
        needs["panels"][1],
        json!({ "key": "brand", "name": "Panel brand", "state": "open", "approvals": count(1, 2), "rejections": count(0, 1),
            "eligible": ["u-chi", "u-dan"] })
    );
    assert_eq!(needs["panels"][0]["rejections"], count(1, 2));
}

#[test]
fn each_panel_has_places_of_its_own_to_claim() {
    let words = "a panels=legal:anna+bo/brand:chi+dan+eve:all/pr:fay+gus:2";
    let places = |script: &str| {
        let play = Play::of(&definition(words), script);
        let found = Places::of(&play.workflow, &play.snapshot.task, play.moment());
        let found = found.into_iter().map(|group| (group.numbers.clone(), group.is_open));
        found.collect::<Vec<_>>()
    };
    assert_eq!(places(""), [(1..=1, true), (101..=103, true), (201..=202, true)]);
    assert_eq!(places("approve bo"), [(1..=1, false), (101..=103, true), (201..=202, true)]);
    assert_eq!(places("submit dan"), [(1..=1, true), (101..=102, true), (201..=202, true)], "numbers do not move");
    assert_eq!(places("escalate bo platform"), [(1..=1, true)]);
    let play = Play::of(&definition(words), "");
    let chi = ActorId::parse("u-chi").unwrap();
    let admits: Vec<bool> =
        Places::of(&play.workflow, &play.snapshot.task, play.moment()).iter().map(|group| group.admits(&chi)).collect();
    assert_eq!(admits, [false, true, false]);
}

#[test]
fn only_the_votes_of_the_panel_that_rejects_count() {
    let words = "a; b; c back=c,b,a panels=legal:anna+bo+eve:2:2/brand:chi+dan:1:2";
    let play = Play::of(&definition(words), "approve zoe; approve zoe; reject anna a; reject chi b; reject dan c");
    let mut facts = play.trail.iter().map(|event| &event.fact);
    let rejected = facts.find_map(|fact| if let Fact::StageRejected(rejected) = fact { Some(rejected) } else { None });
    let rejected = rejected.unwrap();
    assert_eq!(rejected.return_to.as_ref().map(StageKey::as_str), Some("b"), "anna's panel has not rejected");
    assert_eq!((rejected.votes.len(), rejected.internal_feedback.as_ref().map(Vec::len)), (2, Some(2)));
}

/// A trail read again after an erasure gives the panels of that time, although nobody knows any more
/// whose votes they were, or who was barred.
#[test]
fn what_the_panels_said_outlives_the_names() {
    let words = format!("a required {TWO} finish");
    let script = "submit eve; approve chi; approve dan; approve anna; reject anna; submit eve; approve chi; approve bo; cancel platform now";
    let mut play = Play::of(&definition(&words), script);
    let before: Vec<Vec<PanelState>> = history(&play);
    assert!(before.contains(&vec![PanelState::Open, PanelState::Approved]), "{before:?}");
    for who in ["eve", "chi", "dan", "bo", "anna"] {
        assert!(play.run(&format!("erase {who}")).starts_with("personal_data_erased"));
    }
    let after = history(&play);
    assert_eq!(before, after[..before.len()]);
}

/// The buyer's panels after each event.
fn history(play: &Play) -> Vec<Vec<PanelState>> {
    let states = (1..=play.trail.len()).map(|length| {
        let folded = Snapshot::fold(&play.workflow, &play.trail[..length]).unwrap();
        folded.status.stages[0].panels.iter().map(|panel| panel.state).collect()
    });
    states.collect()
}

/// A vote is its actor's latest: a changed one counts once, in the panel of its actor.
#[test]
fn a_changed_vote_counts_once() {
    let play = Play::of(
        &definition("a panels=legal:anna+bo+dan:2:2/brand:chi"),
        "approve anna; reject anna; approve anna; approve chi",
    );
    let votes = play.snapshot.task.phase.votes().unwrap();
    let standing: Vec<_> = votes.iter().map(|vote| (vote.actor.id.as_str(), vote.decision, vote.cast)).collect();
    assert_eq!(standing, [("u-anna", Verdict::Approved, 3), ("u-chi", Verdict::Approved, 1)]);
    assert_eq!(states(&play, 0), [PanelState::Open, PanelState::Approved]);
}
