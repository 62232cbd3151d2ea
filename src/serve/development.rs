//! What `stagegate dev` adds to the start of the service.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use stagegate::app::App;
use stagegate::clock::Clock;
use stagegate::config::Dev as Settings;
use stagegate::dev::faults::FaultyWire;
use stagegate::dev::folder::Folder;
use stagegate::dev::welcome::Welcome;
use stagegate::dev::{Dev, LIMIT};
use stagegate::trial::Credentials;
use stagegate::worker::deliveries::Deliveries;

use crate::{Failure, Opened};

/// Name of its database in the private Postgres.
pub const DATABASE: &str = "stagegate_dev";

/// A development service that is about to start.
pub struct Development {
    /// The service's clock.
    pub clock: Clock,
    /// What its webhooks go through.
    pub wire: Arc<FaultyWire>,
    folder: Arc<Folder>,
    open: bool,
    fresh: bool,
}

impl Development {
    /// Checks the settings, and takes the folder for this process.
    pub fn prepare(settings: &Settings) -> Result<Self, Failure> {
        settings.check()?;
        let folder = Arc::new(Folder::open(&settings.serve.database.data_dir())?);
        let (open, fresh) = (settings.open, settings.fresh);
        let ahead = if fresh { 0 } else { folder.load().ahead };
        let clock = Clock::movable(TimeDelta::microseconds(ahead));
        Ok(Self { wire: FaultyWire::new(clock.clone()), clock, folder, open, fresh })
    }

    /// Where its credentials are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Empties the database, if that is wanted.
    pub async fn empty(&self, opened: &Opened) -> Result<(), Failure> {
        if let Some(postgres) = opened.postgres.as_ref().filter(|_| self.fresh) {
            postgres.empty_database(DATABASE).await?;
            self.folder.forget()?;
        }
        Ok(())
    }

    /// What moves the clock of this app.
    pub fn player(&self, app: &Arc<App>, deliveries: Option<Arc<Deliveries>>) -> Arc<Dev> {
        let folder = Some(Arc::clone(&self.folder));
        Dev::new(Arc::clone(app), Arc::clone(&self.wire), deliveries, (folder, LIMIT))
    }

    /// Prints links to its pages, and opens them if that is wanted. The service must be answering at
    /// `url`.
    pub async fn welcome(&self, credentials: &Credentials, url: &str) -> Result<(), Failure> {
        let welcome = Welcome::prepare(url, credentials, self.folder.load().task).await?;
        self.folder.save_task(welcome.task())?;
        welcome.print(&mut std::io::stdout(), (url, self.folder()), credentials)?;
        if self.open {
            welcome.open();
        }
        Ok(())
    }
}
