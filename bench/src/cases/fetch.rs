//! Fetch: what sending costs, in large pieces and in small ones.

use std::time::Instant;

use anyhow::{Result, ensure};
use pagewire_lab::drive::client::Connection;
use pagewire_lab::drive::process;

use super::produce;
use crate::{broker::Broker, client};

/// The hot set: written once, read over and over.
const HOT_MIB: u64 = 256;
const LARGE: i32 = 1 << 20;
const SMALL: i32 = 16 << 10;
const LARGE_TOPIC: &str = "bench-1m";
const SMALL_TOPIC: &str = "bench-16";
/// Small fetches in one round.
const SMALL_REQUESTS: u64 = 20_000;
/// Records of 1 KiB in the batches of each topic.
const LARGE_BATCH: usize = 64;
const SMALL_BATCH: usize = 15;

pub(super) fn large(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    let mut reader = Reader::new(broker, LARGE_TOPIC, LARGE_BATCH)?;
    let (cpu, started) = (process::cpu(broker.pid)?, Instant::now());
    let mut bytes = 0;
    while bytes < mib << 20 {
        bytes += reader.fetch(LARGE)?;
    }
    let (cpu, took) = (process::cpu(broker.pid)?.saturating_sub(cpu), started.elapsed());
    let gib = bytes as f64 / f64::from(1 << 30);
    let resident_mib = process::memory(broker.pid)?.resident_mib;
    Ok(vec![cpu.as_secs_f64() / gib, gib * 1024.0 / took.as_secs_f64(), resident_mib])
}

pub(super) fn small(broker: &Broker, _mib: u64) -> Result<Vec<f64>> {
    let mut reader = Reader::new(broker, SMALL_TOPIC, SMALL_BATCH)?;
    let (cpu, started) = (process::cpu(broker.pid)?, Instant::now());
    for _ in 0..SMALL_REQUESTS {
        reader.fetch(SMALL)?;
    }
    let (cpu, took) = (process::cpu(broker.pid)?.saturating_sub(cpu), started.elapsed());
    let per = 1e6 / SMALL_REQUESTS as f64;
    Ok(vec![cpu.as_secs_f64() * per, took.as_secs_f64() * per])
}

/// Reads a topic in a circle.
struct Reader {
    connection: Connection,
    topic: &'static str,
    offset: i64,
    end: i64,
}

impl Reader {
    /// Fills the topic if nobody did.
    fn new(broker: &Broker, topic: &'static str, records: usize) -> Result<Self> {
        client::create_topic(broker, topic)?;
        let (mut frame, bytes) = client::frame(topic, records)?;
        let batches = (HOT_MIB << 20) / bytes;
        let end = batches as i64 * records as i64;
        let mut connection = client::open(broker.address)?;
        let is_full = |connection: &mut Connection| client::fetch(connection, topic, end - 1, 1, 0).is_ok();
        if broker.bare || !is_full(&mut connection) {
            produce::send(&mut connection, &mut frame, batches)?;
        }
        Ok(Self { connection, topic, offset: 0, end })
    }

    fn fetch(&mut self, max_bytes: i32) -> Result<u64> {
        let got = client::fetch(&mut self.connection, self.topic, self.offset, max_bytes, 500)?;
        ensure!(got.records > 0, "fetch at {}: no whole batch in {} bytes", self.offset, got.bytes);
        self.offset = if got.next >= self.end { 0 } else { got.next };
        Ok(got.bytes)
    }
}
