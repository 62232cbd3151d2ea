//! The `HAProxy` of the documentation before a replica that only reads and one that writes, on loopback.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};

use super::database::scratch_dir;
use super::patroni::{free_port, own, spawn};

/// A balancer. Dropping it ends it.
pub struct Balancer {
    /// Where it listens.
    pub url: String,
    folder: PathBuf,
    _process: Child,
}

/// Where a replica is: for callers, and for operators.
pub type Replica<'a> = (&'a str, &'a str);

impl Balancer {
    /// Starts one with the file of the documentation, before these replicas.
    pub fn start(reader: Replica<'_>, writer: Replica<'_>) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/haproxy-readers.cfg");
        let port = free_port();
        let mut settings =
            fs::read_to_string(published).unwrap().replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"));
        for (name, published, (address, operators)) in
            [("reader-one", "10.0.0.11:8080", reader), ("writer-one", "10.0.0.21:8080", writer)]
        {
            let line = format!("server {name} {published} check port 9090");
            assert!(settings.contains(&line), "{line}");
            let (_, operators) = operators.rsplit_once(':').unwrap();
            settings = settings.replace(&line, &format!("server {name} {address} check inter 200ms port {operators}"));
        }
        fs::write(folder.join("haproxy.cfg"), settings).unwrap();
        let program = if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
        let process = spawn(&folder, "haproxy", Command::new(program).args(["-db", "-f", "haproxy.cfg"]));
        Self { url: format!("http://127.0.0.1:{port}"), folder, _process: process }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
