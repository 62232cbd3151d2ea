//! The trail of a partner: its owner, its events as entries, and the table of their fields. The
//! partner and the platform see every entry; buyers see none, and no endpoint shows them one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::trail::Personal::{No, Yes};
use crate::domain::trail::Sees::{Always, Never, Own};
use crate::domain::trail::{Ending, Field, Kind, Recorded, Subject, field};
use crate::domain::values::id::PartnerId;
use crate::domain::values::party::Source;

use super::event::{PartnerEvent, PartnerFact};

/// The fields of every event that sort before `data.…`.
const BEFORE: &[Field] = &[field("credential_id", Yes, Own, Never)];

/// The fields of every event that sort after `data.…`.
const AFTER: &[Field] =
    &[field("party", No, Always, Never), field("recorded_at", No, Always, Never), field("type", No, Always, Never)];

/// Every event type, in the order of [`PartnerFact::TYPES`].
const KINDS: [Kind; PartnerFact::TYPES.len()] = [
    kind("partner.created", &[]),
    kind(
        "partner.key_created",
        &[
            field("data.actors", Yes, Always, Never),
            shown("data.expires_at"),
            shown("data.hint"),
            shown("data.key_id"),
            field("data.label", Yes, Always, Never),
            shown("data.scopes"),
        ],
    ),
    kind("partner.key_revoked", &[shown("data.key_id")]),
    kind("partner.workflow_registered", &[shown("data.digest"), shown("data.key"), shown("data.version")]),
    kind("partner.workflow_retired", &[shown("data.key")]),
    kind("partner.workflow_restored", &[shown("data.key")]),
    kind("partner.erasure_requested", &[shown("data.erasure_id"), shown("data.party")]),
    kind(
        "partner.erasure_completed",
        &[
            shown("data.entries"),
            shown("data.erasure_id"),
            shown("data.fields"),
            shown("data.party"),
            shown("data.tasks"),
        ],
    ),
    kind(
        "partner.exported",
        &[shown("data.entries"), shown("data.from"), shown("data.tasks"), shown("data.until"), shown("data.workflow")],
    ),
    kind("partner.tasks_archived", &[shown("data.archived")]),
    kind(
        "partner.link_created",
        &[
            field("data.actor", Yes, Always, Never),
            shown("data.expires_at"),
            shown("data.link_id"),
            shown("data.manage"),
            shown("data.to"),
        ],
    ),
    kind("partner.link_ended", &[shown("data.link_id")]),
    kind(
        "partner.links_revoked",
        &[field("data.actor", Yes, Always, Never), shown("data.links"), shown("data.task_id")],
    ),
    kind(
        "partner.absence_set",
        &[
            field("data.actor", Yes, Always, Never),
            shown("data.from"),
            field("data.substitute", Yes, Always, Never),
            shown("data.until"),
        ],
    ),
    kind("partner.absence_removed", &[field("data.actor", Yes, Always, Never)]),
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
