//! Congestion control: one that paces by timers (BBR) costs the sender more on loopback than the bytes do.

use std::fs;

const DEFAULT: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
/// Those that send when they may and wait for no timer.
const WITHOUT_PACING: [&str; 2] = ["cubic", "reno"];

/// What the client's sockets should use where the system's default paces; `None` where it does not.
pub fn without_pacing() -> Option<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    choose(read(DEFAULT).trim(), &read(AVAILABLE))
}

/// What must be known about the brokers' sockets, which the drive cannot choose for.
pub(super) fn warning() -> Option<String> {
    let default = fs::read_to_string(DEFAULT).unwrap_or_default();
    let default = default.trim();
    paces(default).then(|| {
        format!(
            "this system's default congestion control is {default}, which paces by timers: a broker that does not \
             choose its own pays for that, most of all on loopback"
        )
    })
}

fn paces(name: &str) -> bool {
    name.starts_with("bbr")
}

fn choose(default: &str, available: &str) -> Option<String> {
    if !paces(default) {
        return None;
    }
    let mut known = available.split_whitespace();
    known.find(|name| WITHOUT_PACING.contains(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_default_that_paces_is_replaced_and_only_by_what_there_is() {
        assert_eq!(choose("cubic", "reno cubic bbr"), None);
        assert_eq!(choose("bbr", "bbr reno"), Some("reno".to_owned()));
        assert_eq!(choose("bbr2", "bbr2"), None);
    }
}
