//! Memory: what the page cache can have is what sends records without a disk.

use std::io;

use super::cgroup;
use crate::finding::Finding;
use crate::{Plan, read, words};

/// Less leaves hardly a page cache beside the broker's own buffers.
const TOTAL_MIN: u64 = 1 << 30;
/// Less of it available, in hundredths, and cold reads evict each other.
const AVAILABLE_MIN_PERCENT: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    total: u64,
    available: u64,
    /// The tightest limit of the control group.
    limit: Option<u64>,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen("memory", &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let text = read::text("/proc/meminfo")?;
    let field = |key| read::kib_field(&text, key).ok_or(io::ErrorKind::InvalidData);
    let (total, available) = (field("MemTotal")?, field("MemAvailable")?);
    Ok(Facts { total, available, limit: cgroup::limits().memory_bytes })
}

fn judge(facts: &Facts) -> Finding {
    let limit = facts.limit.filter(|limit| *limit < facts.total);
    let usable = limit.unwrap_or(facts.total);
    let mut found = format!("{}, {} available", words::bytes(facts.total), words::bytes(facts.available));
    if let Some(limit) = limit {
        found = format!("{found}; the control group may use {}", words::bytes(limit));
    }
    if usable < TOTAL_MIN {
        let advice = "give it 1 GiB or more: what the page cache cannot hold is read from the disk each time; in \
                      a container the page cache counts against its limit";
        return Finding::better("memory", found, advice);
    }
    if words::percent(facts.available, facts.total) < AVAILABLE_MIN_PERCENT {
        let advice = "other processes leave little for the page cache (ps aux --sort=-rss | head): move them, or \
                      expect reads from the disk";
        return Finding::better("memory", found, advice);
    }
    Finding::ok("memory", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    const ROOMY: Facts = Facts { total: 8 << 30, available: 6 << 30, limit: None };

    #[test]
    fn little_memory_could_be_better_whoever_limits_it() {
        assert_eq!(judge(&ROOMY).state, State::Ok);
        assert_eq!(judge(&Facts { total: 1 << 29, ..ROOMY }).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { limit: Some(1 << 29), ..ROOMY }).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { available: 1 << 28, ..ROOMY }).state, State::CouldBeBetter);
    }

    #[test]
    fn a_limit_above_what_there_is_limits_nothing() {
        let finding = judge(&Facts { limit: Some(1 << 40), ..ROOMY });
        assert!(finding.state == State::Ok && !finding.found.contains("control group"), "{finding:?}");
    }
}
