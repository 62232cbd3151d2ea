//! The domain's tests: tables with one case per line, the grid of phase, command and party, and the
//! laws over random and exhaustive sequences.

mod absences;
mod alone;
mod business;
mod buyer;
mod cases;
mod details;
mod erasure;
mod exhaustive;
mod facts;
mod feedback;
mod golden;
mod grid;
mod laws;
mod links;
mod panels;
mod people;
mod questions;
mod random;
mod readers;
mod refusals;
mod review;
mod reviewers;
mod second_person;
mod spent;
mod test_support;
mod trail;
mod types;
mod why;
mod words;
