//! Random walks over HTTP: whatever the parties and the timers do, what is stored is what the trail says, and the
//! trail holds.

use serde_json::{Value, json};
use sqlx::Row as _;
use stagegate::domain::audit::{self, Origin, ProofView};
use stagegate::domain::task::command::CommandType;
use stagegate::domain::task::event::Event;
use stagegate::domain::task::forecast::{Forecast, StatusView, Timeline};
use stagegate::domain::task::snapshot::Snapshot;
use stagegate::domain::values::id::{BuyerId, PartnerId, TaskId};
use stagegate::domain::values::time::Time;
use stagegate::domain::workflow::Workflow;
use stagegate::store;

use crate::harness::parties::{Client, DEMO, Parties, new_id};

const STEPS: usize = 40;
const WALKS: u64 = 20;
/// The partner's people.
const PEOPLE: [&str; 5] = ["agent", "u-anna", "u-bo", "u-chi", "u-copy"];

#[tokio::test]
async fn what_is_stored_is_what_the_trail_says_after_every_step_of_a_random_walk() {
    let parties = Parties::start().await;
    let definitions = [DEMO.clone(), all_parties(), impatient()];
    for (n, definition) in definitions.iter().enumerate() {
        parties.register(&format!("walk-{n}"), definition).await;
    }
    let (mut accepted, mut ends) = (0, Vec::new());
    for seed in 0..WALKS {
        let at = usize::try_from(seed).unwrap() % definitions.len();
        let workflow = Workflow::parse(&definitions[at]).unwrap().workflow;
        let id = parties.open(&format!("walk-{at}")).await;
        let mut walk = Walk { parties: &parties, workflow, id, dice: Dice(seed), trail: 0 };
        walk.check(seed).await;
        let mut after_the_end = 0;
        for _ in 0..STEPS {
            accepted += usize::from(walk.step().await);
            walk.check(seed).await;
            after_the_end += usize::from(parties.task(&walk.id).await["waiting_on"].is_null());
            if after_the_end == 5 {
                break;
            }
        }
        ends.push(parties.status(&walk.id).await["phase"].as_str().unwrap().to_owned());
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(accepted > 100, "{accepted} steps did something");
    assert!(ends.len() >= 3, "the walks end in {ends:?}");
}

struct Walk<'a> {
    parties: &'a Parties,
    workflow: Workflow,
    id: String,
    dice: Dice,
    trail: usize,
}

/// A random command about the present of a task, mostly one that is open to its sender; and the sender's party.
pub async fn random_command(parties: &Parties, id: &str, dice: &mut Dice, people: &[&str]) -> (&'static str, Value) {
    let (client, command) = command(parties, id, dice, people).await;
    let party = [(&parties.buyer, "buyer"), (&parties.platform, "platform"), (&parties.partner, "partner")]
        .into_iter()
        .find_map(|(known, name)| (known.credential == client.credential).then_some(name));
    (party.unwrap(), command)
}

