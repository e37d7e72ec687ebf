//! A log directory whose disk does not answer, beside one that is well: calls to the second are held until the first did
//! all that was asked of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use pagewire_disk::{Call, FailingDisk, Held, MemoryDisk, OffsetCheckpoint, checkpoint::RECOVERY_POINT_FILE};
use pagewire_log::Marks;
use pagewire_wire::{
    Records, Request, decode_response, encode_request,
    messages::{
        api_versions_request::ApiVersionsRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        list_offsets_response::ListOffsetsPartitionResponse,
        metadata_request::MetadataRequest,
        produce_request::ProduceRequest,
    },
};
use pagewire_zcopy::IoPool;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, block_in_place};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    background,
    config::Endpoint,
    lanes::ASIDE_MAX,
    net::{self, ConnectionLimits},
    partition::Partition,
    testing::{Bench, FETCH, PRODUCE, ROOT, SECOND, fetch, produce},
};

/// Nobody waits longer for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Looks for what comes by itself.
const LOOKS_MAX: u32 = 1_000_000;
/// Calls that are held in the second directory, more than its threads.
pub(crate) const HELD: usize = 8;
/// I/O threads of a directory.
pub(crate) const THREADS: usize = 2;
/// KAFKA_STORAGE_ERROR.
const STORAGE_ERROR: i16 = 56;
/// ListOffsets.
const LIST_OFFSETS: i16 = 7;

/// A partition in the first directory, and those in the second.
pub(crate) const WELL: i32 = 0;
pub(crate) const HANGING: [i32; THREADS] = [2, 3];

/// A broker on two directories whose disk can be held, with a topic that has partitions in both.
pub(crate) struct Two {
    pub(crate) disk: FailingDisk,
    pub(crate) bench: Arc<Bench>,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

impl Two {
    pub(crate) async fn with(io: IoPool) -> Self {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let bench = Arc::new(Bench::on_two(Arc::new(disk.clone()), io));
        let configs = [("internal.segment.bytes", "200"), ("retention.bytes", "1"), ("retention.ms", "-1")];
        let partitions = bench.topic("t", 4, &configs).await;
        for (partition, root) in partitions.iter().zip([ROOT, ROOT, SECOND, SECOND]) {
            assert_eq!(partition.lane().path(), Path::new(root));
        }
        Self { disk, bench, partitions }
    }

    pub(crate) async fn produce(&self, partition: i32, acks: i16) -> i16 {
        let answer = self.bench.produce("t", partition, acks).await.expect("an answer");
        answer.error_code
    }

    /// Enough for some segments to be removable.
    pub(crate) async fn fill(&self, partition: i32) {
        for _ in 0..4 {
            assert_eq!(self.produce(partition, 1).await, 0);
        }
    }

    fn marks(&self, partition: i32) -> Marks {
        self.partitions[usize::try_from(partition).expect("a number")].log.marks()
    }

    fn checkpointed(&self, root: &str, partition: i32) -> i64 {
        let path = Path::new(root).join(RECOVERY_POINT_FILE);
        let points = OffsetCheckpoint::read(&self.disk, &path).expect("readable");
        points.and_then(|points| points.get("t", partition)).unwrap_or(0)
    }
}

pub(crate) async fn offset_for_time(bench: Arc<Bench>, partition_index: i32) -> ListOffsetsPartitionResponse {
    let asked = ListOffsetsPartition {
        partition_index,
        current_leader_epoch: -1,
        timestamp: 1000,
        ..Default::default()
    };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = bench.ask(&request, LIST_OFFSETS).await.expect("an answer");
    answer.topics[0].partitions[0].clone()
}

/// Lets others go on until it is so.
pub(crate) async fn until(is_so: impl Fn() -> bool, what: &str) {
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_does_not_answer_keeps_no_other_from_retention_and_checkpoints() {
    for call in [Call::Rename, Call::SyncDir, Call::Open] {
        let two = Two::with(IoPool::new(4, 64)).await;
        two.fill(HANGING[0]).await;
        let held: Vec<Held> = (0..HELD).map(|_| two.disk.hold(SECOND, call)).collect();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        background::start(&two.bench.broker, &tasks, &stop);
        two.bench.broker.tell_settings_changed();
        until(|| held.iter().any(Held::was_reached), "a call of the rounds").await;
        for _ in 0..3 {
            let before = two.marks(WELL);
            two.fill(WELL).await;
            two.bench.broker.tell_settings_changed();
            until(|| two.marks(WELL).log_start > before.log_start, "retention of the first directory").await;
            until(|| two.checkpointed(ROOT, WELL) > before.log_end, "checkpoints of the first directory")
                .await;
        }
        drop(held);
        until(
            || two.marks(HANGING[0]).log_start > 0 && two.checkpointed(SECOND, HANGING[0]) > 0,
            "the second directory, which answers again",
        )
        .await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_and_lookups_that_hang_in_one_directory_leave_the_threads_of_the_others_alone() {
    let two = Two::with(IoPool::new(THREADS, 64)).await;
    for partition in [WELL].into_iter().chain(HANGING) {
        two.fill(partition).await;
    }
    let mut hanging = JoinSet::new();
    let mut all_held = Vec::new();
    for partition in HANGING {
        let (held, bench) =
            (two.disk.hold(&format!("{SECOND}/t-{partition}"), Call::SyncData), Arc::clone(&two.bench));
        hanging.spawn(async move { _ = bench.produce("t", partition, -1).await });
        assert!(block_in_place(|| held.is_reached()), "{partition}");
        all_held.push(held);
    }
    // As lookups do that wait for the disk.
    let wait_there = |_| {
        let (gate, waits) = mpsc::channel::<()>();
        two.partitions[2].io().submit(move || _ = waits.recv()).expect("room");
        gate
    };
    let lookups: Vec<_> = (0..2 * THREADS).map(wait_there).collect();
    let answered = async {
        assert_eq!(two.produce(WELL, -1).await, 0);
        let found = offset_for_time(Arc::clone(&two.bench), WELL).await;
        assert_eq!((found.error_code, found.offset), (0, 0));
        two.bench.topic("another", 1, &[]).await;
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("the first directory answers");
    drop((all_held, lookups));
    tokio::time::timeout(PATIENCE, hanging.join_all()).await.expect("so does the second, when it is let go");
}

/// Workers of a runtime, as small as they come.
const WORKERS: usize = 2;

/// A client of the served broker, on a connection of its own.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Self(stream)
    }

    fn send<R: Request>(&mut self, request: &R, version: i16) {
        let frame =
            encode_request(request, version, 7, None).expect("request").into_bytes().expect("no holes");
        self.0.write_all(&frame).expect("sent");
    }

    fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut size = [0; 4];
        self.0.read_exact(&mut size).expect("an answer");
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut frame).expect("all of it");
        decode_response::<R>(frame.into(), version).expect("a response").1
    }

    fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.receive::<R>(version)
    }

