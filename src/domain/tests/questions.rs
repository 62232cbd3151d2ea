//! Questions: what they stop and what goes on afterwards, what the buyer is shown, and who reads
//! the texts.

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use crate::domain::audit;
use crate::domain::task::command::CommandType;
use crate::domain::task::decide::{allowed, may_decide};
use crate::domain::task::event::TimeoutAction;
use crate::domain::task::question::ClosedQuestion;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::status::Ask;
use crate::domain::task::{Clock, Phase, Task};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;

use super::test_support::{Play, sender};
use super::words::definition;

fn clock(task: &Task) -> &Clock {
    let Phase::InReview(review) = &task.phase else { panic!("{:?}", task.phase) };
    &review.clock
}

/// The deadline and the reminders of a review.
fn instants(task: &Task) -> Vec<Time> {
    let Clock::Running { due_at, remind_at } = clock(task) else { panic!("{:?}", clock(task)) };
    remind_at.iter().chain([due_at]).copied().collect()
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 4, ..Config::default() })]

    /// However a question of a review ends, the reviewers have exactly the time that they had left:
    /// elapsed or working time, with a hold in between or without.
    #[test]
    fn the_reviewers_keep_exactly_what_was_left(
        (business, before, open, held) in (any::<bool>(), 0..90_000_i64, 0..400_000_i64, 0..200_000_i64),
        end in prop::sample::select(vec!["answer buyer", "withdraw bo", "tick"]),
        hold in any::<bool>(),
    ) {
        let words = "a deadline=none remind=PT8H,PT1H within=PT40H answer=P7D";
        let words = if business { format!("{words} business") } else { words.to_owned() };
        let mut play = Play::of(&definition(&words), "");
        let calendar = play.workflow.calendar.clone();
        let left = |play: &Play, at: Time| -> Vec<TimeDelta> {
            let until = |time: &Time| match &calendar {
                Some(calendar) => calendar.between(at, *time),
                None => *time - at,
            };
            instants(&play.snapshot.task).iter().map(until).collect()
        };
        play.now = play.now + TimeDelta::seconds(before);
        let asked = left(&play, play.now);
        prop_assert_eq!(play.run("ask bo buyer"), "question_asked > in_review");
        play.now = play.now + TimeDelta::seconds(open);
        if hold {
            play.run("hold anna");
            prop_assert_eq!(play.snapshot.task.due_at(), None);
            play.now = play.now + TimeDelta::seconds(held);
            play.run("resume anna");
        }
        play.run(end);
        prop_assert!(play.snapshot.task.question.is_none());
        prop_assert_eq!(left(&play, play.now), asked);
    }

    /// A hold stops the time of the answer as well.
    #[test]
    fn the_party_asked_keeps_exactly_what_was_left(
        (business, open, held) in (any::<bool>(), 0..300_000_i64, 0..300_000_i64)
    ) {
        let words = if business { "a required answer=P2D business" } else { "a required answer=P2D" };
        let mut play = Play::of(&definition(words), "ask bo buyer");
        let calendar = play.workflow.calendar.clone();
        let left = |play: &Play| {
            let due_at = play.snapshot.task.due_at().unwrap();
            calendar.as_ref().map_or(due_at - play.now, |calendar| calendar.between(play.now, due_at))
        };
        play.now = play.now + TimeDelta::seconds(open);
        let before = left(&play);
        play.run("hold anna");
        play.now = play.now + TimeDelta::seconds(held);
        play.run("resume anna");
        prop_assert_eq!(left(&play), before);
    }
}

#[test]
fn no_questions_change_the_round_the_revision_or_the_votes() {
    let mut play = Play::of(&definition("a required quorum=2,2 deadline=fail asks=20"), "submit anna; approve bo");
    let before = play.snapshot.clone();
    for turn in 0..5 {
        play.run("ask bo buyer options; answer buyer 1; ask platform chi; withdraw platform; ask dora platform; tick");
        let after = &play.snapshot;
        assert_eq!((after.task.round(), after.task.revision()), (1, 1), "{turn}");
        let (Phase::InReview(earlier), Phase::InReview(later)) = (&before.task.phase, &after.task.phase) else {
            panic!("{after:?}")
        };
        assert_eq!(earlier.votes, later.votes);
        assert_eq!(before.notes, after.notes);
    }
    assert!(play.run("approve chi").contains("stage_approved"), "the first vote still counts");
}

