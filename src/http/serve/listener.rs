//! The listening socket with its accept queue. After a restart or the failure of a load balancer
//! many clients connect at once. A client that finds the queue full waits a second or more for the
//! kernel to retry.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Length of the accept queue. The system may allow fewer.
pub const BACKLOG: u32 = 4096;

/// File with the system's limit for accept queues (Linux).
const SYSTEM_LIMIT: &str = "/proc/sys/net/core/somaxconn";

/// Listens on `address` with an accept queue of [`BACKLOG`].
///
/// # Errors
///
/// When the address is in use or not local, or its port needs privileges.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns the system's limit if it is lower than [`BACKLOG`]; `None` also if the limit is unknown.
pub fn shorter_queue() -> Option<u32> {
    let allowed = std::fs::read_to_string(SYSTEM_LIMIT).ok()?.trim().parse().ok()?;
    (allowed < BACKLOG).then_some(allowed)
}
