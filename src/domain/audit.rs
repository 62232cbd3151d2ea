//! The audit trail: who sees what of an event, and the chain that makes every change to what was recorded visible.

mod chain;
mod columns;
pub mod fields;
mod hash;
mod proof;
mod view;

pub use chain::{Broken, Chain, Error, FORMAT, Head, Origin, Sealed, erase, open, seal, verify};
pub use hash::{Hash, InvalidHash};
pub use proof::{EntryProof, FieldProof, ProofView, proof};
pub use view::{ActorView, EntryView, Role, view};
