//! Exports: trails as lines of JSON, to be kept and checked without the service.
//!
//! Each line, including the last one, ends with a line feed. It is one JSON object in UTF-8 without
//! white space, with its members in the order below and no escapes except those that JSON requires.
//! Any other form is refused. The first member determines the kind of line.
//!
//! | line | meaning |
//! |---|---|
//! | `{"format":1,"origin":{…},"viewer":"buyer"}` | the header of a trail: [`TrailOrigin`], and the party whose view this is |
//! | `{"seq":1,"hash":"…","entry":"…","fields":[…]}` | an entry: [`EntryProof`], in order and without gaps |
//! | `{"damaged":{"seq":7,"what":"…"}}` | in the place of an entry that is not stored as it was written: the trail does not verify |
//! | `{"head":{"seq":10,"hash":"…"},"inclusion":…,"sha256":"…"}` | the end of a trail: the head that the service keeps for it, and an [`InclusionProof`] or null |
//!
//! The export of one trail is a header, its entries and an end. An export of many begins with
//! `{"export":{"partner":…,"workflow":…,"from":…,"until":…}}`, which repeats the request (or null),
//! has the trails one after the other, and ends with `{"trails":2,"entries":20,"sha256":"…"}`. A
//! file with another end is incomplete. Its trails are ordered by id, each once, and belong to the
//! requested partner; their proofs of inclusion share one checkpoint.
//!
//! **To check** a trail, check its entries as those of a [`super::ProofView`]; `head` must be the
//! `seq` and hash of the last one. If there is an inclusion proof, its leaf must name this task or
//! partner, `seq` must be one of the entries and `head` that entry's hash; check it as
//! [`super::transparency_log`] and [`super::checkpoint`] say, with the public key. Against a kept
//! checkpoint, `size` and root must be that checkpoint's, or a consistency proof must lead from one
//! to the other. Entries after the entry `seq` are in no checkpoint yet.
//!
//! `sha256` is the SHA-256 of all bytes from the first of the trail's lines (in the last line of an
//! export of many: from the first of the file) to where `,"sha256":` begins. It detects accidental
//! damage; a forger can recompute it.
//!
//! **What is proven.** Hashes alone do not prove who made a file: anybody can invent its content
//! and hash it. If the checkpoint of the inclusion proof is signed by a key that the reader trusts
//! independently, the log had this trail up to the entry `seq` when it was signed. If that is the
//! last entry, the trail is *verified*; else, or without such a signature, it is only *consistent*.
//!
//! **What is hidden** is checked by the table that `stagegate audit fields` prints. `viewer` is a
//! claim of the file, and this check enforces it: each field must be shown or not as the table says
//! for `partner` or `buyer` (the platform sees everything): `always`, `never`, `own` (where `party`
//! is the viewer), `asked` (own, or where `data.to` is the viewer), `shared` (own, or where
//! `share_with_buyer` is true in the value; a bare `leaf` may be either, since a buyer may not
//! know). Only an `erasable` field may be marked as erased. An entry without `fields` must be of a
//! type that is not `always` for the viewer. Such types come first in their transition, so no later
//! entry has a `cause_seq` before it; and a type whose `ending` is `follows` comes only after one
//! with `begins`. The type of a hidden entry is not proven: a vote that a partner should see cannot
//! be cut from its file, but a buyer's file may have a hidden entry where a vote could be.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::partner::event::PartnerEvent;
use crate::domain::partner::trail::PartnerOrigin;
use crate::domain::task::event::Event;
use crate::domain::task::trail::Origin;
use crate::domain::trail::{Ending, Field, Hash, Kind, Recorded, Sees, Subject};
use crate::domain::values::id::{PartnerId, WorkflowKey};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;

use super::chain::{FORMAT, Head, Sealed};
use super::error::Error;
use super::origin::TrailOrigin;
use super::proof::{EntryProof, ProofView};
use super::transparency_log::InclusionProof;

/// The table that a verifier must insist on, as JSON: by kind of trail and type of entry, who sees
/// the entry, how the type relates to a task's end, and every field in the order of the leaves.
/// Each field has a line of its own, for human readers.
pub fn fields() -> String {
    let kinds = |kinds: &'static [Kind]| {
        let mut sorted: Vec<_> = kinds.iter().collect();
        sorted.sort_by_key(|kind| kind.name);
        sorted.into_iter().map(type_lines).collect::<Vec<_>>().join(",\n")
    };
    let (partner, task) = (kinds(PartnerEvent::KINDS), kinds(Event::KINDS));
    let (partner_member, task_member) = (PartnerOrigin::MEMBER, Origin::MEMBER);
    format!("{{\n\"{partner_member}\": {{\n{partner}\n}},\n\"{task_member}\": {{\n{task}\n}}\n}}\n")
}

