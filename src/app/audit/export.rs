//! Exports of trails, written on demand.
//!
//! An [`Export`] produces one piece at a time, each only on request, and reads no more from the
//! database than the piece needs. So a slow reader is waited for, and a reader that disconnects
//! leaves nothing running. No connection is held between two pieces. A trail is exported up to its
//! end at the time when the export reaches it; damaged rows are reported in their place, so that a
//! check of the file finds them.
//!
//! An export by the platform is recorded in the partners' trails before any data is sent, and with
//! its exact extent: an export of many is recorded `PAGE` tasks at a time. So recorded data may not
//! have been sent, if the reader disconnected, but sent data is always recorded. A replica that only
//! reads cannot record, and refuses such an export.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::app::access::Caller;
use crate::app::base::Base;
use crate::app::error::Error;
use crate::app::partners::Partners;
use crate::app::shares::{Share, Shares};
use crate::app::tasks::load::Loader;
use crate::clock::Clock;
use crate::domain::audit::export::{Selection, Writer};
use crate::domain::audit::transparency_log::Subject;
use crate::domain::audit::{Error as Flaw, Origin, PartnerOrigin};
use crate::domain::partner::event::PartnerFact;
use crate::domain::values::id::{PartnerId, TaskId};
use crate::domain::values::party::Party;
use crate::store::audit::exports::Trail;
use crate::store::audit::transparency_log::Record;
use crate::store::tasks::events::Stored;
use crate::store::{self, Pool};

use super::transparency_log::TransparencyLog;

/// How many tasks are searched and recorded at a time.
const PAGE: u32 = 1_000;
/// How many rows of a trail are read per piece.
const CHUNK: u32 = 64;

/// An export in progress.
#[derive(Debug)]
pub struct Export {
    exports: Arc<Exports>,
    /// The party that sees it.
    viewer: Party,
    /// Who asked for it; `None`: the archive, which records what it takes in its own way.
    caller: Option<(Caller, Share)>,
    signed: Option<Record>,
    writer: Writer,
    search: Option<Search>,
    queue: VecDeque<Whole>,
    current: Option<(Whole, u64)>,
}

/// The remaining search of an export of many.
#[derive(Debug)]
struct Search {
    wanted: Selection,
    after: Option<TaskId>,
    is_open: bool,
}

/// A trail of either kind.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Task(Trail<Origin>),
    Partner(Trail<PartnerOrigin>),
}

/// Begins exports.
#[derive(Debug)]
pub struct Exports {
    pool: Pool,
    clock: Clock,
    long_reads: Shares,
    loader: Arc<Loader>,
    partners: Arc<Partners>,
    log: Arc<TransparencyLog>,
}

impl Exports {
    pub(super) fn new(base: &Base, loader: Arc<Loader>, partners: Arc<Partners>, log: Arc<TransparencyLog>) -> Self {
        let (pool, clock) = (base.pool.clone(), base.clock.clone());
        Self { pool, clock, long_reads: base.shares.long_reads.clone(), loader, partners, log }
    }

    /// Refuses what cannot be recorded before it is sent, since this replica only reads.
    fn check_recordable(&self, caller: &Caller) -> Result<(), Error> {
        if matches!(caller, Caller::Platform { .. }) && self.pool.is_read_only() {
            return Err(Error::ReadOnly);
        }
        Ok(())
    }

    /// The export of one task, as the caller may see it.
    pub async fn export_task(
        self: &Arc<Self>,
        caller: &Caller,
        id: TaskId,
        size: Option<u64>,
    ) -> Result<Export, Error> {
        self.check_recordable(caller)?;
        self.loader.find_visible(caller, id).await?;
        let share = self.long_reads.take(caller)?;
        let signed = self.log.find_for_export(size).await?;
        // Read after the checkpoint, so that the trail is at least as long as the log's.
        let Some(trail) = store::audit::exports::find(&self.pool, id).await? else {
            return Err(self.loader.gone(caller.party(), id).await);
        };
        let mut export = Export::new(self, Some((caller.clone(), share)), signed);
        if let Caller::Platform { .. } = caller {
            export.record(&Selection::default(), &[trail]).await?;
        }
        export.queue.push_back(Whole::Task(trail));
        Ok(export)
    }

