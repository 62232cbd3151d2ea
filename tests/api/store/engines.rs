//! What Citus, an engine on top of Postgres, refuses or gets wrong, by the text of the statements. It keeps the tables
//! of a schema as shards under other names, so it writes many statements anew.
//!
//! - An insert from a select of tables that calls a function of which Postgres says that it is stable, and none that is
//!   volatile: Citus computes the call first, then writes a statement that is no SQL. Defaults of columns count.
//! - Such a call where an upsert sets a column. An element of an array there ends the server process.
//! - A function that is given a row of a table, since the row of a shard has another type, and a function with
//!   statements of its own in a statement that reads tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::database::TestDb;

use super::sql_shape::statements;

/// What Postgres knows about the schema.
struct Schema {
    tables: BTreeSet<String>,
    /// The columns of each table whose default calls a stable function.
    defaults: BTreeMap<String, Vec<String>>,
    /// Functions that are stable whatever they are given.
    stable: BTreeSet<String>,
    /// The functions of the schema.
    functions: BTreeSet<String>,
}

#[tokio::test]
async fn no_statement_is_one_that_citus_gets_wrong() {
    let db = TestDb::new().await;
    let schema = Schema::of(&db).await;
    assert!(schema.functions.contains("archive_tasks") && schema.stable.contains("now"), "the schema is known");
    assert!(schema.defaults["task_events"].contains(&"xid".to_owned()), "{:?}", schema.defaults);
    let bodies = list(&db, "select prosrc from pg_proc where pronamespace = 'public'::regnamespace").await;
    let bodies = bodies.iter().flat_map(|body| body.split(';')).map(spaced);
    let statements: Vec<String> = statements().into_iter().chain(bodies).collect();
    assert!(statements.iter().any(|statement| statement.starts_with("insert into archived_tasks")), "bodies are read");
    for statement in &statements {
        assert_eq!(schema.fault(statement), None, "{statement}");
    }
}

#[tokio::test]
async fn no_function_is_given_a_row_of_a_table() {
    let given = "select p.proname::text from pg_proc p cross join unnest(p.proargtypes) as given (type)
         join pg_type t on t.oid = given.type where p.pronamespace = 'public'::regnamespace and t.typrelid <> 0";
    assert_eq!(list(&TestDb::new().await, given).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_test_sees_what_it_is_for() {
    let schema = Schema::of(&TestDb::new().await).await;
    let faulty = [
        ("insert into tasks (task_id) select id from partners where created_at < now()", "now("),
        ("with a as (insert into tasks (title) select current_timestamp from partners) select 1", "current_timestamp"),
        ("insert into tasks (due_at) select created_at + interval '1 s' from partners", "interval"),
        ("insert into task_events (seq) select version from tasks", "the default of xid"),
        ("insert into claims (seat) values (1) on conflict (seat) do update set lease_until = now()", "now("),
        (
            "insert into claims (seat) values (1) on conflict (seat) do update set stage = ($1)[1]",
            "an element of an array",
        ),
        ("select archive_tasks(id) from partners", "archive_tasks("),
    ];
    for (statement, expected) in faulty {
        assert_eq!(schema.fault(statement).as_deref(), Some(expected), "{statement}");
    }
    let sound = [
        "insert into tasks (updated_at) values (now())",
        "insert into tasks (due_at) select least(created_at, clock_timestamp()) from partners",
        "insert into task_events (seq, xid) select version, $1 from tasks",
        "with task as (select 1), a as (insert into task_events (seq) select seq from task join unnest($1) as row (seq) on true) select 1",
        "select archive_tasks($1)",
        "update tasks set due_at = now()",
    ];
    for statement in sound {
        assert_eq!(schema.fault(statement), None, "{statement}");
    }
}

impl Schema {
    async fn of(db: &TestDb) -> Self {
        let tables = "select relname::text from pg_class where relkind in ('r', 'p', 'v') and relnamespace = 'public'::regnamespace";
        let stable = "select proname::text from pg_proc group by proname having bool_and(provolatile = 's')";
        let functions = "select proname::text from pg_proc where pronamespace = 'public'::regnamespace";
        let defaults = "select a.attrelid::regclass || '.' || a.attname || ' ' || pg_get_expr(d.adbin, d.adrelid)
             from pg_attrdef d join pg_attribute a on (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
             where a.attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)";
        let set = async |query: &str| list(db, query).await.into_iter().collect::<BTreeSet<String>>();
        let mut schema = Self {
            tables: set(tables).await,
            defaults: BTreeMap::new(),
            stable: set(stable).await,
            functions: set(functions).await,
        };
        for default in list(db, defaults).await {
            let (column, value) = default.split_once(' ').unwrap();
            let (table, column) = column.split_once('.').unwrap();
            if schema.stable_call(&value.to_lowercase()).is_some() {
                schema.defaults.entry(table.to_owned()).or_default().push(column.to_owned());
            }
        }
        schema
    }

    /// What is wrong with a statement.
    fn fault(&self, statement: &str) -> Option<String> {
        let call = calls(statement).into_iter().find(|name| self.functions.contains(*name));
        if let Some(call) = call.filter(|_| self.reads_tables(statement)) {
            return Some(format!("{call}("));
        }
        statement
            .match_indices("insert into ")
            .find_map(|(at, verb)| self.fault_of_insert(&statement[at + verb.len()..]))
    }

    /// The same of what follows `insert into`, up to the parenthesis that ends it.
    fn fault_of_insert(&self, rest: &str) -> Option<String> {
        let insert = &rest[..end(rest)];
        let (table, rest) = insert.split_once(' ')?;
        if rest.split_once("do update set").is_some_and(|(_, set)| set.contains('[')) {
            return Some("an element of an array".to_owned());
        }
        let columns = rest.split_once(')').map_or("", |(columns, _)| columns);
        let from_tables = rest.contains(" select ") && self.reads_tables(rest);
        if !from_tables && !rest.contains("do update set") || calls(rest).contains(&"clock_timestamp") {
            return None;
        }
        let missing = self.defaults.get(table).into_iter().flatten();
        let mut missing = missing.filter(|column| from_tables && !words(columns).contains(&column.as_str()));
        self.stable_call(rest).or_else(|| missing.next().map(|column| format!("the default of {column}")))
    }

    /// A call of a stable function, or what stands for one.
    fn stable_call(&self, text: &str) -> Option<String> {
        let keyword = ["current_timestamp", "current_date", "localtimestamp", "interval"];
        let keyword = keyword.into_iter().find(|keyword| words(text).contains(keyword)).map(ToOwned::to_owned);
        keyword
            .or_else(|| calls(text).into_iter().find(|name| self.stable.contains(*name)).map(|name| format!("{name}(")))
    }

    fn reads_tables(&self, statement: &str) -> bool {
        words(statement).windows(2).any(|pair| ["from", "join"].contains(&pair[0]) && self.tables.contains(pair[1]))
    }
}

/// Where the first parenthesis closes that `text` does not open; the end if none does.
fn end(text: &str) -> usize {
    let mut depth = 0;
    let closes = |(_, byte): &(usize, u8)| {
        depth += i32::from(*byte == b'(') - i32::from(*byte == b')');
        depth < 0
    };
    text.bytes().enumerate().find(closes).map_or(text.len(), |(at, _)| at)
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// The names that are followed by a parenthesis.
fn calls(text: &str) -> Vec<&str> {
    text.match_indices('(')
        .filter_map(|(at, _)| words(&text[..at]).pop().filter(|name| text[..at].ends_with(name)))
        .collect()
}

fn spaced(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn list(db: &TestDb, query: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_all(&mut db.owner().await).await.unwrap()
}