    fn produced(&mut self) -> i16 {
        self.receive::<ProduceRequest>(PRODUCE).responses[0].partition_responses[0].error_code
    }
}

/// Serves on a free port of this machine.
fn serve(bench: &Bench, tasks: &TaskTracker, stop: &CancellationToken) -> SocketAddr {
    let endpoint = Endpoint { name: "PLAINTEXT".into(), address: ([127, 0, 0, 1], 0).into() };
    let listener = net::bind(&endpoint, 50, "system").and_then(net::Bound::listen).expect("listens");
    let address = listener.address();
    let limits = ConnectionLimits::default();
    tasks.spawn(listener.run(Arc::clone(&bench.broker), limits, tasks.clone(), stop.clone()));
    address
}

/// Each of the appends that hang could hold up a worker, and the one that polls the sockets.
#[test]
fn while_as_many_appends_hang_as_there_are_workers_new_connections_and_the_other_directory_are_served() {
    let runtime =
        Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().expect("a runtime");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let two = runtime.block_on(Two::with(IoPool::new(THREADS, 64)));
    let address = runtime.block_on(async { serve(&two.bench, &tasks, &stop) });
    let mut hanging = Vec::new();
    for partition in HANGING {
        let held = two.disk.hold(&format!("{SECOND}/t-{partition}"), Call::Write);
        let mut client = Client::connect(address);
        client.send(&produce("t", partition, 1), PRODUCE);
        assert!(held.is_reached(), "{partition}");
        hanging.push((client, held));
    }
    assert_eq!(hanging.len(), WORKERS);
    for acks in [1, -1] {
        let mut client = Client::connect(address);
        let versions = client.ask(&ApiVersionsRequest::default(), 0);
        assert_eq!(versions.error_code, 0);
        let metadata = client.ask(&MetadataRequest { topics: None, ..Default::default() }, 9);
        assert_eq!(metadata.topics.len(), 1);
        client.send(&produce("t", WELL, acks), PRODUCE);
        assert_eq!(client.produced(), 0);
        let fetched = client.ask(&fetch("t", 1, 0, 0), FETCH);
        let fetched = &fetched.responses[0].partitions[0];
        assert_eq!(fetched.error_code, 0);
        assert!(matches!(&fetched.records, Records::Bytes(bytes) if !bytes.is_empty()), "what was produced");
    }
    for (mut client, held) in hanging {
        drop(held);
        assert_eq!(client.produced(), 0, "when the disk answers, so does the broker");
    }
    stop.cancel();
    tasks.close();
    runtime.block_on(tasks.wait());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_appends_wait_for_a_directory_that_hangs_and_the_next_is_told_to_come_again() {
    let two = Two::with(IoPool::new(THREADS, 64)).await;
    let held = two.disk.hold(&format!("{SECOND}/t-{}", HANGING[0]), Call::Write);
    let mut asked = JoinSet::new();
    // One in place, on a worker; the others aside.
    let waiting = 1 + ASIDE_MAX;
    for _ in 0..=waiting {
        let bench = Arc::clone(&two.bench);
        asked.spawn(async move { bench.produce("t", HANGING[0], 1).await.expect("an answer") });
    }
    assert!(block_in_place(|| held.is_reached()));
    let refused = tokio::time::timeout(PATIENCE, asked.join_next()).await.expect("in time");
    let refused = refused.expect("one of them").expect("no panic");
    assert_eq!(refused.error_code, STORAGE_ERROR);
    let told = refused.error_message.expect("words").to_string();
    assert!(told.contains("does not answer") && told.contains(SECOND), "{told}");
    assert_eq!(two.produce(WELL, 1).await, 0);
    assert!(asked.try_join_next().is_none(), "the others wait");
    drop(held);
    let answers = tokio::time::timeout(PATIENCE, asked.join_all()).await.expect("in time");
    let mut offsets: Vec<i64> = answers.iter().map(|answer| answer.base_offset).collect();
    offsets.sort_unstable();
    assert!(answers.iter().all(|answer| answer.error_code == 0));
    assert!(offsets.into_iter().eq(0..i64::try_from(waiting).expect("a number")), "each once, no gap");
    assert_eq!(two.produce(HANGING[0], 1).await, 0);
}
