//! Partners: the events of their own trails, the API keys of their programs and what those may do, and
//! the absences of their people.

pub mod absences;
pub mod api_key;
pub mod event;
pub mod rights;
pub mod trail;
