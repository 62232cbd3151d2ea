//! Details beyond the table: clocks to the microsecond, whose feedback is passed on, and what state
//! is kept or dropped.

use crate::domain::task::command::{Action, Command, Meta, StatusUpdated};
use crate::domain::task::event::{Event, Fact, StageRejected};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::{Cause, Phase, Verdict};
use crate::domain::values::id::{CommandId, StageKey};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::{Span, Time};

use super::laws::{canonical, timers};
use super::test_support::{Play, START, brand, name, sender, text};
use super::words::definition;

fn hours(play: &Play) -> Vec<i64> {
    let mut due: Vec<i64> =
        timers(&play.snapshot.task).iter().map(|(at, _)| (at.micros() - START) / 3_600_000_000).collect();
    due.sort_unstable();
    due
}

fn votes(play: &Play) -> Vec<(String, Verdict)> {
    let Phase::InReview(review) = &play.snapshot.task.phase else { panic!("{:?}", play.snapshot.task.phase) };
    review.votes.iter().map(|vote| (vote.actor.id.to_string(), vote.decision)).collect()
}

#[test]
fn pauses_keep_the_votes_and_move_the_clock_by_their_length() {
    let world = "a quorum=3,2 deadline=fail remind=PT8H,PT2H to=platform,buyer respond=none";
    let cases = [
        ("", vec![16, 22, 24]),
        ("wait PT5H; hold anna; wait PT7H; resume anna", vec![23, 29, 31]),
        ("wait PT5H; escalate bo platform; wait PT7H; resolve platform return", vec![23, 29, 31]),
        (
            "escalate bo platform; wait PT1H; resolve platform redirect buyer; wait PT1H; resolve buyer return",
            vec![18, 24, 26],
        ),
        (
            "escalate bo platform; tick; wait PT1H; resolve platform return; hold anna; wait PT1H; resume anna",
            vec![19, 25, 27],
        ),
        ("tick; hold anna; wait PT4H; resume platform", vec![26, 28]),
    ];
    for (script, due) in cases {
        let mut play = Play::of(&definition(world), "approve bo; reject chi");
        play.run(script);
        assert_eq!(hours(&play), due, "{script}");
        let standing = vec![("u-bo".to_owned(), Verdict::Approved), ("u-chi".to_owned(), Verdict::Rejected)];
        assert_eq!(votes(&play), standing, "{script}");
    }
}

#[test]
fn a_return_after_the_deadline_gives_the_full_clock_through_every_hand() {
    let mut play =
        Play::of(&definition("a quorum=2,2 deadline=platform remind=PT8H to=platform,buyer"), "approve bo; tick; tick");
    assert_eq!(hours(&play), Vec::<i64>::new());
    play.run("wait PT6H; resolve platform redirect buyer; wait PT6H; resolve buyer return");
    assert_eq!(hours(&play), vec![52, 60]);
    assert_eq!(votes(&play).len(), 1);
}

#[test]
fn a_deadline_that_passed_unanswered_stays_passed_through_a_return() {
    let mut play = Play::of(&definition("a deadline=none"), "tick; escalate bo platform; resolve platform return");
    assert!(play.snapshot.task.is_overdue() && play.snapshot.status.overdue);
    assert_eq!(play.run("hold anna; resume anna; tick"), "nothing_due");
    assert!(play.snapshot.task.is_overdue());
}

#[test]
fn silence_after_three_changes_of_hands_asks_nobody_but_the_platform() {
    let three = |last: &str| {
        let world = definition("a to=buyer,partner,platform respond=buyer");
        let script =
            "escalate bo LAST; resolve LAST redirect FIRST; resolve FIRST redirect LAST; resolve LAST redirect FIRST";
        let other = if last == "platform" { "partner" } else { "platform" };
        Play::of(&world, &script.replace("LAST", other).replace("FIRST", last))
    };
    // The definition names the buyer, but the limit of handovers is reached.
    for (last, events) in
        [("partner", "deadline_passed stage_escalated > escalated"), ("platform", "deadline_passed > escalated")]
    {
        let mut play = three(last);
        assert_eq!(play.run("tick"), events, "{last}");
        assert_eq!(play.snapshot.status.waiting_on, Some(Party::Platform));
        assert_eq!(play.run("tick"), "nothing_due");
    }
}

