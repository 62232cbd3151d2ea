//! Who may see and do what, and who counts as the same person.

mod confusables;
mod leaks;
mod ownership;
mod people;
mod scopes;
