//! A broker without sockets, on a disk of one's choice: what a request leads to. For facts that need a failing, a
//! forgetting or a cold disk; what the machine's own disk shows is in `tests/`.

#![expect(
    clippy::needless_update,
    reason = "a message may grow a field with the next version of the protocol"
)]

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    path::Path,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed, mpsc},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use pagewire_disk::{Disk, ForgettingDisk};
use pagewire_log::{Handles, LockedDir, Log, LogDir, LogDirOptions, LogDirs, OpenOptions};
use pagewire_metadata::{Catalog, MemoryStore, Store, model::TopicRecord};
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{
    ApiKey, Records, Request, RequestHeader, Str, decode_response, encode_request,
    messages::{
        fetch_request::{FetchPartition, FetchRequest, FetchTopic},
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
};
use pagewire_zcopy::{BufferPool, IoPool, Piece, PoolOptions, SendPlan, Transfer, TransferOptions};
use parking_lot::Mutex;

use crate::{
    broker::{Broker, Parts},
    cluster::{Cluster, Identity, NewTopic, change},
    config::BrokerConfig,
    coordinators::Coordinators,
    dispatch::dispatch,
    lanes::Lane,
    loggers::Loggers,
    net::{Peer, Reply},
    partition::Partition,
    request::Context,
};

/// Where the logs are.
pub(crate) const ROOT: &str = "/data";
/// And where there are two, the others.
pub(crate) const SECOND: &str = "/second";
/// Where there are three.
pub(crate) const THIRD: &str = "/third";
/// The newest version that names topics.
pub(crate) const PRODUCE: i16 = 12;
pub(crate) const FETCH: i16 = 12;

/// The broker.
pub(crate) struct Bench {
    pub(crate) broker: Arc<Broker>,
    peer: Arc<Peer>,
}

/// How log directories are opened.
pub(crate) fn options() -> LogDirOptions {
    LogDirOptions {
        cluster_id: "cluster".to_owned(),
        node_id: BrokerConfig::defaults().node_id,
        threads: 1,
        handles: Handles::new(64),
        now_ms: 0,
    }
}

impl Bench {
    pub(crate) fn on(disk: Arc<dyn Disk>) -> Self {
        Self::with(disk, IoPool::new(4, 64))
    }

    pub(crate) fn with(disk: Arc<dyn Disk>, io: IoPool) -> Self {
        Self::over(disk, io, Arc::new(MemoryStore::default()))
    }

    /// A broker whose metadata is in `store`.
    pub(crate) fn over(disk: Arc<dyn Disk>, io: IoPool, store: Arc<dyn Store>) -> Self {
        Self::knowing(&[], &[ROOT], disk, io, store)
    }

    /// A broker on two log directories.
    pub(crate) fn on_two(disk: Arc<dyn Disk>, io: IoPool) -> Self {
        Self::on_all(&[ROOT, SECOND], disk, io)
    }

    /// A broker on these.
    pub(crate) fn on_all(roots: &[&str], disk: Arc<dyn Disk>, io: IoPool) -> Self {
        Self::on_all_over(roots, disk, io, Arc::new(MemoryStore::default()))
    }

    /// A broker on these whose metadata is in `store`.
    pub(crate) fn on_all_over(
        roots: &[&str],
        disk: Arc<dyn Disk>,
        io: IoPool,
        store: Arc<dyn Store>,
    ) -> Self {
        Self::knowing(&[], roots, disk, io, store)
    }

    /// The broker that a start after a kill makes of what is on `disk`.
    pub(crate) async fn killed_and_started_on(self, disk: Arc<dyn Disk>) -> Self {
        let store = Arc::clone(self.broker.cluster().catalog().store());
        let topics = self.broker.cluster().catalog().topics().await.expect("a store").0;
        let topics: Vec<TopicRecord> = topics.into_iter().map(|(topic, _)| topic).collect();
        // With it goes the lock of the directory.
        drop(self);
        Self::knowing(&topics, &[ROOT], disk, IoPool::new(4, 64), store)
    }

    fn knowing(
        topics: &[TopicRecord],
        roots: &[&str],
        disk: Arc<dyn Disk>,
        io: IoPool,
        store: Arc<dyn Store>,
    ) -> Self {
        let config = BrokerConfig::defaults();
        let options = options();
        let settings = |topic: &str, _| {
            let known = topics.iter().find(|known| known.name == topic);
            known.map(|known| Cluster::partition_settings(known, &config))
        };
        let lock =
            move |root: &&str| (Path::new(root).into(), LockedDir::lock(Arc::clone(&disk), Path::new(root)));
        let locked = roots.iter().map(lock).collect();
        let (log_dirs, report) =
            LogDirs::load(locked, &options, &settings, &|_| {}).expect("directories of ours");
        let identity = Identity {
            node_id: config.node_id,
            cluster_id: options.cluster_id,
            rack: None,
            leader_epoch: 0,
            advertised: BTreeMap::new(),
        };
        let cluster = Cluster::new(identity, Catalog::new(store), Arc::new(log_dirs), &io);
        let _ = cluster.load(topics, (&report.failed, &HashSet::new()), &config);
        let buffers = BufferPool::new(PoolOptions::default());
        let transfer = Transfer::new(TransferOptions::default(), buffers.clone(), io.clone());
        let coordinators = Coordinators::new(&config);
        let loggers = Loggers::default();
        let broker =
            Arc::new(Broker::new(Parts { config, cluster, coordinators, transfer, buffers, io, loggers }));
        Self { broker, peer: Arc::new(peer()) }
    }

    /// The directory of the logs.
    pub(crate) fn home(&self) -> Arc<LogDir> {
        self.broker.cluster().log_dirs().here().next().expect("home is always here")
    }

    /// Makes a topic and answers its partitions.
    pub(crate) async fn topic(
        &self,
        name: &str,
        partitions: usize,
        configs: &[(&str, &str)],
    ) -> Vec<Arc<Partition>> {
        let configs: BTreeMap<String, String> =
            configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let new = NewTopic { name: name.to_owned(), partitions, configs };
        let created = change(&self.broker, |change| async move { change.create_topic(new).await });
        let topic = created.await.expect("created");
        topic.partitions.iter().filter_map(|entry| entry.hosted.clone()).collect()
    }

    /// What the request leads to, before anybody waits for it.
    pub(crate) fn start<R: Request>(&self, request: &R, version: i16) -> Reply {
        self.start_from(&self.peer, request, version)
    }

    /// The same, on a connection of its own.
    pub(crate) fn start_elsewhere<R: Request>(&self, request: &R, version: i16) -> Reply {
        self.start_from(&Arc::new(peer()), request, version)
    }

    fn start_from<R: Request>(&self, peer: &Arc<Peer>, request: &R, version: i16) -> Reply {
        let frame =
            encode_request(request, version, 7, None).expect("request").into_bytes().expect("no holes");
        dispatch(&self.broker, peer, &self.broker.memory().account(), frame.slice(4..))
    }

    /// What a handler gets besides the request, of an API that may not be in the table.
    pub(crate) fn context(&self, api_key: ApiKey, api_version: i16) -> Context {
        let header = RequestHeader { api_key, api_version, correlation_id: 7, client_id: None };
        Context::new(&self.broker, &self.peer, &self.broker.memory().account(), header)
    }

    /// Sets a dynamic setting of the broker.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let set = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let config = self.broker.config().with_dynamic(set, BTreeMap::new()).expect("a setting");
        self.broker.set_config(config);
    }

    /// The response; `None` if there is none.
    pub(crate) async fn ask<R: Request>(&self, request: &R, version: i16) -> Option<R::Response> {
        finish::<R>(self.start(request, version), version).await
    }

    /// Produces one batch of one record.
    pub(crate) async fn produce(
        &self,
        topic: &str,
        index: i32,
        acks: i16,
    ) -> Option<PartitionProduceResponse> {
        let response = self.ask(&produce(topic, index, acks), PRODUCE).await?;
        Some(response.responses[0].partition_responses[0].clone())
    }

    pub(crate) fn count(&self, counter: impl FnOnce(&crate::metrics::Metrics) -> &AtomicU64) -> u64 {
        counter(self.broker.metrics()).load(Relaxed)
    }
}

