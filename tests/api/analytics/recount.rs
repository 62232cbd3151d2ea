//! Statistics counted from exported trails, by a reader that knows the words of a trail and nothing of the service.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The reviewing party of each stage of each version.
pub type Reviewers = HashMap<u64, Vec<(String, String)>>;

/// What a trail says of one stage.
#[derive(Clone, Default)]
struct Stage {
    entered: u64,
    approved: u64,
    rejected: u64,
    first_pass: bool,
    escalated: BTreeMap<String, u64>,
    overdue: u64,
    questions: u64,
    reasons: BTreeMap<String, u64>,
    micros: BTreeMap<&'static str, i64>,
}

/// A closed task.
struct Closed {
    version: u64,
    at: i64,
    micros: i64,
    outcome: &'static str,
    stages: BTreeMap<String, Stage>,
}

/// Where a task stands while its trail is read.
#[derive(Default)]
struct Reader {
    version: u64,
    stages: BTreeMap<String, Stage>,
    stage: String,
    opened_at: i64,
    since: i64,
    phase: Phase,
    returned: bool,
    /// Whom a hold, and an open question, waits for.
    hold: Option<&'static str>,
    question: Option<&'static str>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    #[default]
    Preparing,
    Review,
    Escalated(&'static str),
    Cancelling,
}

const PARTIES: [&str; 3] = ["partner", "buyer", "platform"];

fn party(value: &Value) -> &'static str {
    PARTIES.into_iter().find(|party| value == party).unwrap_or_else(|| panic!("{value} is no party"))
}

/// The statistics of a version, from the export of its partner's tasks, of those that closed in the span.
pub fn recount(export: &str, (version, reviewers): (u64, &Reviewers), (from, until): (i64, i64)) -> Value {
    let mut tasks = Vec::new();
    let mut reader = Reader::default();
    for line in export.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.get("origin").is_some() {
            reader = Reader::default();
        }
        let Some(fields) = line["fields"].as_array() else { continue };
        let read = |field: &Value| {
            let value = field["value"].as_str().map(|text| serde_json::from_str(text).unwrap());
            Some((field["path"].as_str().unwrap().to_owned(), value?))
        };
        let fields: HashMap<String, Value> = fields.iter().filter_map(read).collect();
        tasks.extend(reader.read(&fields, reviewers));
    }
    tasks.retain(|task: &Closed| task.version == version && (from..until).contains(&task.at));
    let stages = reviewers[&version].iter().map(|(key, _)| of_stage(key, &tasks)).collect::<Vec<_>>();
    let ended = |outcome| tasks.iter().filter(|task| task.outcome == outcome).count();
    let lives: Vec<i64> = tasks.iter().filter(|task| task.outcome == "delivery").map(|task| task.micros).collect();
    let ends =
        ["delivery", "cancelled", "expired", "failed"].map(|outcome| (outcome.to_owned(), json!(ended(outcome))));
    json!({
        "tasks": tasks.len(),
        "ends": if tasks.len() < 5 { Value::Null } else { Value::Object(ends.into_iter().collect()) },
        "delivery_seconds": if lives.len() < 5 { Value::Null } else { durations(lives) },
        "stages": stages,
    })
}

impl Reader {
    /// Reads an entry; the task, if it closes there.
    fn read(&mut self, fields: &HashMap<String, Value>, reviewers: &Reviewers) -> Option<Closed> {
        let kind = fields["type"].as_str().unwrap().trim_start_matches("task.");
        let at: DateTime<Utc> = fields["recorded_at"].as_str().unwrap().parse().unwrap();
        let at = at.timestamp_micros();
        if kind == "opened" {
            let version = fields["data.workflow"]["version"].as_u64().unwrap();
            *self = Self { version, opened_at: at, since: at, ..Self::default() };
            return None;
        }
        if self.stage == "closed" {
            return None;
        }
        self.wait_until(at, reviewers);
        if kind == "stage_entered" {
            fields["stage"].as_str().unwrap().clone_into(&mut self.stage);
        }
        if !self.stage.is_empty() {
            self.count(kind, fields);
        }
        self.move_on(kind, fields);
        let outcome = match kind {
            "workflow_completed" => "delivery",
            "workflow_cancelled" => "cancelled",
            "workflow_expired" => "expired",
            "workflow_failed" => "failed",
            _ => return None,
        };
        "closed".clone_into(&mut self.stage);
        let stages = std::mem::take(&mut self.stages);
        Some(Closed { version: self.version, at, micros: at - self.opened_at, outcome, stages })
    }

