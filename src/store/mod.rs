//! SQL: rows in, domain types out.

pub mod pool;
