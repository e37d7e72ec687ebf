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
        let mut latencies = Latencies::default();
        let mut unanswered: VecDeque<(i32, Instant)> = VecDeque::with_capacity(self.window);
        let (mut id, mut sent) = (0_i32, 0_u64);
        loop {
            while unanswered.len() < self.window && sent < quota && !race.is_over() {
                // Before it is written: a broker that takes it in slowly is charged for that.
                let began = Instant::now();
                self.connection.produce(&mut self.frame, id)?;
                unanswered.push_back((id, began));
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
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

    /// Takes one request in and answers it: how long it had it, from its first byte on.
    fn answer_one(mut stream: TcpStream) -> Duration {
        stream.peek(&mut [0]).unwrap();
        let began = Instant::now();
        let mut size = [0; 4];
        stream.read_exact(&mut size).unwrap();
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        stream.read_exact(&mut request).unwrap();
        let topic = TopicProduceResponse {
            partition_responses: vec![PartitionProduceResponse::default()],
            ..TopicProduceResponse::default()
        };
        let answer = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        let head = encode_response(&answer, VERSION, 0).unwrap().head;
        let had = began.elapsed();
        stream.write_all(&head).unwrap();
        had
    }

    #[test]
    fn the_time_that_a_request_takes_to_be_written_is_part_of_its_latency() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let broker = thread::spawn(move || answer_one(listener.accept().unwrap().0));
        let connection = Dial::default().open_unasked(address).unwrap();
        let frame = ProduceFrame::in_version(VERSION, "t", 0, vec![0; BATCH].into(), Acks::Leader).unwrap();
        let mut pump = Pump { connection, frame, batch: (BATCH as u64, 1), window: 1 };
        let limits = Limits { lead_in: Duration::ZERO, length: Duration::from_hours(1), bytes: u64::MAX };
        let work = race::runner(|race| pump.run(race, 1));
        let lap = race::run(limits, &Stop::default(), vec![work]).unwrap();
        let had = broker.join().unwrap();
        let told = Duration::from_secs_f64(lap.latencies.percentile_us(100.0) / 1e6);
        assert!(told >= had, "{told:?} is less than the {had:?} that the broker had it");
    }
}
