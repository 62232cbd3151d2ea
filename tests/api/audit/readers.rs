//! What a party reads of a text is the same at every door: the trail's table decides, and status, task, inbox, feed,
//! deliveries and answers follow.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::audit::transparency_log::settle;
use crate::harness::commands::with;
use crate::harness::parties::{Client, Parties};

/// Tasks that are played.
const TASKS: usize = 6;
/// Commands that are tried on each, most of which the phase refuses.
const COMMANDS: usize = 40;

/// Both other parties can be asked, and the buyer reviews the second stage.
fn definition() -> Value {
    json!({ "name": "W", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "escalation": { "to": ["partner", "buyer", "platform"] },
          "on_reject": { "return_to": ["a"] }, "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } },
        { "key": "b", "name": "B", "buyer_label": "In B", "reviewer": "buyer", "escalation": { "to": ["partner", "platform"] },
          "on_reject": { "return_to": ["b", "a"] } } ] })
}

/// A task, and the texts that were written so far, each marked with its number.
struct Script<'a> {
    parties: &'a Parties,
    id: String,
    marks: usize,
}

impl Script<'_> {
    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("<{}>", self.marks)
    }

    /// A command that the dice choose, about where the task is.
    async fn next(&mut self, dice: &[u8]) -> (&'static str, Value) {
        let task = self.parties.task(&self.id).await;
        let party = ["partner", "buyer", "platform"][usize::from(dice[0]) % 3];
        let to = ["partner", "buyer", "platform"][usize::from(dice[2]) % 3];
        let feedback = json!({ "summary": self.mark(), "share_with_buyer": dice[2].is_multiple_of(2), "items": [{ "text": self.mark() }] });
        let placed = |kind: &str, more: Value| {
            let body = json!({ "type": kind, "stage": task["stage"]["key"], "round": task["round"], "revision": task["revision"] });
            with(body, &more)
        };
        let answer =
            json!({ "type": "escalation_resolved", "escalation": task["escalation"]["seq"].as_u64().unwrap_or(1) });
        let body = match dice[1] % 12 {
            0 => placed("stage_approved", json!({})),
            1 => placed("stage_rejected", json!({ "feedback": feedback })),
            2 | 3 => placed("stage_escalated", json!({ "to": to, "reason": self.mark() })),
            4 => with(answer, &json!({ "resolution": "return", "advice": self.mark() })),
            5 => with(answer, &json!({ "resolution": "redirect", "to": to, "advice": self.mark() })),
            6 => with(answer, &json!({ "resolution": "reject", "feedback": feedback })),
            7 => json!({ "type": "status_updated", "message": self.mark() }),
            8 => json!({ "type": "held", "reason": self.mark() }),
            9 => json!({ "type": "resumed" }),
            10 => with(answer, &json!({ "resolution": "approve" })),
            _ if dice[2] > 200 => json!({ "type": "cancellation_requested", "reason": self.mark() }),
            _ => json!({ "type": "resumed" }),
        };
        let body = with(body, &json!({ "note": self.mark() }));
        let person = json!({ "actor": { "id": format!("u-{}", dice[3] % 4), "name": self.mark() } });
        (party, if party == "buyer" { body } else { with(body, &person) })
    }

    fn client(&self, party: &str) -> &Client {
        match party {
            "partner" => &self.parties.partner,
            "buyer" => &self.parties.buyer,
            _ => &self.parties.platform,
        }
    }

    /// Every door of every party shows no text that the party's trail hides; the feed shows all that the trail shows.
    async fn check(&self) {
        for party in ["partner", "buyer", "platform"] {
            let client = self.client(party);
            let trail = marks(&client.read(&format!("/api/v1/tasks/{}/audit?limit=100", self.id)).await["items"]);
            let mut doors = vec!["/api/v1/reviews?limit=100".to_owned(), format!("/api/v1/tasks/{}/status", self.id)];
            if party != "buyer" {
                doors.push(format!("/api/v1/tasks/{}", self.id));
            }
            for door in doors {
                let shown = marks(&client.read(&door).await);
                let hidden: Vec<_> = shown.difference(&trail).collect();
                assert!(hidden.is_empty(), "{door} shows the {party} what the trail hides: {hidden:?}");
            }
            if party != "buyer" {
                settle(self.parties).await;
                let told: Vec<Value> =
                    feed(client, &self.id).await.into_iter().map(|item| item["event"].clone()).collect();
                assert_eq!(marks(&json!(told)), trail, "the feed of the {party}");
            }
        }
    }
}

/// The marks in an answer.
fn marks(answer: &Value) -> BTreeSet<String> {
    let text = answer.to_string();
    let marks = text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()));
    marks.filter(|mark| mark.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// The feed's items about one task.
async fn feed(client: &Client, id: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), "/api/v1/events?limit=100".to_owned());
    loop {
        let page = client.read(&path).await;
        let found = page["items"].as_array().unwrap();
        items.extend(found.iter().filter(|item| item["task_id"] == id).cloned());
        if found.is_empty() {
            return items;
        }
        path = format!("/api/v1/events?limit=100&after={}", page["next"].as_str().unwrap());
    }
}

#[tokio::test]
async fn every_door_shows_a_party_of_random_tasks_what_its_trail_shows() {
    let parties = Parties::start().await;
    parties.register("w", &definition()).await;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let dice = proptest::collection::vec(proptest::array::uniform4(proptest::num::u8::ANY), COMMANDS);
    let mut done = BTreeSet::new();
    for _ in 0..TASKS {
        let mut script = Script { parties: &parties, id: parties.open("w").await, marks: 0 };
        for roll in dice.new_tree(&mut runner).unwrap().current() {
            let (party, command) = script.next(&roll).await;
            let answer = script.client(party).send(&script.id, &command).await;
            assert!(answer.status < 500, "{}", answer.text);
            if answer.status == 201 {
                let kind = command["type"].as_str().unwrap();
                done.insert(format!("{kind} {}", command["resolution"].as_str().unwrap_or_default()));
                let trail = marks(
                    &script.client(party).read(&format!("/api/v1/tasks/{}/audit?limit=100", script.id)).await["items"],
                );
                assert!(marks(&answer.body).is_subset(&trail), "the answer to {command}");
                script.check().await;
            }
        }
    }
    assert!(done.len() > 8, "every kind of command was carried out: {done:?}");
}
