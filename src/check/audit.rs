//! `stagegate audit verify` and `stagegate audit fields`: verify proofs, exports, receipts and
//! checkpoints with public keys only.
//!
//! The beginning of a file determines its kind. Exports are read line by line, so their size does
//! not matter. All output goes through [`crate::terminal`], because the files are untrusted.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::export::{self, Approval, Flaw, Line, Trusted, Verified, Verifier, What};
use crate::domain::audit::receipt::{self, Receipt};
use crate::domain::audit::signed_note::VerifierKey;
use crate::domain::audit::transparency_log::ConsistencyProof;
use crate::domain::audit::{Head, ProofView, TrailOrigin};
use crate::domain::values::party::Party;
use crate::terminal::say;

use super::Verdict;

/// Maximum number of flaws to print; further flaws are only counted.
const MAX_FLAWS: u32 = 100;

/// Bytes of lines that are parsed in parallel.
const BATCH: usize = 1 << 18;

/// The trusted keys and checkpoints, as given on the command line.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// Verifier key lines, or files with such lines.
    pub keys: Vec<String>,
    /// Files with one checkpoint each.
    pub checkpoints: Vec<PathBuf>,
    /// Files with one consistency proof each.
    pub consistency: Vec<PathBuf>,
}

impl With {
    /// Reads the keys and files.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or has another form; the error names it.
    pub fn load(&self) -> io::Result<Trusted> {
        let invalid = |what: &str, why: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {why}"))
        };
        let mut trusted = Trusted::default();
        for given in &self.keys {
            // A key cannot be mistaken for a file name: it contains plus signs and ends with
            // base64.
            let text = match VerifierKey::parse(given) {
                Ok(_) => given.clone(),
                Err(_) => fs::read_to_string(given).map_err(|error| invalid(given, &error))?,
            };
            let keys = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(VerifierKey::parse);
            trusted.keys.extend(keys.collect::<Result<Vec<_>, _>>().map_err(|error| invalid(given, &error))?);
        }
        for file in &self.checkpoints {
            let name = file.display().to_string();
            let note = fs::read_to_string(file).map_err(|error| invalid(&name, &error))?;
            let kept = if trusted.keys.is_empty() {
                trusted.open(&note).map(|(kept, _)| kept)
            } else {
                Checkpoint::open(&note, &trusted.keys)
            };
            trusted.kept.push(kept.map_err(|error| invalid(&name, &error))?);
        }
        for file in &self.consistency {
            let name = file.display().to_string();
            let text = fs::read(file).map_err(|error| invalid(&name, &error))?;
            let proof: ConsistencyProof = serde_json::from_slice(&text).map_err(|error| invalid(&name, &error))?;
            trusted.consistency.push(proof);
        }
        Ok(trusted)
    }
}

/// Verifies a file; `-` is standard input.
///
/// # Errors
///
/// When the file cannot be read (the error names it), or `out` cannot be written.
pub fn verify(file: &Path, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    if file.to_str() == Some("-") {
        return verify_from(BufReader::with_capacity(1 << 20, io::stdin()), trusted, out);
    }
    let opened = File::open(file).and_then(|opened| opened.metadata().map(|of| (opened, of.is_dir())));
    match opened.map_err(named)? {
        (_, true) => Err(named(io::ErrorKind::IsADirectory.into())),
        (opened, false) => verify_from(BufReader::with_capacity(1 << 20, opened), trusted, out),
    }
}

/// Verifies what `input` contains.
///
/// # Errors
///
/// When the input cannot be read, or `out` cannot be written.
pub fn verify_from(mut input: impl BufRead, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let mut first = Vec::new();
    input.read_until(b'\n', &mut first)?;
    if [br#"{"format":1,"origin":"#.as_slice(), br#"{"export":"#].iter().any(|start| first.starts_with(start))
        && !is_proof(&first)
    {
        return lines(first, input, trusted, out);
    }
    input.read_to_end(&mut first)?;
    match first.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => proof(&first, trusted, out),
        Some(_) => signed(&first, trusted, out),
        None => unreadable(out, "it is empty"),
    }
}

/// Whether the first line is a complete proof; an export continues after its first line.
fn is_proof(first: &[u8]) -> bool {
    let text = first.strip_suffix(b"\n").unwrap_or(first);
    serde_json::from_slice::<ProofView>(text).is_ok()
}

fn lines(mut batch: Vec<u8>, mut input: impl BufRead, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let mut verifier = Verifier::new(trusted);
    let mut report = Report { by_line: true, ..Report::default() };
    loop {
        while batch.len() < BATCH && input.read_until(b'\n', &mut batch)? > 0 {}
        if batch.is_empty() {
            break;
        }
        for line in look_at(&batch) {
            let read = verifier.read(line);
            report.add(&read, out)?;
            if matches!(read, Err(Flaw { what: What::Place, trail: None, .. })) {
                // Do not verify anything after the end of the export.
                return Ok(Verdict::Unsound);
            }
        }
        batch.clear();
    }
    report.add(&verifier.finish().map(|()| None), out)?;
    report.end(verifier.counted(), trusted, out)
}

