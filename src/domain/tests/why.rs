//! `why` says of every command what `decide` says: checked in every state of the exhaustive
//! exploration, with commands of the tests' own.

use serde_json::json;

use crate::domain::task::command::CommandType;
use crate::domain::task::decide::{Input, changeable, decide};
use crate::domain::task::event::Resolution;
use crate::domain::task::why::{Ability, Asker, Needs, SilenceAction, Why, abilities};
use crate::domain::values::party::Party;

use super::test_support::{Play, VERBS, brand, name, sender};
use super::words::definition;

/// People of every party, with the platform's second person.
const PEOPLE: [&str; 5] = ["anna", "bo", "buyer", "platform", "platform-olga^2"];

fn why(play: &Play, who: &str) -> Why {
    let sender = sender(who);
    Why::new(&play.workflow, &play.snapshot, Asker { sender: &sender, dual_control: true }, play.moment())
}

/// The step of a script that sends a command of this kind.
fn step(play: &Play, who: &str, ability: &Ability) -> String {
    let stage = play.snapshot.task.stage_in(&play.workflow);
    let verb = VERBS[CommandType::ALL.iter().position(|kind| *kind == ability.command).unwrap()];
    let argument = match (ability.command, ability.resolution) {
        (CommandType::StageEscalated, _) => stage.default_escalation().as_str().to_owned(),
        (CommandType::QuestionAsked, _) => {
            let other = stage.questions.to.iter().find(|to| **to != sender(who).party);
            other.map_or("platform", |to| to.as_str()).to_owned()
        }
        (CommandType::ReviewersChanged, _) => {
            let changed = changeable(&play.workflow, &play.snapshot.task).unwrap_or(stage);
            let panel = changed.panels().first().map_or_else(String::new, |panel| format!("panel={}", panel.key));
            format!("+new {panel} @{}", changed.key)
        }
        (_, Some(Resolution::Redirect)) => {
            let holder = play.snapshot.task.waiting_on(&play.workflow);
            let other = stage.escalation.to.iter().find(|to| Some(**to) != holder);
            format!("redirect {}", other.map_or("bare", |to| to.as_str()))
        }
        (_, Some(resolution)) => resolution.as_str().to_owned(),
        (_, None) => String::new(),
    };
    format!("{verb} {who} {argument}")
}

/// The code of the real refusal; none if the command is taken or its content is refused.
fn real(play: &Play, step: &str) -> Option<String> {
    let command = play.command(step);
    let refusal = match decide(&play.workflow, &play.snapshot, Input::Party(&command), play.moment()) {
        Ok(transition) => transition.late().cloned(),
        Err(refusal) => Some(refusal),
    };
    refusal.filter(|refusal| !refusal.is_about_content()).map(|refusal| name(&refusal).to_owned())
}

/// Checks the answer to one person against the real refusals: to another one in the next state.
pub(super) fn check_next(play: &Play, state: usize) {
    check(play, PEOPLE[state % PEOPLE.len()]);
}

fn check(play: &Play, who: &str) {
    let sender = sender(who);
    let asker = Asker { sender: &sender, dual_control: true };
    let you = abilities(&play.workflow, &play.snapshot, asker, play.moment());
    assert_eq!(you.len(), CommandType::ALL.len() + Resolution::ALL.len() - 1);
    for ability in &you {
        let step = step(play, who, ability);
        let real = real(play, &step);
        // The same rejection again differs from the minimal one by its words.
        if (ability.command, real.as_deref()) == (CommandType::StageRejected, Some("already_voted")) {
            continue;
        }
        let said = ability.refusal.as_ref().map(name);
        assert_eq!(said, real.as_deref(), "{step} in {:?}", play.snapshot.task);
    }
}

/// The entries of an answer: `approve: second_person` or `status: -`.
fn said(why: &Why) -> Vec<String> {
    let entry = |ability: &Ability| {
        let word = ability.resolution.map_or(ability.command.as_str(), Resolution::as_str);
        format!("{word}: {}", ability.refusal.as_ref().map_or("-", name))
    };
    why.you.iter().map(entry).collect()
}

