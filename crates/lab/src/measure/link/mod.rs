//! What lies between the two processes: loopback, or a pair of virtual interfaces between two namespaces; on which CPU
//! they run; and how the network in between behaves.

pub(crate) mod congestion;
pub(crate) mod offload;
pub(crate) mod veth;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs this process may use, in order.
pub(crate) fn cpus() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Keeps this thread, and those it starts from now on, on one CPU.
pub(crate) fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}
