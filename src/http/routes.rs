//! The handlers, one file per resource. Each parses the request, makes one call into `app` and
//! renders the result.

pub mod absences;
pub mod analytics;
pub mod audit;
pub mod bulk;
pub mod claims;
pub mod command_body;
pub mod deliveries;
pub mod docs;
pub mod erasures;
pub mod events;
pub mod export;
pub mod feed;
pub mod health;
pub mod inbox;
pub mod keys;
pub mod links;
pub mod partner_trail;
pub mod partners;
pub mod simulations;
pub mod statuses;
pub mod streams;
pub mod tasks;
pub mod transparency_log;
pub mod webhooks;
pub mod why;
pub mod workflows;
