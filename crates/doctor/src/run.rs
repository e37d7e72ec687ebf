//! The table of checks, and how they are run: one after another, so that none disturbs what another measures, each on a
//! thread of its own that is given up when its time is over.
//!
//! A thread that is given up hangs in a system call (a dead network file system, say); it ends with the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::Look::{Alone, Syncs};
use crate::bounded::{self, Silence};
use crate::disk::sync::Measured;
use crate::finding::{Finding, Group};
use crate::plan::Plan;
use crate::words;
use crate::{data, disk, durability, limits, machine, network, privilege, transfer};

/// Longest time for one check.
const CHECK_MAX: Duration = Duration::from_secs(3);
/// Longest time for all of them.
const ALL_MAX: Duration = Duration::from_secs(10);

/// What a check does: probes, then judges.
#[derive(Clone, Copy)]
enum Look {
    /// By itself.
    Alone(fn(&Plan) -> Vec<Finding>),
    /// With how syncs behave: who measures it, and who goes by it afterwards.
    Syncs(fn(&Plan, &Measured) -> Vec<Finding>),
}

/// What the checks of one run share.
#[derive(Debug, Default)]
struct Case {
    plan: Plan,
    syncs: Measured,
}

/// Every check: its group, what it is called if it cannot answer, and what it does. Those that may hang on a sick disk
/// come last.
const CHECKS: &[(Group, &str, Look)] = &[
    (Group::Machine, "kernel", Alone(machine::kernel::look)),
    (Group::Machine, "sandbox", Alone(machine::sandbox::look)),
    (Group::Machine, "processors", Alone(machine::processors::look)),
    (Group::Machine, "memory", Alone(machine::memory::look)),
    (Group::Machine, "swap", Alone(machine::swap::look)),
    (Group::Machine, "transparent huge pages", Alone(machine::huge_pages::look)),
    (Group::Machine, "overcommit", Alone(machine::overcommit::look)),
    (Group::Machine, "dirty pages", Alone(machine::dirty::look)),
    (Group::Machine, "clock source", Alone(machine::clock::look)),
    (Group::Machine, "time", Alone(machine::time_sync::look)),
    (Group::Limits, "descriptors", Alone(limits::descriptors::look)),
    (Group::Limits, "memory maps", Alone(limits::maps::look)),
    (Group::Limits, "locked memory", Alone(limits::locked::look)),
    (Group::Limits, "privilege", Alone(privilege::look)),
    (Group::Network, "interfaces", Alone(network::interfaces::look)),
    (Group::Network, "congestion control", Alone(network::congestion::look)),
    (Group::Network, "queueing discipline", Alone(network::qdisc::look)),
    (Group::Network, "accept queue", Alone(network::backlog::look)),
    (Group::Network, "TCP memory", Alone(network::memory::look)),
    (Group::Transfer, "io_uring", Alone(transfer::uring::look)),
    (Group::Transfer, "kernel TLS", Alone(transfer::ktls::look)),
    (Group::Transfer, "routes", Alone(transfer::routes::look)),
    (Group::Transfer, "thresholds", Alone(transfer::thresholds::look)),
    (Group::Transfer, "cachestat", Alone(transfer::cachestat::look)),
    (Group::Transfer, "RWF_NOWAIT", Alone(transfer::nowait::look)),
    (Group::Disk, "file system", Alone(disk::file_system::look)),
    (Group::Disk, "device", Alone(disk::device::look)),
    (Group::Disk, "read-ahead", Alone(disk::read_ahead::look)),
    (Group::Disk, "space", Alone(disk::space::look)),
    (Group::Disk, "O_DIRECT", Alone(disk::direct::look)),
    (Group::Disk, "preallocation", Alone(disk::preallocate::look)),
    (Group::Disk, "fdatasync", Syncs(disk::sync::look)),
    (Group::Data, "data directory", Alone(data::directory::look)),
    (Group::Data, "lock", Alone(data::lock::look)),
    (Group::Data, "identity", Alone(data::identity::look)),
    (Group::Data, "metadata", Alone(data::metadata::look)),
    (Group::Data, "contents", Alone(data::contents::look)),
    (Group::Data, "recovery", Alone(data::recovery::look)),
    (Group::Durability, "acks", Syncs(durability::look)),
];

/// Runs every check and tells each finding as soon as it is there. Takes a second or so, ten at most.
pub fn examine(plan: &Plan, mut tell: impl FnMut(Group, Finding)) {
    let case = Arc::new(Case { plan: plan.clone(), syncs: Measured::new() });
    let end = Instant::now() + ALL_MAX;
    for (group, name, look) in CHECKS {
        let left = end.saturating_duration_since(Instant::now()).min(CHECK_MAX);
        for finding in within(left, *group, name, *look, &case) {
            tell(*group, finding);
        }
    }
}

