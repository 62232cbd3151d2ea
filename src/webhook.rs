//! Outgoing webhooks: which addresses may be called, how a delivery is signed, and one guarded
//! attempt to deliver. What goes where, and when, is decided elsewhere; this module does not know
//! the database.

pub mod address;
pub mod client;
pub mod sign;
#[cfg(test)]
mod test_support;
