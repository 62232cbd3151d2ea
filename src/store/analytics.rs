//! Counts of the facts that closed tasks left. Each was written with the close of its task.

use std::collections::BTreeMap;

use crate::domain::analytics::{Durations, Ends, Escalations, Figures, Rounds, StageFigures, StageSeconds, Subject};
use crate::domain::values::id::StageKey;
use crate::domain::values::time::{Seconds, Time};

use super::db::row::{Place, int};
use super::{Error, Pool};

/// Counts the tasks of a version that closed in a span: at most `limit`, those that closed last.
///
/// Percentiles are by nearest rank, which is what `percentile_disc` computes. The rows of each task
/// are found by its key, so the work is bound by the limit, however many tasks there are.
#[expect(clippy::too_many_lines, reason = "one statement and its thirty-five columns")]
pub async fn count(pool: &Pool, subject: &Subject, limit: u32) -> Result<Figures, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"/* search: facts of closed tasks */
           with found as materialized (
               select task_id, closed_at from stage_facts
               where partner_id = $1 and workflow_key = $2 and workflow_version = $3 and closed_at >= $4 and closed_at < $5
                   and position = 0
               order by closed_at desc, task_id desc
               limit $6::bigint + 1
           ), counted as materialized (
               select fact.*, partner_micros + buyer_micros + platform_micros as micros,
                   escalated_person + escalated_deadline + escalated_exhausted + escalated_no_quorum as escalated,
                   position = 0 as is_task, position = 0 and outcome = 'delivery' as is_delivery,
                   (extract(epoch from fact.closed_at - fact.opened_at) * 1000000)::bigint as life_micros
               from (select task_id from found order by closed_at desc, task_id desc limit $6) chosen
               cross join lateral (select * from stage_facts own where own.task_id = chosen.task_id offset 0) fact
           ), reason as (
               select stage, json_object_agg(name, number) as numbers
               from (
                   select stage, given.key as name, sum(given.value::bigint) as number
                   from counted cross join lateral json_each_text(counted.reasons) given
                   group by stage, given.key
               ) each_reason
               group by stage
           )
           select stage as "stage?", count(*) as "tasks!",
               count(*) filter (where is_task) as "all_tasks!", (select count(*) > $6 from found) as "more!",
               (select at from stage_facts_start) as "since?",
               count(*) filter (where is_delivery) as "delivery!",
               count(*) filter (where is_task and outcome = 'cancelled') as "cancelled!",
               count(*) filter (where is_task and outcome = 'expired') as "expired!",
               count(*) filter (where is_task and outcome = 'failed') as "failed!",
               percentile_disc(array[0.5, 0.9]) within group (order by life_micros) filter (where is_delivery) as "life?",
               div(sum(life_micros) filter (where is_delivery), nullif(count(*) filter (where is_delivery), 0))::bigint
                   as "life_mean?",
               sum(rounds) as entered, sum(approved) as approved, sum(rejected) as rejected,
               sum(escalated_person) as escalated_person, sum(escalated_deadline) as escalated_deadline,
               sum(escalated_exhausted) as escalated_exhausted, sum(escalated_no_quorum) as escalated_no_quorum,
               sum(overdue) as overdue, sum(questions) as questions,
               count(*) filter (where first_pass) as "first_pass!", count(*) filter (where escalated > 0) as "escalated_tasks!",
               count(*) filter (where overdue > 0) as "overdue_tasks!",
               percentile_disc(array[0.5, 0.9]) within group (order by rounds::bigint) as rounds,
               percentile_disc(array[0.5, 0.9]) within group (order by micros) as all_micros,
               percentile_disc(array[0.5, 0.9]) within group (order by partner_micros) as partner,
               percentile_disc(array[0.5, 0.9]) within group (order by buyer_micros) as buyer,
               percentile_disc(array[0.5, 0.9]) within group (order by platform_micros) as platform,
               percentile_disc(array[0.5, 0.9]) within group (order by revising_micros) as revising,
               div(sum(micros), nullif(count(*), 0))::bigint as all_mean,
               div(sum(partner_micros), nullif(count(*), 0))::bigint as partner_mean,
               div(sum(buyer_micros), nullif(count(*), 0))::bigint as buyer_mean,
               div(sum(platform_micros), nullif(count(*), 0))::bigint as platform_mean,
               div(sum(revising_micros), nullif(count(*), 0))::bigint as revising_mean,
               (select numbers::text from reason where reason.stage = counted.stage) as reasons
           from counted
           group by grouping sets ((stage), ())"#,
        subject.partner_id.0,
        subject.workflow.key.as_str(),
        int(subject.workflow.version),
        subject.from.utc(),
        subject.until.utc(),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let mut figures = Figures::default();
    for row in rows {
        row.add_to(&mut figures)?;
    }
    Ok(figures)
}

