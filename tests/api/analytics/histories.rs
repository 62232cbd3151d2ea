//! A thousand tasks with random histories, through the service, and their statistics counted again from what is
//! exported of them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stagegate::worker::erasures::Erasures;
use stagegate::worker::timers::Timers;

use crate::audit::transparency_log::scalar;
use crate::harness::commands::with;
use crate::harness::parties::{Client, Parties, new_id, text};
use crate::harness::service::send_unchecked;

use super::recount::{Reviewers, in_units, recount};

/// How many tasks.
const TASKS: usize = 1_000;
/// How many commands each may get before it is cancelled.
const TURNS: usize = 16;
/// Commands of one request.
const BULK: usize = 100;

/// Three stages, one for each party, with everything that is counted. `rounds` tells versions apart.
fn definition(rounds: u32) -> Value {
    json!({ "name": "Random", "deadline": { "within": "P4D" }, "stages": [
        { "key": "copy", "name": "Copy", "buyer_label": "In copy", "submission": "required", "self_approval": true,
            "on_reject": { "max_rounds": rounds, "on_exhausted": { "action": "escalate", "to": "platform" } },
            "deadline": { "within": "PT30H", "on_timeout": { "action": "none" } } },
        { "key": "legal", "name": "Legal", "buyer_label": "In legal", "reviewer": "buyer",
            "on_reject": { "return_to": ["legal", "copy"] },
            "escalation": { "to": ["platform", "partner"], "respond_within": "PT20H", "on_timeout": { "action": "reject" } },
            "deadline": { "within": "PT24H", "on_timeout": { "action": "escalate", "to": "platform" } },
            "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } },
        { "key": "final", "name": "Final", "buyer_label": "In final", "reviewer": "platform", "on_reject": { "return_to": ["copy", "final"] },
            "escalation": { "to": ["buyer", "platform"] },
            "deadline": { "within": "PT16H", "on_timeout": { "action": "fail" } } } ] })
}

/// Numbers that are the same in each run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// One of the words, by their weights.
    fn pick<'a>(&mut self, words: &[(usize, &'a str)]) -> &'a str {
        let mut roll = self.below(words.iter().map(|(weight, _)| weight).sum());
        for (weight, word) in words {
            match roll.checked_sub(*weight) {
                Some(rest) => roll = rest,
                None => return word,
            }
        }
        unreachable!("the roll is below the sum")
    }
}

/// A command that fits the task, and who sends it; none: it waits.
fn next(dice: &mut Dice, task: &Value) -> Option<(String, Value)> {
    let who = text(&task["waiting_on"]);
    let phase = task["phase"].as_str().unwrap();
    let word = match phase {
        _ if task["question"].is_object() && dice.below(3) > 0 => {
            dice.pick(&[(5, "answer"), (2, "wait"), (1, "withdraw")])
        }
        "preparing" => dice.pick(&[(12, "submit"), (2, "ask"), (1, "hold"), (1, "cancel"), (2, "wait")]),
        "in_review" => dice.pick(&[
            (14, "approve"),
            (6, "reject"),
            (3, "escalate"),
            (2, "ask"),
            (1, "hold"),
            (1, "cancel"),
            (4, "wait"),
        ]),
        "escalated" => {
            dice.pick(&[(3, "approving"), (3, "rejecting"), (3, "returning"), (2, "redirecting"), (2, "wait")])
        }
        "on_hold" => dice.pick(&[(3, "resume"), (1, "wait")]),
        "cancelling" => dice.pick(&[(1, "acknowledge"), (2, "wait")]),
        other => panic!("{other} is over"),
    };
    let place = json!({ "stage": task["stage"]["key"], "round": task["round"], "revision": task["revision"] });
    let position = usize::try_from(task["stage"]["position"].as_u64().unwrap()).unwrap();
    let reviewer = ["partner", "buyer", "platform"][position - 1];
    let resolution = |word: &str, more: Value| {
        let escalation =
            json!({ "type": "escalation_resolved", "escalation": task["escalation"]["seq"], "resolution": word });
        with(with(escalation, &place), &more)
    };
    let command = match word {
        "submit" => json!({ "type": "work_submitted", "summary": "A draft." }),
        "approve" => with(place.clone(), &json!({ "type": "stage_approved" })),
        "reject" => with(place.clone(), &json!({ "type": "stage_rejected", "feedback": { "summary": "Not yet." } })),
        "escalate" => with(place.clone(), &json!({ "type": "stage_escalated", "to": "platform", "reason": "May we?" })),
        "ask" => {
            let to = if who == "buyer" { "partner" } else { "buyer" };
            with(place.clone(), &json!({ "type": "question_asked", "to": to, "question": "Which?" }))
        }
        "answer" => json!({ "type": "question_answered", "question": task["question"]["seq"], "answer": "This." }),
        "withdraw" => json!({ "type": "question_withdrawn", "question": task["question"]["seq"] }),
        "hold" => json!({ "type": "held", "reason": "A pause." }),
        "resume" => json!({ "type": "resumed" }),
        "cancel" => json!({ "type": "cancellation_requested", "reason": "Called off." }),
        "acknowledge" => json!({ "type": "cancellation_acknowledged", "in_flight": "discarded" }),
        "approving" => resolution("approve", json!({})),
        "rejecting" => resolution("reject", json!({ "feedback": { "summary": "No." } })),
        "returning" => resolution("return", json!({ "advice": "Go on." })),
        "redirecting" => resolution("redirect", json!({ "to": if who == "platform" { "buyer" } else { "platform" } })),
        _ => return None,
    };
    let sender = sender(dice, task, (word, reviewer));
    let actor = format!("u-{}", dice.below(4));
    let command = if sender == "buyer" { command } else { with(command, &json!({ "actor": { "id": actor } })) };
    Some((sender, with(command, &json!({ "id": new_id() }))))
}

