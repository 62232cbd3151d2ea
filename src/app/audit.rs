//! Trails as their readers see them, and their evidence: proofs, receipts, the log, exports.

use std::sync::Arc;

use self::export::Exports;
use self::partner_trail::PartnerTrails;
use self::receipts::Receipts;
use self::trail::TaskTrails;
use self::transparency_log::{Keys, TransparencyLog};
use super::base::Base;
use super::partners::Partners;
use super::tasks::load::Loader;

pub mod export;
pub mod partner_trail;
pub mod receipts;
pub mod trail;
pub mod transparency_log;

/// The trails and their evidence.
#[derive(Debug)]
pub struct Audit {
    /// The trails of tasks.
    pub task_trails: TaskTrails,
    /// The trails of partners.
    pub partner_trails: PartnerTrails,
    /// Signed entries.
    pub receipts: Receipts,
    /// The signed log of all trails.
    pub log: Arc<TransparencyLog>,
    /// Trails as files.
    pub exports: Arc<Exports>,
}

impl Audit {
    pub(super) fn new(base: &Base, keys: Keys, loader: Arc<Loader>, partners: Arc<Partners>) -> Self {
        let log = Arc::new(TransparencyLog::new(base, keys, Arc::clone(&loader), Arc::clone(&partners)));
        Self {
            task_trails: TaskTrails::new(base, Arc::clone(&loader), Arc::clone(&log)),
            partner_trails: PartnerTrails::new(base, Arc::clone(&partners), Arc::clone(&log)),
            receipts: Receipts::new(base, Arc::clone(&loader), Arc::clone(&log)),
            exports: Arc::new(Exports::new(base, loader, partners, Arc::clone(&log))),
            log,
        }
    }
}
