//! The audit trail: who sees what of an event, and the hash chain that makes every change to
//! recorded data visible.
//!
//! Tasks have trails, and so have partners (keys, workflows, erasures, exports). `task/trail.rs`
//! and `partner/trail.rs` define how the two kinds differ, with the tables of their fields. [`seal`]
//! makes an event an entry of the chain, [`open`] reads it back, [`verify`] checks stored entries,
//! [`view()`] limits an event to what a party may see, and [`proof()`] builds what a party needs to
//! check its view offline.
//!
//! # The format, number 1
//!
//! This section is enough to write a verifier from. `‖` concatenates bytes; texts are UTF-8. Hashes
//! (32 bytes) and salts (16 bytes) are written as lower-case hexadecimal digits in texts, and enter
//! other hashes as bytes.
//!
//! **Origin.** The first entry continues `SHA-256("stagegate/audit/genesis/v1" ‖ 0x00 ‖ text)`,
//! where `text` is `{"buyer":"…","partner":"…","task":"…"}`: the three ids in that order, as
//! lower-case UUIDs with hyphens, without white space. The field `data.definition` of the first
//! entry commits to the definition that the task runs on. It is salted: a bare digest would let a
//! buyer confirm a guess at the reviewers that a definition names.
//!
//! **Entry.** Each entry is one text, stored exactly as it is hashed (RFC 8785; members in this
//! order, no white space):
//!
//! ```json
//! {"prev":"<hash of the entry before>","root":"<root of the fields>","seq":7,"task":"<UUID>","v":1}
//! ```
//!
//! Its hash is `SHA-256("stagegate/audit/v1" ‖ 0x00 ‖ text)`. `seq` counts 1, 2, 3 … without gaps;
//! `v` is the number of the format. An entry's text reveals nothing but its place, so every party
//! gets it, even for entries that the party may not see.
//!
//! **Fields.** Every entry has a field for each path that the table lists for its type, whether the
//! event has a value for it or not; `type` is one of them. A field's leaf is
//! `SHA-256(0x00 ‖ salt ‖ length of the path (one byte) ‖ path ‖ value)`, where `value` is the RFC
//! 8785 text of the JSON value, or nothing at all if the field is absent (no JSON text is empty).
//! Null counts as absent. The leaves are sorted by path, byte by byte. `root` is their Merkle tree
//! hash as in RFC 6962, section 2.1, with these leaves as the leaf hashes: pairs are joined left to
//! right as `SHA-256(0x01 ‖ left ‖ right)`, and an odd one out moves up unchanged, until one is
//! left.
//!
//! A verifier must insist on exactly the table's list of paths for the type that it is shown; then
//! no field can be committed twice and shown in two versions. A new field therefore makes a new
//! format number, and the lists of number 1 stay as they are.
//!
//! **A partner's trail** is the same, with these exceptions. The origin is
//! `SHA-256("stagegate/partner/genesis/v1" ‖ 0x00 ‖ text)` with the text `{"partner":"<UUID>"}`. An
//! entry's text has the partner instead of the task,
//! `{"partner":"<UUID>","prev":"…","root":"…","seq":7,"v":1}`, and its hash is
//! `SHA-256("stagegate/partner/v1" ‖ 0x00 ‖ text)`. The types are those of the table in
//! `partner/trail.rs`, with lists of paths of their own; a type of one kind of trail never occurs
//! in the other. The members of an origin show which kind it is.
//!
//! **Proof** ([`ProofView`]). To check one, start with the hash of `origin`. The text of every
//! entry must have the form above, with `prev` the last hash, the next `seq`, the task (or partner)
//! of the origin, and the hash given. If it has `fields`, their paths must be the table's list for
//! the value of `type`, and the tree over their leaves must have the `root` of the text. The leaf
//! of a field is computed from `salt` and `value` (without `value`: absent), or given as `leaf`.
//!
//! **Erased fields.** A field with `"erased": true` has only a `leaf`: value and salt are gone. For
//! every entry with such a field there must be a later one of the type `task.personal_data_erased`
//! that has the entry's `seq` in the list `data.entries`, or whose `data.entries` is given as a
//! bare `leaf` (buyers may not see it). A field that the reader may not see is a bare `leaf`
//! whether it was erased or not, so the mark does not reveal that there was a value. An erasure
//! does not say whose data it was. `data.restated` repeats what others had shared with the buyer in
//! a list that was erased because it had the actor's words.
//!
//! The lists by type are in `tests/golden/audit-fields.json`, which `stagegate audit fields`
//! prints:
//! `{"task": {"<type>": ["<path>", …]}, "partner": {…}}`, the paths in the order of the leaves.
//! A type that is not in it is not of this format.
//!
//! **Export** ([`export`]). The same as lines of JSON, for one trail or many, with the head that
//! the service keeps, the proof that the trail is in the log, and a digest. `tests/verify.py` is a
//! verifier of exports and receipts that shares no code with this one.
//!
//! # What is not in the chain
//!
//! Two of the columns of a task's events are part of no trail and no export: `command_digest`,
//! which distinguishes a repeated command from another one, and `xid`, by which the log finds new
//! events. The other columns beside the sealed texts repeat sealed data; exports and proofs compare
//! them, and name the entry where they differ.
//!
//! # What is signed
//!
//! A chain alone does not show that it was not rebuilt as a whole, or that its end is missing.
//! Therefore heads are added to a Merkle log ([`transparency_log`]), whose root is signed
//! ([`checkpoint`], [`signed_note`]), and single entries can be signed for a party ([`receipt`]). Each of
//! these pages specifies its bytes; each has a public function that verifies with nothing but
//! public keys.
//!
//! # The columns
//!
//! `data` is `{"key":"…","values":{…}}` with all values except the personal ones, by path.
//! `personal` is `{"<path>":["<salt>",value], …}`; an erased field is `"<path>":"<leaf>"`. Members
//! are sorted by path, absent fields are left out, there is no white space, and values are RFC 8785
//! text. The salt of a field that `personal` does not hold is the first 16 bytes of
//! `HMAC-SHA256(key, path)`. Salts of personal fields come from a seed that is stored nowhere; once
//! value and salt are gone, only a commitment is left, against which no guess can be tested.

mod chain;
pub mod checkpoint;
mod columns;
mod error;
pub mod export;
mod origin;
mod partner_view;
mod proof;
mod proof_verifier;
pub mod receipt;
#[cfg(test)]
mod sample;
pub mod signed_note;
#[cfg(test)]
mod tests;
pub mod transparency_log;
mod view;
mod visibility;

pub use chain::{Chain, FORMAT, Head, Sealed, erase, open, seal, verify};
pub use error::{Broken, Error, ViewFlaw};
pub use origin::TrailOrigin;
pub use partner_view::{PartnerEntryView, PartnerEventType, partner_view};
pub use proof::{EntryProof, FieldProof, ProofView, proof};
pub use view::{ActorView, EntryView, EventType, shown_type, view, view_stored};

pub use super::partner::trail::PartnerOrigin;
pub use super::task::trail::Origin;
pub use super::trail::{Hash, InvalidHash, Recorded, Role, Subject};
