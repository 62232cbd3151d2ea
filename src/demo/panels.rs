//! The second act of the demo: a stage in which two groups must agree.

use std::io::Write;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Task;
use crate::domain::values::party::Party;
use crate::ids;
use crate::terminal::say;

use super::Error;
use super::stage::{Parties, Stage};

/// The workflow of this act; registering it again makes no new version.
const WORKFLOW: &str = "release";

fn definition() -> Value {
    json!({ "name": "Release", "deadline": { "within": "P14D" }, "stages": [
        { "key": "release", "name": "Release review", "buyer_label": "In release review", "panels": [
            { "key": "legal", "name": "Legal", "reviewers": ["u-anna", "u-bo"] },
            { "key": "brand", "name": "Brand", "reviewers": ["u-chi", "u-dan"], "approvals": "all" } ] } ] })
}

/// Plays another task through a stage with two panels.
pub(super) async fn play(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    let first = stage.task;
    open(stage).await?;
    let approve = |reviewer: &str| json!({ "type": "stage_approved", "stage": "release", "round": 1, "revision": 0, "actor": { "id": reviewer } });
    stage
        .send("Anna approves. One vote is enough for Legal, and Brand is open.", Party::Partner, approve("u-anna"))
        .await?;
    stage.send("Chi approves. Brand needs all of its people.", Party::Partner, approve("u-chi")).await?;
    stage.send("Dan approves: now every panel has.", Party::Partner, approve("u-dan")).await?;
    stage.task = first;
    Ok(())
}

async fn open(stage: &mut Stage<'_, impl Write>) -> Result<(), Error> {
    let what = "A second workflow has a stage in which two panels must agree.";
    let (path, body) = (format!("/workflows/{WORKFLOW}"), definition());
    stage.tell(what, Party::Partner, &format!("PUT {path}"), &body)?;
    let made = stage.ask(Party::Partner, Method::PUT, &path, Some(&body)).await?;
    say!(stage.out, "    answer    version {}", made["version"])?;
    stage.task = ids::new();
    let Parties { partner_id, buyer_id, .. } = stage.parties;
    let body = json!({
        "id": stage.task, "partner_id": partner_id, "buyer_id": buyer_id,
        "workflow": { "key": WORKFLOW, "version": made["version"] }, "title": "The release",
    });
    stage.tell("AITasker opens a task on it.", Party::Platform, "POST /tasks", &body)?;
    let Task { version, .. } = stage.parties.of(Party::Platform).open_task(&body).await?;
    stage.answered(StatusCode::CREATED, &format!("version {version} of the task"))?;
    stage.show_buyer().await
}
