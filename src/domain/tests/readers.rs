//! Who may read what people wrote: the status and the task show of a text what the trail shows. And how much a trail takes.

use crate::domain::audit;
use crate::domain::decide::{MAX_ENTRIES, MAX_VOTES};
use crate::domain::party::Party;

use super::kit::Play;
use super::words::definition;

const TEXTS: [&str; 2] = ["Whose call is it?", "Trust your own eyes"];

/// Which texts the buyer reads in the status, and which in the trail.
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
        crate::domain::decide::decide(&play.workflow, &play.snapshot, &play.command(step), play.now).is_ok()
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
