//! Who may read texts of people: the status and the task show the same texts as the trail. Also the
//! size limit of a trail.

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::Config;
use uuid::Uuid;

use crate::domain::audit;
use crate::domain::task::command::{Action, Command, Meta};
use crate::domain::task::decide::{Input, decide};
use crate::domain::task::event::{Feedback, WorkflowRef};
use crate::domain::task::limits::{MAX_ENTRIES, MAX_VOTES};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::view::{Identity, Reader, TaskView};
use crate::domain::values::id::{BuyerId, PartnerId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::text::Text;

use super::random::{play_by, sequences};
use super::test_support::{Play, text};
use super::words::definition;

const TEXTS: [&str; 2] = ["Whose call is it?", "Trust your own eyes"];

/// The texts that the buyer reads in the status, and those in the trail.
fn read_by_the_buyer(play: &Play) -> (Vec<&'static str>, Vec<&'static str>) {
    let status = serde_json::to_string(&play.snapshot.status).unwrap();
    let entries: Vec<_> = play.trail.iter().map(|event| audit::view(event, None, Party::Buyer)).collect();
    let trail = serde_json::to_string(&entries).unwrap();
    let found = |text: &str| TEXTS.into_iter().filter(|words| text.contains(words)).collect::<Vec<_>>();
    (found(&status), found(&trail))
}

#[test]
fn the_status_shows_no_question_or_advice_that_the_buyers_trail_hides() {
    let question = &TEXTS[..1];
    for (words, script, expected) in [
        ("a to=platform,buyer", "escalate bo platform; resolve platform redirect buyer", &[][..]),
        ("a to=platform,buyer respond=buyer", "escalate bo platform; tick", &[]),
        ("a to=buyer,platform", "escalate bo buyer", question),
        (
            "a to=buyer,platform",
            "escalate bo buyer; resolve buyer redirect platform; resolve platform redirect buyer",
            question,
        ),
        ("a buyer", "escalate buyer platform; resolve platform return", &TEXTS[1..]),
        ("a buyer", "escalate bo platform; resolve platform return", &[]),
        ("a buyer deadline=platform", "tick; resolve platform return", &TEXTS[1..]),
    ] {
        let play = Play::of(&definition(words), script);
        let (status, trail) = read_by_the_buyer(&play);
        assert_eq!(status, expected, "{words}: {script}: {:?}", play.snapshot.status);
        assert!(status.iter().all(|text| trail.contains(text)), "{words}: {script}: {trail:?}");
    }
    let play = Play::of(&definition("a to=platform,buyer"), "escalate bo platform; resolve platform redirect buyer");
    let question = play.snapshot.status.action.unwrap().question.unwrap();
    assert!(question.as_str().starts_with("You are asked to decide"), "{question}");
}

#[test]
fn whoever_handed_in_a_revision_of_the_round_may_not_approve() {
    let mut play = Play::of(&definition("a required; b"), "submit anna; submit bo");
    assert_eq!(play.run("approve anna"), "self_approval");
    assert_eq!(play.run("approve bo"), "self_approval");
    assert!(play.run("approve chi").contains("stage_approved"));
    assert_eq!(play.run("approve anna"), "self_approval", "the next stage is about the same work");
    let mut play = Play::of(&definition("a required"), "submit anna; reject chi; submit bo");
    assert!(play.run("approve anna").contains("stage_approved"), "another round");
}

#[test]
fn the_same_vote_again_and_endless_changes_of_mind_are_refused() {
    let mut play = Play::of(&definition("a quorum=2,2"), "approve bo");
    assert_eq!(play.run("approve bo"), "already_voted");
    for cast in 1..MAX_VOTES {
        let vote = if cast % 2 == 1 { "reject bo" } else { "approve bo" };
        assert_eq!(play.run(vote), "vote_recorded > in_review", "{cast}");
    }
    assert_eq!(play.run("approve bo"), "limit_reached");
    assert!(play.run("reject chi").contains("stage_rejected"), "others are as free as before");
}

#[test]
fn a_long_trail_takes_only_what_moves_the_task_on() {
    let long = |words: &str, script: &str| {
        let mut play = Play::of(&definition(words), script);
        play.snapshot.task.version = MAX_ENTRIES;
        play
    };
    let taken = |play: &Play, step: &str| {
        decide(&play.workflow, &play.snapshot, Input::Party(&play.command(step)), play.moment()).is_ok()
    };
    let preparing = long("a required quorum=2,2", "");
    let review = long("a required quorum=2,2", "submit anna");
    let nearly = long("a required quorum=2,2", "submit anna; approve bo; reject dora");
    let escalated = long("a", "escalate bo platform");
    let held = long("a", "hold anna");
    for (play, step, expected) in [
        (&preparing, "status anna", false),
        (&preparing, "hold anna", false),
        (&preparing, "submit anna", true),
        (&review, "submit anna", false),
        (&review, "approve bo", false),
        (&review, "escalate bo platform", true),
        (&review, "cancel buyer", true),
        (&nearly, "approve chi", true),
        (&nearly, "reject chi", true),
        (&escalated, "resolve platform return", false),
        (&escalated, "resolve platform approve", true),
        (&escalated, "resolve platform reject", true),
        (&held, "resume anna", true),
    ] {
        assert_eq!(taken(play, step), expected, "{step}");
    }
    assert_eq!(review.snapshot.task.phase().as_str(), "in_review");
}

/// Runs a step in which every text is unique.
fn run_marked(play: &mut Play, step: &str, count: &mut usize) {
    if ["wait", "back", "erase", "tick", "away", "there"].iter().any(|verb| step.starts_with(verb)) {
        play.run(step);
    } else if let Ok(command) = play.try_command(step) {
        let (mut meta, mut action) = (command.meta().clone(), command.action().clone());
        meta.note = Some(mark(count));
        mark_texts(&mut action, count);
        _ = play.send(&Command::new(meta, action).unwrap());
    }
}

fn mark<const MAX: usize, const MULTILINE: bool>(count: &mut usize) -> Text<MAX, MULTILINE> {
    *count += 1;
    text(&format!("<{count}>"))
}

fn mark_texts(action: &mut Action, count: &mut usize) {
    match action {
        Action::StatusUpdated(body) => body.message = mark(count),
        Action::StageRejected(body) => mark_feedback(body.feedback.as_mut(), count),
        Action::StageEscalated(body) => body.reason = mark(count),
        Action::EscalationResolved(body) => {
            mark_feedback(body.feedback.as_mut(), count);
            body.advice = body.advice.take().map(|_| mark(count));
        }
        Action::QuestionAsked(body) => {
            body.question = mark(count);
            body.options.iter_mut().for_each(|option| *option = mark(count));
        }
        Action::QuestionAnswered(body) => body.answer = body.answer.take().map(|_| mark(count)),
        Action::ReviewersChanged(body) => body.reason = mark(count),
        Action::Held(body) => body.reason = mark(count),
        Action::CancellationRequested(body) => body.reason = mark(count),
        Action::CancellationAcknowledged(body) => body.notes = Some(mark(count)),
        // The work itself is the exception: the buyer reads it in the status while it must decide
        // on it.
        Action::WorkSubmitted(_) | Action::StageApproved(_) | Action::QuestionWithdrawn(_) | Action::Resumed(_) => {}
    }
}

fn mark_feedback(feedback: Option<&mut Feedback>, count: &mut usize) {
    let Some(feedback) = feedback else { return };
    feedback.summary = mark(count);
    feedback.items.iter_mut().for_each(|item| item.text = mark(count));
}

/// The texts of a view, by their marks.
fn marks(view: &impl serde::Serialize) -> Vec<String> {
    let view = serde_json::to_string(view).unwrap();
    let marks = view.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()));
    marks.filter(|mark| mark.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// Status and task show a party no text that its trail hides, and each question and advice that its trail shows.
fn check_readers(play: &Play) {
    let notes = &play.snapshot.notes;
    for reader in Party::ALL {
        let trail: Vec<_> = play.trail.iter().map(|event| audit::view(event, None, reader)).collect();
        let trail = marks(&trail);
        let status = marks(&play.snapshot.status);
        let task = if reader == Party::Buyer { Vec::new() } else { marks(&task_view(play, reader)) };
        for shown in status.iter().chain(&task) {
            assert!(trail.contains(shown), "the {reader} reads {shown}, and in the trail {trail:?}");
        }
        for (kept, shown) in [(&notes.question, notes.question_for(reader)), (&notes.advice, notes.advice_for(reader))]
        {
            let in_trail = kept.is_some() && marks(kept).iter().all(|text| trail.contains(text));
            assert_eq!(shown.is_some(), in_trail, "{reader}: {kept:?}");
        }
        if let Some(asked) = notes.question_asked.as_deref().filter(|asked| asked.question.is_some()) {
            let in_trail = marks(asked).iter().all(|text| trail.contains(text));
            assert_eq!(notes.asked_for(reader).is_some(), in_trail, "{reader}: {asked:?}");
        }
    }
}

fn task_view(play: &Play, party: Party) -> TaskView {
    let workflow = WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 };
    let (partner_id, buyer_id) = (PartnerId(Uuid::nil()), BuyerId(Uuid::nil()));
    let identity = Identity { partner_id, buyer_id, workflow, title: None, metadata: None };
    TaskView::new(&play.workflow, &identity, &play.snapshot, None, Reader { party, moment: play.moment() })
}

