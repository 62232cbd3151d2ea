//! The tasks of the story. Together they record every type of event with every field that it can have.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::worker::erasures::Erasures;

use crate::harness::commands::{resolve, with};
use crate::harness::parties::new_id;

use super::story::Story;

/// Plays everything.
pub async fn play(story: &mut Story) {
    for (key, definition) in [
        ("w-planted", of_all()),
        ("w-timed", timed()),
        ("w-short", short()),
        ("w-signed", signed()),
        ("w-panelled", panelled()),
        ("w-staffed", staffed()),
    ] {
        story.parties.register(key, &definition).await;
    }
    let task = story.open("opening", "w-planted").await;
    reviews(story, &task).await;
    buyer_reviews(story, &task).await;
    cancellation(story).await;
    late_buyer(story).await;
    withdrawal(story).await;
    one_person(story).await;
    let timed = story.open("timed", "w-timed").await;
    story.wait(&timed, "task.workflow_failed").await;
    let short = story.open("short", "w-short").await;
    story.wait(&short, "task.workflow_expired").await;
    let signed = story.open("signed", "w-signed").await;
    story.step(("buyer", "sign"), &signed, at("stage_approved", ("a", 1, 0))).await;
    let panelled = story.open("panelled", "w-panelled").await;
    story.step(("partner", "seated"), &panelled, at("stage_approved", ("a", 1, 0))).await;
    other_people(story).await;
    erasure(story).await;
}

/// Two panels, whose people come, go and are away.
fn staffed() -> Value {
    let panel = |key: &str, people: Value| json!({ "key": key, "name": key, "reviewers": people });
    let panels = [panel("x", json!(["<stand-in/for>"])), panel("y", json!(["<again/for>", "<staff/removed>"]))];
    json!({ "name": "Staffed", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "panels": panels, "escalation": { "to": ["partner"] } } ] })
}

