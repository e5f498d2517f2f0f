//! Free ports on the loopback interface, chosen so that they stay usable while an engine is down.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context;

/// Below the ports that systems hand to outgoing connections. A client that reconnects to a stopped
/// engine could otherwise be given the engine's own port, connect to itself, and keep it taken.
const PORTS: Range<u16> = 20_000..30_000;

/// How long a port must be taken before it counts as another program's.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many different ports that nobody listens on, searched from a random place so that two that
/// search at the same time hardly meet.
pub(super) fn free(count: usize, seed: u64) -> anyhow::Result<Vec<u16>> {
    choose(count, seed, is_free).context("no free ports on the loopback interface")
}

fn choose(count: usize, seed: u64, is_free: impl Fn(u16) -> bool) -> Option<Vec<u16>> {
    let width = u64::from(PORTS.end - PORTS.start);
    let mut chosen = BTreeSet::new();
    for step in 0..width {
        if chosen.len() == count {
            break;
        }
        let offset = u16::try_from((seed % width + step) % width).ok()?;
        let port = PORTS.start + offset;
        if is_free(port) {
            chosen.insert(port);
        }
    }
    (chosen.len() == count).then(|| chosen.into_iter().collect())
}

/// Whether another program keeps it. One look is not enough: a process that is just being born holds
/// what we had open at that moment, among it the ports that another thread was trying.
pub(super) fn is_kept(port: u16) -> bool {
    let begun = Instant::now();
    while !is_free(port) {
        if begun.elapsed() > PATIENCE {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    false
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_free_and_below_those_of_outgoing_connections() {
        let ports = choose(3, 17, |port| port % 2 == 0).unwrap();
        assert_eq!(ports, [20_018, 20_020, 20_022]);
        const { assert!(PORTS.end < 32_768) };
    }

    #[test]
    fn the_search_for_ports_goes_round_and_ends() {
        assert_eq!(choose(2, 9_999, |_| true).unwrap(), [20_000, 29_999]);
        assert_eq!(choose(1, 5, |_| false), None);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(is_kept(listener.local_addr().unwrap().port()));
        assert_eq!(free(3, 7).unwrap().len(), 3);
    }
}
