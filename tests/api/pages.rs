//! The pages for people.

mod coming_in;
mod console;
