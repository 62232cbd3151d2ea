//! The server around the routes: sockets, connections, limits, common headers and metrics.

pub(in crate::http) mod door;
pub mod listener;
pub mod metrics;
pub mod middleware;
pub mod server;
pub(in crate::http) mod service;
