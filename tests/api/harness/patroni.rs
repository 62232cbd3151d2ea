//! Two Postgres nodes under Patroni with one synchronous standby, an etcd, and an `HAProxy` that leads to the primary.
//!
//! Everything listens on loopback.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use tokio::process::Command;

use super::process::client;
use super::servers::{Servers, free_port};
use super::waiting::until_some;

/// A cluster of two nodes. Dropping it ends it.
pub struct Cluster {
    nodes: Vec<Node>,
    proxy: u16,
    client: Client,
    servers: Servers,
}

struct Node {
    name: &'static str,
    /// The port of Postgres, and that of Patroni's API.
    ports: (u16, u16),
}

impl Cluster {
    /// Starts one with the Postgres programs of this folder and waits until a write waits for the standby.
    pub async fn start(programs: &Path) -> Self {
        let (mut servers, etcd, proxy) = (Servers::new(), free_port(), free_port());
        start_etcd(&mut servers, etcd);
        let nodes = ["one", "two"].map(|name| start_node(&mut servers, name, programs, etcd));
        start_proxy(&mut servers, proxy, &nodes);
        let cluster = Self { nodes: nodes.into(), proxy, client: client(Duration::from_secs(2)), servers };
        cluster.until_one_is("sync").await;
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
        let dead = self.nodes.remove(primary);
        self.servers.kill(dead.name).await;
        let killed = Instant::now();
        self.until_one_is("primary").await;
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

    async fn until_one_is(&self, role: &str) {
        let what = format!("a node is {role}");
        until_some(&what, async || self.find(role).await).await;
    }
}

fn start_etcd(servers: &mut Servers, port: u16) {
    let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", free_port()));
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
    .args(["--data-dir", "etcd"]);
    servers.start("etcd", &mut etcd);
}

fn start_node(servers: &mut Servers, name: &'static str, programs: &Path, etcd: u16) -> Node {
    let (folder, port, api) = (servers.folder(), free_port(), free_port());
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
    // YAML, as JSON is.
    let file = servers.write(&format!("{name}.json"), &settings.to_string());
    servers.start(name, Command::new("patroni").arg(file));
    Node { name, ports: (port, api) }
}

/// The proxy of the documentation for operators, with the addresses of these nodes.
fn start_proxy(servers: &mut Servers, port: u16, nodes: &[Node; 2]) {
    let line = |name: &str, address: &str, api: u16| format!("server {name} {address} check port {api}");
    let [one, two] = nodes.each_ref().map(|node| (node.name, node.ports));
    let ours = |(name, (postgres, api)): (&str, (u16, u16))| line(name, &format!("127.0.0.1:{postgres}"), api);
    let substitutes = [
        ("127.0.0.1:5000", &*format!("127.0.0.1:{port}")),
        (&line("one", "10.0.0.1:5432", 8008), &ours(one)),
        (&line("two", "10.0.0.2:5432", 8008), &ours(two)),
    ];
    servers.start_haproxy("haproxy.cfg", &substitutes);
}
