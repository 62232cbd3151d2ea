//! The effect of each row of the table, one case per line; together they cover every edge of it.

use std::collections::BTreeSet;

use super::absences::{self, RETURNS};
use super::laws::{self, EDGES};
use super::reviewers::PEOPLE;
use super::test_support::Play;
use super::words::definition;

/// What the case shows, the definition, the earlier steps and the tested step, and its outcome.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str);

/// Runs every case; each step checks the laws.
pub(super) fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (name, words, script, expected) in cases {
        let outcome = Play::open(&definition(words)).run(script);
        if outcome != *expected {
            wrong.push(format!("{name}\n  {words}\n  {script}\n  expected {expected}\n  got      {outcome}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[rustfmt::skip] // A case a line.
const PREPARING: &[Case] = &[
    ("work that is handed in starts the review", "a required", "submit anna", "work_submitted > in_review"),
    ("a review that its named reviewers cannot finish is escalated", "a required panel", "submit anna", "work_submitted stage_escalated > escalated"),
    ("a question is asked before there is work", "a required", "ask anna buyer", "question_asked > preparing"),
    ("a question is answered", "a required", "ask anna buyer options; answer buyer bare 2", "question_answered > preparing"),
    ("a question is taken back", "a required", "ask platform anna; withdraw platform", "question_closed > preparing"),
    ("a question lapses", "a required", "ask anna buyer; tick", "question_closed > preparing"),
    ("work overtakes a question", "a required", "ask anna buyer; submit anna", "work_submitted question_closed > in_review"),
    ("work that the reviewers cannot finish overtakes a question", "a required panel", "ask anna buyer; submit anna", "work_submitted question_closed stage_escalated > escalated"),
    ("a cancellation overtakes a question", "a required", "ask anna buyer; cancel buyer", "cancellation_requested question_closed workflow_cancelled > cancelled"),
    ("the task's deadline overtakes a question", "a required | P1D", "ask anna buyer; tick", "question_closed workflow_expired > expired"),
    ("a hold keeps a question", "a required", "ask anna buyer; hold anna; resume anna; answer buyer", "question_answered > preparing"),
    ("the end of a held task overtakes a question", "a required", "ask anna buyer; hold anna; cancel buyer", "cancellation_requested question_closed workflow_cancelled > cancelled"),
    ("the deadline of a held task overtakes a question", "a required | P1D", "ask anna buyer; hold anna; tick", "question_closed workflow_expired > expired"),
    ("a task that waits for work can be held", "a required", "hold anna", "held > on_hold"),
    ("a held task that waited for work waits again", "a required", "hold anna; resume anna", "resumed > preparing"),
    ("a task that waits for work is cancelled at once, even where reviews may finish", "a required finish", "cancel buyer", "cancellation_requested workflow_cancelled > cancelled"),
    ("a task that waits for work expires without a review to withdraw", "a required | P1D", "tick", "workflow_expired > expired"),
    ("a checkpoint moves nothing", "a required", "status anna", "status_updated > preparing"),
];

#[rustfmt::skip] // A case a line.
const ERASED: &[Case] = &[
    ("an erasure leaves a task that waits for work as it is", "a required", "erase platform", "personal_data_erased > preparing"),
    ("an erasure leaves a review as it is", "a", "submit anna; erase anna", "personal_data_erased > in_review"),
    ("an erasure leaves an escalation as it is", "a", "escalate bo platform; erase bo", "personal_data_erased > escalated"),
    ("an erasure leaves a hold as it is", "a", "hold bo; erase bo", "personal_data_erased > on_hold"),
    ("an erasure leaves a cancellation as it is", "a finish", "cancel buyer; erase buyer", "personal_data_erased > cancelling"),
    ("an erasure reaches what was delivered", "a", "approve bo; erase bo", "personal_data_erased > delivery"),
    ("an erasure reaches what was cancelled", "a", "cancel buyer; erase buyer", "personal_data_erased > cancelled"),
    ("an erasure reaches what expired", "a | P1D", "tick; erase platform", "personal_data_erased > expired"),
    ("an erasure reaches what failed", "a deadline=fail", "tick; erase platform", "personal_data_erased > failed"),
    ("what is gone is not erased again", "a", "submit anna; erase anna; erase anna", "nothing"),
    ("the id goes when the task is closed", "a", "submit anna; erase anna; approve bo; erase anna", "personal_data_erased > delivery"),
    ("who wrote nothing loses nothing", "a", "submit anna; erase bo", "nothing"),
];

#[rustfmt::skip] // A case a line.
const IN_REVIEW: &[Case] = &[
    ("the first stage takes new work during the review", "a", "submit anna", "work_submitted > in_review"),
    ("a round that began with work takes more of it", "a; b required", "approve bo; submit anna; submit anna", "work_submitted > in_review"),
    ("new work by a named reviewer can make the quorum unreachable", "a required panel", "submit dora; submit anna", "work_submitted stage_escalated > escalated"),
    ("an approval short of the quorum is counted", "a quorum=2,2", "approve bo", "vote_recorded > in_review"),
    ("a bound stage counts a vote under a bound key", "a bound quorum=2,2", "approve bo*", "vote_recorded > in_review"),
    ("a bound stage is approved under bound keys", "a bound quorum=2,2", "approve bo*; approve anna*", "vote_recorded stage_approved workflow_completed > delivery"),
    ("a buyer's token is bound", "a bound buyer", "approve buyer", "vote_recorded stage_approved workflow_completed > delivery"),
    ("an actor has one vote", "a quorum=2,2", "reject bo; approve bo", "vote_recorded > in_review"),
    ("a vote can be changed", "a quorum=2,2", "approve bo; reject bo; approve anna; approve bo", "vote_recorded stage_approved workflow_completed > delivery"),
    ("the quorum approves: the next stage waits for work", "a; b required", "approve bo", "vote_recorded stage_approved stage_entered > preparing"),
    ("the quorum approves: the next stage is reviewed", "a; b", "approve bo", "vote_recorded stage_approved stage_entered > in_review"),
    ("the quorum approves: too few may approve the next stage", "a; b panel distinct=a", "approve bo", "vote_recorded stage_approved stage_entered stage_escalated > escalated"),
    ("the quorum approves: the last stage leads to delivery", "a quorum=2,1", "approve bo; approve anna", "vote_recorded stage_approved workflow_completed > delivery"),
    ("a rejection short of the quorum is counted", "a quorum=2,2", "reject bo", "vote_recorded > in_review"),
    ("the quorum rejects: the work goes back", "a", "reject bo", "vote_recorded stage_rejected stage_entered > preparing"),
    ("the last round's rejection asks for a decision", "a rounds=1", "reject bo", "vote_recorded stage_rejected stage_escalated > escalated"),
    ("the last round's rejection can fail the task", "a rounds=1 exhausted=fail", "reject bo", "vote_recorded stage_rejected workflow_failed > failed"),
    ("a reviewer asks the platform", "a", "escalate bo platform", "stage_escalated > escalated"),
    ("the buyer asks where the buyer reviews", "a buyer", "escalate buyer platform", "stage_escalated > escalated"),
    ("the platform may always take a stage to itself", "a to=buyer", "escalate platform platform", "stage_escalated > escalated"),
    ("a review is held", "a", "hold platform", "held > on_hold"),
    ("a question is asked in a review", "a buyer", "ask buyer anna", "question_asked > in_review"),
    ("a question of a review is answered", "a buyer", "ask buyer anna; answer anna", "question_answered > in_review"),
    ("a question of a review is taken back", "a", "ask bo buyer; withdraw anna", "question_closed > in_review"),
    ("a question of a review lapses before the stage's deadline", "a deadline=fail", "ask bo buyer; tick", "question_closed > in_review"),
    ("a vote short of the quorum leaves a question open", "a quorum=2,2", "ask bo buyer; approve bo", "vote_recorded > in_review"),
    ("new work overtakes a question of a review", "a", "ask bo buyer; submit anna", "work_submitted question_closed > in_review"),
    ("new work by a named reviewer overtakes a question", "a required panel", "submit dora; ask bo buyer; submit anna", "work_submitted question_closed stage_escalated > escalated"),
    ("an approval overtakes a question: preparing", "a; b required", "ask bo buyer; approve bo", "vote_recorded question_closed stage_approved stage_entered > preparing"),
    ("an approval overtakes a question: review", "a; b", "ask bo buyer; approve bo", "vote_recorded question_closed stage_approved stage_entered > in_review"),
    ("an approval overtakes a question: escalated", "a; b panel distinct=a", "ask bo buyer; approve bo", "vote_recorded question_closed stage_approved stage_entered stage_escalated > escalated"),
    ("an approval overtakes a question: delivery", "a", "ask bo buyer; approve bo", "vote_recorded question_closed stage_approved workflow_completed > delivery"),
    ("a rejection overtakes a question", "a", "ask bo buyer; reject bo", "vote_recorded question_closed stage_rejected stage_entered > preparing"),
    ("the last round's rejection overtakes a question", "a rounds=1", "ask bo buyer; reject bo", "vote_recorded question_closed stage_rejected stage_escalated > escalated"),
    ("the failing rejection overtakes a question", "a rounds=1 exhausted=fail", "ask bo buyer; reject bo", "vote_recorded question_closed stage_rejected workflow_failed > failed"),
    ("an escalation overtakes a question", "a", "ask bo buyer; escalate bo platform", "stage_escalated question_closed > escalated"),
    ("a cancellation of a review overtakes a question", "a", "ask bo buyer; cancel buyer", "cancellation_requested question_closed review_withdrawn workflow_cancelled > cancelled"),
    ("a cancellation that lets the review finish overtakes a question", "a finish", "ask bo buyer; cancel buyer", "cancellation_requested question_closed > cancelling"),
    ("the task's deadline overtakes a question of a review", "a | P1D", "ask bo buyer; tick", "question_closed review_withdrawn workflow_expired > expired"),
    ("a cancelled hold overtakes a question of a review", "a", "ask bo buyer; hold bo; cancel buyer", "cancellation_requested question_closed review_withdrawn workflow_cancelled > cancelled"),
    ("the deadline of a held review overtakes a question", "a | P1D", "ask bo buyer; hold bo; tick", "question_closed review_withdrawn workflow_expired > expired"),
    ("a held review waits for its answer again", "a deadline=fail", "ask bo buyer; hold bo; resume bo; tick", "question_closed > in_review"),
    ("a deadline is announced", "a deadline=none remind=PT8H,PT1H", "tick; tick", "deadline_reminded > in_review"),
    ("a deadline may pass with nothing but a note", "a deadline=none", "tick", "deadline_passed > in_review"),
    ("a deadline that passed passes once", "a deadline=none", "tick; tick", "nothing_due"),
    ("a deadline may ask a party", "a deadline=platform", "tick", "deadline_passed stage_escalated > escalated"),
    ("a deadline may reject", "a deadline=reject", "tick", "deadline_passed stage_rejected stage_entered > preparing"),
    ("a deadline that rejects the last round asks for a decision", "a deadline=reject rounds=1", "tick", "deadline_passed stage_rejected stage_escalated > escalated"),
    ("a deadline that rejects the last round can fail the task", "a deadline=reject rounds=1 exhausted=fail", "tick", "deadline_passed stage_rejected workflow_failed > failed"),
    ("a deadline may fail the task", "a deadline=fail", "tick", "deadline_passed review_withdrawn workflow_failed > failed"),
    ("silence may approve: delivery", "a deadline=approve", "tick", "deadline_passed stage_approved workflow_completed > delivery"),
    ("silence may approve: the next stage waits for work", "a deadline=approve; b required", "tick", "deadline_passed stage_approved stage_entered > preparing"),
    ("silence may approve: the next stage is reviewed", "a deadline=approve; b", "tick", "deadline_passed stage_approved stage_entered > in_review"),
    ("silence may approve: too few may approve the next stage", "a required deadline=approve; b panel", "submit anna; tick", "deadline_passed stage_approved stage_entered stage_escalated > escalated"),
    ("silence does not approve over a standing rejection", "a quorum=2,2 deadline=approve", "reject bo; tick", "deadline_passed stage_escalated > escalated"),
    ("silence approves when the rejection was taken back", "a quorum=2,2 deadline=approve", "reject bo; approve bo; tick", "deadline_passed stage_approved workflow_completed > delivery"),
    ("silence approves when the rejection was of older work", "a quorum=2,2 deadline=approve", "reject bo; submit anna; tick", "deadline_passed stage_approved workflow_completed > delivery"),
    ("a cancellation withdraws the review", "a", "cancel buyer", "cancellation_requested review_withdrawn workflow_cancelled > cancelled"),
    ("a cancellation lets the review finish where the stage says so", "a finish", "cancel buyer", "cancellation_requested > cancelling"),
    ("the platform need not let it finish", "a finish", "cancel platform now", "cancellation_requested review_withdrawn workflow_cancelled > cancelled"),
    ("the task's deadline ends a review", "a | P1D", "tick", "review_withdrawn workflow_expired > expired"),
    ("at the same instant the task's deadline comes first", "a deadline=approve | P1D", "tick", "review_withdrawn workflow_expired > expired"),
    ("a checkpoint does not disturb a review", "a", "status anna", "status_updated > in_review"),
];

#[rustfmt::skip] // A case a line.
const ESCALATED: &[Case] = &[
    ("the call is to approve: delivery", "a", "escalate bo platform; resolve platform approve", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("the call is to approve: the next stage waits for work", "a; b required", "escalate bo platform; resolve platform approve", "escalation_resolved stage_approved stage_entered > preparing"),
    ("the call is to approve: the next stage is reviewed", "a; b", "escalate bo platform; resolve platform approve", "escalation_resolved stage_approved stage_entered > in_review"),
    ("the call is to approve: too few may approve the next stage", "a required; b panel", "submit anna; escalate bo platform; resolve platform approve", "escalation_resolved stage_approved stage_entered stage_escalated > escalated"),
    ("the partner approves what the partner reviews", "a to=partner", "escalate bo partner; resolve anna approve", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("the platform decides a bound stage under a named key", "a bound", "escalate bo platform; resolve platform* approve", "escalation_resolved stage_approved workflow_completed > delivery"),
    ("a bound stage is rejected by call under any key", "a bound", "escalate bo platform; resolve platform reject", "escalation_resolved stage_rejected stage_entered > preparing"),
    ("the call is to reject", "a", "escalate bo platform; resolve platform reject", "escalation_resolved stage_rejected stage_entered > preparing"),
    ("the call to reject does not mind the rounds", "a rounds=1", "reject bo; resolve platform reject", "escalation_resolved stage_rejected stage_entered > preparing"),
    ("the call is to let the reviewers carry on", "a", "escalate bo platform; resolve platform return", "escalation_resolved > in_review"),
    ("the reviewers carry on after a deadline", "a deadline=platform", "tick; resolve platform return", "escalation_resolved > in_review"),
    ("the call is handed to another party", "a to=platform,buyer", "escalate bo platform; resolve platform redirect buyer", "escalation_resolved stage_escalated > escalated"),
    ("a party may stay silent", "a respond=none", "escalate bo platform; tick", "deadline_passed > escalated"),
    ("a party that stays silent is told once", "a respond=none", "escalate bo platform; tick; tick", "nothing_due"),
    ("silence asks the next party", "a to=buyer,platform respond=platform", "escalate bo buyer; tick", "deadline_passed stage_escalated > escalated"),
    ("the platform's silence about its own call is noted once", "a respond=platform", "escalate bo platform; tick", "deadline_passed > escalated"),
    ("the platform's silence is noted no second time", "a respond=platform", "escalate bo platform; tick; tick", "nothing_due"),
    ("silence that names the silent gives it to the platform", "a to=buyer respond=buyer", "escalate bo buyer; tick", "deadline_passed stage_escalated > escalated"),
    ("what the platform was left with has no clock", "a to=buyer respond=buyer", "escalate bo buyer; tick; tick", "nothing_due"),
    ("silence may reject", "a respond=reject", "escalate bo platform; tick", "deadline_passed stage_rejected stage_entered > preparing"),
    ("silence that rejects does not mind the rounds", "a respond=reject rounds=1", "reject bo; tick", "deadline_passed stage_rejected stage_entered > preparing"),
    ("silence may fail the task", "a respond=fail", "escalate bo platform; tick", "deadline_passed review_withdrawn workflow_failed > failed"),
    ("silence may fail the task when nothing is left to withdraw", "a respond=fail rounds=1", "reject bo; tick", "deadline_passed workflow_failed > failed"),
    ("a cancellation withdraws the review under an escalation", "a", "escalate bo platform; cancel buyer", "cancellation_requested review_withdrawn workflow_cancelled > cancelled"),
    ("a cancellation has nothing to withdraw after the last rejection", "a rounds=1", "reject bo; cancel buyer", "cancellation_requested workflow_cancelled > cancelled"),
    ("a cancellation lets an escalated review finish", "a finish", "escalate bo platform; cancel buyer", "cancellation_requested > cancelling"),
    ("the task's deadline does not wait for a call", "a | P1D", "escalate bo platform; tick", "review_withdrawn workflow_expired > expired"),
    ("the task's deadline has nothing to withdraw after the last rejection", "a rounds=1 | P1D", "reject bo; tick", "workflow_expired > expired"),
    ("a checkpoint while a call is awaited", "a", "escalate bo platform; status anna", "status_updated > escalated"),
];

#[rustfmt::skip] // A case a line.
const PAUSED: &[Case] = &[
    ("a held review goes on", "a", "hold anna; resume anna", "resumed > in_review"),
    ("the platform ends the partner's hold", "a", "hold anna; resume platform", "resumed > in_review"),
    ("a hold stops the stage's clock", "a deadline=fail", "hold anna; tick", "nothing_due"),
    ("a clock that ran out before the hold rings after it", "a deadline=fail", "wait P2D; hold anna; wait P2D; resume anna; tick now", "deadline_passed review_withdrawn workflow_failed > failed"),
    ("a hold does not stop the task's deadline", "a | P1D", "hold anna; tick", "review_withdrawn workflow_expired > expired"),
    ("a hold before work was handed in expires plainly", "a required | P1D", "hold anna; tick", "workflow_expired > expired"),
    ("a held task is cancelled at once", "a finish", "hold anna; cancel buyer", "cancellation_requested review_withdrawn workflow_cancelled > cancelled"),
    ("a held task without work is cancelled at once", "a required", "hold anna; cancel buyer", "cancellation_requested workflow_cancelled > cancelled"),
    ("a checkpoint during a hold", "a", "hold anna; status anna", "status_updated > on_hold"),
];

#[rustfmt::skip] // A case a line.
const ENDING: &[Case] = &[
    ("the partner says what became of the work", "a finish", "cancel buyer; ack anna discarded", "cancellation_acknowledged workflow_cancelled > cancelled"),
    ("some of it is salvaged", "a finish", "cancel buyer; ack anna salvaged", "cancellation_acknowledged workflow_cancelled > cancelled"),
    ("the grace ends", "a finish", "cancel buyer; tick", "review_withdrawn workflow_cancelled > cancelled"),
    ("the grace ends with nothing to withdraw", "a finish rounds=1", "reject bo; cancel buyer; tick", "workflow_cancelled > cancelled"),
    ("the task's deadline ends the grace early, as a cancellation", "a finish | PT1H", "cancel buyer; wait PT1H; tick now", "review_withdrawn workflow_cancelled > cancelled"),
    ("every timer but the grace is gone", "a finish deadline=fail | P1D", "wait PT23H; cancel buyer; wait PT59M; tick now", "nothing_due"),
    ("the platform cuts the grace short", "a finish", "cancel buyer; cancel platform now", "cancellation_requested review_withdrawn workflow_cancelled > cancelled"),
    ("the platform cuts it short with nothing to withdraw", "a finish rounds=1", "reject bo; cancel buyer; cancel platform now", "cancellation_requested workflow_cancelled > cancelled"),
    ("a late approval is kept and moves nothing", "a finish", "cancel buyer; approve bo", "late_decision_recorded > cancelling"),
    ("a late rejection is kept and moves nothing", "a finish", "cancel buyer; reject bo", "late_decision_recorded > cancelling"),
    ("a late call is kept and moves nothing", "a finish", "escalate bo platform; cancel buyer; resolve platform approve", "late_decision_recorded > cancelling"),
    ("a vote on the review under an escalation is kept too", "a finish", "escalate bo platform; cancel buyer; approve bo", "late_decision_recorded > cancelling"),
    ("a checkpoint while the task winds down", "a finish", "cancel buyer; status anna", "status_updated > cancelling"),
    ("the loser of the last approval is kept", "a", "approve bo; approve anna", "late_decision_recorded > delivery"),
    ("a rejection after delivery is kept", "a", "approve bo; reject anna", "late_decision_recorded > delivery"),
    ("a call that was made already is kept", "a", "escalate bo platform; resolve platform approve; resolve platform reject", "late_decision_recorded > delivery"),
    ("an approval after the cancellation is kept", "a", "cancel buyer; approve bo", "late_decision_recorded > cancelled"),
    ("a rejection after the cancellation is kept", "a", "cancel buyer; reject bo", "late_decision_recorded > cancelled"),
    ("a call after the cancellation is kept", "a", "escalate bo platform; cancel buyer; resolve platform return", "late_decision_recorded > cancelled"),
    ("an approval after the deadline is kept", "a | P1D", "tick; approve bo", "late_decision_recorded > expired"),
    ("a rejection after the deadline is kept", "a | P1D", "tick; reject bo", "late_decision_recorded > expired"),
    ("a call after the deadline is kept", "a | P1D", "escalate bo platform; tick; resolve platform approve", "late_decision_recorded > expired"),
    ("an approval after the failure is kept", "a deadline=fail", "tick; approve bo", "late_decision_recorded > failed"),
    ("a rejection after the failure is kept", "a rounds=1 exhausted=fail", "reject bo; reject anna", "late_decision_recorded > failed"),
    ("a call after the failure is kept", "a respond=fail", "escalate bo platform; tick; resolve platform approve", "late_decision_recorded > failed"),
];

#[test]
fn every_row_does_what_the_table_says() {
    for cases in [PREPARING, IN_REVIEW, ESCALATED, PAUSED, ENDING, ERASED, PEOPLE, RETURNS] {
        check(cases);
    }
    absences::open_without(None);
    let crossed = laws::take_crossed();
    let missed: BTreeSet<String> = EDGES.difference(&crossed).map(laws::describe).collect();
    assert!(missed.is_empty(), "ways that no case goes: {missed:#?}");
}
