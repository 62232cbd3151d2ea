//! `stagegate tail`: the feed, one line for each event.

use std::collections::VecDeque;

use serde_json::Value;

use crate::client::{FeedEvent, Follow, Retry, Stagegate};
use crate::config::Tail;

use super::failure::Failure;
use super::output::{DIM, Output, STRONG, plain};

/// How often a request is sent again: a service that is being replaced is away for a minute or two.
const RETRIES: u32 = 12;

pub(super) async fn run(settings: &Tail, client: Stagegate, out: &mut Output) -> Result<(), Failure> {
    let client = client.with_retry(Retry { retries: RETRIES, ..Retry::default() });
    let from_here = settings.all || settings.after.is_some();
    let mut feed = client.follow(settings.after.clone(), from_here && !settings.no_follow);
    if !from_here {
        for event in last(settings, &mut feed, out).await? {
            show(&event, out)?;
        }
        if settings.no_follow {
            return Ok(());
        }
        feed.go_live();
    }
    out.progress(format_args!("following"));
    while let Some(event) = feed.next().await? {
        if is_wanted(&event, settings) {
            show(&event, out)?;
            out.progress(format_args!("following"));
        }
    }
    Ok(())
}

/// Reads what there is, and keeps the last events.
async fn last(settings: &Tail, feed: &mut Follow<'_>, out: &mut Output) -> Result<VecDeque<FeedEvent>, Failure> {
    let (mut kept, mut read) = (VecDeque::new(), 0_u64);
    while let Some(event) = feed.next().await? {
        read += 1;
        if read.is_multiple_of(100) {
            out.progress(format_args!("read {read} events"));
        }
        if is_wanted(&event, settings) {
            kept.push_back(event);
        }
        if kept.len() > settings.last as usize {
            kept.pop_front();
        }
    }
    Ok(kept)
}

fn is_wanted(event: &FeedEvent, settings: &Tail) -> bool {
    settings.task.is_none_or(|task| event.item["task_id"].as_str() == Some(&task.to_string()))
}

fn show(event: &FeedEvent, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(event)?);
    }
    let item = &event.item;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seq = item["seq"].as_u64().map_or_else(String::new, |seq| seq.to_string());
    let kind = item["type"].as_str().unwrap_or("(not for this party)");
    let place = item["task_id"].as_str().or(item["webhook"].as_str()).unwrap_or_default();
    let cells = [
        (format!("{:<27}", text(&item["recorded_at"])), DIM),
        plain(place),
        plain(format!("{seq:>4}")),
        (format!("{kind:<28}"), STRONG),
        plain(format!("{:<18}", who(&item["event"]))),
        (text(&item["status"]["label"]), DIM),
    ];
    Ok(out.cells(&cells)?)
}

/// The party, and the person as far as it is shown.
fn who(event: &Value) -> String {
    let party = event["party"].as_str().unwrap_or_default();
    match event["actor"]["id"].as_str().or(event["actor"]["as"].as_str()) {
        Some(actor) => format!("{party}, {actor}"),
        None => party.to_owned(),
    }
}
