//! Transactions of one producer in one partition, one after the other.
//!
//! ```text
//!   coordinator:  find it - producer id |  add the partition            commit or abort  | ...
//!   leader:                             |                    batches                     |
//! ```
//!
//! The partition is added by a request of its own and the epoch stays, as producers did it before KIP-890: every broker
//! that has transactions speaks that.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use pagewire_wire::messages::end_txn_request::EndTxnRequest;
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::init_producer_id_request::InitProducerIdRequest;
use pagewire_wire::{ErrorCode, Str};

use super::batch::filled;
use super::ready::when_ready;
use super::{Connection, Dial, Error, ProduceFrame, Result, Versions};

/// The key that is looked for names a transactional id.
const OF_TRANSACTIONS: i8 = 1;
/// A producer that is gone for so long has its transaction aborted.
const TIMEOUT_MS: i32 = 60_000;
/// The next transaction waits for the markers of the one before, which is a matter of a write.
const AGAIN: Duration = Duration::from_millis(1);
/// The first coordinator of a cluster comes with a topic of its own.
const FOUND_AGAIN: Duration = Duration::from_millis(20);

/// A transactional producer.
#[derive(Debug)]
pub struct Transactional {
    dial: Dial,
    coordinator: Connection,
    leader: Connection,
    id: String,
    topic: String,
    partition: i32,
    producer: (i64, i16),
    sequence: i32,
}

/// What every batch of a transaction holds.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// Records of a batch.
    pub records: usize,
    /// Bytes of a record's value.
    pub value_len: usize,
    /// How they are compressed.
    pub codec: Codec,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its records count.
    Commit,
    /// They do not.
    Abort,
}

impl Transactional {
    /// Whether a broker has transactions.
    pub fn offered(versions: &Versions) -> bool {
        versions.choose::<InitProducerIdRequest>().is_ok()
    }

    /// A producer of this partition, whose leader is at `leader`. Its transactional id is the partition's name.
    pub fn open(
        dial: &Dial,
        broker: SocketAddr,
        leader: SocketAddr,
        topic: &str,
        partition: i32,
    ) -> Result<Self> {
        let id = format!("{topic}-{partition}");
        let (coordinator, producer) = when_ready(dial, FOUND_AGAIN, || {
            let mut coordinator = dial.open(coordinator(dial, broker, &id)?)?;
            let producer = producer(&mut coordinator, &id)?;
            Ok((coordinator, producer))
        })?;
        Ok(Self {
            dial: dial.clone(),
            coordinator,
            leader: dial.open(leader)?,
            id,
            topic: topic.to_owned(),
            partition,
            producer,
            sequence: 0,
        })
    }

    /// A transaction of so many batches, which all are in flight at once: the bytes of them.
    pub fn write(&mut self, batches: i32, content: Content, end: End) -> Result<u64> {
        self.add_partition()?;
        let (mut frames, mut bytes) = (Vec::new(), 0);
        for number in 0..batches {
            let batch = self.batch(content)?;
            bytes += batch.len() as u64;
            let versions = self.leader.versions();
            let mut frame =
                ProduceFrame::transactional(versions, &self.id, &self.topic, self.partition, batch)?;
            self.leader.produce(&mut frame, number)?;
            frames.push(frame);
        }
        for (number, frame) in (0..).zip(&frames) {
            self.leader.produced(frame, number)?;
        }
        self.end(end)?;
        Ok(bytes)
    }

    fn batch(&mut self, content: Content) -> Result<Bytes> {
        let Content { records, value_len, codec } = content;
        let (id, epoch) = self.producer;
        let builder = BatchBuilder::new(codec).producer(id, epoch, self.sequence).transactional();
        self.sequence += i32::try_from(records).unwrap_or(i32::MAX);
        Ok(filled(builder, records, value_len)?)
    }

    fn add_partition(&mut self) -> Result<()> {
        let topic =
            AddPartitionsToTxnTopic { name: Str::from(self.topic.clone()), partitions: vec![self.partition] };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: Str::from(self.id.clone()),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![topic],
            ..AddPartitionsToTxnRequest::default()
        };
        when_ready(&self.dial, AGAIN, || {
            let answer = self.coordinator.call_agreed(&request)?;
            let topic = answer.results_by_topic_v3_and_below.first();
            let partition = topic.and_then(|topic| topic.results_by_partition.first());
            let unknown = ErrorCode::UnknownServerError.code();
            let code = partition.map_or(unknown, |partition| partition.partition_error_code);
            Error::check(code, None, || format!("partition of transaction {}", self.id))
        })
    }

    fn end(&mut self, end: End) -> Result<()> {
        let request = EndTxnRequest {
            transactional_id: Str::from(self.id.clone()),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed: end == End::Commit,
        };
        when_ready(&self.dial, AGAIN, || {
            let answer = self.coordinator.call_agreed(&request)?;
            Error::check(answer.error_code, None, || format!("end of transaction {}", self.id))
        })
    }
}

/// Where the coordinator of a transactional id is.
fn coordinator(dial: &Dial, broker: SocketAddr, id: &str) -> Result<SocketAddr> {
    let request = FindCoordinatorRequest {
        key: Str::from(id.to_owned()),
        key_type: OF_TRANSACTIONS,
        ..FindCoordinatorRequest::default()
    };
    let found = dial.open(broker)?.call_agreed(&request)?;
    let message = found.error_message.as_ref().map(Str::as_str);
    Error::check(found.error_code, message, || format!("coordinator of {id}"))?;
    dial.resolve(&found.host, u16::try_from(found.port).unwrap_or_default())
}

/// The producer's id and epoch.
fn producer(coordinator: &mut Connection, id: &str) -> Result<(i64, i16)> {
    let request = InitProducerIdRequest {
        transactional_id: Some(Str::from(id.to_owned())),
        transaction_timeout_ms: TIMEOUT_MS,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let answer = coordinator.call_agreed(&request)?;
    Error::check(answer.error_code, None, || format!("producer id of {id}"))?;
    Ok((answer.producer_id, answer.producer_epoch))
}

#[cfg(test)]
mod tests;
