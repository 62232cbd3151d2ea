//! Feedback as a work list: the ids of its items, the answers that a stage requires, what is raised
//! again, the remarks of an approval, and who reads what.

use serde_json::{Value, json};

use crate::domain::audit;
use crate::domain::task::command::{Action, Command};
use crate::domain::task::event::{Event, Fact, ItemId};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::view::{Identity, Reader, TaskView};
use crate::domain::values::id::{BuyerId, PartnerId};
use crate::domain::values::outside::{Fault, Faults};
use crate::domain::values::party::Party;

use super::test_support::{Play, opening};
use super::words::definition;

/// A copy stage, whose feedback must be answered by work, and a stage after it that sends back to it.
const REQUIRED: &str = "copy required answers; legal back=copy answers";

fn unanswered(play: &Play) -> Vec<String> {
    play.snapshot.task.unanswered(&play.workflow).iter().map(ItemId::to_string).collect()
}

/// The data of the last event of this type.
fn last<'a>(play: &'a Play, kind: &str) -> &'a Fact {
    let mut events = play.trail.iter().rev().map(|event| &event.fact);
    events.find(|fact| fact.kind() == format!("task.{kind}")).unwrap()
}

fn data(fact: &Fact) -> Value {
    serde_json::to_value(fact).unwrap()["data"].clone()
}

fn view(play: &Play) -> TaskView {
    let opening = opening();
    let id = opening.task_id.0;
    let identity = Identity {
        partner_id: PartnerId(id),
        buyer_id: BuyerId(id),
        workflow: opening.workflow,
        title: None,
        metadata: None,
    };
    TaskView::new(
        &play.workflow,
        &identity,
        &play.snapshot,
        None,
        Reader { party: Party::Partner, moment: play.moment() },
    )
}

/// What the buyer reads of the entry `seq`.
fn buyer_reads(play: &Play, seq: usize) -> Value {
    serde_json::to_value(audit::view(&play.trail[seq - 1], None, Party::Buyer)).unwrap()
}

#[test]
fn an_item_is_numbered_by_its_vote_and_says_whether_it_blocks() {
    let play = Play::of(&definition("a quorum=2,2"), "reject anna points; reject bo full");
    let [.., vote, _, _] = &play.trail[..] else { panic!() };
    let items = &data(&vote.fact)["feedback"]["items"];
    assert_eq!(items[0]["id"], "4.1");
    assert_eq!((&items[0]["blocking"], &items[1]["blocking"]), (&json!(true), &json!(true)));
    let rejected = data(last(&play, "stage_rejected"));
    let listed = json!([
        {"id": "3.1", "blocking": true, "shared": false}, {"id": "3.2", "blocking": false, "shared": false},
        {"id": "4.1", "blocking": true, "shared": true}, {"id": "4.2", "blocking": true, "shared": true},
    ]);
    assert_eq!(rejected["items"], listed);
    assert_eq!(rejected["internal_feedback"][0]["items"][1]["id"], "3.2");
    assert_eq!(unanswered(&play), Vec::<String>::new(), "answers are optional by default");
}

#[test]
fn an_id_is_given_out_and_never_taken() {
    let play = Play::of(&definition("a"), "");
    let Action::StageRejected(mut body) = play.command("reject bo points").action().clone() else { panic!() };
    body.feedback.as_mut().unwrap().items[1].id = Some(ItemId::parse("1.1").unwrap());
    let rule = "must not be sent: the service gives each item its id".to_owned();
    let fault = Fault { pointer: "/feedback/items/1/id".to_owned(), code: "not_allowed", rule };
    assert_eq!(Faults::of(&body), [fault]);
}

