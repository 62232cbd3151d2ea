//! Charts of bars, drawn by the service. Each shows what the table beside it says.

use crate::domain::analytics::{Analytics, StageAnalytics};
use crate::domain::values::party::Party;
use crate::pages::texts::{Texts, Value};

use super::rows::{are_enough, by_party, duration};

/// The units of a bar as long as it gets: the width of a drawing.
const WIDTH: u128 = 320;
/// The height of a stage in units: its name, its bar and a gap.
const ROW: usize = 44;
/// The longest name in a drawing, in characters.
const NAME: usize = 34;

/// A chart with a bar for each stage.
pub(super) struct Chart {
    pub(super) height: usize,
    /// What the chart says, for those who do not see it.
    pub(super) text: String,
    pub(super) bars: Vec<Bar>,
}

/// The bar of a stage.
pub(super) struct Bar {
    pub(super) name: String,
    /// Where the name stands.
    pub(super) name_y: usize,
    /// Where its bar begins.
    pub(super) y: usize,
    pub(super) parts: Vec<Part>,
}

/// A part of a bar.
pub(super) struct Part {
    /// Its class, which has its fill.
    pub(super) class: &'static str,
    pub(super) x: u128,
    pub(super) width: u128,
}

impl Chart {
    /// How long each stage takes: half of the tasks, and nine out of ten.
    pub(super) fn of_times(analytics: &Analytics, t: Texts) -> Self {
        let times = |stage: &StageAnalytics| stage.seconds.map(|seconds| [seconds.all.p50, seconds.all.p90]);
        let most = shown(analytics).filter_map(times).map(|[_, most]| units(most.micros())).max().unwrap_or(0);
        let row = |stage: &StageAnalytics| {
            let [half, nine] = times(stage)?;
            let bar = |class, micros| Part { class, x: 0, width: scaled(units(micros), most) };
            let variables = [
                ("stage", Value::Written(stage.name.as_str())),
                ("half", duration(t, half).into()),
                ("most", duration(t, nine).into()),
            ];
            let text = t.with_all("insights-times-of", variables).into_owned();
            Some((short(stage.name.as_str()), vec![bar("nine", nine.micros()), bar("half", half.micros())], text))
        };
        Self::new(shown(analytics).filter_map(row))
    }

    /// Whose time it was, on average.
    pub(super) fn of_parties(analytics: &Analytics, t: Texts) -> Self {
        let whole = |stage: &StageAnalytics| stage.seconds.map(|seconds| units(seconds.all.mean.micros()));
        let most = shown(analytics).filter_map(whole).max().unwrap_or(0);
        let row = |stage: &StageAnalytics| {
            let (mut parts, mut before) = (Vec::new(), 0);
            for (party, times) in by_party(stage)? {
                let micros = units(times.mean.micros());
                let x = scaled(before, most);
                before += micros;
                parts.push(Part { class: class(party), x, width: scaled(before, most) - x });
            }
            let [partner, buyer, platform] = by_party(stage)?.map(|(_, times)| duration(t, times.mean));
            let variables = [
                ("stage", Value::Written(stage.name.as_str())),
                ("partner", partner.into()),
                ("buyer", buyer.into()),
                ("platform", platform.into()),
            ];
            Some((short(stage.name.as_str()), parts, t.with_all("insights-parties-of", variables).into_owned()))
        };
        Self::new(shown(analytics).filter_map(row))
    }

    fn new(rows: impl Iterator<Item = (String, Vec<Part>, String)>) -> Self {
        let (mut bars, mut texts) = (Vec::new(), Vec::new());
        for (index, (name, parts, text)) in rows.enumerate() {
            let top = index * ROW;
            bars.push(Bar { name, name_y: top + 14, y: top + 20, parts });
            texts.push(text);
        }
        Self { height: bars.len() * ROW, text: texts.join(" "), bars }
    }
}

/// The stages that enough tasks entered.
fn shown(analytics: &Analytics) -> impl Iterator<Item = &StageAnalytics> {
    analytics.stages.iter().filter(|stage| are_enough(stage.tasks))
}

fn units(micros: i64) -> u128 {
    u128::from(micros.unsigned_abs())
}

/// The length of a bar, if that of `most` is the whole width.
fn scaled(value: u128, most: u128) -> u128 {
    (value * WIDTH).checked_div(most).unwrap_or(0)
}

fn class(party: Party) -> &'static str {
    match party {
        Party::Partner => "by-partner",
        Party::Buyer => "by-buyer",
        Party::Platform => "by-platform",
    }
}

/// A name that fits, isolated from the direction of the others.
fn short(name: &str) -> String {
    let mut short: String = name.chars().take(NAME).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    format!("\u{2068}{short}\u{2069}")
}
