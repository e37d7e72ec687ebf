//! The calls nearly every fact makes, each in one line.

use bytes::Bytes;
use pagewire_wire::{
    ErrorCode, Records, Str, Uuid,
    messages::{
        create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        create_topics_response::CreatableTopicResult,
        fetch_request::{FetchPartition, FetchRequest, FetchTopic},
        fetch_response::{FetchResponse, PartitionData},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        metadata_response::MetadataResponseTopic,
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
};

use super::Client;

/// Where a fetch begins, and what bounds it.
#[derive(Debug, Clone)]
pub(crate) struct FetchAt {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    /// Partition and offset, in the order asked for.
    pub(crate) from: Vec<(i32, i64)>,
    pub(crate) max_wait_ms: i32,
    pub(crate) min_bytes: i32,
    pub(crate) max_bytes: i32,
    pub(crate) partition_max_bytes: i32,
    pub(crate) isolation_level: i8,
    pub(crate) leader_epoch: i32,
}

impl FetchAt {
    /// Everything there is from `from` on, now.
    pub(crate) fn now(topic: &'static str, from: &[(i32, i64)]) -> Self {
        Self {
            topic: topic.into(),
            topic_id: Uuid::NIL,
            from: from.to_vec(),
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            isolation_level: 0,
            leader_epoch: -1,
        }
    }

    /// The first byte after `from`, however long it takes to come.
    pub(crate) fn parked(topic: &'static str, from: &[(i32, i64)]) -> Self {
        Self { max_wait_ms: 600_000, ..Self::now(topic, from) }
    }

    /// By topic id, as version 13 and later do.
    pub(crate) fn by_id(self, topic_id: Uuid) -> Self {
        Self { topic_id, ..self }
    }

    pub(crate) fn request(&self) -> FetchRequest {
        let partition = |(index, offset): &(i32, i64)| FetchPartition {
            partition: *index,
            fetch_offset: *offset,
            partition_max_bytes: self.partition_max_bytes,
            current_leader_epoch: self.leader_epoch,
            ..FetchPartition::default()
        };
        let partitions = self.from.iter().map(partition).collect();
        FetchRequest {
            max_wait_ms: self.max_wait_ms,
            min_bytes: self.min_bytes,
            max_bytes: self.max_bytes,
            isolation_level: self.isolation_level,
            topics: vec![FetchTopic {
                topic: self.topic.clone(),
                topic_id: self.topic_id,
                partitions,
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        }
    }
}

/// The partitions of a fetch answer, in its order.
pub(crate) trait Fetched {
    fn partitions(&self) -> Vec<&PartitionData>;
    /// The record bytes of the only partition answered.
    fn records(&self) -> Bytes;
    /// Partition numbers with their error codes.
    fn errors(&self) -> Vec<(i32, i16)>;
}

impl Fetched for FetchResponse {
    fn partitions(&self) -> Vec<&PartitionData> {
        self.responses.iter().flat_map(|topic| &topic.partitions).collect()
    }

    fn records(&self) -> Bytes {
        let [partition] = self.partitions()[..] else { panic!("one partition is answered, not {self:?}") };
        partition.records.bytes().expect("records are never null").clone()
    }

    fn errors(&self) -> Vec<(i32, i16)> {
        self.partitions().iter().map(|partition| (partition.partition_index, partition.error_code)).collect()
    }
}

impl Client {
    /// Creates a topic; it must succeed.
    pub(crate) fn create_topic(&mut self, name: &'static str, partitions: i32) -> Uuid {
        self.create_topic_with(name, partitions, &[])
    }

    /// Creates a topic with settings; it must succeed.
    pub(crate) fn create_topic_with(
        &mut self,
        name: &'static str,
        partitions: i32,
        configs: &[(&'static str, &'static str)],
    ) -> Uuid {
        let created = self.try_create_topic(name, partitions, 1, configs);
        assert_eq!((created.error_code, created.error_message), (0, None));
        created.topic_id
    }

    pub(crate) fn try_create_topic(
        &mut self,
        name: &'static str,
        num_partitions: i32,
        replication_factor: i16,
        configs: &[(&'static str, &'static str)],
    ) -> CreatableTopicResult {
        let config = |(name, value): &(&'static str, &'static str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..CreatableTopicConfig::default()
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        self.call(&request, 7).topics.pop().unwrap()
    }

    /// What Metadata says about one topic; nothing is created.
    pub(crate) fn describe_topic(&mut self, name: &'static str) -> MetadataResponseTopic {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..MetadataRequestTopic::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        self.call(&request, 12).topics.pop().unwrap()
    }

    /// Produces one batch; the answer is the partition's.
    pub(crate) fn try_produce(
        &mut self,
        topic: &'static str,
        partition: i32,
        records: Bytes,
        version: i16,
    ) -> PartitionProduceResponse {
        let mut response = self.call(&produce_request(topic, Uuid::NIL, &[(partition, records)]), version);
        response.responses.pop().unwrap().partition_responses.pop().unwrap()
    }

    /// Produces one batch with acks=1; it must succeed. Answers its base offset.
    pub(crate) fn produce(&mut self, topic: &'static str, partition: i32, records: Bytes) -> i64 {
        let answer = self.try_produce(topic, partition, records, 9);
        assert_eq!((answer.error_code, answer.error_message), (0, None));
        answer.base_offset
    }

    pub(crate) fn fetch(&mut self, fetch: &FetchAt, version: i16) -> FetchResponse {
        self.call(&fetch.request(), version)
    }

    /// Error code, offset and time of one ListOffsets lookup.
    pub(crate) fn list_offset(
        &mut self,
        topic: &'static str,
        partition_index: i32,
        timestamp: i64,
        version: i16,
    ) -> (i16, i64, i64) {
        let partition =
            ListOffsetsPartition { partition_index, timestamp, ..ListOffsetsPartition::default() };
        let topic = ListOffsetsTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..ListOffsetsTopic::default()
        };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
        let found = self.call(&request, version).topics.remove(0).partitions.remove(0);
        (found.error_code, found.offset, found.timestamp)
    }

    /// The end of a partition.
    pub(crate) fn end_of(&mut self, topic: &'static str, partition: i32) -> i64 {
        let (error, offset, _) = self.list_offset(topic, partition, -1, 7);
        assert_eq!(error, ErrorCode::None.code());
        offset
    }
}

/// A produce request with acks=1.
pub(crate) fn produce_request(
    topic: &'static str,
    topic_id: Uuid,
    partitions: &[(i32, Bytes)],
) -> ProduceRequest {
    let data = |(index, records): &(i32, Bytes)| PartitionProduceData {
        index: *index,
        records: Records::Bytes(records.clone()),
        ..PartitionProduceData::default()
    };
    ProduceRequest {
        acks: 1,
        timeout_ms: 60_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            topic_id,
            partition_data: partitions.iter().map(data).collect(),
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}