/// Verifies the response of `GET …/audit/proof`, for a task or a partner, like the export with the
/// same content.
fn proof(text: &[u8], trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let proof: ProofView = match serde_json::from_slice(text) {
        Ok(proof) => proof,
        Err(error) => return unreadable(out, &error),
    };
    let (mut verifier, mut report) = (Verifier::new(trusted), Report::default());
    for line in export::lines(&proof) {
        report.add(&verifier.read(Line::new(line.as_bytes())), out)?;
    }
    report.end(verifier.counted(), trusted, out)
}

/// Parses the lines of a batch on all cores, and returns them in order.
fn look_at(batch: &[u8]) -> Vec<Line<'_>> {
    let lines: Vec<&[u8]> = batch.split_inclusive(|byte| *byte == b'\n').collect();
    let share = lines.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get));
    thread::scope(|scope| {
        let parts: Vec<_> = lines
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().copied().map(Line::new).collect::<Vec<_>>()))
            .collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        parts.flatten().collect()
    })
}

/// Results for the trails of a file so far.
#[derive(Debug, Default)]
struct Report {
    /// Whether line numbers are those of the file.
    by_line: bool,
    flaws: u32,
    sound: u64,
    signed: u64,
    /// Whether a trusted key signed anything at all.
    any_signed: bool,
    /// Trails that have completely hidden entries.
    hidden: u64,
    erased_for_buyer: bool,
}

impl Report {
    fn add(&mut self, read: &Result<Option<Verified>, Flaw>, out: &mut impl Write) -> io::Result<()> {
        match read {
            Ok(None) => Ok(()),
            Ok(Some(trail)) => self.trail(trail, out),
            Err(flaw) => self.flaw(flaw, out),
        }
    }

    fn trail(&mut self, trail: &Verified, out: &mut impl Write) -> io::Result<()> {
        self.sound += 1;
        self.signed += u64::from(trail.is_signed());
        self.hidden += u64::from(trail.hidden > 0);
        self.erased_for_buyer |= trail.erased > 0 && trail.viewer == Party::Buyer;
        let (whose, Head { seq, hash }) = (whose(&trail.origin), trail.head);
        let log = match &trail.logged {
            None => "in no checkpoint".to_owned(),
            Some(logged) => {
                self.any_signed |= logged.signed_by.is_some();
                let by = logged.signed_by.as_ref().map_or_else(|| "no known key".to_owned(), ToString::to_string);
                format!("up to entry {} in a checkpoint of {} leaves, signed by {by}", logged.seq, logged.size)
            }
        };
        let word = if trail.is_signed() { "verified" } else { "consistent" };
        let hidden = if trail.hidden > 0 { format!(" ({} hidden)", trail.hidden) } else { String::new() };
        let viewer = trail.viewer;
        say!(out, "{word}: {seq} entries{hidden} of {whose} as the {viewer} sees it, head {hash}, {log}")?;
        trail.approvals.iter().try_for_each(|approval| say!(out, "  {}", in_words(approval)))
    }

    fn flaw(&mut self, flaw: &Flaw, out: &mut impl Write) -> io::Result<()> {
        self.flaws += 1;
        if self.flaws > MAX_FLAWS {
            return Ok(());
        }
        let line = if self.by_line { format!("line {}: ", flaw.line) } else { String::new() };
        let trail = flaw.trail.as_ref().map(|trail| format!("{}, ", whose(trail))).unwrap_or_default();
        let seq = flaw.seq.map(|seq| format!("entry {seq}: ")).unwrap_or_default();
        say!(out, "NOT verified: {line}{trail}{seq}{}", flaw.what)
    }

    /// Prints the verdict, with what it proves and what it does not.
    fn end(&self, (trails, entries): (u64, u64), trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
        if self.flaws > 0 {
            say!(out, "NOT verified: {} flaws; {} of {trails} trails have none", self.flaws, self.sound)?;
            return Ok(Verdict::Unsound);
        }
        let verdict = if trails > 0 && self.signed == trails { Verdict::Sound } else { Verdict::Unsigned };
        let kept = if trusted.kept.is_empty() { "" } else { ", and a kept checkpoint agrees" };
        if verdict == Verdict::Sound {
            say!(
                out,
                "verified: {trails} trails, {entries} entries: a given key signed each trail up to its last entry{kept}"
            )?;
            say!(
                out,
                "  proven: the holder of the key had these entries in its log, in this order and without others in between; the data shown is the data that was recorded."
            )?;
        } else if self.any_signed {
            say!(
                out,
                "consistent, but only partly signed: a given key signed {} of {trails} trails up to the last entry{kept}",
                self.signed
            )?;
            say!(
                out,
                "  proven: only the entries that are signed according to the lines above. The entries after them may be forged."
            )?;
        } else {
            let why = if trusted.keys.is_empty() { "no --key was given" } else { "no given key signed anything in it" };
            say!(out, "consistent, but signed by nobody: {trails} trails, {entries} entries; {why}{kept}")?;
            say!(out, "  proven: the file is consistent. Its author may have forged all of it.")?;
        }
        self.limits(out)?;
        Ok(verdict)
    }

