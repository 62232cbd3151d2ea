//! The table of the fields of tasks' trails: for every event type each field by its path, whether
//! it is personal, and who sees it. `partner/trail.rs` has the table of partners' trails.
//!
//! The platform sees everything. A field that is missing here is neither stored nor shown; a test
//! proves that none is. The paths of a type are part of the format: a new field needs a new format
//! number (see `audit.rs`).

use crate::domain::task::event::Fact;
use crate::domain::trail::Personal::{No, Yes};
use crate::domain::trail::Sees::{Always, Answered, Asked, Involved, Never, Own, Shared};
use crate::domain::trail::{Ending, Field, Kind, Role, field};

/// The fields of every event that sort before `data.…`.
const BEFORE: &[Field] = &[
    field("actor.id", Yes, Always, Own),
    field("actor.name", Yes, Always, Own),
    field("actor.role", Yes, Always, Own),
    field("actor_tag", No, Always, Always),
    field("cause_seq", No, Always, Always),
    field("command_id", No, Own, Own),
    field("credential_id", Yes, Own, Own),
];

/// The fields of every event that sort after `data.…`.
const AFTER: &[Field] = &[
    field("note", Yes, Own, Own),
    field("occurred_at", No, Always, Always),
    field("party", No, Always, Always),
    field("recorded_at", No, Always, Always),
    field("round", No, Always, Always),
    field("stage", No, Always, Always),
    field("type", No, Always, Always),
];

