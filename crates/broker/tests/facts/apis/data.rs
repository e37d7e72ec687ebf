//! Questions about records: Produce, Fetch, offsets, metadata, producers.

use pagewire_wire::{
    Records, Str, Uuid,
    messages::{
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
        describe_producers_request::{DescribeProducersRequest, TopicRequest},
        fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic},
        init_producer_id_request::InitProducerIdRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        offset_for_leader_epoch_request::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};

use super::{NO_ID, Probe};
use crate::harness::batch;

pub(super) fn ask(probe: &mut Probe) {
    produce(probe);
    fetch(probe);
    sessions(probe);
    lookups(probe);
    metadata(probe);
    producers(probe);
}

fn produce(probe: &mut Probe) {
    let (here, batch) = (probe.here, batch(&["x"]));
    probe.ask_all(&ProduceRequest { acks: 1, ..ProduceRequest::default() });
    for acks in [1, -1, 7] {
        let records = [
            Records::Null,
            Records::Bytes(bytes::Bytes::new()),
            Records::Bytes(batch.slice(..40)),
            Records::Bytes(batch.clone()),
        ];
        for records in records {
            for (name, topic_id) in [("here", here), ("nowhere", NO_ID)] {
                let data =
                    |index| PartitionProduceData { index, records: records.clone(), ..Default::default() };
                probe.ask_all(&ProduceRequest {
                    acks,
                    timeout_ms: 30_000,
                    topic_data: vec![TopicProduceData {
                        name: name.into(),
                        topic_id,
                        partition_data: vec![data(0), data(9), data(-1)],
                        ..Default::default()
                    }],
                    ..Default::default()
                });
            }
        }
    }
    let transactional_id = Some(Str::from("t"));
    let topic = TopicProduceData {
        name: "here".into(),
        topic_id: here,
        partition_data: vec![PartitionProduceData::default()],
        ..Default::default()
    };
    probe.ask_all(&ProduceRequest {
        transactional_id,
        acks: -1,
        topic_data: vec![topic],
        ..Default::default()
    });
}

