//! People who come and go in a running task.

use serde_json::json;

use crate::domain::task::command::{Action, Command, Meta};
use crate::domain::task::decide::may_decide;
use crate::domain::task::event::Fact;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::seats::{Places, named};
use crate::domain::task::{PanelState, Phase};
use crate::domain::values::id::StageKey;
use crate::domain::values::party::Party;
use crate::domain::workflow::MAX_REVIEWERS;

use super::cases::Case;
use super::test_support::{Play, sender};
use super::words::definition;

#[rustfmt::skip] // A case a line.
pub(super) const PEOPLE: &[Case] = &[
    ("somebody comes before there is work", "a required named=anna,bo", "staff lead +dora", "reviewers_changed > preparing"),
    ("somebody leaves a review", "a named=anna,bo", "staff lead -bo", "reviewers_changed > in_review"),
    ("somebody comes while a call is awaited", "a named=anna,bo", "escalate anna platform; staff lead +dora", "reviewers_changed > escalated"),
    ("somebody leaves a held task", "a named=anna,bo", "hold anna; staff lead -bo", "reviewers_changed > on_hold"),
    ("who came may vote", "a named=anna,bo", "staff lead +dora; approve dora", "vote_recorded stage_approved workflow_completed > delivery"),
    ("who left may not", "a named=anna,bo", "staff lead -bo; approve bo", "not_a_reviewer"),
    ("nor after a return", "a named=anna,bo", "staff lead -bo; reject anna; submit chi; approve bo", "not_a_reviewer"),
    ("a stage that is still to come gets somebody else", "a; b named=anna,bo", "staff lead +dora -bo @b; approve chi; approve dora", "vote_recorded stage_approved workflow_completed > delivery"),
    ("what is left of the votes approves: delivery", "a named=anna,bo quorum=all,1", "approve anna; staff lead -bo", "reviewers_changed stage_approved workflow_completed > delivery"),
    ("what is left of the votes approves: the next stage is reviewed", "a named=anna,bo quorum=all,1; b", "approve anna; staff lead -bo", "reviewers_changed stage_approved stage_entered > in_review"),
    ("what is left of the votes approves: the next stage waits for work", "a named=anna,bo quorum=all,1; b required", "approve anna; staff lead -bo", "reviewers_changed stage_approved stage_entered > preparing"),
    ("what is left of the votes approves: too few may approve the next stage", "a named=chi,dora quorum=all,1; b panel", "submit anna; approve chi; staff lead -dora", "reviewers_changed stage_approved stage_entered stage_escalated > escalated"),
    ("the decision overtakes a question: delivery", "a named=anna,bo quorum=all,1", "approve anna; ask anna buyer; staff lead -bo", "reviewers_changed question_closed stage_approved workflow_completed > delivery"),
    ("the decision overtakes a question: the next stage is reviewed", "a named=anna,bo quorum=all,1; b", "approve anna; ask anna buyer; staff lead -bo", "reviewers_changed question_closed stage_approved stage_entered > in_review"),
    ("the decision overtakes a question: the next stage waits for work", "a named=anna,bo quorum=all,1; b required", "approve anna; ask anna buyer; staff lead -bo", "reviewers_changed question_closed stage_approved stage_entered > preparing"),
    ("the decision overtakes a question: too few may approve the next stage", "a named=chi,dora quorum=all,1; b panel", "submit anna; approve chi; ask anna buyer; staff lead -dora", "reviewers_changed question_closed stage_approved stage_entered stage_escalated > escalated"),
    ("a held task is decided when it goes on: delivery", "a named=anna,bo quorum=all,1", "approve anna; hold anna; staff lead -bo; resume anna", "resumed stage_approved workflow_completed > delivery"),
    ("a held task is decided when it goes on: the next stage is reviewed", "a named=anna,bo quorum=all,1; b", "approve anna; hold anna; staff lead -bo; resume platform", "resumed stage_approved stage_entered > in_review"),
    ("a held task is decided when it goes on: the next stage waits for work", "a named=anna,bo quorum=all,1; b required", "approve anna; hold anna; staff lead -bo; resume anna", "resumed stage_approved stage_entered > preparing"),
    ("a held task is decided when it goes on: too few may approve the next stage", "a named=chi,dora quorum=all,1; b panel", "submit anna; approve chi; hold anna; staff lead -dora; resume anna", "resumed stage_approved stage_entered stage_escalated > escalated"),
    ("a held task with a question is decided when it goes on: delivery", "a named=anna,bo quorum=all,1", "approve anna; ask anna buyer; hold anna; staff lead -bo; resume anna", "resumed question_closed stage_approved workflow_completed > delivery"),
    ("a held task with a question is decided when it goes on: the next stage is reviewed", "a named=anna,bo quorum=all,1; b", "approve anna; ask anna buyer; hold anna; staff lead -bo; resume anna", "resumed question_closed stage_approved stage_entered > in_review"),
    ("a held task with a question is decided when it goes on: the next stage waits for work", "a named=anna,bo quorum=all,1; b required", "approve anna; ask anna buyer; hold anna; staff lead -bo; resume anna", "resumed question_closed stage_approved stage_entered > preparing"),
    ("a held task with a question is decided when it goes on: too few may approve the next stage", "a named=chi,dora quorum=all,1; b panel", "submit anna; approve chi; ask anna buyer; hold anna; staff lead -dora; resume anna", "resumed question_closed stage_approved stage_entered stage_escalated > escalated"),
    ("a returned review is decided: delivery", "a named=anna,bo quorum=all,1", "approve anna; escalate anna platform; staff lead -bo; resolve platform return", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("a returned review is decided: the next stage is reviewed", "a named=anna,bo quorum=all,1; b", "approve anna; escalate anna platform; staff lead -bo; resolve platform return", "escalation_resolved stage_approved stage_entered > in_review"),
    ("a returned review is decided: the next stage waits for work", "a named=anna,bo quorum=all,1; b required", "approve anna; escalate anna platform; staff lead -bo; resolve platform return", "escalation_resolved stage_approved stage_entered > preparing"),
    ("a returned review is decided: too few may approve the next stage", "a named=chi,dora quorum=all,1; b panel", "submit anna; approve chi; escalate chi platform; staff lead -dora; resolve platform return", "escalation_resolved stage_approved stage_entered stage_escalated > escalated"),
    ("a review that too few could decide goes on once enough have come", "a required panel", "submit anna; staff lead +dora; resolve platform return", "escalation_resolved > in_review"),
    ("the partner's call needs the people of now", "a named=anna,bo to=partner", "escalate anna partner; staff lead +dora -bo; resolve dora approve", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("the partner's call is not that of somebody who left", "a named=anna,bo to=partner", "escalate anna partner; staff lead +dora -bo; resolve bo approve", "resolution_not_allowed"),
];

#[rustfmt::skip] // A case a line.
pub(super) const REFUSED: &[Case] = &[
    ("a stage that fixes its people", "a named=anna,bo fixed", "staff lead +dora", "reviewers_fixed"),
    ("a stage that names nobody", "a", "staff lead +dora", "reviewers_fixed"),
    ("a stage of the buyer", "a buyer", "staff lead +dora", "reviewers_fixed"),
    ("a panel of a stage without", "a named=anna,bo", "staff lead +dora panel=x", "/panel"),
    ("no panel of a stage with some", "a panels=x:anna/y:bo", "staff lead +dora", "/panel"),
    ("a panel that does not exist", "a panels=x:anna/y:bo", "staff lead +dora panel=z", "/panel"),
    ("nobody comes or goes", "a named=anna,bo", "staff lead", "/add"),
    ("who comes sits there already", "a named=anna,bo", "staff lead +bo", "/add"),
    ("who comes sits in another panel", "a panels=x:anna/y:bo", "staff lead +bo panel=x", "/add"),
    ("who comes comes once", "a named=anna,bo", "staff lead +dora +dora", "/add"),
    ("who goes sits there", "a named=anna,bo", "staff lead -dora", "/remove"),
    ("who goes sits in that panel", "a panels=x:anna+chi/y:bo", "staff lead -bo panel=x", "/remove"),
    ("who goes does not come", "a named=anna,bo", "staff lead +dora -dora", "/remove"),
    ("somebody stays", "a named=anna", "staff lead -anna", "/remove"),
    ("the quorum stays within reach", "a panel", "staff lead -anna", "/remove"),
    ("either decision stays within reach", "a named=anna,bo,chi quorum=2,2", "staff lead -anna", "/remove"),
    ("those who may not approve do not count", "a named=anna,bo", "submit anna; staff lead -bo", "/remove"),
    ("nor those who approved before", "a; b named=anna,bo distinct=a", "approve anna; staff lead -bo", "/remove"),
    ("nor in a stage that is still to come", "a; b; c named=anna,bo distinct=a", "approve anna; staff lead -bo @c", "/remove"),
    ("nor who comes", "a named=anna,bo", "submit chi; staff lead +chi -bo -anna", "/remove"),
    ("too few still, with whoever comes", "a quorum=2,2; b named=anna,bo quorum=2,1 distinct=a", "approve anna; approve bo; staff lead +dora", "/add"),
    ("a stage that was approved", "a named=anna,bo; b", "approve bo; staff lead +dora @a", "stage_mismatch"),
    ("a stage that does not exist", "a named=anna,bo", "staff lead +dora @z", "/stage"),
    ("another round", "a named=anna,bo", "staff lead +dora .2", "round_mismatch"),
    ("another round of a stage that is still to come", "a; b named=anna,bo", "staff lead +dora @b .2", "round_mismatch"),
    ("the platform names nobody", "a named=anna,bo", "staff platform +dora", "wrong_party"),
    ("a key of other people", "a named=anna,bo", "staff lead- +dora", "key_actor"),
    ("a task that winds down", "a named=anna,bo finish", "cancel buyer; staff lead +dora", "wrong_phase"),
    ("the end", "a named=anna,bo", "approve bo; staff lead +dora", "task_closed"),
    ("an older revision", "a named=anna,bo", "submit chi; staff lead +dora ~0", "stale_revision"),
    ("whether people may change comes before the revision", "a named=anna,bo fixed", "submit chi; staff lead +dora ~0", "reviewers_fixed"),
    ("the revision comes before the people", "a named=anna,bo", "submit chi; staff lead -dora ~0", "stale_revision"),
];

fn people(play: &Play) -> Vec<String> {
    let named = named(&play.workflow, &play.snapshot.task).unwrap();
    named.into_iter().map(|id| id.as_str().trim_start_matches("u-").to_owned()).collect()
}

#[test]
fn votes_of_those_who_leave_fall_and_are_listed() {
    let mut play = Play::of(&definition("a named=anna,bo,chi,dora quorum=3,2"), "approve anna; reject bo; approve chi");
    let votes = |play: &Play| play.snapshot.task.phase.votes().unwrap().iter().map(|vote| vote.seq).collect::<Vec<_>>();
    let before = votes(&play);
    assert_eq!(play.run("staff lead -anna -bo +eve +finn"), "reviewers_changed > in_review");
    let Some(Fact::ReviewersChanged(changed)) = play.trail.last().map(|event| &event.fact) else { panic!() };
    assert_eq!(changed.votes, before[..2]);
    assert_eq!(
        (votes(&play), people(&play)),
        (before[2..].to_vec(), ["chi", "dora", "eve", "finn"].map(str::to_owned).into())
    );
    assert_eq!(play.snapshot.notes.votes.len(), 1, "what they said is not shown any more");
    assert_eq!(play.run("staff lead +anna -finn; approve anna"), "vote_recorded > in_review", "a vote is cast anew");
    assert_eq!(play.run("approve eve"), "vote_recorded stage_approved workflow_completed > delivery");
    let stored = serde_json::to_value(&play.snapshot.task).unwrap();
    assert_eq!(stored["stages"][0].get("reviewers"), None, "a closed task names nobody");
}

#[test]
fn a_decision_by_what_is_left_is_nobodys_alone() {
    let play = Play::of(&definition("a bound named=anna,bo quorum=all,1"), "approve anna*; staff lead -bo");
    let [.., changed, approved, _] = &play.trail[..] else { panic!() };
    assert_eq!(changed.actor.as_ref().unwrap().id.as_str(), "u-lead");
    assert_eq!(
        (approved.party.party(), &approved.actor, &approved.credential_id),
        (Some(Party::Partner), &None, &None)
    );
    let Fact::StageApproved { votes, voters, bound, .. } = &approved.fact else { panic!() };
    assert_eq!((votes.len(), voters.len(), *bound), (1, 1, true));
}

#[test]
fn a_panel_stands_by_the_people_of_now() {
    let mut play = Play::of(&definition("a panels=x:anna+bo:all/y:chi+dora"), "approve anna");
    let states =
        |play: &Play| play.snapshot.status.stages[0].panels.iter().map(|panel| panel.state).collect::<Vec<_>>();
    assert_eq!(states(&play), [PanelState::Open, PanelState::Open]);
    play.run("staff lead panel=x -bo");
    assert_eq!(states(&play), [PanelState::Approved, PanelState::Open]);
    play.run("staff lead panel=x +eve");
    assert_eq!(states(&play), [PanelState::Open, PanelState::Open], "who comes is waited for");
    play.run("approve eve; approve chi");
    assert!(play.snapshot.task.phase().is_terminal());
}

#[test]
fn who_comes_is_asked_and_who_leaves_is_not() {
    let mut play = Play::of(&definition("a named=anna,bo"), "staff lead +dora -bo");
    let asked =
        |play: &Play, who: &str| may_decide(&play.workflow, &play.snapshot.task, (&sender(who), true), play.moment());
    assert_eq!(["anna", "bo", "dora"].map(|who| asked(&play, who)), [true, false, true]);
    play.run("submit dora");
    assert_eq!(["anna", "bo", "dora"].map(|who| asked(&play, who)), [true, false, false]);
}

#[test]
fn the_places_of_a_panel_stay_its_own_however_many_come() {
    let mut play = Play::open(&definition("a panels=x:anna:all/y:bo"));
    let places = |play: &Play| {
        Places::of(&play.workflow, &play.snapshot.task, play.moment())
            .into_iter()
            .map(|places| places.numbers)
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&play), [1..=1, 101..=101]);
    play.run("staff lead panel=x +chi +dora");
    assert_eq!(places(&play), [1..=3, 101..=101]);
}

#[test]
fn a_stage_can_name_a_hundred_people() {
    let mut play = Play::open(&definition("a named=anna"));
    let many: Vec<String> = (1..MAX_REVIEWERS).map(|n| format!("+p{n}")).collect();
    assert_eq!(play.run(&format!("staff lead {}", many.join(" "))), "reviewers_changed > in_review");
    assert_eq!(play.run("staff lead +dora"), "/add");
    assert_eq!(play.run("staff lead +dora -anna"), "reviewers_changed > in_review");
    let body =
        json!({"add": (0..=MAX_REVIEWERS).map(|n| format!("q{n}")).collect::<Vec<_>>(), "reason": "All of them."});
    let meta = Meta { stage: Some(StageKey::parse("a").unwrap()), ..Meta::new(sender("lead")) };
    let refused = Command::new(meta, Action::ReviewersChanged(serde_json::from_value(body).unwrap())).unwrap_err();
    assert!(matches!(&refused[..], [Refusal::Invalid { code: "too_many", .. }]), "{refused:?}");
}

#[test]
fn the_stage_and_the_person_must_be_named() {
    let body = || {
        Action::ReviewersChanged(serde_json::from_value(json!({"add": ["u-dora"], "reason": "More eyes."})).unwrap())
    };
    let nobody = crate::domain::values::party::Sender { actor: None, ..sender("lead") };
    let refused = Command::new(Meta::new(nobody), body()).unwrap_err();
    let at: Vec<_> = refused.iter().map(super::test_support::name).collect();
    assert_eq!(at, ["/stage", "/actor"]);
}

#[test]
fn a_person_who_came_or_left_is_erased_once_the_task_has_closed() {
    let mut play = Play::of(&definition("a named=anna,bo"), "staff lead +dora -bo");
    let names = |play: &Play, id: &str| serde_json::to_string(&play.trail).unwrap().contains(id);
    assert_eq!(play.run("erase dora"), "nothing", "the rules need the id");
    assert!(matches!(play.snapshot.task.phase, Phase::InReview(_)));
    play.run("approve anna");
    assert_eq!(play.run("erase dora"), "personal_data_erased > delivery");
    assert!(!names(&play, "u-dora") && names(&play, "u-bo"), "a list of others stays");
    assert_eq!(play.run("erase bo"), "personal_data_erased > delivery");
    assert!(!names(&play, "u-bo"));
    assert_eq!(play.run("erase lead"), "personal_data_erased > delivery", "what somebody wrote goes with them");
    assert!(!names(&play, "People come and go"));
}
