//! People who are absent, and those who stand in for them.

use std::collections::BTreeSet;

use crate::domain::absence::{Absence, Absences, Moment};
use crate::domain::audit::{self, Recorded as _};
use crate::domain::task::decide::{Transition, may_decide};
use crate::domain::task::event::{Event, Fact, VoteRecorded};
use crate::domain::task::limits::MAX_VOTES;
use crate::domain::task::seats::{self, Places};
use crate::domain::task::view::{Reader, review};
use crate::domain::task::why::{Asker, Why};
use crate::domain::task::{PanelState, Task};
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::{ActorRef, Party};
use crate::domain::values::time::{Span, Time};

use super::cases::{self, Case};
use super::test_support::{Play, START, person, sender};
use super::words::definition;

/// Laws of every step, over whatever absences begin and end between two of them: nobody votes in two
/// seats, no seat has two votes, and who votes for somebody stands in for that person at that moment.
pub(super) fn check(play: &Play, transition: &Transition) {
    let task = &transition.snapshot().task;
    for event in transition.events() {
        let stands_for = stands_for(&event.fact);
        let Some((holder, actor)) = stands_for.zip(event.actor.as_ref()) else { continue };
        let moment = play.moment().at(event.recorded_at);
        assert!(moment.absence(holder).is_some(), "{holder} is absent");
        assert!(moment.absence(&actor.id).is_none(), "{} is there", actor.id.as_str());
        assert_eq!(moment.substitute(holder), Some(&actor.id), "who votes for {holder} stands in");
    }
    let votes = task.phase.votes().unwrap_or_default();
    let (mut actors, mut holders) = (BTreeSet::new(), BTreeSet::new());
    for vote in votes {
        assert!(actors.insert(vote.actor.clone()), "nobody has two votes: {votes:?}");
        assert!(holders.insert(vote.holder()), "no seat has two votes: {votes:?}");
        let holder = ActorRef { party: vote.actor.party, id: vote.holder().clone() };
        let group = seats::seat(&play.workflow, task, &holder).expect("a vote is in a seat");
        assert_eq!(group.key(), vote.panel.as_ref(), "and counts in its group");
        let own = seats::seat(&play.workflow, task, &vote.actor);
        assert_eq!(own.is_none(), vote.stands_for.is_some(), "only who has no seat votes in another's: {votes:?}");
    }
}

fn stands_for(fact: &Fact) -> Option<&ActorId> {
    if let Fact::VoteRecorded(vote) = fact {
        vote.stands_for.as_ref()
    } else if let Fact::EscalationResolved(resolved) = fact {
        resolved.stands_for.as_ref()
    } else {
        None
    }
}

#[rustfmt::skip] // A case a line.
pub(super) const RETURNS: &[Case] = &[
    ("a review that too few are there to decide is not returned to", "a panel", "escalate anna platform; away bo P1D; resolve platform return", "escalation_resolved stage_escalated > escalated"),
];

