//! Transactions by the seed: the part `transactions`, as many rounds of it as one likes. It may be interrupted at any
//! time.

use std::path::Path;

use anyhow::Result;

use crate::{
    parts::{driver, target},
    report::Outcome,
    run::cargo,
};

/// Lives through the seeds `from..from + seeds`. `Ok(false)`: some failed; where the ledger of each lies was printed.
pub(crate) fn run(root: &Path, seeds: u64, from: u64, on_kafka: bool) -> Result<bool> {
    let built = cargo(root, &["build", "--release"]).run()?;
    let binary = target(root).join("release/pagewire").display().to_string();
    let mut words = vec!["transactions", "--binary", &binary];
    words.extend(on_kafka.then_some("--on-kafka"));
    let step = driver(root, &words)
        .env("CONFORMANCE_SEEDS", &seeds.to_string())
        .env("CONFORMANCE_FROM", &from.to_string());
    Ok(built == Outcome::Passed && step.run()? == Outcome::Passed)
}
