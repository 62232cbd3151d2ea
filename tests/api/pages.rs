//! The pages for people.

mod browser;
mod buyer;
mod coming_in;
mod console;
mod desk;
mod matrix;
mod pseudo;
