//! The default queueing discipline of interfaces.

use crate::finding::Finding;
use crate::{Plan, read};

const CHECK: &str = "queueing discipline";

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let congestion = read::text("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    vec![match read::text("/proc/sys/net/core/default_qdisc") {
        Ok(name) => judge(&name, &congestion),
        Err(error) => Finding::unseen(CHECK, &error),
    }]
}

fn judge(name: &str, congestion: &str) -> Finding {
    if congestion.starts_with("bbr") && name != "fq" {
        let advice = "bbr is paced more cheaply by the queue than by a timer of each socket: sysctl -w \
                      net.core.default_qdisc=fq, for interfaces that come up afterwards";
        return Finding::better(CHECK, format!("{name} by default, with {congestion}"), advice);
    }
    Finding::ok(CHECK, format!("{name} by default"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn pacing_wants_the_queue_that_paces() {
        assert_eq!(judge("pfifo_fast", "bbr").state, State::CouldBeBetter);
        assert_eq!(judge("fq", "bbr").state, State::Ok);
        assert_eq!(judge("pfifo_fast", "cubic").state, State::Ok);
    }
}
