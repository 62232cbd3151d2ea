//! `stagegate why`: whom a task waits on, and what one person can do about it.

use serde_json::Value;

use crate::client::{Stagegate, Why, WhyCommand};
use crate::config::WhyArguments;

use super::failure::Failure;
use super::output::{BAD, Cell, DIM, GOOD, Output, STRONG, plain};

pub(super) async fn run(settings: &WhyArguments, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let why = client.why(settings.task, settings.actor.as_deref()).await?;
    if out.is_json() {
        return Ok(out.json(&why)?);
    }
    let Why { waiting_on, since, due_at, you, rest } = &why;
    match waiting_on {
        Some(party) => out.cells(&[(format!("waits on the {party}"), STRONG), plain(format!("since {since}"))])?,
        None => out.cells(&[("ended".to_owned(), STRONG), plain(since)])?,
    }
    if let Some(due_at) = due_at {
        out.line(format!("due {due_at}{}", then(rest.get("then"))))?;
    }
    needs(rest.get("needs").unwrap_or(&Value::Null), out)?;
    let who = settings.actor.as_deref().unwrap_or("you");
    out.line("")?;
    out.line(format!("What {who} can do now:"))?;
    let (can, cannot): (Vec<_>, Vec<_>) = you.iter().partition(|ability| ability.allowed);
    let rows: Vec<_> = can.into_iter().chain(cannot).map(row).collect();
    Ok(out.table(&rows)?)
}

fn then(then: Option<&Value>) -> String {
    let word = |name: &str| then.and_then(|then| then[name].as_str());
    match (word("action"), word("to")) {
        (Some(action), Some(to)) => format!(", then: {action} to the {to}"),
        (Some(action), None) => format!(", then: {action}"),
        (None, _) => String::new(),
    }
}

fn needs(needs: &Value, out: &mut Output) -> Result<(), Failure> {
    let votes = |name: &str| Some((needs[name]["have"].as_u64()?, needs[name]["want"].as_u64()?));
    for name in ["approvals", "rejections"] {
        if let Some((have, want)) = votes(name) {
            out.line(format!("{name}: {have} of {want}"))?;
        }
    }
    for panel in needs["panels"].as_array().into_iter().flatten() {
        let text = |name: &str| panel[name].as_str().unwrap_or_default().to_owned();
        let count = |name: &str| panel["approvals"][name].as_u64().unwrap_or_default();
        let (have, want) = (count("have"), count("want"));
        out.line(format!("panel {} ({}): {}, approvals: {have} of {want}", text("key"), text("name"), text("state")))?;
    }
    if let Some(eligible) = needs["eligible"].as_array() {
        let eligible: Vec<_> = eligible.iter().filter_map(Value::as_str).collect();
        out.line(format!("who may approve: {}", eligible.join(", ")))?;
    }
    if let Some(question) = needs["question"].as_str() {
        out.line(format!("question: {question}"))?;
    }
    Ok(())
}

fn row(ability: &WhyCommand) -> [Cell; 4] {
    let WhyCommand { command, resolution, allowed, code, detail, until, .. } = ability;
    let name = resolution.as_ref().map_or_else(|| command.clone(), |resolution| format!("{command} ({resolution})"));
    let (mark, style) = if *allowed { ("yes", GOOD) } else { ("no", BAD) };
    let until = until.as_ref().map_or_else(String::new, |until| format!("until {until}"));
    let why = match (code, detail) {
        (Some(code), Some(detail)) => format!("{code}: {detail}"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    [(mark.to_owned(), style), plain(name), plain(until), (why, DIM)]
}
