//! Whether this replica can serve.

use std::sync::Arc;

use crate::store;

use super::{App, Error};

/// Why the service is not ready though the database answers.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the service is stopping")]
    Draining,
    #[error("the database lacks migrations")]
    NotMigrated,
}

/// Succeeds if the database is reachable and migrated and the service is not about to stop.
pub async fn ready(app: &App) -> Result<(), Error> {
    if app.is_draining() {
        return Err(Error::Unavailable(Arc::new(NotReady::Draining)));
    }
    // Whatever keeps the database from answering this, the replica is of no use now.
    let migrated = store::pool::is_migrated(&app.pool).await;
    if !migrated.map_err(|error| Error::Unavailable(Arc::new(store::Error::from(error))))? {
        return Err(Error::Unavailable(Arc::new(NotReady::NotMigrated)));
    }
    Ok(())
}
