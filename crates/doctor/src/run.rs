//! The table of checks, and how they are run: one after another, so that none disturbs what another measures, each on a
//! thread of its own that is given up when its time is over.
//!
//! A thread that is given up hangs in a system call (a dead network file system, say); it ends with the process.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::finding::{Finding, Group};
use crate::plan::Plan;
use crate::words;
use crate::{data, disk, durability, limits, machine, network, privilege, transfer};

/// Longest time for one check.
const CHECK_MAX: Duration = Duration::from_secs(3);
/// Longest time for all of them.
const ALL_MAX: Duration = Duration::from_secs(10);

/// What a check does: probes, then judges.
type Look = fn(&Plan) -> Vec<Finding>;

/// Every check: its group, what it is called if it cannot answer, and what it does. Those that may hang on a sick disk
/// come last.
const CHECKS: &[(Group, &str, Look)] = &[
    (Group::Machine, "kernel", machine::kernel::look),
    (Group::Machine, "sandbox", machine::sandbox::look),
    (Group::Machine, "processors", machine::processors::look),
    (Group::Machine, "memory", machine::memory::look),
    (Group::Machine, "swap", machine::swap::look),
    (Group::Machine, "transparent huge pages", machine::huge_pages::look),
    (Group::Machine, "overcommit", machine::overcommit::look),
    (Group::Machine, "dirty pages", machine::dirty::look),
    (Group::Machine, "clock source", machine::clock::look),
    (Group::Machine, "time", machine::time_sync::look),
    (Group::Limits, "descriptors", limits::descriptors::look),
    (Group::Limits, "memory maps", limits::maps::look),
    (Group::Limits, "locked memory", limits::locked::look),
    (Group::Limits, "privilege", privilege::look),
    (Group::Network, "interfaces", network::interfaces::look),
    (Group::Network, "congestion control", network::congestion::look),
    (Group::Network, "queueing discipline", network::qdisc::look),
    (Group::Network, "accept queue", network::backlog::look),
    (Group::Network, "TCP memory", network::memory::look),
    (Group::Transfer, "io_uring", transfer::uring::look),
    (Group::Transfer, "kernel TLS", transfer::ktls::look),
    (Group::Transfer, "routes", transfer::routes::look),
    (Group::Transfer, "thresholds", transfer::thresholds::look),
    (Group::Transfer, "cachestat", transfer::cachestat::look),
    (Group::Transfer, "RWF_NOWAIT", transfer::nowait::look),
    (Group::Disk, "file system", disk::file_system::look),
    (Group::Disk, "device", disk::device::look),
    (Group::Disk, "space", disk::space::look),
    (Group::Disk, "O_DIRECT", disk::direct::look),
    (Group::Disk, "preallocation", disk::preallocate::look),
    (Group::Disk, "fdatasync", disk::sync::look),
    (Group::Data, "data directory", data::directory::look),
    (Group::Data, "lock", data::lock::look),
    (Group::Data, "identity", data::identity::look),
    (Group::Data, "contents", data::contents::look),
    (Group::Data, "recovery", data::recovery::look),
    (Group::Durability, "acks", durability::look),
];

/// Runs every check and tells each finding as soon as it is there. Takes a second or so, ten at most.
pub fn examine(plan: &Plan, mut tell: impl FnMut(Group, Finding)) {
    let plan = Arc::new(plan.clone());
    let end = Instant::now() + ALL_MAX;
    for (group, name, look) in CHECKS {
        let left = end.saturating_duration_since(Instant::now()).min(CHECK_MAX);
        for finding in within(left, name, *look, &plan) {
            tell(*group, finding);
        }
    }
}

/// Runs one check for at most `limit`, the part of [`CHECK_MAX`] that is left for it.
fn within(limit: Duration, name: &str, look: Look, plan: &Arc<Plan>) -> Vec<Finding> {
    if limit.is_zero() {
        return vec![unanswered(name, limit)];
    }
    let (answer, answered) = mpsc::sync_channel(1);
    let plan = Arc::clone(plan);
    let work = move || {
        // Nobody waits for an answer that comes too late.
        let _ = answer.send(look(&plan));
    };
    if let Err(error) = thread::Builder::new().name("check".to_owned()).spawn(work) {
        let advice = "raise the limit of processes and threads (ulimit -u, or pids.max of the container)";
        return vec![Finding::broken(name, format!("no thread for the check: {error}"), advice)];
    }
    match answered.recv_timeout(limit) {
        Ok(findings) => findings,
        Err(RecvTimeoutError::Timeout) => vec![unanswered(name, limit)],
        Err(RecvTimeoutError::Disconnected) => {
            let advice = "a fault of this program: report it with what stands above";
            vec![Finding::broken(name, "the check itself failed", advice)]
        }
    }
}

/// No answer. That tells of a sick device only if the check had all of its time.
fn unanswered(name: &str, limit: Duration) -> Finding {
    let all = words::time(ALL_MAX);
    if limit < CHECK_MAX {
        let found = if limit.is_zero() {
            format!("not tried, the time was over: {all} for all checks")
        } else {
            format!("not finished within the {} that were left of {all} for all checks", words::time(limit))
        };
        return Finding::better(name, found, "see the lines above that gave no answer, and ask again");
    }
    let advice = "look for a device or file system that does not answer (dmesg; ps: processes in state D)";
    Finding::broken(name, format!("gave no answer within {}", words::time(limit)), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn one(limit: Duration, look: Look) -> Finding {
        within(limit, "it", look, &Arc::default()).remove(0)
    }

    #[test]
    fn a_check_that_hangs_is_itself_a_finding() {
        let hangs: Look = |_| {
            loop {
                thread::park();
            }
        };
        let finding = one(Duration::from_millis(1), hangs);
        assert_eq!((finding.state, finding.check.as_str()), (State::CouldBeBetter, "it"));
        assert!(finding.found.contains("not finished within the 1.0 ms that were left"), "{finding:?}");
        let finding = unanswered("it", CHECK_MAX);
        assert_eq!(finding.state, State::Broken);
        assert!(finding.found.contains("no answer within 3.0 s"), "{finding:?}");
    }

    #[test]
    fn a_check_that_no_time_is_left_for_is_not_run_and_accuses_no_device() {
        let finding = one(Duration::ZERO, |_| panic!("it was run"));
        assert_eq!(finding.state, State::CouldBeBetter);
        assert!(finding.found.contains("not tried, the time was over"), "{finding:?}");
    }

    #[test]
    fn a_check_that_fails_is_itself_a_finding() {
        let finding = one(CHECK_MAX, |_| panic!("as the test wants"));
        assert_eq!(finding.state, State::Broken);
        assert!(finding.found.contains("failed"), "{finding:?}");
    }

    #[test]
    fn names_of_checks_are_unique() {
        let names: std::collections::BTreeSet<_> = CHECKS.iter().map(|(_, name, _)| name).collect();
        assert_eq!(names.len(), CHECKS.len());
    }
}
