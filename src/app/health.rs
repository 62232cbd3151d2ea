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
    #[error("the database connection is not in the role {role}; a pooler may have dropped it", role = store::pool::SERVING_ROLE)]
    NotConfined,
}

/// Succeeds if the database is reachable and migrated, in the role that cannot change the trail, the service is not about to
/// stop, its workers turn and its clock is right.
pub async fn ready(app: &App) -> Result<(), Error> {
    if app.is_draining() {
        return Err(Error::Unavailable(Arc::new(NotReady::Draining)));
    }
    // Whatever keeps the database from answering this, the replica is of no use now.
    let away = |error| Error::Unavailable(Arc::new(store::Error::from(error)));
    if !store::pool::is_migrated(&app.pool).await.map_err(away)? {
        return Err(Error::Unavailable(Arc::new(NotReady::NotMigrated)));
    }
    if !store::pool::is_confined(&app.pool).await.map_err(away)? {
        return Err(Error::Unavailable(Arc::new(NotReady::NotConfined)));
    }
    super::workers::check(app).map_err(|unfit| Error::Unavailable(Arc::new(unfit)))
}
