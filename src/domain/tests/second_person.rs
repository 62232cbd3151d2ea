//! The second person: nobody decides alone what the platform escalated itself, and a partner's
//! approval of an escalation is one vote of its stage.

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;

use crate::domain::task::command::Command;
use crate::domain::task::decide::may_decide;
use crate::domain::task::event::{Event, Fact};
use crate::domain::values::id::CredentialId;
use crate::domain::values::party::{Party, Sender};

use super::random::{Dice, PLATFORM, next, sequences};
use super::test_support::{Play, outcome, sender};
use super::words::definition;

/// Who comes through a link counts as the key that made the link, for both parts of the rule.
#[test]
fn a_link_makes_no_second_person() {
    let named = |command: &Command, credential: &str| {
        let mut command = command.clone();
        command.meta.sender.credential_id = CredentialId::parse(credential).unwrap();
        command
    };
    let link = |number: u32, key: &str| format!("link:01990000-0000-7000-8000-000000000001/{number}@{key}");
    for (raiser, decider, second) in [
        ("key-1".to_owned(), link(1, "key-1"), false),
        (link(1, "key-1"), "key-1".to_owned(), false),
        (link(1, "key-1"), link(2, "key-1"), false),
        (link(1, "key-1"), link(2, "key-2"), true),
    ] {
        let mut play = Play::open(&definition("a buyer"));
        let raised = named(&play.command("escalate platform platform"), &raiser);
        play.send(&raised).unwrap();
        let decided = named(&play.command("resolve platform-olga approve"), &decider);
        assert_eq!(outcome(&play.send(&decided)) == DELIVERED, second, "{raiser} {decider}");
    }
}

/// Definition, script, step, and its outcome.
type Line = (&'static str, &'static str, &'static str, &'static str);

const SENT_BACK: &str = "escalation_resolved stage_rejected stage_entered > preparing";
const DELIVERED: &str = "escalation_resolved stage_approved workflow_completed > delivery";

/// The platform takes the decision from the buyer.
const TAKEN: &str = "escalate platform platform";

