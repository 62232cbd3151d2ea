//! The HTTP surface: parse, one call into `app`, a view.

pub mod server;