#[test]
fn an_escalation_changes_hands_three_times_and_then_stays_with_the_platform() {
    let world = "a to=buyer,partner,platform respond=buyer";
    let mut play = Play::of(
        &definition(world),
        "escalate bo partner; resolve anna redirect platform; resolve platform redirect partner",
    );
    // The third handover, by timeout; the fourth goes to the platform, whichever party the
    // definition names.
    for (to, clock) in [(Party::Buyer, true), (Party::Platform, false)] {
        play.run("tick");
        let Phase::Escalated(escalation) = &play.snapshot.task.phase else { panic!() };
        assert_eq!((escalation.to, escalation.cause, escalation.raised_by), (to, Cause::Person, Source::Partner));
        assert_eq!(play.snapshot.task.next_timer().is_some(), clock);
    }
    assert_eq!(play.run("resolve platform redirect buyer"), "redirect_limit");
    assert_eq!(play.run("resolve platform return"), "escalation_resolved > in_review");
    // Another escalation starts counting from zero.
    play.run("escalate bo partner; resolve anna redirect platform; resolve platform redirect partner");
    assert_eq!(play.run("resolve anna redirect platform"), "escalation_resolved stage_escalated > escalated");
}

fn rejection(play: &Play) -> &StageRejected {
    let found = play
        .trail
        .iter()
        .rev()
        .find_map(|event| if let Fact::StageRejected(rejected) = &event.fact { Some(rejected) } else { None });
    found.unwrap()
}

#[test]
fn a_rejection_goes_to_the_earliest_stage_named_with_everybodys_feedback() {
    let world = "a; b; c quorum=2,3 back=c,b,a";
    let play = Play::of(&definition(world), "approve bo; approve bo; reject anna; reject chi a; reject dora b");
    let rejected = rejection(&play);
    assert_eq!(rejected.return_to.as_ref().map(StageKey::as_str), Some("a"));
    assert_eq!((rejected.votes.len(), rejected.internal_feedback.as_ref().map(Vec::len)), (3, Some(3)));
    assert_eq!(rejected.shared_feedback, None);
    assert_eq!(play.snapshot.notes.returned.as_ref().map(|returned| returned.feedback.len()), Some(3));
}

#[test]
fn a_deadline_that_rejects_takes_the_standing_feedback_along_and_a_vote_taken_back_does_not() {
    let play = Play::of(&definition("a quorum=2,3 deadline=reject"), "reject anna; reject chi; approve chi; tick");
    assert_eq!((rejection(&play).votes.len(), rejection(&play).internal_feedback.as_ref().map(Vec::len)), (1, Some(1)));
}

#[test]
fn a_call_that_rejects_adds_to_what_the_reviewers_said() {
    let play = Play::of(&definition("a rounds=1"), "reject anna; resolve platform reject");
    let returned = play.snapshot.notes.returned.as_ref().unwrap();
    assert_eq!(returned.feedback.len(), 2);
    assert_eq!(play.snapshot.task.round(), 2);
}

#[test]
fn the_bars_follow_the_latest_round_and_whoever_decided() {
    let cases = [
        ("a; b distinct=a", "approve bo; reject chi; submit anna; approve chi; approve bo", "delivery"),
        ("a; b distinct=a", "approve bo; reject chi a; submit anna; approve chi; approve chi", "not_distinct"),
        ("a to=partner; b distinct=a", "escalate anna partner; resolve chi approve; approve chi", "not_distinct"),
        ("a; b distinct=a", "approve bo; reject bo", "preparing"),
        ("a; b", "submit anna; approve bo; approve anna", "self_approval"),
        ("a; b self", "submit anna; approve bo; approve anna", "delivery"),
        ("a", "submit anna; submit chi; approve anna", "self_approval"),
        ("a", "submit anna; reject bo; submit chi; approve anna", "delivery"),
        ("a quorum=2,2 deadline=approve; b distinct=a", "approve bo; tick; approve bo", "not_distinct"),
    ];
    for (words, script, expected) in cases {
        let words = words.replace("b distinct", "b back=a distinct");
        let outcome = Play::open(&definition(&words)).run(script);
        assert_eq!(outcome.rsplit("> ").next(), Some(expected), "{words}: {script}");
    }
}

#[test]
fn a_late_decision_is_kept_once_for_each_person_and_told_where() {
    let mut play = Play::of(&definition("a finish"), "cancel buyer; approve bo; approve chi; tick");
    let command = play.command("reject chi");
    assert_eq!(play.send(&command).unwrap_err(), Refusal::TaskClosed { recorded: Some(5) });
    let command = play.command("approve dora");
    assert_eq!(play.send(&command).unwrap().late(), Some(&Refusal::TaskClosed { recorded: Some(8) }));
    for nonsense in ["approve chi .2", "approve platform", "resolve platform approve #4"] {
        let command = play.command(nonsense);
        assert_eq!(play.send(&command).unwrap_err(), Refusal::TaskClosed { recorded: None }, "{nonsense}");
    }
}

