//! The kernel's own threads, which write back, reclaim memory and finish interrupts for whoever made that necessary: their CPU is
//! nobody else's. Children of `kthreadd`, process 2; where that is not to be seen, in a container, none are.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cpu;
use crate::read;

const KTHREADD: &str = "kthreadd";
const NAME: &str = "/proc/2/comm";
const NAME_BYTES: u64 = 64;
/// proc_tid_children(5)
const CHILDREN: &str = "/proc/2/task/2/children";
/// Some bytes for each: of a machine with many processors and disks there are thousands.
const CHILDREN_BYTES: u64 = 1 << 20;

/// What they had used when somebody began to look.
#[derive(Debug)]
pub(in crate::drive) struct KernelThreads(BTreeMap<u32, Duration>);

impl KernelThreads {
    pub(in crate::drive) fn start() -> Self {
        Self(all())
    }

    /// What they used since then, together. What one that has ended used is not seen.
    pub(in crate::drive) fn since(&self) -> Duration {
        let before = |thread| self.0.get(thread).copied().unwrap_or_default();
        all().iter().map(|(thread, cpu)| cpu.saturating_sub(before(thread))).sum()
    }
}

fn all() -> BTreeMap<u32, Duration> {
    if read::head(NAME, NAME_BYTES).is_ok_and(|name| name.trim() == KTHREADD) {
        let children = read::head(CHILDREN, CHILDREN_BYTES).unwrap_or_default();
        let threads = children.split_whitespace().filter_map(|thread| thread.parse().ok());
        threads.filter_map(|thread| Some((thread, cpu(thread).ok()?))).collect()
    } else {
        BTreeMap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_the_kernel_are_seen_and_what_each_used_only_grows() {
        let threads = KernelThreads::start();
        if threads.0.is_empty() {
            eprintln!("the kernel's threads are not to be seen here");
            return;
        }
        assert!(!threads.0.contains_key(&std::process::id()), "no program is one");
        let since = threads.since();
        assert!(threads.since() >= since);
        // As if all of them had begun since.
        assert!(KernelThreads(BTreeMap::new()).since() >= threads.0.values().sum());
    }
}
