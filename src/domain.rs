//! The rules, pure: no I/O, no clock, no randomness, no async. `decide` says what a command does, `evolve` does it.
//!
//! # The state machine
//!
//! - **ENTER s**: the next round of s, votes gone, `stage_entered`; `preparing` if it is a return or s wants work,
//!   else REVIEW.
//! - **REVIEW**: `in_review`, votes gone, the clock starts; if too few of the named reviewers may approve, ESCALATE.
//! - **APPROVE**: `stage_approved`, then ENTER the next stage, or `workflow_completed` and `delivery`.
//! - **REJECT**: `stage_rejected`; in the last round what `on_exhausted` says (ESCALATE, or `workflow_failed`),
//!   else ENTER as a return.
//! - **RETURN**: `stage_rejected`, then ENTER as a return, whatever the round.
//! - **ESCALATE**: `stage_escalated`; the reviewers' clock stands still, their votes stay, the clock of the party
//!   asked starts.
//! - **CANCEL, EXPIRE, FAIL**: `review_withdrawn` if a review was left undecided, then `workflow_cancelled`,
//!   `workflow_expired` or `workflow_failed`.
//!
#![doc = include_str!("domain/task/table.md")]
//!
//! The same as data is in [`task::table`], with what every command can meet; the tests hold code, data and this
//! page together.

pub mod audit;
pub mod calendar;
pub mod feed;
pub mod partner;
pub mod task;
pub mod values;
pub mod webhook;
pub mod workflow;

#[cfg(test)]
mod tests;
