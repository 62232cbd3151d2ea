//! Which fields of commands hold free text, and so are checked when they come from outside.

use crate::domain::values::outside::{Faults, FromOutside, from_outside, nothing_to_check};

use super::command::{
    CancellationAcknowledged, CancellationRequested, EscalationResolved, Held, QuestionAnswered, QuestionAsked,
    QuestionWithdrawn, Resumed, ReviewersChanged, StageApproved, StageEscalated, StageRejected, StatusUpdated,
    WorkSubmitted,
};
use super::event::{Answer, Answered, Artifact, Feedback, FeedbackItem, InFlight, ItemId, Resolution, Sha256Hex};

nothing_to_check!(Answered, InFlight, ItemId, Resolution, Sha256Hex);

from_outside! {
    Feedback { summary, items; reason, share_with_buyer }
    Answer { text; item, how }
    Artifact { name, url, media_type; sha256, size }
    WorkSubmitted { summary, artifacts, answers }
    StatusUpdated { message; percent, eta }
    StageApproved { feedback }
    StageRejected { feedback; return_to }
    StageEscalated { reason; to }
    EscalationResolved { feedback, advice; escalation, resolution, return_to, to }
    QuestionAsked { question, options; to, share_with_buyer }
    QuestionAnswered { answer, artifacts; question, option }
    QuestionWithdrawn { ; question }
    ReviewersChanged { add, remove, reason; panel }
    Held { reason }
    Resumed {}
    CancellationRequested { reason; immediate }
    CancellationAcknowledged { notes, artifacts; in_flight }
}

/// The id of an item comes from the service alone.
impl FromOutside for FeedbackItem {
    fn check(&self, faults: &mut Faults) {
        let Self { id, severity, anchor, text, blocking: _, reopens: _ } = self;
        faults.field("severity", severity);
        faults.field("anchor", anchor);
        faults.field("text", text);
        if id.is_some() {
            faults.field("id", &GivenOut);
        }
    }
}

/// A value that only the service gives out.
struct GivenOut;

impl FromOutside for GivenOut {
    fn check(&self, faults: &mut Faults) {
        faults.add("not_allowed", "must not be sent: the service gives each item its id".to_owned());
    }
}
