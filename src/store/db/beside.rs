//! A connection beside the pool, kept between uses. Requests that fill the pool cannot delay it.

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

use crate::store::{Error, Pool};

use super::pool::Losses;
use super::session::{Limits, Session};

/// Opens a session when one is needed and keeps it for the next use.
#[derive(Debug)]
pub(in crate::store) struct Beside {
    options: PgConnectOptions,
    limits: Limits,
    losses: Arc<Losses>,
    session: Option<Session>,
}

impl Beside {
    /// Creates a connection that reaches the server as the pool's do. It opens nothing yet.
    pub(in crate::store) fn new(pool: &Pool) -> Self {
        Self::with_options(pool, pool.route().options().clone())
    }

    /// Creates a connection with further session settings, past a pooler.
    pub(in crate::store) fn with<const N: usize>(pool: &Pool, settings: [(&str, &str); N]) -> Self {
        Self::with_options(pool, pool.route().beside(settings))
    }

    fn with_options(pool: &Pool, options: PgConnectOptions) -> Self {
        Self { options, limits: pool.limits(), losses: pool.losses(), session: None }
    }

    /// Takes the kept session if no session of its generation was lost since, or opens a new one.
    /// The caller gives it back with `keep` if it is sound.
    pub(in crate::store) async fn take(&mut self) -> Result<Session, Error> {
        let losses = self.losses.count();
        match self.session.take().filter(|session| session.generation == losses) {
            Some(session) => Ok(session),
            None => Ok(Session::open(&self.options, self.limits).await?.of_generation(losses)),
        }
    }

    /// Keeps a session for the next use.
    pub(in crate::store) fn keep(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// Reports that the server of this session serves no more, so that every pool drops its
    /// sessions.
    pub(in crate::store) fn report(&self, session: &Session) {
        self.losses.report(session.generation);
    }
}
