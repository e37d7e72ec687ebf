//! Fills a topic for the loads that read.

use std::time::{Duration, Instant};

use crate::drive::broker::Broker;
use crate::drive::client::{Acks, Connection, Content, End, Error, Fetch, Result, Transactional, records_in};
use crate::drive::plan::Plan;
use crate::drive::topic::Topic;

use super::produce::pumps;
use super::pump::Pump;
use super::race::{self, Limits, runner};

/// No broker takes longer to write what is read afterwards.
const LENGTH_MAX: Duration = Duration::from_hours(1);

/// Batches of a transaction: a fetch of a megabyte of the usual batches has some transactions whole.
const BATCHES: i32 = 4;
/// One in so many transactions is aborted.
const ABORTED: u64 = 4;
/// The last transaction's marker is written after its end was answered, soon.
const SETTLED_MAX: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(5);

/// Writes so many bytes, the same to each partition. Answers where each partition ends.
pub(super) fn fill(topic: &Topic, plan: &Plan, broker: &Broker, bytes: u64) -> Result<Vec<i64>> {
    let plan = Plan { acks: Acks::All, ..plan.clone() };
    let count = plan.partitions_count();
    let quota = bytes / count as u64;
    let mut pumps = pumps(topic, &plan, broker, count)?;
    let limits = Limits { lead_in: Duration::ZERO, length: LENGTH_MAX, bytes: u64::MAX };
    let runners = pumps.iter_mut().map(|pump| runner(move |race| pump.run(race, quota.max(1))));
    race::run(limits, &broker.dial.stop, runners.collect())?;
    let end = |(lane, pump): (usize, &mut Pump)| pump.connection.end_of(&topic.name, topic.partition(lane).0);
    pumps.iter_mut().enumerate().map(end).collect()
}

/// The same by transactions, some of which are aborted; without them where the broker has none.
pub(super) fn fill_by_transactions(
    topic: &Topic,
    plan: &Plan,
    broker: &Broker,
    bytes: u64,
) -> Result<Vec<i64>> {
    if !broker.has_transactions {
        return fill(topic, plan, broker, bytes);
    }
    let content = Content {
        records: records_in(plan.batch_bytes, plan.record_bytes),
        value_len: plan.record_bytes,
        codec: plan.codec,
    };
    let count = plan.partitions_count();
    let quota = (bytes / count as u64).max(1);
    let one = |lane| {
        let (partition, leader) = topic.partition(lane);
        let mut producer = Transactional::open(&broker.dial, broker.address, leader, &topic.name, partition)?;
        let (mut written, mut number) = (0, 0);
        // The last of so many is the aborted one: however little is written, there is one.
        while written < quota || number % ABORTED != 0 {
            if broker.dial.stop.is_set() {
                return Err(Error::Stopped);
            }
            number += 1;
            let end = if number % ABORTED == 0 { End::Abort } else { End::Commit };
            written += producer.write(BATCHES, content, end)?;
        }
        settled(&mut broker.dial.open(leader)?, &topic.name, partition)
    };
    (0..count).map(one).collect()
}

/// Where a partition ends, as soon as a consumer of committed records may read all of it. Its last record is the marker of
/// an aborted transaction, of which such a consumer must be told.
fn settled(connection: &mut Connection, topic: &str, partition: i32) -> Result<i64> {
    let deadline = Instant::now() + SETTLED_MAX;
    let mut offset = 0;
    let what = loop {
        let got = connection.fetch(&Fetch {
            topic,
            partition,
            offset,
            max_bytes: 1,
            wait_ms: 0,
            committed: true,
        })?;
        if got.last_stable == got.high_watermark && got.aborted > 0 {
            return Ok(got.high_watermark);
        }
        if Instant::now() >= deadline {
            break format!(
                "of {} records {} are of no open transaction and {} transactions are aborted",
                got.high_watermark, got.last_stable, got.aborted
            );
        }
        offset = got.high_watermark - 1;
        std::thread::sleep(AGAIN);
    };
    Err(Error::Protocol { address: connection.address(), what })
}
