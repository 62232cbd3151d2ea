//! Partners: what happens to them, and the keys by which their programs are known.

pub mod api_key;
pub mod event;
