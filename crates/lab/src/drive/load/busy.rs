//! A connection that does a little: one record whenever one is due, its answer awaited before the next.
//!
//! ```text
//!   due     0     1     2     3     4     5     6     7     8
//!   sent    0     1     |-- no answer --|             :           round over
//!   latency 0|    1|    2-----------------------------|
//!                             3-----------------------|           never sent: each waits since it was due
//!                                   4-----------------|
//! ```
//!
//! While an answer is missing nothing more is sent, so what was due meanwhile is charged all the same, up to the
//! round's end: else a broker that stalls would be charged for one record on each connection.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::{Connection, Dial, Error, ProduceFrame, Result, batch};
use crate::drive::latency::Latencies;
use crate::drive::plan::Plan;
use crate::drive::schedule::{Schedule, own_delay};
use crate::drive::topic::Topic;

use super::Figure;
use super::race::Race;

/// One connection.
#[derive(Debug)]
pub(super) struct Busy {
    connection: Connection,
    frame: ProduceFrame,
    bytes: u64,
    /// The last round ended within an answer: nothing can be asked here any more.
    broken: bool,
    /// The most that a send was late by this side's fault.
    behind: Duration,
    /// Records that were due and not answered; without answers, not sent.
    missing: u64,
}

/// What a connection does in a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) lane: usize,
    pub(super) schedule: Schedule,
    /// Records are due for so long.
    pub(super) length: Duration,
}

impl Busy {
    /// Opens so many, dealt out to the partitions in turn.
    pub(super) fn open(count: usize, topic: &Topic, plan: &Plan, broker: &Broker) -> Result<Vec<Self>> {
        let batch = batch(1, plan.record_bytes, plan.codec)?;
        let one = |lane| {
            let (partition, leader) = topic.partition(lane);
            let connection = broker.dial.open(leader)?;
            let versions = connection.versions();
            let frame = ProduceFrame::new(versions, &topic.name, partition, batch.clone(), plan.acks)?;
            Ok(Self::new(connection, frame, batch.len() as u64))
        };
        (0..count).map(one).collect()
    }

    fn new(connection: Connection, frame: ProduceFrame, bytes: u64) -> Self {
        Self { connection, frame, bytes, broken: false, behind: Duration::ZERO, missing: 0 }
    }

    /// Connects again where the last round ended within an answer.
    pub(super) fn mend(&mut self, dial: &Dial) -> Result<()> {
        if self.broken {
            self.connection = dial.open(self.connection.address())?;
            self.broken = false;
        }
        Ok(())
    }

    /// A record whenever one is due; latencies from then to the answer.
    pub(super) fn run(&mut self, race: &Race, task: Task) -> Result<Latencies> {
        let Task { lane, schedule, length } = task;
        let start = race.start();
        let (mut next, mut free, count) = (0, Duration::ZERO, schedule.count(lane, length));
        let mut latencies = Latencies::default();
        self.behind = Duration::ZERO;
        self.connection.give_up_at(race.deadline());
        while next < count {
            let due = schedule.due(lane, next);
            race.sleep_until(start + due);
            if race.is_over() {
                break;
            }
            self.behind = self.behind.max(own_delay(due, free, start.elapsed()));
            if !self.send(next as i32)? {
                break;
            }
            free = start.elapsed();
            if self.frame.is_answered() {
                latencies.record(free.saturating_sub(due));
            }
            race.count(self.bytes, 1);
            next += 1;
        }
        self.missing = count - next;
        if self.frame.is_answered() {
            // They have waited at least so long: leaving them out would flatter the broker.
            let over = start.elapsed();
            (next..count).for_each(|k| latencies.record(over.saturating_sub(schedule.due(lane, k))));
        }
        Ok(latencies)
    }

