//! Small fetches of what is in the page cache, at a steady rate: each counts from when it was due to its answer.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use pagewire_lab::drive::Latencies;

use super::pace::{self, Pace};
use crate::client;

const PACE: Pace = Pace { per_second: 1000, seconds: 5 };
/// Batches of 16 KiB.
const BATCHES: u64 = 64;
const RECORDS: usize = 16;

/// Who is asked, and for what.
pub(super) struct Fetches {
    address: SocketAddr,
    topic: &'static str,
    first: i64,
}

impl Fetches {
    /// Writes what is fetched.
    pub(super) fn fill(address: SocketAddr, topic: &'static str) -> Result<Self> {
        let mut connection = client::open(address)?;
        let (mut frame, _) = client::frame(topic, RECORDS)?;
        connection.produce(&mut frame, 0)?;
        let first = connection.produced(&frame, 0)?;
        client::send(&mut connection, &mut frame, BATCHES - 1)?;
        Ok(Self { address, topic, first })
    }

    pub(super) fn run(&self) -> Result<Latencies> {
        pace::wake_exactly();
        let (mut connection, mut latencies) = (client::open(self.address)?, Latencies::default());
        let offsets = (self.first..).step_by(RECORDS).take(BATCHES as usize).cycle();
        for (due, offset) in PACE.dues(pace::start()).zip(offsets) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let got = client::fetch(&mut connection, self.topic, offset, 1, 0)?;
            latencies.record(Instant::now().saturating_duration_since(due));
            ensure!(got.records > 0, "there is nothing at offset {offset} of {}", self.topic);
        }
        Ok(latencies)
    }
}
