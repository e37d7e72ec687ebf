//! Descriptors: one for each connection, each segment that is open, each segment that an unsent answer refers to.
//!
//! The broker raises the soft limit to the hard one when it starts, so the hard one is what counts. How many of that it
//! leaves to connections is its own to reckon ([`Plan::connections_with`]).

use rustix::process::Resource;

use super::whose::{self, Limit, Name};
use crate::Plan;
use crate::finding::Finding;

/// Fewer, and a handful of clients or partitions is refused.
const BROKEN_BELOW: u64 = 1024;
/// Fewer are used up by some thousands of clients or partitions.
const BETTER_FROM: u64 = 65_536;

const RAISE: &str = "raise the hard limit: LimitNOFILE=1048576 of the systemd unit, --ulimit nofile=1048576 of the \
                     container, or for a shell its session's (/etc/security/limits.conf)";

const NAME: Name = Name { resource: Resource::Nofile, line: "Max open files" };

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    limit: Limit,
    /// Whose it is.
    whose: String,
    /// Connections that there is room for, if the broker's reckoning is there and the limit is one.
    connections: Option<u64>,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let (limit, whose) = whose::limit(NAME, &plan.data_dir);
    let connections = plan.connections_with.zip(limit.hard).map(|(with, hard)| with(hard, plan.open_files));
    vec![judge(&Facts { limit, whose, connections })]
}

fn judge(facts: &Facts) -> Finding {
    let words = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    let mut found = format!(
        "soft limit {}, hard limit {} ({}): the broker raises the soft one to the hard one",
        words(facts.limit.soft),
        words(facts.limit.hard),
        facts.whose
    );
    let Some(hard) = facts.limit.hard else { return Finding::ok("descriptors", found) };
    if let Some(connections) = facts.connections {
        found = format!("{found}, which leaves room for {connections} connections");
    }
    match hard {
        ..BROKEN_BELOW => Finding::broken("descriptors", found, RAISE),
        BROKEN_BELOW..BETTER_FROM => Finding::better("descriptors", found, RAISE),
        _ => Finding::ok("descriptors", found),
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getrlimit;

    use super::*;
    use crate::State;

    fn state(hard: Option<u64>) -> State {
        let limit = Limit { soft: Some(256), hard };
        judge(&Facts { limit, whose: "of this shell".to_owned(), connections: None }).state
    }

    #[test]
    fn the_hard_limit_counts_because_the_broker_raises_the_soft_one() {
        assert_eq!(state(Some(256)), State::Broken);
        assert_eq!(state(Some(20_000)), State::CouldBeBetter);
        assert_eq!((state(Some(1 << 20)), state(None)), (State::Ok, State::Ok));
    }

    #[test]
    fn the_brokers_own_reckoning_is_told_and_none_where_there_is_none() {
        let with =
            |connections_with| look(&Plan { connections_with, open_files: 7, ..Plan::default() }).remove(0);
        if getrlimit(Resource::Nofile).maximum.is_some() {
            assert!(with(Some(|_, open_files| open_files + 1)).found.contains("room for 8 connections"));
        }
        assert!(!with(None).found.contains("connections"));
    }
}
