//! Whether this replica can serve.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::store;

use super::{App, Error};

/// Why the service is not ready though the database answers.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the service is stopping")]
    Draining,
    #[error("the database lacks {0} migration(s)")]
    Migrations(usize),
}

/// Succeeds if the database is reachable and migrated and the service is not about to stop.
pub async fn ready(app: &App) -> Result<(), Error> {
    if app.draining.load(Ordering::SeqCst) {
        return Err(Error::Unavailable(Arc::new(NotReady::Draining)));
    }
    match store::schema::missing(&app.pool).await? {
        0 => Ok(()),
        missing => Err(Error::Unavailable(Arc::new(NotReady::Migrations(missing)))),
    }
}
