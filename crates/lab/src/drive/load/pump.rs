//! Batches down one connection, a window of them unanswered.

use std::collections::VecDeque;
use std::time::Instant;

use crate::drive::client::{Connection, ProduceFrame, Result};
use crate::drive::latency::Latencies;

use super::race::Race;

/// One connection that produces to one partition.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) connection: Connection,
    pub(super) frame: ProduceFrame,
    /// Bytes and records of the frame's batch.
    pub(super) batch: (u64, u64),
    /// Requests in flight.
    pub(super) window: usize,
}

impl Pump {
    /// Sends until the race is over or so many bytes are sent, and reads every answer. Latencies are from a request to
    /// its answer, in a closed loop.
    pub(super) fn run(&mut self, race: &Race, quota: u64) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let mut unanswered: VecDeque<(i32, Instant)> = VecDeque::with_capacity(self.window);
        let (mut id, mut sent) = (0_i32, 0_u64);
        loop {
            while unanswered.len() < self.window && sent < quota && !race.is_over() {
                self.connection.produce(&mut self.frame, id)?;
                unanswered.push_back((id, Instant::now()));
                id = id.wrapping_add(1);
                sent += self.batch.0;
            }
            let Some((id, at)) = unanswered.pop_front() else { break };
            if self.frame.is_answered() {
                self.connection.produced(&self.frame, id)?;
                latencies.record(at.elapsed());
            }
            race.count(self.batch.0, self.batch.1);
        }
        if !self.frame.is_answered() {
            self.connection.settle()?;
        }
        Ok(latencies)
    }
}
