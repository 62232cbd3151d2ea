//! Pages with one fault each, and a good one: what the rig must notice.

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::node::{Host, Request};

/// A fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What the page is called.
    pub name: &'static str,
    /// What is in the body of the good page besides.
    html: &'static str,
    /// What the rig says of it; empty for the good page.
    pub noticed_as: &'static str,
}

const fn fault(name: &'static str, html: &'static str, noticed_as: &'static str) -> Fault {
    Fault { name, html, noticed_as }
}

/// One for each rule of the rig.
pub const FAULTS: &[Fault] = &[
    fault("good", "", ""),
    fault("accessibility", "<input>", "accessibility: label"),
    fault("contrast", "<p class=\"pale\">Pale</p>", "accessibility: color-contrast"),
    fault("sideways", "<p class=\"wide\">Wide</p>", "scrolls sideways: "),
    fault("small", "<p><button class=\"small\" aria-label=\"Small\"></button></p>", "smaller than 24 px: "),
    fault("inline-script", "<script>document.title = 'x';</script>", "policy: script-src-elem forbids inline"),
    fault("inline-style", "<p style=\"color: red\">Red</p>", "policy: style-src-attr forbids inline"),
    fault("string-to-html", "<script src=\"/sink.js\"></script>", "policy: require-trusted-types-for forbids"),
    fault("error-in-script", "<script src=\"/error.js\"></script>", "script: Error: a fault of the page"),
    fault("error-in-console", "<script src=\"/console.js\"></script>", "console: a complaint of the page"),
    fault("missing", "<script src=\"/missing.js\"></script>", "answer: 404 for the script http://"),
];

/// That of the pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      require-trusted-types-for 'script'; trusted-types stagegate";

/// In the dark the pale text is fine: the rig has to look at the light, too.
const STYLE: &str = ":root { color-scheme: light dark; }
body { background: light-dark(#fff, #111); color: light-dark(#111, #eee); }
a { color: light-dark(#00539f, #9cf); }
button, input { min-width: 2rem; min-height: 2rem; }
.small { min-width: 0; min-height: 0; width: 8px; height: 8px; padding: 0; border: 0; }
.wide { width: 340px; }
.pale { color: #aaa; }";

/// A server of these pages.
pub struct FaultyPages {
    url: String,
}

impl FaultyPages {
    /// Serves them as long as the test runs.
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/style.css", get(async || typed("text/css", STYLE)))
            .route("/sink.js", get(async || script("document.body.insertAdjacentHTML('beforeend', '<p>x</p>');")))
            .route("/error.js", get(async || script("throw new Error('a fault of the page');")))
            .route("/console.js", get(async || script("console.error('a complaint of the page');")))
            .route("/{name}", get(page));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url }
    }
}

impl Host for FaultyPages {
    async fn answer(&mut self, _scenario: &str, _request: Request) -> Value {
        json!({ "url": self.url, "now": "2027-01-15T08:00:00Z", "parties": {} })
    }
}

async fn page(Path(name): Path<String>) -> Response {
    let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) else {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    };
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta name=\"viewport\" content=\"width=device-width\"><title>A page</title>
        <link rel=\"stylesheet\" href=\"/style.css\">
        <main><h1>A page</h1><p>Read <a href=\"#\">more</a> of it.</p><button>Send</button>{}</main></html>",
        fault.html
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}

fn script(text: &'static str) -> Response {
    typed("text/javascript", text)
}

fn typed(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
