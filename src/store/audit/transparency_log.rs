//! The transparency log of trail heads: the changes to add, the leaves, the nodes and the
//! checkpoints.
//!
//! Rows are added and never changed. A batch is one statement ([`insert`]), so the log always ends
//! at a checkpoint.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::Hash;
use crate::domain::audit::transparency_log::{Leaf, Node, Subject};
use crate::domain::values::id::{PartnerId, TaskId};
use crate::domain::values::time::Time;
use crate::store::db::error::constraint;
use crate::store::db::horizon::Transaction;
use crate::store::db::row::{Place, bigint, bigint_or_max};
use crate::store::{Error, Pool};

/// A checkpoint as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of leaves.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: Time,
    /// The last transaction that the log covers.
    pub cursor: Transaction,
}

/// A new head of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The transaction that wrote the head.
    pub transaction: Transaction,
    /// The leaf that will be logged.
    pub leaf: Leaf,
}

/// A batch that is added in one statement.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The leaves, in order. The index of the first is the size of the log before the batch.
    pub leaves: Vec<Leaf>,
    /// Every subtree that the leaves complete.
    pub nodes: Vec<(Node, Hash)>,
    /// The checkpoint after the batch.
    pub checkpoint: Record,
}

/// Lists heads written after the transaction `after` and before `horizon`, oldest first: about
/// `limit`, and always whole transactions.
///
/// Each source of the union needs an index on its `epoch` and `xid`.
pub async fn list_changes(
    pool: &Pool,
    after: Transaction,
    horizon: Transaction,
    limit: u32,
) -> Result<Vec<Change>, Error> {
    let ((after_epoch, after), (epoch, horizon)) = (after.columns(), horizon.columns());
    let rows = sqlx::query!(
        r#"/* search: heads to log */
           select epoch as "epoch!", xid::text as "xid!", subject as "subject!", subject_id as "subject_id!", seq as "seq!",
               hash as "hash!"
           from (
               select epoch, xid, 'task' as subject, task_id as subject_id, seq, hash from task_events
               where (epoch, xid) > ($1, $2::text::xid8) and (epoch, xid) < ($3, $4::text::xid8)
               union all
               select epoch, xid, 'partner', partner_id, seq, hash from partner_events
               where (epoch, xid) > ($1, $2::text::xid8) and (epoch, xid) < ($3, $4::text::xid8)
           ) head
           order by head.epoch, head.xid fetch first $5 rows with ties"#,
        after_epoch,
        after,
        epoch,
        horizon,
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let place = Place { table: "task_events, partner_events", key: "xid" };
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let subject = read_subject(&row.subject, row.subject_id, place)?;
        let leaf = Leaf { subject, seq: place.unsigned(row.seq)?, head: place.hash(&row.hash)? };
        changes.push(Change { transaction: Transaction::read(row.epoch, &row.xid, place)?, leaf });
    }
    Ok(changes)
}

/// Finds the newest checkpoint and the number of leaves, as of one moment.
pub async fn find_last(pool: &Pool) -> Result<(Option<Record>, u64), Error> {
    // Select from the leaves, so that there is a row even without a checkpoint.
    let row = sqlx::query!(
        r#"select (select coalesce(max(index) + 1, 0) from audit_leaves) as "leaves!",
               last.size as "size?", last.root as "root?", last.note as "note?", last.signed_at as "signed_at?",
               last.cursor_epoch as "cursor_epoch?", last.cursor::text as "cursor?"
           from (values (1)) as one (n)
           left join (select size, root, note, signed_at, cursor_epoch, cursor from audit_checkpoints order by size desc limit 1) last on true"#
    )
    .fetch_one(pool)
    .await?;
    let leaves = Place { table: "audit_leaves", key: "index" }.unsigned(row.leaves)?;
    let found = match (row.size, row.root, row.note, row.signed_at, row.cursor_epoch, row.cursor) {
        (Some(size), Some(root), Some(note), Some(signed_at), Some(cursor_epoch), Some(cursor)) => {
            Some(Record::try_from(Row { size, root, note, signed_at, cursor_epoch, cursor })?)
        }
        _ => None,
    };
    Ok((found, leaves))
}

