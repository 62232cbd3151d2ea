//! `stagegate simulate`: what a workflow would do, step by step.

use serde_json::{Map, Value};

use crate::check;
use crate::client::{Stagegate, Step};
use crate::config::Simulate;
use crate::json::strict;

use super::failure::Failure;
use super::output::{BAD, Cell, DIM, Output, STRONG, plain};

/// The key under which a definition runs that has none.
const UNNAMED: &str = "simulated";

pub(super) async fn run(settings: &Simulate, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let body = read(settings)?;
    let workflow = match (&settings.workflow, body.get("definition")) {
        (Some(key), _) => key.as_str(),
        (None, Some(_)) => UNNAMED,
        (None, None) => {
            let why = "--workflow KEY is required: the file has no definition";
            return Err(Failure::Usage(why.to_owned()));
        }
    };
    out.progress(format_args!("simulating"));
    let simulation = client.simulate(workflow, &Value::Object(body)).await?;
    if out.is_json() {
        return Ok(out.json(&simulation)?);
    }
    let header = ["at", "cause", "what happens", "the buyer reads"].map(|text| (text.to_owned(), STRONG));
    let rows: Vec<_> = std::iter::once(header).chain(simulation.steps.iter().map(row)).collect();
    Ok(out.table(&rows)?)
}

/// The body of the request: the file, or the file as its definition.
fn read(settings: &Simulate) -> Result<Map<String, Value>, Failure> {
    let name = settings.file.display();
    let bytes = check::read(&settings.file).map_err(|error| Failure::Usage(error.to_string()))?;
    let value = strict::parse(&bytes).map_err(|fault| match fault {
        strict::Fault::Malformed { message } => Failure::Usage(format!("{name}: not JSON: {message}")),
        strict::Fault::Refused { pointer, message, .. } => Failure::Usage(format!("{name}: {pointer} {message}")),
    })?;
    let Value::Object(mut body) = value else {
        return Err(Failure::Usage(format!("{name}: must be an object: a simulation, or a definition")));
    };
    if body.contains_key("stages") {
        body = Map::from_iter([("definition".to_owned(), Value::Object(body))]);
    }
    if let Some(until) = &settings.until {
        body.insert("until".to_owned(), until.as_str().into());
    }
    Ok(body)
}

fn row(step: &Step) -> [Cell; 4] {
    let types: Vec<_> = step.events.iter().filter_map(|event| event["type"].as_str()).collect();
    let what = match &step.refusal {
        Some(refusal) => {
            let text = |name: &str| refusal[name].as_str().unwrap_or_default();
            (format!("refused: {}: {}", text("code"), text("detail")), BAD)
        }
        None => plain(types.join(", ")),
    };
    let label = step.status.as_ref().and_then(|status| status["label"].as_str()).unwrap_or_default();
    [(step.at.clone(), DIM), plain(&step.trigger), what, plain(label)]
}
