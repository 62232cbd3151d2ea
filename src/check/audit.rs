//! `stagegate audit verify` and `stagegate audit fields`: proofs, exports, receipts and checkpoints, checked with nothing but public keys.
//!
//! What a file is, its beginning tells. Exports are read line by line, so their size does not matter.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::export::{self, Flaw, Line, Trusted, Verified, Verifier, What};
use crate::domain::audit::log::ConsistencyProof;
use crate::domain::audit::note::VerifierKey;
use crate::domain::audit::receipt::Receipt;
use crate::domain::audit::{Head, ProofView, TrailOrigin};

use super::Verdict;

/// More flaws than this are counted, not told.
const MAX_FLAWS: u32 = 100;

/// How many bytes of lines are looked at together.
const BATCH: usize = 1 << 18;

/// What a file is checked with, as it was named on the command line.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// Verifier key lines, or files of them.
    pub keys: Vec<String>,
    /// Files with a checkpoint each.
    pub checkpoints: Vec<PathBuf>,
    /// Files with a proof of consistency each.
    pub consistency: Vec<PathBuf>,
}

impl With {
    /// Reads what is named.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be; the error names it.
    pub fn load(&self) -> io::Result<Trusted> {
        let invalid = |what: &str, why: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {why}"))
        };
        let mut trusted = Trusted::default();
        for given in &self.keys {
            // A key is no name of a file: it has plus signs in it, and ends with base64.
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
            let kept =
                if trusted.keys.is_empty() { Checkpoint::read(&note) } else { Checkpoint::open(&note, &trusted.keys) };
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

/// Checks a file; `-` is standard input.
///
/// # Errors
///
/// When it cannot be read (the error names it), or `out` cannot be written.
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

/// Checks what can be read from `input`.
///
/// # Errors
///
/// When it cannot be read, or `out` cannot be written.
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
        Some(b'{') => trail(&first, out),
        Some(_) => signed(&first, trusted, out),
        None => unreadable(out, "there is nothing in it"),
    }
}

/// A proof is one object, which ends where its entries do.
fn is_proof(first: &[u8]) -> bool {
    let text = first.strip_suffix(b"\n").unwrap_or(first);
    serde_json::from_slice::<ProofView>(text).is_ok()
}

fn lines(mut batch: Vec<u8>, mut input: impl BufRead, trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let mut verifier = Verifier::new(trusted);
    let (mut flaws, mut sound) = (0, 0_u64);
    loop {
        while batch.len() < BATCH && input.read_until(b'\n', &mut batch)? > 0 {}
        if batch.is_empty() {
            break;
        }
        for line in look_at(&batch) {
            match verifier.read(line) {
                Ok(None) => {}
                Ok(Some(trail)) => {
                    sound += 1;
                    verified(out, &trail)?;
                }
                Err(flaw) => {
                    let is_last = flaw.what == What::Place && flaw.trail.is_none();
                    tell(out, &flaw, &mut flaws)?;
                    if is_last {
                        // What is behind the end is not looked at.
                        return Ok(Verdict::Unsound);
                    }
                }
            }
        }
        batch.clear();
    }
    if let Err(flaw) = verifier.finish() {
        tell(out, &flaw, &mut flaws)?;
    }
    let (trails, entries) = verifier.counted();
    if flaws > 0 {
        writeln!(out, "NOT verified: {flaws} flaws, {sound} of {trails} trails are sound")?;
        return Ok(Verdict::Unsound);
    }
    writeln!(out, "verified: {trails} trails with {entries} entries; {}", beyond(trusted))?;
    Ok(Verdict::Sound)
}

/// The lines of a batch, in order; every core looks at a part of them.
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

fn beyond(trusted: &Trusted) -> &'static str {
    match (trusted.keys.is_empty(), trusted.kept.is_empty()) {
        (true, true) => "signatures of checkpoints were not checked, which takes --key",
        (true, false) => "against the kept checkpoint, which was taken for true without its signature",
        (false, true) => "checkpoints are signed by the key that was given",
        (false, false) => "against the kept checkpoint, which is signed by the key that was given",
    }
}

fn verified(out: &mut impl Write, trail: &Verified) -> io::Result<()> {
    let (whose, Head { seq, hash }) = (whose(&trail.origin), trail.head);
    let log = match trail.included {
        Some((logged, size)) => format!("up to entry {logged} in the log of {size} leaves"),
        None => "in no checkpoint".to_owned(),
    };
    writeln!(out, "verified: {seq} entries of {whose} as the {} sees it, head {hash}, {log}", trail.viewer.as_str())
}

