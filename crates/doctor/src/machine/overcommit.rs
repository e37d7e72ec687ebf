//! Overcommit: whether the kernel promises more memory than there is.

use std::io;

use crate::finding::Finding;
use crate::{Plan, read, words};

/// `vm.overcommit_memory`: never promise more than the limit.
const STRICT: u64 = 2;
/// Less left to promise under strict accounting, and an allocation of the broker may fail.
const LEFT_MIN: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    mode: u64,
    /// What may be promised, and what is.
    limit: u64,
    promised: u64,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen("overcommit", &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let text = read::text("/proc/meminfo")?;
    let field = |key| read::kib_field(&text, key).ok_or(io::ErrorKind::InvalidData);
    let mode = read::number("/proc/sys/vm/overcommit_memory")?;
    Ok(Facts { mode, limit: field("CommitLimit")?, promised: field("Committed_AS")? })
}

fn judge(facts: &Facts) -> Finding {
    let mode = match facts.mode {
        0 => "by judgement",
        1 => "always",
        STRICT => "never",
        _ => "in a way unknown here",
    };
    let found = format!("the kernel overcommits {mode} (vm.overcommit_memory {})", facts.mode);
    let left = facts.limit.saturating_sub(facts.promised);
    if facts.mode == STRICT && left < LEFT_MIN {
        let found = format!("{found}, {} left to promise", words::bytes(left));
        let advice = "an allocation that is refused ends the broker: vm.overcommit_memory=0, or a higher \
                      vm.overcommit_ratio";
        return Finding::better("overcommit", found, advice);
    }
    Finding::ok("overcommit", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn strict_accounting_with_nothing_left_could_be_better() {
        let facts = Facts { mode: STRICT, limit: 2 << 30, promised: (2 << 30) - 1 };
        assert_eq!(judge(&facts).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { promised: 0, ..facts }).state, State::Ok);
        assert_eq!(judge(&Facts { mode: 0, ..facts }).state, State::Ok);
    }
}
