//! Sessions in use.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::store::db::session::{Health, Session};

use super::{Inner, Permit};

/// A session in use. If it is dropped before [`CheckedOut::end`], it recovers in the background.
pub(super) struct CheckedOut {
    pub(super) pool: Arc<Inner>,
    pub(super) session: Option<Session>,
    pub(super) permit: Option<Permit>,
}

impl CheckedOut {
    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is there until the end")
    }

    /// Ends the statement with this result.
    pub(super) fn end<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.settle();
        result
    }

    /// Gives a sound session back and retires a broken one; an unsettled session stays.
    fn settle(&mut self) {
        let Some(session) = self.session.take() else { return };
        match session.health() {
            Health::Sound if !session.is_in_transaction() => self.pool.put_back(session),
            Health::Sound | Health::Unsettled => self.session = Some(session),
            Health::Spoilt => drop(session),
            Health::Lost => self.pool.lost(&session),
        }
    }
}

impl Drop for CheckedOut {
    fn drop(&mut self) {
        self.settle();
        let (Some(mut session), Ok(runtime)) = (self.session.take(), Handle::try_current()) else { return };
        let recovering = Self { pool: Arc::clone(&self.pool), session: None, permit: self.permit.take() };
        runtime.spawn(async move {
            let mut recovering = recovering;
            // The session records the outcome. One that is still in its transaction is of no use.
            let _ = session.recover().await;
            recovering.session = Some(session).filter(|session| !session.is_in_transaction());
        });
    }
}

/// One session for several statements that read, so that the same server answers them all.
pub(in crate::store) struct Reading(pub(super) CheckedOut);

impl Reading {
    /// The session through which the statements are sent.
    pub(in crate::store) fn connection(&mut self) -> &mut Session {
        self.0.session()
    }
}

/// Several statements that take effect together or not at all. Dropping it before
/// [`Transaction::commit`] rolls them back.
pub(in crate::store) struct Transaction(pub(super) CheckedOut);

impl Transaction {
    /// The session through which the statements are sent.
    pub(in crate::store) fn connection(&mut self) -> &mut Session {
        self.0.session()
    }

    /// Commits the transaction.
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let committed = self.0.session().commit().await;
        self.0.end(committed)
    }
}
