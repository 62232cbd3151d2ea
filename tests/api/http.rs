//! The surface over HTTP: the contract, the server, and requests that no honest client sends.

mod abuse;
mod compatibility;
mod documents;
mod fuzz;
mod openapi;
mod order_of_checks;
mod request_head;
pub mod server;
mod shape;
mod tools;
