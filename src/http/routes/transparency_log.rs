//! What lets a trail be proven without trusting this service: the public key, the log's checkpoints and proofs,
//! receipts.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Caller;
use crate::app::audit::{receipts, transparency_log};
use crate::domain::audit::transparency_log::{ConsistencyProof, InclusionProof};
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::problem::{FieldError, Problem};

use super::partners::PartnerPath;
use super::tasks::TaskPath;

/// The media type of checkpoints and keys.
const TEXT: &str = "text/plain; charset=utf-8";
/// That of a compact JWS (RFC 7515, section 9.2.1).
const JOSE: &str = "application/jose";

/// A size of the log or a `seq`: a whole number from 1 on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(in crate::http) struct Count(u64);

impl TryFrom<u64> for Count {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, &'static str> {
        if number == 0 { Err("must be a whole number from 1 on") } else { Ok(Self(number)) }
    }
}

pub(in crate::http) fn number(count: Option<Count>) -> Option<u64> {
    count.map(|count| count.0)
}

/// Which checkpoint.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckpointQuery {
    /// How many leaves the log had; without it the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

/// From which size of the log to which.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// The size of the older log, from the checkpoint that was kept.
    #[param(value_type = u64, minimum = 1)]
    from: Count,
    /// The size of the newer log; without it that of the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    to: Option<Count>,
}

/// Which head of the trail, in the log of which checkpoint.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// How many leaves the log had at the checkpoint; without it the newest one.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
    /// An entry of the trail that must be covered: the answer is the first logged head at this entry or after it.
    /// Without it, the latest head in that log.
    #[param(value_type = Option<u64>, minimum = 1)]
    seq: Option<Count>,
}

/// The entry in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EntryPath {
    /// The task's id.
    id: TaskId,
    /// The entry's `seq`.
    #[param(minimum = 1)]
    seq: u64,
}

/// The public key of checkpoints and receipts
///
/// A C2SP verifier key line, `<name>+<id>+<base64>`; below it, a line each, keys that signed before. Keep it: with
/// it alone, checkpoints, inclusion proofs and receipts can be checked at any time.
#[utoipa::path(get, path = "/.well-known/stagegate-audit-key", tag = "audit", security(()), responses(
    (status = 200, description = "The key.", body = String, content_type = "text/plain", example = "audit.example.com/stagegate+4f0d1ae5+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
))]
pub async fn get_audit_key(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, TEXT)], transparency_log::get_audit_key(&state.app)?))
}

/// Read a checkpoint of the log
///
/// The heads of all trails that changed go into an append-only Merkle log (RFC 6962), once a minute; a checkpoint
/// is its signed root (C2SP tlog-checkpoint). Keep one: history that is rewritten afterwards contradicts it.
#[utoipa::path(get, path = "/audit/checkpoint", tag = "audit", security(()), params(CheckpointQuery), responses(
    (status = 200, description = "The signed checkpoint.", body = String, content_type = "text/plain"),
    (status = 400, description = ""),
    (status = 404, description = ""),
))]
pub async fn get_checkpoint(
    Query(query): Query<CheckpointQuery>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, TEXT)], transparency_log::get_checkpoint(&state.app, number(query.size)).await?))
}

/// Read the proof that one checkpoint continues another
///
/// For whoever kept a checkpoint: proves that the log of that size is the beginning of the newer one, so that
/// nothing in it was changed, taken out or cut off.
#[utoipa::path(get, path = "/audit/consistency", tag = "audit", security(()), params(ConsistencyQuery), responses(
    (status = 200, description = "The proof.", body = ConsistencyProof),
    (status = 400, description = ""),
    (status = 404, description = ""),
))]
pub async fn get_log_consistency(
    Query(query): Query<ConsistencyQuery>,
    State(state): State<AppState>,
) -> Result<Json<ConsistencyProof>, Problem> {
    let (from, to) = (query.from.0, number(query.to));
    if to.is_some_and(|to| from > to) {
        let error = FieldError::new("/query/from", "out_of_range", "must not be more than `to`");
        return Err(Problem::invalid_parameter(error));
    }
    Ok(Json(transparency_log::get_log_consistency(&state.app, from, to).await?))
}

/// Read the proof that a task's trail is in the log
///
/// Shows that a head of the trail, and with it every entry up to there, was fixed when the checkpoint was signed. A
/// change is in the log about a minute later; until the first one is, the answer is `404 not_logged`.
#[utoipa::path(get, path = "/tasks/{id}/audit/inclusion", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, InclusionQuery), responses(
    (status = 200, description = "The proof, with the checkpoint that it is checked against.", body = InclusionProof),
))]
pub async fn get_task_inclusion(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<InclusionQuery>,
    State(state): State<AppState>,
) -> Result<Json<InclusionProof>, Problem> {
    let (size, seq) = (number(query.size), number(query.seq));
    Ok(Json(transparency_log::get_task_inclusion(&state.app, &caller, path.id, size, seq).await?))
}

/// Read the proof that a partner's trail is in the log
///
/// As for a task's trail.
#[utoipa::path(get, path = "/partners/{id}/audit/inclusion", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath, InclusionQuery), responses(
    (status = 200, description = "The proof, with the checkpoint that it is checked against.", body = InclusionProof),
))]
pub async fn get_partner_inclusion(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(query): Query<InclusionQuery>,
    State(state): State<AppState>,
) -> Result<Json<InclusionProof>, Problem> {
    let (size, seq) = (number(query.size), number(query.seq));
    Ok(Json(transparency_log::get_partner_inclusion(&state.app, &caller, path.id, size, seq).await?))
}

/// Read the receipt of an entry
///
/// The entry as the caller may see it, signed: a compact JWS (RFC 7515, `EdDSA`) with `iss`, `task`, `seq`, `type`,
/// `stage`, `round`, `revision`, `revision_digest` (the hash of the entry that recorded the submission),
/// `decision`, `party`, `actor`, `head` (the hash of the entry) and `recorded_at`. Whoever holds it can prove it
/// with the public key alone. The same caller gets the same receipt at any time, but for what was erased since and
/// after a change of the key. An entry that the caller may not see has none (`404`).
#[utoipa::path(get, path = "/tasks/{id}/audit/{seq}/receipt", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(EntryPath), responses(
    (status = 200, description = "The receipt.", body = String, content_type = "application/jose"),
))]
pub async fn get_task_receipt(
    caller: Caller,
    Path(path): Path<EntryPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    let receipt = receipts::get_task_receipt(&state.app, &caller, path.id, path.seq).await?;
    Ok(([(header::CONTENT_TYPE, JOSE)], receipt))
}
