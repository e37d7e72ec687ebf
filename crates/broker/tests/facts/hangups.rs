//! Clients that ask for a change and hang up before it is answered.

use pagewire_wire::{
    Request, Uuid,
    messages::{
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        find_coordinator_request::FindCoordinatorRequest,
        join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
    },
};

use crate::harness::{Broker, batch};

/// Asks, and is gone.
fn ask_and_leave<R: Request>(broker: &Broker, request: &R, version: i16) {
    let mut client = broker.client();
    client.send(request, version);
    drop(client);
}

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[test]
fn a_topic_whose_creator_hung_up_can_be_used() {
    let mut broker = Broker::start();
    for name in NAMES {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 3,
            replication_factor: 1,
            ..Default::default()
        };
        ask_and_leave(&broker, &CreateTopicsRequest { topics: vec![topic], ..Default::default() }, 7);
    }
    for round in 0..2 {
        let mut client = broker.client();
        for name in NAMES {
            let again = client.try_create_topic(name, 3, 1, &[]).error_code;
            assert!(matches!((again, round), (0 | 36, 0) | (36, 1)), "{name}: {again}");
            assert_eq!(client.produce(name, 2, batch(&["x"])), round);
        }
        broker.restart();
    }
}

#[test]
fn a_name_whose_deleter_hung_up_can_be_used_again() {
    let broker = Broker::start();
    let mut client = broker.client();
    for name in NAMES {
        client.create_topic(name, 3);
        client.produce(name, 0, batch(&["old"]));
        let topic = DeleteTopicState { name: Some(name.into()), topic_id: Uuid::NIL, ..Default::default() };
        ask_and_leave(&broker, &DeleteTopicsRequest { topics: vec![topic], ..Default::default() }, 6);
        let topic = DeleteTopicState { name: Some(name.into()), topic_id: Uuid::NIL, ..Default::default() };
        let request = DeleteTopicsRequest { topics: vec![topic], ..Default::default() };
        let again = client.call(&request, 6).responses[0].error_code;
        assert!(matches!(again, 0 | 3), "{name}: {again}");
        client.create_topic(name, 1);
        assert_eq!(client.produce(name, 0, batch(&["new"])), 0);
    }
}

#[test]
fn groups_work_though_the_first_client_ever_hung_up() {
    for _ in 0..4 {
        let broker = Broker::start();
        let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
        ask_and_leave(&broker, &request, 3);
        let mut client = broker.client();
        assert_eq!(client.call(&request, 3).error_code, 0);
        let protocol = JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
        let join = JoinGroupRequest {
            group_id: "g".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        // A coordinator that was just made may still be loading its empty log.
        let joined = (0..10_000).map(|_| client.call(&join, 3).error_code).find(|code| *code != 14);
        assert_eq!(joined, Some(0));
    }
}
