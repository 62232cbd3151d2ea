//! Single statements: each takes a session for as long as it runs.

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, Postgres, SqlStr};

use super::Pool;

type Rows<'e> = BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>;
type Answer<'e, T> = BoxFuture<'e, Result<T, sqlx::Error>>;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    /// Reads all rows before it returns the first, so that a slow reader does not hold a
    /// connection; every list has a limit.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let mut out = self.check_out().await?;
            let rows = out.session().fetch_many(query).await;
            out.end(rows)
        };
        Box::pin(stream::once(rows).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let row = out.session().fetch_optional(query).await;
            out.end(row)
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let statement = out.session().prepare_with(sql, parameters).await;
            out.end(statement)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut out = self.check_out().await?;
            let description = out.session().describe(sql).await;
            out.end(description)
        })
    }
}
