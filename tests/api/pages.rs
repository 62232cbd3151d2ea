//! The pages for people.

mod browser;
