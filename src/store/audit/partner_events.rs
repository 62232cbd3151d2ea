//! The trails of partners: read in pages, and appended to by the statement that makes the change.
//!
//! Every write is guarded by the version in the partner's row, which is the `seq` of its last
//! event. Of several writers that read the same end of a trail, one writes. The others write
//! nothing and must read again.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::audit::{Hash, PartnerOrigin, Sealed, Subject as _, seal};
use crate::domain::partner::event::{Latest, PartnerEvent};
use crate::domain::values::id::PartnerId;
use crate::domain::values::time::Time;
use crate::store::db::page::{Bounded, PAGE_BYTES, and_one_more};
use crate::store::db::row::{Place, bigint};
use crate::store::tasks::events::{Key, Stored, beside, flaw, open_event};
use crate::store::tasks::transitions::Seed;
use crate::store::{Error, Pool};

/// A row of a partner's trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: PartnerEvent,
    /// What is stored: the text that was hashed, the fields with their salts, and the hash.
    pub sealed: Sealed,
}

/// The end of a trail, which the next events continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The last event.
    pub latest: Latest,
    /// The hash of the last event.
    pub head: Hash,
}

/// Events that are sealed and ready to be appended, with the guard.
#[derive(Debug)]
pub struct Append {
    pub(in crate::store) partner_id: Uuid,
    pub(in crate::store) expected: i64,
    pub(in crate::store) version: i64,
    pub(in crate::store) head: Hash,
    pub(in crate::store) recorded_at: DateTime<Utc>,
    pub(in crate::store) rows: Rows,
}

/// The rows, column by column, as `unnest` takes them.
#[derive(Debug, Default)]
pub(in crate::store) struct Rows {
    pub(in crate::store) seq: Vec<i64>,
    pub(in crate::store) kind: Vec<&'static str>,
    pub(in crate::store) party: Vec<&'static str>,
    pub(in crate::store) entry: Vec<String>,
    pub(in crate::store) data: Vec<String>,
    pub(in crate::store) personal: Vec<String>,
    pub(in crate::store) hash: Vec<Vec<u8>>,
}

impl Append {
    /// Seals `events`, which continue the trail at `end` (`None` for a new partner).
    ///
    /// # Panics
    ///
    /// If there are no events.
    pub fn new(partner_id: PartnerId, end: Option<&End>, events: &[PartnerEvent], seed: Seed) -> Self {
        let last = events.last().expect("something happened");
        let mut head = end.map_or_else(|| PartnerOrigin { partner_id }.hash(), |end| end.head);
        let mut rows = Rows::default();
        for event in events {
            let sealed = seal(&head, partner_id, event, seed());
            head = sealed.hash;
            rows.push(event, sealed);
        }
        Self {
            partner_id: partner_id.0,
            expected: end.map_or(0, |end| bigint(end.latest.seq)),
            version: bigint(last.seq),
            head,
            recorded_at: last.recorded_at.utc(),
            rows,
        }
    }

    /// Returns where the trail ends once this is written.
    pub fn end(&self) -> End {
        let seq = self.version.unsigned_abs();
        End { latest: Latest { seq, recorded_at: self.recorded_at.into() }, head: self.head }
    }
}

impl Rows {
    fn push(&mut self, event: &PartnerEvent, sealed: Sealed) {
        self.seq.push(bigint(event.seq));
        self.kind.push(event.fact.kind());
        self.party.push(event.party.as_str());
        self.entry.push(sealed.entry);
        self.data.push(sealed.data);
        self.personal.push(sealed.personal);
        self.hash.push(sealed.hash.as_bytes().to_vec());
    }
}

/// Builds a statement that appends to a trail and makes the recorded change, or does neither.
///
/// The arguments are the text that writes the partner's row (`returning id, version`), the text
/// that uses the row of `partner` that it returns, and the parameters of both, from $12. The result
/// is the version written; no row comes back if the guard did not match. Of the [`Append`], $1 is
/// the partner, $2 the version, $3 the head and $4 the time.
macro_rules! append {
    ($append:expr, $partner:literal, $then:literal $(, $parameter:expr)* $(,)?) => {{
        let append: &crate::store::audit::partner_events::Append = $append;
        let rows = &append.rows;
        sqlx::query_scalar!(
            "with partner as (" + $partner + " returning id, version), trail as (
                 insert into partner_events (partner_id, seq, type, party, recorded_at, entry, data, personal, hash)
                 select partner.id, row.seq, row.type, row.party, $4, row.entry, row.data::json, row.personal::json, row.hash
                 from partner cross join unnest(
                     $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[]
                 ) as row (seq, type, party, entry, data, personal, hash)
             )" + $then + " select version as \"version!\" from partner",
            append.partner_id, append.version, &append.head.as_bytes()[..], append.recorded_at,
            &rows.seq, &rows.kind as _, &rows.party as _, &rows.entry, &rows.data, &rows.personal, &rows.hash
            $(, $parameter)*
        )
    }};
    ($append:expr, $then:literal $(, $parameter:expr)* $(,)?) => {
        crate::store::audit::partner_events::append!(
            $append,
            "update partners set version = $2, head_hash = $3, updated_at = $4 where id = $1 and version = $12",
            $then, $append.expected $(, $parameter)*
        )
    };
}
pub(in crate::store) use append;

