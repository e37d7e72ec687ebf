//! Clients that take what they can and give nothing: what they may hold, and for how long.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;

use crate::harness::{Broker, Client, FetchAt, batch};

/// Ends a test that would wait forever.
const NEVER: Duration = Duration::from_mins(1);

/// A connection on which `sent` bytes of a produce of `announced` bytes were sent, or as many as the broker takes.
fn half_sent(address: SocketAddr, announced: i32, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut bytes = announced.to_be_bytes().to_vec();
    bytes.extend([0, 0, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 0]);
    bytes.resize(sent, 0);
    stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    if let Err(error) = stream.write_all(&bytes) {
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
    stream
}

#[test]
fn half_sent_frames_keep_no_normal_producer_waiting() {
    for (announced, count) in [(6_000_000, 25), (1_900_000, 25), (7_500_000, 3)] {
        let broker = Broker::with(&[("pagewire.request.memory.max.bytes", "16777216")]);
        let mut client = broker.client();
        client.create_topic("t", 1);
        let sent = if count < 10 { 7_000_000 } else { 1_500_000 };
        let held: Vec<_> = (0..count).map(|_| half_sent(broker.address(), announced, sent)).collect();
        let produced = batch(&[&"x".repeat(64 << 10)]);
        for offset in 0..3 {
            assert_eq!(client.produce("t", 0, produced.clone()), offset);
        }
        assert_eq!(broker.client().end_of("t", 0), 3, "a new client is served as well");
        drop(held);
    }
}

#[test]
fn a_large_produce_gets_the_memory_of_those_who_make_no_progress() {
    let broker = Broker::with(&[("pagewire.request.memory.max.bytes", "16777216")]);
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("max.message.bytes", "9000000")]);
    let held: Vec<_> = (0..6).map(|_| half_sent(broker.address(), 6_000_000, 1_500_000)).collect();
    assert_eq!(client.produce("t", 0, batch(&[&"x".repeat(6 << 20)])), 0);
    drop(held);
}

fn with_two_listeners(limit: &str, value: &str) -> Broker {
    Broker::with(&[
        ("listeners", "PLAINTEXT://127.0.0.1:0,INSIDE://127.0.0.2:0"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT"),
        (limit, value),
    ])
}

#[test]
fn the_share_of_an_address_counts_on_all_listeners() {
    let broker = with_two_listeners("max.connections.per.ip", "1");
    let [first, second] = broker.addresses()[..] else { panic!("two listeners") };
    let mut client = Client::connect(first);
    client.api_versions();
    // From the same address, whatever it calls.
    assert!(Client::connect(second).is_closed());
    client.api_versions();
}

#[test]
fn the_total_counts_on_all_listeners_and_one_that_nobody_calls_takes_no_place() {
    let broker = with_two_listeners("max.connections", "2");
    let [first, second] = broker.addresses()[..] else { panic!("two listeners") };
    let mut served = [Client::connect(first), Client::connect(first)];
    for client in &mut served {
        drop(client.api_versions());
    }
    let mut third = Client::connect(second);
    let asked = third.send(&ApiVersionsRequest::default(), 0);
    for _ in 0..100 {
        for client in &mut served {
            drop(client.api_versions());
        }
    }
    assert!(!third.has_answer(), "two are served already");
    drop(served);
    third.receive::<ApiVersionsRequest>(asked, 0);
}

/// Tries until the broker has a place for another client.
fn is_admitted(broker: &Broker) -> bool {
    let start = Instant::now();
    while start.elapsed() < NEVER {
        let mut client = broker.client();
        let (_, frame) = client.frame(&ApiVersionsRequest::default(), 0);
        client.try_send_bytes(&frame);
        if client.next_frame().is_some() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_client_that_closes_is_forgotten_however_much_it_waits_for() {
    for parked in [1, 64, 200] {
        let broker = Broker::with(&[("max.connections.per.ip", "1")]);
        let mut client = broker.client();
        client.create_topic("t", 1);
        for _ in 0..parked {
            client.send(&FetchAt::parked("t", &[(0, 0)]).request(), 12);
        }
        drop(client);
        assert!(is_admitted(&broker), "{parked} fetches keep a dead connection");
    }
}

#[test]
fn connections_have_keepalive() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.api_versions();
    // proc(5): addresses in hexadecimal, then in the sixth column the timer; 02 is keepalive.
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let row = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| {
        row[1].ends_with(&port(broker.address())) && row[2].ends_with(&port(client.local_address()))
    });
    let row = row.expect("the broker's end of the connection");
    // The answer may not have been acknowledged yet: 01 is its retransmission, and the same timer later.
    assert!(row[5].starts_with("02:") || row[5].starts_with("01:"), "{row:?}");
}
