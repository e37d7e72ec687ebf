//! The clock source: reading the time is on every request's way, and a slow source makes it a system call.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::finding::Finding;
use crate::{Plan, read, words};

/// Readings that are timed together.
const READINGS: u32 = 1_000;
/// A reading that takes longer went through the kernel.
const READING_MAX: Duration = Duration::from_nanos(250);
const DIR: &str = "/sys/devices/system/clocksource/clocksource0";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    current: Option<String>,
    available: Option<String>,
    /// One reading; the fastest of some rounds, since other work slows a round down and nothing speeds it up.
    reading: Duration,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let file = |name: &str| read::text(format!("{DIR}/{name}")).ok();
    let facts = Facts {
        current: file("current_clocksource"),
        available: file("available_clocksource"),
        reading: (0..8).map(|_| round()).min().unwrap_or_default(),
    };
    vec![judge(&facts)]
}

fn round() -> Duration {
    let begin = Instant::now();
    for _ in 0..READINGS {
        black_box(Instant::now());
    }
    begin.elapsed() / READINGS
}

fn judge(facts: &Facts) -> Finding {
    let current = facts.current.as_deref().unwrap_or("a source that /sys does not name");
    let mut found = format!("{current}, {} a reading", words::time(facts.reading));
    if facts.reading <= READING_MAX {
        return Finding::ok("clock source", found);
    }
    if let Some(available) = &facts.available {
        found = format!("{found}; there are {available}");
    }
    let others = facts.available.as_deref().unwrap_or_default().split_whitespace();
    let advice = match others.filter(|name| *name != current).find(|name| is_fast(name)) {
        Some(better) => format!(
            "every look at the time is a system call: echo {better} > {DIR}/current_clocksource, if the kernel \
             did not give it up for a reason (dmesg | grep -i clocksource)"
        ),
        None => "every look at the time is a system call; ask the host for a stable tsc".to_owned(),
    };
    Finding::better("clock source", found, advice)
}

/// Sources that are read without the kernel.
fn is_fast(name: &str) -> bool {
    matches!(name, "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_cost_of_a_reading_decides_not_the_name() {
        let fast = Facts {
            current: Some("hpet".to_owned()),
            available: Some("tsc hpet acpi_pm".to_owned()),
            reading: Duration::from_nanos(30),
        };
        assert_eq!(judge(&fast).state, State::Ok);
        let slow = judge(&Facts { reading: Duration::from_micros(1), ..fast });
        assert!(slow.state == State::CouldBeBetter && slow.advice.contains("echo tsc"), "{slow:?}");
    }
}