/// Runs one check for at most `limit`, the part of [`CHECK_MAX`] that is left for it.
fn within(limit: Duration, group: Group, name: &str, look: Look, case: &Arc<Case>) -> Vec<Finding> {
    if limit.is_zero() {
        return vec![unanswered(group, name, limit)];
    }
    let case = Arc::clone(case);
    let work = move || match look {
        Alone(look) => look(&case.plan),
        Syncs(look) => look(&case.plan, &case.syncs),
    };
    bounded::ask(limit, "check", work).unwrap_or_else(|silence| {
        vec![match silence {
            Silence::NoThread(error) => {
                let advice =
                    "raise the limit of processes and threads (ulimit -u, or pids.max of the container)";
                Finding::broken(name, format!("no thread for the check: {error}"), advice)
            }
            Silence::TimeIsUp => unanswered(group, name, limit),
            Silence::Failed => {
                let advice = "a fault of this program: report it with what stands above";
                Finding::broken(name, "the check itself failed", advice)
            }
        }]
    })
}

/// No answer. That tells of something sick only if the check had all of its time.
fn unanswered(group: Group, name: &str, limit: Duration) -> Finding {
    let all = words::time(ALL_MAX);
    if limit < CHECK_MAX {
        let found = if limit.is_zero() {
            format!("not tried, the time was over: {all} for all checks")
        } else {
            format!("not finished within the {} that were left of {all} for all checks", words::time(limit))
        };
        return Finding::better(name, found, "see the lines above that gave no answer, and ask again");
    }
    Finding::broken(name, format!("gave no answer within {}", words::time(limit)), what_hangs(group))
}

/// Where to look for what a check of the group waits for.
fn what_hangs(group: Group) -> &'static str {
    match group {
        Group::Machine | Group::Limits => {
            "it reads /proc and /sys only: look for a kernel in trouble, or a machine that is overloaded (dmesg; uptime)"
        }
        Group::Network => {
            "it asks the kernel only: look for a network driver that does not answer (dmesg | grep -i net)"
        }
        Group::Transfer => {
            "it sends a small file over the loopback: look for a filter that drops packets of 127.0.0.1 (iptables -L, nft \
             list ruleset), or a disk that does not answer (see the lines of the disk)"
        }
        Group::Disk | Group::Data | Group::Durability => {
            "look for a device or file system that does not answer (dmesg; ps: processes in state D)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn one(limit: Duration, look: Look) -> Finding {
        within(limit, Group::Disk, "it", look, &Arc::default()).remove(0)
    }

    #[test]
    fn a_check_that_hangs_is_itself_a_finding() {
        let hangs = |_: &Plan| {
            loop {
                std::thread::park();
            }
        };
        let finding = one(Duration::from_millis(1), Alone(hangs));
        assert_eq!((finding.state, finding.check.as_str()), (State::CouldBeBetter, "it"));
        assert!(finding.found.contains("not finished within the 1.0 ms that were left"), "{finding:?}");
        let finding = unanswered(Group::Disk, "it", CHECK_MAX);
        assert_eq!(finding.state, State::Broken);
        assert!(finding.found.contains("no answer within 3.0 s"), "{finding:?}");
    }

    #[test]
    fn a_device_is_suspected_only_by_a_check_that_waits_for_one() {
        let accuses = |group| unanswered(group, "it", CHECK_MAX).advice.contains("device or file system");
        assert!([Group::Disk, Group::Data, Group::Durability].into_iter().all(accuses));
        assert!(![Group::Machine, Group::Limits, Group::Network].into_iter().any(accuses));
        assert!(unanswered(Group::Transfer, "it", CHECK_MAX).advice.contains("loopback"));
    }

    #[test]
    fn a_check_that_no_time_is_left_for_is_not_run_and_accuses_no_device() {
        let finding = one(Duration::ZERO, Alone(|_| panic!("it was run")));
        assert_eq!(finding.state, State::CouldBeBetter);
        assert!(finding.found.contains("not tried, the time was over"), "{finding:?}");
    }

    #[test]
    fn a_check_that_fails_is_itself_a_finding() {
        let finding = one(CHECK_MAX, Alone(|_| panic!("as the test wants")));
        assert_eq!(finding.state, State::Broken);
        assert!(finding.found.contains("failed"), "{finding:?}");
    }

    #[test]
    fn names_of_checks_are_unique() {
        let names: std::collections::BTreeSet<_> = CHECKS.iter().map(|(_, name, _)| name).collect();
        assert_eq!(names.len(), CHECKS.len());
    }
}