const LINES: &[Line] = &[
    ("a buyer", TAKEN, "resolve platform approve", "second_person"),
    ("a buyer", TAKEN, "resolve platform reject", "second_person"),
    ("a buyer", TAKEN, "resolve platform^2 approve", "second_person"),
    ("a buyer", TAKEN, "resolve platform-olga approve", "second_person"),
    ("a buyer", TAKEN, "resolve platform-olga^2 approve", DELIVERED),
    ("a buyer", TAKEN, "resolve platform-olga^2 reject", SENT_BACK),
    ("a buyer", TAKEN, "resolve platform return", "escalation_resolved > in_review"),
    (
        "a to=buyer,platform",
        TAKEN,
        "resolve platform redirect buyer",
        "escalation_resolved stage_escalated > escalated",
    ),
    // What others escalated needs one person.
    ("a buyer", "escalate buyer platform", "resolve platform approve", DELIVERED),
    ("a buyer", "escalate bo platform", "resolve platform reject", SENT_BACK),
    ("a buyer deadline=platform", "tick", "resolve platform approve", DELIVERED),
    // The platform is known for the rest of the round, whatever brings the decision back.
    (
        "a buyer",
        "escalate platform platform; resolve platform return; escalate buyer platform",
        "resolve platform approve",
        "second_person",
    ),
    (
        "a buyer",
        "escalate platform platform; resolve platform return; escalate buyer platform",
        "resolve platform-olga^2 approve",
        DELIVERED,
    ),
    (
        "a buyer deadline=platform",
        "escalate platform platform; resolve platform return; tick",
        "resolve platform approve",
        "second_person",
    ),
    (
        "a to=buyer,platform",
        "escalate platform buyer; resolve buyer redirect platform",
        "resolve platform approve",
        "second_person",
    ),
    (
        "a to=buyer,platform respond=platform",
        "escalate platform buyer; tick",
        "resolve platform approve",
        "second_person",
    ),
    (
        "a to=buyer,platform",
        "escalate platform platform; resolve platform redirect buyer; resolve buyer redirect platform",
        "resolve platform reject",
        "second_person",
    ),
    (
        "a buyer",
        "escalate platform platform; resolve platform return; escalate platform-olga^2 platform",
        "resolve platform-olga^2 approve",
        "second_person",
    ),
    (
        "a buyer",
        "escalate platform platform; resolve platform return; escalate platform-olga^2 platform",
        "resolve platform-pia^3 approve",
        DELIVERED,
    ),
    // Another round begins anew.
    (
        "a buyer",
        "escalate platform platform; resolve platform-olga^2 reject; submit anna; escalate buyer platform",
        "resolve platform approve",
        DELIVERED,
    ),
    // The platform's own stage needs a second person too, once it is escalated.
    ("a platform", TAKEN, "resolve platform approve", "second_person"),
    // The order of the checks.
    ("a buyer", TAKEN, "resolve platform approve #1", "stale_escalation"),
    (
        "a required; b buyer",
        "submit anna; approve bo; escalate platform platform",
        "resolve platform approve ~0",
        "second_person",
    ),
    ("a buyer", TAKEN, "resolve platform reject bare", "second_person"),
    ("a required; b buyer", "submit anna; approve bo; escalate platform platform", "resolve bo approve", "wrong_party"),
    // A partner's approval of its own stage is one vote.
    ("a to=partner", "escalate bo partner", "resolve bo approve", DELIVERED),
    ("a quorum=2,2 to=partner", "escalate bo partner", "resolve bo approve", "resolution_not_allowed"),
    ("a quorum=2,2 to=partner", "approve bo; escalate bo partner", "resolve bo approve", "resolution_not_allowed"),
    ("a quorum=2,2 to=partner", "approve bo; escalate bo partner", "resolve chi approve", DELIVERED),
    ("a quorum=2,2 to=partner", "approve bo; reject chi; escalate bo partner", "resolve chi approve", DELIVERED),
    (
        "a quorum=3,3 to=partner",
        "approve bo; reject chi; escalate bo partner",
        "resolve dora approve",
        "resolution_not_allowed",
    ),
    ("a quorum=2,2 to=partner", "escalate bo partner", "resolve bo reject", SENT_BACK),
    ("a panel to=partner", "approve bo; escalate chi partner", "resolve chi approve", "resolution_not_allowed"),
    ("a panel to=partner", "approve bo; escalate chi partner", "resolve anna approve", DELIVERED),
    ("a required panel to=partner", "submit anna", "resolve bo approve", "resolution_not_allowed"),
    // Rounds that are used up leave no votes standing.
    ("a quorum=2,1 rounds=1 to=partner", "approve chi; reject bo", "resolve dora approve", "resolution_not_allowed"),
    ("a rounds=1 to=partner", "reject bo", "resolve dora approve", DELIVERED),
];

#[test]
fn who_may_decide_an_escalation() {
    for (words, script, step, expected) in LINES {
        assert_eq!(Play::of(&definition(words), script).run(step), *expected, "{words}: {script}: {step}");
    }
}

fn last_resolution(play: &Play) -> (bool, bool) {
    let resolved = play.trail.iter().rev().find_map(|event| {
        let Fact::EscalationResolved(resolved) = &event.fact else { return None };
        Some((resolved.overrides, resolved.single_person))
    });
    resolved.unwrap()
}

