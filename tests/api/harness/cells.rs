//! Cells: replicas of the program, the gateway of `deploy/gateway` before them, and a standby that takes over.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};
use stagegate::embedded::Postgres;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::database::scratch_dir;
use super::patroni::{free_port, own, spawn};
use super::process::{PATIENCE, client, stagegate_with};
use super::service::{BUYER_SECRET, PLATFORM_KEY};

/// Asks something until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}

/// Runs statements as the owner.
pub async fn execute(options: &PgConnectOptions, statements: &str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Asks for one text.
pub async fn query(options: &PgConnectOptions, statement: &str) -> String {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    let text = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    text
}

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
    folder: PathBuf,
    _process: Child,
}

/// The addresses in the published file: two replicas of `eu1`, two of `us1`.
const PUBLISHED: [&str; 4] = ["10.0.1.1:8080", "10.0.1.2:8080", "10.0.2.1:8080", "10.0.2.2:8080"];

impl Gateway {
    /// A URL for one that is started later.
    pub fn plan() -> String {
        format!("http://127.0.0.1:{}", free_port())
    }

    /// Starts it at a planned URL, with these addresses in place of the published ones and this map of partners, and
    /// waits until it sends to both cells.
    pub async fn start(url: String, replicas: [&str; 4], partners: &str) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let published = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gateway/haproxy.cfg"));
        let (map, listen) = (folder.join("partners.map"), url.strip_prefix("http://").unwrap());
        let mut substitutes = vec![("127.0.0.1:8000", listen), ("/etc/stagegate/partners.map", map.to_str().unwrap())];
        substitutes.extend(PUBLISHED.into_iter().zip(replicas));
        let settings = substitutes.into_iter().fold(published.unwrap(), |settings, (published, ours)| {
            assert!(settings.contains(published), "{published}");
            settings.replace(published, ours)
        });
        fs::write(folder.join("haproxy.cfg"), settings).unwrap();
        fs::write(map, partners).unwrap();
        let program = if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
        let process = spawn(&folder, "haproxy", Command::new(program).args(["-db", "-f", "haproxy.cfg"]));
        let gateway = Self { url, folder, _process: process };
        for cell in ["eu1", "us1"] {
            until("the gateway sends to its cells", async || gateway.is_ready(cell).await).await;
        }
        gateway
    }

    async fn is_ready(&self, cell: &str) -> bool {
        let asked = client(PATIENCE).get(format!("{}/ready", self.url)).header("stagegate-cell", cell).send();
        asked.await.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
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

/// A copy of a server that follows it. Dropping it ends it.
pub struct Standby {
    folder: PathBuf,
    socket_dir: PathBuf,
    original: PathBuf,
    _process: Child,
}

impl Standby {
    /// Copies the server with `pg_basebackup`, which another one follows from then on.
    pub async fn of(postgres: &Postgres) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let original = socket_dir(postgres);
        let program = |name: &str| postgres.bin_dir().join(name);
        let mut copy = Command::new(program("pg_basebackup"));
        copy.args(["--username", "postgres", "--checkpoint", "fast", "--write-recovery-conf", "--pgdata", "data"]);
        let copied = spawn(&folder, "copy", copy.arg("--host").arg(&original)).wait().await.unwrap();
        assert!(copied.success(), "{}", fs::read_to_string(folder.join("copy.log")).unwrap());
        let mut server = Command::new(program("postgres"));
        server.args(["-D", "data", "-k"]).arg(&folder);
        let process = spawn(&folder, "standby", &mut server);
        Self { socket_dir: folder.clone(), folder, original, _process: process }
    }

    /// Waits until it has received and applied everything up to `place` of its original, then makes it a primary.
    pub async fn promote(&self, of: &PgConnectOptions, place: &str) {
        let options = self.options(of);
        let has = format!("select (pg_last_wal_replay_lsn() >= '{place}'::pg_lsn)::text");
        until("the standby has everything", async || query(&options, &has).await == "true").await;
        execute(&options, "select pg_promote()").await;
    }

    /// How to connect to it, as `of` to the original.
    pub fn options(&self, of: &PgConnectOptions) -> PgConnectOptions {
        of.clone().socket(&self.socket_dir)
    }

    /// The URL of a database of it, from that of the original.
    pub fn url(&self, of: &str) -> String {
        let (original, ours) = (self.original.to_str().unwrap(), self.socket_dir.to_str().unwrap());
        assert!(of.contains(original), "{of}");
        of.replace(original, ours)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where a stopped server ended, by its control file.
pub async fn end_of(programs: &Path, data_dir: &Path) -> String {
    let shown = Command::new(programs.join("pg_controldata")).env("LC_ALL", "C").arg(data_dir).output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("shut down\n"), "{shown}");
    let line = shown.lines().find_map(|line| line.strip_prefix("Latest checkpoint location:"));
    line.unwrap_or_else(|| panic!("{shown}")).trim().to_owned()
}

fn socket_dir(postgres: &Postgres) -> PathBuf {
    postgres.url("x").split_once("host=").unwrap().1.into()
}
