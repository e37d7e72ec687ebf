//! `end-to-end`: records at a fixed rate; their latency counts from when they were due to when a consumer has them.
//!
//! ```text
//!   lane:  sender   due 0 . . due 1 . . (stall) . . . . due 2+3+4 in one batch      values carry when they were due
//!          receiver              |latency 0|                   |--- latency 2 ---|  long polls, one connection
//! ```
//!
//! A sender that is late sends everything that is due as one batch, as producers with a linger of 0 do. Where several records
//! are due at once they are a batch from the first. With several consumers a record counts once for each.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};

use crate::drive::broker::Broker;
use crate::drive::client::{Acks, Connection, Error, Fetch, ProduceFrame, Result, now_ms, value};
use crate::drive::latency::Latencies;
use crate::drive::plan::Plan;
use crate::drive::schedule::{Schedule, own_delay};
use crate::drive::topic::Topic;

use super::race::{Limits, Race, Runner, runner};
use super::{Figure, Load};

/// What a value begins with: the round, and nanoseconds from its start to when the record was due.
pub(in crate::drive) const STAMP: usize = 16;
/// The first record is due so long after the round began, when all threads run.
const LEAD_IN: Duration = Duration::from_millis(50);
/// Records are waited for so long after the last was due.
const GRACE: Duration = Duration::from_secs(10);
/// A late sender puts no more than so many records into a batch, but all that are due at once.
const BATCH_MAX: u64 = 1000;
/// A long poll.
const WAIT_MS: i32 = 200;

/// The load.
#[derive(Debug)]
pub(super) struct EndToEnd {
    topic: Topic,
    schedule: Schedule,
    length: Duration,
    fetch_bytes: i32,
    round: u64,
    /// Records that are due at once.
    burst: u64,
    lanes: Vec<(Sender, Vec<Receiver>)>,
}

#[derive(Debug)]
struct Sender {
    connection: Connection,
    topic: String,
    partition: i32,
    record_bytes: usize,
    codec: Codec,
    acks: Acks,
    /// The most that a send was late by this side's fault.
    behind: Duration,
}

#[derive(Debug)]
struct Receiver {
    connection: Connection,
    topic: String,
    partition: i32,
    offset: i64,
    /// Records that never came.
    missing: u64,
}

/// What a lane does in this round.
#[derive(Debug, Clone, Copy)]
struct Task {
    lane: usize,
    schedule: Schedule,
    length: Duration,
    round: u64,
    burst: u64,
}

impl Task {
    /// Times at which something is due.
    fn times(&self) -> u64 {
        self.schedule.count(self.lane, self.length)
    }

    fn records(&self) -> u64 {
        self.times() * self.burst
    }

    /// When a record is due.
    fn due(&self, record: u64) -> Duration {
        self.schedule.due(self.lane, record / self.burst)
    }
}

impl EndToEnd {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let count = plan.partitions_count();
        let lane = |lane| {
            let (partition, leader) = topic.partition(lane);
            let sender = Sender {
                connection: broker.dial.open(leader)?,
                topic: topic.name.clone(),
                partition,
                record_bytes: plan.record_bytes.max(STAMP),
                codec: plan.codec,
                acks: plan.acks,
                behind: Duration::ZERO,
            };
            let receiver = |_| {
                let connection = broker.dial.open(leader)?;
                Ok(Receiver { connection, topic: topic.name.clone(), partition, offset: 0, missing: 0 })
            };
            Ok((sender, (0..plan.consumers.max(1)).map(receiver).collect::<Result<_>>()?))
        };
        let burst = u64::from(plan.burst.max(1));
        let lanes = (0..count).map(lane).collect::<Result<_>>()?;
        Ok(Self {
            lanes,
            schedule: Schedule::new(plan.rate / burst as f64, count),
            length: plan.length,
            fetch_bytes: plan.fetch_bytes,
            round: 0,
            burst,
            topic,
        })
    }
}

impl Load for EndToEnd {
    fn limits(&self) -> Limits {
        Limits { lead_in: LEAD_IN, length: self.length + GRACE, bytes: u64::MAX }
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        self.round += 1;
        let (schedule, length, round, max_bytes) = (self.schedule, self.length, self.round, self.fetch_bytes);
        let burst = self.burst;
        let lanes = self.lanes.iter_mut().enumerate();
        let all = lanes.flat_map(|(lane, (sender, receivers))| {
            let task = Task { lane, schedule, length, round, burst };
            let receive = move |receiver| runner(move |race| Receiver::run(receiver, race, task, max_bytes));
            std::iter::once(runner(move |race| sender.run(race, task)))
                .chain(receivers.iter_mut().map(receive))
        });
        all.collect()
    }

