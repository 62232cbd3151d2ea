//! The trail of a partner: open to that partner and the platform.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::audit::{export, partner_trail};
use crate::domain::audit::{PartnerEntryView, ProofView};
use crate::domain::values::id::PartnerId;
use crate::http::AppState;
use crate::http::auth::PartnerOrPlatform;
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::Page;
use crate::http::problem::Problem;

use super::audit::{AuditQuery, Wanted};
use super::export::answer;
use super::partners::PartnerPath;

/// A part of a partner's trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartnerTrail {
    /// The partner.
    partner_id: PartnerId,
    /// The entries, oldest first.
    items: Vec<PartnerEntryView>,
    /// Give it as `cursor` to get the next page; null on the last one. Opaque.
    #[schema(required = true)]
    next: Option<String>,
}

/// Read a partner's trail
///
/// Oldest first: keys made and revoked, workflows registered, retired and brought back, erasures and exports that
/// reached its tasks. A partner reads its own. With `format=jsonl` the whole trail comes as an export, as a task's
/// does; one by the platform is recorded there first.
#[utoipa::path(get, path = "/partners/{id}/audit", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath, AuditQuery), responses(
    (status = 200, description = "A page of the trail, or the export. An export that breaks off has no last line.", content((PartnerTrail = "application/json"), (String = "application/jsonl"))),
))]
pub async fn get_partner_audit(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(query): Query<AuditQuery>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    match query.wanted()? {
        Wanted::Page(after, limit) => {
            let rows = partner_trail::get_partner_audit(&state.app, &caller, path.id, after, limit.most()).await?;
            let Page { items, next } = Page::of(rows, |row| row.seq);
            Ok(Json(PartnerTrail { partner_id: path.id, items, next }).into_response())
        }
        Wanted::Export(size) => answer(export::export_partner(&state.app, &caller, path.id, size).await?).await,
    }
}

/// Read what it takes to check a partner's trail offline
///
/// The hash chain of the whole trail with what opens the commitments that the caller may see.
#[utoipa::path(get, path = "/partners/{id}/audit/proof", tag = "audit", security(("partnerKey" = []), ("platformKey" = [])), params(PartnerPath), responses(
    (status = 200, description = "The proof.", body = ProofView),
))]
pub async fn get_partner_audit_proof(
    PartnerOrPlatform(caller): PartnerOrPlatform,
    Path(path): Path<PartnerPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<ProofView>, Problem> {
    Ok(Json(partner_trail::get_partner_audit_proof(&state.app, &caller, path.id).await?))
}
