//! Damage by the bit: what the damage tests of the log leave to those who have minutes.

use std::path::Path;

use anyhow::Result;

use crate::{report::Outcome, run::ignored_of_the_log};

/// Runs all of them. `Ok(false)`: something was served that should not have been, or is not told.
pub(crate) fn run(root: &Path) -> Result<bool> {
    Ok(ignored_of_the_log(root, "damage", "every").env("RUST_BACKTRACE", "0").run()? == Outcome::Passed)
}
