//! `stagegate workflow check`: validates a definition as the service would, without a service.
//! `audit.rs` has `stagegate audit`. Both read untrusted files, so all output goes through
//! [`crate::terminal`].

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::domain::workflow::{Parsed, StageAlone, Workflow};
use crate::json::strict;
use crate::terminal::say;

mod audit;

pub use audit::{With, fields, verify, verify_from};

/// Result of a check, with the exit codes 0, 1, 2 and 3 for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file is valid, or verified.
    Sound,
    /// The file has the expected form, but contains mistakes.
    Unsound,
    /// The file cannot be read or has another form.
    Unreadable,
    /// The file is consistent, but no given key vouches for all of it.
    Unsigned,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Sound => Self::SUCCESS,
            Verdict::Unsound => Self::FAILURE,
            Verdict::Unreadable => Self::from(2),
            Verdict::Unsigned => Self::from(3),
        }
    }
}

/// Reads a file; `-` is standard input.
///
/// # Errors
///
/// When the file cannot be read; the error names it.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().read_to_end(&mut bytes).map(|_| bytes),
        Some(_) | None => fs::read(file),
    };
    read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// Writes all mistakes of a definition, or the summary and warnings of a valid one: one line each,
/// with pointer and code.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn workflow(definition: &[u8], out: &mut impl Write) -> io::Result<Verdict> {
    let value = match strict::parse(definition) {
        Ok(value) => value,
        Err(strict::Fault::Malformed { message }) => {
            say!(out, "not JSON: {message}")?;
            return Ok(Verdict::Unreadable);
        }
        Err(strict::Fault::Refused { pointer, code, message }) => {
            return mistakes(out, [(pointer.as_str(), code, message)].into_iter()).map(|()| Verdict::Unsound);
        }
    };
    match Workflow::parse(&value) {
        Ok(Parsed { workflow, warnings, worst_case }) => {
            say!(out, "sound: {}, {} stages", workflow.name, workflow.stages.len())?;
            match worst_case {
                Some(seconds) => say!(out, "a task takes at most {seconds} seconds")?,
                None => say!(out, "the time that a task takes has no upper bound")?,
            }
            for StageAlone { key, alone } in workflow.alone() {
                let ways: Vec<String> = alone.iter().map(ToString::to_string).collect();
                say!(out, "stage {key} can be approved without another party by: {}", ways.join(", "))?;
            }
            for warning in &warnings {
                let (pointer, code) = (place(&warning.pointer), warning.code.as_str());
                say!(out, "warning  {pointer}  {code}  {}", warning.message)?;
            }
            Ok(Verdict::Sound)
        }
        Err(found) => {
            let found =
                found.iter().map(|mistake| (mistake.pointer.as_str(), mistake.code.as_str(), mistake.message.as_str()));
            mistakes(out, found).map(|()| Verdict::Unsound)
        }
    }
}

fn mistakes<'a>(
    out: &mut impl Write,
    found: impl ExactSizeIterator<Item = (&'a str, &'a str, &'a str)>,
) -> io::Result<()> {
    say!(out, "not sound, mistakes: {}", found.len())?;
    for (pointer, code, message) in found {
        say!(out, "mistake  {}  {code}  {message}", place(pointer))?;
    }
    Ok(())
}

/// Shows the empty pointer, which stands for the whole definition, as words.
fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "(whole definition)" } else { pointer }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::audit::export::Trusted;
    use crate::trial::DEFINITION;

    fn said(check: impl Fn(&[u8], &mut Vec<u8>) -> io::Result<Verdict>, text: &str) -> (Verdict, String) {
        let mut out = Vec::new();
        let verdict = check(text.as_bytes(), &mut out).unwrap();
        (verdict, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_sound_definition_is_said_to_be_with_its_warnings() {
        let (verdict, text) = said(workflow, DEFINITION);
        assert_eq!(verdict, Verdict::Sound);
        assert!(text.starts_with("sound: Brand campaign, 3 stages\na task takes at most 1209600 seconds\n"), "{text}");
        assert!(text.contains("warning  /stages/0"), "{text}");
    }

    #[test]
    fn every_mistake_of_a_definition_is_said_with_its_place() {
        let (verdict, text) =
            said(workflow, r#"{"name": " ", "stages": [{"key": "A", "name": "A", "buyer_label": "A"}]}"#);
        assert_eq!(verdict, Verdict::Unsound);
        assert!(text.starts_with("not sound, mistakes: 2\n"), "{text}");
        assert!(
            text.contains("mistake  /name  blank  ") && text.contains("mistake  /stages/0/key  invalid_key  "),
            "{text}"
        );
        let (verdict, text) = said(workflow, r#"{"name": "A", "name": "B"}"#);
        assert_eq!(verdict, Verdict::Unsound);
        assert!(text.contains("mistake  /name  duplicate_key  "), "{text}");
        let (verdict, text) = said(workflow, "[]");
        assert_eq!(verdict, Verdict::Unsound);
        assert!(text.contains("(whole definition)"), "{text}");
        assert_eq!(said(workflow, "{").0, Verdict::Unreadable);
    }

    #[test]
    fn what_is_no_proof_or_proves_nothing_is_not_verified() {
        let trail = |text: &[u8], out: &mut Vec<u8>| verify_from(text, &Trusted::default(), out);
        assert_eq!(said(trail, "{}").0, Verdict::Unreadable);
        let id = uuid::Uuid::nil();
        let mut proof = json!({ "format": 1, "origin": { "buyer": id, "partner": id, "task": id }, "entries": [] });
        assert_eq!(said(trail, &proof.to_string()).0, Verdict::Unsound);
        proof["entries"] = json!([{ "seq": 1, "hash": "00".repeat(32), "entry": "{}" }]);
        let (verdict, text) = said(trail, &proof.to_string());
        assert_eq!(verdict, Verdict::Unsound);
        let flaw = format!("NOT verified: task {id}, entry 1: its text is not that of an entry\n");
        assert!(text.starts_with(&flaw), "{text}");
        proof["entries"] = Value::Null;
        assert_eq!(said(trail, &proof.to_string()).0, Verdict::Unreadable);
        let neither = json!({ "format": 1, "origin": { "partner": id, "task": id }, "entries": [] });
        assert_eq!(said(trail, &neither.to_string()).0, Verdict::Unreadable);
    }
}
