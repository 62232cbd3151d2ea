//! What a choice would do, in a sentence, from the status that it would lead to.

use std::borrow::Cow;

use crate::domain::task::PhaseName;
use crate::domain::task::status::Status;
use crate::domain::values::party::Party;
use crate::pages::frame::Frame;
use crate::pages::texts::written;

use super::choice::Choice;
use super::conflict;
use super::load::{Loaded, Offer};

/// The sentence of an offer.
pub(super) fn sentence(loaded: &Loaded, offer: &Offer, frame: &Frame) -> Cow<'static, str> {
    match &offer.outcome {
        Ok(after) => of(&loaded.status, after, offer.choice, frame),
        Err(code) => frame.t.text(conflict::reason(*code)),
    }
}

/// What leads from one status to the other.
fn of(before: &Status, after: &Status, choice: Choice, frame: &Frame) -> Cow<'static, str> {
    let t = frame.t;
    match after.phase {
        PhaseName::Delivery => t.text("then-delivery"),
        PhaseName::Cancelled => t.text("then-cancelled"),
        PhaseName::Expired | PhaseName::Failed => t.text("then-failed"),
        PhaseName::OnHold => t.text("then-held"),
        PhaseName::Cancelling => match &after.due_at {
            Some(due) => t.with("then-cancelling", "due", frame.times.text(due)),
            None => t.text("then-cancelling-open"),
        },
        PhaseName::Escalated if matches!(choice, Choice::Escalate(_) | Choice::Redirect(_)) => {
            t.text(match after.waiting_on {
                Some(Party::Platform) => "then-platform-decides",
                Some(Party::Partner | Party::Buyer) | None => "then-partner-decides",
            })
        }
        PhaseName::Preparing | PhaseName::InReview | PhaseName::Escalated => goes_on(before, after, choice, frame),
    }
}

fn goes_on(before: &Status, after: &Status, choice: Choice, frame: &Frame) -> Cow<'static, str> {
    let t = frame.t;
    if after.stage.position > before.stage.position {
        return t.with("then-next", "stage", written(after.stage.name.as_str()));
    }
    if after.stage.key != before.stage.key || after.round != before.round {
        return t.with("then-back", "stage", written(after.stage.name.as_str()));
    }
    t.text(match choice {
        Choice::Option(_) | Choice::Answer => "then-answered",
        Choice::Withdraw => "then-question-withdrawn",
        Choice::Resolve(_) => "then-review-goes-on",
        Choice::Approve | Choice::Reject | Choice::Escalate(_) | Choice::Redirect(_) | Choice::Cancel => "then-counted",
    })
}

/// Whether a choice ends the task, or begins to: such a choice is checked once more before it is sent.
pub(super) fn ends(choice: Choice, after: &Status) -> bool {
    choice == Choice::Cancel || after.phase.is_terminal() || after.phase == PhaseName::Cancelling
}