impl Walk<'_> {
    /// Does something; whether it took effect.
    async fn step(&mut self) -> bool {
        let before = self.trail;
        if self.dice.one_in(5) {
            self.parties.pass([1, 8, 30, 60][self.dice.below(4)]);
            self.parties.tick(&self.id).await;
        } else {
            let (client, command) = command(self.parties, &self.id, &mut self.dice, &PEOPLE).await;
            let answer = client.send(&self.id, &command).await;
            assert!(answer.status < 500, "{command}: {}", answer.text);
            let (view, member) =
                if client.credential == self.parties.buyer.credential { ("/status", "status") } else { ("", "task") };
            if answer.status == 201 {
                let read = client.read(&format!("/api/v1/tasks/{}{view}", self.id)).await;
                assert_eq!(answer.body[member], read, "the answer is what is read afterwards");
            }
        }
        self.trail = self.parties.trail(&self.id).await.len();
        self.trail > before
    }

    /// The row of the task against its trail, column by column; the chain; and what the buyer reads.
    async fn check(&self, seed: u64) {
        let at = format!("seed {seed}, {} events", self.trail);
        let (pool, id) = (&self.parties.service.db.pool, TaskId(self.id.parse().unwrap()));
        let query = "select state::text, notes::text, buyer_status::text, version, phase, stage, round, waiting_on, due_at, wake_at, overdue, \
            status_version, head_hash, updated_at, closed_at from tasks where task_id = $1";
        let row = sqlx::query(query).bind(id.0).fetch_one(pool).await.unwrap();
        let rows = store::tasks::events::list(pool, id, 0, 10_000).await.unwrap().rows;
        let events: Vec<Event> = rows.iter().map(|row| row.event.clone()).collect();
        let folded = Snapshot::fold(&self.workflow, &events).unwrap();
        let json_of = |column: &str| serde_json::from_str::<Value>(row.get::<&str, _>(column)).unwrap();
        let mut state = json_of("state");
        state.as_object_mut().unwrap().remove("tag_secret");
        assert_eq!(state, serde_json::to_value(&folded.task).unwrap(), "{at}");
        assert_eq!(json_of("notes"), serde_json::to_value(&folded.notes).unwrap(), "{at}");
        let status = serde_json::to_value(&folded.status).unwrap();
        assert_eq!(json_of("buyer_status"), status, "{at}");
        let stored = store::tasks::find(pool, id).await.unwrap().unwrap();
        assert_eq!(stored.snapshot.clone().without_tag_secret(), folded, "{at}");
        let time = |column: &str| row.get::<Option<chrono::DateTime<chrono::Utc>>, _>(column).map(Time::from);
        assert_eq!(row.get::<i64, _>("version"), i64::try_from(rows.len()).unwrap(), "{at}");
        assert_eq!(json!(row.get::<&str, _>("phase")), status["phase"], "{at}");
        assert_eq!(json!(row.get::<&str, _>("stage")), status["stage"]["key"], "{at}");
        assert_eq!(json!(row.get::<i32, _>("round")), status["round"], "{at}");
        assert_eq!(json!(row.get::<Option<&str>, _>("waiting_on")), status["waiting_on"], "{at}");
        assert_eq!(json!(row.get::<bool, _>("overdue")), status["overdue"], "{at}");
        assert_eq!(json!(row.get::<i64, _>("status_version")), status["version"], "{at}");
        assert_eq!(time("due_at"), folded.status.due_at, "{at}");
        assert_eq!(time("wake_at"), folded.task.wake_at(), "{at}");
        assert_eq!(time("closed_at"), folded.task.closed_at(), "{at}");
        assert_eq!(time("updated_at"), Some(events.last().unwrap().recorded_at), "{at}");
        assert!(events.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at), "{at}");
        let origin = Origin {
            task_id: id,
            partner_id: PartnerId(self.parties.partner_id.parse().unwrap()),
            buyer_id: BuyerId(self.parties.buyer_id.parse().unwrap()),
        };
        let head = audit::verify(&origin, rows.iter().map(|row| &row.sealed)).unwrap();
        assert_eq!(head.hash.as_bytes()[..], *row.get::<&[u8], _>("head_hash"), "{at}");
        let pace = Forecast::new(&Timeline::of(&folded.task), self.parties.service.clock.now(), None);
        let told = serde_json::to_value(StatusView { status: folded.status, pace }).unwrap();
        assert_eq!(self.parties.status(&self.id).await, told, "{at}: what the buyer reads");
        let proof = self.parties.buyer.read(&format!("/api/v1/tasks/{}/audit/proof", self.id)).await;
        assert_eq!(serde_json::from_value::<ProofView>(proof).unwrap().verify().unwrap(), head, "{at}");
    }
}

/// The types of commands, those that move a task more often.
const KINDS: &[&str] = &[
    "work_submitted",
    "work_submitted",
    "status_updated",
    "stage_approved",
    "stage_approved",
    "stage_approved",
    "stage_rejected",
    "stage_escalated",
    "escalation_resolved",
    "escalation_resolved",
    "escalation_resolved",
    "question_asked",
    "question_answered",
    "question_answered",
    "question_withdrawn",
    "reviewers_changed",
    "held",
    "resumed",
    "cancellation_requested",
    "cancellation_acknowledged",
];

#[test]
fn the_walk_sends_every_type_of_command() {
    let missing: Vec<&str> =
        CommandType::ALL.iter().map(|kind| kind.as_str()).filter(|name| !KINDS.contains(name)).collect();
    assert!(missing.is_empty(), "KINDS and `fill` lack {missing:?}");
}

/// A party and a command of it: mostly one that is open to it and about the present, sometimes any.
async fn command(parties: &Parties, id: &str, dice: &mut Dice, people: &[&str]) -> (Client, Value) {
    let task = parties.task(id).await;
    let (client, actors): (_, &[&str]) = match dice.below(4) {
        0 => (&parties.buyer, &[]),
        1 => (&parties.platform, &["ops", "duty"]),
        _ => (&parties.partner, people),
    };
    let mut kind = KINDS[dice.below(KINDS.len())];
    let open = if actors.is_empty() {
        Value::Null
    } else {
        client.read(&format!("/api/v1/tasks/{id}")).await["allowed"].take()
    };
    if let Some(open) = open.as_array().filter(|open| !open.is_empty() && dice.below(4) > 0) {
        let wanted = &open[dice.below(open.len())];
        kind = KINDS.iter().find(|kind| *wanted == **kind).unwrap();
    }
    // The end should not come too soon.
    if kind == "cancellation_requested" && dice.below(4) > 0 {
        kind = "stage_approved";
    }
    let mut command = json!({ "type": kind, "id": new_id(), "note": "remark" });
    if !actors.is_empty() {
        command["actor"] = json!({ "id": actors[dice.below(actors.len())], "name": "Name", "role": "role" });
    }
    if kind.starts_with("stage_") || kind == "question_asked" {
        command["stage"] = task["stage"]["key"].clone();
        command["round"] = task["round"].clone();
        command["revision"] = task["revision"].clone();
        if dice.one_in(12) {
            command["round"] = json!(1);
        }
    }
    fill(kind, &task, &mut command, dice);
    (client.clone(), command)
}

