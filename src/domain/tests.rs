//! The domain's tests: cases a line each, the grid of phase, command and party, and the laws over random and exhaustive sequences.

mod kit;
mod review;
