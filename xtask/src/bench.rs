//! Building what is measured, and running the bench on it.

use std::path::Path;

use anyhow::Result;

use crate::parts;
use crate::report::Outcome;
use crate::run::{Step, cargo};

const BENCH: &str = "pagewire-bench";
/// The cargo profile of what is profiled.
const PROFILING: &str = "profiling";
/// Without them no stack can be walked.
const FRAME_POINTERS: &str = "-C force-frame-pointers=yes";

/// Builds the release binary and the bench, fetches Kafka and librdkafka if Kafka is wanted, then runs it.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<bool> {
    if cargo(root, &["build", "--release"]).run()? != Outcome::Passed {
        return Ok(false);
    }
    let wants_kafka = arguments.iter().any(|argument| argument == "--kafka");
    if wants_kafka && !passed(parts::driver(root, &["java", "--prepare-only", "--quiet"]))? {
        eprintln!(
            "Apache Kafka could not be fetched, and nothing was measured: leave --kafka out to go without it"
        );
        return Ok(false);
    }
    if wants_kafka {
        // Without it one case says what it lacks.
        parts::driver(root, &["librdkafka", "--prepare-only", "--quiet"]).run()?;
    }
    passed(cargo(root, &with(&["run", "--release", "--package", BENCH, "--"], arguments)))
}

/// The same of the broker and the bench with frame pointers, for a load of the bench.
pub(crate) fn profile(root: &Path, arguments: &[String]) -> Result<bool> {
    let build = ["build", "--profile", PROFILING, "--package", "pagewire-cli", "--package", BENCH];
    if cargo(root, &build).env("RUSTFLAGS", FRAME_POINTERS).run()? != Outcome::Passed {
        return Ok(false);
    }
    let run = ["run", "--profile", PROFILING, "--package", BENCH, "--", "profile"];
    passed(cargo(root, &with(&run, arguments)).env("RUSTFLAGS", FRAME_POINTERS))
}

fn passed(step: Step) -> Result<bool> {
    Ok(step.run()? == Outcome::Passed)
}

fn with<'a>(words: &[&'a str], arguments: &'a [String]) -> Vec<&'a str> {
    words.iter().copied().chain(arguments.iter().map(String::as_str)).collect()
}
