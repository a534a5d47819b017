//! How many connections there are, in all and from each peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections against two caps.
#[derive(Clone)]
pub(super) struct Peers {
    most: usize,
    most_per_peer: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// A connection's place under the caps; given back when dropped.
pub(super) struct Place {
    peer: IpAddr,
    peers: Peers,
}

impl Peers {
    pub(super) fn new(most: usize, most_per_peer: usize) -> Self {
        Self { most, most_per_peer, open: Arc::default() }
    }

    /// A place for a connection from this address; `None` if a cap is reached.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let peer = same_peer(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let from_peer = open.by_peer.get(&peer).copied().unwrap_or(0);
        if open.total >= self.most || from_peer >= self.most_per_peer {
            return None;
        }
        open.total += 1;
        open.by_peer.insert(peer, from_peer + 1);
        Some(Place { peer, peers: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

/// One subscriber usually has a whole IPv6 /64; an IPv4 address may come in IPv6 clothes.
fn same_peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_in_all_and_by_peer_and_places_come_back() {
        let peers = Peers::new(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = peers.place(ip("192.0.2.1")).expect("free");
        let _second = peers.place(ip("::ffff:192.0.2.1")).expect("free");
        assert!(peers.place(ip("192.0.2.1")).is_none(), "over the peer's cap");
        let third = peers.place(ip("2001:db8::1")).expect("free");
        assert!(peers.place(ip("192.0.2.9")).is_none(), "over the cap in all");
        drop(first);
        let _again = peers.place(ip("192.0.2.1")).expect("given back");
        drop(third);
        assert_eq!(peers.open.lock().expect("not poisoned").by_peer.len(), 1, "no trace of peers that left");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let peers = Peers::new(10, 1);
        let _place = peers.place("2001:db8::1".parse().expect("an address")).expect("free");
        assert!(peers.place("2001:db8::ffff".parse().expect("an address")).is_none());
        assert!(peers.place("2001:db8:0:1::1".parse().expect("an address")).is_some());
    }
}
