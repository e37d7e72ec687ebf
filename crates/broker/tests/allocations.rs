//! How many heap allocations a request takes in steady state, which no change is to make more without anybody seeing it. Alone
//! in its file, because it counts what the whole process allocates. That is the broker's, on all its threads: the client sends
//! what it has made before, and reads into memory that it has.

#![allow(clippy::cast_precision_loss, reason = "counts are small")]

mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::{Records, Request, Str, Uuid, decode_response, encode_request};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::Broker;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WARM_UP: usize = 50;
const REQUESTS: usize = 200;

/// As today's clients speak: topics by their ids.
const PRODUCE: i16 = 13;
const FETCH: i16 = 17;

/// Records of 1 KiB in a batch of at most so many bytes, with what it and they have of their own.
const IN_64_KIB: usize = 63;
const IN_16_KIB: usize = 15;
/// What is due at a time at the tail.
const AT_THE_TAIL: usize = 10;
const RECORD: usize = 1 << 10;

/// A broker with a topic, and a connection to it.
struct Bench {
    broker: Broker,
    runtime: Runtime,
    connection: Connection,
    topic_id: Uuid,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let broker = runtime.block_on(Broker::start(dir.path(), &[]));
        let topic = CreatableTopic {
            name: "t".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let create = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        let created = runtime.block_on(async { broker.client().await.call(&create, 7).await });
        let topic_id = created.topics.first().expect("one for each").topic_id;
        let connection = Connection::to(&broker);
        Self { broker, runtime, connection, topic_id, _dir: dir }
    }

    /// With so many batches of so many records.
    fn filled(batches: usize, records: usize) -> Self {
        let mut bench = Self::new();
        let frame = bench.produce(records);
        for _ in 0..batches {
            bench.connection.exchange::<1>(&frame);
        }
        bench
    }

    /// Allocations of one of these frames, after some that are not counted, and how long the answers to it are.
    fn count<const ANSWERS: usize>(&mut self, frames: &[Bytes]) -> (f64, [usize; ANSWERS]) {
        let mut exchange = |frame: &Bytes| self.connection.exchange::<ANSWERS>(frame);
        let (warm_up, counted) = frames.split_at(WARM_UP);
        let first = warm_up.iter().map(&mut exchange).last().expect("some");
        let region = Region::new(ALLOCATOR);
        for frame in counted {
            assert_eq!(exchange(frame), first, "one is as another");
        }
        let change = region.change();
        ((change.allocations + change.reallocations) as f64 / counted.len() as f64, first)
    }

    /// Appends a batch of so many records.
    fn produce(&self, records: usize) -> Bytes {
        let data = PartitionProduceData { records: Records::Bytes(batch(records)), ..Default::default() };
        let topic = TopicProduceData {
            topic_id: self.topic_id,
            partition_data: vec![data],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest { acks: 1, topic_data: vec![topic], ..ProduceRequest::default() };
        frame(&request, PRODUCE)
    }

    /// Reads from an offset on, or waits for what comes there.
    fn fetch(&self, fetch_offset: usize, max_bytes: i32) -> Bytes {
        let partition = FetchPartition {
            fetch_offset: fetch_offset as i64,
            partition_max_bytes: max_bytes,
            current_leader_epoch: -1,
            ..FetchPartition::default()
        };
        let topic =
            FetchTopic { topic_id: self.topic_id, partitions: vec![partition], ..FetchTopic::default() };
        let request = FetchRequest {
            max_wait_ms: 60_000,
            min_bytes: 1,
            max_bytes,
            session_epoch: -1,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        frame(&request, FETCH)
    }

    /// Ends it. Its last answer was to a produce: where that was appended.
    fn appended_at(self) -> i64 {
        let answer = Bytes::copy_from_slice(self.connection.answer());
        let (_, mut answer) = decode_response::<ProduceRequest>(answer, PRODUCE).expect("an answer");
        let answer = answer.responses.remove(0).partition_responses.remove(0);
        assert_eq!(answer.error_code, 0);
        self.stop();
        answer.base_offset
    }

    fn stop(self) {
        self.runtime.block_on(self.broker.stop());
    }
}

/// A client that allocates nothing.
struct Connection {
    stream: TcpStream,
    memory: Vec<u8>,
    /// Of the last answer.
    len: usize,
}

impl Connection {
    fn to(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address()).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, memory: vec![0; 2 << 20], len: 0 }
    }

    /// Sends a frame and reads its answers: how long they are.
    fn exchange<const ANSWERS: usize>(&mut self, frame: &[u8]) -> [usize; ANSWERS] {
        self.stream.write_all(frame).expect("a broker that reads");
        std::array::from_fn(|_| self.receive())
    }