/// Says until the end of the year who stands in for somebody, or that the person is back.
async fn away(story: &Story, person: &str, substitute: Option<&str>) {
    let path = format!("/api/v1/absences/%3C{person}%2Ffor%3E");
    let partner = &story.parties.partner;
    let answer = match substitute {
        Some(substitute) => {
            let body =
                json!({ "from": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z", "substitute": substitute });
            partner.call("PUT", &path, &body).await
        }
        None => partner.call("DELETE", &path, &json!({})).await,
    };
    assert!(answer.status < 300, "{}", answer.text);
}

/// Somebody stands in and then gets a seat of their own; the next one stands in for one person after another; the last
/// one answers the partner's own call for somebody who is away.
async fn other_people(story: &mut Story) {
    let task = &story.open("staffed", "w-staffed").await;
    away(story, "stand-in", Some("<staff/id>")).await;
    story.step(("partner", "staff"), task, at("stage_approved", ("a", 1, 0))).await;
    let change = json!({ "type": "reviewers_changed", "stage": "a", "panel": "y", "add": ["<id>"],
        "remove": ["<removed>"], "reason": "<reason>" });
    story.step(("partner", "staff"), task, change).await;
    away(story, "stand-in", Some("<again/id>")).await;
    story.step(("partner", "again"), task, at("stage_approved", ("a", 1, 0))).await;
    away(story, "stand-in", None).await;
    away(story, "again", Some("<again/id>")).await;
    story.step(("partner", "again"), task, at("stage_approved", ("a", 1, 0))).await;
    away(story, "stand-in", Some("<call/id>")).await;
    story.step(("partner", "raise"), task, escalated(("a", 1, 0), "partner")).await;
    let yes = answered(story, task, "approve", json!({})).await;
    story.step(("partner", "call"), task, yes).await;
}

/// A panel decides, of one person.
fn panelled() -> Value {
    let panel = json!({ "key": "legal", "name": "Legal", "reviewers": ["<seated/id>"] });
    json!({ "name": "Paneled", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A", "panels": [panel] }] })
}

/// The buyer decides, whose token is bound to the person.
fn signed() -> Value {
    json!({ "name": "Signed", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" }] })
}

/// The partner reviews and both others can be asked; then the buyer reviews. Clocks are in working time.
fn of_all() -> Value {
    let day = json!([{ "from": "00:00", "to": "24:00" }]);
    let deadline = json!({ "within": "PT900H", "clock": "business" });
    let reasons = json!([{ "key": "text", "name": "The text" }, { "key": "design", "name": "The design" }]);
    json!({ "name": "Planted",
        "calendar": { "time_zone": "UTC", "hours": { "monday": day, "friday": day, "saturday": day, "sunday": day } },
        "stages": [
            { "key": "a", "name": "A", "buyer_label": "In A", "quorum": { "approvals": 2, "rejections": 2 },
              "escalation": { "to": ["buyer", "platform"], "respond_within": "PT900H", "clock": "business" },
              "questions": { "respond_within": "PT900H", "clock": "business", "max_per_round": 20 },
              "on_reject": { "return_to": ["a"], "reasons": reasons }, "deadline": deadline,
              "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } },
            { "key": "b", "name": "B", "buyer_label": "In B", "reviewer": "buyer",
              "escalation": { "to": ["partner", "platform"] }, "on_reject": { "return_to": ["b", "a"], "reasons": reasons },
              "deadline": deadline, "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } } ] })
}

/// Nobody does anything: a reminder, then a deadline, then another.
fn timed() -> Value {
    json!({ "name": "Timed", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A",
          "deadline": { "within": "PT4H", "remind_before": ["PT2H"], "on_timeout": { "action": "escalate", "to": "platform" } },
          "escalation": { "to": ["platform"], "respond_within": "PT2H", "on_timeout": { "action": "fail" } } } ] })
}

/// A task that expires, or is withdrawn.
fn short() -> Value {
    json!({ "name": "Short", "deadline": { "within": "PT2H" }, "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] })
}

/// Work, with an artifact.
fn work() -> Value {
    let artifact =
        json!({ "name": "<artifact>", "sha256": "a".repeat(64), "url": "https://files.example/a", "size": 7 });
    json!({ "type": "work_submitted", "summary": "<summary>", "artifacts": [artifact] })
}

fn feedback(shared: bool) -> Value {
    let item = json!({ "severity": "<severity>", "anchor": "<anchor>", "text": "<text>" });
    json!({ "feedback": { "summary": "<feedback>", "reason": "text", "share_with_buyer": shared, "items": [item] } })
}

/// Work that answers every item of the feedback that returned the task.
async fn answering(story: &Story, task: &str) -> Value {
    let feedback = story.parties.task(task).await["feedback"]["feedback"].clone();
    let items = feedback.as_array().unwrap().iter().flat_map(|said| said["items"].as_array().unwrap().clone());
    let answers: Vec<Value> =
        items.map(|item| json!({ "item": item["id"], "how": "declined", "text": "<reply>" })).collect();
    with(work(), &json!({ "answers": answers }))
}

fn remarked(place: (&str, u32, u32), shared: bool) -> Value {
    let item = json!({ "text": "<text>" });
    let remarks = json!({ "summary": "<feedback>", "share_with_buyer": shared, "items": [item] });
    with(at("stage_approved", place), &json!({ "feedback": remarks }))
}

fn at(kind: &str, (stage, round, revision): (&str, u32, u32)) -> Value {
    json!({ "type": kind, "stage": stage, "round": round, "revision": revision })
}

fn rejected(place: (&str, u32, u32), shared: bool) -> Value {
    with(with(at("stage_rejected", place), &feedback(shared)), &json!({ "return_to": place.0 }))
}

fn escalated(place: (&str, u32, u32), to: &str) -> Value {
    with(at("stage_escalated", place), &json!({ "to": to, "reason": "<reason>" }))
}

/// The answer to the open escalation.
async fn answered(story: &Story, task: &str, resolution: &str, more: Value) -> Value {
    let asked = story.parties.task(task).await["escalation"]["seq"].as_u64().unwrap_or(1);
    with(resolve(asked, resolution, ""), &more)
}

async fn returned(story: &Story, task: &str) -> Value {
    answered(story, task, "return", json!({ "advice": "<advice>" })).await
}

fn asked(place: (&str, u32, u32), to: &str, shared: bool) -> Value {
    let question = json!({ "to": to, "question": "<question>", "options": ["<option>"], "share_with_buyer": shared });
    with(at("question_asked", place), &question)
}

/// The answer to the open question, with everything that it can have.
async fn told(story: &Story, task: &str) -> Value {
    let question = story.parties.task(task).await["question"]["seq"].clone();
    let artifacts = work()["artifacts"].clone();
    json!({ "type": "question_answered", "question": question, "answer": "<answer>", "option": 1, "artifacts": artifacts })
}

/// Questions from and to every party: answered, shared, held and taken back.
async fn questions(story: &mut Story, task: &str, place: (&str, u32, u32)) {
    story.step(("partner", "question to the buyer"), task, asked(place, "buyer", false)).await;
    story.step(("partner", "hold a question"), task, json!({ "type": "held", "reason": "<reason>" })).await;
    story.step(("partner", "resume a question"), task, json!({ "type": "resumed" })).await;
    let answer = told(story, task).await;
    story.step(("buyer", "answer of the buyer"), task, answer).await;
    story.step(("partner", "question to the platform"), task, asked(place, "platform", false)).await;
    let answer = told(story, task).await;
    story.step(("platform", "answer of the platform"), task, answer).await;
    story.step(("platform", "shared question"), task, asked(place, "partner", true)).await;
    let answer = told(story, task).await;
    story.step(("partner", "shared answer"), task, answer).await;
    story.step(("platform", "question taken back"), task, asked(place, "partner", false)).await;
    let question = story.parties.task(task).await["question"]["seq"].clone();
    let withdrawn = json!({ "type": "question_withdrawn", "question": question });
    story.step(("platform", "withdrawal of a question"), task, withdrawn).await;
}

/// The partner reviews stage a, asks both others, rejects and approves.
async fn reviews(story: &mut Story, task: &str) {
    story.step(("partner", "first work"), task, work()).await;
    let update =
        json!({ "type": "status_updated", "message": "<message>", "percent": 40, "eta": "2027-03-01T00:00:00Z" });
    story.step(("partner", "update"), task, update).await;
    story.step(("partner", "hold"), task, json!({ "type": "held", "reason": "<reason>" })).await;
    story.step(("partner", "resume"), task, json!({ "type": "resumed" })).await;
    questions(story, task, ("a", 1, 1)).await;
    story.step(("partner", "ask the buyer"), task, escalated(("a", 1, 1), "buyer")).await;
    let advice = returned(story, task).await;
    story.step(("buyer", "advise the partner"), task, advice).await;
    story.step(("partner", "ask the platform"), task, escalated(("a", 1, 1), "platform")).await;
    let over = answered(story, task, "redirect", json!({ "to": "buyer", "advice": "<advice>" })).await;
    story.step(("platform", "hand over"), task, over).await;
    let advice = returned(story, task).await;
    story.step(("buyer", "advise again"), task, advice).await;
    // Handed over without a word: the buyer is asked in the service's words, not in those that were meant for the
    // platform.
    story.step(("partner", "ask in silence"), task, escalated(("a", 1, 1), "platform")).await;
    let over = answered(story, task, "redirect", json!({ "to": "buyer" })).await;
    story.step(("platform", "pass on"), task, over).await;
    let advice = returned(story, task).await;
    story.step(("buyer", "advise after silence"), task, advice).await;
    story.step(("partner", "shared vote"), task, rejected(("a", 1, 1), true)).await;
    story.step(("partner", "own vote"), task, rejected(("a", 1, 1), false)).await;
    let work = answering(story, task).await;
    story.step(("partner", "second work"), task, work).await;
    story.step(("partner", "first yes"), task, remarked(("a", 2, 2), true)).await;
    story.step(("partner", "second yes"), task, remarked(("a", 2, 2), false)).await;
}

/// The buyer reviews stage b, asks both others, is answered in every way, rejects and approves.
async fn buyer_reviews(story: &mut Story, task: &str) {
    story.step(("buyer", "question of the buyer"), task, asked(("b", 1, 2), "partner", false)).await;
    let answer = told(story, task).await;
    story.step(("partner", "answer to the buyer"), task, answer).await;
    story.step(("buyer", "ask the partner"), task, escalated(("b", 1, 2), "partner")).await;
    let advice = returned(story, task).await;
    story.step(("partner", "advise the buyer"), task, advice).await;
    story.step(("buyer", "ask both"), task, escalated(("b", 1, 2), "platform")).await;
    let over = answered(story, task, "redirect", json!({ "to": "partner", "advice": "<advice>" })).await;
    story.step(("platform", "hand on"), task, over).await;
    let no = answered(story, task, "reject", with(feedback(true), &json!({ "return_to": "b" }))).await;
    story.step(("partner", "reject for the buyer"), task, no).await;
    story.step(("partner", "third work"), task, work()).await;
    story.step(("buyer", "the buyer's vote"), task, rejected(("b", 2, 3), false)).await;
    let answers = answering(story, task).await;
    story.step(("partner", "fourth work"), task, answers).await;
    story.step(("buyer", "ask once more"), task, escalated(("b", 3, 4), "platform")).await;
    let no = answered(story, task, "reject", with(feedback(false), &json!({ "return_to": "b" }))).await;
    story.step(("platform", "reject for the platform"), task, no).await;
    story.step(("partner", "fifth work"), task, work()).await;
    story.step(("buyer", "ask at last"), task, escalated(("b", 4, 5), "platform")).await;
    let yes = answered(story, task, "approve", json!({})).await;
    story.step(("platform", "approve"), task, yes).await;
}

/// The buyer cancels while the platform is asked; what partner and platform decide after that is late.
async fn cancellation(story: &mut Story) {
    let task = &story.open("cancelled", "w-planted").await;
    story.step(("partner", "cancelled work"), task, work()).await;
    story.step(("partner", "last question"), task, escalated(("a", 1, 1), "platform")).await;
    let open = answered(story, task, "return", json!({ "advice": "<advice>" })).await;
    let cancel = json!({ "type": "cancellation_requested", "reason": "<reason>" });
    story.step(("buyer", "cancel"), task, cancel).await;
    story.late(("platform", "late advice"), task, open.clone()).await;
    let over = with(open, &json!({ "resolution": "redirect", "to": "buyer" }));
    story.late(("platform", "late hand-over"), task, over).await;
    story.late(("partner", "late vote"), task, rejected(("a", 1, 1), true)).await;
    let artifacts = work()["artifacts"].clone();
    let told = json!({ "type": "cancellation_acknowledged", "in_flight": "salvaged", "notes": "<notes>", "artifacts": artifacts });
    story.step(("partner", "acknowledge"), task, told).await;
}

/// The platform cancels while the buyer reviews; the buyer's vote is late.
async fn late_buyer(story: &mut Story) {
    let task = &story.open("late", "w-planted").await;
    for step in ["late first yes", "late second yes"] {
        story.step(("partner", step), task, at("stage_approved", ("a", 1, 0))).await;
    }
    let cancel = json!({ "type": "cancellation_requested", "reason": "<reason>" });
    story.step(("platform", "cancel for the buyer"), task, cancel).await;
    story.late(("buyer", "late buyer"), task, rejected(("b", 1, 0), false)).await;
}

/// The platform of one person takes a decision and makes it.
async fn one_person(story: &mut Story) {
    let task = &story.open("alone", "w-short").await;
    let alone = story.parties.service.replica_without_dual_control().await;
    let usual = std::mem::replace(&mut story.parties.platform.router, alone);
    story.step(("platform", "take over"), task, escalated(("a", 1, 0), "platform")).await;
    let yes = answered(story, task, "approve", json!({})).await;
    story.step(("platform", "decide alone"), task, yes).await;
    story.parties.platform.router = usual;
}

/// A review that is withdrawn at once.
async fn withdrawal(story: &mut Story) {
    let task = &story.open("withdrawn", "w-short").await;
    let cancel = json!({ "type": "cancellation_requested", "reason": "<reason>", "immediate": true });
    story.step(("platform", "withdraw"), task, cancel).await;
}

/// Two reject and share why; then one of them is erased, and what the other said is told again.
async fn erasure(story: &mut Story) {
    let task = &story.open("erased", "w-planted").await;
    story.step(("partner", "stays"), task, rejected(("a", 1, 0), true)).await;
    story.step(("partner", "goes"), task, rejected(("a", 1, 0), true)).await;
    let cancel = json!({ "type": "cancellation_requested", "reason": "<reason>", "immediate": true });
    story.step(("platform", "close"), task, cancel).await;
    let parties = &story.parties;
    let request = json!({ "id": new_id(), "party": "partner", "partner_id": parties.partner_id, "actor_id": "<goes/id>", "reason": "x" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &request).await.status, 202);
    parties.pass(1);
    let app = App::new(parties.service.db.pool.clone(), parties.service.clock.clone());
    Erasures::with_window(Arc::new(app), 500).run_due().await.unwrap();
}
