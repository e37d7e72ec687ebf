//! Fetch: what sending costs, in large pieces and in small ones.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::produce;
use crate::{broker::Broker, client, client::Connection, process};

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
    Ok(vec![cpu.as_secs_f64() / gib, gib * 1024.0 / took.as_secs_f64(), process::resident_mib(broker.pid)?])
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

/// Reads a topic of equal batches in a circle.
struct Reader {
    connection: Connection,
    topic: &'static str,
    batch_len: u64,
    batch_records: i64,
    offset: i64,
    end: i64,
}

impl Reader {
    /// Fills the topic if nobody did.
    fn new(broker: &Broker, topic: &'static str, records: usize) -> Result<Self> {
        let mut connection = Connection::open(broker.address)?;
        let batch = client::batch(records, 1024)?;
        let batches = (HOT_MIB << 20) / batch.len() as u64;
        let mut reader = Self {
            batch_len: batch.len() as u64,
            batch_records: records as i64,
            offset: 0,
            end: batches as i64 * records as i64,
            connection: Connection::open(broker.address)?,
            topic,
        };
        if !broker.bare {
            connection.create_topic(topic)?;
        }
        if broker.bare || reader.connection.fetch(topic, reader.end - 1, 1, 0)?.bytes == 0 {
            produce::send(&mut connection, topic, batch, batches)?;
        }
        Ok(reader)
    }

    fn fetch(&mut self, max_bytes: i32) -> Result<u64> {
        let got = self.connection.fetch(self.topic, self.offset, max_bytes, 500)?;
        ensure!(
            got.error == 0 && got.bytes > 0,
            "fetch at {}: error {}, {} bytes",
            self.offset,
            got.error,
            got.bytes
        );
        let whole = (got.bytes as u64 / self.batch_len).max(1);
        self.offset += whole as i64 * self.batch_records;
        if self.offset >= self.end {
            self.offset = 0;
        }
        Ok(got.bytes as u64)
    }
}
