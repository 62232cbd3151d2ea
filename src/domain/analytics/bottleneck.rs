//! Where the time goes: the stage that takes the most of it, and what it waits for.

use super::{Analytics, StageAnalytics, StageSeconds};
use crate::domain::values::party::Party;

/// The stage in which the tasks spent the most time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck<'a> {
    /// The stage.
    pub stage: &'a StageAnalytics,
    /// Its part of the time of all stages, in whole per cent.
    pub percent: u64,
    /// What the most of its time is spent on.
    pub mostly: Mostly,
    /// That part of the stage's time, in whole per cent.
    pub of_stage: u64,
}

/// What a stage waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mostly {
    /// A revision by the partner, after a rejection.
    Revisions,
    /// A party. The partner's time is without revisions, if they take at least half of it.
    Party(Party),
}

impl Analytics {
    /// The bottleneck; none while the tasks of some stage are too few, or took no time.
    pub fn bottleneck(&self) -> Option<Bottleneck<'_>> {
        let times: Vec<(&StageAnalytics, u128)> = self.stages.iter().map(|stage| (stage, total(stage))).collect();
        let all: u128 = times.iter().map(|(_, time)| time).sum();
        // Of equals the first: the later ones do not exceed it.
        let (stage, time) = times.into_iter().reduce(|most, other| if other.1 > most.1 { other } else { most })?;
        let seconds = stage.seconds.as_ref()?;
        let (mostly, part) = mostly(seconds);
        let whole = micros(seconds.all.mean.micros());
        Some(Bottleneck { stage, percent: percent(time, all)?, mostly, of_stage: percent(part, whole)? })
    }
}

/// The time of all tasks in a stage, in microseconds.
fn total(stage: &StageAnalytics) -> u128 {
    let mean = stage.seconds.as_ref().map_or(0, |seconds| micros(seconds.all.mean.micros()));
    mean * u128::from(stage.tasks)
}

fn mostly(seconds: &StageSeconds) -> (Mostly, u128) {
    let [partner, buyer, platform, revising] =
        [seconds.partner, seconds.buyer, seconds.platform, seconds.revising].map(|part| micros(part.mean.micros()));
    let first = if revising > 0 && revising * 2 >= partner {
        (Mostly::Revisions, revising)
    } else {
        (Mostly::Party(Party::Partner), partner)
    };
    let others = [(Mostly::Party(Party::Buyer), buyer), (Mostly::Party(Party::Platform), platform)];
    others.into_iter().fold(first, |most, other| if other.1 > most.1 { other } else { most })
}

fn micros(micros: i64) -> u128 {
    u128::from(micros.unsigned_abs())
}

/// A part in whole per cent, to the nearest; none of nothing.
fn percent(part: u128, whole: u128) -> Option<u64> {
    let percent = (part * 200 + whole).checked_div(whole * 2)?;
    u64::try_from(percent).ok()
}
