//! What is proved of trails: the log of all heads, the trails of partners, and exports.

pub mod exports;
pub mod partner_events;
pub mod transparency_log;
