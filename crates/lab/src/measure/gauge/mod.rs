//! What a process can tell about itself: CPU time, faults, switches, system calls, pages that the kernel allocates
//! for it. All of the whole process, its threads included.

mod busy;
mod pages;
mod syscalls;
mod tracefs;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

pub(crate) use busy::CpuBusy;
pub(crate) use pages::PageTracer;
pub(crate) use syscalls::{OthersSyscalls, SyscallCounter};

/// What a process has used so far, or between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Nanoseconds of CPU, in the program and in the kernel.
    pub(crate) cpu_ns: u64,
    /// Page faults, minor and major.
    pub(crate) faults: u64,
    /// Times it gave the CPU up to wait.
    pub(crate) waits: u64,
    /// Times the CPU was taken from it.
    pub(crate) preemptions: u64,
}

impl Usage {
    /// Of this process, now.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Self {
            cpu_ns: nanoseconds(ClockId::ProcessCPUTime),
            faults: count(usage.minor_page_faults()) + count(usage.major_page_faults()),
            waits: count(usage.voluntary_context_switches()),
            preemptions: count(usage.involuntary_context_switches()),
        })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            faults: self.faults.saturating_sub(earlier.faults),
            waits: self.waits.saturating_sub(earlier.waits),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }
}

/// The time of all processes of a machine, so that two of them can take it from each other.
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(rest.unwrap_or(0))
}

/// Whether tracepoints are simply not to be had: no right to them, no tracefs, no such event, no such call. Anything
/// else is a fault of ours, and no reason for a test to look away.
#[cfg(test)]
fn is_refusal(error: &anyhow::Error) -> bool {
    use rustix::io::Errno;
    const REFUSALS: [Errno; 6] =
        [Errno::PERM, Errno::ACCESS, Errno::NOENT, Errno::NODEV, Errno::NOSYS, Errno::OPNOTSUPP];
    let of_kernel = |cause: &(dyn std::error::Error + 'static)| {
        let by_rustix = cause.downcast_ref::<Errno>().copied();
        by_rustix.or_else(|| cause.downcast_ref().and_then(Errno::from_io_error))
    };
    error.chain().filter_map(of_kernel).any(|errno| REFUSALS.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_grows_and_its_difference_is_what_was_used() {
        let before = Usage::now().unwrap();
        let memory: Vec<u8> = vec![1; 8 << 20];
        let used = Usage::now().unwrap().since(before);
        assert!(used.cpu_ns > 0 && used.faults > 0 && memory.len() == 8 << 20, "{used:?}");
        assert_eq!(before.since(Usage::now().unwrap()).cpu_ns, 0, "never negative");
    }

    #[test]
    fn what_the_kernel_does_not_allow_is_no_fault_and_everything_else_is() {
        for refused in [1, 2, 13, 19, 38, 95] {
            assert!(is_refusal(&std::io::Error::from_raw_os_error(refused).into()), "{refused}");
        }
        assert!(is_refusal(&anyhow::Error::from(rustix::io::Errno::PERM).context("tracefs")));
        assert!(
            !is_refusal(&rustix::io::Errno::INVAL.into()) && !is_refusal(&anyhow::anyhow!("no field order"))
        );
    }
}