    /// The export of one task for the archive: all of it, as the platform sees it, proven against
    /// the checkpoint of this size.
    pub(in crate::app) async fn export_to_archive(self: &Arc<Self>, id: TaskId, size: u64) -> Result<Export, Error> {
        let signed = self.log.find_for_export(Some(size)).await?;
        let trail = store::audit::exports::find(&self.pool, id).await?.ok_or(Error::NotFound)?;
        let mut export = Export::new(self, None, signed);
        export.queue.push_back(Whole::Task(trail));
        Ok(export)
    }

    /// The export of a partner's own trail.
    pub async fn export_partner(
        self: &Arc<Self>,
        caller: &Caller,
        id: PartnerId,
        size: Option<u64>,
    ) -> Result<Export, Error> {
        self.check_recordable(caller)?;
        self.partners.find_visible(caller, id).await?;
        let share = self.long_reads.take(caller)?;
        let signed = self.log.find_for_export(size).await?;
        let find = || async { store::audit::exports::find_partner(&self.pool, id).await?.ok_or(Error::NotFound) };
        let mut trail = find().await?;
        if let Caller::Platform { .. } = caller {
            let fact = PartnerFact::Exported { workflow: None, from: None, until: None, tasks: 0, entries: trail.last };
            self.partners.journal.record_fact(id, &caller.author(), fact).await?;
            trail = find().await?;
        }
        let mut export = Export::new(self, Some((caller.clone(), share)), signed);
        export.queue.push_back(Whole::Partner(trail));
        Ok(export)
    }

    /// The export of many tasks, for the platform.
    pub async fn export_tasks(
        self: &Arc<Self>,
        caller: &Caller,
        wanted: Selection,
        size: Option<u64>,
    ) -> Result<Export, Error> {
        self.check_recordable(caller)?;
        let share = self.long_reads.take(caller)?;
        let signed = self.log.find_for_export(size).await?;
        let mut export = Export::new(self, Some((caller.clone(), share)), signed);
        export.search = Some(Search { wanted, after: None, is_open: false });
        Ok(export)
    }
}

impl Export {
    fn new(exports: &Arc<Exports>, caller: Option<(Caller, Share)>, signed: Option<Record>) -> Self {
        let viewer = caller.as_ref().map_or(Party::Platform, |(caller, _)| caller.party());
        let (exports, writer, queue) = (Arc::clone(exports), Writer::default(), VecDeque::new());
        Self { exports, viewer, caller, signed, writer, search: None, queue, current: None }
    }

    /// The next piece, which is some whole lines; `None` at the end. After an error there are no
    /// more pieces.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        let time_left = self.caller.as_ref().and_then(|(caller, _)| caller.time_left(self.exports.clock.now()));
        if time_left.is_some_and(|left| left.is_zero()) {
            return Err(Error::Expired);
        }
        if let Some((trail, after)) = self.current.take() {
            return self.entries(trail, after).await.map(Some);
        }
        if self.queue.is_empty() && self.search.is_some() {
            let line = self.look().await?;
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        let Some(trail) = self.queue.pop_front() else { return Ok(None) };
        let header = match &trail {
            Whole::Task(trail) => self.writer.header(trail.origin.into(), self.viewer),
            Whole::Partner(trail) => self.writer.header(trail.origin.into(), self.viewer),
        };
        self.entries(trail, 0).await.map(|entries| Some(header + &entries))
    }

