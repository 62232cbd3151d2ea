//! The console: who reaches which page, what a page may contain, and what its forms do.

mod absences;
mod deliveries;
mod keys;
mod people;
pub mod reach;
mod secrets;
mod texts;
mod workflows;