#[test]
fn the_first_submission_answers_every_blocking_item_of_the_votes_that_counted() {
    let mut play =
        Play::of(&definition("a required quorum=1,2 answers"), "submit dora; reject anna points; reject bo full");
    assert_eq!(unanswered(&play), ["4.1", "5.1", "5.2"]);
    let Err(Refusal::UnansweredFeedback { items }) = play.send(&play.command("submit dora 5.1")) else { panic!() };
    assert_eq!(items.iter().map(ItemId::to_string).collect::<Vec<_>>(), ["4.1", "5.2"]);
    assert_eq!(play.run("submit dora 4.1 -5.1 5.2"), "work_submitted > in_review");
    let submitted = data(last(&play, "work_submitted"));
    assert_eq!(submitted["internal_answers"], json!([{"item": "4.1", "how": "done", "text": "As agreed by phone"}]));
    assert_eq!(submitted["shared_answers"][0], json!({"item": "5.1", "how": "declined", "text": "As agreed by phone"}));
    assert_eq!(unanswered(&play), Vec::<String>::new());
    // The rest of the round asks for nothing more, and can answer again.
    assert_eq!(play.run("submit dora; submit dora 4.2"), "work_submitted > in_review");
}

#[test]
fn an_answer_is_about_a_known_item_once_and_says_why_it_declines() {
    let mut play = Play::of(&definition(REQUIRED), "submit dora; reject bo points");
    let refused = |play: &Play, step: &str| match play.try_command(step) {
        Err(refusals) => refusals,
        Ok(command) => play.clone().send(&command).map_or_else(|refusal| vec![refusal], |_| Vec::new()),
    };
    let pointers = |step: &str| -> Vec<String> {
        let refusals = refused(&play, step);
        let place = |refusal: &Refusal| {
            let Refusal::Invalid { pointer, code, .. } = refusal else { return refusal.to_string() };
            format!("{pointer} {code}")
        };
        refusals.iter().map(place).collect()
    };
    assert_eq!(pointers("submit dora 4.1 9.1"), ["/answers/1/item unknown_item"]);
    assert_eq!(pointers("submit dora 4.1 4.2 4.1"), ["/answers/2/item duplicate"]);
    assert_eq!(pointers("submit dora --4.1"), ["/answers/0/text required"]);
    assert!(pointers("submit dora -4.1").is_empty());
    play.run("submit dora -4.1; approve bo");
    assert_eq!(play.run("reject bo copy reopens=4.1"), "/feedback", "the stage was approved since");
}

#[test]
fn an_escalations_reject_asks_for_answers_and_a_timeouts_does_not() {
    let mut play = Play::of(&definition(REQUIRED), "submit dora; escalate bo platform; resolve platform reject points");
    assert_eq!(unanswered(&play), ["5.1"]);
    assert_eq!(play.run("submit dora"), "unanswered_feedback");
    let play = Play::of(&definition("a required answers deadline=reject"), "submit dora; tick");
    assert_eq!(unanswered(&play), Vec::<String>::new());
    // Votes that exhausted the rounds count, and what the resolution adds.
    let words = "a required answers rounds=1";
    let play = Play::of(&definition(words), "submit dora; reject bo points; resolve platform reject points");
    assert_eq!(unanswered(&play), ["4.1", "7.1"]);
    let play = Play::of(
        &definition("a required answers rounds=1; b"),
        "submit dora; reject bo points; resolve platform approve",
    );
    assert_eq!(play.snapshot.task.items().count(), 0, "an approval settles them");
}

#[test]
fn an_item_is_raised_again_until_its_stage_approves() {
    let mut play =
        Play::of(&definition(REQUIRED), "submit dora; approve bo; reject anna points; submit dora 7.1; approve bo");
    // The stage that asked sees what it asked for, and how that was answered, when its turn comes again.
    let seen = view(&play).feedback.unwrap();
    assert_eq!((seen.stage.as_str(), seen.answers.len()), ("legal", 1));
    assert_eq!(play.run("reject anna reopens=9.9"), "/feedback");
    assert_eq!(play.run("reject anna reopens=7.1"), "vote_recorded stage_rejected stage_entered > preparing");
    assert_eq!(data(last(&play, "vote_recorded"))["feedback"]["items"][0]["reopens"], "7.1");
    assert_eq!(play.run("submit dora"), "unanswered_feedback");
    assert_eq!(
        play.run("submit dora all; approve bo; approve anna"),
        "vote_recorded stage_approved workflow_completed > delivery"
    );
}

