//! The numbers of the tables in words. Those of fewer than 20 tasks are too few to say anything.

use crate::domain::analytics::{Analytics, Durations, Mostly, StageAnalytics};
use crate::domain::values::party::Party;
use crate::domain::values::time::Seconds;
use crate::pages::console::words;
use crate::pages::texts::{Texts, Value, written};

/// The fewest tasks that a row tells something of.
const FEWEST: u64 = 20;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Whether a figure of so many tasks is shown.
pub(super) fn are_enough(tasks: u64) -> bool {
    tasks >= FEWEST
}

/// A stage in both tables.
pub(super) struct StageRow {
    pub(super) name: String,
    pub(super) tasks: u64,
    /// None while there are too few.
    pub(super) figures: Option<Figures>,
}

/// What the tables say of a stage.
pub(super) struct Figures {
    pub(super) half: String,
    pub(super) most: String,
    /// The mean time of each party, in the order of the columns.
    pub(super) parties: Vec<PartyTime>,
    pub(super) first_pass: String,
    pub(super) rounds: String,
    pub(super) late: String,
    pub(super) escalated: String,
    pub(super) rejected: u64,
    pub(super) questions: u64,
}

/// A party's time.
pub(super) struct PartyTime {
    /// The id of the party's word.
    pub(super) party: &'static str,
    pub(super) time: String,
}

/// How many tasks ended in one way.
pub(super) struct EndRow {
    /// The id of the words.
    pub(super) text: &'static str,
    pub(super) tasks: u64,
}

impl StageRow {
    pub(super) fn of(stage: &StageAnalytics, t: Texts) -> Self {
        let figures = Figures::of(stage, t).filter(|_| are_enough(stage.tasks));
        Self { name: stage.name.to_string(), tasks: stage.tasks, figures }
    }
}

impl Figures {
    fn of(stage: &StageAnalytics, t: Texts) -> Option<Self> {
        let (seconds, rounds) = (stage.seconds?, stage.rounds?);
        let party = |(party, times): (Party, Durations)| PartyTime {
            party: words::party(party),
            time: duration(t, times.mean),
        };
        let both = [("half", rounds.p50.into()), ("most", rounds.p90.into())];
        Some(Self {
            half: duration(t, seconds.all.p50),
            most: duration(t, seconds.all.p90),
            parties: by_party(stage).into_iter().flatten().map(party).collect(),
            first_pass: share(t, stage.first_pass_share?),
            rounds: t.with_all("insights-rounds-of", both).into_owned(),
            late: share(t, stage.overdue_share?),
            escalated: share(t, stage.escalated_share?),
            rejected: stage.rejected?,
            questions: stage.questions?,
        })
    }
}

/// The time of each party in a stage.
pub(super) fn by_party(stage: &StageAnalytics) -> Option<[(Party, Durations); 3]> {
    let seconds = stage.seconds.as_ref()?;
    Some([(Party::Partner, seconds.partner), (Party::Buyer, seconds.buyer), (Party::Platform, seconds.platform)])
}

/// The ways in which tasks ended.
pub(super) fn ends(analytics: &Analytics) -> Vec<EndRow> {
    let row = |(text, tasks)| EndRow { text, tasks };
    let rows = analytics.ends.filter(|_| are_enough(analytics.tasks)).map(|ends| {
        [
            ("console-phase-delivery", ends.delivery),
            ("console-phase-cancelled", ends.cancelled),
            ("console-phase-expired", ends.expired),
            ("console-phase-failed", ends.failed),
        ]
    });
    rows.into_iter().flatten().map(row).collect()
}

/// Where the time goes, in a sentence.
pub(super) fn bottleneck(analytics: &Analytics, t: Texts) -> Option<String> {
    let found = analytics.bottleneck().filter(|found| are_enough(found.stage.tasks))?;
    let id = match found.mostly {
        Mostly::Revisions => "insights-bottleneck-revisions",
        Mostly::Party(Party::Partner) => "insights-bottleneck-partner",
        Mostly::Party(Party::Buyer) => "insights-bottleneck-buyer",
        Mostly::Party(Party::Platform) => "insights-bottleneck-platform",
    };
    let part = match found.of_stage {
        95.. => t.text("insights-almost-all"),
        45..=55 => t.text("insights-half"),
        part => t.with("insights-percent", "number", part),
    };
    let variables = [
        ("stage", written(found.stage.name.as_str())),
        ("percent", found.percent.into()),
        ("part", Value::from(part.into_owned())),
    ];
    Some(t.with_all(id, variables).into_owned())
}

/// The two percentiles of a time, in words.
pub(super) fn half_and_most(t: Texts, times: Durations) -> String {
    let both = [("half", duration(t, times.p50).into()), ("most", duration(t, times.p90).into())];
    t.with_all("insights-half-and-most", both).into_owned()
}

/// A time to the nearest unit that is fine enough: two digits, at least.
pub(super) fn duration(t: Texts, seconds: Seconds) -> String {
    let seconds = u64::try_from(seconds.micros()).unwrap_or(0) / 1_000_000;
    let unit = match seconds {
        0..90 => 1,
        90..5_400 => MINUTE,
        5_400..345_600 => HOUR,
        _ => DAY,
    };
    match (seconds + unit / 2) / unit * unit {
        0 => t.with("console-seconds", "number", 0_u64).into_owned(),
        rounded => words::duration(t, rounded),
    }
}

/// A share in whole per cent.
fn share(t: Texts, share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let percent = (share * 100.0).round() as u64;
    t.with("insights-percent", "number", percent).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_is_fine_enough() {
        let told = |seconds: i64| duration(Texts::default(), Seconds::from_micros(seconds * 1_000_000));
        let table = [
            (0, "0 seconds"),
            (1, "1 second"),
            (89, "89 seconds"),
            (90, "2 minutes"),
            (5_399, "90 minutes"),
            (5_400, "2 hours"),
            (200_000, "56 hours"),
            (345_600, "4 days"),
            (1_000_000, "12 days"),
        ];
        for (seconds, expected) in table {
            assert_eq!(told(seconds), expected, "{seconds}");
        }
    }
}
