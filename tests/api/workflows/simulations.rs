//! A simulation against the real thing: the same commands at the same times, every timer at its time, and the same
//! story.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use stagegate::domain::values::time::Time;
use stagegate::worker::timers::Timers;

use crate::harness::commands::with;
use crate::harness::parties::{Client, DEMO, Parties, code, new_id};
use crate::tasks::walk::{Dice, random_command};

#[path = "../../../src/domain/workflow/arbitrary.rs"]
mod arbitrary;

const RANDOM_WORKFLOWS: usize = 12;
const COMMANDS: usize = 14;
/// Agents and reviewers of the partner, in the demo's workflow and in random ones.
const PEOPLE: [&str; 9] = ["agent", "u-anna", "u-bo", "u-copy", "u-0", "u-1", "u-2", "u-3", "u-4"];

/// What the real service did: an item for each step of a simulation.
struct Played {
    commands: Vec<Value>,
    steps: Vec<Value>,
}

#[tokio::test]
async fn thirty_simulated_days_are_what_the_service_does() {
    let parties = Parties::start().await;
    let mut runner = TestRunner::deterministic();
    let random = std::iter::repeat_with(|| arbitrary::definition(4).new_tree(&mut runner).unwrap().current());
    let definitions = std::iter::repeat_n(DEMO.clone(), 3).chain(random.take(RANDOM_WORKFLOWS));
    let (mut timers, mut events, mut refusals, mut ends) = (0, 0, 0, Vec::new());
    for (seed, mut definition) in definitions.enumerate() {
        for stage in definition["stages"].as_array_mut().unwrap() {
            stage.as_object_mut().unwrap().remove("assurance");
        }
        let key = format!("flow-{seed}");
        parties.register(&key, &definition).await;
        let opened_at = parties.service.clock.now();
        let played = Box::pin(play(&parties, &key, &mut Dice(seed as u64))).await;
        let plan =
            json!({ "opened_at": opened_at, "until": opened_at + TimeDelta::days(30), "commands": played.commands });
        let answer = parties.partner.call("POST", &format!("/api/v1/workflows/{key}/simulate"), &plan).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let simulated = answer.body["steps"].as_array().unwrap();
        for (step, real) in with_statuses(simulated).iter().zip(&played.steps) {
            assert_eq!(&comparable(step), real, "seed {seed}: {definition}");
        }
        assert_eq!(simulated.len(), played.steps.len(), "seed {seed}: {definition}");
        let count = |matches: &dyn Fn(&Value) -> bool| simulated.iter().filter(|step| matches(step)).count();
        timers += count(&|step| step["trigger"] == "timer");
        refusals += count(&|step| !step["refusal"].is_null());
        events += simulated.iter().map(|step| step["events"].as_array().unwrap().len()).sum::<usize>();
        ends.push(with_statuses(simulated).last().unwrap()["status"]["phase"].as_str().unwrap().to_owned());
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(timers > 0 && events > 60 && refusals > 5, "{timers} timers, {events} events, {refusals} refusals");
    assert!(ends.len() >= 3, "they end in {ends:?}");
}

/// Opens a task and plays with it for thirty days.
async fn play(parties: &Parties, key: &str, dice: &mut Dice) -> Played {
    let id = new_id();
    let clock = &parties.service.clock;
    let opened_at = clock.now();
    let opening = with(parties.opening(&id, key), &json!({ "title": "Simulated task" }));
    assert_eq!(parties.platform.call("POST", "/api/v1/tasks", &opening).await.status, 201);
    let mut real = Real { parties, id: &id, seen: 0, timers: Timers::new(Arc::clone(&parties.service.app)) };
    let mut played = Played { commands: Vec::new(), steps: Vec::new() };
    played.steps.push(real.step(opened_at, "opening", &Value::Null, &Value::Null).await);
    let mut over = 0;
    for _ in 0..COMMANDS {
        let seconds = [0, 1, 45, 600, 1800, 10_800, 86_400, 260_000][dice.below(8)];
        let at = clock.now() + TimeDelta::seconds(seconds);
        real.timers_until(at, &mut played).await;
        clock.set(at);
        let (party, command) = random_command(parties, &id, dice, &PEOPLE).await;
        let answer = real.client(party).send(&id, &command).await;
        // What cannot be read is refused as a whole by a simulation.
        if answer.status == 422 {
            continue;
        }
        let refusal = match answer.status {
            201 => Value::Null,
            _ => json!({ "code": answer.body["code"], "detail": answer.body["detail"] }),
        };
        let index = json!(played.commands.len());
        played.commands.push(with(command, &json!({ "at": at, "party": party })));
        played.steps.push(real.step(at, "command", &index, &refusal).await);
        over += usize::from(played.steps.last().unwrap()["status"]["waiting_on"].is_null());
        if over == 3 {
            break;
        }
    }
    real.timers_until(opened_at + TimeDelta::days(30), &mut played).await;
    clock.set(clock.now().max(opened_at + TimeDelta::days(30)));
    played
}

struct Real<'a> {
    parties: &'a Parties,
    id: &'a str,
    /// Events that steps before have shown.
    seen: usize,
    timers: Timers,
}