/// The figures of a stage; without one, those of the whole.
struct Row {
    stage: Option<String>,
    tasks: i64,
    all_tasks: i64,
    more: bool,
    since: Option<chrono::DateTime<chrono::Utc>>,
    delivery: i64,
    cancelled: i64,
    expired: i64,
    failed: i64,
    life: Option<Vec<i64>>,
    life_mean: Option<i64>,
    entered: Option<i64>,
    approved: Option<i64>,
    rejected: Option<i64>,
    escalated_person: Option<i64>,
    escalated_deadline: Option<i64>,
    escalated_exhausted: Option<i64>,
    escalated_no_quorum: Option<i64>,
    overdue: Option<i64>,
    questions: Option<i64>,
    first_pass: i64,
    escalated_tasks: i64,
    overdue_tasks: i64,
    rounds: Option<Vec<i64>>,
    all_micros: Option<Vec<i64>>,
    partner: Option<Vec<i64>>,
    buyer: Option<Vec<i64>>,
    platform: Option<Vec<i64>>,
    revising: Option<Vec<i64>>,
    all_mean: Option<i64>,
    partner_mean: Option<i64>,
    buyer_mean: Option<i64>,
    platform_mean: Option<i64>,
    revising_mean: Option<i64>,
    reasons: Option<String>,
}

const PLACE: Place<&str> = Place { table: "stage_facts", key: "the count" };

impl Row {
    fn add_to(self, figures: &mut Figures) -> Result<(), Error> {
        if let Some(stage) = &self.stage {
            let key: StageKey = PLACE.checked(stage.clone())?;
            figures.stages.insert(key, self.into_stage()?);
            return Ok(());
        }
        figures.tasks = number(self.all_tasks)?;
        (figures.more, figures.since) = (self.more, self.since.map(Time::from));
        figures.ends = Ends {
            delivery: number(self.delivery)?,
            cancelled: number(self.cancelled)?,
            expired: number(self.expired)?,
            failed: number(self.failed)?,
        };
        figures.delivery = durations(self.life.as_deref(), self.life_mean);
        Ok(())
    }

    fn into_stage(self) -> Result<StageFigures, Error> {
        let sum = |sum: Option<i64>| number(sum.unwrap_or(0));
        let [p50, p90] = pair(self.rounds.as_deref());
        let reasons = self.reasons.as_deref().map(|text| PLACE.json(text)).transpose()?;
        Ok(StageFigures {
            tasks: number(self.tasks)?,
            entered: sum(self.entered)?,
            approved: sum(self.approved)?,
            rejected: sum(self.rejected)?,
            escalated: Escalations {
                person: sum(self.escalated_person)?,
                deadline: sum(self.escalated_deadline)?,
                exhausted: sum(self.escalated_exhausted)?,
                no_quorum: sum(self.escalated_no_quorum)?,
            },
            overdue: sum(self.overdue)?,
            questions: sum(self.questions)?,
            reasons: reasons.unwrap_or_else(BTreeMap::new),
            first_pass_tasks: number(self.first_pass)?,
            escalated_tasks: number(self.escalated_tasks)?,
            overdue_tasks: number(self.overdue_tasks)?,
            rounds: Rounds { p50: number(p50)?, p90: number(p90)? },
            seconds: StageSeconds {
                all: durations(self.all_micros.as_deref(), self.all_mean),
                partner: durations(self.partner.as_deref(), self.partner_mean),
                buyer: durations(self.buyer.as_deref(), self.buyer_mean),
                platform: durations(self.platform.as_deref(), self.platform_mean),
                revising: durations(self.revising.as_deref(), self.revising_mean),
            },
        })
    }
}

fn number(value: i64) -> Result<u64, Error> {
    PLACE.unsigned(value)
}

/// The two percentiles; zeros of nothing.
fn pair(percentiles: Option<&[i64]>) -> [i64; 2] {
    let at = |index: usize| percentiles.and_then(|both| both.get(index)).copied().unwrap_or(0);
    [at(0), at(1)]
}

fn durations(percentiles: Option<&[i64]>, mean: Option<i64>) -> Durations {
    let [p50, p90] = pair(percentiles).map(Seconds::from_micros);
    Durations { p50, p90, mean: Seconds::from_micros(mean.unwrap_or(0)) }
}
