//! Two Postgres nodes under Patroni with one synchronous standby, an etcd, and an `HAProxy` that leads to the primary.
//!
//! Everything listens on loopback and lives in one folder. A shell ends it with this process, whichever way that ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::database::scratch_dir;
use super::process::{PATIENCE, Signal, client, signal};

/// Ends what the pid files in `$1` name, then removes the folder.
pub(super) const GUARDIAN: &str = r#"
read -r _
exec 2>/dev/null
for file in "$1"/*.pid "$1"/*/postmaster.pid; do kill -KILL "$(head -n 1 "$file")"; done
rm -rf "$1"
"#;

/// A cluster of two nodes.
pub struct Cluster {
    folder: PathBuf,
    nodes: Vec<Node>,
    proxy: u16,
    client: Client,
    processes: Vec<Child>,
    _guardian: Child,
}

struct Node {
    name: String,
    /// The port of Postgres, and that of Patroni's API.
    ports: (u16, u16),
    patroni: Child,
}

impl Cluster {
    /// Starts one with the Postgres programs of this folder and waits until a write waits for the standby.
    pub async fn start(programs: &Path) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let guardian = Command::new("/bin/sh").args(["-c", GUARDIAN, "sh"]).arg(&folder).stdin(Stdio::piped()).spawn();
        let (etcd, peers, proxy) = (free_port(), free_port(), free_port());
        let mut processes = vec![start_etcd(&folder, etcd, peers)];
        let nodes: Vec<Node> = ["one", "two"].map(|name| start_node(&folder, name, programs, etcd)).into();
        processes.push(start_proxy(&folder, proxy, &nodes));
        let client = client(Duration::from_secs(2));
        let cluster = Self { folder, nodes, proxy, client, processes, _guardian: guardian.unwrap() };
        cluster.wait("a synchronous standby", async || cluster.find("sync").await.is_some()).await;
        cluster
    }

    /// Where the primary is reached, whichever node it is.
    pub fn url(&self) -> String {
        format!("postgres://postgres:postgres@127.0.0.1:{}/postgres", self.proxy)
    }

    /// Kills the primary with its Patroni, as a machine that loses its power; how long Patroni takes until the
    /// other node is primary.
    pub async fn kill_primary(&mut self) -> Duration {
        let primary = self.find("primary").await.expect("there is a primary");
        let mut dead = self.nodes.remove(primary);
        let postmaster = fs::read_to_string(self.folder.join(&dead.name).join("postmaster.pid")).unwrap();
        dead.patroni.kill().await.unwrap();
        signal(postmaster.lines().next().unwrap().parse().unwrap(), Signal::KILL);
        let killed = Instant::now();
        self.wait("another primary", async || self.find("primary").await.is_some()).await;
        killed.elapsed()
    }

    /// The node whose Patroni says that it has this role.
    async fn find(&self, role: &str) -> Option<usize> {
        for (index, node) in self.nodes.iter().enumerate() {
            let answered = self.client.get(format!("http://127.0.0.1:{}/{role}", node.ports.1)).send().await;
            if answered.is_ok_and(|answer| answer.status().is_success()) {
                return Some(index);
            }
        }
        None
    }

    async fn wait(&self, what: &str, mut is_there: impl AsyncFnMut() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !is_there().await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        assert!(waited.is_ok(), "no {what}: {}", self.logs());
    }

    fn logs(&self) -> String {
        let log = |name: &str| fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        ["etcd", "one", "two", "haproxy"].map(log).concat()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The guardian ends what is left, and what Patroni has started.
        self.processes.clear();
    }
}

fn start_etcd(folder: &Path, port: u16, peers: u16) -> Child {
    let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
    let mut etcd = Command::new("etcd");
    etcd.args([
        "--name",
        "test",
        "--initial-cluster",
        &format!("test={peers}"),
        "--initial-advertise-peer-urls",
        &peers,
    ])
    .args(["--listen-peer-urls", &peers, "--listen-client-urls", &clients, "--advertise-client-urls", &clients])
    .arg("--data-dir")
    .arg(folder.join("etcd"));
    spawn(folder, "etcd", &mut etcd)
}

fn start_node(folder: &Path, name: &str, programs: &Path, etcd: u16) -> Node {
    let (port, api) = (free_port(), free_port());
    let (address, api_address) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{api}"));
    let login = |user: &str| json!({ "username": user, "password": user });
    let settings = json!({
        "scope": "stagegate", "name": name,
        "restapi": { "listen": api_address, "connect_address": api_address },
        "etcd3": { "host": format!("127.0.0.1:{etcd}") },
        "bootstrap": {
            // The shortest that Patroni allows: a dead primary is replaced when its lease of `ttl` seconds has ended.
            "dcs": { "ttl": 20, "loop_wait": 1, "retry_timeout": 3, "synchronous_mode": true, "postgresql": {
                "parameters": { "max_connections": 60, "shared_buffers": "32MB" } } },
            "initdb": [{ "encoding": "UTF8" }, { "locale": "C" }, "data-checksums"],
            "pg_hba": ["host all all 127.0.0.1/32 md5", "host replication all 127.0.0.1/32 md5", "local all all trust"],
        },
        "postgresql": {
            "listen": address, "connect_address": address, "data_dir": folder.join(name), "bin_dir": programs,
            "pgpass": folder.join(format!("{name}.pgpass")),
            "authentication": { "superuser": login("postgres"), "replication": login("replicator") },
            "parameters": { "unix_socket_directories": folder },
        },
    });
    let file = folder.join(format!("{name}.json"));
    // YAML, as JSON is.
    fs::write(&file, settings.to_string()).unwrap();
    let patroni = spawn(folder, name, Command::new("patroni").arg(&file));
    Node { name: name.to_owned(), ports: (port, api), patroni }
}

/// The proxy of the documentation for operators, with the addresses of these nodes.
fn start_proxy(folder: &Path, port: u16, nodes: &[Node]) -> Child {
    let published = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/haproxy.cfg")).unwrap();
    let mut settings = published.replace("127.0.0.1:5000", &format!("127.0.0.1:{port}"));
    for (Node { name, ports: (postgres, api), .. }, address) in nodes.iter().zip(["10.0.0.1", "10.0.0.2"]) {
        let line = format!("server {name} {address}:5432 check port 8008");
        assert!(settings.contains(&line), "{line}");
        settings = settings.replace(&line, &format!("server {name} 127.0.0.1:{postgres} check port {api}"));
    }
    let file = folder.join("haproxy.cfg");
    fs::write(&file, settings).unwrap();
    let program = if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
    spawn(folder, "haproxy", Command::new(program).args(["-db", "-f"]).arg(&file))
}

/// Starts a program as the user that owns the folder, with its output and its process id in files there.
pub(super) fn spawn(folder: &Path, name: &str, command: &mut Command) -> Child {
    let log = fs::File::create(folder.join(format!("{name}.log"))).unwrap();
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
    command.env("LC_ALL", "C").env("HOME", folder);
    // Out of reach of the terminal's interrupt, so that the guardian ends them in one place.
    command.as_std_mut().process_group(0);
    if let Some((uid, gid)) = owner() {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
    fs::write(folder.join(format!("{name}.pid")), child.id().unwrap().to_string()).unwrap();
    child
}

/// Who runs Postgres where this process is root: `postgres` if there is one, else `nobody`.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
        Some((ids.next()?, ids.next()?))
    };
    user("postgres").or_else(|| user("nobody"))
}

pub(super) fn own(folder: &Path) {
    if let Some((uid, gid)) = owner() {
        chown(folder, Some(uid), Some(gid)).unwrap();
    }
}

/// A port that nobody uses at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
