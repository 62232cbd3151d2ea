//! The reference: `pgbench` with one statement per decision that makes the same writes
//! (`reference.sql`, the statement of a service that shares none). It uses the same database and
//! the values of a decision that the service has just written.
//!
//! Of the statement's thirty-three parameters, Postgres computes those that must change from call
//! to call from pgbench's counters (the key, the versions, the ids). The others are sent as
//! parameters, as the service sends them. Every call finds the version that it expects, so every
//! call writes. Each run has task rows of its own, copies of the sampled one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use stagegate::embedded::Postgres;
use tokio::process::Command;
use uuid::Uuid;

use crate::shared::Failure;

/// The statement.
const STATEMENT: &str = include_str!("reference.sql");

/// The numbers of clients that are tried, to give `pgbench` its best.
const WIDTHS: [usize; 4] = [8, 16, 32, 64];

/// The tasks of each client of pgbench.
const TASKS: u32 = 20;

/// The settings of serving connections (`store::db::settings`).
const SETTINGS: &str = "-c role=stagegate_app -c statement_timeout=5s -c lock_timeout=2s";

/// Parameters that stay the same, by number, and the source of their text.
const SAMPLED: &str = "select
    t.phase as p4, t.stage as p5, t.round::text as p6, t.waiting_on as p7, t.due_at::text as p8, t.overdue::text as p9,
    t.wake_at::text as p10, t.format::text as p11, t.state::text as p12, t.notes::text as p13, t.buyer_status::text as p14,
    t.status_version::text as p15, t.head_hash::text as p16, t.updated_at::text as p17,
    t.closed_at::text as p31, e.*
from tasks t cross join (select
    array_agg(type order by seq)::text as p20, array_agg(stage order by seq)::text as p21,
    array_agg(round order by seq)::text as p22, array_agg(party order by seq)::text as p23,
    array_agg(recorded_at order by seq)::text as p24, array_agg(command_digest order by seq)::text as p26,
    array_agg(entry order by seq)::text as p27, array_agg(data::text order by seq)::text as p28,
    array_agg(personal::text order by seq)::text as p29, array_agg(hash order by seq)::text as p30,
    array_agg(type order by seq)::text as p33,
    min(seq) as first, count(*) as count
    from task_events where task_id = $1 and cause_seq = (select max(cause_seq) from task_events where task_id = $1)) e
where t.task_id = $1";

/// Inserts copies of the task, at the version before the sampled decision.
const COPIES: &str = "insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest,
    opened_at, version, phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status,
    status_version, head_hash, updated_at, closed_at)
select lpad(number::text, 32, '0')::uuid, partner_id, buyer_id, workflow_key, workflow_version, title, metadata, open_digest,
    opened_at, $2, phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status,
    1, head_hash, updated_at, closed_at
from tasks, generate_series($3, $4) number where task_id = $1";

/// The path of `pgbench` and its script.
#[derive(Debug)]
pub struct Reference {
    pgbench: PathBuf,
    url: String,
    options: PgConnectOptions,
    script: PathBuf,
}

/// A decision that the service wrote.
#[derive(Debug)]
pub struct Sample {
    task: Uuid,
    /// The first `seq` of its rows.
    first: i64,
    /// The number of rows.
    rows: i64,
    /// The texts of parameters by number; the others are null.
    texts: BTreeMap<usize, String>,
}

impl Reference {
    /// Returns `None` if there is no `pgbench` beside Postgres.
    pub fn prepare(postgres: &Postgres, database: &str) -> Option<Self> {
        let pgbench = postgres.bin_dir().join("pgbench");
        if !pgbench.exists() {
            return None;
        }
        let script = std::env::temp_dir().join(format!("stagegate-bench_{}.sql", std::process::id()));
        Some(Self { pgbench, url: postgres.url(database), options: postgres.connect_options(database), script })
    }

