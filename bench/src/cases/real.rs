//! A producer that other people wrote, in a process of its own: its figures, and what its records cost the broker. Kafka's own
//! and librdkafka's do the same work.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use pagewire_lab::drive::WasBusy;
use pagewire_lab::drive::client::topic;

use super::Turn;
use crate::{client, report::Name};

pub(super) const RECORD_BYTES: u64 = 1024;
/// What both are told.
pub(super) const SETTINGS: [&str; 3] = ["acks=all", "enable.idempotence=true", "linger.ms=0"];
/// One meaning of acks=all for all: what the others mean by it.
pub(super) const CACHED: &[&str] = &["pagewire.acks.all.meaning=page-cache"];

/// What it costs, then what the producer tells.
pub(super) const COLUMNS: &[Name] = &[
    "CPU s/GB",
    "machine's CPU s/GB",
    "system calls/record",
    "peak memory MiB",
    "records/s",
    "avg ms",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
];
/// Of the columns, those that the producer tells.
pub(super) const TOLD: usize = 6;

/// Such a producer.
pub(super) struct Producer {
    pub(super) topic: &'static str,
    /// The command that sends so many records to the broker at this address.
    pub(super) command: fn(bootstrap: &str, records: u64) -> Result<Command>,
    /// What it prints, in the order of the columns.
    pub(super) figures: fn(&str) -> Option<Vec<f64>>,
}

impl Producer {
    pub(super) fn run(&self, turn: &Turn<'_>) -> Result<Vec<f64>> {
        let broker = turn.broker;
        client::create_topic(broker.address, self.topic)?;
        let records = (turn.mib << 20) / RECORD_BYTES;
        let mut command = (self.command)(&broker.address.to_string(), records)?;
        let program = command.get_program().display().to_string();
        let busy = turn.watch(broker.pid)?;
        let told =
            command.stdin(Stdio::null()).output().with_context(|| format!("{program} cannot be run"))?;
        let was = busy.stop()?;
        ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        topic::delete(&client::dial(), broker.address, self.topic)?;
        let text = String::from_utf8_lossy(&told.stdout);
        let figures = (self.figures)(&text).with_context(|| format!("no figures in it: {text}"))?;
        Ok([costs(was, records).to_vec(), figures].concat())
    }
}

/// What so many records cost; no number is none. A GB is 10^9 bytes here as in the loads.
fn costs(was: WasBusy, records: u64) -> [f64; COLUMNS.len() - TOLD] {
    let gb = (records * RECORD_BYTES) as f64 / 1e9;
    let all = |per_s: Option<f64>| per_s.map_or(f64::NAN, |per_s| per_s * was.seconds);
    [
        all(Some(was.cores)) / gb,
        all(was.machine_cores) / gb,
        all(was.calls_per_s) / records as f64,
        was.peak_mib.unwrap_or(f64::NAN),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_by_ten_to_the_ninth_bytes_and_by_record() {
        let was = WasBusy {
            seconds: 2.0,
            cores: 0.5,
            machine_cores: Some(1.5),
            calls_per_s: None,
            peak_mib: Some(7.0),
        };
        let records = 1_000_000_000 / RECORD_BYTES;
        let [cpu, machine, calls, peak] = costs(was, records);
        assert!((cpu - 1.0).abs() < 1e-3 && (machine - 3.0).abs() < 1e-3, "{cpu} {machine}");
        assert!(calls.is_nan(), "what was not counted is none");
        assert!((peak - 7.0).abs() < 1e-9);
        let [.., calls, _] = costs(WasBusy { calls_per_s: Some(1e6), ..was }, 4_000_000);
        assert!((calls - 0.5).abs() < 1e-9, "{calls}");
    }
}
