//! Where commands print: lines and tables with colours for people, JSON for programs, and a line of
//! progress on standard error.
//!
//! There are colours only on a terminal, and not with `NO_COLOR`. The line of progress is there only
//! if standard error is a terminal.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use uuid::Uuid;

use crate::terminal::escaped;

/// What matters most.
pub(super) const STRONG: Style = Style::new().bold();
/// What went well, or may be done.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What did not, or may not.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// What matters least.
pub(super) const DIM: Style = Style::new().dimmed();
/// The rest.
pub(super) const PLAIN: Style = Style::new();

/// A text and its style.
pub(super) type Cell = (String, Style);

/// A cell without a style.
pub(super) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), PLAIN)
}

/// The output of a command.
pub(super) struct Output {
    colours: bool,
    json: bool,
    progress: Progress,
    /// The id of a command that was sent and whose effect is not known.
    pub(super) unknown: Option<Uuid>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let colours = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let progress = Progress { is_on: io::stderr().is_terminal() && !json, is_shown: false };
        Self { colours, json, progress, unknown: None }
    }

    /// Whether programs read it.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.progress.clear();
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, value)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Prints a line.
    pub(super) fn line(&mut self, text: impl Into<String>) -> io::Result<()> {
        self.cells(&[plain(text)])
    }

    /// Prints a line of cells, with a blank between them.
    pub(super) fn cells(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.progress.clear();
        let texts: Vec<_> = cells.iter().map(|(text, style)| self.painted(&escaped(text), *style)).collect();
        writeln!(io::stdout(), "{}", texts.join(" ").trim_end())
    }

    /// Prints rows with their columns below each other.
    pub(super) fn table<const N: usize>(&mut self, rows: &[[Cell; N]]) -> io::Result<()> {
        self.progress.clear();
        let length = |text: &str| escaped(text).chars().count();
        let mut widths = [0; N];
        for row in rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = length(text).max(*width);
            }
        }
        for row in rows {
            let mut out = String::new();
            for ((text, style), width) in row.iter().zip(widths) {
                let gap = " ".repeat(width - length(text) + 2);
                out += &self.painted(&escaped(text), *style);
                out += &gap;
            }
            writeln!(io::stdout(), "{}", out.trim_end())?;
        }
        Ok(())
    }

    fn painted(&self, text: &str, style: Style) -> String {
        if self.colours && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Shows what is being done, until something is printed.
    pub(super) fn progress(&mut self, what: fmt::Arguments<'_>) {
        self.progress.show(what);
    }
}

/// A line on standard error that is overwritten.
#[derive(Debug)]
struct Progress {
    is_on: bool,
    is_shown: bool,
}

impl Progress {
    fn show(&mut self, what: fmt::Arguments<'_>) {
        if self.is_on {
            let _ = write!(io::stderr(), "\r\x1b[2K{}", escaped(&what.to_string()));
            self.is_shown = true;
        }
    }

    fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
            self.is_shown = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
