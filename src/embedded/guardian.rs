//! Ends a scratch Postgres with the process that started it, however that process ends.
//!
//! A test runner has no exit hook, and a killed process could not run one. A small shell therefore
//! waits for the end of a pipe that only this process holds. The system closes the pipe when the
//! process ends, and the shell then stops the server and removes its files.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::Error;
use super::layout::Layout;

/// `$1` is the server's data, `$2` and `$3` are what to remove. A pid file may hold a negative
/// number, which is not a postmaster.
const SCRIPT: &str = r#"
read -r _
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
case "$pid" in
'' | *[!0-9]*) ;;
*)
    kill -QUIT "$pid"
    while kill -0 "$pid"; do sleep 0.05; done
    ;;
esac
rm -rf "$2" "$3"
"#;

/// Starts the shell that stops the server in `layout` and removes its folders when this process
/// ends.
pub fn watch(layout: &Layout) -> Result<(), Error> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "sh"])
        .args([&layout.cluster, &layout.root, &layout.socket_dir])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // In another process group, as the terminal's interrupt would end the shell with this
        // process.
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Spawn { program: "/bin/sh".to_owned(), source })?;
    // Keep our end of the pipe open until the system closes it.
    std::mem::forget(shell.stdin.take());
    Ok(())
}
