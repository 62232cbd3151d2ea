//! Why an attempt got no answer, read from the errors of the client below, which nest them in each other.

use std::error::Error;
use std::io;

use super::Refused;

/// Why there was no answer. The text is for the owner of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The URL may not be called, or not any more; or its name does not resolve. Nothing was connected to.
    #[error(transparent)]
    Address(#[from] Refused),
    /// No connection within its time, which holds for the name, TCP and TLS together.
    #[error("no connection was made within 3 seconds")]
    ConnectTimedOut,
    /// Nobody listens there.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// No connection for another reason, such as no route.
    #[error("the address could not be reached")]
    Unreachable,
    /// A connection, but no trust: what rustls says of it.
    #[error("TLS: {0}")]
    Tls(String),
    /// No answer in the time for the whole attempt.
    #[error("no answer came within 15 seconds")]
    TimedOut,
    /// The connection ended before an answer.
    #[error("the connection was closed before an answer")]
    Closed,
    /// Something came that is no answer, or one whose head is too large.
    #[error("the answer is not HTTP/1.1, or its header is too large")]
    NotHttp,
}

impl Failure {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(refused) => refused.code(),
            Self::ConnectTimedOut => "connect_timed_out",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::Tls(_) => "tls",
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
            Self::NotHttp => "not_http",
        }
    }

    pub(super) fn of(error: &reqwest::Error) -> Self {
        if let Some(refused) = find::<Refused>(error) {
            return Self::Address(refused.clone());
        }
        if let Some(distrust) = find::<rustls::Error>(error) {
            return Self::Tls(distrust.to_string());
        }
        if error.is_connect() {
            let refused = find::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
            return match (error.is_timeout(), refused) {
                (true, _) => Self::ConnectTimedOut,
                (false, true) => Self::ConnectionRefused,
                (false, false) => Self::Unreachable,
            };
        }
        if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) { Self::NotHttp } else { Self::Closed }
    }
}

/// The first error of this type among the causes. An `io::Error` made from another error hides it from `source`.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}
