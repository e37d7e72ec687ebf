//! What the conformance driver has fetched of other clients and brokers, which is the bench's too.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// Where the driver leaves it, from cargo's target folder.
const FOLDER: &str = "conformance";

/// What lies at `path` of its folder once `suite` was prepared.
pub(crate) fn found(path: &str, suite: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).context("this program lies in no target folder")?;
    let found = target.join(FOLDER).join(path);
    ensure!(
        found.exists(),
        "{} is missing: cargo run -p pagewire-conformance -- {suite} --prepare-only",
        found.display()
    );
    Ok(found)
}