#[test]
fn a_decision_of_another_party_is_marked_for_ever() {
    let mut play = Play::of(&definition("a buyer; b"), "escalate buyer platform; resolve platform reject");
    assert_eq!(last_resolution(&play), (true, false));
    let overridden = |play: &Play| {
        let stages = &play.snapshot.status.stages;
        stages.iter().map(|stage| stage.overridden).collect::<Vec<_>>()
    };
    assert_eq!(overridden(&play), [true, false]);
    play.run("submit anna; approve buyer; approve bo");
    assert_eq!(play.snapshot.status.label, "Approved");
    assert_eq!(overridden(&play), [true, false], "in later rounds and after the end");
    for (words, script, overrides) in [
        ("a to=partner", "escalate bo partner; resolve chi approve", false),
        ("a to=partner", "escalate bo partner; resolve chi reject", false),
        ("a to=buyer", "escalate bo buyer; resolve buyer approve", true),
        ("a to=buyer", "escalate bo buyer; resolve buyer return", false),
        ("a platform", "escalate bo platform; resolve platform approve", false),
        ("a buyer to=partner", "escalate buyer partner; resolve bo reject", true),
    ] {
        let play = Play::of(&definition(words), script);
        assert_eq!(last_resolution(&play).0, overrides, "{words}: {script}");
        assert_eq!(overridden(&play), [overrides], "{words}: {script}");
    }
}

#[test]
fn one_person_may_operate_a_service_without_dual_control_and_the_trail_says_so() {
    let mut play = Play::of(&definition("a buyer"), TAKEN);
    let alone = |step: &str, play: &Play| -> Command {
        let mut command = play.command(step);
        command.set_dual_control(false);
        command
    };
    let platform = sender("platform");
    assert!(!may_decide(&play.workflow, &play.snapshot.task, (&platform, true), play.moment()));
    assert!(may_decide(&play.workflow, &play.snapshot.task, (&platform, false), play.moment()));
    assert!(may_decide(&play.workflow, &play.snapshot.task, (&sender("platform-olga^2"), true), play.moment()));
    let two = alone("resolve platform-olga^2 reject", &play);
    let mut other = play.clone();
    other.send(&two).unwrap();
    assert_eq!(last_resolution(&other), (true, false), "a second person decided");
    let command = alone("resolve platform approve", &play);
    assert_eq!(outcome(&play.send(&command)), DELIVERED);
    assert_eq!(last_resolution(&play), (true, true));
}

#[test]
fn a_partners_resolution_counts_as_a_vote_where_other_people_are_asked_for() {
    let words = "a quorum=2,2 to=partner; b distinct=a";
    let mut play = Play::of(&definition(words), "approve bo; reject chi; escalate bo partner; resolve chi approve");
    let counted = play.trail.iter().find_map(|event| {
        let Fact::StageApproved { votes, .. } = &event.fact else { return None };
        Some(votes.clone())
    });
    assert_eq!(counted, Some(vec![3, 6]), "bo's vote and chi's resolution, not chi's rejection");
    assert_eq!(play.run("approve chi"), "not_distinct");
    assert_eq!(play.run("approve bo"), "not_distinct");
    assert!(play.run("approve dora").contains("workflow_completed"));
}

#[test]
fn an_escalation_is_shown_to_those_who_may_approve_it_or_to_all_if_nobody_may() {
    for (words, script, who, expected) in [
        ("a quorum=2,2 to=partner", "approve bo; escalate bo partner", "bo", false),
        ("a quorum=2,2 to=partner", "approve bo; escalate bo partner", "chi", true),
        ("a quorum=2,2 to=partner", "escalate bo partner", "bo", true),
        ("a panel to=partner", "approve bo; escalate bo partner", "anna", true),
        ("a panel to=partner", "approve bo; escalate bo partner", "chi", false),
        ("a panel to=partner", "escalate bo partner", "chi", true),
        ("a buyer to=partner", "escalate buyer partner", "chi", true),
        ("a to=partner", "escalate bo partner", "platform", false),
        ("a to=buyer", "escalate bo buyer", "buyer", true),
    ] {
        let play = Play::of(&definition(words), script);
        let may = may_decide(&play.workflow, &play.snapshot.task, (&sender(who), true), play.moment());
        assert_eq!(may, expected, "{words}: {script}: {who}");
    }
}

/// One who acts alone: one key under any name, or one person under any key.
const LONERS: [&[&str]; 3] = [
    &["platform", "platform-olga", "platform-pia"],
    &["platform", "platform^2", "platform^3"],
    &["anna", "bo", "1", "2", "3", "5"],
];

