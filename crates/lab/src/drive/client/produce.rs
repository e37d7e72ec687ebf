//! Produce: frames made once and sent many times, answers checked.

use bytes::Bytes;
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::messages::produce_response::ProduceResponse;
use pagewire_wire::{Records, Str, encode_request};

use super::connection::CLIENT_ID;
use super::{Connection, Error, Result, Versions};

/// Position of the correlation id in a request frame, size prefix included.
const CORRELATION_AT: usize = 8;
/// From the next version on whoever produces in a transaction does not add the partition to it before (KIP-890).
const ADDED_PARTITIONS_MAX: i16 = 11;
/// How long the broker may wait for replicas.
const TIMEOUT_MS: i32 = 30_000;

/// Which copies of a record must be written before a produce is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// No answer at all.
    None,
    /// The leader's.
    Leader,
    /// All replicas in sync.
    All,
}

impl Acks {
    /// As the protocol has it.
    pub fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        }
    }
}

/// A produce request of one batch, in the bytes of the wire.
#[derive(Debug, Clone)]
pub struct ProduceFrame {
    bytes: Vec<u8>,
    version: i16,
    acks: Acks,
}

impl ProduceFrame {
    /// For this partition, in the version that `versions` allow.
    pub fn new(versions: &Versions, topic: &str, partition: i32, batch: Bytes, acks: Acks) -> Result<Self> {
        let version = versions.choose::<ProduceRequest>()?;
        Self::in_version(version, topic, partition, batch, acks)
    }

    /// For this partition, in a transaction that it was added to.
    pub(super) fn transactional(
        versions: &Versions,
        id: &str,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> Result<Self> {
        let version = versions.choose::<ProduceRequest>()?.min(ADDED_PARTITIONS_MAX);
        Self::encoded(version, Some(id), topic, partition, batch, Acks::All)
    }

    /// For this partition, in this version.
    pub fn in_version(version: i16, topic: &str, partition: i32, batch: Bytes, acks: Acks) -> Result<Self> {
        Self::encoded(version, None, topic, partition, batch, acks)
    }

    fn encoded(
        version: i16,
        transactional_id: Option<&str>,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: Acks,
    ) -> Result<Self> {
        let partition = PartitionProduceData { index: partition, records: Records::Bytes(batch) };
        let topic = TopicProduceData {
            name: Str::from(topic.to_owned()),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            transactional_id: transactional_id.map(|id| Str::from(id.to_owned())),
            acks: acks.code(),
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let frame = encode_request(&request, version, 0, Some(Str::from_static(CLIENT_ID)))?;
        Ok(Self { bytes: frame.head.to_vec(), version, acks })
    }

    /// Whether the broker answers it.
    pub fn is_answered(&self) -> bool {
        self.acks != Acks::None
    }
}

impl Connection {
    /// Sends the frame under this correlation id. Its answer, if it has one, is for [`Connection::produced`].
    pub fn produce(&mut self, frame: &mut ProduceFrame, correlation_id: i32) -> Result<()> {
        if let Some(place) = frame.bytes.get_mut(CORRELATION_AT..CORRELATION_AT + 4) {
            place.copy_from_slice(&correlation_id.to_be_bytes());
        }
        self.send(&frame.bytes)
    }

    /// Reads the answer to `frame`, which must carry this correlation id: the offset of the first record.
    pub fn produced(&mut self, frame: &ProduceFrame, correlation_id: i32) -> Result<i64> {
        let address = self.address();
        let (answered, offset) =
            self.answer::<ProduceRequest, _>(frame.version, |id, answer| (id, first(&answer)))?;
        if answered == correlation_id {
            return offset;
        }
        Err(Error::Protocol { address, what: "it answers requests out of order".to_owned() })
    }
}

/// The first offset of the only partition, or its error.
fn first(answer: &ProduceResponse) -> Result<i64> {
    let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let Some(partition) = partition else {
        return Error::check(-1, Some("the answer names no partition"), || "produce".to_owned()).map(|()| -1);
    };
    let message = partition.error_message.as_ref().map(Str::as_str);
    Error::check(partition.error_code, message, || "produce".to_owned())?;
    Ok(partition.base_offset)
}