fn tell(out: &mut impl Write, flaw: &Flaw, flaws: &mut u32) -> io::Result<()> {
    *flaws += 1;
    if *flaws > MAX_FLAWS {
        return Ok(());
    }
    let trail = flaw.trail.as_ref().map(|trail| format!("{}, ", whose(trail))).unwrap_or_default();
    let seq = flaw.seq.map(|seq| format!("entry {seq}: ")).unwrap_or_default();
    writeln!(out, "NOT verified: line {}: {trail}{seq}{}", flaw.line, flaw.what)
}

/// Checks the answer of `GET /tasks/{id}/audit/proof`, or that of a partner's trail, with nothing but itself.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn trail(proof: &[u8], out: &mut impl Write) -> io::Result<Verdict> {
    let proof: ProofView = match serde_json::from_slice(proof) {
        Ok(proof) => proof,
        Err(error) => return unreadable(out, &error),
    };
    match proof.verify() {
        // Every trail has at least its opening.
        Ok(Head { seq: 0, .. }) => {
            writeln!(out, "NOT verified: there are no entries")?;
            Ok(Verdict::Unsound)
        }
        Ok(Head { seq, hash }) => {
            writeln!(out, "verified: {seq} entries of {}", whose(&proof.origin))?;
            writeln!(out, "head: {hash}")?;
            let known = match proof.origin {
                TrailOrigin::Task(_) => "another party, or the task's `head_hash`,",
                TrailOrigin::Partner(_) => "the other of partner and platform",
            };
            writeln!(out, "That none is missing at the end shows if {known} has the same head.")?;
            Ok(Verdict::Sound)
        }
        Err(broken) => {
            writeln!(out, "NOT verified: {broken}")?;
            Ok(Verdict::Unsound)
        }
    }
}

/// A checkpoint has an empty line in it, a receipt two dots and no white space.
fn signed(text: &[u8], trusted: &Trusted, out: &mut impl Write) -> io::Result<Verdict> {
    let Ok(text) = str::from_utf8(text) else { return unreadable(out, "it is not UTF-8") };
    let is_note = text.contains("\n\n");
    let receipt = text.strip_suffix('\n').unwrap_or(text);
    if !is_note && (receipt.matches('.').count() != 2 || receipt.contains(char::is_whitespace)) {
        return unreadable(out, "it begins like none of them");
    }
    if trusted.keys.is_empty() {
        return unreadable(out, "checkpoints and receipts take --key");
    }
    let not = |out: &mut dyn Write, what: &str, why: &dyn std::fmt::Display| {
        writeln!(out, "NOT verified: {what}: {why}").map(|()| Verdict::Unsound)
    };
    if is_note {
        return match Checkpoint::open(text, &trusted.keys) {
            Err(error) => not(out, "the checkpoint", &error),
            Ok(checkpoint) => {
                if let Err(what) = trusted.connect(&checkpoint) {
                    return not(out, "the checkpoint", &what);
                }
                let Checkpoint { origin, size, root } = &checkpoint;
                writeln!(out, "verified: checkpoint of {origin}, {size} leaves, root {root}")?;
                Ok(Verdict::Sound)
            }
        };
    }
    match Receipt::verify(receipt, &trusted.keys) {
        Err(error) => not(out, "the receipt", &error),
        Ok(receipt) => {
            writeln!(out, "verified: receipt by {} for entry {} of task {}", receipt.iss, receipt.seq, receipt.task)?;
            writeln!(out, "{}", serde_json::to_string_pretty(&receipt).map_err(io::Error::other)?)?;
            Ok(Verdict::Sound)
        }
    }
}

fn unreadable(out: &mut impl Write, why: impl std::fmt::Display) -> io::Result<Verdict> {
    writeln!(out, "not a proof, an export, a receipt or a checkpoint: {why}")?;
    Ok(Verdict::Unreadable)
}

fn whose(origin: &TrailOrigin) -> String {
    match origin {
        TrailOrigin::Task(origin) => format!("task {}", origin.task_id),
        TrailOrigin::Partner(origin) => format!("partner {}", origin.partner_id),
    }
}

/// The fields of every type of entry, as JSON: what a verifier must insist on.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn fields(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(&export::fields()).map_err(io::Error::other)?)
}
