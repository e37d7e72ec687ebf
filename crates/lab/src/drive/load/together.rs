//! One connection that reads several partitions, all of them in each request.

use std::time::Instant;

use crate::drive::client::{Connection, Error, FetchMany, Result};
use crate::drive::latency::Latencies;

use super::race::Race;

/// How long the broker may wait for records that are there already.
const WAIT_MS: i32 = 500;

/// Reads in circles.
#[derive(Debug)]
pub(super) struct Together {
    pub(super) connection: Connection,
    pub(super) topic: String,
    /// Partitions, and where each goes on.
    pub(super) at: Vec<(i32, i64)>,
    /// Where each ends.
    pub(super) ends: Vec<i64>,
    pub(super) partition_max_bytes: i32,
    pub(super) committed: bool,
}

impl Together {
    /// Reads until the race is over; each partition begins anew at its end.
    pub(super) fn circle(&mut self, race: &Race) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        while !race.is_over() {
            let asked = Instant::now();
            let got = self.connection.fetch_many(&FetchMany {
                topic: &self.topic,
                at: &self.at,
                partition_max_bytes: self.partition_max_bytes,
                wait_ms: WAIT_MS,
                committed: self.committed,
            })?;
            let records = got.iter().map(|one| one.records).sum::<u64>();
            if records == 0 {
                let what = format!("it sends no whole batch of {} partitions", self.at.len());
                return Err(Error::Protocol { address: self.connection.address(), what });
            }
            latencies.record(asked.elapsed());
            race.count(got.iter().map(|one| one.bytes).sum(), records);
            for ((at, end), got) in self.at.iter_mut().zip(&self.ends).zip(got) {
                at.1 = if got.next >= *end { 0 } else { got.next };
            }
        }
        Ok(latencies)
    }
}
