//! The neutral client: one blocking connection, frames made once, answers read and thrown away.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{
    Records, Request, Str, encode_request,
    messages::{
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        fetch_request::{FetchPartition, FetchRequest, FetchTopic},
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};

/// Versions that every broker of the last years speaks, with names instead of ids.
pub(crate) const PRODUCE_VERSION: i16 = 9;
pub(crate) const FETCH_VERSION: i16 = 12;
/// Position of the correlation id in a request frame, size prefix included.
pub(crate) const CORRELATION_AT: usize = 8;
/// All topics' names have this many bytes, so that the floor can find them.
pub(crate) const TOPIC_LEN: usize = 8;

/// Where an answer to [`produce_frame`] has its base offset: correlation 4, tags 1, topics 1, name 1+8, partitions 1,
/// index 4, error 2.
pub(crate) const BASE_OFFSET_AT: usize = 4 + 1 + 1 + 1 + TOPIC_LEN + 1 + 4 + 2;

/// An answer to [`fetch_frame`], without its size: correlation 4, tags 1, throttle 4, error 2, session 4, topics 1, name
/// 1+8, partitions 1, index 4, then error 2.
pub(crate) const FETCH_ERROR_AT: usize = 4 + 1 + 4 + 2 + 4 + 1 + 1 + TOPIC_LEN + 1 + 4;
/// Behind the error: high watermark 8, stable 8, start 8, aborted 1, replica 4; then length and records, and a byte of
/// tags each for partition, topic and answer.
pub(crate) const FETCH_RECORDS_AT: usize = FETCH_ERROR_AT + 2 + 8 + 8 + 8 + 1 + 4;
pub(crate) const FETCH_TAGS: usize = 3;

/// The variable-length number at the start of `bytes`.
fn uvarint(bytes: &[u8]) -> u32 {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no broker at {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // The kernel's default may pace by timers, which costs the sender more than the bytes do.
        let _ = socket2::SockRef::from(&stream).set_tcp_congestion(b"cubic");
        Ok(Self { stream, answer: vec![0; 4 << 20] })
    }

    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame)?)
    }

    /// Reads one answer; without its size prefix.
    pub(crate) fn receive(&mut self) -> Result<&[u8]> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        ensure!(size <= self.answer.len(), "an answer of {size} bytes");
        self.stream.read_exact(&mut self.answer[..size])?;
        Ok(&self.answer[..size])
    }

    /// Sends a frame of [`produce_frame`] and answers the offset its first record got.
    pub(crate) fn produce(&mut self, frame: &[u8]) -> Result<i64> {
        self.send(frame)?;
        let offset = self.receive()?.get(BASE_OFFSET_AT..BASE_OFFSET_AT + 8).context("short answer")?;
        Ok(i64::from_be_bytes(offset.try_into()?))
    }

    fn call(&mut self, request: &impl Request, version: i16) -> Result<&[u8]> {
        let frame = encode_request(request, version, 0, Some(Str::from_static("bench")))?.head;
        self.send(&frame)?;
        self.receive()
    }

    /// Makes a topic of one partition and waits until it can be written.
    pub(crate) fn create_topic(&mut self, name: &'static str) -> Result<()> {
        let topic = CreatableTopic {
            name: Str::from_static(name),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..CreateTopicsRequest::default() };
        self.call(&request, 5)?;
        let topic =
            MetadataRequestTopic { name: Some(Str::from_static(name)), ..MetadataRequestTopic::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
        for _ in 0..100 {
            self.call(&request, 9)?;
            let probe = self.fetch(name, 0, 1, 0)?;
            if probe.error == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("topic {name} did not become usable")
    }

    /// Fetches from `offset`, at most `max_bytes` (and at least a batch), waiting up to `wait_ms` for the first.
    pub(crate) fn fetch(
        &mut self,
        topic: &'static str,
        offset: i64,
        max_bytes: i32,
        wait_ms: i32,
    ) -> Result<Fetched> {
        let frame = fetch_frame(topic, offset, max_bytes, wait_ms)?;
        self.send(&frame)?;
        let answer = self.receive()?;
        let error = answer.get(FETCH_ERROR_AT..FETCH_ERROR_AT + 2).context("short answer")?;
        let error = i16::from_be_bytes([error[0], error[1]]);
        let size = uvarint(answer.get(FETCH_RECORDS_AT..).context("short answer")?);
        let bytes = size.saturating_sub(1) as usize;
        Ok(Fetched { error, bytes })
    }
}

/// What came of a fetch.
pub(crate) struct Fetched {
    pub(crate) error: i16,
    pub(crate) bytes: usize,
}

/// An uncompressed batch of `records` records with values of `value_len` bytes.
pub(crate) fn batch(records: usize, value_len: usize) -> Result<Bytes> {
    let value = vec![b'x'; value_len];
    // Older ones would be retention's at once.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..records {
        builder.append(now_ms, None, Some(&value), &[])?;
    }
    Ok(builder.build()?)
}

/// A produce request of one batch; patch the correlation id at [`CORRELATION_AT`].
pub(crate) fn produce_frame(topic: &'static str, batch: Bytes, acks: i16) -> Result<Vec<u8>> {
    assert_eq!(topic.len(), TOPIC_LEN, "the floor counts on it");
    let partition = PartitionProduceData { index: 0, records: Records::Bytes(batch) };
    let topic = TopicProduceData {
        name: Str::from_static(topic),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request =
        ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..ProduceRequest::default() };
    Ok(encode_request(&request, PRODUCE_VERSION, 0, Some(Str::from_static("bench")))?.head.to_vec())
}

/// A fetch request of one partition without a session.
pub(crate) fn fetch_frame(topic: &'static str, offset: i64, max_bytes: i32, wait_ms: i32) -> Result<Bytes> {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        partition_max_bytes: max_bytes,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: Str::from_static(topic), partitions: vec![partition], ..FetchTopic::default() };
    let request = FetchRequest {
        max_wait_ms: wait_ms,
        min_bytes: 1,
        max_bytes: max_bytes.max(1),
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    Ok(encode_request(&request, FETCH_VERSION, 0, Some(Str::from_static("bench")))?.head)
}
