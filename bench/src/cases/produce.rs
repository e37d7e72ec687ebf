//! Produce throughput: what a GiB of records costs the broker.

use std::time::Instant;

use anyhow::Result;

use crate::{broker::Broker, client, client::Connection, process};

/// Requests in flight.
const WINDOW: u64 = 5;
/// 64 records of 1 KiB.
const RECORDS: usize = 64;
const VALUE_LEN: usize = 1024;
pub(super) const TOPIC: &str = "bench-64";

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    let mut connection = Connection::open(broker.address)?;
    if !broker.bare {
        connection.create_topic(TOPIC)?;
    }
    let batch = client::batch(RECORDS, VALUE_LEN)?;
    let requests = (mib << 20) / batch.len() as u64;
    let (cpu, started) = (process::cpu(broker.pid)?, Instant::now());
    send(&mut connection, TOPIC, batch.clone(), requests)?;
    let (cpu, took) = (process::cpu(broker.pid)?.saturating_sub(cpu), started.elapsed());
    let gib = (requests * batch.len() as u64) as f64 / f64::from(1 << 30);
    Ok(vec![cpu.as_secs_f64() / gib, gib * 1024.0 / took.as_secs_f64(), process::resident_mib(broker.pid)?])
}

/// Sends `requests` batches with a window and reads every answer.
pub(super) fn send(
    connection: &mut Connection,
    topic: &'static str,
    batch: bytes::Bytes,
    requests: u64,
) -> Result<()> {
    let mut frame = client::produce_frame(topic, batch, 1)?;
    let mut sent = 0;
    for answered in 0..requests {
        while sent < requests && sent < answered + WINDOW {
            let at = client::CORRELATION_AT;
            frame[at..at + 4].copy_from_slice(&(sent as u32).to_be_bytes());
            connection.send(&frame)?;
            sent += 1;
        }
        let answer = connection.receive()?;
        anyhow::ensure!(answer[..4] == (answered as u32).to_be_bytes(), "answers out of order");
    }
    Ok(())
}
