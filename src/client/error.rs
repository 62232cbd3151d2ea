//! Why a call has no result.

use super::Problem;

/// The largest answer that is read, in bytes. The largest of the service is a simulation of 4 MiB, besides
/// trails and exports, which are read by page.
pub(super) const MAX_ANSWER: usize = 16 << 20;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL of the service.
    #[error("`{0}` is not the address of a service: it must be an http or https URL without query and fragment")]
    Url(String),
    /// The credential has characters that no header can hold.
    #[error("the credential has characters that no credential has")]
    Token,
    /// What was to be sent: a JSON pointer, and what is wrong there.
    #[error("{0}: {1}")]
    Body(&'static str, &'static str),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No service responds, or the connection broke off. The request may have had its effect.
    #[error("no service answers at {url}")]
    NoAnswer {
        /// The service's URL.
        url: String,
        /// The HTTP client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is larger than any of the contract.
    #[error("the answer to {asked} is larger than {} MiB", MAX_ANSWER >> 20)]
    TooLarge {
        /// Method and path.
        asked: String,
    },
    /// The answer is not what the contract says.
    #[error("the answer to {asked} is not that of this service")]
    Answer {
        /// Method and path.
        asked: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The service refused.
    #[error("{problem}")]
    Problem {
        /// The problem.
        problem: Box<Problem>,
        /// The header `Retry-After`.
        retry_after: Option<String>,
    },
}

impl Error {
    /// The problem, if the service refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            Self::Url(_)
            | Self::Token
            | Self::Body(..)
            | Self::Client(_)
            | Self::NoAnswer { .. }
            | Self::TooLarge { .. }
            | Self::Answer { .. } => None,
        }
    }

    /// Whether the request may have had its effect although there is no answer to it. Sending a
    /// command again with the same id is safe.
    pub fn may_have_had_effect(&self) -> bool {
        match self {
            Self::NoAnswer { source, .. } => !source.is_connect() && !source.is_builder(),
            Self::TooLarge { .. } | Self::Answer { .. } => true,
            Self::Problem { problem, .. } => problem.status >= 500,
            Self::Url(_) | Self::Token | Self::Body(..) | Self::Client(_) => false,
        }
    }
}