#[rustfmt::skip] // A case a line.
const CASES: &[Case] = &[
    ("a substitute votes in the seat", "a named=anna,bo", "away anna P1D chi; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("and may reject", "a named=anna,bo", "away anna P1D chi; reject chi", "vote_recorded stage_rejected stage_entered > preparing"),
    ("the absent person may vote", "a named=anna", "away anna P1D chi; approve anna", "vote_recorded stage_approved workflow_completed > delivery"),
    ("nobody else may", "a named=anna", "away anna P1D chi; approve dora", "not_a_reviewer"),
    ("not before the absence begins", "a named=anna", "away anna P1D chi +PT1H; approve chi", "not_a_reviewer"),
    ("from its first instant on", "a named=anna", "away anna P1D chi +PT1H; wait PT1H; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("not from its end on", "a named=anna", "away anna PT1H chi; wait PT1H; approve chi", "not_a_reviewer"),
    ("until its last instant", "a named=anna", "away anna PT1H chi; wait PT59M; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("not once it was removed", "a named=anna", "away anna P1D chi; there anna; approve chi", "not_a_reviewer"),
    ("nobody stands in through two absences: the first", "a named=anna", "away anna P1D chi; away chi P1D dora; approve chi", "not_a_reviewer"),
    ("nobody stands in through two absences: the second", "a named=anna", "away anna P1D chi; away chi P1D dora; approve dora", "not_a_reviewer"),
    ("a stage can keep the seats of its people", "a named=anna,bo own", "away anna P1D chi; approve chi", "not_a_reviewer"),
    ("where anyone may vote, nobody stands in", "a quorum=2,1", "away anna P1D chi; approve chi", "vote_recorded > in_review"),
    ("the buyer's seat has no substitute", "a buyer", "away buyer P1D chi; approve chi", "wrong_party"),

    ("who handed in the work does not approve it for somebody", "a named=anna,bo", "submit chi; away anna P1D chi; approve chi", "self_approval"),
    ("nor does anybody for who handed it in", "a named=anna,bo", "submit anna; away anna P1D chi; approve chi", "self_approval"),
    ("but may reject it", "a named=anna,bo", "submit anna; away anna P1D chi; reject chi", "vote_recorded stage_rejected stage_entered > preparing"),
    ("and approves where the stage allows that", "a named=anna,bo self", "submit anna; away anna P1D chi; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("who approved before does not approve for somebody", "a; b named=anna,bo distinct=a", "approve chi; away anna P1D chi; approve chi", "not_distinct"),
    ("nor does anybody for who approved before", "a; b named=anna,bo distinct=a", "approve anna; away anna P1D chi; approve chi", "not_distinct"),
    ("who stood in has approved", "a named=anna; b named=bo distinct=a", "away anna P1D chi; approve chi; away bo P1D chi; approve chi", "not_distinct"),
    ("and so has the person who was absent", "a named=anna; b named=anna,bo distinct=a", "away anna P1D chi; approve chi; approve anna", "not_distinct"),
    ("also by the partner's call: the person who made it", "a named=anna to=partner; b named=bo distinct=a", "away anna P1D chi; escalate anna partner; resolve chi approve; away bo P1D chi; approve chi", "not_distinct"),
    ("also by the partner's call: the person who was absent", "a named=anna to=partner; b named=anna,bo distinct=a", "away anna P1D chi; escalate anna partner; resolve chi approve; approve anna", "not_distinct"),

    ("who has a seat fills no other", "a panel", "away anna P1D bo; approve bo; approve bo remarks", "vote_recorded > in_review"),
    ("who has a seat in one panel fills none in another", "a panels=x:anna/y:bo", "away anna P1D bo; approve bo", "vote_recorded > in_review"),
    ("one person fills one seat of two", "a panel", "away anna P1D chi; away bo P1D chi; approve chi; approve chi remarks", "vote_recorded > in_review"),
    ("the first in which the person may approve", "a named=anna,bo quorum=1,1", "submit anna; away anna P1D chi; away bo P1D chi; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("the absent person and the substitute have one vote", "a panel", "away anna P1D chi; approve chi; approve anna", "vote_recorded > in_review"),
    ("the other seat is somebody else's", "a panel", "away anna P1D chi; approve chi; approve bo", "vote_recorded stage_approved workflow_completed > delivery"),
    ("a vote stands when the absence is over", "a panel", "away anna PT1H chi; approve chi; wait PT1H; approve bo", "vote_recorded stage_approved workflow_completed > delivery"),
    ("and is said no more", "a panel", "away anna PT1H chi; approve chi; wait PT1H; reject chi", "not_a_reviewer"),
    ("until the person votes", "a panel", "away anna PT1H chi; approve chi; wait PT1H; reject anna", "vote_recorded stage_rejected stage_entered > preparing"),

    ("at the start of a review an absent reviewer counts if somebody stands in", "a required named=anna", "away anna P1D dora; submit chi", "work_submitted > in_review"),
    ("without anybody, nobody can approve", "a required named=anna", "away anna P1D; submit chi", "work_submitted stage_escalated > escalated"),
    ("nor if the substitute is absent", "a required named=anna", "away anna P1D dora; away dora P1D; submit chi", "work_submitted stage_escalated > escalated"),
    ("nor if the substitute may not approve", "a required named=anna", "away anna P1D chi; submit chi", "work_submitted stage_escalated > escalated"),
    ("nor if the substitute sits there already", "a required panel", "away anna P1D bo; submit chi", "work_submitted stage_escalated > escalated"),
    ("nor if the substitute stands in for both", "a required panel", "away anna P1D dora; away bo P1D dora; submit chi", "work_submitted stage_escalated > escalated"),
    ("nor if the stage keeps the seats", "a required named=anna own", "away anna P1D dora; submit chi", "work_submitted stage_escalated > escalated"),
    ("enough others are enough", "a required named=anna,bo", "away anna P1D; submit chi", "work_submitted > in_review"),
    ("all means all: absence is no consent", "a required named=anna,bo quorum=all,1", "away anna P1D; submit chi", "work_submitted stage_escalated > escalated"),
    ("all with a substitute", "a required named=anna,bo quorum=all,1", "away anna P1D dora; submit chi; approve dora; approve bo", "vote_recorded stage_approved workflow_completed > delivery"),
    ("one of the panels is short", "a required panels=x:anna/y:bo", "away bo P1D; submit chi", "work_submitted stage_escalated > escalated"),
    ("an absence that begins later does not count yet", "a required named=anna", "away anna P1D +PT1H; submit chi", "work_submitted > in_review"),
    ("a later stage is entered while somebody is absent", "a; b named=anna", "away anna P1D; approve chi", "vote_recorded stage_approved stage_entered stage_escalated > escalated"),
    ("new work during a review starts it anew", "a named=anna", "away anna P1D; submit chi", "work_submitted stage_escalated > escalated"),
    ("who has approved already need not be there when a review is returned to", "a panel", "approve bo; escalate anna platform; away bo P1D; resolve platform return", "escalation_resolved > in_review"),
    ("nothing to return to while too few are there", "a required panel", "away anna PT1H; submit chi; resolve platform return", "nothing_to_return_to"),
    ("who is back can review", "a required panel", "away anna PT1H; submit chi; wait PT1H; resolve platform return", "escalation_resolved > in_review"),

    ("the partner's call is a substitute's vote", "a panel to=partner", "approve bo; escalate bo partner; away anna P1D chi; resolve chi approve", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("in the same seat it adds none", "a panel to=partner", "approve anna; escalate bo partner; away anna P1D chi; resolve chi approve", "resolution_not_allowed"),
    ("and knows the same bars", "a panel to=partner", "submit anna; approve bo; escalate bo partner; away anna P1D chi; resolve chi approve", "self_approval"),
    ("and the same absences", "a panel to=partner", "approve bo; escalate bo partner; away anna P1D chi; away chi P1D; resolve chi approve", "resolution_not_allowed"),

    ("votes in the seat of somebody who leaves fall", "a named=anna,bo,dora quorum=2,1", "away anna P1D chi; approve chi; staff lead -anna; approve bo", "vote_recorded > in_review"),
    ("somebody who comes loses the vote cast for another", "a named=anna,bo quorum=2,1", "away anna P1D chi; approve chi; staff lead +chi; approve bo", "vote_recorded > in_review"),
    ("and votes in the own seat", "a named=anna,bo quorum=2,1", "away anna P1D chi; approve chi; staff lead +chi; approve bo; approve chi", "vote_recorded stage_approved workflow_completed > delivery"),
    ("somebody who leaves may stand in", "a named=anna,bo,dora quorum=2,1", "staff lead -bo; away anna P1D bo; approve bo; approve dora", "vote_recorded stage_approved workflow_completed > delivery"),
];

#[test]
fn who_is_absent_and_who_stands_in() {
    cases::check(CASES);
}

#[test]
fn a_task_is_opened_while_its_reviewers_are_absent() {
    for (substitute, phase) in [(None, "escalated"), (Some("chi"), "in_review")] {
        assert_eq!(open_without(substitute).snapshot.task.phase().as_str(), phase);
    }
}

/// A task whose only reviewer is absent when it is opened.
pub(super) fn open_without(substitute: Option<&str>) -> Play {
    let (actor, from) = (person("anna"), Time::from_micros(START));
    let until = from + Span::parse("P1D").unwrap().delta();
    let away = Absences::new([Absence { actor, from, until, substitute: substitute.map(person) }]);
    Play::open_with(&definition("a named=anna"), away)
}

fn votes(task: &Task) -> Vec<(&str, &str, u32)> {
    let votes = task.phase.votes().unwrap();
    votes.iter().map(|vote| (vote.actor.id.as_str(), vote.holder().as_str(), vote.cast)).collect()
}

#[test]
fn the_later_vote_in_a_seat_counts() {
    let mut play = Play::of(&definition("a named=anna,bo,dora quorum=2,2"), "away anna P1D chi; approve chi");
    assert_eq!(votes(&play.snapshot.task), [("u-chi", "u-anna", 1)]);
    play.run("approve anna");
    assert_eq!(votes(&play.snapshot.task), [("u-anna", "u-anna", 2)]);
    assert_eq!(play.snapshot.notes.votes.len(), 1, "what the other said is shown no more");
    assert_eq!(play.run("approve chi"), "vote_recorded > in_review", "the same decision, but not the same vote");
    assert_eq!(votes(&play.snapshot.task), [("u-chi", "u-anna", 3)]);
    assert_eq!(play.run("approve chi"), "already_voted");
    let own = play.trail.last().map(|event| &event.fact);
    assert_eq!(own.and_then(stands_for), Some(&person("anna")));
}

#[test]
fn votes_in_a_seat_are_limited_whoever_casts_them() {
    let mut play = Play::of(&definition("a named=anna,bo,dora quorum=2,2"), "away anna P1D chi");
    for turn in 0..MAX_VOTES {
        let who = if turn % 2 == 0 { "chi" } else { "anna" };
        assert_eq!(play.run(&format!("approve {who}")), "vote_recorded > in_review", "{turn}");
    }
    assert_eq!(play.run("approve chi"), "limit_reached");
    assert_eq!(play.run("reject anna"), "limit_reached");
}

#[test]
fn a_substitute_of_two_stays_in_the_seat_of_the_standing_vote() {
    let mut play = Play::of(&definition("a named=anna,bo,dora quorum=2,2"), "away bo P1D chi; approve chi");
    assert_eq!(votes(&play.snapshot.task), [("u-chi", "u-bo", 1)]);
    play.run("away anna P1D chi; reject chi");
    assert_eq!(votes(&play.snapshot.task), [("u-chi", "u-bo", 2)], "although anna is named first");
    play.run("there bo; reject chi");
    assert_eq!(votes(&play.snapshot.task), [("u-chi", "u-anna", 3)], "the vote moves with the person");
}

#[test]
fn a_panel_is_open_again_when_its_vote_moves_to_another() {
    let mut play = Play::of(&definition("a panels=x:anna/y:bo+dora:2"), "away anna PT1H chi; approve chi");
    let states =
        |play: &Play| play.snapshot.status.stages[0].panels.iter().map(|panel| panel.state).collect::<Vec<_>>();
    assert_eq!(states(&play), [PanelState::Approved, PanelState::Open]);
    play.run("wait PT1H; away bo P1D chi; approve chi");
    assert_eq!(states(&play), [PanelState::Open, PanelState::Open]);
    let Some(Fact::VoteRecorded(VoteRecorded { reopened, .. })) = play.trail.last().map(|event| &event.fact) else {
        panic!()
    };
    assert_eq!(reopened.iter().map(PanelKey::as_str).collect::<Vec<_>>(), ["x"]);
}

#[test]
fn a_decision_counts_the_people_who_made_it() {
    let play = Play::of(
        &definition("a panel to=partner"),
        "approve bo; escalate bo partner; away anna P1D chi; resolve chi approve",
    );
    let [.., resolved, approved, _] = &play.trail[..] else { panic!() };
    assert_eq!(stands_for(&resolved.fact), Some(&person("anna")));
    let Fact::StageApproved { votes, voters, .. } = &approved.fact else { panic!() };
    let tags: Vec<_> = votes.iter().map(|seq| event(&play, *seq).actor_tag.unwrap()).collect();
    assert_eq!((tags.clone(), tags.len()), (voters.clone(), 2));
    assert_ne!(voters[0], voters[1], "a substitute has a tag of their own");
}

fn event(play: &Play, seq: u64) -> &Event {
    play.trail.iter().find(|event| event.seq == seq).unwrap()
}

#[test]
fn the_buyer_reads_nothing_of_it() {
    let play = Play::of(&definition("a panel"), "away anna P1D chi; approve chi");
    let vote = play.trail.last().unwrap();
    for (party, sees) in [(Party::Partner, true), (Party::Platform, true), (Party::Buyer, false)] {
        let shown = serde_json::to_string(&audit::view(vote, None, party)).unwrap();
        assert_eq!(shown.contains("u-anna"), sees, "{party}: {shown}");
    }
    let status = serde_json::to_string(&play.snapshot.status).unwrap();
    assert!(!status.contains("u-anna") && !status.contains("u-chi"), "{status}");
    assert_eq!(vote.kind(), "task.vote_recorded");
}

#[test]
fn views_say_who_is_absent_and_who_may_decide() {
    let mut play =
        Play::of(&definition("a named=anna,bo,dora quorum=2,1"), "submit dora; away anna PT2H chi; away bo PT1H");
    let view = |play: &Play| {
        let reader = Reader { party: Party::Partner, moment: play.moment() };
        review(&play.workflow, &play.snapshot.task, &play.snapshot.notes, reader).unwrap()
    };
    let ids = |people: &[ActorId]| people.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    let shown = view(&play);
    assert_eq!(ids(shown.eligible.as_deref().unwrap()), ["u-anna", "u-chi", "u-bo"]);
    let until = |span: &str| Time::from_micros(START) + Span::parse(span).unwrap().delta();
    let absent: Vec<_> =
        shown.absent.iter().map(|one| (one.actor.as_str(), one.until, one.substitute.as_ref())).collect();
    assert_eq!(absent, [("u-anna", until("PT2H"), Some(&person("chi"))), ("u-bo", until("PT1H"), None)]);
    play.run("approve chi");
    assert_eq!(view(&play).votes[0].stands_for, Some(person("anna")));

    let asked =
        |play: &Play, who: &str| may_decide(&play.workflow, &play.snapshot.task, (&sender(who), true), play.moment());
    assert_eq!(["anna", "chi", "bo", "dora", "eve"].map(|who| asked(&play, who)), [true, true, true, false, false]);
    let places = Places::of(&play.workflow, &play.snapshot.task, play.moment());
    assert_eq!(["anna", "chi", "eve"].map(|who| places[0].admits(&person(who))), [true, true, false]);
    let why = |play: &Play, who: &str| {
        let sender = sender(who);
        Why::new(&play.workflow, &play.snapshot, Asker { sender: &sender, dual_control: true }, play.moment())
    };
    assert_eq!(ids(why(&play, "chi").needs.unwrap().eligible.as_deref().unwrap()), ["u-anna", "u-chi", "u-bo"]);

    play.run("wait PT2H");
    assert_eq!(view(&play).absent, []);
    assert!(!asked(&play, "chi") && asked(&play, "bo"));
}

#[test]
fn silence_is_foretold_with_the_absences_of_that_time() {
    // The deadline rejects, so that the stage is reviewed again, and nobody is there by then.
    let definition = definition("a named=anna deadline=approve; b named=bo");
    let mut play = Play::of(&definition, "away bo P3D +PT12H");
    let why = |play: &Play| {
        let sender = sender("anna");
        Why::new(&play.workflow, &play.snapshot, Asker { sender: &sender, dual_control: true }, play.moment()).then
    };
    let then = serde_json::to_value(why(&play)).unwrap();
    assert_eq!(play.run("tick"), "deadline_passed stage_approved stage_entered stage_escalated > escalated");
    assert_eq!(then["action"], "approve");
}

#[test]
fn whom_somebody_stood_in_for_is_erased_with_the_task_at_its_end() {
    let mut play = Play::of(&definition("a panel"), "away anna P1D chi; approve chi remarks");
    assert_eq!(play.erase("anna"), "nothing", "while the task is open its rules need the person");
    play.run("approve bo");
    assert_eq!(play.erase("chi"), "personal_data_erased > delivery");
    let named = |play: &Play| play.trail.iter().any(|event| stands_for(&event.fact) == Some(&person("anna")));
    assert!(named(&play), "what was erased is the voter's alone");
    assert_eq!(play.erase("anna"), "personal_data_erased > delivery");
    assert!(!named(&play));
}

#[test]
fn who_stood_in_is_erased_without_the_person_who_was_absent() {
    let mut play = Play::of(&definition("a panel"), "away anna P1D chi; approve chi; approve bo");
    play.erase("anna");
    let vote = play.trail.iter().find(|event| matches!(event.fact, Fact::VoteRecorded(_))).unwrap();
    assert_eq!(stands_for(&vote.fact), None);
    assert_eq!(vote.actor.as_ref().map(|actor| &actor.id), Some(&person("chi")));
}

#[test]
fn nobody_is_absent_in_a_moment_without_absences() {
    let moment = Moment::without_absences(Time::from_micros(START));
    assert_eq!((moment.absence(&person("anna")), moment.substitute(&person("anna"))), (None, None));
}
