//! Reviewers who act by a script, through the ordinary commands.
//!
//! They act under a credential of the stage's reviewing party that is bound to each of them: the
//! stage's named reviewers of now in turn, or else `dev-reviewer-1` and those after it, until the stage is
//! decided. A buyer's stage is decided by the buyer.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::tasks::Filter;
use crate::app::{App, Caller, Error};
use crate::domain::partner::rights::Rights;
use crate::domain::task::PhaseName;
use crate::domain::task::unreadable::ListedTask;
use crate::domain::task::view::TaskView;
use crate::domain::values::id::{ActorId, CredentialId, KeyId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::domain::workflow::Stage;
use crate::http::problem::Problem;
use crate::http::routes::command_body;

use super::ran::Ran;
use super::scripts::{Decide, Due, Script};

/// How many tasks are read at a time.
const PAGE: u32 = 100;
/// The id of the key by which reviewers of partners act. No such key exists.
const KEY: KeyId = KeyId(Uuid::from_u128(0x00de_0000_0000_8000_8000_0000_0000_0000));

/// The tasks that are in review.
pub(super) async fn list_reviews(app: &App) -> Result<Vec<TaskView>, Error> {
    let filter = Filter { phases: &[PhaseName::InReview], ..Filter::default() };
    let (mut reviews, mut after) = (Vec::new(), None);
    loop {
        let page = app.tasks.list_tasks(&reader(), filter, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|(place, _)| *place);
        reviews.extend(page.into_iter().filter_map(|(_, listed)| match listed {
            ListedTask::Task(task) => Some(*task),
            ListedTask::Unreadable(_) => None,
        }));
        if is_last {
            return Ok(reviews);
        }
    }
}

/// The types of the events that were recorded after `version`.
pub(super) async fn events_after(app: &App, id: TaskId, version: u64) -> Result<Vec<&'static str>, Error> {
    let entries = app.audit.task_trails.get_task_audit(&reader(), id, version, PAGE).await?;
    Ok(entries.rows.into_iter().filter_map(|entry| entry.kind).collect())
}

/// Decides a review as its script says.
///
/// # Errors
///
/// If the database fails. A refusal is part of the result.
pub(super) async fn decide(app: &Arc<App>, due: &Due) -> Result<Ran, Error> {
    let task = &due.task;
    let (partner, version) = (task.partner_id, Some(task.workflow.version));
    let record = app.workflows.get_workflow(partner, &task.workflow.key, version).await?;
    let mut refused = Some("the stage is not in the workflow".to_owned());
    if let Some((_, stage)) = record.workflow.find(&task.stage.key) {
        for actor in actors(stage, task) {
            let answer = send(app, (due, stage), &actor).await?;
            if !waits_still(app, task).await? {
                refused = None;
                break;
            }
            refused = answer.or_else(|| Some("the votes do not reach the quorum".to_owned()));
        }
    }
    let at = app.clock().now();
    let events = events_after(app, task.id, task.version).await?;
    Ok(Ran::Reviewer { at, task_id: task.id, script: due.number, events, refused })
}

/// Who may decide the stage, in order.
fn actors(stage: &Stage, task: &TaskView) -> Vec<ActorId> {
    let parse = |id: String| ActorId::parse(id).expect("a short plain text");
    if stage.reviewer == Party::Buyer {
        return vec![parse(task.buyer_id.to_string())];
    }
    if stage.names_reviewers() {
        let now = task.stages.iter().find(|now| now.key == stage.key);
        let people = stage.groups().filter_map(|group| now.map_or(group.named, |now| now.people(&group)));
        return people.flatten().cloned().collect();
    }
    // One more, in case that somebody of that name submitted the work.
    let enough = stage.most_votes() + 1;
    (1..=enough).map(|number| parse(format!("dev-reviewer-{number}"))).collect()
}

/// Sends the command of one reviewer; why it was refused, if it was.
async fn send(app: &Arc<App>, (due, stage): (&Due, &Stage), actor: &ActorId) -> Result<Option<String>, Error> {
    let caller = caller(stage.reviewer, &due.task, actor);
    let members = command(&due.script, (stage, &due.task), actor);
    let request = match command_body::parse(members, &caller, None, app.clock().now()) {
        Ok(request) => request,
        Err(problem) => return Ok(Some(detail(&problem))),
    };
    let target = app.tasks.commands.find_target(&caller, due.task.id).await?;
    match app.tasks.commands.post_event(&caller, target, request).await {
        Ok(_) => Ok(None),
        Err(error @ (Error::Refused(..) | Error::Rejected(_))) => Ok(Some(detail(&Problem::from(error)))),
        Err(error) => Err(error),
    }
}

fn detail(problem: &Problem) -> String {
    problem.body(None).detail.into_owned()
}

/// The command as the API takes it.
fn command(script: &Script, (stage, task): (&Stage, &TaskView), actor: &ActorId) -> Map<String, Value> {
    let feedback = script.feedback.as_ref();
    let mut body = match script.decide {
        Decide::Approve => json!({ "type": "stage_approved", "feedback": feedback }),
        Decide::Reject => {
            let mut feedback =
                feedback.map_or_else(|| json!({ "summary": "Rejected by a script." }), |given| json!(given));
            if let (None, Some(reason)) = (feedback.get("reason"), stage.on_reject.reasons.first()) {
                feedback["reason"] = json!(reason.key);
            }
            json!({ "type": "stage_rejected", "feedback": feedback })
        }
        Decide::Escalate => {
            let to = stage.escalation.to.first().copied().unwrap_or(Party::Platform);
            let reason = feedback.map_or_else(|| json!("Escalated by a script."), |given| json!(given.summary));
            json!({ "type": "stage_escalated", "to": to, "reason": reason })
        }
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    for (name, value) in
        [("stage", json!(task.stage.key)), ("round", json!(task.round)), ("revision", json!(task.revision))]
    {
        body[name] = value;
    }
    if stage.reviewer != Party::Buyer {
        body["actor"] = json!({ "id": actor });
    }
    match body {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// Whether the task still waits for the same decision.
async fn waits_still(app: &App, task: &TaskView) -> Result<bool, Error> {
    let now = app.tasks.get_task(&reader(), task.id).await?;
    let place = |task: &TaskView| (task.phase, task.stage.key.clone(), task.round, task.revision);
    Ok(place(&now) == place(task))
}

/// A credential of the party that is bound to the actor.
fn caller(party: Party, task: &TaskView, actor: &ActorId) -> Caller {
    match party {
        Party::Partner => {
            let rights = Rights { actors: Some(vec![actor.clone()]), ..Rights::default() };
            Caller::Partner { partner_id: task.partner_id, key_id: KEY, rights: Arc::new(rights), through: None }
        }
        Party::Buyer => Caller::Buyer {
            buyer_id: task.buyer_id,
            credential_id: credential_id(),
            expires_at: Time::from_micros(i64::MAX),
            through: None,
        },
        Party::Platform => {
            Caller::Platform { credential_id: credential_id(), person: Some(actor.clone()), through: None }
        }
    }
}

/// The caller as whom the development service reads.
pub(super) fn reader() -> Caller {
    Caller::Platform { credential_id: credential_id(), person: None, through: None }
}

fn credential_id() -> CredentialId {
    CredentialId::parse("dev").expect("a short word")
}
