//! Why an attempt got no answer.

use std::io;

use super::Refused;

/// Why there was no answer. The text is for the endpoint's owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The URL may not be called (any more), or its name does not resolve. No connection was
    /// attempted.
    #[error(transparent)]
    Address(#[from] Refused),
    /// No connection within its time limit, which covers name resolution, TCP and TLS.
    #[error("no connection was made within 3 seconds")]
    ConnectTimedOut,
    /// Nothing listens there.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// No connection for another reason, such as no route.
    #[error("the address could not be reached")]
    Unreachable,
    /// A connection without trust. The text is the error of rustls.
    #[error("TLS: {0}")]
    Tls(String),
    /// No answer within the limit of the whole attempt.
    #[error("no answer came within 15 seconds")]
    TimedOut,
    /// The connection ended before an answer: the receiver closed it, or more than 128 KiB came.
    #[error("the connection ended before an answer")]
    Closed,
    /// What came is not HTTP, or its head is too large.
    #[error("the answer is not HTTP/1.1, or its header is too large")]
    NotHttp,
}

impl Failure {
    /// A stable code for it.
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

    pub(super) fn of_connect(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused { Self::ConnectionRefused } else { Self::Unreachable }
    }

    /// Converts a failed handshake. The error of rustls is inside.
    pub(super) fn of_tls(error: &io::Error) -> Self {
        let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Tls(found.map_or_else(|| "the connection ended before it was secured".to_owned(), ToString::to_string))
    }

    pub(super) fn of_exchange(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::NotHttp } else { Self::Closed }
    }
}
