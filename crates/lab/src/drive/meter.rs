//! What a round cost: CPU of the broker, of the client and of the whole machine, memory, bytes from the disk, beside what it
//! achieved. Nothing that it looks at costs the broker anything meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::broker::Broker;
use super::load::race::Lap;
use super::process::{self, KernelThreads};
use super::steal::Steal;
use crate::measure::gauge::CpuBusy;

/// Figures of one round by name; names end in their unit.
pub(super) type Figures = BTreeMap<&'static str, f64>;

/// A measurement that has begun.
#[derive(Debug)]
pub(super) struct Meter {
    /// The broker's process, its CPU and what it had read from disks.
    broker: Option<(u32, Duration, Option<u64>)>,
    client: Duration,
    machine: MachineCpu,
    kernel: KernelThreads,
    steal: Steal,
}

impl Meter {
    /// Begins. The other brokers' own CPU is not this one's cost.
    pub(super) fn start(broker: &Broker, others: &[u32]) -> Result<Self> {
        if let Some(pid) = broker.pid().filter(|_| broker.forgets_peak) {
            process::forget_peak(pid);
        }
        let of = |pid| Ok::<_, anyhow::Error>((pid, process::cpu(pid)?, process::read_from_disk(pid)));
        Ok(Self {
            broker: broker.pid().map(of).transpose()?,
            client: process::own_cpu(),
            kernel: KernelThreads::start(),
            machine: MachineCpu::start(others),
            steal: Steal::start(),
        })
    }

    /// Ends: the figures of what was done meanwhile. What was written in it is `to_sync`, at the machine's cost.
    pub(super) fn stop(self, lap: &Lap, to_sync: bool) -> Result<Figures> {
        let client = process::own_cpu().saturating_sub(self.client);
        let mut figures = achieved(lap);
        cost(&mut figures, lap, client, &CLIENT);
        let machine = self.machine.since();
        if let Some((cpu, others)) = machine {
            cost(&mut figures, lap, cpu, &MACHINE);
            insert(&mut figures, "others_cpu_cores", others.as_secs_f64() / lap.seconds);
        }
        if let Some(share) = self.steal.share().filter(|share| *share > 0.0) {
            insert(&mut figures, "stolen_cpu_share", share);
        }
        if let Some((pid, cpu, disk)) = self.broker {
            let cpu = process::cpu(pid)?.saturating_sub(cpu);
            cost(&mut figures, lap, cpu, &BROKER);
            let known = [client, cpu, self.kernel.since()];
            let grain = CpuBusy::whole_machine().grain_ns().map(Duration::from_nanos);
            let left = |(all, _): (Duration, Duration)| elsewhere(all, &known, grain?);
            if let Some(elsewhere) = machine.and_then(left) {
                insert(&mut figures, "elsewhere_cpu_cores", elsewhere.as_secs_f64() / lap.seconds);
            }
            let memory = process::memory(pid)?;
            figures.insert("rss_mib", memory.resident_mib);
            figures.insert("peak_rss_mib", memory.peak_mib);
            if let (Some(before), Some(after)) = (disk, process::read_from_disk(pid)) {
                let read = after.saturating_sub(before) as f64;
                insert(&mut figures, "disk_bytes_per_byte", read / lap.bytes as f64);
            }
        }
        if to_sync {
            rustix::fs::sync();
            if let Some((cpu, _)) = self.machine.since() {
                let seconds = cpu.as_secs_f64();
                insert(&mut figures, "synced_cpu_s_per_gb", seconds / (lap.bytes as f64 / 1e9));
                insert(&mut figures, "synced_cpu_us_per_record", seconds * 1e6 / lap.records as f64);
            }
        }
        Ok(figures)
    }
}

/// What all CPUs did for whomever, but the other brokers.
#[derive(Debug)]
pub(super) struct MachineCpu {
    /// Where it can be seen.
    busy_ns: Option<u64>,
    /// The others' processes, and their CPU.
    others: Vec<(u32, Duration)>,
}

impl MachineCpu {
    pub(super) fn start(others: &[u32]) -> Self {
        let of = |pid: &u32| Some((*pid, process::cpu(*pid).ok()?));
        Self { others: others.iter().filter_map(of).collect(), busy_ns: CpuBusy::whole_machine().read_ns() }
    }

    /// Since it began: without the other brokers, and what these had.
    pub(super) fn since(&self) -> Option<(Duration, Duration)> {
        let after = CpuBusy::whole_machine().read_ns()?;
        let spent = |(pid, before): &(u32, Duration)| Some((*before, process::cpu(*pid).ok()?));
        Some(parted((self.busy_ns?, after), self.others.iter().filter_map(spent)))
    }
}

/// From one reading to the next: what the machine did without the other brokers, and what these did.
fn parted(
    (before, after): (u64, u64),
    others: impl Iterator<Item = (Duration, Duration)>,
) -> (Duration, Duration) {
    let all = Duration::from_nanos(after.saturating_sub(before));
    let others = others.map(|(before, after)| after.saturating_sub(before)).sum();
    (all.saturating_sub(others), others)
}