/// A fetch of one partition, and then some that do not exist.
fn fetch_of(name: &'static str, topic_id: Uuid, partition: &FetchPartition) -> FetchRequest {
    let at = |index| FetchPartition { partition: index, ..partition.clone() };
    FetchRequest {
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: name.into(),
            topic_id,
            partitions: vec![at(0), at(9), at(-1)],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch(probe: &mut Probe) {
    let here = probe.here;
    probe.ask_all(&FetchRequest::default());
    let offsets = [0, 1, 1_000_000, -1];
    let epochs = [-1, 0, 7];
    for (name, id) in [("here", here), ("nowhere", NO_ID)] {
        for fetch_offset in offsets {
            for current_leader_epoch in epochs {
                let partition = FetchPartition {
                    fetch_offset,
                    current_leader_epoch,
                    partition_max_bytes: 1000,
                    ..Default::default()
                };
                for isolation_level in [0, 1] {
                    probe.ask_all(&FetchRequest { isolation_level, ..fetch_of(name, id, &partition) });
                }
                // Only versions with last_fetched_epoch can say this; then the log diverges.
                let diverging = FetchPartition { last_fetched_epoch: 5, ..partition };
                probe.ask(&fetch_of(name, id, &diverging));
            }
        }
    }
}

fn sessions(probe: &mut Probe) {
    let partition = FetchPartition { partition_max_bytes: 1000, ..Default::default() };
    for (session_id, session_epoch) in [(0, 0), (12_345, 1), (12_345, -1), (12_345, 0), (0, -1), (-5, -5)] {
        let forgotten = ForgottenTopic {
            topic: "here".into(),
            topic_id: probe.here,
            partitions: vec![0, 5],
            ..Default::default()
        };
        let here = probe.here;
        let request = FetchRequest { session_id, session_epoch, ..fetch_of("here", here, &partition) };
        probe.ask(&request);
        probe.ask(&FetchRequest { forgotten_topics_data: vec![forgotten], ..request });
    }
}

fn lookups(probe: &mut Probe) {
    probe.ask_all(&ListOffsetsRequest::default());
    probe.ask_all(&OffsetForLeaderEpochRequest::default());
    probe.ask_all(&DeleteRecordsRequest::default());
    for name in ["here", "nowhere", ""] {
        for timestamp in -9..=1 {
            for current_leader_epoch in [-1, 0, 9] {
                let at = |partition_index| ListOffsetsPartition {
                    partition_index,
                    current_leader_epoch,
                    timestamp,
                    ..Default::default()
                };
                let partitions = vec![at(0), at(1), at(1), at(7), at(-1)];
                let topic = ListOffsetsTopic { name: name.into(), partitions, ..Default::default() };
                let topics = vec![topic];
                probe.ask_all(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() });
            }
        }
        for (current_leader_epoch, leader_epoch) in [(-1, 0), (0, 0), (5, 0), (-1, 9), (-1, -1)] {
            let at = |partition| OffsetForLeaderPartition {
                partition,
                current_leader_epoch,
                leader_epoch,
                ..Default::default()
            };
            let partitions = vec![at(0), at(9), at(-1)];
            let topics = vec![OffsetForLeaderTopic { topic: name.into(), partitions, ..Default::default() }];
            probe.ask_all(&OffsetForLeaderEpochRequest { topics, ..Default::default() });
        }
        for offset in [0, 1, -1, -2, i64::MAX] {
            let at =
                |partition_index| DeleteRecordsPartition { partition_index, offset, ..Default::default() };
            let partitions = vec![at(1), at(9), at(-1)];
            let topics = vec![DeleteRecordsTopic { name: name.into(), partitions, ..Default::default() }];
            probe.ask_all(&DeleteRecordsRequest { topics, timeout_ms: 1000, ..Default::default() });
        }
    }
}

fn metadata(probe: &mut Probe) {
    let here = probe.here;
    probe.ask(&MetadataRequest { topics: None, ..Default::default() });
    probe.ask_all(&MetadataRequest { topics: Some(Vec::new()), ..Default::default() });
    for name in ["here", "nowhere", "not a name", "", "made.by.asking"] {
        for allow_auto_topic_creation in [true, false] {
            let allow_auto_topic_creation = allow_auto_topic_creation && name != "nowhere";
            let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
            let request = MetadataRequest {
                topics: Some(vec![topic]),
                allow_auto_topic_creation,
                ..Default::default()
            };
            probe.ask(&request);
            probe.ask(&MetadataRequest { include_topic_authorized_operations: true, ..request.clone() });
            probe.ask(&MetadataRequest { include_cluster_authorized_operations: true, ..request });
        }
    }
    for topic_id in [here, NO_ID, Uuid::NIL] {
        for name in [None, Some(Str::from("here"))] {
            let topic = MetadataRequestTopic { topic_id, name, ..Default::default() };
            probe.ask(&MetadataRequest { topics: Some(vec![topic]), ..Default::default() });
        }
    }
}

fn producers(probe: &mut Probe) {
    probe.ask_all(&InitProducerIdRequest::default());
    for transactional_id in [None, Some(Str::from("t")), Some(Str::from(""))] {
        let request = InitProducerIdRequest { transactional_id, ..Default::default() };
        probe.ask_all(&request);
        probe.ask(&InitProducerIdRequest { producer_id: 5, producer_epoch: 1, ..request });
    }
    probe.ask_all(&DescribeProducersRequest::default());
    for name in ["here", "nowhere"] {
        let topic =
            TopicRequest { name: name.into(), partition_indexes: vec![0, 9, -1], ..Default::default() };
        probe.ask_all(&DescribeProducersRequest { topics: vec![topic], ..Default::default() });
    }
}
