//! Frames and order: whatever a client sends on one connection is answered in the order in which it was sent.

use pagewire_wire::{
    Uuid,
    messages::{
        api_versions_request::ApiVersionsRequest, fetch_request::FetchRequest,
        metadata_request::MetadataRequest, produce_request::ProduceRequest,
    },
};

use crate::{
    apis::raw,
    harness::{Broker, FetchAt, Fetched, batch, produce_request, values_of},
};

#[test]
fn a_parked_fetch_is_answered_before_what_was_asked_after_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let fetch = client.send(&FetchAt::parked("t", &[(0, 0)]).request(), 12);
    let metadata = client.send(&MetadataRequest::default(), 12);
    let produce = client.send(&produce_request("t", Uuid::NIL, &[(0, batch(&["woken"]))]), 9);
    let fetched = client.receive::<FetchRequest>(fetch, 12);
    assert_eq!(values_of(&fetched.records()), [(0, "woken".into())]);
    client.receive::<MetadataRequest>(metadata, 12);
    let produced = client.receive::<ProduceRequest>(produce, 9);
    assert_eq!(produced.responses[0].partition_responses[0].base_offset, 0);
}

#[test]
fn produce_with_and_without_waiting_for_the_disk_is_appended_and_answered_in_order() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let mut sent = Vec::new();
    for n in 0..100 {
        let mut request = produce_request("t", Uuid::NIL, &[(0, batch(&["x"]))]);
        request.acks = if n % 2 == 0 { -1 } else { 1 };
        sent.push(client.send(&request, 9));
    }
    for (id, offset) in sent.into_iter().zip(0..) {
        let answer = client.receive::<ProduceRequest>(id, 9);
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
}

#[test]
fn acks_0_has_no_answer() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for value in ["a", "b"] {
        let request = ProduceRequest { acks: 0, ..produce_request("t", Uuid::NIL, &[(0, batch(&[value]))]) };
        client.send(&request, 9);
    }
    assert_eq!(client.api_versions().error_code, 0, "the next answer is that of the next request");
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "a".into()), (1, "b".into())]);
}

#[test]
fn an_error_of_acks_0_closes_the_connection_after_what_was_asked_before_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    let before = client.send(&MetadataRequest::default(), 12);
    let request = ProduceRequest { acks: 0, ..produce_request("nowhere", Uuid::NIL, &[(0, batch(&["x"]))]) };
    client.send(&request, 9);
    client.receive::<MetadataRequest>(before, 12);
    assert!(client.is_closed());
}

#[test]
fn more_requests_than_may_be_in_flight_in_one_segment_are_all_answered() {
    let broker = Broker::start();
    let mut client = broker.client();
    let (mut frames, mut ids) = (Vec::new(), Vec::new());
    for n in 0..1000 {
        let (id, frame) = if n % 2 == 0 {
            client.frame(&ApiVersionsRequest::default(), 0)
        } else {
            client.frame(&MetadataRequest::default(), 9)
        };
        frames.extend_from_slice(&frame);
        ids.push(id);
    }
    client.send_bytes(&frames);
    for pair in ids.chunks(2) {
        client.receive::<ApiVersionsRequest>(pair[0], 0);
        client.receive::<MetadataRequest>(pair[1], 9);
    }
}

#[test]
fn frames_may_arrive_byte_by_byte() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let (id, frame) = client.frame(&produce_request("t", Uuid::NIL, &[(0, batch(&["slow"]))]), 9);
    for byte in frame.chunks(1) {
        client.send_bytes(byte);
    }
    client.receive::<ProduceRequest>(id, 9);
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "slow".into())]);
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken_and_one_byte_more_closes() {
    let broker = Broker::with(&[("socket.request.max.bytes", "1000")]);
    let mut client = broker.client();
    // Header 10 bytes; an ApiVersions v0 body is empty and the rest is ignored.
    client.send_bytes(&raw(18, 0, 5, &[0; 990]));
    client.receive::<ApiVersionsRequest>(5, 0);
    client.send_bytes(&raw(18, 0, 6, &[0; 991]));
    assert!(client.is_closed());
}

#[test]
fn a_frame_over_the_limit_closes_before_it_is_sent() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.send_bytes(&i32::MAX.to_be_bytes());
    assert!(client.is_closed());
}

#[test]
fn a_negative_or_too_short_frame_closes() {
    let broker = Broker::start();
    for length in [-1, i32::MIN, 0, 3] {
        let mut client = broker.client();
        client.try_send_bytes(&length.to_be_bytes());
        client.try_send_bytes(&[0; 3]);
        assert!(client.is_closed(), "length {length}");
    }
}

#[test]
fn what_was_sent_before_hanging_up_is_done() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let mut leaver = broker.client();
    let parked = FetchAt::parked("t", &[(0, 0)]).request();
    let waiting = client.send(&parked, 12);
    leaver.send(&produce_request("t", Uuid::NIL, &[(0, batch(&["last words"]))]), 9);
    drop(leaver);
    let fetched = client.receive::<FetchRequest>(waiting, 12);
    assert_eq!(values_of(&fetched.records()), [(0, "last words".into())]);
}

#[test]
fn a_client_that_hangs_up_while_it_waits_hurts_nobody() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for _ in 0..20 {
        let mut leaver = broker.client();
        leaver.send(&FetchAt::parked("t", &[(0, 0)]).request(), 12);
    }
    client.produce("t", 0, batch(&["x"]));
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "x".into())]);
}
