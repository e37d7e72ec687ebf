//! A client of bare frames: it sends what a test wants to be sent, when it wants it, and reads when it wants to.
//!
//! Blocking, one connection, no retries. Everything it decodes comes from the broker under test.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use pagewire_wire::messages::fetch_response::{FetchResponse, PartitionData};
use pagewire_wire::messages::init_producer_id_request::InitProducerIdRequest;
use pagewire_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::messages::produce_response::PartitionProduceResponse;
use pagewire_wire::{Request, Str, decode_response, encode_request};

use super::{PATIENCE, until};

/// Versions that name topics rather than number them.
pub const PRODUCE: i16 = 9;
/// See [`PRODUCE`].
pub const FETCH: i16 = 12;

/// A frame larger than this from the broker is a fault of the test.
const FRAME_MAX: usize = 128 << 20;
/// Kafka's error code.
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

/// One connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    correlation_id: i32,
}

/// An idempotent producer's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// From InitProducerId.
    pub id: i64,
    /// From InitProducerId.
    pub epoch: i16,
}

impl Raw {
    /// Dials `HOST:PORT`.
    pub fn connect(address: &str) -> Result<Self> {
        let resolved =
            address.to_socket_addrs()?.next().with_context(|| format!("{address} is no address"))?;
        let stream = TcpStream::connect_timeout(&resolved, PATIENCE)
            .with_context(|| format!("cannot reach {address}"))?;
        Self::over(stream)
    }

    /// Takes over a connection made elsewhere.
    pub fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation_id: 0 })
    }

    /// The connection itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends a request and waits for its answer.
    pub fn call<R: Request>(&mut self, body: &R, version: i16) -> Result<R::Response> {
        let sent = self.send(body, version)?;
        let (answered, response) = self.receive::<R>(version)?;
        ensure!(sent == answered, "answer {answered} to request {sent}");
        Ok(response)
    }

    /// Sends a request; answers its correlation id.
    pub fn send<R: Request>(&mut self, body: &R, version: i16) -> Result<i32> {
        self.correlation_id += 1;
        let frame = encode_request(body, version, self.correlation_id, Some(Str::from("conformance")))?;
        let bytes = frame.into_bytes().context("a request with a hole")?;
        self.stream.write_all(&bytes)?;
        Ok(self.correlation_id)
    }

    /// Reads the next frame, without its size.
    pub fn receive_frame(&mut self) -> Result<Bytes> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let size = usize::try_from(i32::from_be_bytes(prefix)).context("a negative frame size")?;
        ensure!(size <= FRAME_MAX, "a frame of {size} bytes");
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    /// Reads the next answer.
    pub fn receive<R: Request>(&mut self, version: i16) -> Result<(i32, R::Response)> {
        Ok(decode_response::<R>(self.receive_frame()?, version)?)
    }

    /// Creates a topic with settings as `(name, value)`.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig { name: text(name), value: Some(text(value)) })
            .collect();
        let topic = CreatableTopic {
            name: text(name),
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
        let response = self.call(&request, 7)?;
        let result = response.topics.first().context("no result")?;
        ensure!(
            result.error_code == 0,
            "cannot create {name}: error {} {:?}",
            result.error_code,
            result.error_message
        );
        Ok(())
    }

    /// Asks for an idempotent producer's identity. Right after a start Kafka has none to give yet, and says so with 14.
    pub fn init_producer(&mut self) -> Result<Producer> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..InitProducerIdRequest::default()
        };
        let mut producer = None;
        until("a producer id", || {
            let answer = self.call(&request, 4)?;
            ensure!(
                matches!(answer.error_code, 0 | 14),
                "InitProducerId answered error {}",
                answer.error_code
            );
            producer = (answer.error_code == 0)
                .then_some(Producer { id: answer.producer_id, epoch: answer.producer_epoch });
            Ok(producer.is_some())
        })?;
        producer.context("no producer id")
    }

    /// Appends one batch; answers the partition's part of the response, whatever its error.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: i16,
    ) -> Result<PartitionProduceResponse> {
        let response = self.call(&produce_request(topic, partition, batch, acks), PRODUCE)?;
        let answer = response
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partition_responses.into_iter().next());
        answer.context("no partition in the answer")
    }

    /// Appends one batch and expects it to be taken; answers its base offset. Kafka answers a creation before the
    /// partition takes records, so a broker that does not know or lead the partition yet is asked again.
    pub fn append(&mut self, topic: &str, partition: i32, batch: &Bytes) -> Result<i64> {
        let mut base_offset = None;
        until("an append", || {
            let answer = self.produce(topic, partition, batch.clone(), 1)?;
            let wait = matches!(answer.error_code, 3 | 5 | 6);
            ensure!(answer.error_code == 0 || wait, "error {} {:?}", answer.error_code, answer.error_message);
            base_offset = (!wait).then_some(answer.base_offset);
            Ok(!wait)
        })?;
        base_offset.context("no offset")
    }

    /// Fetches once from one partition.
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        max_bytes: i32,
    ) -> Result<PartitionData> {
        let response = self.call(&fetch_request(topic, partition, offset, max_bytes), FETCH)?;
        partition_of(response)
    }

    /// Reads a partition from its first offset to the end it has now: the bytes of its batches, as they came.
    pub fn read_all(&mut self, topic: &str, partition: i32) -> Result<Bytes> {
        let mut offset = self.offset(topic, partition, -2)?;
        let end = self.offset(topic, partition, -1)?;
        let mut all = Vec::new();
        while offset < end {
            let data = self.fetch(topic, partition, offset, 4 << 20)?;
            ensure!(data.error_code == 0, "fetch at {offset} answered error {}", data.error_code);
            let records = data.records.bytes().cloned().unwrap_or_default();
            let before = offset;
            for batch in pagewire_record::complete_batches(&records) {
                let batch = batch?;
                batch.verify_crc()?;
                let len = usize::try_from(batch.header.size_in_bytes())?;
                offset = batch.header.next_offset();
                all.extend_from_slice(batch.bytes.get(..len).context("a batch shorter than its length")?);
            }
            ensure!(offset > before, "fetch at {before} of {end} brought nothing");
        }
        Ok(all.into())
    }

    /// ListOffsets for one partition: -1 is the end, -2 the start, other numbers are times in ms. A partition that has
    /// no leader yet, as in a Kafka that has just been started, is asked again for a while, as clients do.
    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let began = Instant::now();
        loop {
            let (error_code, offset) = self.list_offset(topic, partition, timestamp)?;
            match error_code {
                0 => return Ok(offset),
                NOT_LEADER_OR_FOLLOWER if began.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(100));
                }
                _ => bail!("ListOffsets of {topic}-{partition} answered error {error_code}"),
            }
        }
    }

    /// Error code and offset.
    fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<(i16, i64)> {
        let partitions = vec![ListOffsetsPartition {
            partition_index: partition,
            timestamp,
            ..ListOffsetsPartition::default()
        }];
        let topics = vec![ListOffsetsTopic { name: text(topic), partitions }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let response = self.call(&request, 7)?;
        let found =
            response.topics.first().and_then(|topic| topic.partitions.first()).context("no partition")?;
        Ok((found.error_code, found.offset))
    }
}