/// Appends events that record what was done elsewhere; `false` if another writer was faster.
pub async fn insert(pool: &Pool, append: &Append) -> Result<bool, Error> {
    Ok(append!(append, "").fetch_optional(pool).await?.is_some())
}

/// Finds the end of a partner's trail; `None` if there is no such partner.
pub async fn find_end(pool: &Pool, partner: PartnerId) -> Result<Option<End>, Error> {
    let row = sqlx::query!("select version, head_hash, updated_at from partners where id = $1", partner.0);
    let row = row.fetch_optional(pool).await?;
    row.map(|row| end(partner, row.version, &row.head_hash, row.updated_at)).transpose()
}

/// Reads the end of a trail from the columns of `partners`.
pub(in crate::store) fn end(
    partner: PartnerId,
    version: i64,
    head: &[u8],
    updated_at: DateTime<Utc>,
) -> Result<End, Error> {
    let place = Place { table: "partners", key: partner };
    let latest = Latest { seq: place.unsigned(version)?, recorded_at: Time::from(updated_at) };
    Ok(End { latest, head: place.hash(head)? })
}

/// Reads a page of a partner's trail, in order: up to `limit` rows after `after` (0: from the
/// beginning), and at most one page's bytes.
pub async fn list(pool: &Pool, partner: PartnerId, after: u64, limit: u32) -> Result<Bounded<Record>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select seq, type as kind, entry, data::text as "data!", personal::text as "personal!", hash
           from partner_events where partner_id = $1 and seq > $2 and seq <= coalesce(
               (select seq from (
                    select seq, sum(octet_length(entry) + octet_length(data::text) + octet_length(personal::text))
                        over (order by seq) as bytes
                    from partner_events where partner_id = $1 and seq > $2 order by seq limit $3) summed
                where bytes >= $4 order by seq limit 1),
               9223372036854775807)
           order by seq limit $3"#,
        partner.0,
        // The caller chooses the number. One beyond the column's range is beyond the last row.
        i64::try_from(after).unwrap_or(i64::MAX),
        and_one_more(limit),
        PAGE_BYTES,
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| row.record(partner));
    Ok(Bounded::of(rows.collect::<Result<_, Error>>()?, limit, |record| record.sealed.size()))
}

/// Reads a partner's whole trail as it is stored, a page at a time: up to `limit` rows after
/// `after`, up to the row `last`, and at most one page's bytes.
pub async fn list_stored(
    pool: &Pool,
    partner: PartnerId,
    after: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query!(
        r#"select seq, type as kind, party, recorded_at, entry, data::text as "data!", personal::text as "personal!", hash
           from partner_events where partner_id = $1 and seq > $2 and seq <= coalesce(
               (select seq from (
                    select seq, sum(octet_length(entry) + octet_length(data::text) + octet_length(personal::text))
                        over (order by seq) as bytes
                    from partner_events where partner_id = $1 and seq > $2 and seq <= $3 order by seq limit $4) summed
                where bytes >= $5 order by seq limit 1),
               $3)
           order by seq limit $4"#,
        partner.0,
        bigint(after),
        bigint(last),
        i64::from(limit),
        PAGE_BYTES,
    );
    let rows = rows.fetch_all(pool).await?;
    let stored = rows.into_iter().map(|row| {
        let place = Place { table: "partner_events", key: Key(partner.0, row.seq) };
        let hash = place.hash(&row.hash)?;
        let sealed = Sealed { entry: row.entry, data: row.data, personal: row.personal, hash };
        let flaw = match open_event::<PartnerEvent>(place, &sealed, (row.seq, &row.kind)) {
            Err(error) => Some(flaw(error)?),
            Ok(event) => beside(&[
                ("party", event.party.as_str() == row.party),
                ("recorded_at", event.recorded_at.utc() == row.recorded_at),
            ]),
        };
        Ok(Stored { seq: place.unsigned(row.seq)?, sealed, flaw })
    });
    stored.collect()
}

struct Row {
    seq: i64,
    kind: String,
    entry: String,
    data: String,
    personal: String,
    hash: Vec<u8>,
}

impl Row {
    fn record(self, partner: PartnerId) -> Result<Record, Error> {
        let place = Place { table: "partner_events", key: Key(partner.0, self.seq) };
        let hash = place.hash(&self.hash)?;
        let sealed = Sealed { entry: self.entry, data: self.data, personal: self.personal, hash };
        let event = open_event(place, &sealed, (self.seq, &self.kind))?;
        Ok(Record { event, sealed })
    }
}