    /// Sends a record and reads its answer, if it has one. Whether that was done before the round was over.
    fn send(&mut self, id: i32) -> Result<bool> {
        match self.exchange(id) {
            Err(Error::Overdue { .. }) => {
                self.broken = true;
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    fn exchange(&mut self, id: i32) -> Result<()> {
        self.connection.produce(&mut self.frame, id)?;
        if self.frame.is_answered() {
            self.connection.produced(&self.frame, id)?;
        }
        Ok(())
    }

    /// Figures of the round that all of these have just run.
    pub(super) fn figures(all: &[Self]) -> Vec<Figure> {
        let behind = all.iter().map(|busy| busy.behind).max().unwrap_or_default();
        let missing: u64 = all.iter().map(|busy| busy.missing).sum();
        vec![("behind_ms", behind.as_secs_f64() * 1e3), ("missing_records", missing as f64)]
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;

    use pagewire_wire::encode_response;
    use pagewire_wire::messages::produce_response::{
        PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
    };

    use super::*;
    use crate::drive::client::{Acks, Stop};
    use crate::drive::load::race::{self, Lap, Limits, runner};

    /// Without flexible fields.
    const VERSION: i16 = 8;
    /// Records that are due, one each millisecond.
    const COUNT: u64 = 20;
    /// The round is over so long after it began.
    const ROUND: Duration = Duration::from_millis(60);

    /// Answers one request and then takes in what comes, until the other side hangs up.
    fn answer_once(mut stream: TcpStream) -> io::Result<usize> {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        stream.read_exact(&mut request)?;
        let topic = TopicProduceResponse {
            partition_responses: vec![PartitionProduceResponse::default()],
            ..TopicProduceResponse::default()
        };
        let answer = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        stream.write_all(&encode_response(&answer, VERSION, 0).unwrap().head)?;
        stream.read_to_end(&mut Vec::new())
    }

    fn one(address: SocketAddr, acks: Acks) -> Busy {
        let connection = Dial::default().open_unasked(address).unwrap();
        let frame = ProduceFrame::in_version(VERSION, "t", 0, vec![0; 100].into(), acks).unwrap();
        Busy::new(connection, frame, 100)
    }

    fn round(busy: &mut Busy) -> Lap {
        let task = Task { lane: 0, schedule: Schedule::new(1000.0, 1), length: Duration::from_millis(COUNT) };
        let limits = Limits { lead_in: Duration::ZERO, length: ROUND, bytes: u64::MAX };
        let work = runner(|race| busy.run(race, task));
        race::run(limits, &Stop::default(), vec![work]).unwrap()
    }

    fn missing(busy: &Busy) -> f64 {
        let figures = Busy::figures(std::slice::from_ref(busy));
        figures.iter().find(|figure| figure.0 == "missing_records").unwrap().1
    }

    #[test]
    fn records_that_were_due_while_no_answer_came_are_charged_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut busy = one(listener.local_addr().unwrap(), Acks::Leader);
        let broker = thread::spawn(move || answer_once(listener.accept().unwrap().0));
        let lap = round(&mut busy);
        // Whether the answer came in time hangs on the machine.
        assert!(lap.records <= 1, "{lap:?}");
        assert!((missing(&busy) - (COUNT - lap.records) as f64).abs() < 0.5, "{busy:?}");
        assert_eq!(lap.latencies.count(), COUNT);
        // All but the answered one waited from when they were due to the round's end.
        let least_us = ROUND.saturating_sub(Duration::from_millis(COUNT)).as_micros() as f64;
        assert!(lap.latencies.percentile_us(10.0) >= least_us, "{lap:?}");
        drop(busy);
        // Where nothing was sent in time it had nothing to answer.
        let _ = broker.join().unwrap();
    }

    #[test]
    fn a_connection_in_the_middle_of_an_answer_is_made_anew_for_the_next_round() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut busy = one(listener.local_addr().unwrap(), Acks::Leader);
        round(&mut busy);
        assert!(busy.broken);
        let broker = thread::spawn(move || (0..2).for_each(|_| drop(listener.accept().unwrap())));
        // It says nothing about what it speaks, but it was asked.
        busy.mend(&Dial::default()).unwrap_err();
        broker.join().unwrap();
    }

    #[test]
    fn what_is_not_answered_has_no_latency_and_is_missing_only_if_it_was_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut busy = one(listener.local_addr().unwrap(), Acks::None);
        let lap = round(&mut busy);
        assert!((missing(&busy) - (COUNT - lap.records) as f64).abs() < 0.5, "{busy:?}");
        assert!(lap.latencies.is_empty());
    }
}