    fn receive(&mut self) -> usize {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).expect("an answer");
        self.len = u32::from_be_bytes(size) as usize;
        self.stream.read_exact(&mut self.memory[..self.len]).expect("the whole answer");
        self.len
    }

    /// The last one.
    fn answer(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

fn frame<R: Request>(request: &R, version: i16) -> Bytes {
    let frame = encode_request(request, version, 1, Some(Str::from_static("test")));
    frame.expect("a request that encodes").into_bytes().expect("no holes")
}

fn batch(records: usize) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..records {
        builder.append(now as i64, None, Some(&[b'x'; RECORD]), &[]).expect("room");
    }
    builder.build().expect("a batch")
}

/// Six, and more where an append goes aside, which takes a task:
/// - of the request: its buffer as shared bytes; the lists of topics and of partitions;
/// - of the answer: the same two lists; its bytes.
fn a_produce() -> f64 {
    let mut bench = Bench::new();
    let frames = vec![bench.produce(IN_64_KIB); WARM_UP + REQUESTS];
    let (counted, [_]) = bench.count(&frames);
    assert_eq!(bench.appended_at() as usize, (WARM_UP + REQUESTS - 1) * IN_64_KIB, "each was appended");
    counted
}

/// Fifteen:
/// - of the request: a copy of the frame, and the part of it behind its length; the lists of topics and of partitions;
/// - of what is wanted: the list of partitions; a topic's name, shared with who would wait;
/// - of what is found: the list of answers; the window through which the header of a batch is read;
/// - of the answer: the list of file ranges; whether each partition is told; the lists of topics and of partitions; its bytes; the
///   list of holes for records; the parts before and behind a hole, which share the bytes.
fn a_hot_fetch(max_bytes: usize, records: usize) -> f64 {
    let mut bench = Bench::filled(20, records);
    let frames = vec![bench.fetch(0, max_bytes as i32); WARM_UP + REQUESTS];
    let (counted, [len]) = bench.count(&frames);
    assert!(len > max_bytes / 10 * 9, "{len} bytes: as many batches as fit");
    bench.stop();
    counted
}

/// Thirty-one, and more where an append goes aside:
/// - a produce's six;
/// - those of a fetch but the window: fourteen;
/// - the list of answers twice more: it looks when it comes, when it is about to wait and when it was woken;
/// - what a fetch that waits keeps: its request, its future, how it looks, its waker, its tickets at the partitions, and who calls its
///   connection: six;
/// - the two answers while they wait for their turn, and the pieces of both to be sent at once: three.
///
/// The fetch and the produce come on one connection, whose requests start in their order: the fetch is always parked when the
/// append comes that wakes it.
fn a_delivery_at_the_tail() -> f64 {
    let mut bench = Bench::new();
    let both = |at| [bench.fetch(at * AT_THE_TAIL, 1 << 20), bench.produce(AT_THE_TAIL)].concat().into();
    let frames: Vec<Bytes> = (0..WARM_UP + REQUESTS).map(both).collect();
    let (counted, [fetched, _]) = bench.count(&frames);
    assert!(fetched > AT_THE_TAIL * RECORD, "{fetched} bytes: all records");
    assert_eq!(bench.appended_at() as usize, (WARM_UP + REQUESTS - 1) * AT_THE_TAIL, "each was appended");
    counted
}

/// The least of ten counts, or the first that is no more than this: an append that lost its core makes those after it go aside,
/// each with an allocation more.
fn least(count: fn() -> f64, most: f64) -> f64 {
    let mut least = count();
    for _ in 0..9 {
        if least > most {
            least = least.min(count());
        }
    }
    least
}

#[test]
fn a_request_in_steady_state_allocates_as_often_as_is_told_here() {
    let control = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1]));
    assert_eq!(control.change().allocations, 1, "what is allocated is counted");
    let facts: [(_, fn() -> f64, _); 4] = [
        ("a produce of 64 KiB", a_produce, 6.9),
        ("a hot fetch of 1 MiB", || a_hot_fetch(1 << 20, IN_64_KIB), 15.9),
        ("a hot fetch of 16 KiB", || a_hot_fetch(16 << 10, IN_16_KIB), 15.9),
        ("a delivery at the tail", a_delivery_at_the_tail, 32.0),
    ];
    let counted = facts.map(|(what, count, most)| (what, least(count, most), most));
    let more: Vec<_> = counted.iter().filter(|(_, counted, most)| counted > most).collect();
    assert!(more.is_empty(), "allocations a request, and how many they may be: {more:?}");
}
