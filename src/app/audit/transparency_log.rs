//! The log of heads: its signing key, its proofs, and its growth.
//!
//! Every trail's head is added to the log, and the log's root is signed
//! ([`TransparencyLog::append`]). There are no locks: a batch is one insert of rows whose keys
//! follow from the previous size of the log. If two replicas append at once, one of them finds the
//! keys taken and stops.
//!
//! Before anything is signed, the stored log is compared with what was last signed, so that a
//! checkpoint never confirms a log that somebody rewrote. [`Damage`] lists what such a check can
//! find.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::partners::Partners;
use crate::app::replay::Replay;
use crate::app::tasks::load::Loader;
use crate::clock::Clock;
use crate::domain::audit::Hash;
use crate::domain::audit::checkpoint::{self, Checkpoint};
use crate::domain::audit::export::Trusted;
use crate::domain::audit::signed_note::{SignerKey, VerifierKey};
use crate::domain::audit::transparency_log::{
    self, ConsistencyProof, InclusionProof, Leaf, Node, Plan, Subject, Tree, above, verify_consistency,
};
use crate::domain::values::id::{PartnerId, TaskId};
use crate::domain::values::time::Time;
use crate::store::audit::transparency_log::{Batch, Change, Record};
use crate::store::db::horizon::{Transaction, find_horizon};
use crate::store::{self, Pool};

/// The time between two checkpoints.
pub const PERIOD: TimeDelta = TimeDelta::minutes(1);
/// About how many events go into one checkpoint; the rest go into the next one at once.
const BATCH: u32 = 5_000;
/// How many leaves are compared with the signed ones at a time.
const WINDOW: u64 = 1_024;

/// The key that signs checkpoints and receipts, and its predecessors.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    signer: Option<SignerKey>,
    known: Vec<VerifierKey>,
}

impl Keys {
    /// `old`: the public keys of earlier signing keys.
    pub fn new(signer: Option<SignerKey>, old: Vec<VerifierKey>) -> Self {
        let mut known: Vec<_> = signer.iter().map(|signer| signer.verifier().clone()).collect();
        for key in old {
            if !known.contains(&key) {
                known.push(key);
            }
        }
        Self { signer, known }
    }
}

/// The log of heads.
#[derive(Debug)]
pub struct TransparencyLog {
    pool: Pool,
    clock: Clock,
    keys: Keys,
    loader: Arc<Loader>,
    partners: Arc<Partners>,
    replay: Replay,
}

impl TransparencyLog {
    pub(super) fn new(base: &Base, keys: Keys, loader: Arc<Loader>, partners: Arc<Partners>) -> Self {
        let (pool, clock, replay) = (base.pool.clone(), base.clock.clone(), base.replay.clone());
        Self { pool, clock, keys, loader, partners, replay }
    }

    /// The key, or an error if there is none.
    pub(super) fn signer(&self) -> Result<&SignerKey, Error> {
        self.keys.signer.as_ref().ok_or(Error::NoAuditKey)
    }

    /// What a file of this log is checked with.
    pub(in crate::app) fn trusted(&self) -> Trusted {
        Trusted { keys: self.keys.known.clone(), ..Trusted::default() }
    }

    /// Fails if there is no key, before anything is done that needs one.
    pub fn require_key(&self) -> Result<(), Error> {
        self.signer().map(|_| ())
    }

    /// The public keys, one verifier key line each, the current one first.
    pub fn get_audit_key(&self) -> Result<String, Error> {
        self.signer()?;
        let lines: Vec<_> = self.keys.known.iter().map(ToString::to_string).collect();
        Ok(lines.join("\n") + "\n")
    }

    /// The signed checkpoint of this size, or the newest one.
    pub async fn get_checkpoint(&self, size: Option<u64>) -> Result<String, Error> {
        self.signer()?;
        Ok(self.load(size).await?.note)
    }

