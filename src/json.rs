//! Strict JSON parsing with errors that name their place.

pub mod lines;
pub mod pointer;
pub mod strict;