/// Every event type, in the order of [`Fact::TYPES`].
pub const KINDS: [Kind; Fact::TYPES.len()] = [
    // The digest of a definition would let a buyer confirm a guess at the reviewers that it names.
    kind(
        "task.opened",
        &[
            field("data.deadline_at", No, Always, Always),
            field("data.definition", No, Always, Never),
            field("data.metadata", Yes, Always, Never),
            field("data.task_id", No, Always, Always),
            field("data.title", Yes, Always, Always),
            field("data.workflow", No, Always, Never),
        ],
    ),
    // A buyer reads the work in the status' action, while it must decide on it.
    kind(
        "task.work_submitted",
        &[
            field("data.artifacts", Yes, Always, Never),
            field("data.clock", No, Always, Always),
            field("data.internal_answers", Yes, Always, Never),
            field("data.revision", No, Always, Always),
            field("data.shared_answers", Yes, Always, Always),
            field("data.summary", Yes, Always, Never),
        ],
    )
    .by(Role::Submitter),
    kind(
        "task.status_updated",
        &[
            field("data.eta", No, Always, Always),
            field("data.message", Yes, Always, Always),
            field("data.percent", No, Always, Always),
        ],
    ),
    kind(
        "task.vote_recorded",
        &[
            field("data.bound", No, Always, Always),
            field("data.decision", No, Always, Always),
            field("data.feedback", Yes, Always, Shared),
            field("data.for", Yes, Always, Never),
            field("data.panel", No, Always, Always),
            field("data.reopened", No, Always, Always),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
        ],
    )
    .rows(Always, Own)
    .by(Role::Reviewer),
    kind("task.stage_entered", &[field("data.clock", No, Always, Always), field("data.returned", No, Always, Always)]),
    // The tags let a buyer count the people who approved; which entries are their votes stays hidden.
    kind(
        "task.stage_approved",
        &[
            field("data.bound", No, Always, Always),
            field("data.internal_feedback", Yes, Always, Never),
            field("data.revision", No, Always, Always),
            field("data.shared_feedback", Yes, Always, Always),
            field("data.voters", No, Always, Always),
            field("data.votes", No, Always, Never),
        ],
    )
    .by(Role::Reviewer),
    kind(
        "task.stage_rejected",
        &[
            field("data.bound", No, Always, Always),
            field("data.exhausted", No, Always, Always),
            field("data.internal_feedback", Yes, Always, Never),
            field("data.items", No, Always, Never),
            field("data.reasons", No, Always, Never),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.shared_feedback", Yes, Always, Always),
            field("data.votes", No, Always, Never),
        ],
    )
    .by(Role::Reviewer),
    kind(
        "task.stage_escalated",
        &[
            field("data.cause", No, Always, Always),
            field("data.reason", Yes, Always, Asked),
            field("data.respond_by", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    ),
    kind(
        "task.escalation_resolved",
        &[
            field("data.advice", Yes, Always, Answered),
            field("data.bound", No, Always, Always),
            field("data.clock", No, Always, Always),
            field("data.escalation", No, Always, Always),
            field("data.feedback", Yes, Always, Shared),
            field("data.for", Yes, Always, Never),
            field("data.overrides", No, Always, Always),
            field("data.resolution", No, Always, Always),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.single_person", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    )
    .by(Role::Resolver),
    kind(
        "task.question_asked",
        &[
            field("data.options", Yes, Always, Involved),
            field("data.question", Yes, Always, Involved),
            field("data.respond_by", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.share_with_buyer", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    ),
    kind(
        "task.question_answered",
        &[
            field("data.answer", Yes, Always, Involved),
            field("data.artifacts", Yes, Always, Involved),
            field("data.clock", No, Always, Always),
            field("data.option", No, Always, Involved),
            field("data.question", No, Always, Always),
            field("data.share_with_buyer", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    ),
    kind(
        "task.question_closed",
        &[
            field("data.clock", No, Always, Always),
            field("data.question", No, Always, Always),
            field("data.why", No, Always, Always),
        ],
    ),
    // That people come and go is everybody's to know; who they are is not the buyer's.
    kind(
        "task.reviewers_changed",
        &[
            field("data.added", Yes, Always, Never),
            field("data.of", No, Always, Always),
            field("data.panel", No, Always, Always),
            field("data.reason", Yes, Always, Never),
            field("data.removed", Yes, Always, Never),
            field("data.reopened", No, Always, Always),
            field("data.votes", No, Always, Never),
        ],
    ),
    kind("task.deadline_reminded", &[field("data.due_at", No, Always, Always)]),
    kind(
        "task.deadline_passed",
        &[
            field("data.action", No, Always, Always),
            field("data.deadline", No, Always, Always),
            field("data.due_at", No, Always, Always),
        ],
    ),
    kind("task.held", &[field("data.reason", Yes, Always, Always)]),
    kind("task.resumed", &[field("data.answer_due_at", No, Always, Always), field("data.clock", No, Always, Always)]),
    kind(
        "task.cancellation_requested",
        &[
            field("data.grace_until", No, Always, Always),
            field("data.immediate", No, Always, Always),
            field("data.reason", Yes, Always, Always),
        ],
    )
    .ending(Ending::Begins),
    kind("task.review_withdrawn", &[]),
    kind(
        "task.cancellation_acknowledged",
        &[
            field("data.artifacts", Yes, Always, Never),
            field("data.in_flight", No, Always, Never),
            field("data.notes", Yes, Always, Never),
        ],
    )
    .rows(Always, Never)
    .ending(Ending::Follows),
    kind(
        "task.late_decision_recorded",
        &[
            field("data.advice", Yes, Always, Always),
            field("data.command", No, Always, Always),
            field("data.escalation", No, Always, Always),
            field("data.feedback", Yes, Always, Always),
            field("data.phase", No, Always, Always),
            field("data.resolution", No, Always, Always),
            field("data.return_to", No, Always, Always),
            field("data.revision", No, Always, Always),
            field("data.to", No, Always, Always),
        ],
    )
    .rows(Own, Own)
    .ending(Ending::Follows),
    kind("task.workflow_completed", &[]).ending(Ending::Begins),
    kind("task.workflow_cancelled", &[]).ending(Ending::Begins),
    kind("task.workflow_expired", &[]).ending(Ending::Begins),
    kind("task.workflow_failed", &[field("data.cause", No, Always, Always)]).ending(Ending::Begins),
    // A buyer may not see which entries an actor wrote.
    kind(
        "task.personal_data_erased",
        &[
            field("data.entries", No, Always, Never),
            field("data.erasure_id", No, Always, Always),
            field("data.ids_remain", No, Always, Never),
            field("data.restated", Yes, Always, Always),
            field("data.status_updated_at", No, Always, Always),
            field("data.status_version", No, Always, Always),
        ],
    ),
];

/// A type with rows that every party sees.
const fn kind(name: &'static str, data: &'static [Field]) -> Kind {
    Kind { name, ending: Ending::No, partner: Always, buyer: Always, role: None, before: BEFORE, data, after: AFTER }
}
