//! The resources: `stagegate://task/{id}` and `stagegate://docs/{page}`.

use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::domain::values::id::TaskId;
use crate::http::problem::Problem;
use crate::http::routes::docs;

use super::call::Call;
use super::results::marked;
use super::tools::task_members;

const TASK: &str = "stagegate://task/";
const DOCS: &str = "stagegate://docs/";
const MARKDOWN: &str = "text/markdown";
const JSON: &str = "application/json";

/// The documents. The tasks are too many to list; `list_tasks` does.
pub(super) fn list() -> Vec<Resource> {
    let resource = |(name, about, _): (&str, &str, String)| {
        Resource::new(format!("{DOCS}{name}"), name).with_description(about).with_mime_type(MARKDOWN)
    };
    docs::documents().map(resource).collect()
}

/// The forms of addresses.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{TASK}{{id}}"), "task")
            .with_description("A task, as `get_task` returns it.")
            .with_mime_type(JSON),
        ResourceTemplate::new(format!("{DOCS}{{page}}"), "docs")
            .with_description("A page of the documentation.")
            .with_mime_type(MARKDOWN),
    ]
}

/// The contents of a resource.
pub(super) async fn read(call: &Call, uri: &str) -> Result<ReadResourceResult, Problem> {
    let contents = if let Some(id) = uri.strip_prefix(TASK) {
        let id: TaskId = serde_json::from_value(json!(id)).map_err(|_| Problem::not_found())?;
        ResourceContents::text(marked(task_members(call, id).await?).to_string(), uri).with_mime_type(JSON)
    } else {
        let name = uri.strip_prefix(DOCS).ok_or_else(Problem::not_found)?;
        let (_, _, text) = docs::documents().find(|(known, _, _)| *known == name).ok_or_else(Problem::not_found)?;
        ResourceContents::text(text, uri).with_mime_type(MARKDOWN)
    };
    Ok(ReadResourceResult::new(vec![contents]))
}
