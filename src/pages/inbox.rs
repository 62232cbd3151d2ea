//! `/inbox`: what waits for the visitor, the most urgent first.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;

use crate::app::Error;
use crate::app::tasks::inbox::{DueAfter, Filter, Reviews};
use crate::domain::link::LinkKind;
use crate::domain::task::PhaseName;
use crate::domain::task::unreadable::ListedTask;
use crate::domain::values::id::{StageKey, TaskId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::http::input::deadline::Deadline;

use super::frame::{Frame, render};
use super::problem::{Kind, PageError};
use super::query::Query;
use super::session::Visitor;
use super::task_work::view::digest;
use super::texts::Texts;
use super::{Page, live};

use self::rows::Group;

mod rows;

/// How many tasks a page shows.
const ROWS: usize = 50;

/// The rows of the table of routes.
pub(super) fn pages() -> Vec<Page> {
    vec![Page { method: Method::GET, path: "/inbox", name: "page_inbox", handler: get(get_inbox) }]
}

/// What the address selects.
#[derive(Clone, Debug, Default)]
struct Selection {
    stage: Option<StageKey>,
    workflow: Option<WorkflowKey>,
    overdue: bool,
    /// Whether to show what others of the party must do as well.
    all: bool,
    after: Option<DueAfter>,
}

impl Selection {
    /// Reads the address. What is no key selects nothing.
    fn of(query: &Query) -> Self {
        let due_at = query.get("due").and_then(|due| due.parse().ok()).map(Time::from_micros);
        let after = query.get("after").and_then(|id| id.parse().ok());
        Self {
            stage: query.get("stage").and_then(|key| StageKey::parse(key).ok()),
            workflow: query.get("workflow").and_then(|key| WorkflowKey::parse(key).ok()),
            overdue: query.get("overdue").is_some(),
            all: query.get("all").is_some(),
            after: after.map(|task_id| DueAfter { due_at, task_id: TaskId(task_id) }),
        }
    }

    /// The parameters of the address, without those of the page.
    fn parameters(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(stage) = &self.stage {
            query.append_pair("stage", stage.as_str());
        }
        if let Some(workflow) = &self.workflow {
            query.append_pair("workflow", workflow.as_str());
        }
        for (name, is_set) in [("overdue", self.overdue), ("all", self.all)] {
            if is_set {
                query.append_pair(name, "yes");
            }
        }
        query.finish()
    }

    /// Whether it is the first page. Only that one asks for news.
    fn is_first(&self) -> bool {
        self.after.is_none()
    }

    fn is_filtered(&self) -> bool {
        self.stage.is_some() || self.workflow.is_some() || self.overdue
    }
}

/// The page.
#[derive(Template)]
#[template(path = "work/inbox.html", config = "src/pages/askama.toml")]
struct InboxPage {
    frame: Frame,
    t: Texts,
    counts: Counts,
    groups: Vec<Group>,
    /// The address of the next page.
    more: Option<String>,
    /// Where the page asks for news.
    live: String,
    tag: String,
    /// What is selected, for the fields of the filter.
    selection: Selection,
    /// The stages and workflows that can be selected: value and words.
    stages: Vec<(String, bool)>,
    workflows: Vec<(String, bool)>,
}

/// What is new of the inbox.
#[derive(Template)]
#[template(path = "work/inbox_live.html", config = "src/pages/askama.toml")]
struct InboxNews {
    frame: Frame,
    t: Texts,
    counts: Counts,
}

/// The counts in words, from the same answer as the rows.
#[derive(Clone, Debug)]
struct Counts {
    /// How many wait.
    sentence: String,
    /// How many more wait for others of the party.
    others: Option<String>,
    /// How many came since the page was made, and where to see them.
    news: Option<(String, String)>,
}

/// The inbox, or what is new of it.
async fn get_inbox(
    State(state): State<AppState>,
    visitor: Visitor,
    query: Query,
    deadline: Deadline,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let has_inbox = visitor.reach.kind == LinkKind::Inbox && visitor.party() != Party::Buyer;
    if !has_inbox {
        return Err(PageError::new(Kind::NotAllowed, visitor.untitled()));
    }
    if query.get("part") == Some("live") {
        return get_news(&state, &visitor, &query, (&deadline, &headers)).await;
    }
    let selection = Selection::of(&query);
    let found = find(&state, &visitor, &selection).await.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(render(StatusCode::OK, &page(&visitor, &selection, &found, state.app.clock().now())))
}

async fn find(state: &AppState, visitor: &Visitor, selection: &Selection) -> Result<Reviews, Error> {
    let actor = visitor.actor.as_ref().map(|actor| &actor.id);
    let filter = Filter {
        workflow: selection.workflow.as_ref(),
        stage: selection.stage.as_ref(),
        overdue: selection.overdue.then_some(true),
        reviewer: None,
        actor: actor.filter(|_| !selection.all),
        unclaimed: false,
    };
    let mut found = state.app.tasks.inbox.list_reviews(&visitor.caller, filter, (selection.after, ROWS)).await?;
    found.items.retain(|listed| selection.all || is_for_a_reviewer(listed, visitor.party()));
    Ok(found)
}

async fn tagged(state: &AppState, visitor: &Visitor, selection: &Selection) -> Result<(String, Reviews), Error> {
    let found = find(state, visitor, selection).await?;
    Ok((tag(&found), found))
}

/// Whether there is something to decide or to answer. The desk has no form for what else the party
/// may have to do, such as handing work in.
fn is_for_a_reviewer(listed: &ListedTask, party: Party) -> bool {
    let ListedTask::Task(task) = listed else { return true };
    let is_asked = task.question.as_ref().is_some_and(|question| question.to == party);
    is_asked || matches!(task.phase, PhaseName::InReview | PhaseName::Escalated)
}

fn page(visitor: &Visitor, selection: &Selection, found: &Reviews, now: Time) -> InboxPage {
    let t = visitor.untitled().t;
    let parameters = selection.parameters();
    let more = found.next.map(|next| {
        let due = next.due_at.map(|due| format!("&due={}", due.micros())).unwrap_or_default();
        let before = if parameters.is_empty() { String::new() } else { format!("{parameters}&") };
        format!("/inbox?{before}after={}{due}", next.task_id)
    });
    let of_live = if parameters.is_empty() { String::new() } else { format!("&{parameters}") };
    InboxPage {
        frame: visitor.frame(t.text("inbox-title")),
        t,
        counts: Counts::new(t, selection, found, None),
        groups: rows::groups(visitor, found, now),
        more,
        live: format!("/inbox?part=live&wait=25&at={}{of_live}", now.micros()),
        tag: tag(found),
        selection: selection.clone(),
        stages: choices(
            found.counts.iter().map(|count| count.stage.as_str()),
            selection.stage.as_ref().map(StageKey::as_str),
        ),
        workflows: choices(
            found.counts.iter().filter_map(|count| count.workflow.as_ref()).map(WorkflowKey::as_str),
            selection.workflow.as_ref().map(WorkflowKey::as_str),
        ),
    }
}

/// The values of a filter, each once, with the selected one.
fn choices<'a>(keys: impl Iterator<Item = &'a str>, selected: Option<&'a str>) -> Vec<(String, bool)> {
    let mut keys: Vec<&str> = keys.chain(selected).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|key| (key.to_owned(), Some(key) == selected)).collect()
}

