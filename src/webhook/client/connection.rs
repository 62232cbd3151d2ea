//! Connections to addresses that were checked: TCP, a limit on what is read, and TLS if the URL
//! requires it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::Failure;

/// The most bytes read over one connection, including TLS. An answer needs far less, and without
/// the limit endless interim answers would use processor time for as long as they arrive.
const MOST_READ: u64 = 128 * 1024;
/// The most addresses of a name that are tried.
const TRIES: usize = 4;

/// The stream under HTTP.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the first of the addresses that answers.
pub(super) async fn open(
    url: &Url,
    addresses: &[IpAddr],
    tls: &TlsConnector,
    time: Duration,
) -> Result<Box<dyn Stream>, Failure> {
    let (reader, writer) = reach(url, addresses, time).await?.into_split();
    let stream = join(reader.take(MOST_READ), writer);
    if url.scheme() == "http" {
        return Ok(Box::new(stream));
    }
    let name = server_name(url).ok_or_else(|| Failure::Tls("no certificate can have this name".to_owned()))?;
    let secured = tls.connect(name, stream).await.map_err(|error| Failure::of_tls(&error))?;
    Ok(Box::new(secured))
}

/// Shares the time equally, so that one address that does not answer leaves some for the next.
async fn reach(url: &Url, addresses: &[IpAddr], time: Duration) -> Result<TcpStream, Failure> {
    let port = url.port_or_known_default().unwrap_or_default();
    let tried = &addresses[..addresses.len().min(TRIES)];
    let share = time / u32::try_from(tried.len()).unwrap_or(1).max(1);
    let mut failure = Failure::Unreachable;
    for address in tried {
        failure = match timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => Failure::of_connect(&error),
            Err(_) => Failure::ConnectTimedOut,
        };
    }
    Err(failure)
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(IpAddr::V4(address).into()),
        Host::Ipv6(address) => Some(IpAddr::V6(address).into()),
    }
}
