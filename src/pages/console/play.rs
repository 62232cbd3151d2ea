//! Play: somebody chooses what the parties do at each stage, and the simulation shows what happens,
//! and what the buyer reads, step by step. Nothing is stored, so it is a page with a long address.

use std::ops::ControlFlow;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::app::workflows::{Plan, Record, Show};
use crate::domain::audit;
use crate::domain::task::PhaseName;
use crate::domain::task::command::{Action, CommandType};
use crate::domain::task::command_type::for_each_command;
use crate::domain::task::event::WorkflowRef;
use crate::domain::task::play::{Choice, Does, MAX_COMMANDS, Play};
use crate::domain::task::simulate::{Outcome, Sent, Step, Trigger};
use crate::domain::values::id::CredentialId;
use crate::domain::values::party::{Party, Sender};
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::problem::refused::explain;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::texts::{Texts, written};
use crate::pages::times::TimeTag;

use super::slips::{self, Slip};
use super::tasks::outcome;
use super::{Answer, words, workflows};
use crate::pages::query::Query;
use crate::pages::times::typed_time;

/// The steps of a timeline.
const STEPS: usize = 200;
/// The most hours that a party can take: 90 days.
const MAX_HOURS: i64 = 2_160;
/// How many days a play lasts.
const DAYS: i64 = 366;

#[derive(Template)]
#[template(path = "console/play.html", config = "src/pages/askama.toml")]
struct PlayPage {
    frame: Frame,
    slips: Vec<Slip>,
    key: String,
    version: u32,
    opened_at: String,
    work: ChoiceFields,
    stages: Vec<ChoiceFields>,
    escalations: ChoiceFields,
    steps: Vec<StepItem>,
    is_cut: bool,
    /// The same simulation as a body of the API.
    body: String,
    /// Where that body goes.
    call: String,
}

/// The fields of one choice.
struct ChoiceFields {
    legend: String,
    /// The name of the field for what happens.
    does: String,
    /// The name of the field for the hours.
    after: String,
    hours: i64,
    options: Vec<ChoiceOption>,
}

struct ChoiceOption {
    value: &'static str,
    text: String,
    is_chosen: bool,
}

/// A step of the timeline.
struct StepItem {
    at: TimeTag,
    /// What caused it.
    cause: String,
    /// The types of the events, as the partner's feed has them.
    events: Vec<&'static str>,
    /// Why a command was refused.
    refusal: Option<String>,
    /// What the buyer reads from here on; none if nothing else.
    buyer: Option<BuyerReads>,
}

/// What the buyer reads after a step.
#[derive(Clone)]
struct BuyerReads {
    label: String,
    turn: String,
}

/// The choices in an address.
struct Choices {
    opened_at: Time,
    work_after: TimeDelta,
    stages: Vec<Choice>,
    escalations: Choice,
}

/// Shows how a version plays out.
pub(super) async fn get_play(
    visitor: Visitor,
    State(state): State<AppState>,
    Path(key): Path<String>,
    mut query: Query,
) -> Answer {
    let record = workflows::find(&visitor, &state, (&key, &mut query)).await?;
    let t = visitor.untitled().t;
    let frame = visitor.frame(t.with("console-play-title", "name", written(record.workflow.name.as_str())));
    let choices = Choices::of(&mut query, &record, state.app.clock().now());
    let slips = slips::of(&query, &frame);
    let report =
        if slips.is_empty() { simulate(&visitor, &state, (&record, &choices)).await? } else { Report::default() };
    let until = choices.opened_at + TimeDelta::days(DAYS);
    let body = json!({
        "version": record.version, "opened_at": choices.opened_at, "until": until, "commands": report.commands,
    });
    let (status, frame) = outcome(frame, &slips);
    let page = PlayPage {
        slips,
        call: format!("POST /api/v1/workflows/{}/simulate", record.key),
        key: record.key.to_string(),
        version: record.version,
        opened_at: choices.opened_at.to_string(),
        work: ChoiceFields::of_work(t, &choices),
        stages: ChoiceFields::of_stages(t, &record, &choices),
        escalations: ChoiceFields::new(t, t.text("console-play-escalations").into_owned(), ("e", choices.escalations)),
        is_cut: report.steps.len() >= STEPS || report.commands.len() >= MAX_COMMANDS,
        steps: report.steps.iter().map(|step| step.item(&frame)).collect(),
        body: serde_json::to_string_pretty(&body).unwrap_or_default(),
        frame,
    };
    Ok(render(status, &page))
}

