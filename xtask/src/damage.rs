//! Damage by the bit: what the damage tests of the log leave to those who have minutes.

use std::path::Path;

use anyhow::Result;

use crate::{report::Outcome, run::cargo};

const TEST: &[&str] = &[
    "test",
    "--release",
    "--quiet",
    "--package",
    "pagewire-log",
    "--test",
    "damage",
    "--",
    "every",
    "--ignored",
    "--nocapture",
];

/// Runs all of them. `Ok(false)`: something was served that should not have been, or is not told.
pub(crate) fn run(root: &Path) -> Result<bool> {
    Ok(cargo(root, TEST).env("RUST_BACKTRACE", "0").run()? == Outcome::Passed)
}
