//! The server around the routes: sockets, connections, limits, common headers and metrics.

pub mod listener;
pub mod metrics;
pub mod middleware;
pub mod mount;
pub(in crate::http) mod request_head;
pub mod server;
pub(in crate::http) mod service;
