//! The pages for people.

mod buyer;
mod coming_in;
