//! What the pages of a task show a buyer: the status, the latest part of the trail as the buyer may
//! read it, and what each offered command would do.

use std::sync::Arc;

use serde_json::Value;

use crate::app::status::{AtLeast, Status as Packed};
use crate::app::tasks::commands::{Request, Target, View};
use crate::app::{Caller, Error};
use crate::domain::audit::EntryView;
use crate::domain::task::forecast::Forecast;
use crate::domain::task::status::Status;
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::problem::{Code, Problem};
use crate::http::routes::command_body;
use crate::pages::frame::Frame;
use crate::pages::live;

use super::choice::Choice;

/// How many entries of the trail a page shows.
const RECENT: u64 = 200;

/// Who reads a task.
#[derive(Clone, Copy, Debug)]
pub(in crate::pages) struct Reader<'a> {
    /// The service.
    pub(in crate::pages) state: &'a AppState,
    /// The buyer.
    pub(in crate::pages) caller: &'a Caller,
}

/// A task as its buyer sees it at one moment.
#[derive(Debug)]
pub(in crate::pages) struct Loaded {
    /// The status.
    pub(super) status: Status,
    /// How long it may still take.
    pub(super) forecast: Forecast,
    /// The title; none once it was erased.
    pub(super) title: Option<String>,
    /// The latest entries of the trail, the oldest first.
    pub(super) entries: Vec<EntryView>,
    /// Whether there are earlier entries.
    pub(super) has_earlier: bool,
    /// What the buyer can send.
    pub(super) offers: Vec<Offer>,
}

/// A command that the buyer can send now.
#[derive(Clone, Debug)]
pub(in crate::pages) struct Offer {
    /// The command.
    pub(super) choice: Choice,
    /// The status that it would lead to, or the code with which it would be refused.
    pub(super) outcome: Result<Box<Status>, Code>,
}

impl Loaded {
    /// The offer of a choice.
    pub(super) fn offer(&self, choice: Choice) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.choice == choice)
    }

    /// The entry with this `seq`, if it is among the latest.
    pub(super) fn entry(&self, seq: u64) -> Option<&EntryView> {
        self.entries.iter().find(|entry| entry.seq == seq)
    }

    /// The display name of a stage.
    pub(super) fn stage_name<'a>(&'a self, key: &'a str) -> &'a str {
        let stage = self.status.stages.iter().find(|stage| stage.key.as_str() == key);
        stage.map_or(key, |stage| stage.name.as_str())
    }
}

impl Reader<'_> {
    /// The newest status; not older than the version `seen`, if that exists.
    pub(in crate::pages) async fn status(&self, task: TaskId, seen: u64) -> Result<Arc<Packed>, Error> {
        let at_least = AtLeast { seen, required: 0 };
        self.state.app.statuses.get_task_status(self.caller, task, at_least).await
    }

    /// The newest status and the tag of what a page shows of it.
    pub(in crate::pages) async fn tagged_status(
        &self,
        task: TaskId,
        frame: &Frame,
    ) -> Result<(String, Arc<Packed>), Error> {
        let packed = self.status(task, 0).await?;
        Ok((tag(&packed, frame), packed))
    }

    /// Everything that the page of a task shows.
    pub(in crate::pages) async fn load(&self, packed: &Packed) -> Result<Loaded, Error> {
        let json = self.state.app.statuses.answer_status(packed).await;
        let status: Status = parse(&json)?;
        let (entries, has_earlier) = self.recent(packed).await?;
        let title = match entries.first().filter(|_| !has_earlier) {
            Some(opening) => title_of(opening),
            None => self.entries(packed.task_id, 0, 1).await?.0.first().and_then(title_of),
        };
        let offers = self.offers(packed.task_id, &status).await?;
        Ok(Loaded { forecast: parse(&json)?, status, title, entries, has_earlier, offers })
    }

    /// The latest entries of the trail, and whether there are earlier ones.
    async fn recent(&self, packed: &Packed) -> Result<(Vec<EntryView>, bool), Error> {
        let before = packed.as_of.saturating_sub(RECENT);
        let (mut entries, mut has_more) = self.entries(packed.task_id, before, RECENT).await?;
        // A page ends early where texts are long.
        while has_more && (entries.len() as u64) < RECENT {
            let last = entries.last().map_or(before, |entry| entry.seq);
            let (next, more) = self.entries(packed.task_id, last, RECENT).await?;
            has_more = more && !next.is_empty();
            entries.extend(next);
        }
        Ok((entries, before > 0))
    }

    async fn entries(&self, task: TaskId, after: u64, limit: u64) -> Result<(Vec<EntryView>, bool), Error> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let page = self.state.app.audit.task_trails.get_task_audit(self.caller, task, after, limit).await?;
        Ok((page.rows, page.more))
    }

    /// What the status offers, and stopping the task: each tried without storing anything. What the
    /// link is not for is left out.
    async fn offers(&self, task: TaskId, status: &Status) -> Result<Vec<Offer>, Error> {
        let ready = status.action.iter().flat_map(|action| &action.commands);
        let offered = ready.filter_map(|ready| Some((Choice::of(ready)?, ready)));
        let reason = status.action.as_ref().and_then(|action| action.reasons.first());
        let mut tries: Vec<_> = offered.map(|(choice, ready)| (choice, choice.members_of(ready, reason))).collect();
        if !status.phase.is_terminal() {
            tries.push((Choice::Cancel, Choice::Cancel.smallest()));
        }
        if tries.is_empty() {
            return Ok(Vec::new());
        }
        let target = self.state.app.tasks.commands.find_target(self.caller, task).await?;
        let mut offers = Vec::with_capacity(tries.len());
        for (choice, members) in tries {
            let outcome = match self.try_out(target.clone(), members).await {
                Ok(status) => Ok(status),
                Err(problem) if problem.code().status().is_server_error() => {
                    return Err(Error::Unavailable(Arc::new(Untried(problem.code().as_str()))));
                }
                Err(problem) => Err(problem.code()),
            };
            let is_for_others = matches!(outcome, Err(Code::KeyScope | Code::KeyActor));
            // Stopping is not of the status, so it is offered only where it is possible.
            let is_impossible = choice == Choice::Cancel && outcome.is_err();
            if !is_for_others && !is_impossible {
                offers.push(Offer { choice, outcome });
            }
        }
        Ok(offers)
    }

    async fn try_out(&self, target: Target, members: super::choice::Members) -> Result<Box<Status>, Problem> {
        let request = command_body::parse(members, self.caller, None, self.state.app.clock().now())?;
        let request = Request { dry_run: true, ..request };
        let answer = self.state.app.tasks.commands.post_event(self.caller, target, request).await?;
        status_of(answer.view).ok_or_else(|| Problem::internal("the buyer gets another view than the status"))
    }
}

/// The tag of what a page shows: another one for another status or language.
pub(in crate::pages) fn tag(packed: &Packed, frame: &Frame) -> String {
    live::tag(format_args!("{}-{}", packed.version, frame.t.language.tag()))
}

/// The status in the answer to a buyer's command.
pub(super) fn status_of(view: View) -> Option<Box<Status>> {
    match view {
        View::Status(view) => Some(Box::new(view.status)),
        View::Task(_) => None,
    }
}

/// A command could not be tried.
#[derive(Debug, thiserror::Error)]
#[error("a command could not be tried: {0}")]
struct Untried(&'static str);

fn title_of(opening: &EntryView) -> Option<String> {
    opening.data.as_ref()?.get("title").and_then(Value::as_str).map(ToOwned::to_owned)
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| Error::Internal(Arc::new(error)))
}
