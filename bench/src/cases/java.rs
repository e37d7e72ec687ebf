//! Kafka's own producer, as its `kafka-producer-perf-test.sh` runs it, on every broker.

use std::process::Command;

use anyhow::Result;

use super::Turn;
use super::real::{Producer, RECORD_BYTES, SETTINGS};
use crate::kafka;

const TOOL: &str = "org.apache.kafka.tools.ProducerPerformance";
const TOPIC: &str = "bench-java";

pub(super) fn can_be_had() -> Result<()> {
    kafka::command(TOOL).map(|_| ())
}

pub(super) fn run(turn: &Turn<'_>) -> Result<Vec<f64>> {
    Producer { topic: TOPIC, command, figures }.run(turn)
}

fn command(bootstrap: &str, records: u64) -> Result<Command> {
    let mut tool = kafka::command(TOOL)?;
    tool.args(["--topic", TOPIC, "--throughput", "-1"])
        .args(["--num-records", &records.to_string(), "--record-size", &RECORD_BYTES.to_string()])
        .args(["--producer-props", &format!("bootstrap.servers={bootstrap}")])
        .args(SETTINGS);
    Ok(tool)
}

/// Records a second, then latencies in ms: on average, of 50 %, of 99 %, of 99.9 %, at most. The last line is `1000 records sent,
/// 99.5 records/sec (0.10 MB/sec), 1.50 ms avg latency, 20.00 ms max latency, 1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.`
fn figures(text: &str) -> Option<Vec<f64>> {
    let line = text.lines().rev().find(|line| line.contains("99.9th"))?;
    let before = |what: &str| line.split_once(what)?.0.rsplit([' ', ',']).next()?.parse::<f64>().ok();
    [" records/sec", " ms avg latency", " ms 50th", " ms 99th", " ms 99.9th", " ms max latency"]
        .into_iter()
        .map(before)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::real::TOLD;
    use super::*;

    #[test]
    fn the_tools_last_line_is_read() {
        let text = "500 records sent, 9.0 records/sec (0.01 MB/sec), 9.0 ms avg latency, 9.0 ms max latency.\n\
                    1000 records sent, 99.5 records/sec (0.10 MB/sec), 1.50 ms avg latency, 20.00 ms max latency, \
                    1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.\n";
        let told = figures(text).unwrap();
        assert_eq!(told, [99.5, 1.5, 1.0, 3.0, 4.0, 20.0]);
        assert_eq!(told.len(), TOLD);
        assert_eq!(figures("no figures"), None);
    }
}
