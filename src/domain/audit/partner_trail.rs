//! The trail of a partner: the table of its fields, with the types of `task_fields.rs`, and the
//! views of it. The partner and the platform see every entry; buyers see none, and no endpoint
//! shows them one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::domain::partner::event::{PartnerEvent, PartnerFact};
use crate::domain::values::id::{CredentialId, PartnerId};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;

use super::hash::Hash;
use super::task_fields::Personal::{No, Yes};
use super::task_fields::Sees::{Always, Never, Own};
use super::task_fields::{Ending, Field, Kind, field};
use super::task_trail::{Recorded, Subject, TrailOrigin};
use super::view::data;

/// The fields of every event that sort before `data.…`.
const BEFORE: &[Field] = &[field("credential_id", Yes, Own, Never)];

/// The fields of every event that sort after `data.…`.
const AFTER: &[Field] =
    &[field("party", No, Always, Never), field("recorded_at", No, Always, Never), field("type", No, Always, Never)];

/// Every event type, in the order of [`PartnerFact::TYPES`].
const KINDS: [Kind; PartnerFact::TYPES.len()] = [
    kind("partner.created", &[]),
    kind("partner.key_created", &[shown("data.hint"), shown("data.key_id")]),
    kind("partner.key_revoked", &[shown("data.key_id")]),
    kind("partner.workflow_registered", &[shown("data.digest"), shown("data.key"), shown("data.version")]),
    kind("partner.workflow_retired", &[shown("data.key")]),
    kind("partner.workflow_restored", &[shown("data.key")]),
    kind("partner.erasure_requested", &[shown("data.erasure_id"), shown("data.party")]),
    kind(
        "partner.erasure_completed",
        &[shown("data.erasure_id"), shown("data.fields"), shown("data.party"), shown("data.tasks")],
    ),
    kind(
        "partner.exported",
        &[shown("data.entries"), shown("data.from"), shown("data.tasks"), shown("data.until"), shown("data.workflow")],
    ),
];

const fn shown(path: &'static str) -> Field {
    field(path, No, Always, Never)
}

const fn kind(name: &'static str, data: &'static [Field]) -> Kind {
    Kind { name, ending: Ending::No, partner: Always, buyer: Never, role: None, before: BEFORE, data, after: AFTER }
}

/// The owner of a partner's trail, which the first entry continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerOrigin {
    /// The partner.
    #[serde(rename = "partner")]
    pub partner_id: PartnerId,
}

impl Subject for PartnerOrigin {
    type Id = PartnerId;
    type Event = PartnerEvent;
    const MEMBER: &'static str = "partner";
    const ENTRY: &'static [u8] = b"stagegate/partner/v1\0";
    const GENESIS: &'static [u8] = b"stagegate/partner/genesis/v1\0";

    fn id(&self) -> PartnerId {
        self.partner_id
    }

    fn text(&self) -> String {
        format!(r#"{{"partner":"{}"}}"#, self.partner_id)
    }
}

impl From<PartnerOrigin> for TrailOrigin {
    fn from(origin: PartnerOrigin) -> Self {
        Self::Partner(origin)
    }
}

impl Recorded for PartnerEvent {
    type Subject = PartnerOrigin;
    const KINDS: &'static [Kind] = &KINDS;

    fn seq(&self) -> u64 {
        self.seq
    }

    fn kind(&self) -> &'static str {
        self.fact.kind()
    }

    fn source(&self) -> Source {
        self.party
    }
}

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

/// `event` as the partner itself or the platform may see it; `hash` is the hash of its entry.
pub fn partner_view(event: &PartnerEvent, hash: &Hash, viewer: Party) -> PartnerEntryView {
    let kind = Kind::of(event);
    PartnerEntryView {
        seq: event.seq,
        hash: *hash,
        kind: kind.name,
        party: event.party,
        credential_id: event.credential_id.clone().filter(|_| kind.shows("credential_id", event, viewer)),
        recorded_at: event.recorded_at,
        data: data(event, &event.fact, viewer),
    }
}

#[cfg(test)]
pub(super) mod tests;