    /// The entries after `after` and, if they are the last, the end of the trail.
    async fn entries(&mut self, whole: Whole, after: u64) -> Result<String, Error> {
        let pool = &self.exports.pool;
        let (rows, head, last, subject) = match &whole {
            Whole::Task(Trail { origin, head, last }) => {
                let rows = store::tasks::events::list_stored(pool, origin.task_id, after, *last, CHUNK).await?;
                (rows, *head, *last, Subject::Task(origin.task_id))
            }
            Whole::Partner(Trail { origin, head, last }) => {
                let rows =
                    store::audit::partner_events::list_stored(pool, origin.partner_id, after, *last, CHUNK).await?;
                (rows, *head, *last, Subject::Partner(origin.partner_id))
            }
        };
        let mut piece = String::new();
        for row in &rows {
            piece.push_str(&self.entry(&whole, subject, row));
        }
        match rows.last() {
            Some(row) if row.seq < last => self.current = Some((whole, row.seq)),
            Some(_) | None => {
                let inclusion = match &self.signed {
                    Some(signed) => self.exports.log.prove(signed, subject, None).await?,
                    None => None,
                };
                piece.push_str(&self.writer.end(head, inclusion));
            }
        }
        Ok(piece)
    }

    fn entry(&mut self, whole: &Whole, subject: Subject, row: &Stored) -> String {
        let viewer = self.viewer;
        let line = match (&row.flaw, whole) {
            (Some(flaw), _) => Err(flaw.clone()),
            (None, Whole::Task(_)) => self.writer.entry::<Origin>(&row.sealed, viewer).map_err(|flaw| said(&flaw)),
            (None, Whole::Partner(_)) => {
                self.writer.entry::<PartnerOrigin>(&row.sealed, viewer).map_err(|flaw| said(&flaw))
            }
        };
        line.unwrap_or_else(|flaw| {
            tracing::error!(?subject, seq = row.seq, flaw, "an entry of a trail is damaged");
            self.writer.damaged(row.seq, &flaw)
        })
    }

    /// Finds the next tasks and records their export. Returns the first line, or if there are no
    /// more tasks the last one.
    async fn look(&mut self) -> Result<String, Error> {
        let Some(mut search) = self.search.take() else { return Ok(String::new()) };
        if !search.is_open {
            search.is_open = true;
            let opening = self.writer.opening(&search.wanted);
            self.search = Some(search);
            return Ok(opening);
        }
        let mut found = Vec::new();
        loop {
            let page = store::audit::exports::list(&self.exports.pool, &search.wanted, search.after, PAGE).await?;
            found.extend(page.trails);
            let Some(next) = page.next else { break };
            search.after = Some(next);
            if found.len() >= PAGE as usize {
                break;
            }
        }
        if found.is_empty() {
            return Ok(self.writer.closing());
        }
        self.record(&search.wanted, &found).await?;
        self.queue.extend(found.into_iter().map(Whole::Task));
        self.search = Some(search);
        Ok(String::new())
    }

    /// Records in every partner's trail which of its tasks are about to be sent.
    async fn record(&self, wanted: &Selection, trails: &[Trail<Origin>]) -> Result<(), Error> {
        let Some((caller, _)) = &self.caller else { return Ok(()) };
        let mut extent = BTreeMap::<PartnerId, (u64, u64)>::new();
        for trail in trails {
            let (tasks, entries) = extent.entry(trail.origin.partner_id).or_default();
            (*tasks, *entries) = (*tasks + 1, *entries + trail.last);
        }
        for (partner, (tasks, entries)) in extent {
            let Selection { workflow, from, until, .. } = wanted.clone();
            let fact = PartnerFact::Exported { workflow, from, until, tasks, entries };
            self.exports.partners.journal.record_fact(partner, &caller.author(), fact).await?;
        }
        Ok(())
    }
}

/// The description of a damaged row for the reader of the export, without any of its content.
fn said(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Event(_) => "its fields do not make an event".to_owned(),
        Flaw::Entry
        | Flaw::Columns
        | Flaw::Format(_)
        | Flaw::Order(_)
        | Flaw::Trail
        | Flaw::Link
        | Flaw::Hash
        | Flaw::Fields
        | Flaw::View(_)
        | Flaw::Erased => flaw.to_string(),
    }
}
