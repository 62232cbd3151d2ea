//! The erasures of personal data, for the platform's operators.

use askama::Template;
use axum::extract::State;

use crate::app::erasures::{Listed, Record, State as Progress};
use crate::domain::values::id::ErasureId;
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::times::TimeTag;

use super::slips::{self, Slip};
use super::tasks::outcome;
use super::{Answer, enter_as_platform, words};
use crate::pages::query::Query;

const PATH: &str = "/erasures";
/// The rows of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "console/erasures.html", config = "src/pages/askama.toml")]
struct ErasuresPage {
    frame: Frame,
    slips: Vec<Slip>,
    rows: Vec<ErasureRow>,
    next: Option<String>,
}

struct ErasureRow {
    id: String,
    state: &'static str,
    party: Option<&'static str>,
    reason: Option<String>,
    requested: Option<TimeTag>,
    finished: Option<TimeTag>,
    progress: String,
}

/// The list of erasures.
pub(super) async fn get_erasures(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    enter_as_platform(&visitor)?;
    let after: Option<ErasureId> = query.cursor();
    let listed = state.app.erasures.list_erasures(after, ROWS + 1).await;
    let mut listed = listed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let more = listed.len() > ROWS as usize;
    listed.truncate(ROWS as usize);
    let next = listed.last().filter(|_| more).map(|(id, _)| query.next(PATH, *id));
    let frame = visitor.frame(visitor.untitled().t.text("console-erasures"));
    let slips = slips::of(&query, &frame);
    let rows = listed.into_iter().map(|row| ErasureRow::of(row, &frame)).collect();
    let (status, frame) = outcome(frame, &slips);
    Ok(render(status, &ErasuresPage { frame, slips, rows, next }))
}

impl ErasureRow {
    fn of((id, record): Listed, frame: &Frame) -> Self {
        match record {
            Ok(record) => Self::readable(&record, frame),
            Err(why) => Self {
                id: id.to_string(),
                state: words::unreadable(why),
                party: None,
                reason: None,
                requested: None,
                finished: None,
                progress: String::new(),
            },
        }
    }

    fn readable(record: &Record, frame: &Frame) -> Self {
        Self {
            id: record.id.to_string(),
            state: match record.state {
                Progress::Pending => "console-erasure-pending",
                Progress::Running => "console-erasure-running",
                Progress::Waiting => "console-erasure-waiting",
                Progress::Done => "console-erasure-done",
            },
            party: Some(words::party(record.party)),
            reason: Some(record.reason.to_string()),
            requested: Some(frame.times.tag(&record.requested_at)),
            finished: record.finished_at.map(|at| frame.times.tag(&at)),
            progress: progress(record, frame),
        }
    }
}

fn progress(record: &Record, frame: &Frame) -> String {
    let numbers = [
        ("tasks", record.progress.tasks.into()),
        ("waiting", record.progress.waiting.into()),
        ("failing", record.progress.failing.into()),
    ];
    frame.t.with_all("console-erasure-progress", numbers).into_owned()
}