/// Who sends a command.
fn sender(dice: &mut Dice, task: &Value, (word, reviewer): (&str, &str)) -> String {
    match word {
        "submit" | "acknowledge" => "partner".to_owned(),
        "ask" if task["phase"] == "preparing" => "partner".to_owned(),
        "approve" | "reject" | "escalate" | "ask" => reviewer.to_owned(),
        "withdraw" => text(&task["question"]["from"]),
        "hold" => dice.pick(&[(1, "partner"), (1, "platform")]).to_owned(),
        "cancel" => dice.pick(&[(1, "buyer"), (1, "platform")]).to_owned(),
        _ => text(&task["waiting_on"]),
    }
}

/// A call that must succeed. Its kind of answer is compared with the contract elsewhere, which takes long for so many.
async fn call(client: &Client, method: &str, path: &str, body: &Value) -> Value {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", client.credential));
    let request = request.header("content-type", "application/json");
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let answer = send_unchecked(&client.router, request.body(Body::from(text)).unwrap()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.body
}

/// The open tasks, as the platform sees them.
async fn open_tasks(parties: &Parties) -> Vec<Value> {
    let (mut tasks, mut cursor) = (Vec::new(), String::new());
    for phase in ["preparing", "in_review", "escalated", "on_hold", "cancelling"] {
        loop {
            let page =
                call(&parties.platform, "GET", &format!("/api/v1/tasks?limit=100&phase={phase}{cursor}"), &Value::Null)
                    .await;
            tasks.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        cursor.clear();
    }
    tasks
}

/// Sends commands of one party; how many were accepted.
async fn send(client: &Client, items: &[Value]) -> usize {
    let mut accepted = 0;
    for items in items.chunks(BULK) {
        let results = call(client, "POST", "/api/v1/events", &json!({ "items": items })).await;
        accepted += results["items"].as_array().unwrap().iter().filter(|item| item["status"] == 201).count();
    }
    accepted
}

fn pass(parties: &Parties, time: TimeDelta) {
    let clock = &parties.service.clock;
    clock.set(clock.now() + time);
}

/// Opens the tasks on two versions and plays them to their ends; how many commands were accepted.
async fn play(parties: &Parties) -> usize {
    let mut dice = Dice(0x5eed_0123_4567_89ab);
    let timers = Timers::new(Arc::clone(&parties.service.app));
    for version in [1, 2] {
        parties.register("random", &definition(version)).await;
        for _ in 0..if version == 1 { TASKS / 10 } else { TASKS - TASKS / 10 } {
            parties.open("random").await;
            pass(parties, TimeDelta::microseconds(7_000_001));
        }
    }
    let mut accepted = 0;
    for _ in 0..TURNS {
        let mut items: [(&Client, &str, Vec<Value>); 3] = [
            (&parties.partner, "partner", Vec::new()),
            (&parties.buyer, "buyer", Vec::new()),
            (&parties.platform, "platform", Vec::new()),
        ];
        for task in open_tasks(parties).await {
            let Some((sender, command)) = next(&mut dice, &task) else { continue };
            let own = items.iter_mut().find(|(_, party, _)| *party == sender).unwrap();
            own.2.push(json!({ "task_id": task["id"], "command": command }));
        }
        for (client, _, items) in items {
            accepted += send(client, &items).await;
            pass(parties, TimeDelta::microseconds(1_000_000 * i64::try_from(dice.below(20_000)).unwrap() + 17));
        }
        timers.run_due().await.unwrap();
    }
    let cancel = |task: &Value| {
        json!({ "task_id": task["id"], "command": { "type": "cancellation_requested", "reason": "The end.", "immediate": true,
            "id": new_id() } })
    };
    let left: Vec<Value> = open_tasks(parties).await.iter().map(cancel).collect();
    send(&parties.platform, &left).await;
    accepted
}

async fn compare(parties: &Parties, reviewers: &Reviewers) -> Value {
    let export =
        parties.platform.get(&format!("/api/v1/audit/export?partner_id={}&workflow=random", parties.partner_id)).await;
    assert_eq!(export.status, 200, "{}", export.text);
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
    let mut whole = Value::Null;
    for (version, from, until) in [
        (1, "2027-01-01T00:00:00Z", "2027-12-01T00:00:00Z"),
        (2, "2027-01-01T00:00:00Z", "2027-12-01T00:00:00Z"),
        (2, "2027-01-16T00:00:00Z", "2027-01-17T12:00:00Z"),
        (2, "2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z"),
    ] {
        let path = format!("/api/v1/workflows/random/analytics?version={version}&from={from}&until={until}");
        let told = parties.partner.read(&path).await;
        let counted = recount(&export.text, (version, reviewers), (time(from), time(until)));
        assert_eq!(in_units(told.clone()), counted, "version {version}, {from} to {until}");
        if version == 2 && whole.is_null() {
            whole = told;
        }
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_of_a_thousand_random_histories_are_those_of_their_exported_trails() {
    let parties = Parties::start().await;
    let accepted = play(&parties).await;
    let reviewer = |key: &str, party: &str| (key.to_owned(), party.to_owned());
    let stages = vec![reviewer("copy", "partner"), reviewer("legal", "buyer"), reviewer("final", "platform")];
    let reviewers: Reviewers = [(1, stages.clone()), (2, stages)].into();
    let before = compare(&parties, &reviewers).await;
    let written = scalar(&parties, "select count(*) from stage_facts").await;
    let entered =
        scalar(&parties, "select count(distinct (task_id, stage)) from task_events where type = 'task.stage_entered'")
            .await;
    assert_eq!(written, entered, "one row for each stage that a closed task entered");
    // The histories are worth something.
    assert!(accepted > 4 * TASKS, "{accepted} commands");
    assert_eq!(before["tasks"], TASKS - TASKS / 10);
    for end in ["delivery", "cancelled", "expired", "failed"] {
        assert!(before["ends"][end].as_u64().unwrap() > 5, "{end}: {}", before["ends"]);
    }
    for stage in before["stages"].as_array().unwrap() {
        for figure in ["rejected", "overdue", "questions"] {
            assert!(stage[figure].as_u64().unwrap() > 5, "{figure}: {stage}");
        }
        assert!(stage["escalated"]["person"].as_u64().unwrap() > 5, "{stage}");
    }
    assert!(before["stages"][0]["escalated"]["exhausted"].as_u64().unwrap() > 5, "{}", before["stages"][0]);
    assert!(before["stages"][1]["escalated"]["deadline"].as_u64().unwrap() > 5, "{}", before["stages"][1]);
    // Erasures leave the facts as they are, and the trails still give the same numbers.
    let body = json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-0", "reason": "x" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &body).await.status, 202);
    pass(&parties, TimeDelta::hours(1));
    Erasures::new(Arc::clone(&parties.service.app)).run_due().await.unwrap();
    let erased = scalar(&parties, "select count(*) from task_events where type = 'task.personal_data_erased'").await;
    assert!(erased > 300, "{erased} erasures");
    assert_eq!(compare(&parties, &reviewers).await, before);
}