#[test]
fn the_task_waits_on_the_party_asked_and_its_own_deadline_goes_on() {
    let mut play = Play::of(&definition("a deadline=none remind=PT8H | P30D"), "wait PT1H; ask bo buyer");
    let task = &play.snapshot.task;
    assert_eq!(task.waiting_on(&play.workflow), Some(Party::Buyer));
    assert_eq!(task.since(), play.now);
    assert_eq!(task.due_at(), Some(play.now + TimeDelta::days(3)));
    assert!(!task.is_overdue());
    assert_eq!(task.deadline_at(), Some(task.opened_at() + TimeDelta::days(30)));
    assert!(may_decide(&play.workflow, task, (&sender("buyer"), true), play.moment()));
    assert!(may_decide(&play.workflow, task, (&sender("chi"), true), play.moment()), "reviewers may still vote");
    play.run("wait PT2H; answer buyer");
    let task = &play.snapshot.task;
    assert_eq!(task.waiting_on(&play.workflow), Some(Party::Partner));
    let waits: Vec<_> =
        task.spent_until(&play.workflow, play.now).waits().iter().map(|w| (w.party, w.micros)).collect();
    assert_eq!(waits, [(Party::Partner, 3_600_000_000), (Party::Buyer, 7_200_000_000)]);
}

#[test]
fn a_deadline_that_passed_before_the_question_stays_passed() {
    let mut play = Play::of(&definition("a deadline=none"), "tick; ask bo buyer");
    assert!(!play.snapshot.status.overdue, "the buyer is in time");
    play.run("answer buyer");
    assert!(play.snapshot.status.overdue);
    assert!(matches!(clock(&play.snapshot.task), Clock::Passed { .. }));
}

#[test]
fn a_buyer_who_is_asked_is_offered_every_answer() {
    let play = Play::of(&definition("a required"), "ask bo buyer options");
    let status = &play.snapshot.status;
    assert_eq!(status.label, "Waiting for your answer");
    let action = status.action.clone().unwrap();
    assert_eq!((action.ask, action.on_silence, action.due_at), (Ask::Answer, Some(TimeoutAction::None), status.due_at));
    assert_eq!(action.question.unwrap().as_str(), "Which logo do you mean?");
    assert_eq!(serde_json::to_value(&action.options).unwrap(), json!(["Round", "Square"]));
    assert_eq!(action.revision, None, "the buyer decides on no work");
    let offers: Vec<_> =
        action.commands.iter().map(|command| (command.kind, command.question, command.option)).collect();
    let answer = CommandType::QuestionAnswered;
    let seq = Some(play.question());
    assert_eq!(offers, [(answer, seq, Some(1)), (answer, seq, Some(2)), (answer, seq, None)]);
}

#[test]
fn a_buyer_who_is_asked_and_reviews_is_offered_both() {
    let play = Play::of(&definition("a required buyer deadline=reject"), "submit anna; ask bo buyer");
    let action = play.snapshot.status.action.clone().unwrap();
    let kinds: Vec<_> = action.commands.iter().map(|command| command.kind.as_str()).collect();
    assert_eq!(kinds, ["question_answered", "stage_approved", "stage_rejected", "stage_escalated"]);
    assert_eq!((action.ask, action.revision.map(|work| work.revision)), (Ask::Answer, Some(1)));
    assert_eq!(action.on_silence, Some(TimeoutAction::None), "the time of the review stands still");
}

#[test]
fn a_buyer_sees_that_somebody_else_is_asked() {
    let play = Play::of(&definition("a required"), "ask bo platform");
    assert_eq!(play.snapshot.status.label, "Work is being prepared");
    assert_eq!((play.snapshot.status.waiting_on, &play.snapshot.status.action), (Some(Party::Platform), &None));
    let play = Play::of(&definition("a buyer deadline=reject"), "ask buyer platform");
    let action = play.snapshot.status.action.clone().unwrap();
    assert_eq!((action.ask, action.due_at, action.on_silence), (Ask::Review, None, None));
    assert_eq!(play.snapshot.status.label, "In a");
    assert_eq!(action.commands.last().unwrap().kind, CommandType::QuestionWithdrawn);
}

