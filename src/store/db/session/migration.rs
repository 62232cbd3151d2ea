//! Applies migrations one statement at a time. Engines on top of Postgres, such as Citus, refuse several
//! statements in one message.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// A connection that sends the statements of a migration one by one, in one transaction. The rest is
/// sqlx's.
pub(super) struct OneByOne<'c>(pub(super) &'c mut PgConnection);

type Done<'e, T> = BoxFuture<'e, Result<T, MigrateError>>;

impl Migrate for OneByOne<'_> {
    fn apply<'e>(&'e mut self, table: &'e str, migration: &'e Migration) -> Done<'e, Duration> {
        Box::pin(async move {
            let begun = Instant::now();
            let mut transaction = self.0.begin().await?;
            for statement in statements(migration.sql.as_str()) {
                let sent = transaction.execute(AssertSqlSafe(statement)).await;
                sent.map_err(|error| MigrateError::ExecuteMigration(error, migration.version))?;
            }
            // Records it without running it.
            transaction.skip(table, migration).await?;
            transaction.commit().await?;
            Ok(begun.elapsed())
        })
    }

    fn create_schema_if_not_exists<'e>(&'e mut self, schema: &'e str) -> Done<'e, ()> {
        self.0.create_schema_if_not_exists(schema)
    }

    fn ensure_migrations_table<'e>(&'e mut self, table: &'e str) -> Done<'e, ()> {
        self.0.ensure_migrations_table(table)
    }

    fn dirty_version<'e>(&'e mut self, table: &'e str) -> Done<'e, Option<i64>> {
        self.0.dirty_version(table)
    }

    fn list_applied_migrations<'e>(&'e mut self, table: &'e str) -> Done<'e, Vec<AppliedMigration>> {
        self.0.list_applied_migrations(table)
    }

    fn lock(&mut self) -> Done<'_, ()> {
        self.0.lock()
    }

    fn unlock(&mut self) -> Done<'_, ()> {
        self.0.unlock()
    }

    fn revert<'e>(&'e mut self, table: &'e str, migration: &'e Migration) -> Done<'e, Duration> {
        self.0.revert(table, migration)
    }

    fn skip<'e>(&'e mut self, table: &'e str, migration: &'e Migration) -> Done<'e, ()> {
        self.0.skip(table, migration)
    }
}

/// The statements of a script, each with the comments before it. A semicolon ends one, outside of
/// comments (`--`), quotes and dollar quotes. Comments between `/*` and `*/` are not known.
pub(in crate::store) fn statements(script: &str) -> impl Iterator<Item = String> {
    let (mut found, mut begin, mut at) = (Vec::new(), 0, 0);
    while let Some(next) = script[at..].find(['-', '\'', '"', '$', ';']).map(|offset| at + offset) {
        let rest = &script[next..];
        // How far what begins here reaches.
        let length = match rest.as_bytes()[0] {
            b'-' if rest.starts_with("--") => rest.find('\n'),
            b'\'' => after(rest, 1, "'"),
            b'"' => after(rest, 1, "\""),
            b'$' if !tag(rest).is_empty() => after(rest, tag(rest).len(), tag(rest)),
            _ => Some(1),
        };
        at = length.map_or(script.len(), |length| next + length);
        if rest.starts_with(';') {
            found.push(script[begin..at].trim().to_owned());
            begin = at;
        }
    }
    found.push(script[begin..].trim().to_owned());
    found.into_iter().filter(|statement| !statement.is_empty())
}

/// The end of `text` up to and with the first `mark` after `from`. A doubled quote ends one text and begins
/// the next, which is the same here.
fn after(text: &str, from: usize, mark: &str) -> Option<usize> {
    text[from..].find(mark).map(|offset| from + offset + mark.len())
}

/// The tag that a dollar quote begins with; empty if the `$` begins none.
fn tag(text: &str) -> &str {
    let name = text[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - 1);
    text.get(..name + 2).filter(|tag| tag.ends_with('$')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_unless_it_is_quoted() {
        let table: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("select 1", &["select 1"]),
            ("select 1;\n\nselect 2;\n", &["select 1;", "select 2;"]),
            ("-- a; b\nselect 1; -- c;", &["-- a; b\nselect 1;", "-- c;"]),
            ("select 'a;''b;', \";\"; select 2", &["select 'a;''b;', \";\";", "select 2"]),
            ("do $$ begin x; end $$; select 1", &["do $$ begin x; end $$;", "select 1"]),
            ("do $a$ $$; ' $a$; select '-;'", &["do $a$ $$; ' $a$;", "select '-;'"]),
            ("select $1 - 2; select 3", &["select $1 - 2;", "select 3"]),
        ];
        for (script, expected) in table {
            assert_eq!(statements(script).collect::<Vec<_>>(), expected, "{script}");
        }
    }
}
