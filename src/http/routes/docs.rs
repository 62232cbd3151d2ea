//! The documents: `/docs` is the contract as a web page (Swagger UI), `/docs/{page}` a page of `docs/`
//! as HTML and `/docs/{page}.md` the same as Markdown, all from files in the binary. `/docs/problems`
//! is made from the table of problem codes. `/llms.txt` and `/skill.md` are for agents.

use std::fmt::Write as _;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::problem::Code;
use crate::http::problem::fallback::bare_not_found;

mod html;

/// Content security policy of the contract's page: scripts only from this origin. Inline styles are
/// allowed because the page's script sets them on elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Content security policy of the documents, which have one style and nothing else.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// The paths beside `/docs` that have documents for machines.
pub(in crate::http) const FOR_MACHINES: [&str; 2] = ["/llms.txt", "/skill.md"];

/// A document: its name as in `docs/`, what it answers, and its text.
struct Document {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

macro_rules! documents {
    ($($name:literal $about:literal;)*) => {
        [$(Document { name: $name, about: $about, text: include_str!(concat!("../../../docs/", $name, ".md")) }),*]
    };
}

/// The pages of `docs/`.
const DOCUMENTS: [Document; 13] = documents! {
    "partner" "Workflows, keys, commands, feedback, the inbox, links, the feed and webhooks, for partners.";
    "skill" "What an agent must know, on one page.";
    "command-line" "The commands of `stagegate` for people and scripts, and their exit codes.";
    "mcp" "The tools of the Model Context Protocol: how to connect an agent, and which key to give it.";
    "dev" "`stagegate dev`: a clock to move, scripted reviewers, faults, and a check of your endpoint.";
    "recipes" "LangGraph, Temporal, GitHub Actions, Supabase, A2A and AG-UI beside Stagegate.";
    "buyer-ui" "Status, polling and streaming, for builders of the buyer's pages.";
    "platform" "Credentials, tasks, erasures and exports, for the platform.";
    "audit" "The trail, proofs and receipts, and what the verifier proves.";
    "compatibility" "What can change without notice, and what cannot.";
    "operations" "Settings, replicas, failover, backups, metrics and limits, for operators.";
    "design" "The design in short, and why it is so.";
    "add-a-command" "How a contributor adds a command.";
};

/// The page of problem codes, which has no file.
const PROBLEMS: (&str, &str) = ("problems", "Every problem code: its status, what it means and what to do.");

/// The documents as Markdown: the name of each, what it answers, and its text.
pub fn documents() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let files = DOCUMENTS.iter().map(|document| (document.name, document.about, here(document.text)));
    files.chain([(PROBLEMS.0, PROBLEMS.1, problems())])
}

/// The routes of the documents.
pub(in crate::http) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // The default configuration calls a validator on the internet.
    let config = Config::from("/openapi.json").validator_url("none").persist_authorization(false);
    let contract = Router::from(SwaggerUi::new("/docs").config(config))
        .layer(map_response(bare_not_found))
        .layer(if_not_present(header::CONTENT_SECURITY_POLICY, POLICY));
    pages().merge(contract).layer(if_not_present(header::CACHE_CONTROL, "public, max-age=3600"))
}

fn if_not_present(name: header::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for (name, _, text) in documents() {
        let page = html::page(&text);
        router = router
            .route(&format!("/docs/{name}"), get(async move || shown(page)))
            .route(&format!("/docs/{name}.md"), get(async move || markdown(text)));
    }
    let skill = DOCUMENTS.iter().find(|document| document.name == "skill").map_or("", |document| document.text);
    router
        .route("/llms.txt", get(async || markdown(index())))
        .route("/skill.md", get(async || markdown(from_root(skill))))
}

fn shown(page: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(page)).into_response()
}

fn markdown(text: String) -> Response {
    ([(header::CONTENT_TYPE, MARKDOWN)], text).into_response()
}

/// A document with the links out of `docs/` that lead somewhere in the service.
fn here(text: &str) -> String {
    text.replace("](../openapi.yaml", "](/openapi.yaml")
}

/// A document for a path outside `/docs`.
fn from_root(text: &str) -> String {
    let text = here(text);
    DOCUMENTS
        .iter()
        .fold(text, |text, Document { name, .. }| text.replace(&format!("]({name}.md"), &format!("](/docs/{name}.md")))
}

/// The list of documents for language models, in the form of llmstxt.org.
fn index() -> String {
    let mut text = String::from(
        "# Stagegate\n\n> Approval workflows for the AITasker marketplace: stages, decisions and a trail that proves them. \
         Partners submit work, reviewers decide, buyers follow; every call is JSON over HTTP.\n\n## Documents\n\n",
    );
    let files = DOCUMENTS.iter().map(|document| (document.name, document.about));
    for (name, about) in files.chain([PROBLEMS]) {
        let _ = writeln!(text, "- [{name}](/docs/{name}.md): {about}");
    }
    text.push_str(
        "\n## Contract\n\n- [OpenAPI 3.1](/openapi.json): every operation and schema; also as [YAML](/openapi.yaml).\n\
         - [OpenAPI 3.0](/openapi-3.0.json): the same for generators that know no 3.1.\n",
    );
    text
}

/// Every problem code with its status, its meaning and what to do.
fn problems() -> String {
    let mut text = String::from(
        "# Problems\n\nAn error is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). Its `code` is stable, \
         its `type` leads to this page, and `detail` says what happened in this case. Programs decide by `code`; a code that they do \
         not know has the meaning of its status.\n",
    );
    for code in Code::ALL {
        let (word, status) = (code.as_str(), code.status());
        let reason = status.canonical_reason().unwrap_or_default();
        let _ = write!(
            text,
            "\n## {word}\n\n**{}**, `{} {reason}`. {}\n\nWhat to do: {}\n",
            code.title(),
            status.as_u16(),
            code.meaning(),
            code.remedy()
        );
    }
    text
}

#[cfg(test)]
mod tests;
