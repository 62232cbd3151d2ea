//! Sending a command to a task, and what it did.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::client::{CommandResult, Error, Stagegate, Status, Task};
use crate::config::Sending;
use crate::ids;

use super::failure::Failure;
use super::output::{Cell, DIM, GOOD, Output, STRONG, plain};

/// The members of a command.
pub(super) type Members = Map<String, Value>;

/// Sends a command and prints what it did; `what` names it.
pub(super) async fn send(
    (client, task): (&Stagegate, Uuid),
    (what, mut command): (&str, Members),
    sending: &Sending,
    out: &mut Output,
) -> Result<(), Failure> {
    if let Some(actor) = &sending.actor {
        command.insert("actor".to_owned(), json!({ "id": actor }));
    }
    if let Some(note) = &sending.note {
        command.insert("note".to_owned(), note.as_str().into());
    }
    if sending.dry_run {
        let result = client.dry_run(task, &command).await?;
        return show(&result, (&format!("dry run, nothing was stored: {what}"), None), out);
    }
    let id = match sending.id {
        Some(id) => id,
        None => ids::new(),
    };
    out.progress(format_args!("sending {what}"));
    out.unknown = Some(id);
    let sent = client.command(task, &command, Some(id)).await;
    out.unknown = Some(id).filter(|_| sent.as_ref().is_err_and(Error::may_have_had_effect));
    show(&sent?, (what, Some(id)), out)
}

fn show(result: &CommandResult, (what, id): (&str, Option<Uuid>), out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(result)?);
    }
    let again = if result.replayed { "(it was already carried out; this is its first answer)" } else { "" };
    out.cells(&[(what.to_owned(), GOOD), plain(again)])?;
    out.cells(&[plain(" "), (result.types().join(", "), DIM)])?;
    if let Some(task) = &result.task {
        out.cells(&of_task(task))?;
    }
    if let Some(status) = &result.status {
        out.cells(&of_status(status))?;
    }
    if let Some(id) = id {
        out.cells(&[(format!("  id {id}"), DIM)])?;
    }
    Ok(())
}

/// Where a task stands.
pub(super) fn of_task(task: &Task) -> Vec<Cell> {
    standing(&task.label, (&task.phase, task.version), task.waiting_on.as_deref())
}

/// Where a task stands, as its buyer reads it.
pub(super) fn of_status(status: &Status) -> Vec<Cell> {
    standing(&status.label, (&status.phase, status.version), status.waiting_on.as_deref())
}

fn standing(label: &str, (phase, version): (&str, u64), waiting_on: Option<&str>) -> Vec<Cell> {
    let waits = waiting_on.map_or_else(|| "ended".to_owned(), |party| format!("waits on the {party}"));
    vec![(label.to_owned(), STRONG), plain(format!("· {phase} · {waits} · version {version}"))]
}
