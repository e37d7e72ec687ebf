//! Frames: holes where records go, the size prefix, headers, and what a client reads back.

use bytes::Bytes;
use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;
use pagewire_wire::messages::api_versions_response::ApiVersionsResponse;
use pagewire_wire::messages::fetch_request::FetchRequest;
use pagewire_wire::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::{
    ErrorCode, Frame, Part, Reader, Records, RequestHeader, decode_response, encode_request, encode_response,
};

/// Lengths of the records of four partitions, the second without any.
const LENGTHS: [u32; 4] = [5, 0, 300, 70_000];

fn response(version: i16, records: impl Fn(u32) -> Records) -> FetchResponse {
    let partition = |(at, len): (usize, &u32)| PartitionData {
        partition_index: at as i32,
        high_watermark: 100,
        aborted_transactions: None,
        records: records(*len),
        current_leader: if version >= 12 && at == 2 {
            LeaderIdAndEpoch { leader_id: 1, leader_epoch: 7 }
        } else {
            LeaderIdAndEpoch::default()
        },
        ..PartitionData::default()
    };
    let topic = |name: &'static str, partitions: &[u32]| FetchableTopicResponse {
        topic: name.into(),
        topic_id: [7; 16].into(),
        partitions: partitions.iter().enumerate().map(partition).collect(),
    };
    let mut response = FetchResponse {
        responses: vec![topic("first", &LENGTHS[..2]), topic("second", &LENGTHS[..])],
        ..FetchResponse::default()
    };
    if version >= 16 {
        response.node_endpoints =
            vec![NodeEndpoint { node_id: 1, host: "localhost".into(), port: 9092, rack: None }];
    }
    response
}

fn filling(len: u32) -> Bytes {
    (0..len).map(|at| at as u8).collect()
}

/// What the wire carries once the holes are filled.
fn filled(frame: &Frame) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in frame.parts() {
        match part {
            Part::Bytes(bytes) => wire.extend_from_slice(&bytes),
            Part::Hole(len) => wire.extend_from_slice(&filling(len)),
        }
    }
    wire
}

#[test]
fn a_response_with_holes_is_on_the_wire_what_it_is_with_its_bytes() {
    for version in 4..=18 {
        let whole =
            encode_response(&response(version, |len| Records::Bytes(filling(len))), version, 9).unwrap();
        let holed = encode_response(&response(version, Records::Hole), version, 9).unwrap();
        assert_eq!(filled(&holed), &whole.head[..], "v{version}");
        assert_eq!(holed.total_len(), whole.head.len());
        let lengths: Vec<u32> = holed.holes.iter().map(|(_, len)| *len).collect();
        assert_eq!(lengths, [5, 5, 300, 70_000], "empty records leave no hole");
        assert!(holed.head.len() < 600, "the head holds no records");
        assert_eq!(whole.holes, []);
    }
}

#[test]
fn the_size_prefix_counts_the_holes() {
    for version in [4, 12, 18] {
        let frame = encode_response(&response(version, Records::Hole), version, 9).unwrap();
        let prefix = i32::from_be_bytes(*frame.head.first_chunk().unwrap());
        assert_eq!(prefix as usize, frame.total_len() - 4);
    }
}

#[test]
fn a_client_reads_what_the_broker_sent() {
    for version in 4..=18 {
        let sent = response(version, |len| Records::Bytes(filling(len)));
        let frame = encode_response(&sent, version, 9).unwrap().into_bytes().unwrap();
        let (correlation_id, received) = decode_response::<FetchRequest>(frame.slice(4..), version).unwrap();
        assert_eq!(correlation_id, 9);
        assert_eq!(received.responses[1].partitions, sent.responses[1].partitions);
    }
}

#[test]
fn parts_of_a_frame_without_holes_are_its_head() {
    let frame = encode_response(&ApiVersionsResponse::default(), 0, 1).unwrap();
    assert_eq!(frame.parts().collect::<Vec<_>>(), [Part::Bytes(frame.head.clone())]);
}

#[test]
fn records_of_a_request_are_a_slice_of_its_frame() {
    let records = filling(1000);
    let request = ProduceRequest {
        acks: -1,
        topic_data: vec![TopicProduceData {
            name: "orders".into(),
            partition_data: vec![PartitionProduceData { index: 0, records: records.clone().into() }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let frame = encode_request(&request, 9, 3, Some("me".into())).unwrap().into_bytes().unwrap();
    let mut r = Reader::new(frame.slice(4..));
    let header = RequestHeader::decode(&mut r).unwrap();
    let read = <ProduceRequest as pagewire_wire::Message>::decode(&mut r, header.api_version).unwrap();
    let slice = read.topic_data[0].partition_data[0].records.bytes().unwrap();
    assert_eq!(slice, &records);
    assert!(frame.as_ptr_range().contains(&slice.as_ptr()), "no copy was made");
}

#[test]
fn a_broker_that_refuses_a_version_of_api_versions_is_understood() {
    let refusal = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.into(),
        ..ApiVersionsResponse::default()
    };
    let frame = encode_response(&refusal, 0, 4).unwrap().into_bytes().unwrap();
    let (_, read) = decode_response::<ApiVersionsRequest>(frame.slice(4..), 4).unwrap();
    assert_eq!(read.error_code, 35);
}
