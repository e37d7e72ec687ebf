//! What TCP may keep in memory: of one socket (`tcp_wmem`, `tcp_rmem`), and of all (`tcp_mem`, in pages).

use std::io;

use crate::finding::Finding;
use crate::{Plan, read, words};

const CHECK: &str = "TCP memory";
/// Less in flight slows a connection whose answers take long: 1 MiB per 10 ms is 100 MB/s.
const SOCKET_MIN: u64 = 1 << 20;
/// Less for all sockets is used up by some tens of clients that read slowly.
const ALL_MIN: u64 = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    /// Most bytes that one socket may have unsent or unacknowledged, and unread.
    sends: u64,
    receives: u64,
    /// Bytes of all sockets together, from which on the kernel refuses.
    all: u64,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen(CHECK, &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let last = |name: &str| -> io::Result<u64> {
        let numbers = read::numbers(format!("/proc/sys/net/ipv4/{name}"))?;
        Ok(numbers.last().copied().ok_or(io::ErrorKind::InvalidData)?)
    };
    let page = rustix::param::page_size() as u64;
    // In a network namespace of its own `tcp_mem` may be hidden; then nothing is known to be short.
    let all = last("tcp_mem").map_or(u64::MAX, |pages| pages.saturating_mul(page));
    Ok(Facts { sends: last("tcp_wmem")?, receives: last("tcp_rmem")?, all })
}

fn judge(facts: &Facts) -> Finding {
    let all = if facts.all == u64::MAX { "not told".to_owned() } else { words::bytes(facts.all) };
    let found = format!(
        "one socket sends up to {} and receives up to {} ahead; all sockets together: {all}",
        words::bytes(facts.sends),
        words::bytes(facts.receives)
    );
    if facts.sends < SOCKET_MIN || facts.receives < SOCKET_MIN {
        let advice = "little may be under way, which makes distant clients slow: sysctl -w \
                      net.ipv4.tcp_wmem=\"4096 16384 4194304\" net.ipv4.tcp_rmem=\"4096 131072 6291456\"";
        return Finding::better(CHECK, found, advice);
    }
    if facts.all < ALL_MIN {
        let advice =
            "some tens of clients that read slowly use it up: sysctl -w net.ipv4.tcp_mem, or more memory";
        return Finding::better(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const ROOMY: Facts = Facts { sends: 4 << 20, receives: 6 << 20, all: 1 << 30 };

    #[test]
    fn small_bounds_could_be_better() {
        assert_eq!(judge(&ROOMY).state, State::Ok);
        assert_eq!(judge(&Facts { sends: 212_992, ..ROOMY }).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { receives: 212_992, ..ROOMY }).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { all: 1 << 20, ..ROOMY }).state, State::CouldBeBetter);
    }

    #[test]
    fn what_is_not_told_is_not_held_against_the_machine() {
        assert_eq!(judge(&Facts { all: u64::MAX, ..ROOMY }).state, State::Ok);
    }
}
