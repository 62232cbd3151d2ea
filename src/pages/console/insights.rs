//! Insights: where the time of a workflow's closed tasks went, and how its stages do.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::Caller;
use crate::app::analytics::Wanted;
use crate::domain::analytics::{Analytics, MAX_SPAN_SECONDS};
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::time::Time;
use crate::domain::webhook::Owner;
use crate::http::AppState;
use crate::pages::frame::{Frame, render};
use crate::pages::headers;
use crate::pages::problem::PageError;
use crate::pages::query::Query;
use crate::pages::session::Visitor;
use crate::pages::texts::written;
use crate::pages::times::{TimeTag, typed_time};

use super::slips::{self, Slip};
use super::tasks::{by_name, outcome};
use super::{Answer, enter};
use chart::Chart;
use rows::{EndRow, StageRow};

mod chart;
mod rows;
mod sheet;

const PATH: &str = "/insights";
/// The workflows that the form offers.
const WORKFLOWS: u32 = 200;

#[derive(Template)]
#[template(path = "console/insights.html", config = "src/pages/askama.toml")]
struct InsightsPage {
    frame: Frame,
    slips: Vec<Slip>,
    query: Query,
    is_platform: bool,
    workflows: Vec<Offered>,
    shown: Option<Shown>,
}

/// A workflow in the form.
struct Offered {
    key: String,
    name: String,
    is_chosen: bool,
}

/// The statistics of one version.
struct Shown {
    version: u32,
    from: TimeTag,
    until: TimeTag,
    since: Option<TimeTag>,
    tasks: u64,
    more: bool,
    bottleneck: Option<String>,
    ends: Vec<EndRow>,
    delivery: Option<String>,
    stages: Vec<StageRow>,
    times: Chart,
    parties: Chart,
    sheet: String,
}

/// What the address selects. Nothing is selected while a partner or workflow is not chosen.
struct Selection {
    partner: Option<PartnerId>,
    key: Option<WorkflowKey>,
    version: Option<u32>,
    from: Time,
    until: Time,
}

/// The page.
pub(super) async fn get_insights(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    let owner = enter(&visitor)?;
    let mut selection = select(&state, owner, &mut query);
    let workflows = offer(&visitor, &state, &mut selection).await?;
    let found = if query.mistakes().is_empty() { read(&visitor, &state, &selection).await? } else { None };
    let t = visitor.untitled().t;
    let title = match workflows.iter().find(|offered| offered.is_chosen).filter(|_| found.is_some()) {
        Some(chosen) => t.with("insights-of", "name", written(&chosen.name)),
        None => t.text("insights"),
    };
    let frame = visitor.frame(title);
    let slips = slips::of(&query, &frame);
    let shown = found.map(|analytics| Shown::of(&analytics, &frame, owner));
    let (status, frame) = outcome(frame, &slips);
    let is_platform = owner == Owner::Platform;
    Ok(render(status, &InsightsPage { frame, slips, query, is_platform, workflows, shown }))
}

/// The table as a file for spreadsheets.
pub(super) async fn get_sheet(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    let owner = enter(&visitor)?;
    let selection = select(&state, owner, &mut query);
    let found = if query.mistakes().is_empty() { read(&visitor, &state, &selection).await? } else { None };
    let Some(analytics) = found else {
        return Err(PageError::new(super::Kind::NotFound, visitor.untitled()));
    };
    let failed = |error| PageError::of(crate::app::Error::Internal(std::sync::Arc::new(error)), visitor.untitled());
    let text = sheet::write(&analytics).map_err(failed)?;
    let name = format!("attachment; filename=\"insights-{}-{}.csv\"", analytics.workflow, analytics.version);
    let mut response = (StatusCode::OK, text).into_response();
    set_headers(&mut response, &name);
    Ok(response)
}

fn set_headers(response: &mut Response, disposition: &str) {
    let all = response.headers_mut();
    headers::set(all);
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    all.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if let Ok(disposition) = HeaderValue::from_str(disposition) {
        all.insert(header::CONTENT_DISPOSITION, disposition);
    }
}

fn select(state: &AppState, owner: Owner, query: &mut Query) -> Selection {
    let partner = match owner {
        Owner::Partner(partner) => Some(partner),
        Owner::Platform => query.read("partner", by_name),
    };
    let key = query.read("workflow", |text| WorkflowKey::parse(text).ok());
    let version = query.read("version", |text| text.parse().ok().filter(|version| *version > 0));
    let (from, until) = (query.read("since", typed_time), query.read("until", typed_time));
    let (from, until) = state.app.analytics.span(from, until);
    if from >= until || (until - from).num_seconds() > i64::from(MAX_SPAN_SECONDS) {
        query.wrong("span", ());
    }
    Selection { partner, key, version, from, until }
}

/// The partner's workflows, for the form. Without a choice the first one is chosen.
async fn offer(visitor: &Visitor, state: &AppState, selection: &mut Selection) -> Result<Vec<Offered>, PageError> {
    let Some(partner) = selection.partner else { return Ok(Vec::new()) };
    let listed = state.app.workflows.list_workflows(partner, None, WORKFLOWS).await;
    let records = listed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    if selection.key.is_none() {
        selection.key = records.first().map(|first| first.key.clone());
    }
    let offered = |record: &crate::app::workflows::Record| Offered {
        key: record.key.to_string(),
        name: record.workflow.name.to_string(),
        is_chosen: selection.key.as_ref() == Some(&record.key),
    };
    Ok(records.iter().map(offered).collect())
}

async fn read(visitor: &Visitor, state: &AppState, selection: &Selection) -> Result<Option<Analytics>, PageError> {
    let Selection { partner: Some(partner_id), key: Some(key), version, from, until } = selection else {
        return Ok(None);
    };
    let (key, version, from, until) = (key.clone(), *version, *from, *until);
    let caller: &Caller = &visitor.caller;
    let wanted = Wanted { partner_id: *partner_id, key, version, from, until };
    let found = state.app.analytics.get_workflow_analytics(caller, wanted).await;
    found.map(Some).map_err(|error| PageError::of(error, visitor.untitled()))
}

impl Shown {
    fn of(analytics: &Analytics, frame: &Frame, owner: Owner) -> Self {
        let t = frame.t;
        let stages: Vec<StageRow> = analytics.stages.iter().map(|stage| StageRow::of(stage, t)).collect();
        let delivery = analytics.delivery_seconds.filter(|_| rows::are_enough(delivered(analytics)));
        let time = |time: Time| frame.times.tag(&time);
        Self {
            version: analytics.version,
            from: time(analytics.from),
            until: time(analytics.until),
            since: analytics.since.map(time),
            tasks: analytics.tasks,
            more: analytics.more,
            bottleneck: rows::bottleneck(analytics, t),
            ends: rows::ends(analytics),
            delivery: delivery.map(|times| rows::half_and_most(t, times)),
            times: Chart::of_times(analytics, t),
            parties: Chart::of_parties(analytics, t),
            stages,
            sheet: sheet_address(analytics, owner),
        }
    }
}

fn delivered(analytics: &Analytics) -> u64 {
    analytics.ends.map_or(0, |ends| ends.delivery)
}

fn sheet_address(analytics: &Analytics, owner: Owner) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if owner == Owner::Platform {
        query.append_pair("partner", &analytics.partner_id.to_string());
    }
    query.append_pair("workflow", analytics.workflow.as_str()).append_pair("version", &analytics.version.to_string());
    query.append_pair("since", &analytics.from.to_string()).append_pair("until", &analytics.until.to_string());
    format!("{PATH}/table.csv?{}", query.finish())
}
