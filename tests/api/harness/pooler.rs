//! `PgBouncer` before a Postgres, in session mode, on loopback.

use std::fmt::Write as _;
use std::path::Path;

use tokio::process::Command;

use super::servers::{Servers, free_port, program};

/// A pooler. Dropping it ends it.
pub struct Pooler {
    servers: Servers,
    port: u16,
}

impl Pooler {
    /// Starts one before the server whose socket is in this folder. It admits these logins, and ignores these start-up
    /// parameters.
    pub fn start(socket_dir: &Path, logins: &[&str], ignored: &str) -> Self {
        let (mut servers, port) = (Servers::new(), free_port());
        let users = logins.iter().fold(String::new(), |mut users, login| {
            writeln!(users, "\"{login}\" \"\"").unwrap();
            users
        });
        servers.write("users.txt", &users);
        let settings = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = users.txt\npool_mode = session\ndefault_pool_size = 40\n\
             ignore_startup_parameters = {ignored}\n",
            socket_dir.display()
        );
        servers.write("pgbouncer.ini", &settings);
        servers.start("pgbouncer", Command::new(program("pgbouncer")).arg("pgbouncer.ini"));
        Self { servers, port }
    }

    /// The URL of a database for a login.
    pub fn url(&self, login: &str, database: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.servers.log("pgbouncer")
    }
}
