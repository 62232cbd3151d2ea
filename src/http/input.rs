//! The input of requests: bodies, parameters, pages, conditions and media types.

pub mod body;
pub mod deadline;
pub(in crate::http) mod etag;
pub mod extract;
pub(in crate::http) mod media;
pub mod page;
