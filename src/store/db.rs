//! Connections to Postgres and what every statement needs: limits, errors, pages, and the order in
//! which transactions committed.

pub(in crate::store) mod beside;
pub mod cell;
pub mod connect;
pub(in crate::store) mod error;
pub mod horizon;
pub mod notify;
pub(in crate::store) mod page;
pub(in crate::store) mod pool;
pub mod probe;
pub(in crate::store) mod row;
pub(in crate::store) mod session;
mod settings;
