//! The business rules, pure: no I/O, no clock, no randomness, no async. `decide` says what a
//! command does; `evolve` applies it.
//!
//! # The state machine
//!
//! - **ENTER s**: starts the next round of s, discards the votes and records `stage_entered`. The
//!   phase is `preparing` if the task returns to s or s requires work, else REVIEW follows.
//! - **REVIEW**: the phase is `in_review`, without votes, and its clock starts. If too few of the
//!   named reviewers may approve and are there or represented, ESCALATE.
//! - **APPROVE**: records `stage_approved`, then ENTER the next stage, or `workflow_completed` and
//!   `delivery`.
//! - **REJECT**: records `stage_rejected`. In the last round `on_exhausted` applies (ESCALATE, or
//!   `workflow_failed`), else ENTER as a return.
//! - **RETURN**: records `stage_rejected`, then ENTER as a return, in any round.
//! - **ESCALATE**: records `stage_escalated`. The reviewers' clock stops, their votes stay, and the
//!   clock of the party that must decide starts.
//! - **QUESTION**: lies beside `preparing` and `in_review` and decides nothing. The reviewers' clock
//!   stops and goes on with exactly what was left; the task waits on the party asked.
//! - **CANCEL, EXPIRE, FAIL**: `review_withdrawn` if a review is undecided, then
//!   `workflow_cancelled`, `workflow_expired` or `workflow_failed`.
//!
#![doc = include_str!("domain/task/table.md")]
//!
//! The same rules as data are in [`task::table`], together with the refusals common to all
//! commands. Tests compare code, data and this page.

pub mod absence;
pub mod analytics;
pub mod audit;
pub mod calendar;
pub mod erasure;
pub mod feed;
pub mod link;
pub mod partner;
pub mod task;
pub mod trail;
pub mod values;
pub mod webhook;
pub mod workflow;

#[cfg(test)]
mod tests;
