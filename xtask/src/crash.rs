//! Crashes by the seed: the crash tests of the log, as many as one likes, on all cores and with optimisation.
//!
//! The test itself tells every few seconds how far it is and which seeds failed, and at the end what they covered; it
//! works in memory and leaves nothing, so it may be interrupted at any time.

use std::path::Path;

use anyhow::Result;

use crate::{report::Outcome, run::ignored_of_the_log};

/// Runs the seeds `from..from + seeds`. `Ok(false)`: some failed; each was printed with the command that repeats it.
pub(crate) fn run(root: &Path, seeds: u64, from: u64) -> Result<bool> {
    let step = ignored_of_the_log(root, "crash", "in_bulk")
        .env("PAGEWIRE_CRASH_SEEDS", &seeds.to_string())
        .env("PAGEWIRE_CRASH_FROM", &from.to_string())
        .env("RUST_BACKTRACE", "0");
    Ok(step.run()? == Outcome::Passed)
}
