//! Kafka's own producer, as its `kafka-producer-perf-test.sh` runs it, on every broker.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use pagewire_lab::drive::client::topic;
use pagewire_lab::drive::process;

use crate::report::Name;
use crate::{broker::Broker, client, kafka};

const TOOL: &str = "org.apache.kafka.tools.ProducerPerformance";
const TOPIC: &str = "bench-java";
const RECORD_BYTES: u64 = 1024;
const SETTINGS: [&str; 3] = ["acks=all", "enable.idempotence=true", "linger.ms=0"];

pub(super) const COLUMNS: &[Name] = &["CPU s/GB", "records/s", "avg ms", "p99 ms", "p99.9 ms", "max ms"];

pub(super) fn can_be_had() -> Result<()> {
    kafka::command(TOOL).map(|_| ())
}

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    client::create_topic(broker.address, TOPIC)?;
    let records = (mib << 20) / RECORD_BYTES;
    let bootstrap = format!("bootstrap.servers={}", broker.address);
    let mut tool = kafka::command(TOOL)?;
    tool.args(["--topic", TOPIC, "--throughput", "-1"])
        .args(["--num-records", &records.to_string(), "--record-size", &RECORD_BYTES.to_string()])
        .args(["--producer-props", &bootstrap])
        .args(SETTINGS)
        .stdin(Stdio::null());
    let cpu = process::cpu(broker.pid)?;
    let told = tool.output().context("java cannot be run")?;
    let cpu = process::cpu(broker.pid)?.saturating_sub(cpu);
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    topic::delete(&client::dial(), broker.address, TOPIC)?;
    let text = String::from_utf8_lossy(&told.stdout);
    let figures = figures(&text).with_context(|| format!("not its last line: {text}"))?;
    let gb = (records * RECORD_BYTES) as f64 / 1e9;
    Ok([vec![cpu.as_secs_f64() / gb], figures].concat())
}

/// Records a second, then latencies in ms: on average, of 99 %, of 99.9 %, at most. The last line is `1000 records sent, 99.5
/// records/sec (0.10 MB/sec), 1.50 ms avg latency, 20.00 ms max latency, 1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.`
fn figures(text: &str) -> Option<Vec<f64>> {
    let line = text.lines().rev().find(|line| line.contains("99.9th"))?;
    let before = |what: &str| line.split_once(what)?.0.rsplit([' ', ',']).next()?.parse::<f64>().ok();
    [" records/sec", " ms avg latency", " ms 99th", " ms 99.9th", " ms max latency"]
        .into_iter()
        .map(before)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_last_line_is_read() {
        let text = "500 records sent, 9.0 records/sec (0.01 MB/sec), 9.0 ms avg latency, 9.0 ms max latency.\n\
                    1000 records sent, 99.5 records/sec (0.10 MB/sec), 1.50 ms avg latency, 20.00 ms max latency, \
                    1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.\n";
        assert_eq!(figures(text).unwrap(), [99.5, 1.5, 3.0, 4.0, 20.0]);
        assert_eq!(figures("no figures"), None);
    }
}
