//! Descriptors: one for each connection, each segment that is open, each segment that an unsent answer refers to.
//!
//! The broker raises the soft limit to the hard one when it starts, so the hard one is what counts. Of that it gives a
//! quarter to open segments and a quarter to answers; connections get the rest.

use rustix::process::Resource;

use super::whose::{self, Limit, Name};
use crate::Plan;
use crate::finding::Finding;

/// Fewer, and a handful of clients or partitions is refused.
const BROKEN_BELOW: u64 = 1024;
/// Fewer are used up by some thousands of clients or partitions.
const BETTER_FROM: u64 = 65_536;
/// What neither segments nor connections take.
const RESERVE: u64 = 128;
/// Segments kept open where the broker chooses.
const SEGMENTS: std::ops::RangeInclusive<u64> = 256..=65_536;

const RAISE: &str = "raise the hard limit: LimitNOFILE=1048576 of the systemd unit, --ulimit nofile=1048576 of the \
                     container, or for a shell its session's (/etc/security/limits.conf)";

const NAME: Name = Name { resource: Resource::Nofile, line: "Max open files" };

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    limit: Limit,
    /// Whose it is.
    whose: String,
    /// Segments kept open, if the settings say so.
    open_files: u64,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let (limit, whose) = whose::limit(NAME, &plan.data_dir);
    vec![judge(&Facts { limit, whose, open_files: plan.open_files })]
}

fn judge(facts: &Facts) -> Finding {
    let words = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    let found = format!(
        "soft limit {}, hard limit {} ({}): the broker raises the soft one to the hard one",
        words(facts.limit.soft),
        words(facts.limit.hard),
        facts.whose
    );
    let Some(hard) = facts.limit.hard else { return Finding::ok("descriptors", found) };
    let found = format!("{found}, which leaves room for {} connections", connections(hard, facts.open_files));
    match hard {
        ..BROKEN_BELOW => Finding::broken("descriptors", found, RAISE),
        BROKEN_BELOW..BETTER_FROM => Finding::better("descriptors", found, RAISE),
        _ => Finding::ok("descriptors", found),
    }
}

/// Connections that the broker takes with so many descriptors.
fn connections(hard: u64, open_files: u64) -> u64 {
    let segments =
        if open_files > 0 { open_files } else { (hard / 4).clamp(*SEGMENTS.start(), *SEGMENTS.end()) };
    hard.saturating_sub(segments.saturating_add(hard / 4).saturating_add(RESERVE)).max(hard / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn state(hard: Option<u64>) -> State {
        let limit = Limit { soft: Some(256), hard };
        judge(&Facts { limit, whose: "of this shell".to_owned(), open_files: 0 }).state
    }

    #[test]
    fn the_hard_limit_counts_because_the_broker_raises_the_soft_one() {
        assert_eq!(state(Some(256)), State::Broken);
        assert_eq!(state(Some(20_000)), State::CouldBeBetter);
        assert_eq!((state(Some(1 << 20)), state(None)), (State::Ok, State::Ok));
    }

    #[test]
    fn connections_get_what_segments_and_answers_leave_and_a_quarter_at_least() {
        assert_eq!(connections(20_000, 0), 20_000 - 5_000 - 5_000 - RESERVE);
        assert_eq!(connections(256, 0), 64);
        assert_eq!(connections(20_000, 1_000), 20_000 - 1_000 - 5_000 - RESERVE);
    }
}
