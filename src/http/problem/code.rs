//! Every error code of the API, listed once: its status, its title and what it means. The contract is made from
//! this table.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

macro_rules! codes {
    ($($name:ident $code:literal $status:ident $title:literal $meaning:literal;)*) => {
        /// What went wrong, as a stable word for programs. Later versions may add codes; none changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All of them, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status that an answer with this code has.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A few words for people, the same in every answer with this code.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// When the code is used and what to do about it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" BAD_REQUEST "Not JSON" "The body is not well-formed JSON in UTF-8, or there is none.";
    InvalidParameter "invalid_parameter" BAD_REQUEST "Invalid parameter" "A path or query parameter or a header is unknown, given twice, missing or not of its form; `errors` names it as `/path/NAME`, `/query/NAME` or `/header/NAME`.";
    TwoCredentials "two_credentials" BAD_REQUEST "Two credentials" "The request carries more than one credential. Send one.";
    Unauthorized "unauthorized" UNAUTHORIZED "Not authenticated" "The credential is missing, malformed, unknown, expired or revoked.";
    Forbidden "forbidden" FORBIDDEN "Not open to this party" "The operation is not open to the party that the credential belongs to.";
    WrongParty "wrong_party" FORBIDDEN "Another party's call" "This command is for another party to send here: the stage's reviewing party, or the one that was escalated to.";
    NotAReviewer "not_a_reviewer" FORBIDDEN "Not a reviewer" "The actor is not among the stage's named reviewers.";
    SelfApproval "self_approval" FORBIDDEN "Own work" "The actor handed in the latest revision, or an earlier one in the same round, and may not approve it.";
    NotDistinct "not_distinct" FORBIDDEN "Approved before" "The actor's approval counted in a stage that this one must be distinct from.";
    HeldByOther "held_by_other" FORBIDDEN "Held by another party" "Another party put the task on hold; it or the platform resumes it.";
    ResolutionNotAllowed "resolution_not_allowed" FORBIDDEN "Resolution not allowed" "The partner may resolve an escalation with `approve` only on stages that the partner reviews.";
    NotFound "not_found" NOT_FOUND "Not found" "There is no such path or resource, or it is somebody else's.";
    NoCheckpoint "no_checkpoint" NOT_FOUND "No such checkpoint" "No checkpoint of that size was signed, or none at all yet; a kept one that the service does not know contradicts its log.";
    NotLogged "not_logged" NOT_FOUND "Not in the log yet" "The task's trail, up to the entry asked about, is not in the log of that checkpoint. A change is logged about a minute later.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed" "The path does not have this method; `Allow` lists those it has.";
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE "Not acceptable" "The operation has no answer of a type that `Accept` allows.";
    SlowBody "slow_body" REQUEST_TIMEOUT "Body too slow" "The body did not arrive in time. Nothing was done.";
    TaskExists "task_exists" CONFLICT "Task exists" "There is a task with this id that was opened with another body.";
    AlreadyDecided "already_decided" CONFLICT "Already decided" "The stage was decided in that round; `decision` is what counts.";
    AlreadyVoted "already_voted" CONFLICT "Same vote stands" "The actor's vote on this revision stands, as `recorded.seq`, and says the same. Nothing was recorded; there is nothing to do.";
    StageMismatch "stage_mismatch" CONFLICT "Another stage" "The task is not at the stage that the command names.";
    RoundMismatch "round_mismatch" CONFLICT "Another round" "The stage is not in the round that the command names.";
    WrongPhase "wrong_phase" CONFLICT "Not now" "The command has no effect in the task's phase; `allowed` lists what is open to this caller.";
    SubmissionNotOpen "submission_not_open" CONFLICT "Submission not open" "New work would bypass an earlier approval; it can be handed in after a return.";
    StaleEscalation "stale_escalation" CONFLICT "Another escalation" "The escalation that the command answers is not the one that is open.";
    NothingToReturnTo "nothing_to_return_to" CONFLICT "Nothing to return to" "No review was interrupted that the escalation could return to; resolve it another way.";
    RedirectLimit "redirect_limit" CONFLICT "Redirected too often" "The escalation changed hands as often as it may; resolve it.";
    AlreadyCancelling "already_cancelling" CONFLICT "Already cancelling" "The cancellation was requested before and is under way.";
    Cancelling "cancelling" CONFLICT "Being cancelled" "The task is being cancelled. A decision was recorded, as `recorded.seq`, and moves nothing.";
    TaskClosed "task_closed" CONFLICT "Task closed" "The task has ended. A late decision was recorded, as `recorded.seq`, and moves nothing.";
    LimitReached "limit_reached" CONFLICT "Limit reached" "The task has as many revisions, status updates or trail entries, the actor as many votes on the revision, or the partner or the platform as many workflows, versions, keys or webhooks, as it may have; `detail` names the limit.";
    FeedRestored "feed_restored" GONE "Feed restored" "The database was restored to a time before what the cursor `after` has seen. Read the feed from the start, without `after`; events that are known already have the same `id`.";
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "Changed meanwhile" "`If-Match` or `If-None-Match` does not hold of the current `ETag` of the caller's view, which is `etag`; without it there is none yet.";
    StaleRevision "stale_revision" PRECONDITION_FAILED "Newer revision" "The command is about a revision that is not the latest any more; `revision` is.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "Body too large" "The body is larger than the operation takes: 1 MiB, or less where its `requestBody` says so.";
    TargetTooLong "target_too_long" URI_TOO_LONG "Address too long" "The request's path and query are longer than 8 KiB.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Not application/json" "The body's `Content-Type` must be `application/json` in UTF-8, without a `Content-Encoding`.";
    InvalidBody "invalid_body" UNPROCESSABLE_ENTITY "Invalid body" "The body is JSON but not what the operation takes; `errors` says where and why.";
    AnswerTooLarge "answer_too_large" UNPROCESSABLE_ENTITY "Answer too large" "What was asked for has more to say than an answer may hold: `detail` says how far it came. Ask for less.";
    WorkflowUnavailable "workflow_unavailable" UNPROCESSABLE_ENTITY "No such workflow" "The partner has no such workflow or version, or it was retired.";
    EventIdReused "event_id_reused" UNPROCESSABLE_ENTITY "Event id used before" "The `id` was used for this task by this party with another body. Use a new one for a new command.";
    ErasureIdReused "erasure_id_reused" UNPROCESSABLE_ENTITY "Erasure id used before" "The `id` was used for an erasure with another body. Use a new one for a new erasure.";
    HeaderTooLarge "header_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "Header too large" "The request has more than 100 header fields. A header of more than 64 KiB in all is answered with this status and no body.";
    TooManyAtOnce "too_many_at_once" TOO_MANY_REQUESTS "Too many at once" "The caller has as much under way as one caller may have at a time: `detail` says of what. Nothing was done; send the same request again after `Retry-After` seconds, when some of it has ended.";
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error" "A fault of the service, logged under `request_id`. The same request may be sent again.";
    UnsupportedTransferEncoding "unsupported_transfer_encoding" NOT_IMPLEMENTED "Unknown transfer encoding" "The body is encoded for its transfer in another way than `chunked` alone.";
    TrailDamaged "trail_damaged" INTERNAL_SERVER_ERROR "Trail damaged" "An entry of the trail is not stored as it was written: `detail` says which. `format=jsonl` exports the trail all the same.";
    NoAuditKey "no_audit_key" SERVICE_UNAVAILABLE "No signing key" "The service runs without a key for checkpoints and receipts. Nothing was done; whoever runs it sets one.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded" "Too much to do just now. Nothing was done; send the same request again after `Retry-After` seconds.";
    Timeout "timeout" SERVICE_UNAVAILABLE "Took too long" "No answer in time. A write may have taken effect; sending it again with the same `id` is safe.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Unavailable" "Something that the service depends on cannot be reached or did not answer; `detail` says whether something may have been done. Send the same request again, with the same `id`, after `Retry-After` seconds.";
    Draining "draining" SERVICE_UNAVAILABLE "Stopping" "Of `/ready`: the replica is about to stop.";
    DatabaseUnreachable "database_unreachable" SERVICE_UNAVAILABLE "No database" "Of `/ready`: the database cannot be reached or does not answer.";
    DatabaseReadOnly "database_read_only" SERVICE_UNAVAILABLE "Read-only database" "Of `/ready`: the database is a standby or was made read-only.";
    DatabaseNotMigrated "database_not_migrated" SERVICE_UNAVAILABLE "Not migrated" "Of `/ready`: the database lacks migrations of this build; `stagegate migrate` applies them.";
    DatabaseNotConfined "database_not_confined" SERVICE_UNAVAILABLE "Too many rights" "Of `/ready`: statements do not run in the role that cannot change the trail; a pooler may have dropped it.";
    WorkerStill "worker_still" SERVICE_UNAVAILABLE "A worker hangs" "Of `/ready`: a background worker has not turned for longer than it may.";
    ClockWrong "clock_wrong" SERVICE_UNAVAILABLE "Wrong clock" "Of `/ready`: the replica's clock differs from the database's by more than 15 s.";
}

impl Code {
    /// The problem type of RFC 9457: a name, not an address to fetch.
    pub fn uri(self) -> String {
        format!("urn:stagegate:problem:{}", self.as_str())
    }
}

impl utoipa::PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let mut description =
            String::from("What went wrong, as a stable word for programs. Later versions may add codes.\n");
        for code in Self::ALL {
            let _ = write!(description, "\n- `{}` ({}): {}", code.as_str(), code.status().as_u16(), code.meaning());
        }
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .description(Some(description))
            .into()
    }
}

impl utoipa::ToSchema for Code {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Code")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::task::table::ROWS;

    #[test]
    fn every_code_is_an_error_with_a_word_of_its_own() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.meaning().ends_with('.') && !code.title().ends_with('.'), "{code:?}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn what_the_state_machine_refuses_has_a_code() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let refusals = ROWS.iter().flat_map(|row| row.refused).filter(|word| !word.starts_with('/'));
        let unknown: Vec<_> = refusals.filter(|word| !words.contains(*word)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
