//! Events out: which addresses may be called, how a delivery is signed, and one guarded attempt to hand it over.
//! Which events go where, and when, is not decided here; nothing here knows the database.

pub mod address;
pub mod client;
pub mod sign;
#[cfg(test)]
mod test_support;
