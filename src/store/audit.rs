//! What proofs are made from: the transparency log of trail heads, the partners' trails, and
//! exports.

pub mod exports;
pub mod partner_events;
pub mod transparency_log;
