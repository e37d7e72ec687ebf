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

/// Builds the release binary and the bench, fetches Kafka and librdkafka where brokers are measured side by side, then runs it.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<bool> {
    let needs = Needs::of(arguments);
    if needs.broker && cargo(root, &["build", "--release"]).run()? != Outcome::Passed {
        return Ok(false);
    }
    if needs.kafka && !passed(parts::driver(root, &["java", "--prepare-only", "--quiet"]))? {
        eprintln!(
            "Apache Kafka could not be fetched by Maven (see above), and nothing was measured: --no-kafka goes without it"
        );
        return Ok(false);
    }
    if needs.librdkafka {
        // Without it one case says what it lacks.
        parts::driver(root, &["librdkafka", "--prepare-only", "--quiet"]).run()?;
    }
    passed(cargo(root, &with(&["run", "--release", "--package", BENCH, "--"], arguments)))
}

/// What the bench wants to be there for what it is asked to do.
#[derive(Debug, PartialEq, Eq)]
struct Needs {
    /// The release binary.
    broker: bool,
    /// Its classes: the rival, and its own producer.
    kafka: bool,
    librdkafka: bool,
}

impl Needs {
    fn of(arguments: &[String]) -> Self {
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        let is = |word: &str| arguments.first().is_some_and(|first| first == word);
        let only_tells = is("page") || ["--list", "--help", "-h"].into_iter().any(has);
        let measures_side_by_side = !only_tells && !is("restart");
        Self {
            broker: !only_tells,
            kafka: measures_side_by_side && !has("--no-kafka"),
            librdkafka: measures_side_by_side,
        }
    }
}

/// The same of the broker and the bench with frame pointers, for a case of the bench.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_has_kafka_and_both_real_clients_unless_it_goes_without_or_measures_nothing_beside_ours() {
        let needs = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            let Needs { broker, kafka, librdkafka } = Needs::of(&words);
            [broker, kafka, librdkafka]
        };
        for words in ["", "produce --rounds 1", "--kafka"] {
            assert_eq!(needs(words), [true; 3], "{words}");
        }
        assert_eq!(needs("--no-kafka"), [true, false, true]);
        assert_eq!(needs("restart partitions"), [true, false, false]);
        for words in ["page run.json", "--list", "--help", "restart --help"] {
            assert_eq!(needs(words), [false; 3], "{words}");
        }
    }
}