/// Finds the checkpoint of this size, or the newest one if no size is given.
pub async fn find(pool: &Pool, size: Option<u64>) -> Result<Option<Record>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select size, root, note, signed_at, cursor_epoch, cursor::text as "cursor!" from audit_checkpoints
           where $1::bigint is null or size = $1 order by size desc limit 1"#,
        size.map(bigint_or_max),
    );
    row.fetch_optional(pool).await?.map(Record::try_from).transpose()
}

/// Finds the leaf, with its index, that covers the entry `seq` of a trail in a log of `size`
/// leaves: the first leaf with that entry or a later one. Without `seq`, finds the trail's last
/// leaf.
pub async fn find_leaf(
    pool: &Pool,
    subject: Subject,
    seq: Option<u64>,
    size: u64,
) -> Result<Option<(u64, Leaf)>, Error> {
    let (what, id) = columns(subject);
    let row = sqlx::query!(
        r#"select index, seq, head from audit_leaves
           where subject = $1 and subject_id = $2 and index < $4 and ($3::bigint is null or seq >= $3)
           order by case when $3::bigint is null then -seq else seq end limit 1"#,
        what,
        id,
        seq.map(bigint_or_max),
        bigint(size),
    )
    .fetch_optional(pool)
    .await?;
    let place = Place { table: "audit_leaves", key: id };
    let leaf = |index, seq, head: &[u8]| {
        Ok((place.unsigned(index)?, Leaf { subject, seq: place.unsigned(seq)?, head: place.hash(head)? }))
    };
    row.map(|row| leaf(row.index, row.seq, &row.head)).transpose()
}

/// Lists the leaves with an index from `from` up to but not including `until`, in order.
pub async fn list_leaves(pool: &Pool, from: u64, until: u64) -> Result<Vec<(u64, Leaf)>, Error> {
    let rows = sqlx::query!(
        "select index, subject, subject_id, seq, head from audit_leaves where index >= $1 and index < $2 order by index",
        bigint(from),
        bigint(until),
    );
    let place = Place { table: "audit_leaves", key: "index" };
    let leaf = |index, subject: &str, id, seq, head: &[u8]| {
        let subject = read_subject(subject, id, place)?;
        Ok((place.unsigned(index)?, Leaf { subject, seq: place.unsigned(seq)?, head: place.hash(head)? }))
    };
    let rows = rows.fetch_all(pool).await?;
    rows.into_iter().map(|row| leaf(row.index, &row.subject, row.subject_id, row.seq, &row.head)).collect()
}

/// Finds the hashes of these subtrees; those that are not stored are missing from the result.
pub async fn find_nodes(pool: &Pool, nodes: impl Iterator<Item = Node>) -> Result<HashMap<Node, Hash>, Error> {
    let (levels, indexes): (Vec<i16>, Vec<i64>) = nodes.map(|node| (i16::from(node.level), bigint(node.index))).unzip();
    let rows = sqlx::query!(
        "select node.level, node.index, node.hash from unnest($1::smallint[], $2::bigint[]) as wanted (level, index)
         join audit_nodes node on node.level = wanted.level and node.index = wanted.index",
        &levels,
        &indexes,
    )
    .fetch_all(pool)
    .await?;
    let place = Place { table: "audit_nodes", key: "(level, index)" };
    let node = |level: i16, index: i64, hash: &[u8]| {
        Ok((Node { level: place.unsigned(level)?, index: place.unsigned(index)? }, place.hash(hash)?))
    };
    rows.into_iter().map(|row| node(row.level, row.index, &row.hash)).collect()
}