    fn figures(&mut self) -> Vec<Figure> {
        let behind = self.lanes.iter().map(|lane| lane.0.behind).max().unwrap_or_default();
        let missing: u64 = self.lanes.iter().flat_map(|lane| &lane.1).map(|receiver| receiver.missing).sum();
        vec![("behind_ms", behind.as_secs_f64() * 1e3), ("missing_records", missing as f64)]
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

impl Sender {
    /// Sends each record when it is due, or as soon after as it can.
    fn run(&mut self, race: &Race, task: Task) -> Result<Latencies> {
        let start = race.start();
        let (mut next, count, mut free) = (0, task.times(), Duration::ZERO);
        let at_once = (BATCH_MAX / task.burst).max(1);
        let mut state = task.round << 32 | (task.lane as u64 + 1);
        self.behind = Duration::ZERO;
        while next < count && !race.is_over() {
            let due = start + task.schedule.due(task.lane, next);
            // Made while there is time: what that takes is no broker's latency.
            let early = Instant::now() < due;
            let ready = early.then(|| self.frame(&task, next..next + 1, &mut state)).transpose()?;
            race.sleep_until(due);
            if race.is_over() {
                break;
            }
            let now = start.elapsed();
            let upto = task.schedule.due_by(task.lane, now).clamp(next + 1, count).min(next + at_once);
            let mut frame = match ready.filter(|_| upto == next + 1) {
                Some(frame) => frame,
                None => self.frame(&task, next..upto, &mut state)?,
            };
            let id = next as i32;
            let sent = start.elapsed();
            self.behind = self.behind.max(own_delay(task.schedule.due(task.lane, next), free, sent));
            self.connection.produce(&mut frame, id)?;
            if frame.is_answered() {
                self.connection.produced(&frame, id)?;
            }
            free = start.elapsed();
            // A request as any other; its bytes and records count where they arrive.
            race.count(0, 0);
            next = upto;
        }
        Ok(Latencies::default())
    }

    /// The request with all that is due at these times.
    fn frame(&self, task: &Task, times: Range<u64>, state: &mut u64) -> Result<ProduceFrame> {
        let batch = self.batch(task, times.start * task.burst..times.end * task.burst, state)?;
        ProduceFrame::new(self.connection.versions(), &self.topic, self.partition, batch, self.acks)
    }

    /// These records.
    fn batch(&self, task: &Task, records: Range<u64>, state: &mut u64) -> Result<Bytes> {
        let now_ms = now_ms();
        let mut builder = BatchBuilder::new(self.codec);
        for record in records {
            let due = task.due(record);
            let mut value = value(self.record_bytes, state);
            stamp(&mut value, task.round, due);
            builder.append(now_ms, None, Some(&value), &[])?;
        }
        Ok(builder.build()?)
    }
}

impl Receiver {
    /// Reads until every record of the round has come, or its time is over.
    fn run(&mut self, race: &Race, task: Task, max_bytes: i32) -> Result<Latencies> {
        let start = race.start();
        let count = task.records();
        let mut latencies = Latencies::default();
        let mut seen = 0;
        while seen < count && start.elapsed() < task.length + GRACE && !race.is_over() {
            let fetch = Fetch {
                topic: &self.topic,
                partition: self.partition,
                offset: self.offset,
                max_bytes,
                wait_ms: WAIT_MS,
                committed: false,
            };
            let mut dues = Vec::new();
            let mut damaged = None;
            let got = self.connection.fetch_with(&fetch, |records| {
                damaged = read(records, task.round, self.offset, &mut dues).err();
            })?;
            let now = start.elapsed();
            if let Some(what) = damaged {
                return Err(Error::Protocol { address: self.connection.address(), what });
            }
            for due in &dues {
                latencies.record(now.saturating_sub(*due));
            }
            seen += dues.len() as u64;
            self.offset = got.next;
            race.count(got.bytes, dues.len() as u64);
        }
        self.missing = count.saturating_sub(seen);
        // They have waited at least so long: leaving them out would flatter the broker.
        let now = start.elapsed();
        for back in 0..self.missing {
            latencies.record(now.saturating_sub(task.due(count - 1 - back)));
        }
        Ok(latencies)
    }
}

/// Writes round and due time over the beginning of a value.
fn stamp(value: &mut [u8], round: u64, due: Duration) {
    let nanos = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
    for (place, byte) in value.iter_mut().zip(round.to_be_bytes().into_iter().chain(nanos.to_be_bytes())) {
        *place = byte;
    }
}

/// When the records of this round were due, those before `offset` left out.
fn read(
    records: &Bytes,
    round: u64,
    offset: i64,
    dues: &mut Vec<Duration>,
) -> std::result::Result<(), String> {
    for batch in complete_batches(records) {
        let batch = batch.map_err(|error| error.to_string())?;
        let inside = batch.records(&DecompressLimits::default()).map_err(|error| error.to_string())?;
        for record in inside {
            let record = record.map_err(|error| error.to_string())?;
            let stamped = record.value.as_ref().and_then(|value| value.first_chunk::<STAMP>());
            let stamped =
                stamped.ok_or("a record is none of the drive's: does somebody else write to its topic?")?;
            let (of, nanos) = stamped.split_at(8);
            let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
            if number(of) == round && record.offset >= offset {
                dues.push(Duration::from_nanos(number(nanos)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_travel_in_the_values_and_other_rounds_are_left_out() {
        let mut builder = BatchBuilder::new(Codec::Lz4);
        for (round, due) in [(1, 5), (2, 7), (2, 9)] {
            let mut value = vec![b'x'; 100];
            stamp(&mut value, round, Duration::from_nanos(due));
            builder.append(0, None, Some(&value), &[]).unwrap();
        }
        let batch = builder.build().unwrap();
        let dues = |round, offset| {
            let mut dues = Vec::new();
            read(&batch, round, offset, &mut dues).unwrap();
            dues.iter().map(Duration::as_nanos).collect::<Vec<_>>()
        };
        assert_eq!(dues(2, 0), [7, 9]);
        assert_eq!(dues(2, 2), [9]);
        assert_eq!(dues(1, 0), [5]);
    }

    #[test]
    fn a_record_of_somebody_else_is_an_error() {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(0, None, Some(b"short"), &[]).unwrap();
        let error = read(&builder.build().unwrap(), 1, 0, &mut Vec::new()).unwrap_err();
        assert!(error.contains("somebody else"), "{error}");
    }
}
