//! An entry of a partner's trail as the partner itself or the platform sees it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::partner::event::{PartnerEvent, PartnerFact};
use crate::domain::trail::{Hash, Kind};
use crate::domain::values::id::CredentialId;
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;

use super::chain::Sealed;
use super::view::data;

/// One entry of a partner's trail.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PartnerEntryView {
    /// Consecutive number per partner, from 1, without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of this entry, which the next one continues.
    pub hash: Hash,
    /// What happened, such as `partner.key_created`.
    #[serde(rename = "type")]
    #[schema(value_type = PartnerEventType)]
    pub kind: &'static str,
    /// Who did it.
    pub party: Source,
    /// The credential that was used; only the caller's own party's (the platform sees all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<CredentialId>,
    /// When it was recorded; never goes backwards within a partner.
    pub recorded_at: Time,
    /// Whether fields of the entry were erased; `true` or absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub erased: bool,
    /// The fields of this type of entry.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

/// The type of an entry in the contract: the values of [`PartnerFact::TYPES`].
#[derive(Clone, Copy, Debug)]
pub struct PartnerEventType;

impl utoipa::PartialSchema for PartnerEventType {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(PartnerFact::TYPES));
        words.description(Some("What an entry of a partner's trail records. Later versions may add types.")).into()
    }
}

impl ToSchema for PartnerEventType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PartnerEventType")
    }
}

/// `event`, which is stored as `row`, as the partner itself or the platform may see it.
pub fn partner_view(event: &PartnerEvent, row: &Sealed, viewer: Party) -> PartnerEntryView {
    let kind = Kind::of(event);
    PartnerEntryView {
        seq: event.seq,
        hash: row.hash,
        kind: kind.name,
        party: event.party,
        credential_id: event.credential_id.clone().filter(|_| kind.shows("credential_id", event, viewer)),
        recorded_at: event.recorded_at,
        erased: row.erased().iter().any(|path| kind.shows(path, event, viewer)),
        data: data(event, &event.fact, viewer),
    }
}

#[cfg(test)]
pub(super) mod tests;