impl Real<'_> {
    fn client(&self, party: &str) -> &Client {
        match party {
            "partner" => &self.parties.partner,
            "buyer" => &self.parties.buyer,
            _ => &self.parties.platform,
        }
    }

    /// Lets every timer fire at its time, until this one.
    async fn timers_until(&mut self, until: Time, played: &mut Played) {
        loop {
            let query = "select wake_at from tasks where task_id::text = $1 and wake_at <= $2";
            let query = sqlx::query_scalar::<_, Option<DateTime<Utc>>>(query).bind(self.id).bind(until.utc());
            let due = query.fetch_optional(&self.parties.service.db.pool).await.unwrap().flatten();
            let Some(due) = due.map(Time::from) else { return };
            self.parties.service.clock.set(due);
            assert!(self.timers.run_due().await.unwrap() > 0);
            played.steps.push(self.step(due, "timer", &Value::Null, &Value::Null).await);
        }
    }

    /// What a simulation says of what has just happened.
    async fn step(&mut self, at: Time, trigger: &str, command: &Value, refusal: &Value) -> Value {
        let (mut trail, mut path) = (Vec::new(), format!("/api/v1/tasks/{}/audit?limit=100", self.id));
        loop {
            let page = self.parties.partner.read(&path).await;
            trail.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/tasks/{}/audit?limit=100&cursor={next}", self.id);
        }
        let events = trail.split_off(self.seen);
        self.seen += events.len();
        let status = self.parties.status(self.id).await;
        comparable(
            &json!({ "at": at, "trigger": trigger, "command": command, "events": events, "refusal": refusal, "status": status }),
        )
    }
}

/// Without what a simulation cannot have: ids and hashes.
fn comparable(step: &Value) -> Value {
    let mut step = step.clone();
    step.as_object_mut().unwrap().remove("replayed");
    // A status that was told before is told as of then.
    step["status"]["stage_seconds"] = Value::Null;
    step["status"]["task_id"] = Value::Null;
    for event in step["events"].as_array_mut().unwrap() {
        // Tags of simulated actors are made under a secret that no task has.
        for name in ["hash", "credential_id", "id", "actor_tag"] {
            event[name] = Value::Null;
        }
        // The buyer of a simulation is nobody in particular.
        if event["party"] == "buyer" {
            event["actor"] = Value::Null;
        }
        if event["type"] == "task.opened" {
            event["data"]["task_id"] = Value::Null;
        }
        // A simulated command comes under a key that is bound to its actor, that of the test does not.
        if let Some(data) = event["data"].as_object_mut() {
            data.remove("bound");
            data.remove("voters");
        }
    }
    step
}

/// Each step with its status, which is said where it is another one.
pub fn with_statuses(steps: &[Value]) -> Vec<Value> {
    let mut status = Value::Null;
    let with_status = |step: &Value| {
        let mut step = step.clone();
        if step["status"].is_null() {
            step["status"].clone_from(&status);
        }
        status.clone_from(&step["status"]);
        step
    };
    steps.iter().map(with_status).collect()
}

#[tokio::test]
async fn a_command_id_is_spent_in_a_simulation_as_it_is_in_earnest() {
    let parties = Parties::start().await;
    let (id, at) = (new_id(), "2027-01-15T09:00:00Z");
    let update =
        |message: &str| json!({ "id": id, "at": at, "party": "partner", "type": "status_updated", "message": message });
    let plan =
        json!({ "opened_at": "2027-01-15T08:00:00Z", "commands": [update("one"), update("one"), update("two")] });
    let answer = parties.partner.call("POST", "/api/v1/workflows/brand-campaign/simulate", &plan).await;
    let steps = answer.body["steps"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    let told = steps.iter().map(|step| {
        let events = step["events"].as_array().unwrap().len();
        (events, step["replayed"].as_bool().unwrap(), step["refusal"]["code"].as_str(), step["status"].is_null())
    });
    let expected = [
        (2, false, None, false),
        (1, false, None, false),
        (0, true, None, true),
        (0, false, Some("event_id_reused"), true),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_answer_of_a_simulation_is_bounded_in_bytes() {
    let parties = Parties::start().await;
    // Some 100 KB that the buyer is to look at, and so each status has.
    let url = format!("https://files.example/{}", "x".repeat(1_900));
    let artifacts: Vec<Value> =
        (0..50).map(|n| json!({ "name": format!("{n}.md"), "sha256": "0".repeat(64), "url": url })).collect();
    let at = json!({ "at": "2027-01-15T09:00:00Z", "party": "partner" });
    let submit = json!({ "type": "work_submitted", "actor": { "id": "agent" }, "artifacts": artifacts });
    let stage =
        json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer", "submission": "required" });
    let answer = async |updates: usize| {
        let update = |n| with(json!({ "type": "status_updated", "message": format!("Update {n}") }), &at);
        let commands: Vec<Value> = std::iter::once(with(submit.clone(), &at)).chain((0..updates).map(update)).collect();
        let plan = json!({ "opened_at": "2027-01-15T08:00:00Z", "commands": commands,
            "definition": { "name": "Bounded", "stages": [stage] } });
        parties.partner.call("POST", "/api/v1/workflows/bounded/simulate", &plan).await
    };
    let small = answer(20).await;
    assert_eq!(small.status, 200, "{}", small.text);
    assert!((2 << 20..5 << 20).contains(&small.text.len()), "{} bytes", small.text.len());
    let large = answer(60).await;
    assert_eq!((large.status, code(&large)), (422, "answer_too_large"), "{} bytes", large.text.len());
    assert!(large.body["detail"].as_str().unwrap().contains("(/commands/"), "{}", large.text);
}