/// For a trail of any length, the platform can end the task at once, and due timers run.
fn check_end_in_reach(play: &Play) {
    if play.snapshot.task.phase().is_terminal() {
        return;
    }
    let mut snapshot = play.snapshot.clone();
    snapshot.task.version = MAX_ENTRIES;
    let ended =
        decide(&play.workflow, &snapshot, Input::Party(&play.command("cancel platform now")), play.moment()).unwrap();
    assert!(ended.snapshot().task.phase().is_terminal());
    if let Some((at, _)) = snapshot.task.next_timer() {
        let done = decide(&play.workflow, &snapshot, Input::Tick, play.moment().at(at.max(play.now)));
        assert!(done.is_ok(), "{done:?}");
    }
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 4, ..Config::default() })]

    #[test]
    fn every_door_shows_the_same_texts_and_an_end_stays_in_reach((definition, rolls) in sequences()) {
        let mut count = 0;
        play_by(&definition, &rolls, |play, step| run_marked(play, step, &mut count), |play| {
            check_readers(play);
            check_end_in_reach(play);
        });
    }
}

#[test]
fn what_happened_did_not_happen_more_than_a_day_before_the_task() {
    let day = TimeDelta::days(1);
    let microsecond = TimeDelta::microseconds(1);
    for (script, step) in [("", "approve bo"), ("", "hold anna"), ("cancel platform now", "approve bo")] {
        let play = Play::of(&definition("a"), script);
        let opened_at = play.snapshot.task.opened_at();
        let command = play.command(step);
        for (at, taken) in [(opened_at, true), (opened_at - day, true), (opened_at - day - microsecond, false)] {
            let meta = Meta { occurred_at: Some(at), ..command.meta().clone() };
            let command = Command::new(meta, command.action().clone()).unwrap();
            let outcome = decide(&play.workflow, &play.snapshot, Input::Party(&command), play.moment());
            let refused = matches!(&outcome, Err(Refusal::Invalid { pointer, .. }) if pointer == "/occurred_at");
            assert_eq!(!refused, taken, "{script}: {step} at {at}: {outcome:?}");
        }
    }
}