/// What is left of the machine's CPU without that of these, if it is more than the machine's clock may be wrong.
fn elsewhere(machine: Duration, known: &[Duration], grain: Duration) -> Option<Duration> {
    let left = machine.saturating_sub(known.iter().sum::<Duration>() + grain);
    (!left.is_zero()).then_some(left)
}

/// Names of what CPU time comes to: per GB, per record, per request, per second.
struct Names {
    s_per_gb: &'static str,
    us_per_record: &'static str,
    us_per_request: &'static str,
    cores: &'static str,
}

const BROKER: Names = Names {
    s_per_gb: "cpu_s_per_gb",
    us_per_record: "cpu_us_per_record",
    us_per_request: "cpu_us_per_request",
    cores: "cpu_cores",
};
const CLIENT: Names = Names {
    s_per_gb: "client_cpu_s_per_gb",
    us_per_record: "client_cpu_us_per_record",
    us_per_request: "client_cpu_us_per_request",
    cores: "client_cpu_cores",
};
const MACHINE: Names = Names {
    s_per_gb: "machine_cpu_s_per_gb",
    us_per_record: "machine_cpu_us_per_record",
    us_per_request: "machine_cpu_us_per_request",
    cores: "machine_cpu_cores",
};

fn achieved(lap: &Lap) -> Figures {
    let mut figures = Figures::new();
    insert(&mut figures, "mb_per_s", lap.bytes as f64 / 1e6 / lap.seconds);
    insert(&mut figures, "records_per_s", lap.records as f64 / lap.seconds);
    insert(&mut figures, "requests_per_s", lap.requests as f64 / lap.seconds);
    insert(&mut figures, "round_s", lap.seconds);
    insert(&mut figures, "round_requests", lap.requests as f64);
    figures
}

fn cost(figures: &mut Figures, lap: &Lap, cpu: Duration, names: &Names) {
    let seconds = cpu.as_secs_f64();
    insert(figures, names.s_per_gb, seconds / (lap.bytes as f64 / 1e9));
    insert(figures, names.us_per_record, seconds * 1e6 / lap.records as f64);
    insert(figures, names.us_per_request, seconds * 1e6 / lap.requests as f64);
    insert(figures, names.cores, seconds / lap.seconds);
}

/// Leaves out what is no number: of nothing there is no cost.
pub(super) fn insert(figures: &mut Figures, name: &'static str, value: f64) {
    if value.is_finite() {
        figures.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::testing;

    #[test]
    fn cost_is_per_gb_per_request_and_per_second() {
        let lap = Lap { seconds: 2.0, bytes: 500_000_000, records: 1000, requests: 100, ..Lap::default() };
        let mut figures = achieved(&lap);
        cost(&mut figures, &lap, Duration::from_millis(100), &BROKER);
        for (name, expected) in [
            ("mb_per_s", 250.0),
            ("records_per_s", 500.0),
            ("requests_per_s", 50.0),
            ("round_s", 2.0),
            ("round_requests", 100.0),
            ("cpu_s_per_gb", 0.2),
            ("cpu_us_per_record", 100.0),
            ("cpu_us_per_request", 1000.0),
            ("cpu_cores", 0.05),
        ] {
            assert!((figures[name] - expected).abs() < 1e-9, "{name}: {}", figures[name]);
        }
    }

    #[test]
    fn what_the_other_brokers_do_is_not_the_machines_cost() {
        let ms = Duration::from_millis;
        let others = [(ms(100), ms(350)), (ms(0), ms(50))];
        let machine = (1_000_000_000, 1_500_000_000);
        assert_eq!(parted(machine, others.into_iter()), (ms(200), ms(300)));
        // The machine is told in ticks, and may be behind them.
        assert_eq!(parted((0, 0), others.into_iter()), (ms(0), ms(300)));
        let gone = u32::MAX;
        let watched = MachineCpu::start(&[gone, std::process::id()]).others;
        assert_eq!(watched.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [std::process::id()]);
    }

    #[test]
    fn what_nobody_who_is_known_did_is_somebody_elses_as_far_as_ticks_tell() {
        let (second, grain) = (Duration::from_secs(1), Duration::from_millis(20));
        let left = |machine| elsewhere(machine, &[second, second], grain);
        assert_eq!(left(second * 3 + grain), Some(second));
        assert_eq!([left(second * 2 + grain), left(second)], [None; 2], "never negative");
    }

    #[test]
    fn a_round_that_is_measured_counts_no_calls() {
        let own = Broker { process: Ok(std::process::id()), ..testing::broker("own") };
        let meter = Meter::start(&own, &[]).unwrap();
        let lap = Lap { seconds: 1.0, records: 1, requests: 1, ..Lap::default() };
        let figures = meter.stop(&lap, false).unwrap();
        assert!(figures.contains_key("cpu_us_per_request"), "{figures:?}");
        assert!(figures.keys().all(|name| !name.contains("syscalls")), "{figures:?}");
    }

    #[test]
    fn nothing_has_no_cost() {
        let mut figures = achieved(&Lap::default());
        cost(&mut figures, &Lap::default(), Duration::from_millis(1), &CLIENT);
        assert!(!figures.contains_key("client_cpu_s_per_gb") && !figures.contains_key("mb_per_s"));
    }
}
