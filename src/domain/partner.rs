//! Partners: the events of their own trails, and the API keys of their programs.

pub mod api_key;
pub mod event;
pub mod trail;
