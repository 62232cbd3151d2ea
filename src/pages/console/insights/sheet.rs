//! The table as CSV (RFC 4180), with numbers as the API has them.

use crate::domain::analytics::{Analytics, Durations, StageAnalytics};
use crate::domain::values::time::Seconds;

use super::rows::are_enough;

const COLUMNS: [&str; 27] = [
    "stage",
    "name",
    "tasks",
    "entered",
    "approved",
    "rejected",
    "first_pass_share",
    "rounds_p50",
    "rounds_p90",
    "overdue_share",
    "escalated_share",
    "escalated_person",
    "escalated_deadline",
    "escalated_exhausted",
    "escalated_no_quorum",
    "questions",
    "seconds_p50",
    "seconds_p90",
    "seconds_mean",
    "partner_seconds_p50",
    "partner_seconds_p90",
    "buyer_seconds_p50",
    "buyer_seconds_p90",
    "platform_seconds_p50",
    "platform_seconds_p90",
    "revising_seconds_p50",
    "revising_seconds_p90",
];

/// Writes a line for each stage. The figures of too few tasks are empty.
pub(super) fn write(analytics: &Analytics) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for stage in &analytics.stages {
        let mut row = vec![guarded(stage.key.as_str()), guarded(stage.name.as_str()), stage.tasks.to_string()];
        row.extend(figures(stage).filter(|_| are_enough(stage.tasks)).unwrap_or_default());
        row.resize(COLUMNS.len(), String::new());
        writer.write_record(row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn figures(stage: &StageAnalytics) -> Option<Vec<String>> {
    let (escalated, rounds, seconds) = (stage.escalated?, stage.rounds?, stage.seconds?);
    let mut row: Vec<String> = vec![
        stage.entered?.to_string(),
        stage.approved?.to_string(),
        stage.rejected?.to_string(),
        stage.first_pass_share?.to_string(),
        rounds.p50.to_string(),
        rounds.p90.to_string(),
        stage.overdue_share?.to_string(),
        stage.escalated_share?.to_string(),
        escalated.person.to_string(),
        escalated.deadline.to_string(),
        escalated.exhausted.to_string(),
        escalated.no_quorum.to_string(),
        stage.questions?.to_string(),
    ];
    row.extend([seconds.all.p50, seconds.all.p90, seconds.all.mean].map(number));
    let parties = [seconds.partner, seconds.buyer, seconds.platform, seconds.revising];
    row.extend(parties.iter().flat_map(|Durations { p50, p90, .. }| [number(*p50), number(*p90)]));
    Some(row)
}

/// Seconds with their decimals, if there are any.
fn number(seconds: Seconds) -> String {
    serde_json::to_string(&seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        assert_eq!(guarded("Legal = review"), "Legal = review");
    }
}
