//! Runs other programs: as a given user, with a controlled environment, and with their output as
//! the error.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Error;

/// The user that runs Postgres when this process is root, since Postgres refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// Environment variables that would change how Postgres' programs work.
const DROPPED: [&str; 9] =
    ["PGDATA", "PGDATABASE", "PGHOST", "PGHOSTADDR", "PGOPTIONS", "PGPORT", "PGSERVICE", "PGUSER", "LANGUAGE"];

/// Creates a command with a neutral folder and language, as `user` if given.
pub fn command(program: impl AsRef<Path>, user: Option<User>) -> Command {
    let mut command = Command::new(program.as_ref());
    // `user` may not be able to enter the current folder.
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    for name in DROPPED {
        command.env_remove(name);
    }
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Runs it to its end. Returns its output, or why it failed.
pub async fn output(command: &mut Command) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await.map_err(|source| Error::Spawn { program: program.clone(), source })?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = format!("{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    Err(Error::Program { program, output: tail(&complaint, 20) })
}

/// Returns the last `lines` lines.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Returns the number that `id` prints for these arguments; `None` if there is no such user.
pub fn id(arguments: &[&str]) -> Option<u32> {
    let output = std::process::Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Whether this process is root.
pub fn runs_as_root() -> bool {
    id(&["-u"]) == Some(0)
}

/// Whether the user that runs this process has a name.
pub fn user_has_a_name() -> bool {
    std::process::Command::new("id").arg("-un").output().is_ok_and(|output| output.status.success())
}
