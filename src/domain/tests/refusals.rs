//! The refusals, one case per line; together they produce every refusal of the table. Also the
//! order of the checks.

use std::collections::BTreeSet;

use crate::domain::task::command::CommandType;
use crate::domain::task::limits::{MAX_REVISIONS, MAX_STATUS_UPDATES};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::table::{ROWS, Trigger};
use crate::domain::task::{PhaseName, Verdict};

use super::cases::Case;
use super::laws;
use super::reviewers;
use super::test_support::{Play, name};
use super::words::definition;

/// An escalation that changed hands three times.
const HANDED: &str = "escalate bo platform; resolve platform redirect buyer; resolve buyer redirect platform; resolve platform redirect buyer";

#[rustfmt::skip] // A case a line.
const REFUSED: &[Case] = &[
    // Votes and resolutions while the stage waits for work.
    ("nothing is under review", "a required", "approve bo", "wrong_phase"),
    ("nothing is there to reject", "a required", "reject bo", "wrong_phase"),
    ("nothing is there to escalate", "a required", "escalate bo platform", "wrong_phase"),
    ("nothing is escalated", "a required", "resolve platform approve", "wrong_phase"),
    ("an approval that lost against a rejection", "a", "reject bo; approve anna .1", "already_decided"),
    ("a second rejection of the same round", "a", "reject bo; reject anna .1", "already_decided"),
    ("an escalation of a round that was decided", "a", "reject bo; escalate anna platform .1", "already_decided"),
    ("a call about a round that was decided", "a", "escalate bo platform; resolve platform reject; resolve platform approve .1", "already_decided"),
    ("work must be something", "a required", "submit anna bare", "/artifacts"),
    ("an answer is to an item", "a required", "submit anna 9.1", "/answers"),
    ("blocking feedback is answered", "a required answers", "submit anna; reject bo points; submit anna", "unanswered_feedback"),
    // Reviews.
    ("new work would bypass an approval", "a; b", "approve bo; submit anna", "submission_not_open"),
    ("new work must be something too", "a", "submit anna bare", "/artifacts"),
    ("new work answers items too", "a", "submit anna 9.1", "/answers"),
    ("an approval of a stage that was approved", "a; b", "approve bo; approve anna @a", "already_decided"),
    ("a rejection of a stage that was approved", "a; b", "approve bo; reject anna @a", "already_decided"),
    ("an escalation of a stage that was approved", "a; b", "approve bo; escalate anna platform @a", "already_decided"),
    ("an approval by somebody who is not named", "a panel", "approve chi", "not_a_reviewer"),
    ("a rejection by somebody who is not named", "a panel", "reject chi", "not_a_reviewer"),
    ("nobody approves their own work", "a required", "submit anna; approve anna", "self_approval"),
    ("the same person may not approve twice", "a; b distinct=a", "approve bo; approve bo", "not_distinct"),
    ("the same approval stands already", "a quorum=2,2", "approve bo; approve bo", "already_voted"),
    ("the same rejection stands already", "a quorum=2,2", "reject bo; reject bo", "already_voted"),
    ("a rejection says why", "a", "reject bo bare", "/feedback"),
    ("an approval's remarks do not block", "a", "approve bo blocks", "/feedback"),
    ("a rejection goes where the stage says", "a; b back=b", "approve bo; reject anna a", "/return_to"),
    ("an escalation goes to whom the stage says", "a", "escalate bo buyer", "/to"),
    ("only the platform may cut a review short", "a", "cancel buyer now", "/immediate"),
    // Escalations.
    ("an approving call about a decided round", "a; b", "approve bo; escalate bo platform; resolve platform approve @a", "already_decided"),
    ("a rejecting call about a decided round", "a; b", "approve bo; escalate bo platform; resolve platform reject @a", "already_decided"),
    ("advice about a decided round", "a; b", "approve bo; escalate bo platform; resolve platform return @a", "already_decided"),
    ("a redirect about a decided round", "a; b to=buyer,platform", "approve bo; escalate bo platform; resolve platform redirect buyer @a", "already_decided"),
    ("an approving call about another escalation", "a", "escalate bo platform; resolve platform approve #1", "stale_escalation"),
    ("a rejecting call about another escalation", "a", "escalate bo platform; resolve platform reject #1", "stale_escalation"),
    ("advice about another escalation", "a", "escalate bo platform; resolve platform return #1", "stale_escalation"),
    ("a redirect about another escalation", "a to=platform,buyer", "escalate bo platform; resolve platform redirect buyer #1", "stale_escalation"),
    ("the partner does not approve for the buyer", "a buyer to=partner", "escalate buyer partner; resolve anna approve", "resolution_not_allowed"),
    ("the platform does not approve what it escalated itself", "a", "escalate platform platform; resolve platform approve", "second_person"),
    ("nor does it reject that", "a", "escalate platform platform; resolve platform reject", "second_person"),
    ("the submitter does not approve by call either", "a required to=partner", "submit anna; escalate bo partner; resolve anna approve", "self_approval"),
    ("nor who approved the stage before", "a; b distinct=a to=partner", "approve bo; escalate anna partner; resolve bo approve", "not_distinct"),
    ("an approving call has no feedback", "a", "escalate bo platform; resolve platform approve mixed", "/feedback"),
    ("a rejecting call says why", "a", "escalate bo platform; resolve platform reject bare", "/feedback"),
    ("a rejecting call goes where the stage says", "a; b back=b", "approve bo; escalate bo platform; resolve platform reject a", "/return_to"),
    ("advice has no feedback", "a", "escalate bo platform; resolve platform return mixed", "/feedback"),
    ("rounds that are used up do not come back", "a rounds=1", "reject bo; resolve platform return", "nothing_to_return_to"),
    ("a quorum that cannot be reached has no reviewers to return to", "a required panel", "submit anna; resolve platform return", "nothing_to_return_to"),
    ("a redirect names a party", "a", "escalate bo platform; resolve platform redirect bare", "/to"),
    ("a redirect goes to whom the stage says", "a", "escalate bo platform; resolve platform redirect buyer", "/to"),
    ("a redirect goes to somebody else", "a", "escalate bo platform; resolve platform redirect platform", "/to"),
    ("only the platform may cut an escalated review short", "a", "escalate bo platform; cancel anna now", "/immediate"),
    // Questions.
    ("one question at a time", "a required", "ask anna buyer; ask platform buyer", "question_open"),
    ("one question at a time in a review", "a", "ask anna buyer; ask platform buyer", "question_open"),
    ("a question goes to whom the stage says", "a required ask=platform", "ask anna buyer", "/to"),
    ("a question of a review goes to whom the stage says", "a ask=platform", "ask anna buyer", "/to"),
    ("a stage without questions", "a asks=0", "ask anna buyer", "limit_reached"),
    ("as many questions as the stage allows", "a asks=1", "ask anna buyer; answer buyer; ask anna buyer", "limit_reached"),
    ("the questions of all parties count", "a required asks=1", "ask anna buyer; withdraw anna; ask platform buyer", "limit_reached"),
    ("the buyer who does not review asks nothing", "a", "ask buyer anna", "wrong_party"),
    ("the buyer asks nothing before the review", "a required buyer", "ask buyer anna", "wrong_phase"),
    ("a question is answered by the party asked", "a", "ask anna buyer; answer platform", "wrong_party"),
    ("a question is taken back by the party that asked", "a", "ask anna buyer; withdraw buyer", "wrong_party"),
    ("the second answer comes too late", "a", "ask anna buyer; answer buyer; answer buyer", "stale_question"),
    ("the second answer comes too late before the review", "a required", "ask anna buyer; answer buyer; answer buyer", "stale_question"),
    ("a question is taken back once", "a", "ask anna buyer; withdraw anna; withdraw anna", "stale_question"),
    ("a question is taken back once before the review", "a required", "ask anna buyer; withdraw anna; withdraw anna", "stale_question"),
    ("an option that was not offered", "a", "ask anna buyer options; answer buyer 3", "/option"),
    ("an option of a question without any", "a required", "ask anna buyer; answer buyer 1", "/option"),
    ("an overtaken question is not answered", "a", "ask anna buyer; submit anna; answer buyer", "stale_question"),
    ("a held question is not answered", "a", "ask anna buyer; hold anna; answer buyer", "wrong_phase"),
    // Holds and ends.
    ("the platform's hold is not the partner's to end", "a", "hold platform; resume anna", "held_by_other"),
    ("a hold is not the buyer's to end", "a", "hold platform; resume buyer", "wrong_party"),
    ("a second cancellation changes nothing", "a finish", "cancel buyer; cancel anna", "already_cancelling"),
    ("nor does the platform's, if it does not say at once", "a finish", "cancel buyer; cancel platform", "already_cancelling"),
    ("what is salvaged is named", "a finish", "cancel buyer; ack anna empty", "/artifacts"),
    ("a late approval is kept once", "a finish", "cancel buyer; approve bo; approve bo", "cancelling"),
    ("a late rejection after a late approval is the same person's", "a finish", "cancel buyer; approve bo; reject bo", "cancelling"),
    ("a late call is kept once", "a finish", "escalate bo platform; cancel buyer; resolve platform approve; resolve platform reject", "cancelling"),
    ("a tick before its time", "a deadline=fail", "tick now", "nothing_due"),
    ("a tick after the end", "a", "approve bo; tick", "nothing_due"),
    // Keys, where the stage counts only bound ones.
    ("an approval under a key that is not bound", "a bound", "approve bo", "key_unbound"),
    ("a rejection under a key that is not bound", "a bound", "reject bo", "key_unbound"),
    ("an approving call under a key that is not bound", "a bound", "escalate bo platform; resolve platform approve", "key_unbound"),
    ("nothing is under review, and the key is not bound", "a bound required", "approve bo", "key_unbound"),
    ("nothing is there to reject, and the key is not bound", "a bound required", "reject bo", "key_unbound"),
    // Refusals that every command can meet.
    ("a vote under the key of other people", "a", "approve bo-", "key_actor"),
    ("work under the key of other people", "a", "submit anna-", "key_actor"),
    ("a hold under the key of other people", "a", "hold anna-", "key_actor"),
    ("a call under the key of other people", "a", "escalate bo platform; resolve platform- return", "key_actor"),
    ("an escalation under the key of other people", "a", "escalate bo- platform", "key_actor"),
    ("a late decision under the key of other people", "a", "approve bo; approve anna-", "key_actor"),
    ("a late decision while the task winds down, under the key of other people", "a finish", "cancel buyer; approve bo-", "key_actor"),
    ("a vote is the reviewing party's", "a; b buyer", "approve bo; approve bo", "wrong_party"),
    ("a vote about a stage that is still to come", "a; b", "approve bo @b", "stage_mismatch"),
    ("a vote about a round that is still to come", "a", "approve bo .2", "round_mismatch"),
    ("a vote about an older revision", "a", "submit anna; approve bo ~0", "stale_revision"),
    ("a vote about a revision that does not exist", "a", "approve bo ~1", "/revision"),
    ("a vote about a stage that does not exist", "a", "approve bo @z", "/stage"),
    // The order of the checks: closed, party, key, stage and round, phase, actor, revision, content.
    ("closed comes before everything", "a", "approve bo; hold buyer @z .7 ~7", "task_closed"),
    ("closed comes before the key", "a", "approve bo; hold anna-", "task_closed"),
    ("the party comes before the key", "a bound", "approve platform-", "wrong_party"),
    ("whose key it is comes before whether it is bound", "a bound", "approve bo- .7", "key_actor"),
    ("the key comes before the round", "a bound", "approve bo .7", "key_unbound"),
    ("the key comes before the phase", "a required bound", "approve bo", "key_unbound"),
    ("the party comes before the round", "a", "approve buyer .7", "wrong_party"),
    ("the holder comes before the round", "a", "escalate bo platform; resolve buyer approve .7", "wrong_party"),
    ("the round comes before the phase", "a required", "approve bo .7", "round_mismatch"),
    ("the phase comes before the actor", "a required panel", "approve chi ~7", "wrong_phase"),
    ("the escalation comes before the actor", "a buyer to=partner", "escalate buyer partner; resolve anna approve #1", "stale_escalation"),
    ("the actor comes before the revision", "a panel", "approve chi ~7", "not_a_reviewer"),
    ("the bar comes before the revision", "a required", "submit anna; approve anna ~0", "self_approval"),
    ("who may approve by call comes before the revision", "a buyer to=partner", "submit anna; escalate buyer partner; resolve anna approve ~0", "resolution_not_allowed"),
    ("the revision comes before the content", "a", "submit anna; reject bo bare ~0", "stale_revision"),
    ("the revision comes before a call's content", "a", "submit anna; escalate bo platform; resolve platform reject bare ~0", "stale_revision"),
    ("the revision comes before where an escalation goes", "a", "submit anna; escalate bo buyer ~0", "stale_revision"),
    ("whether work is open comes before the revision", "a; b", "submit anna; approve bo; submit anna ~0", "submission_not_open"),
];

