//! Cells: replicas of the program, and the gateway of `deploy/gateway` before them.

use std::path::Path;

use reqwest::header::HeaderMap;
use serde_json::Value;
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};
use tokio::process::{Child, Command};

use super::process::{client, stagegate_with};
use super::servers::{Servers, free_port};
use super::service::{BUYER_SECRET, PLATFORM_KEY};
use super::waiting::{PATIENCE, until};

/// Starts a replica of the cell on this database, for browsers that come by `public_url`.
pub fn replica(cell: &str, database: &str, public_url: &str) -> Child {
    replica_with(&[], cell, database, public_url)
}

/// The same with further settings.
pub fn replica_with(settings: &[(&str, &str)], cell: &str, database: &str, public_url: &str) -> Child {
    let name = KeyName::parse(format!("audit.example.com/stagegate/{cell}")).unwrap();
    let audit_key = SignerKey::new(name, [7; 32]).reveal();
    let common = [
        ("STAGEGATE_LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", database),
        ("STAGEGATE_CELL", cell),
        ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY),
        ("STAGEGATE_BUYER_JWT_SECRET", BUYER_SECRET),
        ("STAGEGATE_PUBLIC_URL", public_url),
        ("STAGEGATE_AUDIT_KEY", &audit_key),
        // Longer than the gateway keeps an idle connection.
        ("STAGEGATE_HEADER_TIMEOUT", "60"),
        ("STAGEGATE_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let arguments = ["serve", "--log", "off", "--pool-size", "3"];
    stagegate_with(&arguments, Path::new("/nonexistent"), &[&common, settings].concat())
}

/// The published gateway before the cells `eu1` and `us1`. Dropping it ends it.
pub struct Gateway {
    /// How it is reached.
    pub url: String,
    _servers: Servers,
}

/// The addresses in the published file: two replicas of `eu1`, two of `us1`.
const PUBLISHED: [&str; 4] = ["10.0.1.1:8080", "10.0.1.2:8080", "10.0.2.1:8080", "10.0.2.2:8080"];

impl Gateway {
    /// A URL for one that is started later.
    pub fn plan() -> String {
        format!("http://127.0.0.1:{}", free_port())
    }

    /// Starts it at a planned URL, with these addresses in place of the published ones and this map of partners, and
    /// waits until it sends to both cells. `HAProxy` takes every replica for ready until its first check has ended, and
    /// sends to them in turns: so as many answers are asked for as a cell has replicas.
    pub async fn start(url: String, replicas: [&str; 4], partners: &str) -> Self {
        let mut servers = Servers::new();
        let (map, listen) = (servers.write("partners.map", partners), url.strip_prefix("http://").unwrap());
        let mut substitutes = vec![("127.0.0.1:8000", listen), ("/etc/stagegate/partners.map", map.to_str().unwrap())];
        substitutes.extend(PUBLISHED.into_iter().zip(replicas));
        servers.start_haproxy("gateway/haproxy.cfg", &substitutes);
        let gateway = Self { url, _servers: servers };
        for cell in ["eu1", "us1"] {
            let is_ready = async || gateway.is_ready(cell).await && gateway.is_ready(cell).await;
            until("the gateway sends to its cells", is_ready).await;
        }
        gateway
    }

    async fn is_ready(&self, cell: &str) -> bool {
        let asked = client(PATIENCE).get(format!("{}/ready", self.url)).header("stagegate-cell", cell).send();
        asked.await.is_ok_and(|answer| answer.status().is_success())
    }
}

/// An answer of a cell, or of the gateway.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it was JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// The cell that answered; empty if none did.
    pub fn cell(&self) -> &str {
        self.header("stagegate-cell")
    }

    /// A header; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Demands that a problem was answered: the status and the code.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        (self.status, self.body["code"].as_str().unwrap())
    }
}

/// Sends a request with these headers and a JSON body (none if null). Redirects are not followed.
pub async fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().request(method.parse().unwrap(), url);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = if body.is_null() { request } else { request.json(body) };
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Reply { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
}

/// Where a stopped server ended, by its control file.
pub async fn end_of(programs: &Path, data_dir: &Path) -> String {
    let shown = Command::new(programs.join("pg_controldata")).env("LC_ALL", "C").arg(data_dir).output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("shut down\n"), "{shown}");
    let line = shown.lines().find_map(|line| line.strip_prefix("Latest checkpoint location:"));
    line.unwrap_or_else(|| panic!("{shown}")).trim().to_owned()
}