fn peer() -> Peer {
    let address = ([127, 0, 0, 1], 9092).into();
    Peer { remote: address, listener: "PLAINTEXT".into(), local: address }
}

/// Waits for the reply and takes it apart.
pub(crate) async fn finish<R: Request>(reply: Reply, version: i16) -> Option<R::Response> {
    let outcome = match reply {
        Reply::Now(outcome) => outcome,
        Reply::Later(future) => future.await,
    };
    let frame = bytes_of(&outcome.expect("no reason to close")?);
    let (correlation_id, response) = decode_response::<R>(frame.slice(4..), version).expect("response");
    assert_eq!(correlation_id, 7);
    Some(response)
}

fn bytes_of(plan: &SendPlan) -> Bytes {
    let mut bytes = BytesMut::new();
    for piece in plan.pieces() {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            Piece::File(range) => bytes.extend_from_slice(&range.read_to_vec().expect("range")),
            Piece::Mapped(range) => {
                bytes.extend_from_slice(&range.file_range().read_to_vec().expect("range"));
            }
        }
    }
    bytes.freeze()
}

/// A batch of one record.
pub(crate) fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1000, Some(b"key"), Some(&[7; 60]), &[]).expect("record");
    builder.build().expect("batch")
}

/// The same within the transaction of a producer.
pub(crate) fn batch_in_txn(producer_id: i64, producer_epoch: i16, sequence: i32) -> Bytes {
    let builder = BatchBuilder::new(Codec::None).producer(producer_id, producer_epoch, sequence);
    let mut builder = builder.transactional();
    builder.append(1000, Some(b"key"), Some(&[7; 60]), &[]).expect("record");
    builder.build().expect("batch")
}

