//! Partners: the events of their own trails, the API keys of their programs, and what those may do.

pub mod api_key;
pub mod event;
pub mod rights;
pub mod trail;