    /// The proof that the log of `from` leaves is a prefix of the log of `to` leaves, or of the
    /// newest checkpoint's.
    pub async fn get_log_consistency(&self, from: u64, to: Option<u64>) -> Result<ConsistencyProof, Error> {
        self.signer()?;
        let newest = self.load(None).await?;
        let to = to.unwrap_or(newest.size);
        if from > newest.size || to > newest.size {
            self.replay.require_complete().await?;
            return Err(Error::NoCheckpoint);
        }
        let plan = Plan::consistency(from, to).ok_or_else(|| Error::impossible("sizes that were not checked"))?;
        let proof = ConsistencyProof { from, to, hashes: self.resolve(&plan).await? };
        // If both sizes were signed, the proof must lead from one checkpoint to the other.
        let ends = (
            store::audit::transparency_log::find(&self.pool, Some(from)).await?,
            store::audit::transparency_log::find(&self.pool, Some(to)).await?,
        );
        if let (Some(old), Some(new)) = ends
            && !verify_consistency((old.size, old.root), (new.size, new.root), &proof.hashes)
        {
            return Err(Damage::History(from, to).into());
        }
        Ok(proof)
    }

    /// The proof that a task's trail, at least up to the entry `seq`, is in the log of a
    /// checkpoint; without `seq`, up to the latest head in that log.
    pub async fn get_task_inclusion(
        &self,
        caller: &Caller,
        id: TaskId,
        size: Option<u64>,
        seq: Option<u64>,
    ) -> Result<InclusionProof, Error> {
        self.loader.find_visible(caller, id).await?;
        self.get_inclusion(Subject::Task(id), size, seq).await
    }

    /// The same for a partner's trail.
    pub async fn get_partner_inclusion(
        &self,
        caller: &Caller,
        id: PartnerId,
        size: Option<u64>,
        seq: Option<u64>,
    ) -> Result<InclusionProof, Error> {
        self.partners.find_visible(caller, id).await?;
        self.get_inclusion(Subject::Partner(id), size, seq).await
    }

    async fn get_inclusion(
        &self,
        subject: Subject,
        size: Option<u64>,
        seq: Option<u64>,
    ) -> Result<InclusionProof, Error> {
        self.signer()?;
        let signed = self.load(size).await.map_err(|error| match (error, size) {
            (Error::NoCheckpoint, None) => Error::NotLogged,
            (error, _) => error,
        })?;
        self.prove(&signed, subject, seq).await?.ok_or(Error::NotLogged)
    }

    /// The checkpoint that exports are proven against: the one of this size, or the newest; none
    /// without a key or before the first one.
    pub(super) async fn find_for_export(&self, size: Option<u64>) -> Result<Option<Record>, Error> {
        match size {
            Some(_) => {
                self.signer()?;
                self.load(size).await.map(Some)
            }
            None if self.keys.signer.is_none() => Ok(None),
            None => Ok(store::audit::transparency_log::find(&self.pool, None).await?),
        }
    }

    /// The proof that a trail is in the log of a checkpoint; `None` if it is not.
    pub(super) async fn prove(
        &self,
        signed: &Record,
        subject: Subject,
        seq: Option<u64>,
    ) -> Result<Option<InclusionProof>, Error> {
        let Some((index, leaf)) =
            store::audit::transparency_log::find_leaf(&self.pool, subject, seq, signed.size).await?
        else {
            return Ok(None);
        };
        let plan = Plan::inclusion(index, signed.size).ok_or_else(|| Error::impossible("a leaf beyond its log"))?;
        let hashes = self.resolve(&plan).await?;
        let proof = InclusionProof { leaf, index, size: signed.size, hashes, checkpoint: signed.note.clone() };
        // The caller would find an invalid proof. Tampering with the log must be detected here, on
        // the server.
        proof.verify(&self.keys.known).map_err(Damage::Inclusion)?;
        Ok(Some(proof))
    }

    async fn load(&self, size: Option<u64>) -> Result<Record, Error> {
        if let Some(found) = store::audit::transparency_log::find(&self.pool, size).await? {
            return Ok(found);
        }
        // The caller may have it from the primary, and must not take the log for one that was changed.
        if let Some(size) = size
            && store::audit::transparency_log::find(&self.pool, None).await?.is_none_or(|newest| newest.size < size)
        {
            self.replay.require_complete().await?;
        }
        Err(Error::NoCheckpoint)
    }

    async fn resolve(&self, plan: &Plan) -> Result<Vec<Hash>, Error> {
        let nodes = store::audit::transparency_log::find_nodes(&self.pool, plan.nodes()).await?;
        let missing = plan.nodes().find(|node| !nodes.contains_key(node));
        plan.resolve(|node| nodes.get(&node).copied()).ok_or_else(|| Damage::node(missing).into())
    }

