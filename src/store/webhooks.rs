//! Webhook endpoints and the deliveries to them.

pub mod deliveries;
pub mod endpoints;
