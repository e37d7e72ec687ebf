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
    /// Sends until the race is over or so many bytes are sent, and reads every answer. Latencies are from when
    /// a request begins to be written to its answer, in a closed loop.
    pub(super) fn run(&mut self, race: &Race, quota: u64) -> Result<Latencies> {
        self.run_by(Instant::now, race, quota)
    }

    /// The same by this clock.
    fn run_by(&mut self, now: impl Fn() -> Instant, race: &Race, quota: u64) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let mut unanswered: VecDeque<(i32, Instant)> = VecDeque::with_capacity(self.window);
        let (mut id, mut sent) = (0_i32, 0_u64);
        loop {
            while unanswered.len() < self.window && sent < quota && !race.is_over() {
                // Before it is written: a broker that takes it in slowly is charged for that.
                let began = now();
                self.connection.produce(&mut self.frame, id)?;
                unanswered.push_back((id, began));
                id = id.wrapping_add(1);
                sent += self.batch.0;
            }
            let Some((id, at)) = unanswered.pop_front() else { break };
            if self.frame.is_answered() {
                self.connection.produced(&self.frame, id)?;
                latencies.record(now().saturating_duration_since(at));
            }
            race.count(self.batch.0, self.batch.1);
        }
        if !self.frame.is_answered() {
            self.connection.settle()?;
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use pagewire_wire::encode_response;
    use pagewire_wire::messages::produce_response::{
        PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
    };

    use super::*;
    use crate::drive::client::{Acks, Dial, Stop};
    use crate::drive::load::race::{self, Limits};

    /// Without flexible fields.
    const VERSION: i16 = 8;
    /// More than sockets hold.
    const BATCH: usize = 32 << 20;

    /// Takes one request in, of which each piece takes as many nanoseconds as it has bytes, and answers it.
    fn answer_one(mut stream: TcpStream, nanos: &AtomicU64) {
        let mut size = [0; 4];
        stream.read_exact(&mut size).unwrap();
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        for piece in request.chunks_mut(1 << 20) {
            stream.read_exact(piece).unwrap();
            nanos.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        let topic = TopicProduceResponse {
            partition_responses: vec![PartitionProduceResponse::default()],
            ..TopicProduceResponse::default()
        };
        let answer = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        let head = encode_response(&answer, VERSION, 0).unwrap().head;
        stream.write_all(&head).unwrap();
    }

    #[test]
    fn the_time_that_a_request_takes_to_be_written_is_part_of_its_latency() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Dial::default().open_unasked(listener.local_addr().unwrap()).unwrap();
        let frame = ProduceFrame::in_version(VERSION, "t", 0, vec![0; BATCH].into(), Acks::Leader).unwrap();
        let mut pump = Pump { connection, frame, batch: (BATCH as u64, 1), window: 1 };
        let limits = Limits { lead_in: Duration::ZERO, length: Duration::from_hours(1), bytes: u64::MAX };
        // A clock that only the broker moves on.
        let (nanos, start) = (AtomicU64::new(0), Instant::now());
        let now = || start + Duration::from_nanos(nanos.load(Ordering::SeqCst));
        let work = race::runner(|race| pump.run_by(now, race, 1));
        let lap = thread::scope(|scope| {
            scope.spawn(|| answer_one(listener.accept().unwrap().0, &nanos));
            race::run(limits, &Stop::default(), vec![work]).unwrap()
        });
        let told = lap.latencies.percentile_us(100.0);
        assert!(told >= BATCH as f64 / 1e3, "{told} \u{b5}s is less than the broker took to have it");
    }
}
