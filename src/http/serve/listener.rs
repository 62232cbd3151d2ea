//! The listening socket. Its queue holds clients that have connected and are not accepted yet: after a restart or a
//! lost balancer they all come at once, and whoever finds the queue full waits a second or more for the kernel's
//! next try.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Clients that may wait to be accepted. The system may allow fewer.
pub const BACKLOG: u32 = 4096;

/// Where Linux keeps the most that it allows.
const SYSTEM_LIMIT: &str = "/proc/sys/net/core/somaxconn";

/// Listens on an address, with a queue of [`BACKLOG`].
///
/// # Errors
///
/// When the address is taken, is not one of this machine, or its port needs rights.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The queue that the system allows where that is less than [`BACKLOG`]; `None` also where it cannot be told.
pub fn shorter_queue() -> Option<u32> {
    let allowed = std::fs::read_to_string(SYSTEM_LIMIT).ok()?.trim().parse().ok()?;
    (allowed < BACKLOG).then_some(allowed)
}
