//! The buyer's view: the table of the contract, and when a status gets a new version.

use crate::domain::task::event::{Resolution, TimeoutAction};
use crate::domain::task::status::{Ask, StageState, Status};
use crate::domain::values::party::Party;
use crate::domain::values::text::Text;

use super::test_support::{Play, START, brand};
use super::words::definition;

/// Definition, story, and the expected label, party waited on, hours until due, whether the buyer
/// is asked, and the message.
type Line = (&'static str, &'static str, &'static str, Option<Party>, Option<i64>, Option<Ask>, Option<&'static str>);

const PARTNER: Option<Party> = Some(Party::Partner);
const BUYER: Option<Party> = Some(Party::Buyer);
const PLATFORM: Option<Party> = Some(Party::Platform);

const LINES: &[Line] = &[
    ("a required | P2D", "", "Work is being prepared", PARTNER, Some(48), None, None),
    ("a required", "status anna", "Work is being prepared", PARTNER, None, None, Some("Half done")),
    ("a | P2D", "reject bo", "Changes are being made", PARTNER, Some(48), None, None),
    ("a deadline=none | P2D", "", "In a", PARTNER, Some(24), None, None),
    ("a deadline=none", "tick", "In a", PARTNER, Some(24), None, None),
    ("a platform | P2D", "status anna", "In a", PLATFORM, None, None, Some("Half done")),
    ("a buyer deadline=none", "", "In a", BUYER, Some(24), Some(Ask::Review), None),
    (
        "a to=buyer respond=none",
        "escalate bo buyer",
        "Waiting for your decision",
        BUYER,
        Some(1),
        Some(Ask::Decide),
        None,
    ),
    (
        "a to=buyer respond=none",
        "escalate bo buyer; tick",
        "Waiting for your decision",
        BUYER,
        Some(1),
        Some(Ask::Decide),
        None,
    ),
    ("a to=partner | P2D", "escalate bo partner", "The partner is deciding", PARTNER, None, None, None),
    ("a | P2D", "status anna; escalate bo platform", "AITasker is deciding", PLATFORM, None, None, None),
    ("a deadline=none | P2D", "hold anna", "On hold", PARTNER, None, None, Some("Waiting for the logo")),
    ("a buyer", "hold platform", "On hold", PLATFORM, None, None, Some("Waiting for the logo")),
    ("a finish | P2D", "status anna; cancel buyer", "Being cancelled", PARTNER, Some(2), None, None),
    ("a | P2D", "status anna; approve bo", "Approved", None, None, None, None),
    ("a | P2D", "status anna; cancel buyer", "Cancelled", None, None, None, None),
    ("a | P2D", "status anna; tick", "Not finished in time", None, None, None, None),
    ("a deadline=fail", "status anna; tick", "Could not be approved", None, None, None, None),
];

#[test]
fn the_buyer_reads_what_the_contract_says() {
    for (words, script, label, waiting_on, due, ask, message) in LINES {
        let status = Play::of(&definition(words), script).snapshot.status;
        let found = (status.label.as_str(), status.waiting_on, status.action.as_ref().map(|action| action.ask));
        assert_eq!(found, (*label, *waiting_on, *ask), "{words}: {script}");
        assert_eq!(status.due_at.map(|at| (at.micros() - START) / 3_600_000_000), *due, "{words}: {script}");
        assert_eq!(status.message.as_ref().map(Text::as_str), *message, "{words}: {script}");
        assert_eq!(status.overdue, script.ends_with("tick") && waiting_on.is_some(), "{words}: {script}");
    }
}

#[test]
fn a_status_has_a_new_version_when_it_says_something_new() {
    let mut play = Play::of(&definition("a quorum=2,2 deadline=none remind=PT8H; b"), "");
    for (step, new) in [
        ("approve bo", false),
        ("reject bo", false),
        ("tick", false),
        ("tick", true),
        ("status anna", true),
        ("status anna", false),
        ("submit anna", true),
        ("escalate bo platform", true),
        ("resolve platform return", true),
        ("hold anna", true),
        ("resume anna", true),
        ("approve bo", false),
        ("approve chi", true),
        ("cancel buyer", true),
        ("approve bo", false),
    ] {
        let before = play.snapshot.status.version;
        assert!(play.run(step).contains('>'), "{step}");
        let status = &play.snapshot.status;
        assert_eq!(status.version != before, new, "{step}");
        assert_eq!(status.version == play.snapshot.task.version(), new, "{step}");
    }
}

