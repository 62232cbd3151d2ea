//! `stagegate analytics`: statistics of a workflow's closed tasks, stage by stage.

use crate::client::{Analytics, Selection, Stagegate};
use crate::config::AnalyticsArguments;
use crate::domain::analytics::{Durations, Mostly, StageAnalytics};
use crate::domain::values::time::Seconds;

use super::failure::Failure;
use super::output::{Cell, DIM, Output, STRONG, plain};

pub(super) async fn run(settings: &AnalyticsArguments, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let selection = Selection {
        version: settings.version,
        from: settings.from.as_deref(),
        until: settings.until.as_deref(),
        partner_id: settings.partner_id,
    };
    let analytics = client.analytics(&settings.workflow, &selection).await?;
    if out.is_json() {
        return Ok(out.json(&analytics)?);
    }
    head(&analytics, out)?;
    let titles =
        ["stage", "tasks", "p50", "p90", "partner", "buyer", "platform", "first pass", "rounds", "late", "escalated"];
    let header = titles.map(|text| (text.to_owned(), STRONG));
    let rows: Vec<_> = std::iter::once(header).chain(analytics.stages.iter().map(row)).collect();
    Ok(out.table(&rows)?)
}

fn head(analytics: &Analytics, out: &mut Output) -> Result<(), Failure> {
    let Analytics { workflow, version, from, until, tasks, .. } = analytics;
    let title = format!("{workflow}, version {version}: {tasks} tasks closed");
    out.cells(&[(title, STRONG), plain(format!("from {from} until {until}"))])?;
    if analytics.more {
        out.line("more tasks closed; only those that closed last are counted")?;
    }
    if let Some(since) = analytics.since {
        out.line(format!("figures may be incomplete for tasks that were opened before {since}"))?;
    }
    if let Some(ends) = analytics.ends {
        let text = format!(
            "{} delivered, {} cancelled, {} expired, {} failed",
            ends.delivery, ends.cancelled, ends.expired, ends.failed
        );
        let times = analytics
            .delivery_seconds
            .map(|Durations { p50, p90, .. }| format!("; delivered in {} (p50), {} (p90)", time(p50), time(p90)));
        out.line(text + &times.unwrap_or_default())?;
    }
    if let Some(found) = analytics.bottleneck() {
        let what = match found.mostly {
            Mostly::Revisions => "revisions".to_owned(),
            Mostly::Party(party) => format!("the {party}"),
        };
        let (name, percent, part) = (&found.stage.name, found.percent, found.of_stage);
        out.line(format!("{name} takes {percent} % of the time; {part} % of that is waiting for {what}"))?;
    }
    Ok(out.line("")?)
}

fn row(stage: &StageAnalytics) -> [Cell; 11] {
    let percent = |share: Option<f64>| share.map(|share| format!("{:.0} %", share * 100.0));
    let shown = |text: Option<String>| text.map_or_else(|| ("–".to_owned(), DIM), plain);
    let seconds = stage.seconds.as_ref();
    [
        plain(stage.key.as_str()),
        plain(stage.tasks.to_string()),
        shown(seconds.map(|seconds| time(seconds.all.p50))),
        shown(seconds.map(|seconds| time(seconds.all.p90))),
        shown(seconds.map(|seconds| time(seconds.partner.mean))),
        shown(seconds.map(|seconds| time(seconds.buyer.mean))),
        shown(seconds.map(|seconds| time(seconds.platform.mean))),
        shown(percent(stage.first_pass_share)),
        shown(stage.rounds.map(|rounds| format!("{} ({})", rounds.p50, rounds.p90))),
        shown(percent(stage.overdue_share)),
        shown(percent(stage.escalated_share)),
    ]
}

/// A time in its two largest units, such as `2d 3h`.
fn time(seconds: Seconds) -> String {
    let whole = seconds.micros() / 1_000_000;
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let mut parts = Vec::new();
    let mut rest = whole;
    for (size, unit) in units {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_two_largest_units() {
        let told = |seconds: i64| time(Seconds::from_micros(seconds * 1_000_000));
        let table = [(0, "0s"), (59, "59s"), (3_661, "1h 1m"), (90_061, "1d 1h"), (86_400, "1d"), (86_405, "1d 5s")];
        for (seconds, expected) in table {
            assert_eq!(told(seconds), expected, "{seconds}");
        }
    }
}