/// A request with one batch of one record.
pub(crate) fn produce(topic: &str, index: i32, acks: i16) -> ProduceRequest {
    produce_batch(topic, index, acks, batch())
}

/// A request with this batch.
pub(crate) fn produce_batch(topic: &str, index: i32, acks: i16, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index, records: Records::Bytes(batch), ..Default::default() };
    let topic_data = vec![TopicProduceData {
        name: Str::from(topic.to_owned()),
        partition_data: vec![data],
        ..Default::default()
    }];
    ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() }
}

/// A request for one topic's partitions, each from `offset` on.
pub(crate) fn fetch(topic: &str, partitions: i32, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        fetch_offset: offset,
        current_leader_epoch: -1,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topics = vec![FetchTopic {
        topic: Str::from(topic.to_owned()),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    }];
    let (max_bytes, session_epoch) = (1 << 20, -1);
    FetchRequest { max_wait_ms, min_bytes: 1, max_bytes, session_epoch, topics, ..Default::default() }
}

/// What the log of a partition of `t` ends at when the power goes now, and of what was not synced nothing is left.
pub(crate) fn end_after_crash(disk: &ForgettingDisk, index: i32) -> i64 {
    let after = Arc::new(disk.crash(0).expect("crash"));
    let dir = Path::new(ROOT).join(format!("t-{index}"));
    let (log, _) = Log::open(after, &dir, "t", index, OpenOptions::default()).expect("open");
    log.marks().log_end
}

/// Keeps the thread that takes the job busy until what is answered is dropped.
pub(crate) fn hold<E: Debug>(
    submit: impl FnOnce(Box<dyn FnOnce() + Send>) -> Result<(), E>,
) -> mpsc::Sender<()> {
    let (release, gate) = mpsc::channel::<()>();
    let (held, holding) = mpsc::channel();
    let job = move || {
        held.send(()).expect("somebody waits");
        let _ = gate.recv();
    };
    submit(Box::new(job)).expect("room");
    holding.recv().expect("held");
    release
}

/// Takes all I/O threads of a directory until this is dropped.
pub(crate) async fn take_threads(lane: &Arc<Lane>, threads: usize) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (began, has_begun) = mpsc::channel();
    for _ in 0..threads {
        let (lane, released, began) = (Arc::clone(lane), Arc::clone(&released), began.clone());
        tokio::spawn(async move {
            let taken = move || {
                began.send(()).expect("awaited");
                _ = released.lock().recv();
            };
            lane.io().run(taken).await
        });
    }
    tokio::task::block_in_place(|| {
        (0..threads).for_each(|_| has_begun.recv_timeout(Duration::from_mins(1)).expect("a thread"));
    });
    release
}
