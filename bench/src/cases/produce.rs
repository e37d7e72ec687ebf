//! Produce throughput: what a GiB of records costs the broker.

use std::time::Instant;

use anyhow::Result;
use pagewire_lab::drive::client::{Connection, ProduceFrame};
use pagewire_lab::drive::process;

use crate::{broker::Broker, client};

/// Requests in flight.
const WINDOW: i32 = 5;
/// 64 records of 1 KiB.
const RECORDS: usize = 64;
pub(super) const TOPIC: &str = "bench-64";

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    client::create_topic(broker, TOPIC)?;
    let mut connection = client::open(broker.address)?;
    let (mut frame, bytes) = client::frame(TOPIC, RECORDS)?;
    let requests = (mib << 20) / bytes;
    let (cpu, started) = (process::cpu(broker.pid)?, Instant::now());
    send(&mut connection, &mut frame, requests)?;
    let (cpu, took) = (process::cpu(broker.pid)?.saturating_sub(cpu), started.elapsed());
    let gib = (requests * bytes) as f64 / f64::from(1 << 30);
    let resident_mib = process::memory(broker.pid)?.resident_mib;
    Ok(vec![cpu.as_secs_f64() / gib, gib * 1024.0 / took.as_secs_f64(), resident_mib])
}

/// Sends `requests` batches with a window and reads every answer.
pub(super) fn send(connection: &mut Connection, frame: &mut ProduceFrame, requests: u64) -> Result<()> {
    let requests = i32::try_from(requests)?;
    let mut sent = 0;
    for answered in 0..requests {
        while sent < requests && sent < answered + WINDOW {
            connection.produce(frame, sent)?;
            sent += 1;
        }
        connection.produced(frame, answered)?;
    }
    Ok(())
}
