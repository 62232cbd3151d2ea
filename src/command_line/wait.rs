//! `stagegate wait`: until a task's status changes, or is in a phase.

use crate::client::{Stagegate, Status, Wait};
use crate::config::WaitArguments;

use super::failure::Failure;
use super::output::Output;
use super::sending::of_status;

/// The word for the end of a task, whichever it is.
const END: &str = "end";

pub(super) async fn run(settings: &WaitArguments, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let task = settings.task;
    let first = match (&settings.until, settings.after) {
        // The present status does not count.
        (None, None) => Some(client.status(task).await?),
        _ => None,
    };
    if let Some(first) = &first {
        out.progress(format_args!("waiting · {} · version {}", first.label, first.version));
    }
    let after = settings.after.or(first.as_ref().map(|status| status.version));
    let (wait, mut last) = (Wait { after, timeout: settings.timeout, ..Wait::default() }, first);
    let met = client
        .wait(task, wait, |status| {
            out.progress(format_args!("waiting · {} · version {}", status.label, status.version));
            last = Some(status.clone());
            settings.until.as_deref().is_none_or(|wanted| is_there(status, wanted))
        })
        .await?;
    let Some(status) = met else {
        let last = match last {
            Some(last) => last,
            None => client.status(task).await?,
        };
        return Err(Failure::NotMet(not_met(&last, settings)));
    };
    if out.is_json() { Ok(out.json(&status)?) } else { Ok(out.cells(&of_status(&status))?) }
}

fn is_there(status: &Status, wanted: &str) -> bool {
    status.phase == wanted || wanted == END && status.has_ended()
}

fn not_met(last: &Status, settings: &WaitArguments) -> String {
    let Status { label, phase, version, .. } = last;
    let place = format!("{label} · {phase} · version {version}");
    if last.has_ended() {
        format!("the task has ended, and its status will not change: {place}")
    } else {
        format!("nothing to report after {} s: {place}", settings.timeout.as_secs())
    }
}
