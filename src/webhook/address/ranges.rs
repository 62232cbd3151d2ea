//! Which addresses are public: all of IPv4 except the ranges listed here, and of IPv6 only the
//! global unicast range (`2000::/3`), unless the address leads back into IPv4.
//!
//! Source: IANA's registries of special-purpose addresses, RFC 6890 and its successors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Network, prefix length, description.
const V4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    // A public number, but answered by the host of Azure's virtual machines.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "reserved by the cloud"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private network"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    // Includes broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Exceptions within `2000::/3`.
const V6: [(Ipv6Addr, u32, &str); 4] = [
    // Teredo, ORCHID, benchmarking and others.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// The range that the address belongs to if it is not public.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let shared = |network: Ipv4Addr| (network.to_bits() ^ address.to_bits()).leading_zeros();
    V4.into_iter().find(|(network, length, _)| shared(*network) >= *length).map(|(.., range)| range)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // The well-known prefix of NAT64 (RFC 6052), by which a network without IPv4 reaches public
        // IPv4 addresses. The embedded IPv4 address decides.
        let [.., a, b, c, d] = address.octets();
        return not_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    if segments[0] & 0xe000 != 0x2000 {
        return Some(outside_of_global_unicast(address));
    }
    // ISATAP (RFC 5214): an IPv4 address in the lower half.
    if matches!(segments[4..6], [0 | 0x200, 0x5efe]) {
        return Some("ISATAP");
    }
    let shared = |network: Ipv6Addr| (network.to_bits() ^ address.to_bits()).leading_zeros();
    V6.into_iter().find(|(network, length, _)| shared(*network) >= *length).map(|(.., range)| range)
}

/// Describes an address outside of global unicast, all of which are refused.
fn outside_of_global_unicast(address: Ipv6Addr) -> &'static str {
    if address.is_loopback() {
        "loopback"
    } else if address.is_unique_local() {
        "private network"
    } else if address.is_unicast_link_local() {
        "link-local"
    } else if address.is_multicast() {
        "multicast"
    } else if address.to_ipv4().is_some() {
        "IPv4 written as IPv6"
    } else {
        "reserved"
    }
}
