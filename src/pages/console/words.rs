//! The words for states, parties and durations.

use crate::domain::link::{LinkKind, LinkState};
use crate::domain::task::PhaseName;
use crate::domain::task::unreadable::Unreadable;
use crate::domain::values::party::Party;
use crate::domain::webhook::DeliveryState;
use crate::pages::texts::{Texts, Value};

/// The id of a phase's words.
pub(super) fn phase(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Preparing => "console-phase-preparing",
        PhaseName::InReview => "console-phase-in-review",
        PhaseName::Escalated => "console-phase-escalated",
        PhaseName::OnHold => "console-phase-on-hold",
        PhaseName::Cancelling => "console-phase-cancelling",
        PhaseName::Delivery => "console-phase-delivery",
        PhaseName::Cancelled => "console-phase-cancelled",
        PhaseName::Expired => "console-phase-expired",
        PhaseName::Failed => "console-phase-failed",
    }
}

/// The id of a party's words.
pub(super) fn party(party: Party) -> &'static str {
    match party {
        Party::Partner => "party-partner",
        Party::Buyer => "party-buyer",
        Party::Platform => "party-platform",
    }
}

/// The id of the words for the state of a delivery.
pub(super) fn delivery(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "console-delivery-pending",
        DeliveryState::Delivered => "console-delivery-delivered",
        DeliveryState::Failed => "console-delivery-failed",
    }
}

/// The id of the words for where a link leads.
pub(super) fn link_kind(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Decide => "console-link-decide",
        LinkKind::Task => "console-link-task",
        LinkKind::Inbox => "console-link-inbox",
        LinkKind::Console => "console-link-console",
    }
}

/// The id of the words for the state of a link.
pub(super) fn link_state(state: LinkState) -> &'static str {
    match state {
        LinkState::Open => "console-link-open",
        LinkState::Expired => "console-link-expired",
        LinkState::Decided => "console-link-decided",
        LinkState::Superseded => "console-link-superseded",
        LinkState::Withdrawn => "console-link-withdrawn",
        LinkState::Held => "console-link-held",
        LinkState::Ended => "console-link-ended",
    }
}

/// The id of the words for a row that cannot be read.
pub(super) fn unreadable(why: Unreadable) -> &'static str {
    match why {
        Unreadable::NewerFormat => "console-unreadable-newer",
        Unreadable::Damaged => "console-unreadable-damaged",
    }
}

/// A duration in the largest unit of which it is a whole multiple.
pub(super) fn duration(t: Texts, seconds: u64) -> String {
    let (id, number) = match seconds {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => ("console-days", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => ("console-hours", seconds / 3_600),
        seconds if seconds % 60 == 0 => ("console-minutes", seconds / 60),
        seconds => ("console-seconds", seconds),
    };
    t.with(id, "number", number).into_owned()
}

/// The longest time that a task can take, in a sentence.
pub(super) fn worst_case(t: Texts, seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => t.with("console-worst-case", "time", duration(t, seconds)).into_owned(),
        None => t.text("console-worst-case-none").into_owned(),
    }
}

/// Words in a list: `a, b or c`.
pub(super) fn or_list(t: Texts, mut items: Vec<String>) -> String {
    let last = items.pop().unwrap_or_default();
    if items.is_empty() {
        return last;
    }
    t.with_all("console-or", [("first", Value::from(items.join(", "))), ("last", last.into())]).into_owned()
}