/// Somebody comes to the current stage, or goes.
fn fill_people(task: &Value, command: &mut Value, dice: &mut Dice) {
    command["stage"] = task["stage"]["key"].clone();
    if let Some(panels) = task["review"]["panels"].as_array().filter(|panels| !panels.is_empty()) {
        command["panel"] = panels[dice.below(panels.len())]["key"].clone();
    }
    command[if dice.one_in(2) { "add" } else { "remove" }] = json!([format!("u-{}", dice.below(8))]);
    command["reason"] = json!("Because.");
}

fn fill(kind: &str, task: &Value, command: &mut Value, dice: &mut Dice) {
    let share = dice.one_in(2);
    let feedback = json!({ "summary": "Not yet.", "share_with_buyer": share,
        "items": [{ "severity": "blocking", "text": "Here." }] });
    let party = json!(["partner", "buyer", "platform"][dice.below(3)]);
    let artifacts = json!([{ "name": "draft", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "url": "https://files.example/draft", "size": 7 }]);
    match kind {
        "work_submitted" if share => command["artifacts"] = artifacts,
        "work_submitted" => command["summary"] = json!("A draft."),
        "status_updated" => {
            command["message"] = json!("Nearly there");
            command["percent"] = json!(dice.below(101));
            command["eta"] = json!("2027-03-01T00:00:00Z");
        }
        "stage_rejected" => command["feedback"] = feedback,
        "stage_escalated" => {
            command["to"] = party;
            command["reason"] = json!("May we?");
        }
        "escalation_resolved" => {
            command["escalation"] = task["escalation"]["seq"].as_u64().map_or(json!(3), |seq| json!(seq));
            match dice.below(4) {
                0 => command["resolution"] = json!("approve"),
                1 => {
                    command["resolution"] = json!("reject");
                    command["feedback"] = feedback;
                }
                2 => {
                    command["resolution"] = json!("return");
                    command["advice"] = json!("Take the short version.");
                }
                _ => {
                    command["resolution"] = json!("redirect");
                    command["to"] = party;
                }
            }
        }
        "question_asked" => {
            command["to"] = party;
            command["question"] = json!("Which one?");
            command["options"] = json!(["This one", "That one"]);
            command["share_with_buyer"] = json!(share);
        }
        "question_answered" | "question_withdrawn" => {
            command["question"] = task["question"]["seq"].as_u64().map_or(json!(3), |seq| json!(seq));
            if kind == "question_answered" {
                command["option"] = json!(1 + dice.below(2));
                command["answer"] = json!("That one.");
                command["artifacts"] = artifacts;
            }
        }
        "reviewers_changed" => fill_people(task, command, dice),
        "held" | "cancellation_requested" => command["reason"] = json!("Because."),
        "cancellation_acknowledged" if share => {
            command["in_flight"] = json!("salvaged");
            command["artifacts"] = artifacts;
        }
        "cancellation_acknowledged" => command["in_flight"] = json!("discarded"),
        _ => {}
    }
}

/// `SplitMix64`: the same walks in every run.
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to `sides` - 1.
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap() % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}

/// Every party reviews something.
fn all_parties() -> Value {
    json!({ "name": "All parties", "stages": [
        { "key": "draft", "name": "Draft", "buyer_label": "Draft", "on_reject": { "max_rounds": 2 },
          "escalation": { "to": ["buyer", "platform", "partner"] } },
        { "key": "check", "name": "Check", "buyer_label": "Check", "reviewer": "platform",
          "escalation": { "to": ["partner", "buyer"], "respond_within": "PT5H", "on_timeout": { "action": "reject" } },
          "deadline": { "within": "PT20H", "on_timeout": { "action": "none" } }, "cancellation": { "in_flight": "let_finish", "grace": "PT3H" } },
        { "key": "accept", "name": "Accept", "buyer_label": "Accept", "reviewer": "buyer", "submission": "required",
          "deadline": { "within": "P2D", "remind_before": ["P1D", "PT1H"], "on_timeout": { "action": "approve" } } },
    ] })
}

/// Everything happens by itself.
fn impatient() -> Value {
    let stage = |key: &str, on_timeout: Value| {
        json!({ "key": key, "name": key, "buyer_label": key, "deadline": { "within": "PT6H", "on_timeout": on_timeout },
            "on_reject": { "max_rounds": 3, "on_exhausted": { "action": "fail" } },
            "escalation": { "to": ["platform", "buyer"], "respond_within": "PT6H", "on_timeout": { "action": "escalate", "to": "buyer" } } })
    };
    json!({ "name": "Impatient", "deadline": { "within": "P20D" },
        "stages": [stage("a", json!({ "action": "approve" })), stage("b", json!({ "action": "escalate", "to": "platform" })),
            stage("c", json!({ "action": "reject" }))] })
}