#[test]
fn each_person_reads_what_this_person_can_do() {
    let play = Play::of(&definition("a buyer"), "escalate platform platform");
    let both = |who: &str| said(&why(&play, who))[5..9].to_vec();
    assert_eq!(both("platform"), ["approve: second_person", "reject: second_person", "return: -", "redirect: -"]);
    assert_eq!(both("platform-olga^2"), ["approve: -", "reject: -", "return: -", "redirect: -"]);
    assert_eq!(
        both("buyer"),
        ["approve: wrong_party", "reject: wrong_party", "return: wrong_party", "redirect: wrong_party"]
    );
    let sender = sender("platform");
    let alone = Asker { sender: &sender, dual_control: false };
    let why = Why::new(&play.workflow, &play.snapshot, alone, play.moment());
    assert_eq!(said(&why)[5], "approve: -");
}

#[test]
fn the_answer_says_what_silence_brings() {
    for (words, script, who, expected) in [
        ("a deadline=buyer to=buyer", "", "anna", Some((SilenceAction::Escalate, Some(Party::Buyer)))),
        ("a deadline=reject remind=PT8H", "", "anna", Some((SilenceAction::Reject, None))),
        ("a deadline=approve", "", "platform", Some((SilenceAction::Approve, None))),
        ("a quorum=1,2 deadline=approve", "reject bo", "anna", Some((SilenceAction::Escalate, Some(Party::Platform)))),
        ("a deadline=none", "", "anna", Some((SilenceAction::None, None))),
        ("a deadline=none", "tick", "anna", None),
        ("a deadline=fail", "", "anna", Some((SilenceAction::Fail, None))),
        ("a required | P2D", "", "buyer", Some((SilenceAction::Expire, None))),
        ("a finish", "cancel buyer", "buyer", Some((SilenceAction::Cancel, None))),
        ("a", "", "anna", None),
        // The definition is not the buyer's to read.
        ("a deadline=buyer to=buyer", "", "buyer", None),
        ("a buyer deadline=platform", "", "buyer", Some((SilenceAction::Escalate, Some(Party::Platform)))),
        ("a to=buyer respond=reject", "escalate bo buyer", "buyer", Some((SilenceAction::Reject, None))),
    ] {
        let play = Play::of(&definition(words), script);
        let then = why(&play, who).then.map(|then| (then.action, then.to));
        assert_eq!(then, expected, "{words}: {script}: {who}");
    }
}

#[test]
fn an_entry_says_until_when_it_holds_if_nobody_acts() {
    let play = Play::of(&definition("a deadline=platform remind=PT8H"), "");
    let due_at = play.snapshot.task.due_at();
    let until = |who: &str, command: CommandType| {
        let why = why(&play, who);
        why.you.iter().find(|ability| ability.command == command).unwrap().until
    };
    assert_eq!(until("anna", CommandType::StageApproved), due_at, "the review is escalated then");
    assert_eq!(until("platform", CommandType::EscalationResolved), due_at, "and the platform decides");
    assert_eq!(until("anna", CommandType::StatusUpdated), None);
    assert_eq!(until("buyer", CommandType::CancellationRequested), None);
}

#[test]
fn what_a_decision_needs_is_shown_to_those_who_may_know() {
    let play = Play::of(&brand(), "submit anna; approve dora; approve bo; escalate anna buyer");
    let needs = |who: &str| serde_json::to_value(why(&play, who).needs).unwrap();
    assert_eq!(
        needs("anna"),
        json!({
            "approvals": { "have": 1, "want": 2 }, "rejections": { "have": 0, "want": 1 },
            "eligible": ["u-bo", "u-chi"], "question": "Whose call is it?",
        })
    );
    assert_eq!(
        needs("buyer"),
        json!({ "approvals": null, "rejections": null, "eligible": null, "question": "Whose call is it?" })
    );
    let own = Play::of(&definition("a buyer"), "");
    let Some(Needs { approvals: Some(count), eligible: None, .. }) = why(&own, "buyer").needs else { panic!() };
    assert_eq!((count.have, count.want), (0, 1));
}
