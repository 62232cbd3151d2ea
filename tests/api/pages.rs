//! The pages for people.

mod browser;
mod coming_in;
mod desk;
