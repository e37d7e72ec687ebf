//! The lab's neutral client, in versions that every broker of the last years speaks.

use std::net::SocketAddr;

use anyhow::Result;
use pagewire_lab::drive::client::{Acks, Connection, Dial, Fetch, Fetched, ProduceFrame, batch, topic};
use pagewire_lab::drive::without_pacing;
use pagewire_record::Codec;
use pagewire_wire::ErrorCode;

/// With names of topics instead of ids.
pub(crate) const PRODUCE_VERSION: i16 = 9;
pub(crate) const FETCH_VERSION: i16 = 12;
/// Requests in flight.
const WINDOW: i32 = 5;
/// Bytes of every record's value.
pub(crate) const VALUE_LEN: usize = 1024;

/// How connections are made: the kernel's default may pace by timers, which costs the sender more than the bytes do.
pub(crate) fn dial() -> Dial {
    Dial { congestion_control: without_pacing(), ..Dial::default() }
}

/// A connection to a broker.
pub(crate) fn open(address: SocketAddr) -> Result<Connection> {
    Ok(dial().open_unasked(address)?)
}

/// Makes a topic of one partition, unless it is there already.
pub(crate) fn create_topic(address: SocketAddr, name: &str) -> Result<()> {
    match topic::create(&dial(), address, name, 1, 1) {
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => Ok(()),
        made => Ok(made.map(|_| ())?),
    }
}

/// A batch to produce, and how long it is.
pub(crate) fn frame(topic: &str, records: usize) -> Result<(ProduceFrame, u64)> {
    let batch = batch(records, VALUE_LEN, Codec::None)?;
    let bytes = batch.len() as u64;
    Ok((ProduceFrame::in_version(PRODUCE_VERSION, topic, 0, batch, Acks::Leader)?, bytes))
}

/// Fetches from `offset`, at most `max_bytes` (and at least a batch), waiting up to `wait_ms` for the first.
pub(crate) fn fetch(
    connection: &mut Connection,
    topic: &str,
    offset: i64,
    max_bytes: i32,
    wait_ms: i32,
) -> Result<Fetched> {
    let fetch = Fetch { topic, partition: 0, offset, max_bytes, wait_ms, committed: false };
    Ok(connection.fetch_in_version(FETCH_VERSION, &fetch, |_| ())?)
}

/// What there is at `offset` of a partition now, a batch of it.
pub(crate) fn fetch_from(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Fetched> {
    let fetch = Fetch { topic, partition, offset, max_bytes: 1, wait_ms: 0, committed: false };
    Ok(connection.fetch_in_version(FETCH_VERSION, &fetch, |_| ())?)
}

/// Sends a batch so many times with a window, and reads every answer.
pub(crate) fn send(connection: &mut Connection, frame: &mut ProduceFrame, requests: u64) -> Result<()> {
    let requests = i32::try_from(requests)?;
    let mut sent = 0;
    for answered in 0..requests {
        while sent < requests && sent < answered + WINDOW {
            connection.produce(frame, sent)?;
            sent += 1;
        }
        connection.produced(frame, answered)?;
    }
    Ok(())
}
