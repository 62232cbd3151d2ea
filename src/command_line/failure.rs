//! Why a command failed, and with which exit code.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::causes::one_line;
use crate::client::{self, FieldError, Problem};
use crate::terminal::say;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments or a file are wrong, or there is no credential.
    Usage(String),
    /// There is no answer, or the service refused.
    Client(client::Error),
    /// What was waited for did not come.
    NotMet(String),
    /// Output failed.
    Out(io::Error),
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        match error {
            client::Error::Url(_) | client::Error::Token => Self::Usage(error.to_string()),
            client::Error::Body(..)
            | client::Error::Client(_)
            | client::Error::NoAnswer { .. }
            | client::Error::TooLarge { .. }
            | client::Error::Answer { .. }
            | client::Error::Problem { .. } => Self::Client(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            // The reader has seen enough, as `head` has.
            Self::Out(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Client(error) if error.problem().is_some() => ExitCode::from(3),
            Self::Client(_) | Self::Out(_) => ExitCode::FAILURE,
            Self::NotMet(_) => ExitCode::from(4),
        }
    }

    /// Prints it to standard error, and returns the exit code.
    pub(super) fn report(self, json: bool) -> ExitCode {
        let mut stderr = io::stderr();
        let out = &mut stderr;
        // There is nowhere left to say that saying failed.
        let _ = match &self {
            Self::Out(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            _ if json => writeln!(out, "{}", self.as_json()),
            Self::Client(error) => match error.problem() {
                Some(problem) => explain(out, problem),
                None => say!(out, "stagegate: {}", one_line(error)),
            },
            Self::Usage(text) | Self::NotMet(text) => say!(out, "stagegate: {text}"),
            Self::Out(error) => say!(out, "stagegate: cannot write the output: {error}"),
        };
        self.code()
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Client(error) => match error.problem() {
                Some(problem) if !problem.body.is_empty() => json!(problem.body),
                Some(problem) => json!({ "status": problem.status, "detail": problem.to_string() }),
                None => json!({ "detail": one_line(error) }),
            },
            Self::Usage(text) | Self::NotMet(text) => json!({ "detail": text }),
            Self::Out(error) => json!({ "detail": format!("cannot write the output: {error}") }),
        }
    }
}

/// Says that a command may have had its effect, and how to find out.
pub(super) fn report_unknown(id: Uuid, json: bool) {
    let mut out = io::stderr();
    let why = "whether the command had its effect is not known";
    // There is nowhere left to say that saying failed.
    let _ = if json {
        writeln!(out, "{}", json!({ "detail": why, "id": id }))
    } else {
        say!(&mut out, "stagegate: {why}: the same again with --id {id} has one effect")
    };
}

/// The problem with every field that is wrong, and the rule that it breaks.
fn explain(out: &mut impl io::Write, problem: &Problem) -> io::Result<()> {
    if problem.code.is_empty() {
        return say!(out, "stagegate: {problem}");
    }
    say!(out, "stagegate: refused with {} {}: {}", problem.status, problem.code, problem.detail)?;
    for FieldError { pointer, code, message } in &problem.errors {
        let place = if pointer.is_empty() { "(whole body)" } else { pointer };
        say!(out, "  {place} {message} ({code})")?;
    }
    if let Some(phase) = problem.body.get("phase").and_then(Value::as_str) {
        let part = |name: &str| problem.body.get(name).map(|value| format!(", {name} {}", plain(value)));
        let parts: String = ["stage", "round", "revision", "version"].into_iter().filter_map(part).collect();
        say!(out, "  the task is now {phase}{parts}")?;
    }
    if let Some(allowed) = problem.body.get("allowed").and_then(Value::as_array) {
        let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
        say!(out, "  you can send now: {allowed}")?;
    }
    if let Some(id) = &problem.request_id {
        say!(out, "  request {id}")?;
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