/// A step of one who acts alone, or of time.
fn lonely(play: &Play, loner: &[&str], dice: &mut Dice) -> String {
    let (who, to) = (dice.one(loner), dice.one(&["platform", "platform", "buyer", "partner"]));
    match dice.below(16) {
        0..4 => format!("escalate {who} {to}"),
        4..8 => format!("resolve {who} approve"),
        8 => format!("resolve {who} return"),
        9 => format!("resolve {who} redirect {to}"),
        10 => format!("approve {who}"),
        11 => format!("{} {who}", dice.one(&["hold", "resume", "submit", "status"])),
        12 => format!("resolve {who} reject"),
        13 => format!("reject {who}"),
        14 if play.snapshot.task.deadline_at().is_none() => "tick".to_owned(),
        _ => "wait PT20M".to_owned(),
    }
}

/// Definitions in which the buyer reviews a stage, and has it decided only by itself or by an
/// escalation that somebody raises: its stages lose their deadlines, by which silence decides.
fn with_a_buyers_stage() -> impl Strategy<Value = (Value, Vec<Vec<u8>>)> {
    let reviews = |stage: &Value| stage["reviewer"] == "buyer";
    let asked =
        move |(definition, _): &(Value, Vec<Vec<u8>>)| definition["stages"].as_array().unwrap().iter().any(reviews);
    let silent = move |(mut definition, rolls): (Value, Vec<Vec<u8>>)| {
        for stage in definition["stages"].as_array_mut().unwrap().iter_mut().filter(|stage| reviews(stage)) {
            stage.as_object_mut().unwrap().remove("deadline");
        }
        (definition, rolls)
    };
    sequences().prop_filter("a stage that the buyer reviews", asked).prop_map(silent)
}

/// Plays on; while the task is at a buyer's stage, only the loner acts.
fn play_alone(definition: &Value, rolls: &[Vec<u8>], loner: &[&str]) -> Vec<Event> {
    let mut play = Play::open(definition);
    for rolls in rolls {
        let mut dice = Dice(rolls);
        let is_buyers = play.snapshot.task.stage_in(&play.workflow).reviewer == Party::Buyer;
        let step = if is_buyers { lonely(&play, loner, &mut dice) } else { next(&play, &mut dice) };
        if ["wait", "back", "erase", "tick", "away", "there"].iter().any(|verb| step.starts_with(verb))
            || play.try_command(&step).is_ok()
        {
            play.run(&step);
        }
    }
    play.trail
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 2, ..Config::default() })]

    #[test]
    fn no_single_credential_and_no_single_person_passes_a_buyers_stage(
        (definition, rolls) in with_a_buyers_stage(), loner in 0..LONERS.len(),
    ) {
        let trail = play_alone(&definition, &rolls, LONERS[loner]);
        let buyers = |key: &str| {
            definition["stages"].as_array().unwrap().iter().any(|stage| stage["key"] == key && stage["reviewer"] == "buyer")
        };
        for event in &trail {
            let passed = matches!(event.fact, Fact::StageApproved { .. })
                && event.stage.as_ref().is_some_and(|stage| buyers(stage.as_str()));
            prop_assert!(!passed, "{:?} approved {:?}", event.actor, event.stage);
            let delivered = matches!(event.fact, Fact::WorkflowCompleted {});
            prop_assert!(!delivered, "delivered past a buyer's stage");
        }
    }
}

#[test]
fn the_platforms_people_of_the_generator_are_two_with_two_keys() {
    let senders = PLATFORM.map(sender);
    let mut people: Vec<_> = senders.iter().filter_map(Sender::actor_ref).collect();
    let mut keys: Vec<_> = senders.iter().map(|sender| sender.credential_id.as_str().to_owned()).collect();
    people.sort();
    people.dedup();
    keys.sort();
    keys.dedup();
    assert_eq!((people.len(), keys.len()), (2, 2));
}
