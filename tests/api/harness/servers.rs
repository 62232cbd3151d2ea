//! Programs of others that run beside the service, such as proxies and further servers of Postgres.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::database::scratch_dir;
use super::process::{Signal, signal};

/// Ends what the pid files in `$1` name, then removes the folder.
const GUARDIAN: &str = r#"
read -r _
exec 2>/dev/null
for file in "$1"/*.pid "$1"/*/postmaster.pid; do kill -KILL "$(head -n 1 "$file")"; done
rm -rf "$1"
"#;

/// A folder, and programs that run in it as the user whose folder it is, which is not root. A shell ends them and
/// removes the folder when this is dropped, or when this process ends in any way.
pub struct Servers {
    folder: PathBuf,
    running: Vec<(String, Child)>,
    _guardian: Child,
}

impl Servers {
    /// A folder without programs.
    pub fn new() -> Self {
        let folder = scratch_dir();
        fs::create_dir(&folder).unwrap();
        if let Some((uid, gid)) = owner() {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let guardian = Command::new("/bin/sh").args(["-c", GUARDIAN, "sh"]).arg(&folder).stdin(Stdio::piped()).spawn();
        Self { folder, running: Vec::new(), _guardian: guardian.unwrap() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file into the folder, and returns where it is.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.join(name);
        fs::write(&file, text).unwrap();
        file
    }

    /// Starts a program, whose output is then in the log of this name.
    pub fn start(&mut self, name: &str, command: &mut Command) {
        let child = self.spawn(name, command);
        fs::write(self.folder.join(format!("{name}.pid")), child.id().unwrap().to_string()).unwrap();
        self.running.push((name.to_owned(), child));
    }

    /// Runs a program to its end, which must be a success.
    pub async fn run(&self, name: &str, command: &mut Command) {
        let status = self.spawn(name, command).wait().await.unwrap();
        assert!(status.success(), "{status}: {}", self.log(name));
    }

    /// Kills a program, and a server of Postgres that it has started in the folder of its name.
    pub async fn kill(&mut self, name: &str) {
        let at = self.running.iter().position(|(running, _)| running == name).unwrap();
        let (_, mut child) = self.running.swap_remove(at);
        let postmaster = fs::read_to_string(self.folder.join(name).join("postmaster.pid"));
        child.kill().await.unwrap();
        // Its number may be another's from now on.
        fs::remove_file(self.folder.join(format!("{name}.pid"))).unwrap();
        if let Ok(postmaster) = postmaster {
            signal(postmaster.lines().next().unwrap().parse().unwrap(), Signal::KILL);
        }
    }

    /// Starts an `HAProxy` with a file of `deploy`, each of these texts of which stands there and becomes the other.
    pub fn start_haproxy(&mut self, published: &str, substitutes: &[(&str, &str)]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(published);
        let settings = substitutes.iter().fold(fs::read_to_string(file).unwrap(), |settings, (theirs, ours)| {
            assert!(settings.contains(theirs), "{published}: {theirs}");
            settings.replace(theirs, ours)
        });
        let file = self.write("haproxy.cfg", &settings);
        self.start("haproxy", Command::new(program("haproxy")).args(["-db", "-f"]).arg(file));
    }

    /// What a program has said so far.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default()
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Child {
        let log = File::create(self.folder.join(format!("{name}.log"))).unwrap();
        command.current_dir(&self.folder).env("LC_ALL", "C").env("HOME", &self.folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // Out of reach of the terminal's interrupt, so that the guardian ends them in one place.
        command.as_std_mut().process_group(0);
        if let Some((uid, gid)) = owner() {
            command.uid(uid).gid(gid);
        }
        command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"))
    }
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

/// A server's program, which Debian has in a folder that a user's path may lack.
pub fn program(name: &str) -> PathBuf {
    let debians = Path::new("/usr/sbin").join(name);
    if debians.exists() { debians } else { name.into() }
}

/// A port that nobody uses at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
