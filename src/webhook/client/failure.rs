//! Why an attempt got no answer.

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
    /// The connection ended before an answer, by the receiver or because more than 128 KiB came of what is none.
    #[error("the connection ended before an answer")]
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

    pub(super) fn of_connect(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused { Self::ConnectionRefused } else { Self::Unreachable }
    }

    /// Of a handshake: what rustls found is inside.
    pub(super) fn of_tls(error: &io::Error) -> Self {
        let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Tls(found.map_or_else(|| "the connection ended before it was secured".to_owned(), ToString::to_string))
    }

    pub(super) fn of_exchange(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::NotHttp } else { Self::Closed }
    }
}