/// The texts of questions and answers, and whether the buyer's trail shows them.
#[test]
fn a_buyer_reads_what_it_is_asked_asks_or_is_shared() {
    let cases = [
        ("a required", "ask bo platform options; answer platform full", false),
        ("a required", "ask platform bo options; answer bo full", false),
        ("a required", "ask bo platform options shared; answer platform full", true),
        ("a required", "ask bo buyer options; answer buyer full", true),
        ("a buyer", "ask buyer platform options; answer platform full", true),
        ("a buyer", "ask buyer bo options; answer bo full", true),
    ];
    for (words, script, shown) in cases {
        let play = Play::of(&definition(words), script);
        for reader in Party::ALL {
            let entries = play.trail.iter().map(|event| audit::view(event, None, reader));
            let trail = serde_json::to_string(&entries.collect::<Vec<_>>()).unwrap();
            let expected = shown || reader != Party::Buyer;
            for text in ["Which logo do you mean?", "Square", "The round one", "draft.pdf"] {
                assert_eq!(trail.contains(text), expected, "{words}: {script}: the {reader} and {text}");
            }
        }
    }
}

#[test]
fn who_answers_second_is_told_how_the_question_was_closed() {
    let closed = |script: &str| -> Option<ClosedQuestion> {
        let mut play = Play::of(&definition("a required"), script);
        let command = play.command("answer buyer");
        let Err(Refusal::StaleQuestion { closed }) = play.send(&command) else { panic!("{script}") };
        closed
    };
    let told = |script: &str| -> Value { serde_json::to_value(closed(script)).unwrap() };
    assert_eq!(told("ask bo buyer; answer buyer"), json!({ "question": 3, "seq": 4 }));
    assert_eq!(told("ask bo buyer; withdraw bo"), json!({ "question": 3, "seq": 4, "why": "withdrawn" }));
    assert_eq!(told("ask bo buyer; tick"), json!({ "question": 3, "seq": 4, "why": "lapsed" }));
    assert_eq!(told("ask bo buyer; submit anna"), json!({ "question": 3, "seq": 5, "why": "overtaken" }));
}

#[test]
fn questions_are_open_to_those_who_may_ask() {
    let open = |words: &str, script: &str| {
        let play = Play::of(&definition(words), script);
        let asks =
            |party: &Party| allowed(&play.workflow, &play.snapshot.task, *party).contains(&CommandType::QuestionAsked);
        Party::ALL.iter().filter(|party| asks(party)).map(|party| party.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(open("a required", ""), ["partner", "platform"]);
    assert_eq!(open("a buyer", ""), ["partner", "buyer", "platform"]);
    assert_eq!(open("a required asks=0", ""), [""; 0]);
    assert_eq!(open("a ask=partner", ""), ["platform"], "nobody asks itself");
    assert_eq!(open("a asks=1", "ask bo buyer; answer buyer"), [""; 0]);
    assert_eq!(
        open("a asks=1", "ask bo buyer; answer buyer; reject bo"),
        ["partner", "platform"],
        "a round of its own"
    );
}

/// Erasing who asked takes the texts out of an open question; the question stays open.
#[test]
fn an_erased_question_waits_without_its_texts() {
    let mut play = Play::of(&definition("a required"), "ask bo buyer options; erase bo");
    let action = play.snapshot.status.action.clone().unwrap();
    assert_eq!((action.ask, action.question, action.options.len()), (Ask::Answer, None, 0));
    assert_eq!(play.run("answer buyer 1"), "/option", "no option is left to choose");
    assert_eq!(play.run("answer buyer"), "question_answered > preparing");
    play.run("erase buyer");
    let trail = serde_json::to_string(&play.trail).unwrap();
    for text in ["Which logo do you mean?", "Round", "The round one"] {
        assert!(!trail.contains(text), "{text}: {trail}");
    }
}
