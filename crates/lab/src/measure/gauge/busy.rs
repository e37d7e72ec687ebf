//! How long a CPU was busy, whoever it worked for: what the kernel does in interrupts and threads of its own is charged
//! to no process, and is part of what sending costs. Other programs on that CPU are in it too.
//!
//! `/proc/stat` charges a whole tick to whoever runs when the timer strikes: work that a timer starts is charged for every
//! time or never. How long a CPU was idle is measured, where an idle CPU stops its tick (`NO_HZ`, as nearly everywhere). So
//! busy is the time that passed, without what was idle, waited for a disk, or was stolen by a hypervisor. It is told in units
//! of 10 ms as a rule, so only long stretches can be told from it.
//!
//! <https://man7.org/linux/man-pages/man5/proc_stat.5.html>

use super::monotonic_ns;
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

    /// Nanoseconds since some time before this process; only differences mean anything.
    pub(crate) fn read_ns(self) -> Option<u64> {
        let now_ns = monotonic_ns();
        let away = self.away()?;
        Some((now_ns * away.cpus).saturating_sub(away.ticks.saturating_mul(tick_ns())))
    }

    /// The same of what a hypervisor gave to others while somebody wanted it, of one CPU on average.
    pub(crate) fn stolen_ns(self) -> Option<u64> {
        let away = self.away()?;
        Some(away.stolen.saturating_mul(tick_ns()) / away.cpus)
    }

    /// How wrong the time between two readings is at most as a rule: a tick of each CPU.
    pub(crate) fn grain_ns(self) -> Option<u64> {
        Some(self.cpus()?.saturating_mul(tick_ns()))
    }

    /// How many there are.
    pub(crate) fn cpus(self) -> Option<u64> {
        Some(self.away()?.cpus)
    }

    fn away(self) -> Option<Away> {
        away(&read::head(STAT, STAT_BYTES).ok()?, self.cpu)
    }
}

fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// The time in which CPUs did nothing.
#[derive(Debug, PartialEq, Eq)]
struct Away {
    cpus: u64,
    /// Of all of them together.
    ticks: u64,
    /// Of those, what a hypervisor took.
    stolen: u64,
}

/// Of one CPU, or of all: the ticks of `idle iowait steal`.
fn away(stat: &str, cpu: Option<usize>) -> Option<Away> {
    let wanted = |number: usize| cpu.is_none_or(|cpu| cpu == number);
    let mut away = Away { cpus: 0, ticks: 0, stolen: 0 };
    for line in stat.lines() {
        let mut words = line.split_ascii_whitespace();
        let number = words.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok());
        if !number.is_some_and(wanted) {
            continue;
        }
        let ticks: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
        let [_user, _nice, _system, idle, iowait, _irq, _softirq, steal] = *ticks.as_slice() else {
            return None;
        };
        away.cpus += 1;
        away.ticks += idle + iowait + steal;
        away.stolen += steal;
    }
    (away.cpus > 0).then_some(away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_is_idle_waiting_for_a_disk_and_stolen() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 5 5 5 5 5 5 5 5 5 5\ncpu10 1 2 4 1000 2000 8 16 4000 0 0\nintr 5\n";
        assert_eq!(away(stat, Some(10)), Some(Away { cpus: 1, ticks: 7000, stolen: 4000 }));
        assert_eq!(away(stat, Some(0)), Some(Away { cpus: 1, ticks: 15, stolen: 5 }));
        assert_eq!(away(stat, None), Some(Away { cpus: 2, ticks: 7015, stolen: 4005 }), "of all");
        assert_eq!(away(stat, Some(1)), None);
        assert_eq!(away("cpu0 1 2 3\n", Some(0)), None);
    }
}
