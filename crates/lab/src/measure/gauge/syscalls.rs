//! Counts a process's system calls by the tracepoint `raw_syscalls:sys_enter`: exact, whatever makes them, at no
//! cost that could be seen. Needs the right to read tracepoints, which by default only root has.

use std::fs;

use anyhow::Context;
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};
use rustix::io::Errno;

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
        let mut counter = builder(event()?).observe_self().build()?;
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

/// A count of the calls of another process, and of threads that these threads start.
#[derive(Debug)]
pub(crate) struct OthersSyscalls {
    threads: Vec<Counter>,
}

impl OthersSyscalls {
    /// Starts counting.
    pub(crate) fn start(pid: u32) -> anyhow::Result<Self> {
        let (event, mut threads) = (event()?, Vec::new());
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Some(thread) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let counter = match builder(event).observe_pid(thread).build() {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => continue,
                counter => counter.with_context(|| one_more_than(threads.len()))?,
            };
            threads.push(counter);
        }
        threads.iter_mut().try_for_each(Counter::enable)?;
        Ok(Self { threads })
    }

    /// Calls since it started.
    pub(crate) fn read(&mut self) -> anyhow::Result<u64> {
        let counts = self.threads.iter_mut().map(Counter::read);
        Ok(counts.sum::<std::io::Result<u64>>()?)
    }
}

/// A process of very many threads takes as many descriptors.
fn one_more_than(threads: usize) -> String {
    match threads {
        0 => "no thread of it can be watched".to_owned(),
        _ => format!("{threads} threads of it are watched, by a descriptor each, and no more can be"),
    }
}

/// Each system call that begins.
fn event() -> anyhow::Result<u64> {
    tracefs::event_id("raw_syscalls/sys_enter")
}

/// Of calls on any CPU, of the threads that are started meanwhile too.
fn builder(event: u64) -> Builder<'static> {
    let mut builder = Builder::new(Tracepoint::with_id(event));
    builder.any_cpu().inherit(true).include_kernel();
    builder
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::measure::gauge::is_refusal;

    #[test]
    fn every_call_is_counted_and_its_own_are_not() {
        let Some(mut counter) = allowed(SyscallCounter::start()) else { return };
        let before = counter.read().unwrap();
        for _ in 0..100 {
            // Asked of the kernel each time.
            let _ = rustix::process::getppid();
        }
        assert_eq!(counter.since(before).unwrap(), 100);
        let before = counter.read().unwrap();
        assert_eq!(counter.since(before).unwrap(), 0);
    }

    #[test]
    fn calls_of_another_process_are_counted() {
        // It reads and writes each line: two calls.
        let mut other = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut lines, mut back) =
            (other.stdin.take().unwrap(), BufReader::new(other.stdout.take().unwrap()));
        let mut echo = || {
            lines.write_all(b"\n").unwrap();
            back.read_line(&mut String::new()).unwrap();
        };
        echo();
        if let Some(mut counter) = allowed(OthersSyscalls::start(other.id())) {
            (0..100).for_each(|_| echo());
            let counted = counter.read().unwrap();
            assert!((199..=201).contains(&counted), "{counted}");
        }
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn calls_of_a_process_that_is_gone_are_an_error() {
        assert!(OthersSyscalls::start(u32::MAX).is_err());
    }

    /// Nothing where tracepoints may not be read.
    fn allowed<C>(started: anyhow::Result<C>) -> Option<C> {
        started
            .inspect_err(|error| {
                eprintln!("tracepoints may not be read here, nothing to test: {error:#}");
                assert!(is_refusal(error), "{error:#}");
            })
            .ok()
    }
}
