//! What work at a steady rate costs: the cores that it keeps busy, and its system calls a second.

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
}

/// What came of it; `None` where it cannot be seen here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WasBusy {
    /// Cores' worth of CPU that the process took.
    pub cores: f64,
    /// The same of all CPUs, for whomever.
    pub machine_cores: Option<f64>,
    /// System calls of the process.
    pub calls_per_s: Option<f64>,
}

impl Busy {
    /// Begins to watch a process.
    pub fn start(pid: u32) -> Result<Self> {
        Ok(Self {
            calls: OthersSyscalls::start(pid).ok(),
            process: process::cpu(pid)?,
            machine: MachineCpu::start(&[]),
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
            cores: process.as_secs_f64() / seconds,
            machine_cores: self.machine.since().map(|(all, _)| all.as_secs_f64() / seconds),
            calls_per_s: calls.map(|calls| calls as f64 / seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn a_process_that_works_is_seen_to() {
        let (busy, own) = (Busy::start(std::process::id()).unwrap(), process::own_cpu());
        while process::own_cpu().saturating_sub(own) < Duration::from_millis(50) {
            black_box(process::cpu(std::process::id()).unwrap());
        }
        let was = busy.stop().unwrap();
        assert!(was.cores > 0.0, "{was:?}");
        assert!(was.machine_cores.is_none_or(|cores| cores > 0.0), "{was:?}");
    }
}
