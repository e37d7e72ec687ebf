//! What work costs in the while that it takes: the cores that it keeps busy, its system calls a second, its memory at most.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::meter::MachineCpu;
use super::process;
use crate::measure::gauge::OthersSyscalls;

/// A process and the machine being watched.
#[derive(Debug)]
pub struct Busy {
    begun: Instant,
    pid: u32,
    process: Duration,
    machine: MachineCpu,
    /// Where they may be counted.
    calls: Option<OthersSyscalls>,
    /// Whether the most memory that it had before was forgotten.
    forgot: bool,
}

/// What came of it; `None` where it cannot be seen here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WasBusy {
    /// How long it was watched.
    pub seconds: f64,
    /// Cores' worth of CPU that the process took.
    pub cores: f64,
    /// The same of all CPUs, for whomever but the others.
    pub machine_cores: Option<f64>,
    /// System calls of the process.
    pub calls_per_s: Option<f64>,
    /// The most memory of the process in this while.
    pub peak_mib: Option<f64>,
}

impl Busy {
    /// Begins to watch a process. What the others take of the machine is not counted.
    pub fn start(pid: u32, others: &[u32]) -> Result<Self> {
        Ok(Self {
            forgot: process::forget_peak(pid),
            calls: OthersSyscalls::start(pid).ok(),
            process: process::cpu(pid)?,
            machine: MachineCpu::start(others),
            begun: Instant::now(),
            pid,
        })
    }

    /// Since then.
    pub fn stop(self) -> Result<WasBusy> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let process = process::cpu(self.pid)?.saturating_sub(self.process);
        let calls = self.calls.and_then(|mut calls| calls.read().ok());
        Ok(WasBusy {
            seconds,
            cores: process.as_secs_f64() / seconds,
            machine_cores: self.machine.since().map(|(all, _)| all.as_secs_f64() / seconds),
            calls_per_s: calls.map(|calls| calls as f64 / seconds),
            peak_mib: self
                .forgot
                .then(|| process::memory(self.pid))
                .transpose()?
                .map(|memory| memory.peak_mib),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to() {
        let (busy, own) = (Busy::start(std::process::id(), &[]).unwrap(), process::own_cpu());
        while process::own_cpu().saturating_sub(own) < Duration::from_millis(50) {
            black_box(process::cpu(std::process::id()).unwrap());
        }
        let was = busy.stop().unwrap();
        assert!(was.cores > 0.0 && was.seconds > 0.0, "{was:?}");
        assert!(was.peak_mib.is_some_and(|mib| mib > 0.0), "one's own may be forgotten: {was:?}");
        assert!(was.machine_cores.is_none_or(|cores| cores > 0.0), "{was:?}");
    }
}
