//! Memory: what the page cache can have is what sends records without a disk. Under a limit of the control group that
//! is what the group has left, however much the machine has.

use std::io;

use super::cgroup;
use crate::finding::Finding;
use crate::{Plan, read, words};

/// Less leaves hardly a page cache beside the broker's own buffers.
const TOTAL_MIN: u64 = 1 << 30;
/// Less of it available, in hundredths, and cold reads evict each other.
const AVAILABLE_MIN_PERCENT: u64 = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    total: u64,
    available: u64,
    /// The tightest limit of the control group.
    limit: Option<u64>,
    /// What the control group has left.
    left: Option<u64>,
    /// Which control group.
    group: String,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![probe(plan).map_or_else(|error| Finding::unseen("memory", &error), |facts| judge(&facts))]
}

fn probe(plan: &Plan) -> io::Result<Facts> {
    let text = read::text("/proc/meminfo")?;
    let field = |key| read::kib_field(&text, key).ok_or(io::ErrorKind::InvalidData);
    let (total, available) = (field("MemTotal")?, field("MemAvailable")?);
    let (limits, group) = cgroup::limits(&plan.data_dir);
    Ok(Facts { total, available, limit: limits.memory_bytes, left: limits.memory_left, group })
}

fn judge(facts: &Facts) -> Finding {
    let limit = facts.limit.filter(|limit| *limit < facts.total);
    let usable = limit.unwrap_or(facts.total);
    let left = facts.left.filter(|_| limit.is_some());
    let mut found = format!("{}, {} available", words::bytes(facts.total), words::bytes(facts.available));
    if let Some(limit) = limit {
        found = format!("{found}; {} may use {}", facts.group, words::bytes(limit));
    }
    if let Some(left) = left {
        found = format!("{found}, of which {} are left", words::bytes(left));
    }
    if usable < TOTAL_MIN {
        let advice = "give it 1 GiB or more: what the page cache cannot hold is read from the disk each time; in \
                      a container the page cache counts against its limit";
        return Finding::better("memory", found, advice);
    }
    if words::percent(facts.available.min(left.unwrap_or(u64::MAX)), usable) < AVAILABLE_MIN_PERCENT {
        return Finding::better("memory", found, if_little_is_left(facts.available, left));
    }
    Finding::ok("memory", found)
}

/// What to do depends on who takes it: other processes of the machine, or of the group.
fn if_little_is_left(available: u64, left: Option<u64>) -> &'static str {
    if left.is_some_and(|left| left < available) {
        "what runs in the control group leaves little for the page cache: raise the group's limit (memory.max, MemoryMax= \
         of the unit, --memory of the container), or expect reads from the disk"
    } else {
        "other processes leave little for the page cache (ps aux --sort=-rss | head): move them, or expect reads from \
         the disk"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn roomy() -> Facts {
        let group = "this shell's control group".to_owned();
        Facts { total: 8 << 30, available: 6 << 30, limit: None, left: None, group }
    }

    #[test]
    fn little_memory_could_be_better_whoever_limits_it() {
        assert_eq!(judge(&roomy()).state, State::Ok);
        assert_eq!(judge(&Facts { total: 1 << 29, ..roomy() }).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { limit: Some(1 << 29), ..roomy() }).state, State::CouldBeBetter);
        let busy = judge(&Facts { available: 1 << 28, ..roomy() });
        assert!(busy.state == State::CouldBeBetter && busy.advice.contains("other processes"), "{busy:?}");
    }

    #[test]
    fn under_a_limit_what_the_group_has_left_counts_and_not_what_the_machine_has() {
        let limited = Facts { limit: Some(2 << 30), left: Some(1 << 30), ..roomy() };
        assert_eq!(judge(&limited).state, State::Ok);
        let full = judge(&Facts { left: Some(100 << 20), ..limited.clone() });
        assert!(full.state == State::CouldBeBetter && full.advice.contains("the group's limit"), "{full:?}");
        assert!(
            full.found.contains("; this shell's control group may use 2.0 GiB, of which 100.0 MiB are left"),
            "{full:?}"
        );
        // A tenth of what may be used, not of what there is.
        assert_eq!(judge(&Facts { left: Some(300 << 20), ..limited }).state, State::Ok);
    }

    #[test]
    fn a_limit_above_what_there_is_limits_nothing() {
        let finding = judge(&Facts { limit: Some(1 << 40), left: Some(0), ..roomy() });
        assert!(finding.state == State::Ok && !finding.found.contains("control group"), "{finding:?}");
    }
}