#[test]
fn feedback_of_a_later_stage_survives_a_return_of_an_earlier_one() {
    let script = "submit dora; approve bo; reject anna points; submit dora 7.1; reject bo points; submit dora all";
    let mut play = Play::of(&definition(REQUIRED), script);
    assert_eq!(view(&play).feedback.unwrap().stage.as_str(), "copy");
    play.run("approve bo");
    let seen = view(&play).feedback.unwrap();
    assert_eq!((seen.stage.as_str(), seen.answers[0].item.to_string().as_str()), ("legal", "7.1"));
    // Without an answer, feedback goes with the next approval, as if answers did not exist.
    let plain = "copy required; legal back=copy";
    let play = Play::of(&definition(plain), "submit dora; approve bo; reject anna points; submit dora; approve bo");
    assert!(view(&play).feedback.is_none());
}

#[test]
fn a_stage_with_reasons_takes_one_of_them() {
    let mut play = Play::of(&definition("a reasons=price,tone"), "");
    for (step, refused) in [("reject bo", "/feedback"), ("reject bo reason=law", "/feedback")] {
        assert_eq!(play.run(step), refused, "{step}");
    }
    play.run("escalate bo platform");
    assert_eq!(play.run("resolve platform reject"), "/feedback");
    assert_eq!(
        play.run("resolve platform reject reason=tone"),
        "escalation_resolved stage_rejected stage_entered > preparing"
    );
    assert_eq!(data(last(&play, "stage_rejected"))["reasons"], json!(["tone"]));
    assert_eq!(Play::of(&definition("a"), "").run("reject bo reason=tone"), "/feedback", "the stage has none");
}

#[test]
fn an_approval_has_remarks_that_do_not_block() {
    let mut play = Play::of(&definition("a quorum=2,2; b"), "");
    assert_eq!(play.run("approve bo blocks"), "/feedback");
    assert_eq!(play.run("approve bo because"), "/feedback");
    play.run("approve bo remarks");
    assert_eq!(play.run("approve bo remarks"), "already_voted");
    play.run("approve anna remarks shared");
    let approved = data(last(&play, "stage_approved"));
    assert_eq!(
        approved["internal_feedback"][0]["items"],
        json!([{"id": "3.1", "text": "Mind the margin.", "blocking": false}])
    );
    assert_eq!(approved["shared_feedback"][0]["items"][0]["id"], "4.1");
    assert_eq!(unanswered(&play), Vec::<String>::new());
    let seen = buyer_reads(&play, 5);
    assert_eq!(seen["data"]["shared_feedback"][0]["summary"], "One remark");
    assert!(seen["data"].get("internal_feedback").is_none(), "{seen}");
}

