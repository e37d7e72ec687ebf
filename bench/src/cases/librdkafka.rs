//! librdkafka's producer on every broker: the one that the conformance suites use, called from Python, which is the client's
//! cost alone.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use pagewire_lab::drive::client::topic;
use pagewire_lab::drive::process;

use crate::report::Name;
use crate::{broker::Broker, client, prepared};

const PROGRAM: &str = include_str!("librdkafka.py");
const TOPIC: &str = "bench-librdkafka";
const RECORD_BYTES: u64 = 1024;
/// As `producer-perf` has them, its 32 MiB of records that wait included: latencies hold that time.
const SETTINGS: [&str; 4] =
    ["acks=all", "enable.idempotence=true", "linger.ms=0", "queue.buffering.max.kbytes=32768"];

pub(super) const COLUMNS: &[Name] = super::java::COLUMNS;

/// A Python that has it.
fn python() -> Result<Command> {
    Ok(Command::new(prepared::found("python/venv/bin/python", "librdkafka")?))
}

pub(super) fn can_be_had() -> Result<()> {
    let asked = python()?.args(["-c", "import confluent_kafka"]).stdin(Stdio::null()).output()?;
    ensure!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr).trim_end());
    Ok(())
}

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    client::create_topic(broker.address, TOPIC)?;
    let records = (mib << 20) / RECORD_BYTES;
    let mut program = python()?;
    program
        .args(["-c", PROGRAM, &broker.address.to_string(), TOPIC])
        .args([records.to_string(), RECORD_BYTES.to_string()])
        .args(SETTINGS)
        .stdin(Stdio::null());
    let cpu = process::cpu(broker.pid)?;
    let told = program.output().context("python cannot be run")?;
    let cpu = process::cpu(broker.pid)?.saturating_sub(cpu);
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    topic::delete(&client::dial(), broker.address, TOPIC)?;
    let text = String::from_utf8_lossy(&told.stdout);
    let figures = figures(&text).with_context(|| format!("not its line: {text}"))?;
    let gib = (records * RECORD_BYTES) as f64 / f64::from(1 << 30);
    Ok([vec![cpu.as_secs_f64() / gib], figures].concat())
}

/// What the program tells, in the order of the columns behind the CPU.
fn figures(text: &str) -> Option<Vec<f64>> {
    let told: serde_json::Value = serde_json::from_str(text).ok()?;
    let figure = |key| told.get(key)?.as_f64();
    ["records_per_s", "avg_ms", "p99_ms", "p99.9_ms", "max_ms"].into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_line_is_read_in_the_order_of_the_columns() {
        let text = r#"{"records_per_s": 99.5, "avg_ms": 1.5, "p99_ms": 3.0, "p99.9_ms": 4, "max_ms": 20.0}"#;
        assert_eq!(figures(text).unwrap(), [99.5, 1.5, 3.0, 4.0, 20.0]);
        assert_eq!(figures(text).unwrap().len() + 1, COLUMNS.len());
        assert_eq!(
            figures(&text.replace("p99.9_ms", "p999_ms")),
            None,
            "a figure that is missing is no other one"
        );
        assert_eq!(figures("no figures"), None);
    }
}