/// The tag of an inbox: it changes with its rows and counts.
fn tag(found: &Reviews) -> String {
    let rows = found.items.iter().map(|listed| match listed {
        ListedTask::Task(task) => (task.id, task.version, task.overdue),
        ListedTask::Unreadable(task) => (task.task_id, 0, false),
    });
    live::tag(digest(&(rows.collect::<Vec<_>>(), &found.counts)))
}

/// What is new since the page was made. Rows stay where they are: a line says how many came.
async fn get_news(
    state: &AppState,
    visitor: &Visitor,
    query: &Query,
    (deadline, headers): (&Deadline, &HeaderMap),
) -> Result<Response, PageError> {
    let frame = visitor.untitled();
    let (selection, since) = (Selection { after: None, ..Selection::of(query) }, query.number("at"));
    let load = || tagged(state, visitor, &selection);
    let (tag, found) = live::wait_for_news(state, (visitor, None), (query, deadline, headers), load).await?;
    let Some(found) = found else { return Ok(live::not_modified(&tag)) };
    let since = since.and_then(|micros| i64::try_from(micros).ok()).map(Time::from_micros);
    let counts = Counts::new(frame.t, &selection, &found, since);
    let mut response = render(StatusCode::OK, &InboxNews { frame: frame.clone(), t: frame.t, counts });
    live::set_tag(&mut response, &tag);
    Ok(response)
}

impl Counts {
    fn new(t: Texts, selection: &Selection, found: &Reviews, since: Option<Time>) -> Self {
        let shown = found.items.len();
        let is_whole = found.next.is_none() && selection.after.is_none();
        let id = match (selection.is_filtered(), is_whole, selection.all) {
            (false, true, false) => "inbox-waiting",
            (false, true, true) => "inbox-waiting-all",
            (true, true, _) => "inbox-matching",
            (_, false, _) => "inbox-part",
        };
        let total: u64 = found.counts.iter().map(|count| count.waiting.tasks).sum();
        let or_more = found.counts.iter().any(|count| count.waiting.or_more);
        let others = total.saturating_sub(shown as u64);
        let has_others = is_whole && !selection.all && !selection.is_filtered() && others > 0;
        let others = has_others.then(|| {
            t.with_all("inbox-others", [("others", others.into()), ("more", u64::from(or_more).into())]).into_owned()
        });
        let new = since.map_or(0, |since| found.items.iter().filter(|listed| is_newer(listed, since)).count());
        let parameters = selection.parameters();
        let place = if parameters.is_empty() { "/inbox".to_owned() } else { format!("/inbox?{parameters}") };
        Self {
            sentence: t.with(id, "count", shown).into_owned(),
            others,
            news: (new > 0).then(|| (t.with("inbox-news", "new", new).into_owned(), place)),
        }
    }

    fn digest(&self) -> String {
        digest(self)
    }
}

/// Whether a task began to wait after the page was made.
fn is_newer(listed: &ListedTask, since: Time) -> bool {
    match listed {
        ListedTask::Task(task) => task.since > since,
        ListedTask::Unreadable(_) => false,
    }
}