    /// Checks a few stored leaves from the position `from` on, and every node above them; returns
    /// where to continue. [`TransparencyLog::append`] checks the root and its subtrees, which is
    /// fast for a log of any length; this function checks everything below them over time.
    pub async fn check_leaves(&self, from: u64) -> Result<u64, Error> {
        let Some(last) = store::audit::transparency_log::find(&self.pool, None).await? else { return Ok(0) };
        let from = if from < last.size { from } else { 0 };
        let until = (from + WINDOW).min(last.size);
        let leaves: BTreeMap<u64, Leaf> =
            store::audit::transparency_log::list_leaves(&self.pool, from, until).await?.into_iter().collect();
        let mut nodes = BTreeSet::new();
        for index in from..until {
            let leaf = Node { level: 0, index };
            let above = iter::successors(Some(leaf), |node| Some(node.parent()));
            nodes.extend(above.take_while(|node| node.is_in(last.size)));
        }
        let halves: BTreeSet<Node> = nodes.iter().filter_map(|node| node.halves()).flatten().collect();
        let stored = store::audit::transparency_log::find_nodes(&self.pool, nodes.union(&halves).copied()).await?;
        let find = |node: Node| stored.get(&node).ok_or(Damage::Node(node.level, node.index));
        for node in nodes {
            let hash = find(node)?;
            if let Some([left, right]) = node.halves() {
                if above(find(left)?, find(right)?) != *hash {
                    return Err(Damage::Below(node.level, node.index).into());
                }
            } else {
                let leaf = leaves.get(&node.index).ok_or(Damage::Missing(node.index))?;
                if leaf.hash() != *hash {
                    return Err(Damage::Leaf(node.index).into());
                }
            }
        }
        Ok(if until < last.size { until } else { 0 })
    }

    /// Checks the stored log against the signed one, then adds the heads that are new since the
    /// last checkpoint and signs the next one. Only checks if nothing is new or, unless `at_once`,
    /// if the last checkpoint is younger than [`PERIOD`]. `seen` is what this process has seen
    /// before.
    pub async fn append(&self, seen: Option<Seen>, at_once: bool) -> Result<Step, Error> {
        let signer = self.signer()?;
        let (last, leaves) = store::audit::transparency_log::find_last(&self.pool).await?;
        let tree = self.check(last.as_ref(), leaves, seen).await?;
        let now = self.clock.now();
        let quiet = Step { last: last.as_ref().map(Seen::of), signed: false, more: false };
        // A clock that was ahead must not stop the log from growing.
        let is_due = |last: &Record| now - last.signed_at >= PERIOD || last.signed_at > now;
        if !at_once && !last.as_ref().is_none_or(is_due) {
            return Ok(quiet);
        }
        let after = last.as_ref().map_or(Transaction::NONE, |last| last.cursor);
        let horizon = find_horizon(&self.pool).await?;
        if horizon < after {
            return Err(Damage::Restored.into());
        }
        let changes = store::audit::transparency_log::list_changes(&self.pool, after, horizon, BATCH).await?;
        let Some(newest) = changes.last() else { return Ok(quiet) };
        let (cursor, more) = (newest.transaction, changes.len() >= BATCH as usize);
        let size = tree.size();
        let batch = batch(signer, tree, latest(&changes), (now, cursor));
        if !store::audit::transparency_log::insert(&self.pool, &batch).await? {
            let (last, _) = store::audit::transparency_log::find_last(&self.pool).await?;
            return match last.filter(|last| last.size > size) {
                // Another replica won.
                Some(last) => Ok(Step { last: Some(Seen::of(&last)), signed: false, more: false }),
                None => Err(Damage::Beyond(size).into()),
            };
        }
        Ok(Step { last: Some(Seen::of(&batch.checkpoint)), signed: true, more })
    }

    /// The stored log, if it matches the signed one.
    async fn check(&self, last: Option<&Record>, leaves: u64, seen: Option<Seen>) -> Result<Tree, Error> {
        let size = last.map_or(0, |last| last.size);
        if let Some(seen) = seen.filter(|seen| seen.size > size) {
            return Err(Damage::History(seen.size, size).into());
        }
        if leaves != size {
            return Err(Damage::Leaves(leaves, size).into());
        }
        let Some(last) = last else { return Ok(Tree::empty()) };
        let signed = Checkpoint::open(&last.note, &self.keys.known).map_err(|error| Damage::Checkpoint(size, error))?;
        if (signed.size, signed.root) != (size, last.root) {
            return Err(Damage::Row(size).into());
        }
        let plan = Plan::root(size);
        let nodes = store::audit::transparency_log::find_nodes(&self.pool, plan.nodes()).await?;
        let missing = || Damage::node(plan.nodes().find(|node| !nodes.contains_key(node)));
        let tree = Tree::load(size, |node| nodes.get(&node).copied()).ok_or_else(missing)?;
        if tree.root() != last.root {
            return Err(Damage::Root(size).into());
        }
        if let Some(seen) = seen {
            let plan = Plan::consistency(seen.size, size).ok_or(Damage::History(seen.size, size))?;
            let hashes = self.resolve(&plan).await?;
            if !verify_consistency((seen.size, seen.root), (size, last.root), &hashes) {
                return Err(Damage::History(seen.size, size).into());
            }
        }
        Ok(tree)
    }
}

