//! People who watch tasks while others are decided: pages that are open and live, and the votes that
//! give them news.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::Options;
use crate::client::{Clients, Kind};
use crate::service::Service;
use crate::shared::Failure;
use crate::shared::pages::Pages;

/// Pages, and a client of their own that votes on their tasks in turn.
#[derive(Debug)]
pub struct Audience {
    pages: Pages,
    voting: JoinSet<Result<(), Failure>>,
}

impl Audience {
    /// Opens the pages. They are about tasks of their own, or about those of the clients.
    pub async fn gather(service: &Service, clients: &Clients, options: &Options) -> Result<Self, Failure> {
        let mut voting = JoinSet::new();
        if options.pages == 0 || options.page_news == 0 {
            let pages = service.pages(clients, options.pages).await?;
            return Ok(Self { pages, voting });
        }
        let mut voter = service.clients(Kind::Vote, 1);
        service.open_tasks(&mut voter, options.pages).await?;
        let pages = service.pages(&voter, options.pages).await?;
        let pause = Duration::from_secs(options.page_news) / u32::try_from(options.pages)?;
        voting.spawn(async move { voter.decide_slowly(pause).await });
        Ok(Self { pages, voting })
    }

    /// How often a page has shown something new, in all; fails if a page no longer waits.
    pub fn shown(&mut self) -> Result<usize, Failure> {
        while let Some(ended) = self.voting.try_join_next() {
            ended??;
        }
        self.pages.shown()
    }
}
