//! Suites that live through as many seeds as one likes. They may be interrupted at any time.

use std::path::Path;

use anyhow::Result;

use crate::{
    parts::{driver, target},
    report::Outcome,
    run::cargo,
};

/// Rounds of transactions. `Ok(false)`: some failed; where the ledger of each lies was printed.
pub(crate) fn transactions(root: &Path, seeds: u64, from: u64, on_kafka: bool) -> Result<bool> {
    let words: &[&str] = if on_kafka { &["--on-kafka"] } else { &[] };
    run(root, "transactions", words, seeds, from)
}

/// Sequences of requests, of these files or of all. `Ok(false)`: somewhere ours differs from Kafka.
pub(crate) fn sequences(root: &Path, seeds: u64, from: u64, files: &[String]) -> Result<bool> {
    let words: Vec<&str> = files.iter().flat_map(|file| ["--case", file]).collect();
    run(root, "sequences", &words, seeds, from)
}

fn run(root: &Path, suite: &str, more: &[&str], seeds: u64, from: u64) -> Result<bool> {
    let built = cargo(root, &["build", "--release"]).run()?;
    let binary = target(root).join("release/pagewire").display().to_string();
    let words = [&[suite, "--binary", &binary], more].concat();
    let step = driver(root, &words)
        .env("CONFORMANCE_SEEDS", &seeds.to_string())
        .env("CONFORMANCE_FROM", &from.to_string());
    Ok(built == Outcome::Passed && step.run()? == Outcome::Passed)
}