fn said(status: &Status) -> Vec<String> {
    let action = status.action.as_ref().unwrap();
    let command = |ready: &crate::domain::task::status::ReadyCommand| {
        let resolution = ready.resolution.map(|resolution: Resolution| format!(" {resolution:?}")).unwrap_or_default();
        let to = ready.to.map(|to| format!(" {to}")).unwrap_or_default();
        format!("{}{resolution}{to}", ready.kind.as_str())
    };
    action.commands.iter().map(command).collect()
}

#[test]
fn the_buyer_is_told_what_can_be_answered_and_what_silence_does() {
    let play =
        Play::of(&definition("a required; b buyer deadline=approve to=platform,partner"), "submit anna; approve bo");
    let action = play.snapshot.status.action.as_ref().unwrap();
    assert_eq!(
        said(&play.snapshot.status),
        ["stage_approved", "stage_rejected", "stage_escalated platform", "stage_escalated partner"]
    );
    assert_eq!(
        (action.on_silence, action.revision.as_ref().map(|work| work.revision)),
        (Some(TimeoutAction::Approve), Some(1))
    );
    assert_eq!(action.question, None);

    let mut play = Play::of(&definition("a rounds=1 to=buyer,platform respond=reject"), "escalate bo buyer");
    let action = play.snapshot.status.action.clone().unwrap();
    assert_eq!(action.question.map(|text| text.to_string()).as_deref(), Some("Whose call is it?"));
    assert_eq!((action.on_silence, action.revision), (Some(TimeoutAction::Reject), None));
    let all = ["Approve", "Reject", "Return", "Redirect platform"].map(|kind| format!("escalation_resolved {kind}"));
    assert_eq!(said(&play.snapshot.status), all);
    play.run("resolve buyer return; reject bo");
    let all = ["Approve", "Reject", "Redirect platform"].map(|kind| format!("escalation_resolved {kind}"));
    assert_eq!(said(&play.snapshot.status), all, "rounds that are used up are not given back");
    let question = play.snapshot.status.action.unwrap().question.unwrap();
    assert!(question.as_str().contains("as often as its workflow allows"), "no earlier question again: {question}");
}

#[test]
fn every_answer_that_the_buyer_is_offered_is_taken() {
    for (words, script) in [
        ("a buyer to=platform,partner", ""),
        ("a to=buyer,platform,partner", "escalate bo buyer"),
        ("a rounds=1 to=buyer,platform", "reject bo"),
        (
            "a to=buyer,platform",
            "escalate bo buyer; resolve buyer redirect platform; resolve platform redirect buyer; resolve buyer redirect platform",
        ),
    ] {
        let play = Play::of(&definition(words), script);
        let Some(action) = &play.snapshot.status.action else { continue };
        for ready in &action.commands {
            let to = ready.to.map_or("", Party::as_str);
            let step = match (ready.kind.as_str(), ready.resolution) {
                ("stage_approved", _) => "approve buyer".to_owned(),
                ("stage_rejected", _) => "reject buyer".to_owned(),
                ("stage_escalated", _) => format!("escalate buyer {to}"),
                (_, Some(resolution)) => format!("resolve buyer {} {to}", resolution.as_str()),
                (_, None) => panic!("{ready:?}"),
            };
            let step = format!("{step} @{} .{} ~{}", ready.stage, ready.round, ready.revision);
            assert!(play.clone().run(&step).contains('>'), "{words}: {step}");
        }
    }
}

#[test]
fn a_stage_is_approved_until_the_task_goes_back_behind_it() {
    use StageState::{Approved, Current, Ended, Pending};
    let mut play = Play::of(&brand(), "");
    for (step, states) in [
        ("status anna", [Current, Pending, Pending]),
        ("submit anna; approve dora", [Approved, Current, Pending]),
        ("reject bo", [Current, Pending, Pending]),
        ("submit anna; approve dora; approve bo; approve chi", [Approved, Approved, Current]),
        ("cancel platform now", [Approved, Approved, Ended]),
    ] {
        play.run(step);
        let stages = &play.snapshot.status.stages;
        assert_eq!(stages.iter().map(|stage| stage.state).collect::<Vec<_>>(), states, "{step}");
        assert!(stages.iter().all(|stage| stage.decided_at.is_some() == (stage.state == Approved)), "{step}");
    }
}
