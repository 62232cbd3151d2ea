//! Checks a proof offline: the chain of its entries, the commitments of the fields that it shows,
//! and that it hides nothing that its party may see.

use crate::domain::partner::event::PartnerEvent;
use crate::domain::task::event::Event;
use crate::domain::trail::{Hash, Kind, Recorded as _, Salt, Subject};
use crate::domain::values::party::Party;

use super::chain::{Chain, Head};
use super::error::{Broken, Error};
use super::origin::TrailOrigin;
use super::proof::{EntryProof, FieldProof, ProofView};
use super::visibility::{Visibility, VisibilityCheck};

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
        let (mut chain, mut watch) = (Chain::new(origin), VisibilityCheck::new(viewer, S::Event::KINDS));
        for proof in &self.entries {
            let committed = proof.committed();
            let checked = proof.check(&committed, &chain).and_then(|head| {
                watch.follow(head.seq, visibility(&committed))?;
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
        // A shown value that is not a readable list names no entries.
        let entries = || value("data.entries").map(|list| serde_json::from_str(list).unwrap_or_default());
        match value("type") {
            Some(r#""task.personal_data_erased""#) => Some((self.seq, entries())),
            // Nobody who sees a partner's trail is kept from this list.
            Some(r#""partner.erasure_completed""#) => Some((self.seq, Some(entries().unwrap_or_default()))),
            Some(_) | None => None,
        }
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
        Ok(Some(Committed { kind, root, visibility: Visibility::of(kind, fields) }))
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
    visibility: Visibility,
}

/// The fields that an entry shows, if any.
pub(super) fn visibility(committed: &Result<Option<Committed>, Error>) -> Option<&Visibility> {
    committed.as_ref().ok()?.as_ref().map(|committed| &committed.visibility)
}

impl FieldProof {
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
