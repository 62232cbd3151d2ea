//! A trail that one party can check offline without trusting the service: hashes, and the values
//! and salts that open the commitments that the party may see.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::trail::{Field, Hash, Recorded as _, Subject};
use crate::domain::values::party::Party;

use super::chain::{Entry, FORMAT, Sealed, event};
use super::columns::{Content, Fields};
use super::error::Error;
use super::origin::TrailOrigin;
use super::transparency_log::InclusionProof;

/// The trail of a task or a partner with the data to check it offline.
///
/// It proves that exactly these entries, in this order, lead from the origin to the last hash, and
/// that every value shown is the one committed when the entry was made. Hidden data (a bare `leaf`,
/// or an entry without `fields`) is fixed by the same hashes: it cannot change without another
/// head, but its content is not proven. Only `inclusion` shows who made the proof: without it, and
/// a key to check it with, anybody can have made all of it up. To see that nothing is missing at
/// the end, and that others got the same trail, compare the last hash with one received elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofView<Owner = TrailOrigin> {
    /// The format of entries and fields.
    pub format: u32,
    /// The owner of the trail, which the first entry continues.
    pub origin: Owner,
    /// The party whose view this is; it hides nothing that this party may see. Absent in proofs of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer: Option<Party>,
    /// All entries from the first.
    pub entries: Vec<EntryProof>,
    /// The proof that the trail, up to the entry that `leaf` names, is in the log at its newest
    /// checkpoint; absent before the first checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusion: Option<InclusionProof>,
}

/// One entry with the data to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// Consecutive number from 1, without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// The hash of `entry`.
    pub hash: Hash,
    /// The hashed text: the hash of the previous entry, the root of the fields, `seq`, the task or
    /// partner, and the format.
    pub entry: String,
    /// All fields of the entry, sorted by path; absent for an entry that the caller may not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<FieldProof>>,
}

/// One field. With `salt` it shows its value (without `value`: the field is absent). Otherwise it
/// shows only its commitment, since the caller may not see it or it was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldProof {
    /// The field's path, such as `stage` or `data.revision`.
    pub path: String,
    /// The salt of the commitment: 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The value as JSON text (RFC 8785), byte for byte as committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The commitment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Hash>,
    /// Whether the value was erased; `true` or absent, and only together with `leaf`. Not given for
    /// a field that the caller may not see, since it would reveal that there was a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// The proof of a whole trail for `viewer`.
pub fn proof<S>(origin: &S, rows: &[Sealed], viewer: Party) -> Result<ProofView, Error>
where
    S: Subject + Into<TrailOrigin>,
{
    let entries = rows.iter().map(|row| EntryProof::new::<S>(row, viewer)).collect::<Result<_, _>>()?;
    Ok(ProofView { format: FORMAT, origin: (*origin).into(), viewer: Some(viewer), entries, inclusion: None })
}

impl EntryProof {
    /// The proof of one entry for `viewer`.
    pub fn new<S: Subject>(row: &Sealed, viewer: Party) -> Result<Self, Error> {
        let seq = Entry::<S>::read(&row.entry)?.seq;
        let fields = Fields::read(S::Event::KINDS, &row.data, &row.personal)?;
        let event: S::Event = event(seq, &fields)?;
        let shown = |(field, content): &(&Field, Content<'_>)| {
            FieldProof::new(field.path, content, field.is_shown(&event, viewer))
        };
        let fields = fields.kind.shows_row(&event, viewer).then(|| fields.list.iter().map(shown).collect());
        Ok(Self { seq, hash: row.hash, entry: row.entry.clone(), fields })
    }
}

impl FieldProof {
    fn new(path: &str, content: &Content<'_>, shown: bool) -> Self {
        let path = path.to_owned();
        match content {
            Content::Open { salt, value } if shown => Self {
                path,
                salt: Some(salt.to_string()),
                value: value.as_deref().map(str::to_owned),
                leaf: None,
                erased: false,
            },
            Content::Open { .. } | Content::Erased(_) => {
                let leaf = Some(content.leaf(&path));
                let erased = shown && matches!(content, Content::Erased(_));
                Self { path, salt: None, value: None, leaf, erased }
            }
        }
    }
}
