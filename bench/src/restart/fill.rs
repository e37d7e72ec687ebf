//! Writing into a broker, and waiting until all of it can be read.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use pagewire_lab::drive::client::{Acks, Connection, ProduceFrame, batch, topic};
use pagewire_record::Codec;

use crate::client::{self, PRODUCE_VERSION, VALUE_LEN};

/// Requests in flight.
const WINDOW: usize = 5;
/// Until everything can be read.
const PATIENCE: Duration = Duration::from_mins(5);
const AGAIN: Duration = Duration::from_millis(2);

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
    let started = Instant::now();
    let mut connection = None;
    for (topic, partition, end) in ends {
        while !is_readable(&mut connection, address, topic, *partition, *end) {
            if started.elapsed() > PATIENCE {
                bail!("{topic}-{partition} cannot be read up to {end} after {PATIENCE:?}");
            }
            thread::sleep(AGAIN);
        }
    }
    Ok(())
}

fn is_readable(
    to: &mut Option<Connection>,
    address: SocketAddr,
    topic: &str,
    partition: i32,
    end: i64,
) -> bool {
    if to.is_none() {
        *to = client::open(address).ok();
    }
    let Some(connection) = to else { return false };
    let fetched = client::fetch_from(connection, topic, partition, end - 1);
    if fetched.is_err() {
        *to = None;
    }
    fetched.is_ok_and(|fetched| fetched.high_watermark == end && fetched.bytes > 0)
}
