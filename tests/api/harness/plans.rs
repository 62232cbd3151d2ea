//! What statements read, by the plan that does not look at the arguments: the one that a busy service uses.

use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::harness::database::TestDb;
use crate::store::sql_shape::statements;

/// Runs the statement that begins like this with these arguments; the plan with what each of its steps did.
pub async fn executed(db: &TestDb, beginning: &str, arguments: &str) -> Value {
    let statement = statements().into_iter().find(|statement| statement.starts_with(beginning));
    let statement = statement.unwrap_or_else(|| panic!("no statement begins with {beginning}"));
    let mut database = db.owner().await;
    for before in ["set plan_cache_mode = force_generic_plan", &format!("prepare measured as {statement}")] {
        sqlx::raw_sql(AssertSqlSafe(before.to_owned())).execute(&mut database).await.unwrap();
    }
    let explain = format!("explain (analyze, buffers, timing off, format json) execute measured ({arguments})");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut database).await.unwrap();
    plan[0]["Plan"].clone()
}

/// How many rows the steps of a plan passed on or rejected.
pub fn rows(step: &Value) -> f64 {
    let number = |name: &str| step[name].as_f64().unwrap_or(0.0);
    let each = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Join Filter");
    each * number("Actual Loops") + step["Plans"].as_array().into_iter().flatten().map(rows).sum::<f64>()
}

/// How many pages of 8 KiB a plan looked at, in memory or on disk.
pub fn buffers(plan: &Value) -> u64 {
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().map(|name| plan[name].as_u64().unwrap()).sum()
}
