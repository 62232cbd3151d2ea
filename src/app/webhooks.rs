//! Webhooks: endpoints, and the deliveries to them.

use std::sync::Arc;

use crate::webhook::address::Reach;

use self::attempt::Sender;
use self::deliveries::Deliveries;
use self::dispatch::Dispatch;
use self::endpoints::Endpoints;
use self::wire::Wire;
use super::base::Base;
use super::commits::Commits;
use super::feed::render::Renderer;

mod attempt;
pub mod deliveries;
pub mod dispatch;
pub mod endpoints;
pub mod overview;
pub mod wire;

/// How webhooks reach their receivers.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Which addresses they may reach.
    pub(super) reach: Reach,
    /// What stands in between, if anything does.
    pub(super) wire: Option<Arc<dyn Wire>>,
}

/// The webhooks.
#[derive(Debug)]
pub struct Webhooks {
    /// Endpoints, as their owners manage them.
    pub endpoints: Arc<Endpoints>,
    /// Deliveries, as their owners see them.
    pub deliveries: Deliveries,
    /// Sends what is due.
    pub dispatch: Dispatch,
}

impl Webhooks {
    pub(super) fn new(base: &Base, renderer: Arc<Renderer>, commits: &Arc<Commits>, way: Way) -> Self {
        let Way { reach, wire } = way;
        let sender = Arc::new(Sender::new(reach));
        let endpoints = Arc::new(Endpoints::new(base, Arc::clone(&sender), Arc::clone(commits)));
        Self {
            deliveries: Deliveries::new(base, Arc::clone(&endpoints), (Arc::clone(&renderer), Arc::clone(commits))),
            endpoints,
            dispatch: Dispatch::new(base, renderer, (sender, wire), Arc::clone(commits)),
        }
    }
}
