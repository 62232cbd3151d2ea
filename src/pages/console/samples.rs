//! Calls of the API that make the first of something, ready to be copied.

use crate::http::AppState;

/// Registers a workflow and opens a task on it.
pub(super) fn first_task(state: &AppState) -> String {
    let body =
        r#"{"id":"…","partner_id":"…","buyer_id":"…","workflow":{"key":"brand-campaign"},"title":"Autumn campaign"}"#;
    format!("{}\n{}", workflow(state), call(state, ("POST", "tasks"), ("PLATFORM_KEY", body)))
}

/// Registers a workflow.
pub(super) fn workflow(state: &AppState) -> String {
    let body = r#"{"name":"Brand campaign","stages":[{"key":"copy","name":"Copy review","buyer_label":"Copy is being reviewed"}]}"#;
    call(state, ("PUT", "workflows/brand-campaign"), ("PARTNER_KEY", body))
}

/// Sets up a webhook.
pub(super) fn webhook(state: &AppState) -> String {
    call(state, ("PUT", "webhooks/my-hook"), ("KEY", r#"{"url":"https://agents.example/hooks/aitasker"}"#))
}

fn call(state: &AppState, (method, path): (&str, &str), (key, body): (&str, &str)) -> String {
    let origin = state.app.links.public_origin().unwrap_or("https://stagegate.example");
    format!(
        "curl -X {method} {origin}/api/v1/{path} \\\n  -H \"Authorization: Bearer ${key}\" -H \"Content-Type: application/json\" \\\n  -d '{body}'"
    )
}
