//! `stagegate dev`: the service for people who build against it, with a clock that they move.
//!
//! Everything runs as in production, except for three things. The clock runs ahead of the machine's
//! ([`crate::clock`]), and [`player`] moves it: from one due instant to the next, so that each
//! timer, each retry of a webhook and each scripted reviewer acts at its own time. `scripts` are
//! reviewers who decide by themselves, through the ordinary commands. [`faults`] disturb webhooks on
//! their way.
//!
//! This is an entry point beside [`crate::http`] and [`crate::worker`]. [`routes`] are mounted beside
//! the API, for the platform's key, and are not in its contract. [`check`] needs no service: it plays
//! stories at an endpoint for webhooks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::worker::deliveries::Deliveries;

use self::faults::FaultyWire;
use self::folder::Folder;
use self::player::Player;
use self::scripts::Scripts;

pub mod check;
pub mod faults;
pub mod folder;
pub mod player;
pub mod ran;
mod reviewers;
pub mod routes;
mod scripts;
pub mod welcome;

/// How long one move of the clock may take. What is not done then is done by the next one.
pub const LIMIT: Duration = Duration::from_secs(45);

/// What a development service has beside the service itself. One per process.
#[derive(Debug)]
pub struct Dev {
    /// Moves the clock, and does what is due.
    pub player: Player,
    scripts: Arc<Mutex<Scripts>>,
    wire: Arc<FaultyWire>,
}

impl Dev {
    /// `wire` must be the app's. `deliveries` sends the webhooks; `None` if they are turned off.
    /// `folder` keeps where the clock is; `None` forgets it.
    pub fn new(
        app: Arc<App>,
        wire: Arc<FaultyWire>,
        deliveries: Option<Arc<Deliveries>>,
        (folder, limit): (Option<Arc<Folder>>, Duration),
    ) -> Arc<Self> {
        let scripts = Arc::<Mutex<Scripts>>::default();
        let player = Player::new(app, (Arc::clone(&scripts), Arc::clone(&wire)), deliveries, (folder, limit));
        Arc::new(Self { player, scripts, wire })
    }

    fn scripts(&self) -> std::sync::MutexGuard<'_, Scripts> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
