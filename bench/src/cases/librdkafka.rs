//! librdkafka's producer on every broker: the one that the conformance suites use, called from Python, which is the client's
//! cost alone.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::Turn;
use super::real::{Producer, RECORD_BYTES, SETTINGS};
use crate::prepared;

const PROGRAM: &str = include_str!("librdkafka.py");
const TOPIC: &str = "bench-librdkafka";
/// As `producer-perf` has it: latencies hold the time in which 32 MiB of records wait.
const QUEUE: &str = "queue.buffering.max.kbytes=32768";
/// What it is, and what Python calls it by.
const ASKED: &str = "import confluent_kafka as c; \
                     print(f'{c.libversion()[0]}, confluent-kafka {c.__version__}')";

/// A Python that has it.
fn python() -> Result<Command> {
    Ok(Command::new(prepared::found("python/venv/bin/python", "librdkafka")?))
}

pub(super) fn can_be_had() -> Result<()> {
    version().map(|_| ())
}

/// Its version, and that of what it is called by.
pub(crate) fn version() -> Result<String> {
    let asked = python()?.args(["-c", ASKED]).stdin(Stdio::null()).output()?;
    ensure!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr).trim_end());
    Ok(String::from_utf8_lossy(&asked.stdout).trim_end().to_owned())
}

pub(super) fn run(turn: &Turn<'_>) -> Result<Vec<f64>> {
    Producer { topic: TOPIC, command, figures }.run(turn)
}

fn command(bootstrap: &str, records: u64) -> Result<Command> {
    let mut program = python()?;
    program
        .args(["-c", PROGRAM, bootstrap, TOPIC])
        .args([records.to_string(), RECORD_BYTES.to_string()])
        .args(SETTINGS)
        .arg(QUEUE);
    Ok(program)
}

/// What the program tells, in the order of the columns behind the costs.
fn figures(text: &str) -> Option<Vec<f64>> {
    let told: serde_json::Value = serde_json::from_str(text).ok()?;
    let figure = |key| told.get(key)?.as_f64();
    ["records_per_s", "avg_ms", "p50_ms", "p99_ms", "p99.9_ms", "max_ms"].into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::super::real::TOLD;
    use super::*;

    #[test]
    fn the_programs_line_is_read_in_the_order_of_the_columns() {
        let text = r#"{"records_per_s": 99.5, "avg_ms": 1.5, "p99_ms": 3.0, "p50_ms": 1.0, "p99.9_ms": 4, "max_ms": 20.0}"#;
        assert_eq!(figures(text).unwrap(), [99.5, 1.5, 1.0, 3.0, 4.0, 20.0]);
        assert_eq!(figures(text).unwrap().len(), TOLD);
        assert_eq!(
            figures(&text.replace("p99.9_ms", "p999_ms")),
            None,
            "a figure that is missing is no other one"
        );
        assert_eq!(figures("no figures"), None);
    }
}