/// A string field.
pub fn text(value: &str) -> Str {
    Str::from(value.to_owned())
}

/// A Produce of one batch to one partition.
pub fn produce_request(topic: &str, partition: i32, batch: Bytes, acks: i16) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: partition, records: batch.into() }];
    let topic_data =
        vec![TopicProduceData { name: text(topic), partition_data, ..TopicProduceData::default() }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..ProduceRequest::default() }
}

/// A sessionless Fetch of one partition that does not wait.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_bytes: i32) -> FetchRequest {
    let wanted = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: max_bytes,
        ..FetchPartition::default()
    };
    let topics = vec![FetchTopic { topic: text(topic), partitions: vec![wanted], ..FetchTopic::default() }];
    FetchRequest { max_wait_ms: 500, min_bytes: 1, max_bytes, topics, ..FetchRequest::default() }
}

/// The only partition of a Fetch response.
pub fn partition_of(response: FetchResponse) -> Result<PartitionData> {
    ensure!(response.error_code == 0, "fetch answered error {}", response.error_code);
    let partition =
        response.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
    partition.context("no partition in the answer")
}

/// Milliseconds since 1970.
pub fn now_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// A batch of these values without keys, uncompressed.
pub fn batch(values: &[&[u8]], producer: Option<(Producer, i32)>) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some((producer, sequence)) = producer {
        builder = builder.producer(producer.id, producer.epoch, sequence);
    }
    let now_ms = now_ms()?;
    for value in values {
        builder.append(now_ms, None, Some(value), &[])?;
    }
    Ok(builder.build()?)
}
