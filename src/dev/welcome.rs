//! The first look: a task in legal review, whose deadline is two days away, and links to the pages of each party.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::demo;
use crate::demo::open::{self, Shown};
use crate::domain::values::id::TaskId;
use crate::terminal::say;
use crate::trial::Credentials;

/// A task, and links to look at it.
#[derive(Debug)]
pub struct Welcome(Shown);

impl Welcome {
    /// Opens a task unless `known` is still open, and makes the links.
    ///
    /// # Errors
    ///
    /// If the service refuses one of the calls.
    pub async fn prepare(url: &str, credentials: &Credentials, known: Option<TaskId>) -> Result<Self, demo::Error> {
        open::prepare(url, credentials, known.map(|task| task.0)).await.map(Self)
    }

    /// The task that the links show.
    pub fn task(&self) -> TaskId {
        TaskId(self.0.task)
    }

    /// Prints the credentials, the links and what to try.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print(
        &self,
        out: &mut impl Write,
        (url, folder): (&str, &Path),
        credentials: &Credentials,
    ) -> io::Result<()> {
        say!(out)?;
        say!(out, "A service for development, whose clock can be moved.")?;
        say!(out, "Its credentials, also from `STAGEGATE_DATA_DIR={} stagegate keys`:", folder.display())?;
        say!(out)?;
        say!(out, "URL={url}")?;
        credentials.print(out)?;
        say!(out, "TASK={}", self.task())?;
        say!(out)?;
        say!(out, "Its pages, each by a link that makes one browser one person:")?;
        say!(out)?;
        self.0.print_links(out)?;
        say!(out)?;
        say!(out, "Two days later:")?;
        say!(out)?;
        say!(
            out,
            "  curl -sH \"Authorization: Bearer $PLATFORM\" -H 'Content-Type: application/json' $URL/dev/clock \\"
        )?;
        say!(out, "    -d '{{\"advance\":\"PT48H\"}}'")?;
        say!(out)?;
        say!(out, "docs/dev.md has the rest: scripted reviewers, faults of webhooks, and `stagegate dev check`.")?;
        say!(out)
    }

    /// Opens the pages of the three parties in the browser.
    pub fn open(&self) {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        for link in self.0.links.iter().filter(|link| link.is_first) {
            let opening = Command::new(program)
                .arg(&link.url)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            match opening {
                // Its end is awaited elsewhere, so that it leaves no entry in the table of processes.
                Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
                Err(error) => return tracing::warn!(%error, program, "no browser was opened; use the links"),
            }
        }
    }
}
