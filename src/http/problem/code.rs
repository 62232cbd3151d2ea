//! Every error code of the API with its status, title and meaning. The contract is generated from
//! this table.

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

macro_rules! codes {
    ($($name:ident $code:literal $status:ident $title:literal $meaning:literal;)*) => {
        /// What went wrong, as a stable code for programs. Later versions may add codes; none
        /// changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All codes, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status of responses with this code.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short title for people, the same for every occurrence of the code.
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
    InvalidJson "invalid_json" BAD_REQUEST "Invalid JSON" "The body is missing or is not well-formed JSON in UTF-8.";
    InvalidParameter "invalid_parameter" BAD_REQUEST "Invalid parameter" "A path parameter, query parameter or header is unknown, duplicate, missing or malformed; `errors` names it as `/path/NAME`, `/query/NAME` or `/header/NAME`.";
    TwoCredentials "two_credentials" BAD_REQUEST "Two credentials" "The request carries more than one credential. Send one.";
    Unauthorized "unauthorized" UNAUTHORIZED "Not authenticated" "The credential is missing, malformed, unknown, expired or revoked.";
    Forbidden "forbidden" FORBIDDEN "Not open to this party" "The operation is not open to the party that the credential belongs to.";
    KeyScope "key_scope" FORBIDDEN "Key lacks the scope" "The partner's key lacks the scope that the operation or the type of command needs, or the request concerns a key that reaches further than the one used.";
    WrongParty "wrong_party" FORBIDDEN "Wrong party" "Only another party may send this command now: the stage's reviewing party, or the party that the task was escalated to, or that was asked or asked a question.";
    KeyActor "key_actor" FORBIDDEN "Key of another actor" "The key is bound to people, and the command names an actor who is not one of them.";
    KeyUnbound "key_unbound" FORBIDDEN "Key not bound" "The stage has `assurance` `bound`: votes and approving resolutions count only under a key that is bound to its actor.";
    NotAReviewer "not_a_reviewer" FORBIDDEN "Not a reviewer" "The actor is not one of the stage's named reviewers.";
    ReviewersFixed "reviewers_fixed" FORBIDDEN "Reviewers fixed" "The stage's reviewers cannot be changed in a running task.";
    SelfApproval "self_approval" FORBIDDEN "Self-approval" "The actor submitted the latest revision, or an earlier one of the same round, and may not approve it.";
    NotDistinct "not_distinct" FORBIDDEN "Not a distinct approver" "The actor's approval counted in a stage whose approvers may not approve this stage as well.";
    HeldByOther "held_by_other" FORBIDDEN "Held by another party" "Another party put the task on hold. Only that party or the platform can resume it.";
    ResolutionNotAllowed "resolution_not_allowed" FORBIDDEN "Resolution not allowed" "The partner may resolve an escalation with `approve` only on stages that the partner reviews, and only as one vote of their quorum: by an actor who may vote there, if the standing votes and this one meet it. `detail` says which of these it is.";
    SecondPerson "second_person" FORBIDDEN "Second person needed" "The platform escalated in this round with the same actor or the same key. Another person under another key must approve or reject; `return` and `redirect` stay open.";
    WrongCell "wrong_cell" MISDIRECTED_REQUEST "Wrong cell" "The header `Stagegate-Cell` names another cell than the one that was reached. Nothing was done.";
    NotFound "not_found" NOT_FOUND "Not found" "The path or resource does not exist, or the resource belongs to another party.";
    NoCheckpoint "no_checkpoint" NOT_FOUND "No such checkpoint" "No checkpoint of that size was signed, or none at all yet. If you kept a checkpoint of that size, the log contradicts it.";
    NotLogged "not_logged" NOT_FOUND "Not in the log yet" "The log of that checkpoint does not contain the task's trail up to the requested entry. A change is logged about a minute later.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed" "The path does not support this method; `Allow` lists those it supports.";
    SlowBody "slow_body" REQUEST_TIMEOUT "Body too slow" "The body did not arrive in time. Nothing was done.";
    Claimed "claimed" CONFLICT "Claimed" "As many people as can decide the task together have claimed it; `by` has the claim that ends first, at `until`.";
    TaskExists "task_exists" CONFLICT "Task exists" "A task with this id was opened with another body, or was put away since; then `archived` says when.";
    PartnerExists "partner_exists" CONFLICT "Partner exists" "A partner with this id was added with another name.";
    AlreadyDecided "already_decided" CONFLICT "Already decided" "The stage was already decided in that round; `decision` is the decision that counts.";
    AlreadyVoted "already_voted" CONFLICT "Already voted" "The actor has already cast the same vote on this revision; it is the entry `recorded.seq`. Nothing was recorded, and nothing needs to be done.";
    StageMismatch "stage_mismatch" CONFLICT "Wrong stage" "The task is not at the stage that the command names.";
    RoundMismatch "round_mismatch" CONFLICT "Wrong round" "The stage is not in the round that the command names.";
    WrongPhase "wrong_phase" CONFLICT "Wrong phase" "The command is not possible in the task's phase; `allowed` lists the commands that this caller may send.";
    SubmissionNotOpen "submission_not_open" CONFLICT "Submission not open" "New work would bypass an earlier approval. It can be submitted after the task was returned.";
    StaleEscalation "stale_escalation" CONFLICT "Another escalation" "The command answers an escalation that is not the open one.";
    QuestionOpen "question_open" CONFLICT "A question is open" "One question can be open at a time; the open one is the entry `question.seq`. It decides nothing and blocks no decision.";
    StaleQuestion "stale_question" CONFLICT "Not the open question" "The command names a question that is not the open one. If it is the latest one, `question` says how it was closed: `answered`, `withdrawn`, `lapsed` or `overtaken`, by the entry `question.closed_by`.";
    NothingToReturnTo "nothing_to_return_to" CONFLICT "Nothing to return to" "The escalation interrupted no review that it could return to. Resolve it another way.";
    RedirectLimit "redirect_limit" CONFLICT "Redirected too often" "The escalation was redirected as often as it may be. Resolve it.";
    AlreadyCancelling "already_cancelling" CONFLICT "Already cancelling" "A cancellation was already requested and is in progress.";
    Cancelling "cancelling" CONFLICT "Being cancelled" "The task is being cancelled. A decision was recorded as the entry `recorded.seq` and has no effect.";
    TaskClosed "task_closed" CONFLICT "Task closed" "The task has ended. A late decision was recorded as the entry `recorded.seq` and has no effect.";
    LimitReached "limit_reached" CONFLICT "Limit reached" "A limit was reached; `detail` names it. Limits apply to the revisions, status updates and trail entries of a task, to the questions of a round, to an actor's votes on a revision, and to the workflows, versions, keys and webhooks of a partner or the platform.";
    NothingToDecide "nothing_to_decide" CONFLICT "Nothing to decide" "The actor could do nothing about the decision that the link would be for; `why` is `not_waiting`, or the code with which a decision would be refused. No link was made.";
    TaskArchived "task_archived" GONE "Task put away" "The task closed long ago and was put away: its trail is a file of the operator's archive, and the service has nothing else of it. `archived` says when, and the file's SHA-256.";
    CursorExpired "cursor_expired" GONE "Cursor expired" "Events after the cursor `after` have left the feed, with tasks that were put away. Read the feed from the start, without `after`; events that you already have keep their `id`.";
    FeedRestored "feed_restored" GONE "Feed restored" "The database was restored to a time before the position of the cursor `after`. Read the feed from the start, without `after`; events that you already have keep their `id`.";
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "Precondition failed" "`If-Match` or `If-None-Match` does not hold for the current `ETag` of the caller's view, which is `etag`. If `etag` is absent, the resource does not exist yet.";
    StaleRevision "stale_revision" PRECONDITION_FAILED "Newer revision" "The command names a revision that is no longer the latest; `revision` is the latest.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "Body too large" "The body exceeds the operation's limit: 1 MiB, or less where its `requestBody` says so.";
    TargetTooLong "target_too_long" URI_TOO_LONG "Path and query too long" "The request's path and query together are longer than 8 KiB.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type" "The body's `Content-Type` must be `application/json` in UTF-8, without a `Content-Encoding`.";
    InvalidBody "invalid_body" UNPROCESSABLE_ENTITY "Invalid body" "The body is JSON, but not valid for the operation; `errors` says where and why.";
    AnswerTooLarge "answer_too_large" UNPROCESSABLE_ENTITY "Response too large" "The response would exceed its size limit; `detail` says how far it got. Request less.";
    WorkflowUnavailable "workflow_unavailable" UNPROCESSABLE_ENTITY "No such workflow" "The partner has no such workflow or version, or the workflow was retired.";
    UnansweredFeedback "unanswered_feedback" UNPROCESSABLE_ENTITY "Unanswered feedback" "The stage that returned the work requires an answer to every blocking item of its feedback; `errors` names in `item` each that has none.";
    EventIdReused "event_id_reused" UNPROCESSABLE_ENTITY "Event id reused" "This party has already used the `id` for this task with another body. Use a new id for a new command.";
    ErasureIdReused "erasure_id_reused" UNPROCESSABLE_ENTITY "Erasure id reused" "The `id` was already used for an erasure with another body. Use a new id for a new erasure.";
    HeaderTooLarge "header_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "Header too large" "The request has more than 100 header fields. A header of more than 64 KiB in total gets this status without a body.";
    TooManyAtOnce "too_many_at_once" TOO_MANY_REQUESTS "Too many at once" "The caller has reached its limit of concurrent work; `detail` says which. Nothing was done. Send the same request again after `Retry-After` seconds, when some of that work has ended.";
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS "Too many requests" "The credential makes such requests too fast; `detail` says how many it may make. Nothing was done. Send the same request again after `Retry-After` seconds.";
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error" "The service failed; the cause is logged under `request_id`. The same request may be sent again.";
    UnsupportedTransferEncoding "unsupported_transfer_encoding" NOT_IMPLEMENTED "Unsupported transfer encoding" "The body has a transfer encoding other than `chunked`.";
    TrailDamaged "trail_damaged" INTERNAL_SERVER_ERROR "Trail damaged" "An entry of the trail differs from what was written; `detail` says which. The trail can still be exported.";
    NoAuditKey "no_audit_key" SERVICE_UNAVAILABLE "No signing key" "The service has no key for checkpoints and receipts. Nothing was done. Its operator can configure a key.";
    NoPublicUrl "no_public_url" SERVICE_UNAVAILABLE "No public URL" "The service does not know the URL by which browsers reach it, so it can make no links. Its operator can configure `STAGEGATE_PUBLIC_URL`.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded" "The service is overloaded. Nothing was done. Send the same request again after `Retry-After` seconds.";
    Timeout "timeout" SERVICE_UNAVAILABLE "Timeout" "The service did not respond in time. A write may have taken effect; sending it again with the same `id` is safe.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Unavailable" "A dependency of the service is unreachable or did not respond; `detail` says whether the request may have had an effect. Send the same request again, with the same `id`, after `Retry-After` seconds.";
    Behind "behind" SERVICE_UNAVAILABLE "Replica is behind" "This replica does not have the version that the request names in `min_version`, `If-None-Match`, `If-Match`, `Last-Event-ID`, `size` or its path: it was written elsewhere and has not arrived, or does not exist. Send the same request again after `Retry-After` seconds.";
    ReadOnly "read_only" SERVICE_UNAVAILABLE "Replica only reads" "The request writes, and the replica reads from a standby. Nothing was done. Send the request to a replica on the primary. An export by the platform is recorded first, so it writes.";
    Draining "draining" SERVICE_UNAVAILABLE "Draining" "On `/ready`: the replica is about to stop.";
    DatabaseUnreachable "database_unreachable" SERVICE_UNAVAILABLE "Database unreachable" "On `/ready`: the database is unreachable or does not respond.";
    DatabaseReadOnly "database_read_only" SERVICE_UNAVAILABLE "Read-only database" "On `/ready`: the database is a standby or was made read-only.";
    DatabaseNotMigrated "database_not_migrated" SERVICE_UNAVAILABLE "Database not migrated" "On `/ready`: the database lacks migrations of this build; `stagegate migrate` applies them.";
    DatabaseNotConfined "database_not_confined" SERVICE_UNAVAILABLE "Too many privileges" "On `/ready`: statements do not run in the role that cannot change the trail, or without its time limits; a pooler may have dropped them.";
    DatabaseOfOtherCell "database_of_other_cell" SERVICE_UNAVAILABLE "Database of another cell" "On `/ready`: the database is another cell than `STAGEGATE_CELL` says.";
    WorkerStill "worker_still" SERVICE_UNAVAILABLE "Worker stalled" "On `/ready`: a background worker has made no progress for longer than its limit.";
    ClockWrong "clock_wrong" SERVICE_UNAVAILABLE "Wrong clock" "On `/ready`: the replica's clock differs from the database's by more than 15 s.";
}

impl Code {
    /// The path of the problem type, where the code is explained.
    pub fn path(self) -> String {
        format!("/docs/problems#{}", self.as_str())
    }
}

impl utoipa::PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let mut description =
            String::from("What went wrong, as a stable code for programs. Later versions may add codes.\n");
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
