//! A machine that does nothing else is waited for before anything is measured on it.

use std::thread;
use std::time::{Duration, Instant};

use crate::measure::gauge::CpuBusy;

/// It does nothing when so many looks in a row, each as long, saw less than this share of its CPUs busy.
const LOOKS: usize = 5;
const LOOK: Duration = Duration::from_secs(1);
const BUSY: f64 = 0.05;

/// Waits until this machine does nothing, and no longer than this; says what it waits for. Why it is not known to do nothing,
/// if so.
pub fn wait_for_quiet(patience: Duration, say: impl FnOnce(&str)) -> Option<String> {
    if patience.is_zero() {
        return None;
    }
    say(&format!(
        "waiting until less than {:.0} % of this machine's CPUs is busy for {LOOKS} seconds, up to {} seconds",
        BUSY * 100.0,
        patience.as_secs()
    ));
    let looks = patience.as_nanos() / LOOK.as_nanos();
    wait(usize::try_from(looks).unwrap_or(usize::MAX).max(LOOKS), look)
}

/// With so many looks at most, each of which answers the share of the CPUs that was busy.
fn wait(looks: usize, mut look: impl FnMut() -> Option<f64>) -> Option<String> {
    let mut seen = Vec::new();
    for _ in 0..looks {
        let Some(share) = look() else {
            return Some("whether this machine does something else cannot be seen".to_owned());
        };
        seen.push(share);
        if seen.iter().rev().take_while(|share| **share < BUSY).count() >= LOOKS {
            return None;
        }
    }
    let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
    Some(format!(
        "THE MACHINE WAS NOT IDLE when this began: {:.0} % of its CPUs were busy in the {looks} seconds before",
        mean * 100.0
    ))
}

/// Of the next while.
fn look() -> Option<f64> {
    let machine = CpuBusy::whole_machine();
    let (begun, before) = (Instant::now(), machine.read_ns()?);
    thread::sleep(LOOK);
    let busy = machine.read_ns()?.saturating_sub(before);
    Some(busy as f64 / (begun.elapsed().as_nanos() as f64 * machine.cpus()? as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a wait ends that sees these shares busy one after the other, and how many of them it saw.
    fn waited(shares: &[f64]) -> (Option<String>, usize) {
        let mut left = shares.iter().copied();
        let said = wait(shares.len(), || left.next());
        (said, shares.len() - left.len())
    }

    #[test]
    fn it_goes_on_as_soon_as_nothing_was_done_for_five_looks_in_a_row() {
        assert_eq!(waited(&[0.0; 10]), (None, 5));
        let interrupted = [0.9, 0.0, 0.0, 0.0, 0.0, 0.05, 0.0, 0.04, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(waited(&interrupted), (None, 11));
    }

    #[test]
    fn a_machine_that_is_never_idle_is_said_to_be_busy_with_how_much() {
        let (said, looks) = waited(&[0.5, 0.0, 0.0, 0.0, 0.0, 0.1]);
        let said = said.unwrap();
        assert!(
            said.contains("NOT IDLE") && said.contains(": 10 %") && said.contains("the 6 seconds"),
            "{said}"
        );
        assert_eq!(looks, 6);
    }

    #[test]
    fn a_machine_that_cannot_be_seen_is_not_waited_for() {
        let said = wait(10, || None).unwrap();
        assert!(said.contains("cannot be seen"), "{said}");
        assert_eq!(wait_for_quiet(Duration::ZERO, |said| panic!("{said}")), None);
    }
}