/// Redirects and terminal phases, which need longer stories.
fn long_stories() -> Vec<(String, String)> {
    let ends = ["approve bo", "cancel buyer", "tick", "reject chi"];
    let closed = "a required rounds=1 exhausted=fail | P1D";
    let mut stories = vec![("a to=platform,buyer".to_owned(), format!("{HANDED}; resolve buyer redirect platform"))];
    for end in ends {
        for late in ["approve dora", "reject dora"] {
            stories.push((closed.to_owned(), format!("submit anna; {end}; {late}; {late}")));
        }
    }
    for (words, end) in
        [("a", "resolve platform approve"), ("a", "cancel buyer"), ("a | P1D", "tick"), ("a respond=fail", "tick")]
    {
        let resolve = "resolve platform return";
        stories.push((words.to_owned(), format!("escalate bo platform; {end}; {resolve}; {resolve}")));
    }
    stories
}

/// Runs a case; returns the phase before the last step, its command, and the outcome.
fn refused(words: &str, script: &str) -> (PhaseName, Option<Trigger>, String) {
    let (before, last) = script.rsplit_once(';').unwrap_or(("", script));
    let mut play = Play::open(&definition(words));
    play.run(before);
    let phase = play.snapshot.task.phase();
    let is_tick = last.trim().starts_with("tick");
    let trigger = (!is_tick).then(|| match play.try_command(last.trim()) {
        Ok(command) => laws::asked(phase, &command),
        // The bodies that cannot become a command.
        Err(_) if last.trim().starts_with("approve") => Trigger::Command(CommandType::StageApproved),
        Err(_) if last.trim().starts_with("staff") => Trigger::Command(CommandType::ReviewersChanged),
        Err(_) => Trigger::Command(CommandType::CancellationRequested),
    });
    (phase, trigger, play.run(last))
}

