//! `PgBouncer` before a Postgres, in session mode, on loopback.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};

use super::database::scratch_dir;
use super::patroni::{free_port, own, spawn};

/// A pooler. Dropping it ends it.
pub struct Pooler {
    folder: PathBuf,
    port: u16,
    _process: Child,
}

impl Pooler {
    /// Starts one before the server whose socket is in this folder. It admits these logins, and ignores these start-up
    /// parameters.
    pub fn start(socket_dir: &Path, logins: &[&str], ignored: &str) -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        own(&folder);
        let port = free_port();
        let users = logins.iter().fold(String::new(), |mut users, login| {
            writeln!(users, "\"{login}\" \"\"").unwrap();
            users
        });
        fs::write(folder.join("users.txt"), users).unwrap();
        let settings = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = users.txt\npool_mode = session\ndefault_pool_size = 40\n\
             ignore_startup_parameters = {ignored}\n",
            socket_dir.display()
        );
        fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let program = if Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        let process = spawn(&folder, "pgbouncer", Command::new(program).arg("pgbouncer.ini"));
        Self { folder, port, _process: process }
    }

    /// The URL of a database for a login.
    pub fn url(&self, login: &str, database: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("pgbouncer.log")).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
