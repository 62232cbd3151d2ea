//! Which fields of commands hold free text, and so are checked when they come from outside.

use crate::domain::values::outside::{from_outside, nothing_to_check};

use super::command::{
    CancellationAcknowledged, CancellationRequested, EscalationResolved, Held, QuestionAnswered, QuestionAsked,
    QuestionWithdrawn, Resumed, StageApproved, StageEscalated, StageRejected, StatusUpdated, WorkSubmitted,
};
use super::event::{Artifact, Feedback, FeedbackItem, InFlight, Resolution, Sha256Hex};

nothing_to_check!(InFlight, Resolution, Sha256Hex);

from_outside! {
    Feedback { summary, items; share_with_buyer }
    FeedbackItem { severity, anchor, text }
    Artifact { name, url, media_type; sha256, size }
    WorkSubmitted { summary, artifacts }
    StatusUpdated { message; percent, eta }
    StageApproved {}
    StageRejected { feedback; return_to }
    StageEscalated { reason; to }
    EscalationResolved { feedback, advice; escalation, resolution, return_to, to }
    QuestionAsked { question, options; to, share_with_buyer }
    QuestionAnswered { answer, artifacts; question, option }
    QuestionWithdrawn { ; question }
    Held { reason }
    Resumed {}
    CancellationRequested { reason; immediate }
    CancellationAcknowledged { notes, artifacts; in_flight }
}