    fn limits(&self, out: &mut impl Write) -> io::Result<()> {
        let mut limits = vec!["that nothing was recorded after the last entry"];
        if self.by_line {
            limits.push("that no trail is missing");
        }
        if self.hidden > 0 {
            limits.push("the type of a hidden entry, among the types that its reader may not see");
        }
        if self.erased_for_buyer {
            limits.push("that an erasure affected exactly the marked entries, which a buyer cannot see");
        }
        say!(out, "  not proven: {}.", limits.join("; "))
    }
}

/// The approval of a stage, in words.
fn in_words(approval: &Approval) -> String {
    let Approval { seq, stage, round, revision, people, by_submitter, bound } = approval;
    let by = match (people, by_submitter) {
        (0, _) => "the service after a deadline".to_owned(),
        (1, true) => "1 person, who submitted that revision".to_owned(),
        (1, false) => "1 person".to_owned(),
        (_, true) => format!("{people} different people, one of whom submitted that revision"),
        (_, false) => format!("{people} different people"),
    };
    let apart = if *people > 0 && !by_submitter && *revision > 0 { ", not by its submitter" } else { "" };
    let bound = match (people, bound) {
        (0, _) => "",
        (_, true) => "; bound",
        (_, false) => "; not bound",
    };
    format!("entry {seq}: stage {stage}, round {round}, revision {revision}: approved by {by}{apart}{bound}")
}

/// Verifies a checkpoint, which contains an empty line, or a receipt, which has two dots and no
/// white space.
fn signed(text: &[u8], trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let Ok(text) = str::from_utf8(text) else { return unreadable(out, "it is not UTF-8") };
    if text.contains("\n\n") {
        return checkpoint(text, trusted, out);
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.matches('.').count() != 2 || text.contains(char::is_whitespace) {
        return unreadable(out, "it does not begin like any of them");
    }
    receipt(text, trusted, out)
}

fn checkpoint(note: &str, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let opened = trusted.open(note).map_err(|error| error.to_string());
    let connected = opened.and_then(|(checkpoint, is_signed)| match trusted.connect(&checkpoint) {
        Ok(()) => Ok((checkpoint, is_signed)),
        Err(what) => Err(what.to_string()),
    });
    let (Checkpoint { origin, size, root }, is_signed) = match connected {
        Ok(connected) => connected,
        Err(why) => {
            say!(out, "NOT verified: the checkpoint: {why}")?;
            return Ok(Verdict::Unsound);
        }
    };
    let kept = if trusted.kept.is_empty() { "" } else { "; it is consistent with a kept checkpoint" };
    if is_signed {
        say!(out, "verified: checkpoint of {origin}, {size} leaves, root {root}, signed by a given key{kept}")?;
        return Ok(Verdict::Sound);
    }
    say!(
        out,
        "consistent, but signed by nobody: checkpoint that names {origin}, {size} leaves, root {root}: no given key signed it{kept}"
    )?;
    Ok(Verdict::Unsigned)
}

fn receipt(text: &str, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let (receipt, verdict) = match Receipt::verify(text, &trusted.keys) {
        Ok(receipt) => (Ok(receipt), Verdict::Sound),
        Err(receipt::Error::Unknown) => (Receipt::read(text), Verdict::Unsigned),
        Err(error) => (Err(error), Verdict::Unsound),
    };
    let receipt = match receipt {
        Ok(receipt) => receipt,
        Err(why) => {
            say!(out, "NOT verified: the receipt: {why}")?;
            return Ok(Verdict::Unsound);
        }
    };
    let Receipt { iss, seq, task, .. } = &receipt;
    if verdict == Verdict::Sound {
        say!(out, "verified: receipt for entry {seq} of task {task}, signed by {iss}, whose key was given")?;
        say!(
            out,
            "  proven: the holder of the key recorded this entry, and the entry has this head, which covers all earlier entries."
        )?;
        say!(
            out,
            "  not proven: fields that are null, which are absent or not visible to this party; entries that were recorded later."
        )?;
    } else {
        say!(
            out,
            "consistent, but signed by nobody: receipt that names {iss}, for entry {seq} of task {task}: no given key signed it"
        )?;
        say!(out, "  proven: nothing. Its author may have forged all of it:")?;
    }
    for line in serde_json::to_string_pretty(&receipt).map_err(io::Error::other)?.lines() {
        say!(out, "{line}")?;
    }
    Ok(verdict)
}

fn unreadable(out: &mut impl Write, why: impl std::fmt::Display) -> io::Result<Verdict> {
    say!(out, "not a proof, an export, a receipt or a checkpoint: {why}")?;
    Ok(Verdict::Unreadable)
}

fn whose(origin: &TrailOrigin) -> String {
    match origin {
        TrailOrigin::Task(origin) => format!("task {}", origin.task_id),
        TrailOrigin::Partner(origin) => format!("partner {}", origin.partner_id),
    }
}

/// Writes the table of fields as JSON: the fields that a verifier must require.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn fields(out: &mut impl Write) -> io::Result<()> {
    out.write_all(export::fields().as_bytes())
}