fn type_lines(kind: &Kind) -> String {
    let sees =
        |partner: Sees, buyer: Sees| format!(r#""partner": "{}", "buyer": "{}""#, partner.as_str(), buyer.as_str());
    let ending = match kind.ending {
        Ending::No => "",
        Ending::Begins => r#", "ending": "begins""#,
        Ending::Follows => r#", "ending": "follows""#,
    };
    let field = |field: &Field| {
        format!(
            r#"    "{}": {{{}, "erasable": {}}}"#,
            field.path,
            sees(field.partner, field.buyer),
            field.is_personal()
        )
    };
    let fields: Vec<_> = kind.fields().map(field).collect();
    let rows = sees(kind.partner, kind.buyer);
    format!("  \"{}\": {{{rows}{ending}, \"fields\": {{\n{}\n  }}}}", kind.name, fields.join(",\n"))
}

/// The lines of an export with the same content as a proof.
pub fn lines(proof: &ProofView) -> Vec<String> {
    let mut writer = Writer::default();
    let header = Header { format: proof.format, origin: proof.origin, viewer: proof.viewer() };
    let mut lines = vec![writer.line(&header)];
    lines.extend(proof.entries.iter().map(|entry| writer.line(entry)));
    let head = proof
        .entries
        .last()
        .map_or(Head { seq: 0, hash: Hash::from_bytes([0; 32]) }, |entry| Head { seq: entry.seq, hash: entry.hash });
    lines.push(writer.end(head, proof.inclusion.clone()));
    lines
}

#[cfg(test)]
mod tests;
mod verifier;

pub use verifier::{Approval, Flaw, Line, Logged, Trusted, Verified, Verifier, What};

/// The first line of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    origin: TrailOrigin,
    viewer: Party,
}

/// The placeholder for an entry that is not stored as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DamagedLine {
    damaged: Damaged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Damaged {
    seq: u64,
    what: String,
}

/// The last line of a trail; [`with_digest`] adds its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    head: Head,
    inclusion: Option<InclusionProof>,
    #[serde(default, skip_serializing)]
    sha256: Option<Hash>,
}

/// The request of an export of many trails: tasks with an entry recorded at `from` or later and
/// before `until`. None: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The partner whose tasks they are.
    pub partner: Option<PartnerId>,
    /// The workflow, in any version.
    pub workflow: Option<WorkflowKey>,
    /// The start of the period, inclusive.
    pub from: Option<Time>,
    /// The end of the period, exclusive.
    pub until: Option<Time>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    export: Selection,
}

/// The last line of an export of many; [`with_digest`] adds its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Totals {
    trails: u64,
    entries: u64,
    #[serde(default, skip_serializing)]
    sha256: Option<Hash>,
}

/// The start of the digest in a last line.
const DIGEST: &str = r#","sha256":"#;

/// The first bytes of each kind of line.
const HEADER: &[u8] = br#"{"format":"#;
const ENTRY: &[u8] = br#"{"seq":"#;
const DAMAGED: &[u8] = br#"{"damaged":"#;
const END: &[u8] = br#"{"head":"#;
const OPENING: &[u8] = br#"{"export":"#;
const TOTALS: &[u8] = br#"{"trails":"#;

/// Writes the lines of an export, each with its line feed.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    trail: Sha256,
    whole: Sha256,
    trails: u64,
    entries: u64,
}

impl Writer {
    /// The first line of an export of many.
    pub fn opening(&mut self, selection: &Selection) -> String {
        self.line(&Opening { export: selection.clone() })
    }

    /// The header of a trail.
    pub fn header(&mut self, origin: TrailOrigin, viewer: Party) -> String {
        self.trail = Sha256::new();
        self.trails += 1;
        self.line(&Header { format: FORMAT, origin, viewer })
    }

    /// An entry as `viewer` may see it; the flaw of a damaged entry stands in its place.
    pub fn entry<S: Subject>(&mut self, row: &Sealed, viewer: Party) -> Result<String, Error> {
        let proof = EntryProof::new::<S>(row, viewer)?;
        self.entries += 1;
        Ok(self.line(&proof))
    }

    /// The placeholder for the entry `seq`.
    pub fn damaged(&mut self, seq: u64, what: &str) -> String {
        self.entries += 1;
        self.line(&DamagedLine { damaged: Damaged { seq, what: what.to_owned() } })
    }

    /// The end of a trail; `head` is the head that the service stores apart from the entries.
    pub fn end(&mut self, head: Head, inclusion: Option<InclusionProof>) -> String {
        let line = with_digest(json(&End { head, inclusion, sha256: None }), self.trail.clone());
        self.add(line)
    }

    /// The last line of an export of many.
    pub fn closing(&mut self) -> String {
        let totals = Totals { trails: self.trails, entries: self.entries, sha256: None };
        let line = with_digest(json(&totals), self.whole.clone());
        self.add(line)
    }

    fn line(&mut self, line: &impl Serialize) -> String {
        let line = json(line);
        self.add(line)
    }

    fn add(&mut self, mut line: String) -> String {
        line.push('\n');
        self.trail.update(&line);
        self.whole.update(&line);
        line
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("a line is plain JSON")
}

/// Adds to a last line the digest of all bytes before: those that `before` has seen, and its own.
fn with_digest(mut line: String, before: Sha256) -> String {
    line.truncate(line.len() - "}".len());
    let digest = Hash::from_bytes(before.chain_update(&line).finalize().into());
    write!(line, "{DIGEST}\"{digest}\"}}").expect("a String takes all");
    line
}
