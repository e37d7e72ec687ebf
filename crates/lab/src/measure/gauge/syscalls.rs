//! Counts a process's own system calls by the tracepoint `raw_syscalls:sys_enter`: exact, whatever makes them, at no
//! cost that could be seen. Needs the right to read tracepoints, which by default only root has.

use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

use super::tracefs;

/// Reading the counter is a system call, and counted.
const OWN_CALLS: u64 = 1;

/// A running count of the calls of this process and of threads it starts from now on.
pub(crate) struct SyscallCounter {
    counter: Counter,
}

impl SyscallCounter {
    /// Starts counting.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let event = Tracepoint::with_id(tracefs::event_id("raw_syscalls/sys_enter")?);
        let mut builder = Builder::new(event);
        let mut counter = builder.observe_self().any_cpu().inherit(true).include_kernel().build()?;
        counter.enable()?;
        Ok(Self { counter })
    }

    /// Calls so far.
    pub(crate) fn read(&mut self) -> anyhow::Result<u64> {
        Ok(self.counter.read()?)
    }

    /// Calls since an earlier reading, without those that the reading took.
    pub(crate) fn since(&mut self, earlier: u64) -> anyhow::Result<u64> {
        Ok(self.read()?.saturating_sub(earlier).saturating_sub(OWN_CALLS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::gauge::is_refusal;

    #[test]
    fn every_call_is_counted_and_its_own_are_not() {
        let mut counter = match SyscallCounter::start() {
            Ok(counter) => counter,
            Err(error) => {
                eprintln!("tracepoints may not be read here, nothing to test: {error:#}");
                assert!(is_refusal(&error), "{error:#}");
                return;
            }
        };
        let before = counter.read().unwrap();
        for _ in 0..100 {
            // Asked of the kernel each time.
            let _ = rustix::process::getppid();
        }
        assert_eq!(counter.since(before).unwrap(), 100);
        let before = counter.read().unwrap();
        assert_eq!(counter.since(before).unwrap(), 0);
    }
}