    fn wait_until(&mut self, at: i64, reviewers: &Reviewers) {
        let passed = at - std::mem::replace(&mut self.since, at);
        if passed == 0 {
            return;
        }
        let reviewer = reviewers[&self.version].iter().find(|(key, _)| *key == self.stage).unwrap();
        let own = match self.phase {
            Phase::Preparing | Phase::Cancelling => "partner",
            Phase::Review => party(&json!(reviewer.1)),
            Phase::Escalated(to) => to,
        };
        let stage = self.stages.entry(self.stage.clone()).or_default();
        let waits = self.hold.or(self.question).unwrap_or(own);
        *stage.micros.entry(waits).or_default() += passed;
        *stage.micros.entry("all").or_default() += passed;
        if self.phase == Phase::Preparing && self.returned && self.hold.is_none() && self.question.is_none() {
            *stage.micros.entry("revising").or_default() += passed;
        }
    }

    fn count(&mut self, kind: &str, fields: &HashMap<String, Value>) {
        let is_escalated = matches!(self.phase, Phase::Escalated(_));
        let stage = self.stages.entry(self.stage.clone()).or_default();
        match kind {
            "stage_entered" => stage.entered += 1,
            "stage_approved" => {
                stage.approved += 1;
                stage.first_pass |= fields["round"] == 1;
            }
            "stage_rejected" => {
                stage.rejected += 1;
                for reason in fields.get("data.reasons").and_then(Value::as_array).into_iter().flatten() {
                    *stage.reasons.entry(reason.as_str().unwrap().to_owned()).or_default() += 1;
                }
            }
            "stage_escalated" if !is_escalated => {
                *stage.escalated.entry(fields["data.cause"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            "deadline_passed" => stage.overdue += 1,
            "question_asked" => stage.questions += 1,
            _ => {}
        }
    }

    fn move_on(&mut self, kind: &str, fields: &HashMap<String, Value>) {
        match kind {
            "stage_entered" => {
                self.returned = fields["data.returned"] == true;
                // A stage without required work begins with its review.
                let prepares = self.returned || PREPARED.contains(&self.stage.as_str());
                self.phase = if prepares { Phase::Preparing } else { Phase::Review };
                (self.hold, self.question) = (None, None);
            }
            "work_submitted" => self.phase = Phase::Review,
            "stage_escalated" => self.phase = Phase::Escalated(party(&fields["data.to"])),
            "escalation_resolved" if fields["data.resolution"] == "return" => self.phase = Phase::Review,
            "question_asked" => self.question = Some(party(&fields["data.to"])),
            "question_answered" | "question_closed" => self.question = None,
            "held" => self.hold = Some(party(&fields["party"])),
            "resumed" => self.hold = None,
            "cancellation_requested" if fields.contains_key("data.grace_until") => {
                self.phase = Phase::Cancelling;
                (self.hold, self.question) = (None, None);
            }
            _ => {}
        }
    }
}

/// The stages that require work before their review.
pub const PREPARED: [&str; 1] = ["copy"];

fn of_stage(key: &str, tasks: &[Closed]) -> Value {
    let all: Vec<&Stage> = tasks.iter().filter_map(|task| task.stages.get(key)).collect();
    if all.len() < 5 {
        return json!({ "key": key, "tasks": all.len() });
    }
    let sum = |of: &dyn Fn(&Stage) -> u64| all.iter().map(|stage| of(stage)).sum::<u64>();
    let share = |of: &dyn Fn(&Stage) -> bool| {
        let part = all.iter().filter(|stage| of(stage)).count();
        // In ten thousandths, to the nearest.
        (part * 20_000 + all.len()) / (all.len() * 2)
    };
    let micros = |whose: &str| {
        let of = |stage: &&Stage| stage.micros.get(whose).copied().unwrap_or(0);
        durations(all.iter().map(of).collect())
    };
    let cause = |cause: &str| sum(&|stage| stage.escalated.get(cause).copied().unwrap_or(0));
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in all.iter().flat_map(|stage| &stage.reasons) {
        *reasons.entry(reason).or_default() += count;
    }
    let mut rounds: Vec<u64> = all.iter().map(|stage| stage.entered).collect();
    rounds.sort_unstable();
    json!({
        "key": key,
        "tasks": all.len(),
        "entered": sum(&|stage| stage.entered),
        "approved": sum(&|stage| stage.approved),
        "rejected": sum(&|stage| stage.rejected),
        "escalated": { "person": cause("person"), "deadline": cause("deadline"), "exhausted": cause("exhausted"),
            "no_quorum": cause("no_quorum") },
        "overdue": sum(&|stage| stage.overdue),
        "questions": sum(&|stage| stage.questions),
        "reasons": reasons,
        "first_pass_share": share(&|stage| stage.first_pass),
        "escalated_share": share(&|stage| !stage.escalated.is_empty()),
        "overdue_share": share(&|stage| stage.overdue > 0),
        "rounds": { "p50": nearest(&rounds, 50), "p90": nearest(&rounds, 90) },
        "seconds": { "all": micros("all"), "partner": micros("partner"), "buyer": micros("buyer"),
            "platform": micros("platform"), "revising": micros("revising") },
    })
}

/// The smallest value that `percent` per cent do not exceed.
fn nearest<T: Copy>(sorted: &[T], percent: usize) -> T {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn durations(mut micros: Vec<i64>) -> Value {
    micros.sort_unstable();
    let mean = micros.iter().sum::<i64>() / i64::try_from(micros.len()).unwrap();
    json!({ "p50": nearest(&micros, 50), "p90": nearest(&micros, 90), "mean": mean })
}

/// An answer of the service in the units of the recount: microseconds and ten thousandths, and without what only the
/// answer has.
pub fn in_units(mut analytics: Value) -> Value {
    for name in ["partner_id", "workflow", "version", "from", "until", "since", "more"] {
        analytics.as_object_mut().unwrap().remove(name).unwrap();
    }
    to_micros(&mut analytics["delivery_seconds"]);
    for stage in analytics["stages"].as_array_mut().unwrap() {
        let stage = stage.as_object_mut().unwrap();
        stage.remove("name").unwrap();
        stage.retain(|_, value| !value.is_null());
        for name in ["first_pass_share", "escalated_share", "overdue_share"] {
            stage.entry(name).and_modify(|share| *share = whole(share, 10_000.0));
        }
        stage.entry("seconds").and_modify(|parties| parties.as_object_mut().unwrap().values_mut().for_each(to_micros));
    }
    let stages = analytics["stages"].as_array_mut().unwrap();
    for stage in stages {
        if stage["seconds"].is_null() {
            stage.as_object_mut().unwrap().remove("seconds");
        }
    }
    analytics
}

fn to_micros(durations: &mut Value) {
    for value in durations.as_object_mut().into_iter().flat_map(|members| members.values_mut()) {
        *value = whole(value, 1e6);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times of a test are small")]
fn whole(value: &Value, units: f64) -> Value {
    json!((value.as_f64().unwrap() * units).round() as i64)
}
