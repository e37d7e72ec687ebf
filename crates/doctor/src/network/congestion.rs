//! TCP congestion control: BBR paces by timers, and each costs the sender about as much as 64 KiB of sending. To a
//! client on the same machine that is paid for nothing; the broker takes another one there if it may.

use std::io;

use crate::finding::Finding;
use crate::{Plan, read};

const CHECK: &str = "congestion control";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    current: String,
    available: String,
    /// What a process without privilege may choose.
    allowed: String,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen(CHECK, &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let file = |name: &str| read::text(format!("/proc/sys/net/ipv4/{name}"));
    Ok(Facts {
        current: file("tcp_congestion_control")?,
        // In a network namespace of its own only the first may be there.
        available: file("tcp_available_congestion_control").unwrap_or_default(),
        allowed: file("tcp_allowed_congestion_control").unwrap_or_default(),
    })
}

fn judge(facts: &Facts) -> Finding {
    let mut found = facts.current.clone();
    if !facts.available.is_empty() {
        found = format!("{found} (there are {}; anybody may choose {})", facts.available, facts.allowed);
    }
    if !facts.current.starts_with("bbr") {
        return Finding::ok(CHECK, found);
    }
    let unpaced = facts.allowed.split_whitespace().find(|name| matches!(*name, "cubic" | "reno"));
    let here = match unpaced {
        Some(name) => format!("clients on this machine get {name} from the broker"),
        None => {
            "clients on this machine get it too, since neither cubic nor reno is allowed to all: sysctl -w \
                 net.ipv4.tcp_allowed_congestion_control=\"reno cubic\" as well"
                .to_owned()
        }
    };
    let advice = format!(
        "bbr sends by timers, which costs CPU (64 KiB by sendfile: 30 µs instead of 12): {here}; over a network of your \
         own, pagewire.socket.congestion.control=cubic costs less; over the internet bbr may be worth it"
    );
    Finding::better(CHECK, found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn facts(current: &str, allowed: &str) -> Facts {
        Facts { current: current.to_owned(), available: "reno bbr".to_owned(), allowed: allowed.to_owned() }
    }

    #[test]
    fn pacing_could_be_better_and_what_the_broker_does_about_it_is_said() {
        assert_eq!(judge(&facts("cubic", "cubic")).state, State::Ok);
        let spared = judge(&facts("bbr", "bbr reno"));
        assert!(spared.state == State::CouldBeBetter && spared.advice.contains("get reno from the broker"));
        assert!(judge(&facts("bbr2", "bbr2")).advice.contains("tcp_allowed_congestion_control"));
    }
}
