//! What the addresses are that an endpoint may be at, whether a name resolves to them or they are written themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is to a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody's.
    Public,
    /// Of this machine or this network: only where the operator says `private`.
    Private,
    /// Of this link, where clouds keep credentials: only where the operator writes the address itself, and says `private`.
    LinkLocal,
    /// Of no host: unspecified, multicast, reserved. Never.
    Nobody,
}

/// What to do about a private address.
pub(crate) const PRIVATE: &str = "private: set `private = true` for the endpoint if it is meant";
/// What to do about a link-local address.
pub(crate) const LINK_LOCAL: &str =
    "link-local: write the address itself, plainly, with `private = true` if it is meant";
/// Why an address cannot be used.
pub(crate) const NOBODY: &str = "of no host";

/// Says what an address is. Ranges are those of the IANA special-purpose registries (RFC 6890 and later).
pub(crate) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| reach_v6(address), reach_v4),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (169, 254, _) => Reach::LinkLocal,
        // This network, multicast, reserved and broadcast.
        (0 | 224..=255, ..) => Reach::Nobody,
        // Loopback, private, shared with the provider, protocol assignments, benchmarks.
        (10 | 127, ..)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (100, 64..=127, _)
        | (192, 0, 0)
        | (198, 18 | 19, _) => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let first = address.segments()[0];
    if address.is_loopback() || first & 0xfe00 == 0xfc00 {
        return Reach::Private;
    }
    if first & 0xffc0 == 0xfe80 {
        return Reach::LinkLocal;
    }
    // Global unicast is 2000::/3. What lies elsewhere is site-local, multicast or nobody's.
    if first & 0xe000 == 0x2000 { Reach::Public } else { Reach::Nobody }
}

/// The address of version 4 that is reached through one of version 6: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    // These two are loopback and nobody, not addresses of version 4.
    if address.is_loopback() || address.is_unspecified() {
        return None;
    }
    let ([0, 0, 0, 0, 0, 0 | 0xffff, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0x2002, high, low, ..]) = address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_what_it_is() {
        let cases = [
            ("192.0.2.7", Reach::Public),
            ("8.8.8.8", Reach::Public),
            ("2606:4700::1", Reach::Public),
            ("172.15.0.1", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("127.0.0.53", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("::1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("64:ff9b::7f00:1", Reach::Private),
            ("2002:c0a8:0101::1", Reach::Private),
            ("169.254.169.254", Reach::LinkLocal),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Reach::LinkLocal),
            ("::a9fe:a9fe", Reach::LinkLocal),
            ("fe80::1", Reach::LinkLocal),
            ("febf::1", Reach::LinkLocal),
            ("fec0::1", Reach::Nobody),
            ("ff02::1", Reach::Nobody),
            ("0.0.0.0", Reach::Nobody),
            ("::", Reach::Nobody),
            ("255.255.255.255", Reach::Nobody),
            ("224.0.0.1", Reach::Nobody),
        ];
        for (text, expected) in cases {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }
}
