//! A session that listens for notifications: sqlx's listener, with a limit on every wait but the
//! one for notifications.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::runtime;
use tokio::time::timeout;

use super::{Limits, NoConnection, within};

/// A subscription to one channel. It never uses sqlx's own reconnecting, since the caller must
/// learn that notifications may have been missed.
#[derive(Debug)]
pub(in crate::store) struct Subscription {
    listener: Option<PgListener>,
    limits: Limits,
}

impl Subscription {
    /// Connects and listens to the channel that the statement names.
    pub(in crate::store) async fn open(
        options: PgConnectOptions,
        limits: Limits,
        channel: &'static str,
    ) -> Result<Self, sqlx::Error> {
        // sqlx's listener requires a pool.
        let one = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let one = one.acquire_timeout(limits.connect).connect_lazy_with(options);
        let connected = within(limits.connect, PgListener::connect_with(&one)).await;
        let mut listener = connected.map_err(NoConnection::because)?;
        listener.eager_reconnect(false);
        let mut subscription = Self { listener: Some(listener), limits };
        let channel: String =
            within(limits.answer, sqlx::query_scalar(channel).fetch_one(subscription.listener())).await?;
        within(limits.answer, subscription.listener().listen(&channel)).await?;
        Ok(subscription)
    }

    /// Waits for the next payload. Returns `None` after `silence` without one, once the server has
    /// answered a ping.
    pub(in crate::store) async fn next(&mut self, silence: Duration) -> Result<Option<String>, sqlx::Error> {
        if let Ok(received) = timeout(silence, Box::pin(self.listener().try_recv())).await {
            let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into());
            return Ok(Some(received?.ok_or_else(lost)?.payload().to_owned()));
        }
        let limit = self.limits.answer;
        within(limit, sqlx::query("select 1").execute(self.listener())).await?;
        Ok(None)
    }

    fn listener(&mut self) -> &mut PgListener {
        self.listener.as_mut().expect("it is there until this is dropped")
    }
}

impl Drop for Subscription {
    /// sqlx's listener spawns a task when it is dropped, which tells the server and waits for the
    /// answer without a limit. Drop it within a runtime that ends here, and the connection with it.
    fn drop(&mut self) {
        let listener = self.listener.take();
        if let Ok(runtime) = runtime::Builder::new_current_thread().build() {
            let handle = runtime.handle().clone();
            let _inside = handle.enter();
            drop(listener);
            runtime.shutdown_background();
        }
    }
}
