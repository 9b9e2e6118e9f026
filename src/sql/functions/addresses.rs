//! IP addresses, of both versions. `sourceIPAddress` may as well hold a service's name: then NULL.

use std::net::IpAddr;

use datafusion::common::Result;
use ipnet::IpNet;

use super::doc;
use super::scalar::{Args, Definition, Gives, Takes};
use arrow::array::ArrayRef;

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        doc: doc(
            "ip_in_cidr",
            "address, network",
            "whether the address lies in the network, for example 198.51.100.0/24; NULL for what is no address",
            "ip_in_cidr('198.51.100.23', '198.51.100.0/24')",
            "true",
        ),
        takes: &[Takes::Text, Takes::Text],
        required: 2,
        gives: Gives::Bool,
        run: in_network,
    },
    Definition {
        doc: doc(
            "ip_is_private",
            "address",
            "whether the address is one that the internet does not carry: private, unique local, shared, link local or loopback; NULL for what is no address",
            "ip_is_private('fd00::17')",
            "true",
        ),
        takes: &[Takes::Text],
        required: 1,
        gives: Gives::Bool,
        run: is_private,
    },
];

/// `::ffff:192.0.2.1` is 192.0.2.1.
fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| Some(address(text)?.into()))
}

fn in_network(args: &Args) -> Result<ArrayRef> {
    args.bools(|row| {
        let (Some(ip), Some(cidr)) = (args.text(0, row), args.text(1, row)) else {
            return Ok(None);
        };
        let Some(network) = network(cidr) else {
            return args.unreadable(1, cidr, "network (write 198.51.100.0/24)");
        };
        Ok(address(ip).map(|ip| network.contains(&ip)))
    })
}

fn is_private(args: &Args) -> Result<ArrayRef> {
    args.bools(|row| Ok(args.text(0, row).and_then(address).map(|ip| private(&ip))))
}

/// Sources: RFC 1918, RFC 6598 (shared, 100.64.0.0/10), RFC 3927, RFC 4193, RFC 4291.
fn private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}