async fn simulate(
    visitor: &Visitor,
    state: &AppState,
    (record, choices): (&Record, &Choices),
) -> Result<Report, PageError> {
    let stages = record.workflow.stages.iter().map(|stage| stage.key.clone()).zip(choices.stages.iter().copied());
    let script = Play {
        workflow: Arc::new(record.workflow.clone()),
        work_after: choices.work_after,
        stages: stages.collect(),
        escalations: choices.escalations,
        last: choices.opened_at,
    };
    let credential_id = CredentialId::parse("simulated").expect("a short word");
    let plan = Plan {
        sender: Sender { party: Party::Platform, actor: None, credential_id, bound: false, admitted: true },
        workflow: WorkflowRef { key: record.key.clone(), version: record.version },
        opened_at: choices.opened_at,
        deadline_at: None,
        script,
        until: choices.opened_at + TimeDelta::days(DAYS),
    };
    let into = (Report::default(), Report::add as Show<Report>);
    let done = state.app.workflows.simulate_workflow(&visitor.caller, (record.workflow.clone(), plan), into).await;
    done.map_err(|error| PageError::of(error, visitor.untitled()))
}

/// What a simulation showed.
#[derive(Default)]
struct Report {
    steps: Vec<Seen>,
    commands: Vec<Value>,
    /// The version of the last status.
    status: Option<u64>,
}

/// A step as it was seen, without words.
struct Seen {
    at: Time,
    cause: Cause,
    events: Vec<&'static str>,
    refusal: Option<String>,
    /// What the buyer reads: the label, the party that it is up to, and whether the buyer can act.
    buyer: Option<(String, PhaseName, Option<Party>, bool)>,
}

enum Cause {
    Opening,
    Timer,
    Command(CommandType, Party, Option<String>),
}

