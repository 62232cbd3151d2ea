//! `stagegate dev`: the clock that its user moves, scripted reviewers, faults of webhooks, and the stories for an
//! endpoint.

mod check;
mod clock;
mod faults;
mod process;
mod reviewers;
mod routes;
mod world;
