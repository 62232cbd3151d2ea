//! The endpoints for proving a trail without trusting this service: the public key, checkpoints and
//! proofs of the log, and receipts.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Caller;
use crate::domain::audit::transparency_log::{ConsistencyProof, InclusionProof};
use crate::domain::values::id::TaskId;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::problem::{FieldError, Problem};

use super::partners::PartnerPath;
use super::tasks::TaskPath;

/// Media type of checkpoints and keys.
const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of a compact JWS (RFC 7515, section 9.2.1).
const JOSE: &str = "application/jose";

/// The size of a log, or a `seq`: an integer of at least 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(in crate::http) struct Count(u64);

impl TryFrom<u64> for Count {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, &'static str> {
        if number == 0 { Err("must be an integer of at least 1") } else { Ok(Self(number)) }
    }
}

pub(in crate::http) fn number(count: Option<Count>) -> Option<u64> {
    count.map(|count| count.0)
}

/// Selects a checkpoint.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckpointQuery {
    /// The size (number of leaves) of the checkpoint's log. Default: the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
}

/// Selects two sizes of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// The size of the older log, from the checkpoint that you kept.
    #[param(value_type = u64, minimum = 1)]
    from: Count,
    /// The size of the newer log. Default: the size of the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    to: Option<Count>,
}

/// Selects a head of the trail and the log of a checkpoint.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// The size (number of leaves) of the log at the checkpoint. Default: the newest checkpoint.
    #[param(value_type = Option<u64>, minimum = 1)]
    size: Option<Count>,
    /// An entry of the trail that must be covered: the proof is for the first logged head at or
    /// after this entry. Default: the latest head in that log.
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
/// A C2SP verifier key line, `<name>+<id>+<base64>`, followed by one line for each earlier key.
/// Keep it: the key alone is enough to verify checkpoints, inclusion proofs and receipts at any
/// time.
#[utoipa::path(get, path = "/.well-known/stagegate-audit-key", tag = "audit", security(()), responses(
    (status = 200, description = "The key.", body = String, content_type = "text/plain", example = "audit.example.com/stagegate+4f0d1ae5+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
))]
pub async fn get_audit_key(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, TEXT)], state.app.audit.log.get_audit_key()?))
}

/// Read a checkpoint of the log
///
/// Once a minute, the heads of all changed trails are appended to a Merkle log (RFC 6962). A
/// checkpoint is the signed root of that log (C2SP tlog-checkpoint). Keep one: a history that is
/// rewritten later contradicts it.
#[utoipa::path(get, path = "/audit/checkpoint", tag = "audit", security(()), params(CheckpointQuery), responses(
    (status = 200, description = "The signed checkpoint.", body = String, content_type = "text/plain"),
    (status = 400, description = ""),
    (status = 404, description = ""),
))]
pub async fn get_checkpoint(
    Query(query): Query<CheckpointQuery>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, TEXT)], state.app.audit.log.get_checkpoint(number(query.size)).await?))
}

/// Read the proof that one checkpoint continues another
///
/// Proves to the holder of a checkpoint that its log is the beginning of the newer log. Nothing in
/// it was changed or removed.
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
        let error = FieldError::new("/query/from", "out_of_range", "must not be greater than `to`");
        return Err(Problem::invalid_parameter(error));
    }
    Ok(Json(state.app.audit.log.get_log_consistency(from, to).await?))
}

/// Read the proof that a task's trail is in the log
///
/// Proves that a head of the trail, and with it every entry up to that head, was fixed when the
/// checkpoint was signed. A change is logged about a minute later; before the first one is logged,
/// the response is `404 not_logged`.
#[utoipa::path(get, path = "/tasks/{id}/audit/inclusion", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(TaskPath, InclusionQuery), responses(
    (status = 200, description = "The proof, with the checkpoint to verify it against.", body = InclusionProof),
))]
pub async fn get_task_inclusion(
    caller: Caller,
    Path(path): Path<TaskPath>,
    Query(query): Query<InclusionQuery>,
    State(state): State<AppState>,
) -> Result<Json<InclusionProof>, Problem> {
    let (size, seq) = (number(query.size), number(query.seq));
    Ok(Json(state.app.audit.log.get_task_inclusion(&caller, path.id, size, seq).await?))
}

/// Read the proof that a partner's trail is in the log
///
/// The same as for a task's trail.
#[utoipa::path(get, path = "/partners/{id}/audit/inclusion", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath, InclusionQuery), responses(
    (status = 200, description = "The proof, with the checkpoint to verify it against.", body = InclusionProof),
))]
pub async fn get_partner_inclusion(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(query): Query<InclusionQuery>,
    State(state): State<AppState>,
) -> Result<Json<InclusionProof>, Problem> {
    let (size, seq) = (number(query.size), number(query.seq));
    Ok(Json(state.app.audit.log.get_partner_inclusion(&caller, path.id, size, seq).await?))
}

/// Read the receipt of an entry
///
/// Returns the entry as the caller may see it, signed: a compact JWS (RFC 7515, `EdDSA`) with
/// `iss`, `task`, `seq`, `type`, `stage`, `round`, `revision`, `revision_digest` (the hash of the
/// entry that recorded the submission), `decision`, `party`, `actor`, `head` (the hash of the
/// entry) and `recorded_at`. Its holder can prove the entry with the public key alone. The same
/// caller always gets the same receipt, except for data that was erased since, and after a change
/// of the key. An entry that the caller may not see has no receipt (`404`).
#[utoipa::path(get, path = "/tasks/{id}/audit/{seq}/receipt", tag = "audit", security(("partnerKey" = []), ("platformKey" = []), ("buyerToken" = [])), params(EntryPath), responses(
    (status = 200, description = "The receipt.", body = String, content_type = "application/jose"),
))]
pub async fn get_task_receipt(
    caller: Caller,
    Path(path): Path<EntryPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<impl IntoResponse, Problem> {
    let receipt = state.app.audit.receipts.get_task_receipt(&caller, path.id, path.seq).await?;
    Ok(([(header::CONTENT_TYPE, JOSE)], receipt))
}
