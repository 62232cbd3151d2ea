//! The surface over HTTP: the contract, the server, and requests that no honest client sends.

mod abuse;
mod door;
mod fuzz;
mod openapi;
mod order_of_checks;
pub mod server;
