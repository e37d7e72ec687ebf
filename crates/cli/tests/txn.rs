//! Transactions on a real broker: listed, described, found hanging, aborted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use common::{Broker, eventually};
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::init_producer_id_request::InitProducerIdRequest;
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::{Records, Request, Str, decode_response, encode_request};
use serde_json::{Value, json};

/// A producer by hand.
struct Producer {
    socket: TcpStream,
    transactional_id: String,
    id: i64,
    epoch: i16,
    is_known: bool,
}

/// The type of a coordinator's key.
const TRANSACTION: i8 = 1;
/// From this version on Produce has the coordinator add the partition.
const ADDS: i16 = 12;

impl Producer {
    /// One that its coordinator knows, if it is to be known; else one that only bears the name.
    fn new(broker: &Broker, transactional_id: &str, is_known: bool) -> Self {
        let socket = TcpStream::connect(&broker.address).unwrap();
        let transactional_id = transactional_id.to_owned();
        let mut producer = Self { socket, transactional_id, id: -1, epoch: -1, is_known };
        if is_known {
            // Who asks for the coordinator first makes it.
            let key = Str::from(producer.transactional_id.clone());
            let request = FindCoordinatorRequest { key, key_type: TRANSACTION, ..Default::default() };
            eventually("a coordinator", || producer.call(&request, 3).error_code == 0);
        }
        let name = is_known.then(|| Str::from(producer.transactional_id.clone()));
        let request = InitProducerIdRequest {
            transactional_id: name,
            transaction_timeout_ms: 60_000,
            ..InitProducerIdRequest::default()
        };
        eventually("an id", || {
            let answer = producer.call(&request, 4);
            (producer.id, producer.epoch) = (answer.producer_id, answer.producer_epoch);
            answer.error_code == 0
        });
        producer
    }

    fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let frame = encode_request(request, version, 1, None).unwrap().into_bytes().unwrap();
        self.socket.write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.socket.read_exact(&mut answer).unwrap();
        decode_response::<R>(Bytes::from(answer), version).unwrap().1
    }

    /// Writes a record of a transaction, which begins with it.
    fn write(&mut self, topic: &str) {
        let builder = BatchBuilder::new(Codec::None).producer(self.id, self.epoch, 0);
        let mut builder = builder.transactional();
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        builder.append(i64::try_from(now_ms).unwrap(), None, Some(b"open"), &[]).unwrap();
        let records = Records::Bytes(builder.build().unwrap());
        let partition = PartitionProduceData { index: 0, records };
        let topic = TopicProduceData {
            name: Str::from(topic.to_owned()),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            transactional_id: Some(Str::from(self.transactional_id.clone())),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
        };
        let version = if self.is_known { ADDS } else { ADDS - 1 };
        eventually("it is taken", || {
            self.call(&request, version).responses[0].partition_responses[0].error_code == 0
        });
    }
}

fn json_of(broker: &Broker, line: &[&str]) -> Value {
    serde_json::from_str(&broker.run(&[&["txn"], line, &["-o", "json"]].concat()).ok()).unwrap()
}

#[test]
fn an_open_transaction_is_listed_described_and_does_not_hang() {
    let broker = Broker::start(&["--set", "transaction.state.log.num.partitions=1"]);
    broker.run(&["topic", "create", "t"]).ok();
    let mut producer = Producer::new(&broker, "app", true);
    producer.write("t");
    let listed = json_of(&broker, &["list"]);
    let row = json!([{"transactional_id": "app", "coordinator": 1, "producer_id": producer.id, "state": "Ongoing"}]);
    assert_eq!(listed, row);
    for (option, value, found) in [
        ("--state", "Ongoing", 1),
        ("--state", "Empty,CompleteAbort", 0),
        ("--producer-id", "999999", 0),
        ("--longer-than", "3600", 0),
        ("--longer-than", "0", 1),
        ("--pattern", "a.p", 1),
        ("--pattern", "a", 0),
    ] {
        assert_eq!(
            json_of(&broker, &["list", option, value]).as_array().unwrap().len(),
            found,
            "{option} {value}"
        );
    }
    let page = json_of(&broker, &["describe", "app"]);
    assert_eq!(page[0]["state"], "Ongoing");
    assert_eq!(page[0]["partitions"], json!([{"topic": "t", "partition": 0}]));
    assert!(page[0]["started"].is_string() && page[0]["timeout_ms"] == 60_000, "{page}");
    let table = broker.run(&["txn", "describe", "app"]).ok();
    assert!(table.contains("transactional id app  Ongoing") && table.contains("PARTITION"), "{table}");
    let producers = json_of(&broker, &["producers", "t", "--open"]);
    assert_eq!(
        (&producers[0]["producer_id"], &producers[0]["open_from_offset"]),
        (&json!(producer.id), &json!(0))
    );
    assert_eq!(json_of(&broker, &["find-hanging", "--longer-than", "0"]), json!([]));
    assert_eq!(broker.run(&["txn", "find-hanging", "--longer-than", "0"]).ok(), "no transaction hangs\n");
}

