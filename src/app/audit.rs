//! Trails as their readers see them, and their evidence: proofs, receipts, the log, exports.

pub mod export;
pub mod partner_trail;
pub mod receipts;
pub mod trail;
pub mod transparency_log;
