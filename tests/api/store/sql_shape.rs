//! The shape of the SQL: what would keep one task from living on one node, or make writers wait for readers, fails
//! here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use stagegate::store::Pool;

use crate::harness::commands::{approve, at};
use crate::harness::database::TestDb;
use crate::harness::parties::Parties;

/// The searches over many tasks. They fan out on a distributed engine, so there are few, and they take no locks.
const SEARCHES: [&str; 34] = [
    "backlogs of an owner",
    "overdue tasks",
    "tasks at a stage",
    "waiting deliveries of an endpoint",
    "changed tasks",
    "deliveries of an endpoint",
    "deliveries to send again",
    "delivery of an event",
    "due",
    "due deliveries",
    "due deliveries of endpoints",
    "facts of closed tasks",
    "failed deliveries of an endpoint",
    "feed",
    "finished tasks of a version",
    "heads to log",
    "inbox",
    "inbox queues",
    "latest successes of endpoints",
    "next due delivery",
    "number of deliveries to send again",
    "open tasks by stage",
    "open tasks of a partner by stage",
    "pending deliveries of an endpoint",
    "rows of a page of the feed",
    "statuses of a buyer",
    "tasks",
    "tasks and owners in the feed",
    "tasks of a partner",
    "tasks of an actor",
    "tasks that erasures wait for",
    "tasks to export",
    "tasks to put away",
    "what operators watch",
];

/// The one lock of rows: of the writer's statement that looks for locked ones. It ends with the statement and waits
/// for no other.
const SKIPPING: &str = "for no key update skip locked";

/// What no statement may use: locks that outlive it, channels and counters that belong to one node.
const RULED_OUT: [&str; 8] =
    ["for update", "for no key update", "for share", "for key share", "notify", "listen ", "advisory", "nextval"];

#[test]
fn every_statement_keeps_to_one_task_or_is_a_known_search() {
    let statements = statements();
    assert!(statements.len() > 15, "the statements are in .sqlx");
    let mut searches = BTreeMap::new();
    for statement in &statements {
        if let Some(fault) = fault(statement) {
            panic!("{fault}: {statement}");
        }
        if let Some(name) = search_name(statement) {
            *searches.entry(name).or_insert(0) += 1;
        }
    }
    assert_eq!(searches, SEARCHES.map(|name| (name, 1)).into(), "each search is there once, and no other");
}

#[test]
fn the_shape_test_sees_what_it_is_for() {
    let faulty = [
        ("select state from tasks where version = $1", "names no task"),
        ("select 1 from tasks t join task_events e on e.task_id = t.task_id where t.task_id = $1", "names no task"),
        ("update tasks set phase = $1 where wake_at < $2", "names no task"),
        ("insert into task_events (seq) values ($1)", "names no task"),
        ("/* search: everything */ select 1 from tasks", "not a known search"),
        ("/* search: due */ update tasks set overdue = true", "a search that writes"),
        ("select 1 from tasks where task_id = $1 for update", "for update"),
        ("select 1 from tasks where task_id = $1 for no key update of tasks", "for no key update"),
        ("select pg_notify('t', $1)", "notify"),
        ("select pg_advisory_xact_lock($1)", "advisory"),
        ("select nextval('s')", "nextval"),
    ];
    for (statement, expected) in faulty {
        assert_eq!(fault(statement).as_deref(), Some(expected), "{statement}");
    }
    let sound = [
        "select 1 from partners where id = $1",
        "select 1 from tasks where task_id = $1",
        "select 1 from task_events where task_id = any ($1)",
        "update webhook_deliveries delivery set state = $2 from unnest($1::uuid[]) as wanted (task_id) \
         where delivery.task_id = wanted.task_id",
        "insert into tasks (task_id, phase) values ($1, $2)",
        "with task as (update tasks set phase = $2 where task_id = $1 returning task_id) \
         insert into task_events (task_id, seq) select task_id, $3 from task",
        "/* search: due */ select task_id from tasks where wake_at < $1",
    ];
    for statement in sound {
        assert_eq!(fault(statement), None, "{statement}");
    }
}

/// A table whose rows are about a task or about none, as links are, is not a task's.
#[tokio::test]
async fn keys_of_a_tasks_tables_start_with_the_task() {
    let db = TestDb::new().await;
    let foreign_keys_to_tasks = "select c.conname::text from pg_constraint c
         where c.contype = 'f' and c.confrelid in (select attrelid from pg_attribute where attname = 'task_id' and attnotnull)
           and (select attname from pg_attribute where attrelid = c.conrelid and attnum = c.conkey[1]) <> 'task_id'";
    let unique_keys = "select i.indexrelid::regclass::text from pg_index i
         join pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p')
         where i.indisunique and i.indrelid in (select attrelid from pg_attribute where attname = 'task_id' and attnotnull)
           and (select attname from pg_attribute where attrelid = i.indrelid and attnum = i.indkey[0])
               is distinct from 'task_id'";
    assert_none(&db.pool, unique_keys).await;
    assert_none(&db.pool, foreign_keys_to_tasks).await;
}

