//! What happened while the clock was moved.

use serde::Serialize;

use crate::domain::task::Timer;
use crate::domain::values::id::{EndpointId, EventId, TaskId};
use crate::domain::values::time::Time;

/// One thing that happened, at the service's time `at`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Ran {
    /// A timer of a task.
    Timer {
        /// When.
        at: Time,
        /// Whose timer.
        task_id: TaskId,
        /// Which timer.
        timer: &'static str,
        /// The types of the events that it recorded.
        events: Vec<&'static str>,
    },
    /// A scripted reviewer, who acted or was refused.
    Reviewer {
        /// When.
        at: Time,
        /// The task.
        task_id: TaskId,
        /// The place of the script in the list, from 0.
        script: usize,
        /// The types of the events that the reviewers' commands recorded.
        events: Vec<&'static str>,
        /// Why the stage was not decided, if it was not.
        #[serde(skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// An attempt to deliver a webhook, as its receiver answered it.
    Webhook {
        /// When.
        at: Time,
        /// The endpoint.
        webhook: EndpointId,
        /// The task of the event.
        task_id: TaskId,
        /// The event's place in the trail.
        seq: u64,
        /// The event.
        event_id: EventId,
        /// The status of the answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Why there was no answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
    },
}

/// The name of a timer.
pub(super) fn timer_name(timer: Timer) -> &'static str {
    match timer {
        Timer::Task => "task_deadline",
        Timer::Grace => "grace",
        Timer::Escalation => "escalation",
        Timer::Question => "question",
        Timer::Stage => "stage_deadline",
        Timer::Reminder => "reminder",
    }
}
