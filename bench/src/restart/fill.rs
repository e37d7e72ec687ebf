//! Writing into a broker, and waiting until all of it can be read.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use pagewire_lab::drive::client::{Acks, Connection, FetchMany, Fetched, ProduceFrame, batch, topic};
use pagewire_record::Codec;

use crate::client::{self, PRODUCE_VERSION, VALUE_LEN};

/// Requests in flight.
const WINDOW: usize = 5;
/// Until everything can be read.
const PATIENCE: Duration = Duration::from_mins(5);
const AGAIN: Duration = Duration::from_millis(2);
/// Of each partition where several are read at once: more than one record, and all of them fit into an answer.
const PARTITION_BYTES: i32 = 16 << 10;

/// Makes a topic, waiting until each partition can be written.
pub(super) fn create(address: SocketAddr, name: &str, partitions: i32) -> Result<()> {
    topic::create(&client::dial(), address, name, partitions, 1)?;
    Ok(())
}

/// Writes one batch of `records` into each of the partitions, acks=1.
pub(super) fn write(address: SocketAddr, name: &str, partitions: &[i32], records: usize) -> Result<u64> {
    let mut connection = client::open(address)?;
    let batch = batch(records, VALUE_LEN, Codec::None)?;
    let bytes = batch.len() as u64;
    let mut waiting: Vec<(ProduceFrame, i32)> = Vec::new();
    for (at, partition) in partitions.iter().enumerate() {
        let mut frame =
            ProduceFrame::in_version(PRODUCE_VERSION, name, *partition, batch.clone(), Acks::Leader)?;
        let id = i32::try_from(at)?;
        connection.produce(&mut frame, id)?;
        waiting.push((frame, id));
        if waiting.len() == WINDOW {
            let (frame, id) = waiting.remove(0);
            connection.produced(&frame, id)?;
        }
    }
    for (frame, id) in waiting {
        connection.produced(&frame, id)?;
    }
    Ok(bytes * partitions.len() as u64)
}

/// Waits until the last record of each of these is answered: (topic, partition, end).
pub(super) fn wait_readable(address: SocketAddr, ends: &[(String, i32, i64)]) -> Result<()> {
    let mut asker = Asker::of(address);
    ends.iter().try_for_each(|(topic, partition, end)| {
        asker.until(&format!("{topic}-{partition} up to {end}"), |connection| {
            let got = client::fetch_from(connection, topic, *partition, end - 1)?;
            Ok(got.high_watermark == *end && got.bytes > 0)
        })
    })
}

/// Waits until a record was answered of each of a topic's partitions. An answer need not have all of them: as any client does, it
/// asks again for the others.
pub(super) fn wait_each_readable(address: SocketAddr, topic: &str, partitions: &[i32]) -> Result<()> {
    let mut left: Vec<_> = partitions.iter().map(|partition| (*partition, 0)).collect();
    Asker::of(address).until(&format!("each partition of {topic}"), |connection| {
        let wanted = FetchMany {
            topic,
            at: &left,
            partition_max_bytes: PARTITION_BYTES,
            wait_ms: 0,
            committed: false,
        };
        let got = connection.fetch_many(&wanted)?;
        left = not_come(&left, &got);
        Ok(left.is_empty())
    })
}

/// Those of which no record came, which are answered in the order in which they were asked for.
fn not_come(asked: &[(i32, i64)], got: &[Fetched]) -> Vec<(i32, i64)> {
    let came = |at: usize| got.get(at).is_some_and(|partition| partition.records > 0);
    asked.iter().enumerate().filter(|(at, _)| !came(*at)).map(|(_, one)| *one).collect()
}

/// Asks a broker that may not serve yet.
struct Asker {
    address: SocketAddr,
    connection: Option<Connection>,
    begun: Instant,
}

impl Asker {
    fn of(address: SocketAddr) -> Self {
        Self { address, connection: None, begun: Instant::now() }
    }

    /// Again and again, until `what` can be read.
    fn until(&mut self, what: &str, mut is_read: impl FnMut(&mut Connection) -> Result<bool>) -> Result<()> {
        while !self.ask(&mut is_read) {
            ensure!(self.begun.elapsed() < PATIENCE, "{what} cannot be read after {PATIENCE:?}");
            thread::sleep(AGAIN);
        }
        Ok(())
    }

    /// Once, by another connection where the one before failed.
    fn ask(&mut self, is_read: impl FnOnce(&mut Connection) -> Result<bool>) -> bool {
        if self.connection.is_none() {
            self.connection = client::dial().open(self.address).ok();
        }
        let Some(connection) = &mut self.connection else { return false };
        let answered = is_read(connection);
        if answered.is_err() {
            self.connection = None;
        }
        answered.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_without_a_record_or_not_at_all_is_asked_for_again() {
        let of = |records| Fetched {
            bytes: records,
            records,
            next: 1,
            high_watermark: 1,
            last_stable: 1,
            aborted: 0,
        };
        let asked = [(7, 0), (8, 0), (9, 0)];
        assert!(not_come(&asked, &[of(1), of(1), of(2)]).is_empty());
        assert_eq!(not_come(&asked, &[of(1), of(0)]), [(8, 0), (9, 0)]);
    }
}