impl Report {
    fn add(&mut self, step: Step<'_>) -> ControlFlow<()> {
        let status = &step.snapshot.status;
        let is_new = self.status != Some(status.version);
        self.status = Some(status.version);
        let buyer = (status.label.clone(), status.phase, status.waiting_on, status.action.is_some());
        self.commands.extend(step.sent.map(command_json));
        self.steps.push(Seen {
            at: step.at,
            cause: Cause::of(&step),
            events: step.events.iter().filter_map(|event| audit::shown_type(event, Party::Partner)).collect(),
            refusal: match step.outcome {
                Outcome::Done | Outcome::Replayed | Outcome::IdReused => None,
                Outcome::Refused(refusal) => Some(explain(refusal).1),
            },
            buyer: is_new.then_some(buyer),
        });
        if self.steps.len() < STEPS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Cause {
    fn of(step: &Step<'_>) -> Self {
        match (step.trigger, step.sent) {
            (Trigger::Opening, _) => Self::Opening,
            (Trigger::Command(_), Some(sent)) => {
                let sender = &sent.command.meta().sender;
                let actor = sender.actor.as_ref().filter(|_| sender.party != Party::Buyer);
                let kind = sent.command.action().command_type();
                Self::Command(kind, sender.party, actor.map(|actor| actor.id.to_string()))
            }
            (Trigger::Timer | Trigger::Command(_), _) => Self::Timer,
        }
    }
}

/// A command as the API's simulation takes it.
fn command_json(sent: &Sent) -> Value {
    let meta = sent.command.meta();
    let mut members = body(sent.command.action());
    members.insert("at".to_owned(), json!(sent.at));
    members.insert("party".to_owned(), json!(meta.sender.party));
    members.insert("type".to_owned(), json!(sent.command.action().command_type().as_str()));
    members.insert("stage".to_owned(), json!(meta.stage));
    members.insert("round".to_owned(), json!(meta.round));
    members.insert("revision".to_owned(), json!(meta.revision));
    if let Some(actor) = meta.sender.actor.as_ref().filter(|_| meta.sender.party != Party::Buyer) {
        members.insert("actor".to_owned(), json!({ "id": actor.id }));
    }
    Value::Object(members)
}

macro_rules! bodies {
    ($($command:ident $name:literal,)*) => {
        /// The members of the type's own.
        fn body(action: &Action) -> Map<String, Value> {
            let body = match action {
                $(Action::$command(body) => serde_json::to_value(body),)*
            };
            match body {
                Ok(Value::Object(members)) => members,
                Ok(_) | Err(_) => Map::new(),
            }
        }
    };
}
for_each_command!(bodies);

impl Seen {
    fn item(&self, frame: &Frame) -> StepItem {
        let t = frame.t;
        let cause = match &self.cause {
            Cause::Opening => t.text("console-play-opened").into_owned(),
            Cause::Timer => t.text("console-play-timer").into_owned(),
            Cause::Command(kind, party, actor) => {
                let party = t.text(words::party(*party)).into_owned();
                let who =
                    actor.as_ref().map_or_else(|| party.clone(), |actor| format!("{party} (\u{2068}{actor}\u{2069})"));
                t.with("console-play-sends", "who", who).into_owned() + " " + kind.as_str()
            }
        };
        let buyer = self.buyer.as_ref().map(|(label, phase, party, acts)| BuyerReads {
            label: label.clone(),
            turn: turn(t, (*phase, *party, *acts)),
        });
        StepItem {
            at: frame.times.tag(&self.at),
            cause,
            events: self.events.clone(),
            refusal: self.refusal.clone(),
            buyer,
        }
    }
}

/// Whose turn it is, as the buyer reads it.
fn turn(t: Texts, (phase, party, acts): (PhaseName, Option<Party>, bool)) -> String {
    let id = match (party, acts) {
        (Some(Party::Buyer), _) | (_, true) => "console-turn-you",
        (Some(Party::Partner), false) if phase == PhaseName::InReview => "console-turn-reviewers",
        (Some(Party::Partner), false) => "console-turn-partner",
        (Some(Party::Platform), false) => "console-turn-platform",
        (None, false) => "console-turn-nobody",
    };
    t.text(id).into_owned()
}

impl Choices {
    fn of(query: &mut Query, record: &Record, now: Time) -> Self {
        let hours = |query: &mut Query, name: String, default: i64| {
            let text = query.value(&name).to_owned();
            let hours = if text.is_empty() { Some(default) } else { text.parse().ok() };
            let hours = hours.filter(|hours| (0..=MAX_HOURS).contains(hours));
            hours.map_or_else(|| query.wrong("hours", TimeDelta::zero()), TimeDelta::hours)
        };
        let choice = |query: &mut Query, name: &str| {
            let does = match query.value(&format!("do-{name}")) {
                "send_back_once" => Does::SendBackOnce,
                "send_back" => Does::SendBack,
                "nothing" => Does::Nothing,
                _ => Does::Approve,
            };
            Choice { does, after: hours(query, format!("after-{name}"), 24) }
        };
        // The calendar of a definition may reach for years, so the opening is near the present.
        let opened_at = query.read("opened_at", |text| typed_time(text).filter(|at| is_near(*at, now)));
        Self {
            opened_at: opened_at.unwrap_or_else(|| Time::from_micros(now.micros() / 1_000_000 * 1_000_000)),
            work_after: hours(query, "after-w".to_owned(), 24),
            stages: (0..record.workflow.stages.len()).map(|index| choice(query, &index.to_string())).collect(),
            escalations: choice(query, "e"),
        }
    }
}

fn is_near(at: Time, now: Time) -> bool {
    (at - now).num_days().abs() <= 3_660
}

impl ChoiceFields {
    fn new(t: Texts, legend: String, (name, choice): (&str, Choice)) -> Self {
        let option = |(value, does, text): (&'static str, Does, &'static str)| ChoiceOption {
            value,
            text: t.text(text).into_owned(),
            is_chosen: does == choice.does,
        };
        let options = [
            ("approve", Does::Approve, "console-does-approve"),
            ("send_back_once", Does::SendBackOnce, "console-does-send-back-once"),
            ("send_back", Does::SendBack, "console-does-send-back"),
            ("nothing", Does::Nothing, "console-does-nothing"),
        ];
        Self {
            legend,
            does: format!("do-{name}"),
            after: format!("after-{name}"),
            hours: choice.after.num_hours(),
            options: options.map(option).into(),
        }
    }

    fn of_work(t: Texts, choices: &Choices) -> Self {
        let choice = Choice { does: Does::Approve, after: choices.work_after };
        Self { options: Vec::new(), ..Self::new(t, t.text("console-play-work").into_owned(), ("w", choice)) }
    }

    fn of_stages(t: Texts, record: &Record, choices: &Choices) -> Vec<Self> {
        let stages = record.workflow.stages.iter().zip(&choices.stages).enumerate();
        let fields = stages.map(|(index, (stage, choice))| {
            let party = t.text(words::party(stage.reviewer)).into_owned();
            let names = [("stage", written(stage.name.as_str())), ("party", party.into())];
            Self::new(t, t.with_all("console-play-stage", names).into_owned(), (&index.to_string(), *choice))
        });
        fields.collect()
    }
}