/// The stored log differs from the signed one. Nothing is signed until a person has looked at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Leaves were removed or added.
    #[error("the log was tampered with: it has {0} leaves, and its last checkpoint signs {1}")]
    Leaves(u64, u64),
    /// The stored checkpoint is not one of ours, or its key is no longer configured.
    #[error(
        "the last checkpoint, of {0} leaves, is not trustworthy: {1} (after a key change, STAGEGATE_AUDIT_OLD_KEYS must list the old key)"
    )]
    Checkpoint(u64, checkpoint::Error),
    /// The columns beside the checkpoint contradict it.
    #[error("the log was tampered with: the row of the checkpoint of {0} leaves is not what its note signs")]
    Row(u64),
    /// A node is missing.
    #[error("the log was tampered with: the node at level {0}, index {1} is missing")]
    Node(u8, u64),
    /// A node is not the hash of its halves.
    #[error("the log was tampered with: the node at level {0}, index {1} is not the hash of its halves")]
    Below(u8, u64),
    /// A leaf is missing.
    #[error("the log was tampered with: leaf {0} is missing")]
    Missing(u64),
    /// A leaf differs from the signed one.
    #[error("the log was tampered with: leaf {0} is not what was signed")]
    Leaf(u64),
    /// The nodes have another root than the signed one.
    #[error("the log was tampered with: its nodes do not have the root that the checkpoint of {0} leaves signs")]
    Root(u64),
    /// The newest checkpoint is older than one that this process has seen, or contradicts it.
    #[error("the log was tampered with: it has {1} leaves and does not continue the {0} that it had before")]
    History(u64, u64),
    /// The stored leaf or nodes do not lead to the signed root.
    #[error("the log was tampered with: {0}")]
    Inclusion(transparency_log::Error),
    /// There are rows where the next leaves belong.
    #[error("the log was tampered with: it has rows beyond the {0} leaves of its last checkpoint")]
    Beyond(u64),
    /// The database's transaction numbers have restarted.
    #[error(
        "the database was restored from a dump: its transactions are older than those in the log, so new events cannot be told from old ones (`stagegate migrate --restored` fixes that)"
    )]
    Restored,
}

impl Damage {
    fn node(node: Option<Node>) -> Self {
        node.map_or(Self::Node(0, 0), |node| Self::Node(node.level, node.index))
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::Internal(Arc::new(damage))
    }
}

/// A checkpoint that this process has seen; since then the log can only have grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The number of leaves.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was signed.
    pub signed_at: Time,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The newest checkpoint, if there is one.
    pub last: Option<Seen>,
    /// Whether this replica has just signed it.
    pub signed: bool,
    /// Whether there are more events to log at once.
    pub more: bool,
}

impl Seen {
    fn of(record: &Record) -> Self {
        Self { size: record.size, root: record.root, signed_at: record.signed_at }
    }
}

/// The last head of each trail, in a deterministic order.
fn latest(changes: &[Change]) -> Vec<Leaf> {
    let mut heads = BTreeMap::new();
    for Change { leaf, .. } in changes {
        let head = heads.entry(leaf.subject).or_insert(*leaf);
        if leaf.seq > head.seq {
            *head = *leaf;
        }
    }
    heads.into_values().collect()
}

fn batch(signer: &SignerKey, mut tree: Tree, leaves: Vec<Leaf>, (signed_at, cursor): (Time, Transaction)) -> Batch {
    let nodes = leaves.iter().flat_map(|leaf| tree.append(leaf.hash())).collect();
    let (size, root) = (tree.size(), tree.root());
    let note = Checkpoint::sign(signer, size, root);
    Batch { leaves, nodes, checkpoint: Record { size, root, note, signed_at, cursor } }
}
