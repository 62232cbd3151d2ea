//! `stagegate decide`: a vote, an escalation, or the decision of an escalation.
//!
//! Nobody decides on work that they have not seen: what is not given is read first, named in the
//! output, and sent along, so that the service refuses if it has changed meanwhile.

use serde_json::{Value, json};

use crate::client::{Stagegate, Task};
use crate::config::{Decide, Verb};

use super::failure::Failure;
use super::output::Output;
use super::sending::{Members, send};

/// What is decided.
struct Target {
    stage: String,
    round: u32,
    revision: u32,
    /// The escalation, if one is open.
    escalation: Option<u64>,
}

pub(super) async fn run(settings: &Decide, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    unused(settings)?;
    let target = match (&settings.stage, settings.round, settings.revision) {
        (Some(stage), Some(round), Some(revision)) if settings.verb != Verb::Return => {
            Target { stage: stage.clone(), round, revision, escalation: None }
        }
        _ => {
            out.progress(format_args!("reading the task"));
            let found = find(client, settings).await?;
            Target {
                stage: settings.stage.clone().unwrap_or(found.stage),
                round: settings.round.unwrap_or(found.round),
                revision: settings.revision.unwrap_or(found.revision),
                escalation: found.escalation,
            }
        }
    };
    let command = command(settings, &target)?;
    let Target { stage, round, revision, escalation } = &target;
    let of = escalation.map_or_else(String::new, |seq| format!(", escalation {seq}"));
    let what = format!("{} {stage}, round {round}, revision {revision}{of}", done(settings.verb, &target));
    send((client, settings.task), (&what, command), &settings.sending, out).await
}

/// Refuses arguments that the decision does not have, instead of leaving them out silently.
fn unused(settings: &Decide) -> Result<(), Failure> {
    let is = |verbs: &[Verb]| verbs.contains(&settings.verb);
    for (flag, given, belongs) in [
        ("--feedback", settings.feedback.is_some(), is(&[Verb::Reject, Verb::Approve])),
        ("--cause", settings.cause.is_some(), is(&[Verb::Reject])),
        ("--blocking", !settings.blocking.is_empty(), is(&[Verb::Reject])),
        ("--return-to", settings.return_to.is_some(), is(&[Verb::Reject])),
        ("--to", settings.to.is_some(), is(&[Verb::Escalate])),
        ("--reason", settings.reason.is_some(), is(&[Verb::Escalate, Verb::Return])),
    ] {
        if given && !belongs {
            return Err(Failure::Usage(format!("{flag} does not belong to this decision")));
        }
    }
    Ok(())
}

/// Reads what there is to decide. A buyer cannot read the task, but its status offers the same.
async fn find(client: &Stagegate, settings: &Decide) -> Result<Target, Failure> {
    match client.task(settings.task).await {
        Ok(Task { stage, round, revision, escalation, .. }) => {
            Ok(Target { stage: stage.key, round, revision, escalation: escalation.map(|open| open.seq) })
        }
        Err(error) if error.problem().is_some_and(|problem| problem.status == 403) => {
            let status = client.status(settings.task).await?;
            let offers = status.rest.get("action").map(|action| &action["commands"]);
            let offer = offers.and_then(Value::as_array).and_then(|offers| offers.iter().find(|it| is_decision(it)));
            let offer = offer.ok_or_else(|| Failure::Usage("there is nothing for you to decide now".to_owned()))?;
            let number = |name: &str| offer[name].as_u64().and_then(|number| u32::try_from(number).ok());
            Ok(Target {
                stage: status.stage.key,
                round: number("round").unwrap_or(status.round),
                revision: number("revision").unwrap_or_default(),
                escalation: offer["escalation"].as_u64(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an offer is about a stage or an escalation, and not about a question.
fn is_decision(offer: &Value) -> bool {
    matches!(
        offer["type"].as_str(),
        Some("stage_approved" | "stage_rejected" | "stage_escalated" | "escalation_resolved")
    )
}

fn command(settings: &Decide, target: &Target) -> Result<Members, Failure> {
    let Target { stage, round, revision, escalation } = target;
    let mut command = Members::new();
    let mut put = |name: &str, value: Value| command.insert(name.to_owned(), value);
    put("stage", stage.as_str().into());
    put("round", (*round).into());
    put("revision", (*revision).into());
    let word = match (settings.verb, escalation) {
        (Verb::Approve, None) => "stage_approved",
        (Verb::Reject, None) => "stage_rejected",
        (Verb::Escalate, None) => "stage_escalated",
        (Verb::Approve | Verb::Reject | Verb::Escalate | Verb::Return, Some(_)) => "escalation_resolved",
        (Verb::Return, None) => {
            return Err(Failure::Usage("return: the task has no open escalation to give back".to_owned()));
        }
    };
    put("type", word.into());
    if let Some(seq) = escalation {
        put("escalation", (*seq).into());
        let resolution = match settings.verb {
            Verb::Approve => "approve",
            Verb::Reject => "reject",
            Verb::Escalate => "redirect",
            Verb::Return => "return",
        };
        put("resolution", resolution.into());
    }
    if let Some(summary) = &settings.feedback {
        put("feedback", feedback(settings, summary));
    }
    let reason = if escalation.is_some() { "advice" } else { "reason" };
    for (name, value) in [("return_to", &settings.return_to), ("to", &settings.to), (reason, &settings.reason)] {
        if let Some(value) = value {
            put(name, value.as_str().into());
        }
    }
    Ok(command)
}

fn feedback(settings: &Decide, summary: &str) -> Value {
    let item = |text: &String, blocking: bool| json!({ "text": text, "blocking": blocking });
    let blocking = settings.blocking.iter().map(|text| item(text, true));
    let items: Vec<_> = blocking.chain(settings.could.iter().map(|text| item(text, false))).collect();
    let mut feedback = json!({ "summary": summary, "items": items, "share_with_buyer": settings.share });
    if let Some(cause) = &settings.cause {
        feedback["reason"] = cause.as_str().into();
    }
    feedback
}

fn done(verb: Verb, target: &Target) -> &'static str {
    match (verb, target.escalation) {
        (Verb::Approve, _) => "approved",
        (Verb::Reject, _) => "rejected",
        (Verb::Escalate, None) => "escalated",
        (Verb::Escalate, Some(_)) => "passed on",
        (Verb::Return, _) => "returned",
    }
}
