//! The `HAProxy` of the documentation before a replica that only reads and one that writes, on loopback.

use super::servers::{Servers, free_port};

/// A balancer. Dropping it ends it.
pub struct Balancer {
    /// Where it listens.
    pub url: String,
    _servers: Servers,
}

/// Where a replica is: for callers, and for operators.
pub type Replica<'a> = (&'a str, &'a str);

impl Balancer {
    /// Starts one with the file of the documentation, before these replicas.
    pub fn start(reader: Replica<'_>, writer: Replica<'_>) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let line = |name: &str, address: &str, check: &str| format!("server {name} {address} check {check}");
        let ours = |name: &str, (address, operators): Replica<'_>| {
            let (_, operators) = operators.rsplit_once(':').unwrap();
            line(name, address, &format!("inter 200ms port {operators}"))
        };
        let published =
            [line("reader-one", "10.0.0.11:8080", "port 9090"), line("writer-one", "10.0.0.21:8080", "port 9090")];
        let [reader, writer] = [ours("reader-one", reader), ours("writer-one", writer)];
        let mut servers = Servers::new();
        let substitutes = [("127.0.0.1:8000", &*listen), (&published[0], &reader), (&published[1], &writer)];
        servers.start_haproxy("haproxy-readers.cfg", &substitutes);
        Self { url: format!("http://{listen}"), _servers: servers }
    }
}