/// Adds a batch; `false` if its place was taken. Then another replica was faster, or the log holds
/// rows that no checkpoint covers.
pub async fn insert(pool: &Pool, batch: &Batch) -> Result<bool, Error> {
    let Batch { leaves, nodes, checkpoint } = batch;
    let first = checkpoint.size - leaves.len() as u64;
    let mut columns_of = Leaves::default();
    for (index, leaf) in (first..).zip(leaves) {
        let (subject, id) = columns(leaf.subject);
        columns_of.index.push(bigint(index));
        columns_of.subject.push(subject);
        columns_of.subject_id.push(id);
        columns_of.seq.push(bigint(leaf.seq));
        columns_of.head.push(leaf.head.as_bytes().to_vec());
    }
    let levels: Vec<i16> = nodes.iter().map(|(node, _)| i16::from(node.level)).collect();
    let indexes: Vec<i64> = nodes.iter().map(|(node, _)| bigint(node.index)).collect();
    let hashes: Vec<Vec<u8>> = nodes.iter().map(|(_, hash)| hash.as_bytes().to_vec()).collect();
    let (cursor_epoch, cursor) = checkpoint.cursor.columns();
    let inserted = sqlx::query!(
        r#"with leaves as (
               insert into audit_leaves (index, subject, subject_id, seq, head)
               select index, subject, subject_id, seq, head
               from unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[], $5::bytea[])
                   as leaf (index, subject, subject_id, seq, head)
           ), nodes as (
               insert into audit_nodes (level, index, hash)
               select level, index, hash from unnest($6::smallint[], $7::bigint[], $8::bytea[]) as node (level, index, hash)
           )
           insert into audit_checkpoints (size, root, note, signed_at, cursor_epoch, cursor)
           values ($9, $10, $11, $12, $13, $14::text::xid8)"#,
        &columns_of.index,
        &columns_of.subject as _,
        &columns_of.subject_id,
        &columns_of.seq,
        &columns_of.head,
        &levels,
        &indexes,
        &hashes,
        bigint(checkpoint.size),
        &checkpoint.root.as_bytes()[..],
        checkpoint.note,
        checkpoint.signed_at.utc(),
        cursor_epoch,
        cursor,
    )
    .execute(pool)
    .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if constraint(&error).is_some_and(|name| PLACES.contains(&name)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The constraints that two replicas violate when they append at the same time.
const PLACES: [&str; 4] =
    ["audit_leaves_pkey", "audit_leaves_subject_key", "audit_nodes_pkey", "audit_checkpoints_pkey"];

/// Leaves, column by column, as `unnest` takes them.
#[derive(Default)]
struct Leaves {
    index: Vec<i64>,
    subject: Vec<&'static str>,
    subject_id: Vec<Uuid>,
    seq: Vec<i64>,
    head: Vec<Vec<u8>>,
}

struct Row {
    size: i64,
    root: Vec<u8>,
    note: String,
    signed_at: DateTime<Utc>,
    cursor_epoch: i64,
    cursor: String,
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "audit_checkpoints", key: "cursor" };
        let cursor = Transaction::read(row.cursor_epoch, &row.cursor, place)?;
        let place = Place { table: "audit_checkpoints", key: row.size };
        let (size, root) = (place.unsigned(row.size)?, place.hash(&row.root)?);
        Ok(Self { size, root, note: row.note, signed_at: row.signed_at.into(), cursor })
    }
}

fn columns(subject: Subject) -> (&'static str, Uuid) {
    match subject {
        Subject::Task(id) => ("task", id.0),
        Subject::Partner(id) => ("partner", id.0),
    }
}

fn read_subject(subject: &str, id: Uuid, place: Place<&str>) -> Result<Subject, Error> {
    match subject {
        "task" => Ok(Subject::Task(TaskId(id))),
        "partner" => Ok(Subject::Partner(PartnerId(id))),
        other => Err(place.impossible(format!("a trail of the unknown kind {other}"))),
    }
}
