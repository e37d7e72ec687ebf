//! What a hypervisor gave to others of this machine's CPUs while it was measured: a round of which much was stolen is none of
//! a machine that does nothing else.

use std::time::Instant;

use crate::measure::gauge::CpuBusy;

/// The machine being watched.
#[derive(Debug)]
pub struct Steal {
    begun: Instant,
    /// Where it is told.
    ns: Option<u64>,
}

/// More than this share is worth a word.
const MUCH: f64 = 0.01;

impl Steal {
    /// Begins to watch.
    pub fn start() -> Self {
        Self { begun: Instant::now(), ns: CpuBusy::whole_machine().stolen_ns() }
    }

    /// What to say of it, where it was much.
    pub fn words(&self) -> Option<String> {
        words(self.share()?)
    }

    /// The share of the machine's CPU since then.
    pub(super) fn share(&self) -> Option<f64> {
        let ns = CpuBusy::whole_machine().stolen_ns()?.saturating_sub(self.ns?);
        Some(ns as f64 / self.begun.elapsed().as_nanos().max(1) as f64)
    }
}

/// Of such a share, where it is much.
pub(super) fn words(share: f64) -> Option<String> {
    (share > MUCH)
        .then(|| format!("{:.1} % of this machine's CPU was stolen by its hypervisor", share * 100.0))
}
