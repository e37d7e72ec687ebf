//! Limits of connections, and the address clients are told to come back to.

use pagewire_wire::messages::{
    api_versions_request::ApiVersionsRequest, describe_cluster_request::DescribeClusterRequest,
    fetch_request::FetchRequest, find_coordinator_request::FindCoordinatorRequest,
    metadata_request::MetadataRequest,
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, values_of};

#[test]
fn an_idle_connection_is_closed_and_one_that_waits_for_data_is_not() {
    let broker = Broker::with(&[("connections.max.idle.ms", "2000")]);
    let mut waiting = broker.client();
    waiting.create_topic("t", 1);
    let parked = waiting.send(&FetchAt::parked("t", &[(0, 0)]).request(), 12);
    // Two idle lives, one after the other, are longer than the waiting client's limit.
    for _ in 0..2 {
        assert!(broker.client().is_closed());
    }
    broker.client().produce("t", 0, batch(&["at last"]));
    let fetched = waiting.receive::<FetchRequest>(parked, 12);
    assert_eq!(values_of(&fetched.records()), [(0, "at last".into())]);
}

#[test]
fn half_a_frame_does_not_keep_a_connection_open() {
    let broker = Broker::with(&[("connections.max.idle.ms", "300")]);
    let mut client = broker.client();
    client.send_bytes(&[0, 0, 1, 0, 0, 18]);
    assert!(client.is_closed());
}

#[test]
fn a_client_that_does_not_read_its_answers_is_dropped_at_the_idle_limit() {
    let broker = Broker::with(&[("connections.max.idle.ms", "1500")]);
    let megabytes = batch(&[&"x".repeat(8 << 20)]);
    let mut greedy = broker.client();
    greedy.create_topic_with("t", 1, &[("max.message.bytes", "9000000")]);
    greedy.produce("t", 0, megabytes.clone());
    for _ in 0..60 {
        greedy.send(&FetchAt::now("t", &[(0, 0)]).request(), 12);
    }
    // Three idle lives are longer than the limit after the last byte that the socket took.
    for _ in 0..3 {
        assert!(broker.client().is_closed());
    }
    let got = greedy.read_to_end();
    assert!(got < 60 * megabytes.len(), "{got} bytes came, as if nobody had been dropped");
    assert_eq!(broker.client().end_of("t", 0), 1);
}

#[test]
fn an_address_over_its_share_of_connections_is_closed_and_one_that_leaves_makes_room() {
    let broker = Broker::with(&[("max.connections.per.ip", "2")]);
    let (mut first, mut second) = (broker.client(), broker.client());
    first.api_versions();
    second.api_versions();
    assert!(broker.client().is_closed());
    drop(first);
    // The broker learns of the end of a connection in its own time.
    let admitted = (0..100_000).find_map(|_| try_once(&broker));
    assert!(admitted.is_some());
    assert_eq!(second.api_versions().error_code, 0);
}

/// A client, if the broker takes it.
fn try_once(broker: &Broker) -> Option<Client> {
    let mut client = broker.client();
    let (_, frame) = client.frame(&ApiVersionsRequest::default(), 0);
    client.try_send_bytes(&frame);
    client.next_frame().map(|_| client)
}

#[test]
fn overrides_give_single_addresses_another_share() {
    let settings = [("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:1")];
    let broker = Broker::with(&settings);
    let mut first = broker.client();
    first.api_versions();
    assert!(broker.client().is_closed());
}

#[test]
fn over_the_total_a_client_waits_until_another_leaves() {
    let broker = Broker::with(&[("max.connections", "1")]);
    let mut first = broker.client();
    first.api_versions();
    let mut second = broker.client();
    let asked = second.send(&ApiVersionsRequest::default(), 0);
    assert_eq!(first.api_versions().error_code, 0, "the second one is not served yet");
    drop(first);
    second.receive::<ApiVersionsRequest>(asked, 0);
}

/// Where Metadata, DescribeCluster and FindCoordinator send a client.
fn told(client: &mut Client) -> [(String, i32); 4] {
    let metadata = client.call(&MetadataRequest::default(), 12).brokers.remove(0);
    let cluster = client.call(&DescribeClusterRequest::default(), 1).brokers.remove(0);
    let old = client.call(&FindCoordinatorRequest { key: "g".into(), ..Default::default() }, 3);
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
    let new = client.call(&request, 4).coordinators.remove(0);
    [
        (metadata.host.to_string(), metadata.port),
        (cluster.host.to_string(), cluster.port),
        (old.host.to_string(), old.port),
        (new.host.to_string(), new.port),
    ]
}

#[test]
fn clients_are_told_the_address_they_dialled() {
    let broker = Broker::with(&[
        ("listeners", "PLAINTEXT://127.0.0.1:0,INSIDE://127.0.0.2:0"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT"),
    ]);
    for address in broker.addresses() {
        let dialled = (address.ip().to_string(), i32::from(address.port()));
        for told in told(&mut Client::connect(address)) {
            assert_eq!(told, dialled);
        }
    }
}

#[test]
fn clients_of_each_listener_are_told_what_it_advertises() {
    let broker = Broker::with(&[
        ("listeners", "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.2:0,PLAINTEXT://127.0.0.3:0"),
        ("listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
        ("advertised.listeners", "INSIDE://broker:29092,OUTSIDE://public.example:9092"),
    ]);
    let addresses = broker.addresses();
    let dialled = (addresses[2].ip().to_string(), i32::from(addresses[2].port()));
    let expected = [("broker".to_owned(), 29092), ("public.example".to_owned(), 9092), dialled];
    for (address, expected) in addresses.into_iter().zip(expected) {
        for told in told(&mut Client::connect(address)) {
            assert_eq!(told, expected);
        }
    }
}

#[test]
fn an_empty_host_is_every_interface_of_both_kinds() {
    let broker = Broker::with(&[("listeners", "PLAINTEXT://:0")]);
    let port = broker.address().port();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    for told in told(&mut client) {
        assert_eq!(told, ("127.0.0.1".to_owned(), i32::from(port)));
    }
    // A machine without IPv6 has no such address, and is served all the same.
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let address = format!("[::1]:{port}").parse().unwrap();
        assert_eq!(Client::connect(address).api_versions().error_code, 0);
    }
}

#[test]
fn an_advertised_address_is_told_to_everybody() {
    let broker = Broker::with(&[("advertised.listeners", "PLAINTEXT://kafka.example:19092")]);
    for told in told(&mut broker.client()) {
        assert_eq!(told, ("kafka.example".to_owned(), 19092));
    }
}