#[test]
fn every_refusal_of_the_table_has_a_case() {
    let mut produced = BTreeSet::new();
    let mut wrong = Vec::new();
    for (case, words, script, expected) in REFUSED.iter().chain(reviewers::REFUSED) {
        let (phase, trigger, outcome) = refused(words, script);
        if outcome != *expected {
            wrong.push(format!("{case}\n  {words}\n  {script}\n  expected {expected}\n  got      {outcome}"));
        }
        produced.insert((phase, trigger, outcome));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), REFUSED.len(), wrong.join("\n"));
    for (words, script) in long_stories() {
        produced.insert(refused(&words, &script));
    }
    let rows = ROWS.iter().flat_map(|row| row.from.iter().map(move |from| (row, *from)));
    let table: BTreeSet<(PhaseName, Option<Trigger>, String)> = rows
        .flat_map(|(row, from)| row.refused.iter().map(move |code| (from, Some(row.trigger), (*code).to_owned())))
        .filter(|(_, _, code)| code != "limit_reached")
        .collect();
    let missed: Vec<_> = table.difference(&produced).collect();
    assert!(missed.is_empty(), "refusals of the table without a case: {missed:#?}");
}

#[test]
fn revisions_and_checkpoints_are_limited_and_decisions_are_not() {
    for script in ["", "submit anna", "submit anna; escalate bo platform", "hold anna", "submit anna; cancel buyer"] {
        let mut play = Play::of(&definition("a required finish"), script);
        play.snapshot.task.status_updates = MAX_STATUS_UPDATES;
        assert_eq!(play.run("status anna"), "limit_reached", "{script}");
    }
    for script in ["", "submit anna"] {
        let mut play = Play::of(&definition("a required"), script);
        play.snapshot.task.revision = MAX_REVISIONS;
        assert_eq!(play.run("submit anna"), "limit_reached", "{script}");
    }
}

#[test]
fn a_task_is_not_opened_with_a_deadline_that_passed() {
    let play = Play::open(&definition("a"));
    for (ahead, refused) in [(-1, true), (0, true), (1, false)] {
        let at = crate::domain::values::time::Time::from_micros(super::test_support::START + ahead);
        let opening = crate::domain::task::decide::Opening { deadline_at: Some(at), ..super::test_support::opening() };
        let opened = crate::domain::task::decide::open(&play.workflow, opening, play.moment());
        assert_eq!(opened.as_ref().err().map(name), refused.then_some("/deadline_at"));
    }
}

#[test]
fn who_decided_before_is_named_to_who_comes_after() {
    let mut play = Play::of(&definition("a; b back=a"), "approve bo; reject chi; submit anna; approve bo");
    let mut ask = |step: &str| {
        let command = play.command(step);
        match play.send(&command) {
            Err(Refusal::AlreadyDecided { decision }) => decision.map(|found| (found.round, found.decision)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask("approve dora @a .2"), Some((2, Verdict::Approved)));
    assert_eq!(ask("approve dora @a .1"), None, "only the latest is remembered");
    assert_eq!(ask("approve dora @b .1"), Some((1, Verdict::Rejected)));
}
