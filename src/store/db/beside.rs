//! A connection beside the pool, kept from one look to the next: requests that wait for theirs keep nobody from the
//! answer.

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

use crate::store::{Error, Pool};

use super::pool::Losses;
use super::session::{Limits, Session};

/// Opens a session when one is needed, and has the one that was kept.
#[derive(Debug)]
pub(in crate::store) struct Beside {
    options: PgConnectOptions,
    limits: Limits,
    losses: Arc<Losses>,
    session: Option<Session>,
}

impl Beside {
    /// Beside this pool, with further settings of the session. Nothing is opened yet.
    pub(in crate::store) fn new<const N: usize>(pool: &Pool, settings: [(&str, &str); N]) -> Self {
        let options = pool.connect_options().options(settings);
        Self { options, limits: pool.limits(), losses: pool.losses(), session: None }
    }

    /// The session that was kept, if none of its time was lost meanwhile; else a new one. Whoever is done with it keeps
    /// it if it is sound.
    pub(in crate::store) async fn take(&mut self) -> Result<Session, Error> {
        let losses = self.losses.count();
        match self.session.take().filter(|session| session.generation == losses) {
            Some(session) => Ok(session),
            None => Ok(Session::open(&self.options, self.limits).await?.of_generation(losses)),
        }
    }

    /// Keeps a session for the next look.
    pub(in crate::store) fn keep(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// Says that the server of this session serves no more, so that no pool goes on with its sessions.
    pub(in crate::store) fn report(&self, session: &Session) {
        self.losses.report(session.generation);
    }
}
