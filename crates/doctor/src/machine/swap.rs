//! Swap: what the kernel pushes out to make room for the page cache may be the broker itself.

use std::io;

use crate::finding::Finding;
use crate::{Plan, read, words};

/// Above it the kernel prefers, now and then, the page cache to memory of processes.
const SWAPPINESS_MAX: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    total: u64,
    used: u64,
    swappiness: u64,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen("swap", &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let text = read::text("/proc/meminfo")?;
    let field = |key| read::kib_field(&text, key).ok_or(io::ErrorKind::InvalidData);
    let (total, free) = (field("SwapTotal")?, field("SwapFree")?);
    Ok(Facts {
        total,
        used: total.saturating_sub(free),
        swappiness: read::number("/proc/sys/vm/swappiness")?,
    })
}

fn judge(facts: &Facts) -> Finding {
    if facts.total == 0 {
        return Finding::ok("swap", "none");
    }
    let found = format!(
        "{}, {} of it used, vm.swappiness {}",
        words::bytes(facts.total),
        words::bytes(facts.used),
        facts.swappiness
    );
    if facts.swappiness <= SWAPPINESS_MAX {
        return Finding::ok("swap", found);
    }
    let advice = "a broker fills the page cache, and the kernel may swap the broker out to keep it: \
                  sysctl -w vm.swappiness=1";
    Finding::better("swap", found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn swap_is_judged_by_how_readily_it_is_used() {
        let facts = Facts { total: 1 << 30, used: 0, swappiness: 60 };
        assert_eq!(judge(&facts).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { swappiness: 1, ..facts }).state, State::Ok);
        assert_eq!(judge(&Facts { total: 0, ..facts }), Finding::ok("swap", "none"));
    }
}