/// A row that stays in every index is updated on its own page, without a word to the indexes.
#[tokio::test]
async fn a_vote_short_of_the_quorum_changes_no_column_that_is_in_an_index() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    let db = &parties.service.db;
    let row = async || -> Value {
        sqlx::query_scalar("select to_jsonb(tasks) from tasks").fetch_one(&mut db.owner().await).await.unwrap()
    };
    let before = row().await;
    parties.partner.done(&id, &approve(at("legal", 1, 1), "u-anna")).await;
    let after = row().await;
    let changed: Vec<&String> =
        before.as_object().unwrap().keys().filter(|column| before[*column] != after[*column]).collect();
    assert!(changed.iter().any(|column| *column == "state"), "{changed:?}");
    let indexed = "select distinct a.attname::text from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) where i.indrelid = 'tasks'::regclass";
    let indexed: Vec<String> = sqlx::query_scalar(indexed).fetch_all(&db.pool).await.unwrap();
    assert!(indexed.iter().any(|column| column == "due_rank"), "{indexed:?}");
    assert!(changed.iter().all(|column| !indexed.contains(column)), "{changed:?} and {indexed:?}");
    assert_none(
        &db.pool,
        "select indexrelid::regclass::text from pg_index where indrelid = 'tasks'::regclass and 0 = any (indkey)",
    )
    .await;
}

#[tokio::test]
async fn nothing_in_the_schema_belongs_to_one_node() {
    let db = TestDb::new().await;
    assert_none(&db.pool, "select tgname::text from pg_trigger where not tgisinternal").await;
    assert_none(&db.pool, "select relname::text from pg_class where relkind = 'S'").await;
    assert_none(&db.pool, "select typname::text from pg_type where typtype = 'e'").await;
}

/// The driver cannot read infinities and some years; one such row would fail all that are read with it.
#[tokio::test]
async fn every_time_that_is_stored_is_bounded() {
    let db = TestDb::new().await;
    let unbounded = "select a.attrelid::regclass || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations'
             and a.atttypid = 'timestamptz'::regtype and not a.attisdropped and a.attgenerated = ''
             and not exists (
                 select from pg_constraint k where k.conrelid = c.oid and k.conname like '%_times_are_real' and a.attnum = any (k.conkey))";
    assert_none(&db.pool, unbounded).await;
}

#[tokio::test]
async fn every_table_and_column_says_why_it_exists() {
    let db = TestDb::new().await;
    let ours =
        "c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations'";
    let tables = format!(
        "select c.relname::text from pg_class c where {ours} and coalesce(obj_description(c.oid, 'pg_class'), '') = ''"
    );
    let columns = format!(
        "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
         where {ours} and a.attnum > 0 and not a.attisdropped and coalesce(col_description(c.oid, a.attnum), '') = ''"
    );
    assert_none(&db.pool, &tables).await;
    assert_none(&db.pool, &columns).await;
}

/// The statements of `query!` and its kin, in lower case, with single spaces.
pub fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let query = |file: Vec<u8>| serde_json::from_slice::<Value>(&file).unwrap()["query"].as_str().unwrap().to_owned();
    files.map(|file| query(file).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The mark of a search: `/* search: NAME */`.
fn search_name(statement: &str) -> Option<&str> {
    statement.strip_prefix("/* search: ")?.split_once(" */").map(|(name, _)| name)
}

/// What is wrong with a statement.
fn fault(statement: &str) -> Option<String> {
    let beside = statement.replace(SKIPPING, "");
    if let Some(word) = RULED_OUT.iter().find(|word| beside.contains(**word)) {
        return Some((*word).to_owned());
    }
    if let Some(name) = search_name(statement) {
        let writes = ["insert ", "update ", "delete "].iter().any(|word| statement.contains(word));
        let fault = if SEARCHES.contains(&name) {
            writes.then_some("a search that writes")
        } else {
            Some("not a known search")
        };
        return fault.map(ToOwned::to_owned);
    }
    let counted = |texts: &[&str]| texts.iter().map(|text| statement.matches(text).count()).sum::<usize>();
    let tables = ["tasks", "task_events", "webhook_deliveries"];
    let used: usize = tables.iter().map(|table| uses(statement, table)).sum();
    // `wanted` are keys that are given, and so are those of the rows that the writer moves on.
    let keys = ["task_id = $", "task_id = any ($", "task_id = wanted.task_id", "known.task_id = moved.task_id"];
    let named = counted(&keys);
    // A row is inserted with its task's id, given or from the row that the same statement just wrote.
    let inserted: usize =
        tables.iter().map(|table| statement.matches(&format!("insert into {table} (task_id,")).count()).sum();
    (used > named + inserted).then(|| "names no task".to_owned())
}

/// How often a statement reads or writes a table.
fn uses(statement: &str, table: &str) -> usize {
    let verbs = ["from", "join", "update", "into", "only"];
    let words: Vec<&str> =
        statement.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    words.windows(2).filter(|pair| verbs.contains(&pair[0]) && pair[1] == table).count()
}

async fn assert_none(pool: &Pool, query: &str) {
    let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
    assert_eq!(found, Vec::<String>::new(), "{query}");
}
