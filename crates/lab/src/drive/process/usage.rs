//! What a process used.
//!
//! CPU comes from the process's own clock (`clock_getcpuclockid(3)`): nanoseconds, of processes of other users too.
//! Only where the kernel does not give that clock are the ticks of `/proc/PID/stat` counted (10 ms, most of the time).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::time::ClockId as ProcessClock;
use nix::unistd::Pid;
use rustix::time::{ClockId, clock_gettime};

/// Columns of `/proc/PID/stat`, counted from behind the name: ticks in user and in system mode.
const USER: usize = 11;
const SYSTEM: usize = 12;

/// CPU time, user and system, of a process and all its threads, dead ones too.
pub fn cpu(pid: u32) -> Result<Duration> {
    by_clock(pid).or_else(|_| by_ticks(pid))
}

/// In nanoseconds.
fn by_clock(pid: u32) -> nix::Result<Duration> {
    // Process 0 would be this one.
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).ok_or(Errno::ESRCH)?;
    Ok(ProcessClock::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?.into())
}

/// In ticks of the scheduler's clock.
fn by_ticks(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| gone(pid))?;
    let ticks = ticks(&stat).with_context(|| format!("/proc/{pid}/stat makes no sense"))?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// CPU time of this process.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Resident now.
    pub resident_mib: f64,
    /// The most that was resident since the process began, or since [`forget_peak`].
    pub peak_mib: f64,
}

/// Memory of a process.
pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| gone(pid))?;
    memory_in(&status).with_context(|| format!("/proc/{pid}/status makes no sense"))
}

/// Has the kernel forget the most memory that a process had: from now on that is what it has now and later. `false` where only
/// the process's user or root may (`/proc/PID/clear_refs`, proc_pid_clear_refs(5)).
pub fn forget_peak(pid: u32) -> bool {
    const PEAK: &str = "5";
    fs::write(format!("/proc/{pid}/clear_refs"), PEAK).is_ok()
}

/// Bytes a process caused to be read from a disk; `None` where that may not be seen.
pub fn read_from_disk(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

fn gone(pid: u32) -> String {
    format!("the broker's process {pid} is gone")
}

fn ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may hold spaces and parentheses; the fields are counted from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    ticks(USER)?.checked_add(ticks(SYSTEM)?)
}

fn memory_in(status: &str) -> Option<Memory> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kib / 1024.0)
    };
    Some(Memory { resident_mib: mib("VmRSS:")?, peak_mib: mib("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_columns() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 30 7 7 20 0 1 0 100";
        assert_eq!(ticks(stat), Some(280));
        assert_eq!(ticks("42 (cut"), None);
    }

    #[test]
    fn the_clock_of_a_process_has_more_digits_than_its_ticks_and_agrees_with_them() {
        let (pid, tick) = (std::process::id(), 1.0 / rustix::param::clock_ticks_per_second() as f64);
        let (before, after) = (by_ticks(pid).unwrap(), own_cpu());
        let clock = match by_clock(pid) {
            Ok(clock) => clock,
            Err(errno) => {
                eprintln!("this kernel gives no clock of a process ({errno}): ticks stand in for it");
                assert!(cpu(pid).unwrap() >= before);
                return;
            }
        };
        // Threads that run tests beside this one only add to it.
        assert!(clock >= after && clock.as_secs_f64() >= before.as_secs_f64() - 2.0 * tick, "{clock:?}");
        let busy = own_cpu() + Duration::from_micros(50);
        while own_cpu() < busy {}
        let spent = cpu(pid).unwrap().saturating_sub(clock);
        assert!(spent >= Duration::from_micros(50), "less than a tick is seen: {spent:?}");
    }

    #[test]
    fn memory_is_in_mib() {
        let status = "Name:\tx\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(memory_in(status), Some(Memory { resident_mib: 2.0, peak_mib: 4.0 }));
        assert_eq!(memory_in("Name:\tx\n"), None);
    }

    #[test]
    fn a_peak_that_is_forgotten_is_what_is_there_now() {
        const BYTES: usize = 64 << 20;
        let peak = || memory(std::process::id()).unwrap().peak_mib;
        let before = peak();
        // Every byte is written, so every page is had for a moment.
        drop(std::hint::black_box(vec![1_u8; BYTES]));
        let then = peak();
        assert!(forget_peak(std::process::id()), "one's own may be forgotten");
        // Tests beside this one have memory of their own, and none of them so much.
        assert!(peak() < then && then >= before, "{before} MiB, {then} MiB, {} MiB", peak());
        assert!(!forget_peak(0));
    }

    #[test]
    fn this_process_uses_something() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().resident_mib > 0.0);
        assert!(own_cpu() > Duration::ZERO);
        assert!(cpu(pid).unwrap() <= own_cpu() + Duration::from_secs(1));
        assert!(cpu(0).unwrap_err().to_string().contains("process 0"));
    }
}
