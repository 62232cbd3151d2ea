//! The request that is being served, for work on it in another task of the runtime.

use tracing::{Instrument as _, Span};

use super::{REQUEST, RequestContext};

/// What problems and log lines say of a request. Work in another task of the runtime does not know
/// its request by itself.
#[derive(Clone, Debug)]
pub struct Carried {
    request: Option<RequestContext>,
    span: Span,
}

impl Carried {
    /// The request that is being served.
    pub fn current() -> Self {
        Self { request: REQUEST.try_with(Clone::clone).ok(), span: Span::current() }
    }

    /// Awaits `work` as a part of the request.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let work = work.instrument(self.span.clone());
        match &self.request {
            Some(request) => REQUEST.scope(request.clone(), work).await,
            None => work.await,
        }
    }
}