#[test]
fn who_reads_an_item_reads_its_answer() {
    // The buyer's own words are the buyer's to read, shared or not.
    let play = Play::of(&definition("a required buyer answers"), "submit dora; reject buyer points; submit dora all");
    let seen = buyer_reads(&play, 7);
    assert_eq!(seen["data"]["shared_answers"], json!([{"item": "4.1", "how": "done"}]));
    let play = Play::of(&definition("a required answers"), "submit dora; reject bo points; submit dora all");
    let seen = buyer_reads(&play, 7);
    assert_eq!(seen["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["revision"], "{seen}");
}

#[test]
fn a_buyer_does_not_find_out_items_that_it_may_not_read() {
    let words = "a required buyer to=platform";
    let mut play = Play::of(
        &definition(words),
        "submit dora; escalate platform platform; resolve platform-olga^2 reject points; submit dora",
    );
    assert!(play.snapshot.task.items().next().is_some());
    let refused =
        |play: &mut Play, id: &str| play.send(&play.command(&format!("reject buyer reopens={id}"))).unwrap_err();
    let real = refused(&mut play, "5.1");
    assert_eq!(real, refused(&mut play, "8.1"));
}

#[test]
fn an_erased_item_keeps_its_id_and_counts_as_answered() {
    let mut play =
        Play::of(&definition("a required quorum=1,2 answers"), "submit dora; reject anna points; reject bo points");
    assert_eq!(unanswered(&play), ["4.1", "5.1"]);
    play.erase("anna");
    assert_eq!(unanswered(&play), ["5.1"]);
    assert_eq!(data(last(&play, "stage_rejected"))["items"][0]["id"], "4.1");
    // It can be answered all the same, and whoever reads it is told nothing more.
    assert_eq!(play.run("submit dora 4.1 5.1"), "work_submitted > in_review");
    play.erase("dora");
    assert!(view(&play).feedback.unwrap().answers.is_empty(), "the answers are the submitter's words");
    assert_eq!(play.run("reject bo reopens=4.1"), "vote_recorded > in_review");
}

#[test]
fn an_erased_vote_leaves_no_items_to_answer() {
    let mut play = Play::of(&definition("a required quorum=1,2 answers"), "submit dora; reject anna points");
    play.erase("anna");
    play.run("reject bo points");
    assert_eq!(unanswered(&play), ["6.1"]);
}

#[test]
fn an_approvals_remarks_are_erased_with_their_author_and_said_again_for_the_others() {
    let mut play = Play::of(&definition("a quorum=2,2; b"), "approve anna remarks shared; approve bo remarks shared");
    play.erase("anna");
    assert!(data(last(&play, "stage_approved")).get("shared_feedback").is_none());
    let erased = data(last(&play, "personal_data_erased"));
    assert_eq!(erased["restated"][0]["seq"], 5);
    assert_eq!(erased["restated"][0]["shared_feedback"][0]["items"][0]["id"], "4.1");
    play.erase("bo");
    assert!(data(last(&play, "personal_data_erased")).get("restated").is_none());
}

#[test]
fn a_late_decision_keeps_what_was_said() {
    let play = Play::of(&definition("a"), "cancel buyer; approve bo remarks");
    let Fact::LateDecisionRecorded(late) = &play.trail.last().unwrap().fact else { panic!() };
    assert_eq!(late.feedback.as_ref().unwrap().items[0].id, None, "nobody can answer it");
}

/// A command that leaves the default out says the same as one that spells it out.
#[test]
fn blocking_is_spelt_out_in_commands() {
    let play = Play::of(&definition("a"), "");
    let Action::StageRejected(mut body) = play.command("reject bo points").action().clone() else { panic!() };
    assert_eq!(body.feedback.as_ref().unwrap().items[0].blocking, Some(true));
    body.feedback.as_mut().unwrap().items[0].blocking = None;
    let meta = play.command("reject bo points").meta().clone();
    assert_eq!(Command::new(meta, Action::StageRejected(body)).unwrap(), play.command("reject bo points"));
}

/// Events that were stored before items had ids still read, and ask for nothing.
#[test]
fn older_feedback_has_no_ids_and_asks_for_no_answers() {
    let play = Play::of(&definition("a required answers"), "submit dora; reject bo points");
    let mut stored: Vec<Value> = play.trail.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for event in &mut stored {
        let data = event["fact"]["data"].as_object_mut().unwrap();
        data.remove("items");
        for list in ["feedback", "internal_feedback"] {
            if let Some(said) = data.get_mut(list) {
                *said =
                    serde_json::from_str(&said.to_string().replace(r#""id":"4.1","#, "").replace(r#""id":"4.2","#, ""))
                        .unwrap();
            }
        }
    }
    let trail: Vec<Event> = stored.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect();
    let old = crate::domain::task::snapshot::Snapshot::fold(&play.workflow, &trail).unwrap();
    assert!(old.task.unanswered(&play.workflow).is_empty());
}
