//! One connection that reads one partition.

use std::time::Instant;

use crate::drive::client::{Connection, Error, Fetch, Result};
use crate::drive::latency::Latencies;

use super::race::Race;

/// How long the broker may wait for records that are there already.
const WAIT_MS: i32 = 500;

/// Reads from an offset on.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) end: i64,
    pub(super) max_bytes: i32,
    pub(super) committed: bool,
}

impl Reader {
    /// Reads in circles until the race is over.
    pub(super) fn circle(&mut self, race: &Race) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        while !race.is_over() {
            self.step(race, &mut latencies)?;
            if self.offset >= self.end {
                self.offset = 0;
            }
        }
        Ok(latencies)
    }

    /// Reads everything once.
    pub(super) fn once(&mut self, race: &Race) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        self.offset = 0;
        while self.offset < self.end && !race.is_over() {
            self.step(race, &mut latencies)?;
        }
        Ok(latencies)
    }

    fn step(&mut self, race: &Race, latencies: &mut Latencies) -> Result<()> {
        let asked = Instant::now();
        let got = self.connection.fetch(&Fetch {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            max_bytes: self.max_bytes,
            wait_ms: WAIT_MS,
            committed: self.committed,
        })?;
        if got.records == 0 {
            let what = format!("it sends no whole batch at offset {} of {}", self.offset, self.end);
            return Err(Error::Protocol { address: self.connection.address(), what });
        }
        latencies.record(asked.elapsed());
        race.count(got.bytes, got.records);
        self.offset = got.next;
        Ok(())
    }
}