    /// Reads what the last decision on `task` wrote.
    pub async fn sample(&self, task: Uuid) -> Result<Sample, Failure> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let row = sqlx::query(SAMPLED).bind(task).fetch_one(&mut connection).await?;
        let text = |number: usize| {
            let text: Option<String> = row.try_get(format!("p{number}").as_str()).ok()?;
            text.map(|text| (number, text))
        };
        let texts = (4..=33).filter_map(text).collect();
        let (first, rows) = (row.try_get("first")?, row.try_get("count")?);
        connection.close().await?;
        Ok(Sample { task, first, rows, texts })
    }

    /// Finds the number of clients with which it writes most.
    pub async fn best_width(&self, sample: &Sample, seconds: u64) -> Result<usize, Failure> {
        let mut best = (0.0, WIDTHS[0]);
        for width in WIDTHS {
            let per_second = self.run(sample, width, seconds).await?;
            if per_second > best.0 {
                best = (per_second, width);
            }
        }
        Ok(best.1)
    }

    /// Runs `pgbench` and returns its writes a second.
    pub async fn run(&self, sample: &Sample, clients: usize, seconds: u64) -> Result<f64, Failure> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let taken: i64 = sqlx::query_scalar("select count(*) from tasks").fetch_one(&mut connection).await?;
        let tasks = i64::from(TASKS) * i64::try_from(clients)?;
        sqlx::query(COPIES)
            .bind(sample.task)
            .bind(sample.first - 1)
            .bind(taken)
            .bind(taken + tasks - 1)
            .execute(&mut connection)
            .await?;
        tokio::fs::write(&self.script, script(sample)).await?;
        let output = self.command(sample, taken, clients, seconds).output().await?;
        tokio::fs::remove_file(&self.script).await?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let written: i64 = sqlx::query_scalar(
            "select (sum(version - $1) / $2)::bigint from tasks where task_id between lpad($3::text, 32, '0')::uuid and lpad($4::text, 32, '0')::uuid",
        )
        .bind(sample.first - 1)
        .bind(sample.rows)
        .bind(taken)
        .bind(taken + tasks - 1)
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        let counted: i64 = after(&said, "number of transactions actually processed: ")?.parse()?;
        if counted != written {
            return Err(format!("pgbench says it wrote {counted}, the database says {written}").into());
        }
        Ok(after(&said, "tps = ")?.parse()?)
    }

    fn command(&self, sample: &Sample, taken: i64, clients: usize, seconds: u64) -> Command {
        let mut command = Command::new(&self.pgbench);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
        command.args([format!("--client={clients}"), format!("--time={seconds}")]);
        command.arg("--file").arg(&self.script).env("PGOPTIONS", SETTINGS).kill_on_drop(true);
        let numbers = [("n", -1), ("tasks", i64::from(TASKS)), ("taken", taken), ("before", sample.first - 1)];
        for (name, number) in numbers.into_iter().chain([("rows", sample.rows)]) {
            command.arg(format!("--define={name}={number}"));
        }
        for (number, text) in &sample.texts {
            command.arg(format!("--define=p{number}={text}"));
        }
        command.arg(&self.url);
        command
    }
}

/// The script that each client of pgbench repeats.
fn script(sample: &Sample) -> String {
    let mut text = STATEMENT.to_owned();
    // Replace from the highest number, since `$1` is a prefix of `$10`.
    for number in (1..=33).rev() {
        text = text.replace(&format!("${number}"), &parameter(number, sample));
    }
    format!(
        "\\set n :n + 1\n\\set number :taken + :client_id * :tasks + :n % :tasks\n\
         \\set version :before + (:n / :tasks) * :rows\n{text};\n"
    )
}

fn parameter(number: usize, sample: &Sample) -> String {
    let rows = |each: &dyn Fn(i64) -> String| (1..=sample.rows).map(each).collect::<Vec<_>>().join(", ");
    match number {
        1 => "lpad(:number::text, 32, '0')::uuid".to_owned(),
        2 => ":version::bigint".to_owned(),
        3 => format!(":version::bigint + {}", sample.rows),
        // A new stage has a new deadline, which moves the task in the indexes; a vote keeps it.
        8 | 10 if sample.rows > 1 && sample.texts.contains_key(&number) => {
            format!(":p{number}::timestamptz + :version::integer * interval '1 second'")
        }
        18 => format!("array[{}]", rows(&|row| format!(":version::bigint + {row}"))),
        19 => format!("array[{}]", rows(&|_| ":version::bigint + 1".to_owned())),
        25 => {
            let id = |row| if row == 1 { "lpad(:version::text, 32, '0')::uuid" } else { "null" };
            format!("array[{}]", rows(&|row| id(row).to_owned()))
        }
        _ if sample.texts.contains_key(&number) => format!(":p{number}"),
        _ => "null".to_owned(),
    }
}

/// Returns the word that follows `mark`.
fn after<'a>(text: &'a str, mark: &str) -> Result<&'a str, Failure> {
    let rest = text.split_once(mark).ok_or_else(|| format!("pgbench did not say `{mark}`: {text}"))?.1;
    Ok(rest.split_whitespace().next().unwrap_or_default())
}
