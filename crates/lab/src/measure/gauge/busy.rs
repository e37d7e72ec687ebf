//! How long a CPU was busy, whoever it worked for: what the kernel does in interrupts and threads of its own is charged
//! to no process, and is part of what sending costs. Other programs on that CPU are in it too.
//!
//! `/proc/stat` counts in ticks (as a rule 10 ms), so only long stretches can be told from it. Busy is all but idle and
//! waiting for a disk; time stolen by a hypervisor is not this machine's.
//!
//! <https://man7.org/linux/man-pages/man5/proc_stat.5.html>

use crate::measure::link;
use crate::read;

const STAT: &str = "/proc/stat";
/// The lines of all CPUs come first, of a hundred bytes each.
const STAT_BYTES: u64 = 256 << 10;

/// Reads the busy time of one CPU, or of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuBusy {
    cpu: Option<usize>,
}

impl CpuBusy {
    /// Of the CPU that this process is kept on; `None` if it may use several.
    pub(crate) fn pinned() -> Option<Self> {
        match *link::cpus().ok()?.as_slice() {
            [cpu] => Some(Self { cpu: Some(cpu) }),
            _ => None,
        }
    }

    /// Of all CPUs together.
    pub(crate) fn whole_machine() -> Self {
        Self { cpu: None }
    }

    /// Nanoseconds since the machine started.
    pub(crate) fn read_ns(self) -> Option<u64> {
        let ticks = busy_ticks(&read::head(STAT, STAT_BYTES).ok()?, self.cpu)?;
        Some(ticks.saturating_mul(1_000_000_000) / rustix::param::clock_ticks_per_second().max(1))
    }
}

/// Ticks of `user nice system (idle iowait) irq softirq`; the first line is of all CPUs.
fn busy_ticks(stat: &str, cpu: Option<usize>) -> Option<u64> {
    let name = cpu.map_or_else(|| "cpu".to_owned(), |cpu| format!("cpu{cpu}"));
    let mut lines = stat.lines().map(str::split_ascii_whitespace);
    let words = lines.find_map(|mut words| (words.next() == Some(&name)).then_some(words))?;
    let ticks: Vec<u64> = words.take(7).map_while(|word| word.parse().ok()).collect();
    match *ticks.as_slice() {
        [user, nice, system, _idle, _iowait, irq, softirq] => Some(user + nice + system + irq + softirq),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_all_but_idle_waiting_for_a_disk_and_stolen() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 5 5 5 5 5 5 5 5 5 5\ncpu10 1 2 4 1000 2000 8 16 4000 0 0\n";
        assert_eq!(busy_ticks(stat, Some(10)), Some(1 + 2 + 4 + 8 + 16));
        assert_eq!(busy_ticks(stat, Some(0)), Some(25));
        assert_eq!(busy_ticks(stat, None), Some(45), "of all");
        assert_eq!(busy_ticks(stat, Some(1)), None);
        assert_eq!(busy_ticks("cpu0 1 2 3\n", Some(0)), None);
    }
}
