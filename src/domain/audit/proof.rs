//! A trail that one party can check offline without trusting the service: hashes, and the values
//! and salts that open the commitments that the party may see.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::partner::event::PartnerEvent;
use crate::domain::task::event::Event;
use crate::domain::values::party::Party;

use super::chain::{Broken, Chain, Entry, Error, FORMAT, Head, Sealed, event};
use super::columns::{Content, Fields};
use super::hash::{Hash, Salt};
use super::sight::{Sight, Watch};
use super::task_fields::{Field, Kind};
use super::task_trail::{Recorded, Subject, TrailOrigin};
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
pub struct ProofView {
    /// The format of entries and fields.
    pub format: u32,
    /// The owner of the trail, which the first entry continues.
    pub origin: TrailOrigin,
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

    fn commitment(&self) -> Option<Hash> {
        match (&self.salt, &self.value, self.leaf) {
            (Some(salt), value, None) if !self.erased => {
                Some(Hash::of_field(&Salt::parse(salt)?, &self.path, value.as_deref()))
            }
            (None, None, Some(leaf)) => Some(leaf),
            (Some(_) | None, _, _) => None,
        }
    }
}

impl ProofView {
    /// Checks the proof by itself, without its author: `inclusion` is not checked.
    pub fn verify(&self) -> Result<Head, Broken> {
        self.follow_as(self.viewer())
    }

    /// The party whose view it is. If that is not given: of the parties whose view it can be, the
    /// one that sees the most.
    pub fn viewer(&self) -> Party {
        let can_be = |viewer: &Party| self.follow_as(*viewer).is_ok();
        let any = || [Party::Platform, Party::Partner].into_iter().find(can_be).unwrap_or(Party::Buyer);
        self.viewer.unwrap_or_else(any)
    }

    fn follow_as(&self, viewer: Party) -> Result<Head, Broken> {
        match &self.origin {
            TrailOrigin::Task(origin) => self.follow(origin, viewer),
            TrailOrigin::Partner(origin) => self.follow(origin, viewer),
        }
    }

    fn follow<S: Subject>(&self, origin: &S, viewer: Party) -> Result<Head, Broken> {
        let (mut chain, mut watch) = (Chain::new(origin), Watch::new(viewer, S::Event::KINDS));
        for proof in &self.entries {
            let committed = proof.committed();
            let checked = proof.check(&committed, &chain).and_then(|head| {
                watch.follow(head.seq, sight(&committed))?;
                Ok(head)
            });
            chain.advance(checked.map_err(|what| chain.broken(what))?);
        }
        self.check_erased()?;
        Ok(chain.head())
    }

    /// Checks that a later entry accounts for every erased field, since any removal could otherwise
    /// pass for an erasure.
    fn check_erased(&self) -> Result<(), Broken> {
        let erased: Vec<(u64, Option<Vec<u64>>)> = self.entries.iter().filter_map(EntryProof::erases).collect();
        let accounted = |lost: u64| {
            let mut later = erased.iter().filter(|(seq, _)| *seq > lost);
            // A buyer does not see which entries they were.
            later.any(|(_, entries)| entries.as_ref().is_none_or(|entries| entries.contains(&lost)))
        };
        let lost = self.entries.iter().filter(|entry| entry.fields.iter().flatten().any(|field| field.erased));
        match lost.map(|entry| entry.seq).find(|seq| !accounted(*seq)) {
            Some(seq) => Err(Broken { seq, what: Error::Erased }),
            None => Ok(()),
        }
    }
}

impl EntryProof {
    /// For an entry that records an erasure: its `seq`, and which entries lost a field, if that is
    /// shown.
    pub(super) fn erases(&self) -> Option<(u64, Option<Vec<u64>>)> {
        let value = |path: &str| self.fields.iter().flatten().find(|field| field.path == path)?.value.as_deref();
        (value("type") == Some(r#""task.personal_data_erased""#)).then(|| {
            // A shown value that is not a readable list names no entries.
            (self.seq, value("data.entries").map(|list| serde_json::from_str(list).unwrap_or_default()))
        })
    }

    /// The type, root and content of the shown fields; `None` if none are shown.
    pub(super) fn committed(&self) -> Result<Option<Committed>, Error> {
        let Some(fields) = &self.fields else { return Ok(None) };
        // Each type has a fixed list of fields, so no field can be committed twice and shown
        // differently to two parties.
        let name = fields.iter().find(|field| field.path == "type").and_then(|field| field.value.as_deref());
        let name = name.and_then(|value| serde_json::from_str(value).ok());
        let kind =
            name.and_then(|name| Kind::find(Event::KINDS, name).or_else(|| Kind::find(PartnerEvent::KINDS, name)));
        let kind = kind.ok_or(Error::Columns)?;
        if !fields.iter().map(|field| field.path.as_str()).eq(kind.fields().map(|field| field.path)) {
            return Err(Error::Columns);
        }
        let leaves: Option<Vec<Hash>> = fields.iter().map(FieldProof::commitment).collect();
        let root = Hash::of_tree(leaves.ok_or(Error::Columns)?);
        Ok(Some(Committed { kind, root, sight: Sight::of(kind, fields) }))
    }

    /// Checks this entry, with its fields in `committed`, as the next one of `chain`.
    pub(super) fn check<S: Subject>(
        &self,
        committed: &Result<Option<Committed>, Error>,
        chain: &Chain<S>,
    ) -> Result<Head, Error> {
        let (entry, head) = chain.link(&self.entry, &self.hash)?;
        if entry.seq != self.seq {
            return Err(Error::Order(self.seq));
        }
        match committed.as_ref().map_err(Clone::clone)? {
            Some(Committed { kind, .. }) if Kind::find(S::Event::KINDS, kind.name).is_none() => Err(Error::Columns),
            Some(Committed { root, .. }) if *root != entry.root => Err(Error::Fields),
            None | Some(_) => Ok(head),
        }
    }
}

/// The result of reading an entry's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    kind: &'static Kind,
    root: Hash,
    sight: Sight,
}

/// The fields that an entry shows, if any.
pub(super) fn sight(committed: &Result<Option<Committed>, Error>) -> Option<&Sight> {
    committed.as_ref().ok()?.as_ref().map(|committed| &committed.sight)
}
