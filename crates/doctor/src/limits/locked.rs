//! Locked memory: buffers registered with io_uring, and pages that MSG_ZEROCOPY has in flight, count against it.

use rustix::process::Resource;

use super::whose::{self, Limit, Name};
use crate::finding::Finding;
use crate::{Plan, words};

/// Less holds hardly more than a few sends of 1 MiB in flight.
const LOCKED_MIN: u64 = 8 << 20;

const NAME: Name = Name { resource: Resource::Memlock, line: "Max locked memory" };

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let (limit, whose) = whose::limit(NAME, &plan.data_dir);
    vec![judge(limit, &whose)]
}

fn judge(Limit { soft, hard }: Limit, whose: &str) -> Finding {
    let said = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), words::bytes);
    let found = format!("soft limit {}, hard limit {} ({whose})", said(soft), said(hard));
    if soft.is_some_and(|soft| soft < LOCKED_MIN) {
        let advice = "only the routes zerocopy and uring need it; for them: LimitMEMLOCK=64M of the systemd unit, or \
                      --ulimit memlock=67108864 of the container";
        return Finding::better("locked memory", found, advice);
    }
    Finding::ok("locked memory", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_soft_limit_counts_because_nothing_raises_it() {
        let state = |soft, hard| judge(Limit { soft, hard }, "of this shell").state;
        assert_eq!(state(Some(64 << 10), None), State::CouldBeBetter);
        assert_eq!(state(Some(8 << 20), Some(8 << 20)), State::Ok);
        assert_eq!(state(None, None), State::Ok);
    }
}