#[test]
fn the_grace_ends_with_the_tasks_deadline_at_the_latest() {
    for (words, due) in [("a finish | PT1H", 1), ("a finish | P1D", 2), ("a finish", 2)] {
        assert_eq!(hours(&Play::of(&definition(words), "cancel buyer")), vec![due], "{words}");
    }
}

#[test]
fn time_does_not_run_backwards_in_a_task() {
    let mut play =
        Play::of(&definition("a deadline=none"), "wait PT2H; submit anna; back P1D; approve bo @a; approve bo");
    assert!(play.trail.iter().all(|event| event.recorded_at >= Time::from_micros(START)));
    let last = play.trail.last().unwrap().recorded_at;
    assert_eq!(last, Time::from_micros(START) + Span::parse("PT2H").unwrap().delta());
    assert_eq!(play.run("approve chi"), "late_decision_recorded > delivery");
    assert_eq!(play.trail.last().unwrap().recorded_at, last);
}

#[test]
fn what_surrounds_a_command_stands_on_the_first_row_alone() {
    let mut play = Play::of(&brand(), "submit anna");
    let (id, when) = (CommandId(uuid::Uuid::from_u128(1)), play.now);
    let command = play.command("approve dora");
    let meta = Meta { id: Some(id), occurred_at: Some(when), note: Some(text("for us")), ..command.meta().clone() };
    let events = play.send(&Command::new(meta, command.action().clone()).unwrap()).unwrap().into_parts().0;
    let said = |event: &Event| (event.command_id, event.occurred_at, event.note.is_some());
    assert_eq!(said(&events[0]), (Some(id), Some(when), true));
    assert!(events[1..].iter().all(|event| said(event) == (None, None, false)));
    // The decision is from the voter, its consequences are from the service.
    let by: Vec<_> =
        events.iter().map(|event| (event.party, event.actor.is_some(), event.credential_id.is_some())).collect();
    assert_eq!(by, [(Source::Partner, true, true), (Source::Partner, true, true), (Source::Service, false, false)]);
}

#[test]
fn a_closed_task_can_be_erased_whole() {
    let script = "submit anna; approve dora; approve bo; reject chi; submit chi; approve dora; approve anna; approve bo; approve buyer";
    let play = Play::of(&brand(), script);
    assert!(play.snapshot.task.phase().is_terminal(), "{:?}", play.snapshot.task.phase());
    let erased = play.trail.iter().cloned().map(|mut event| {
        (event.actor, event.note, event.credential_id) = (None, None, None);
        if let Fact::WorkSubmitted { summary, artifacts, .. } = &mut event.fact {
            (*summary, *artifacts) = (None, None);
        }
        if let Fact::VoteRecorded(vote) = &mut event.fact {
            vote.feedback = None;
        }
        if let Fact::StageRejected(rejected) = &mut event.fact {
            (rejected.shared_feedback, rejected.internal_feedback) = (None, None);
        }
        event
    });
    let erased: Vec<Event> = erased.collect();
    assert_eq!(canonical(&Snapshot::fold(&play.workflow, &erased).unwrap().task), canonical(&play.snapshot.task));
    assert!(Snapshot::fold(&play.workflow, []).is_none());
}

#[test]
fn a_body_that_no_task_could_accept_is_no_command() {
    let play = Play::open(&definition("a"));
    let pointers = |meta: Meta, action: &Action| match Command::new(meta, action.clone()) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(|refusal| name(refusal).to_owned()).collect(),
    };
    let anybody = crate::domain::values::party::Sender { actor: None, ..sender("anna") };
    for step in ["approve anna", "reject anna", "escalate anna platform"] {
        let action = play.command(step).action().clone();
        assert_eq!(
            pointers(Meta::new(anybody.clone()), &action),
            ["/stage", "/round", "/revision", "/actor"],
            "{step}"
        );
    }
    for (step, needed) in
        [("submit anna", true), ("resolve anna approve", true), ("status anna", false), ("hold anna", false)]
    {
        let meta = Meta::new(anybody.clone());
        assert_eq!(!pointers(meta, play.command(step).action()).is_empty(), needed, "{step}");
    }
    let over = Action::StatusUpdated(StatusUpdated { message: text("More than all"), percent: Some(101), eta: None });
    assert_eq!(pointers(Meta::new(sender("anna")), &over), ["/percent"]);
}