/// Without a partition of each internal topic, which were moved away while it was stopped.
#[test]
fn what_a_partition_keeps_that_is_not_served_is_said_to_be_missing_in_lists_and_no_abort_is_named() {
    let options =
        ["--set", "transaction.state.log.num.partitions=1", "--set", "offsets.topic.num.partitions=1"];
    let broker = Broker::start(&options);
    broker.run(&["topic", "create", "t"]).ok();
    broker.run_with(&["produce", "t"], b"a\n").ok();
    broker.run(&["consume", "t", "--group", "readers", "--from", "beginning", "--count", "1"]).ok();
    Producer::new(&broker, "app", true).write("t");
    let lists = [&["txn", "list"][..], &["group", "list"], &["group", "describe", "--all"]];
    let hanging = ["txn", "find-hanging", "--longer-than", "0"];
    for line in lists.iter().copied().chain([&hanging[..]]) {
        let run = broker.run(line);
        assert!(!run.err.contains("missing here"), "{line:?}: {run:?}");
    }
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    for name in ["__transaction_state-0", "__consumer_offsets-0"] {
        fs::rename(dir.path().join("data").join(name), dir.path().join(name)).unwrap();
    }
    let broker = Broker::start_in(dir, &options);
    for (line, topic) in lists.iter().zip(["__transaction_state", "__consumer_offsets", "__consumer_offsets"])
    {
        let run = broker.run(line);
        let said = format!("1 of the 1 partitions of {topic} is not served, or could not be loaded (0)");
        assert!(run.err.contains(&said), "{line:?}: {run:?}");
        run.ok();
    }
    let run = broker.run(&hanging);
    assert!(
        run.err.contains("abort none of them before it does") && !run.err.contains("txn abort"),
        "{run:?}"
    );
    run.ok();
    let run = broker.run(&["txn", "describe", "app"]);
    let said = run.failed(1);
    assert!(said.contains("transactional id app") && said.contains("pagewire cluster"), "{said}");
}

#[test]
fn a_transaction_that_no_coordinator_knows_is_found_and_aborted() {
    let broker = Broker::start(&[
        "--set",
        "transaction.state.log.num.partitions=1",
        "--set",
        "transaction.partition.verification.enable=false",
    ]);
    broker.run(&["topic", "create", "t"]).ok();
    let mut producer = Producer::new(&broker, "ghost", false);
    producer.write("t");
    assert_eq!(json_of(&broker, &["find-hanging"]), json!([]), "not old enough");
    let run = broker.run(&["txn", "find-hanging", "--topic", "t", "--longer-than", "0"]);
    let abort = format!("`pagewire txn abort t:0 --start-offset 0 -b {}`", broker.address);
    assert!(run.err.contains(&abort), "{run:?}");
    assert!(run.ok().contains(&producer.id.to_string()));
    assert_eq!(broker.run(&["consume", "t", "--isolation", "committed"]).ok(), "");
    let said = broker.run(&["txn", "abort", "t:0", "--start-offset", "5"]).failed(1);
    assert!(
        said.contains("no transaction is open from offset 5 on") && said.contains("txn producers t:0"),
        "{said}"
    );
    let id = producer.id.to_string();
    let of = |id: &str, epoch: &str| {
        let epochs = ["--producer-epoch", "0", "--coordinator-epoch", epoch];
        broker.run(&[&["txn", "abort", "t:0", "--producer-id", id], &epochs[..]].concat())
    };
    let end = || broker.run(&["topic", "describe", "t", "-o", "json"]).ok();
    let before = end();
    let said = of("424242", "0").failed(1);
    assert!(said.contains("no transaction of producer 424242 is open"), "{said}");
    assert_eq!(end(), before, "nothing was written");
    of(&id, "0").ok();
    producer.epoch += 1;
    producer.write("t");
    let said = of(&id, "0").failed(1);
    assert!(said.contains("INVALID_PRODUCER_EPOCH") && said.contains("txn producers t:0"), "{said}");
    let said = broker.run(&["txn", "abort", "t:0", "--start-offset", "2"]).ok();
    assert!(said.starts_with("t:0: transaction of producer") && said.ends_with("aborted\n"), "{said}");
    assert_eq!(json_of(&broker, &["find-hanging", "--longer-than", "0"]), json!([]));
    assert_eq!(json_of(&broker, &["producers", "t", "--open"]), json!([]));
}

#[test]
fn what_is_not_there_is_told_with_what_to_do() {
    let broker = Broker::start(&["--set", "transaction.state.log.num.partitions=1"]);
    broker.run(&["topic", "create", "t"]).ok();
    Producer::new(&broker, "app", true);
    let list = format!("`pagewire txn list -b {}`", broker.address);
    for (line, hint) in [
        (&["describe", "nosuch"][..], list.as_str()),
        (&["producers", "nowhere"], "topic nowhere does not exist"),
        (&["producers", "t:9"], "no partition 9"),
        (&["abort", "nowhere:0", "--start-offset", "0"], "topic nowhere does not exist"),
        (&["list", "--pattern", "("], "INVALID_REGULAR_EXPRESSION"),
    ] {
        let said = broker.run(&[&["txn"], line].concat()).failed(1);
        assert!(said.contains(hint), "{line:?}: {said}");
    }
    for line in
        [&["abort", "t:0"][..], &["abort", "t", "--start-offset", "0"], &["list", "--longer-than", "-1"]]
    {
        broker.run(&[&["txn"], line].concat()).failed(2);
    }
    let said = broker.run(&["txn", "list", "--state", "Nonsense"]).failed(2);
    assert!(said.contains("it is one of Empty, Ongoing"), "{said}");
    assert!(
        broker.run(&["txn", "list", "--state", "ONGOING,empty"]).ok().contains("app"),
        "whatever the case"
    );
}
