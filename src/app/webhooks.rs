//! Webhooks: endpoints, and the deliveries to them.

pub mod dispatch;
pub mod endpoints;
