//! Starting and stopping one broker.
//!
//! ```text
//!   lock the directory ─ open the metadata ─ bind ─ load the logs (recovering what needs it) ─ accept: ready
//!   stop: no new connections ─ connections end ─ changes end ─ coordinators end ─ logs closed, checkpoints, clean mark ─ unlocked
//! ```
//!
//! A directory is locked before anything in it is read. Addresses are bound before the logs are loaded, because loading
//! takes the clean mark away and a start that fails for its port shall leave it; nothing is accepted before everything
//! can be served.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pagewire_disk::{LockError, OsDisk};
use pagewire_log::{
    CloseReport, LoadReport, LockedDir, LogDir, LogDirError, LogDirOptions, Notice, PartitionSettings,
};
use pagewire_metadata::{Catalog, CatalogError, EmbeddedStore, OpenError, SystemClock, model::TopicRecord};
use pagewire_zcopy::{BufferPool, IoPool, PoolOptions, Transfer, TransferOptions};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use crate::{
    background,
    broker::{Broker, Parts},
    clock::now_ms,
    cluster::{Cluster, Identity, with_stored},
    config::{BrokerConfig, Endpoint},
    coordinators::Coordinators,
    net::{self, ConnectionLimits, Listener},
};

/// Connections get this long to finish the step they are in (a write on a slow disk) when the broker stops.
const DRAIN: Duration = Duration::from_secs(3);
/// Jobs that may wait for an I/O thread; past that, callers are told to try again.
const IO_QUEUE_MAX: usize = 4096;
/// Receive buffers kept warm under load; `background` gives back those that nobody used for a while.
const IDLE_BUFFERS_MAX_BYTES: usize = 32 << 20;
/// A start with many logs says how far it is once per so many.
const PROGRESS_EVERY: usize = 1000;

/// Why a broker did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory is in use, belongs to another node or cluster, or cannot be used.
    #[error("{}", advised(.0))]
    Logs(#[from] LogDirError),
    /// The directory has logs, but not our metadata: most likely Apache Kafka wrote it.
    #[error(
        "{} holds data, but no {}: Apache Kafka's directories cannot be taken over yet, and nothing in it was changed; \
         choose another one with --data-dir DIR",
        .0.display(),
        pagewire_metadata::FILE_NAME
    )]
    Foreign(PathBuf),
    /// The metadata store cannot be opened.
    #[error(transparent)]
    OpenMetadata(#[from] OpenError),
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] CatalogError),
    /// The address is taken, not ours, or needs a privilege.
    #[error("cannot listen on {address}: {error}{}", hint(error))]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The process ran out of something (threads).
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another process listens there: stop it, or choose another port with --listen HOST:PORT)"
        }
        io::ErrorKind::AddrNotAvailable => " (this machine has no such address)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need a privilege)",
        _ => "",
    }
}

fn advised(error: &LogDirError) -> String {
    match error {
        LogDirError::Lock(LockError::Io { .. }) | LogDirError::Io { .. } => {
            format!("{error} (choose a directory that this user can write with --data-dir DIR)")
        }
        _ => error.to_string(),
    }
}

/// A running broker.
pub struct Node {
    broker: Arc<Broker>,
    addresses: Vec<SocketAddr>,
    connections: TaskTracker,
    services: TaskTracker,
    stop: CancellationToken,
    started: Instant,
}

impl Node {
    /// Starts a broker and returns when it serves. Must run inside a multi-thread tokio runtime.
    pub async fn start(config: BrokerConfig) -> Result<Self, StartError> {
        let started = Instant::now();
        let dir = config.log_dir.clone();
        let io = IoPool::new(config.io_threads, IO_QUEUE_MAX);
        let locked = blocking(&io, move || lock(&dir)).await??;
        let catalog = open_catalog(&config, &io).await?;
        let config = with_stored(&catalog, config).await?;
        let listeners = bind_all(&config)?;
        let cluster_record = catalog.cluster(now_ms()).await?;
        let (topics, _) = catalog.topics().await?;
        let topics: Vec<TopicRecord> = topics.into_iter().map(|(record, _)| record).collect();
        let deleted = catalog.deleted_topics().await?;
        let identity = Identity {
            node_id: config.node_id,
            cluster_id: cluster_record.cluster_id,
            rack: config.rack.clone(),
            advertised: config.advertised.clone(),
        };
        let (log_dir, report) = load_logs(locked, &config, &identity, &topics, &io).await?;
        let cluster = Cluster::new(identity, catalog, Arc::new(log_dir));
        cluster.load(&topics, &report.failed, &config);
        let removed = cluster.clean_up(deleted);
        report_load(&report, &removed);

        let buffers = BufferPool::new(PoolOptions {
            max_bytes: config.request_memory_bytes,
            idle_max_bytes: IDLE_BUFFERS_MAX_BYTES,
            ..PoolOptions::default()
        });
        let transfer = Transfer::new(transfer_options(&config), buffers.clone(), io.clone());
        let coordinators = Coordinators::new(&config);
        let broker = Arc::new(Broker::new(Parts { config, cluster, coordinators, transfer, buffers, io }));
        let mut node = Self {
            broker,
            addresses: listeners.iter().map(Listener::address).collect(),
            connections: TaskTracker::new(),
            services: TaskTracker::new(),
            stop: CancellationToken::new(),
            started,
        };
        node.serve(listeners);
        Ok(node)
    }

    fn serve(&mut self, listeners: Vec<Listener>) {
        self.broker.coordinators().start(&self.broker, &self.services, &self.stop);
        background::start(&self.broker, &self.services, &self.stop);
        let limits = ConnectionLimits::default();
        for listener in listeners {
            let (broker, connections, stop) =
                (Arc::clone(&self.broker), self.connections.clone(), self.stop.clone());
            self.services.spawn(listener.run(broker, limits.clone(), connections, stop));
        }
    }

    /// The addresses that are served, with real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How long starting took, and what there is, for a line in the log.
    #[must_use]
    pub fn summary(&self) -> String {
        let image = self.broker.image();
        format!(
            "cluster {} node {}, {} topics, {} partitions, in {:.1} ms",
            self.broker.cluster().identity().cluster_id,
            self.broker.cluster().identity().node_id,
            image.topics().len(),
            image.hosted().count(),
            self.started.elapsed().as_secs_f64() * 1e3,
        )
    }

    /// Stops in order: connections, coordinators, logs. What was acknowledged is on disk afterwards.
    pub async fn stop(self) -> Result<(), StartError> {
        info!("stopping");
        self.stop.cancel();
        self.connections.close();
        self.services.close();
        if tokio::time::timeout(DRAIN, self.connections.wait()).await.is_err() {
            warn!(
                left = self.connections.len(),
                "connections are still waiting for the disk; they start and answer nothing more"
            );
        }
        if tokio::time::timeout(DRAIN, self.broker.cluster().finish_changes()).await.is_err() {
            warn!("a change of topics or settings did not end in time; the next start heals it");
        }
        if tokio::time::timeout(DRAIN, self.services.wait()).await.is_err() {
            warn!("background work did not end in time");
        }
        self.broker.io().discard_queued();
        let report = close(self.broker.cluster().log_dir()).await;
        for (path, error) in &report.failed {
            error!(path = %path.display(), %error, "not closed cleanly; the next start will check it");
        }
        self.log_summary();
        Ok(())
    }

    /// What was done since the start: the daily answer to "is it still zero-copy".
    fn log_summary(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (metrics, stats) = (self.broker.metrics(), self.broker.transfer().stats().snapshot());
        let sent = stats.routes.map(|route| format!("{} {}", route.route.name(), route.bytes)).join(", ");
        info!(
            requests = metrics.requests_total(),
            connections = metrics.connections_total(),
            records_in = read(&metrics.records_in),
            bytes_in = read(&metrics.bytes_in),
            bytes_out = read(&metrics.bytes_out),
            produce_failed = read(&metrics.produce_failed),
            fetch_failed = read(&metrics.fetch_failed),
            fetch_parked = read(&metrics.fetch_parked),
            fetch_cold_lookups = read(&metrics.fetch_cold_lookups),
            file_bytes_by_route = sent,
            cold_offloads = stats.cold_offloads,
            refusals = stats.refusals,
            "stopped"
        );
    }
}

/// Closes the logs on a thread of its own: the I/O pool may be waiting for the disk for a long time.
async fn close(log_dir: &Arc<LogDir>) -> CloseReport {
    let (done, closed) = oneshot::channel();
    let on_thread = Arc::clone(log_dir);
    let job = move || {
        // Whoever stops the broker waits, or does not care.
        let _ = done.send(on_thread.close_clean(now_ms()));
    };
    match thread::Builder::new().name("pagewire-close".to_owned()).spawn(job) {
        Err(_) => log_dir.close_clean(now_ms()),
        Ok(_) => closed.await.unwrap_or_else(|_| CloseReport {
            clean: false,
            failed: vec![(log_dir.path().to_path_buf(), io::Error::other("closing panicked"))],
        }),
    }
}

/// Runs what blocks on the I/O pool, which is empty while a node starts.
async fn blocking<T: Send + 'static>(io: &IoPool, job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    io.run(job).await.map_err(|_| io::Error::other("the I/O pool takes no work"))
}

/// What only a directory that has been served has.
const TRACES: [&str; 2] = ["meta.properties", "__cluster_metadata-0"];

fn lock(dir: &Path) -> Result<LockedDir, StartError> {
    let ours = dir.join(pagewire_metadata::FILE_NAME).exists();
    if !ours && TRACES.iter().any(|trace| dir.join(trace).exists()) {
        return Err(StartError::Foreign(dir.to_path_buf()));
    }
    Ok(LockedDir::lock(Arc::new(OsDisk::with_writeback(pagewire_zcopy::start_writeback)), dir)?)
}

async fn open_catalog(config: &BrokerConfig, io: &IoPool) -> Result<Catalog, StartError> {
    let path = config.log_dir.join(pagewire_metadata::FILE_NAME);
    let store = blocking(io, move || EmbeddedStore::open(&path, Arc::new(SystemClock))).await??;
    Ok(Catalog::new(Arc::new(store)))
}

async fn load_logs(
    locked: LockedDir,
    config: &BrokerConfig,
    identity: &Identity,
    topics: &[TopicRecord],
    io: &IoPool,
) -> Result<(LogDir, LoadReport), StartError> {
    let options = LogDirOptions {
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        threads: config.recovery_threads,
        handles: pagewire_log::Handles::new(config.open_files_max),
        now_ms: now_ms(),
    };
    let known = settings_by_topic(topics, config);
    let loaded = blocking(io, move || {
        locked.load(&options, &|topic, partition| settings_of(&known, topic, partition), &|progress| {
            if progress.done == progress.total || progress.done.is_multiple_of(PROGRESS_EVERY) {
                info!("{} of {} logs loaded", progress.done, progress.total);
            }
        })
    });
    Ok(loaded.await??)
}

/// Tells people what a start found: what was cut first of all. Directories in `removed` were left of deleted topics.
fn report_load(report: &LoadReport, removed: &[PathBuf]) {
    for notice in report.notices.iter().filter(|notice| !is_about(notice, removed)) {
        warn!("{notice}");
    }
    for path in removed {
        info!(path = %path.display(), "what was left of a deleted topic is removed");
    }
    for log in &report.loaded {
        for cut in &log.report.cuts {
            warn!("{cut}");
        }
        for note in &log.report.notes {
            info!("{}-{}: {note}", log.topic, log.partition);
        }
    }
    for log in &report.failed {
        error!("{}-{} cannot be opened and is not served: {}", log.topic, log.partition, log.error);
    }
}

fn is_about(notice: &Notice, paths: &[PathBuf]) -> bool {
    let (Notice::UnknownTopic { path } | Notice::SetAside { path } | Notice::Stray { path, .. }) = notice
    else {
        return false;
    };
    paths.contains(path)
}

/// For each topic: how many partitions it has, and how their logs are opened.
type Known = HashMap<String, (i32, PartitionSettings)>;

fn settings_by_topic(topics: &[TopicRecord], config: &BrokerConfig) -> Known {
    let settings = |topic: &TopicRecord| {
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        (topic.name.clone(), (partitions, Cluster::partition_settings(topic, config)))
    };
    topics.iter().map(settings).collect()
}

fn settings_of(known: &Known, topic: &str, partition: i32) -> Option<PartitionSettings> {
    known.get(topic).filter(|(partitions, _)| partition < *partitions).map(|(_, settings)| settings.clone())
}

fn transfer_options(config: &BrokerConfig) -> TransferOptions {
    TransferOptions {
        route: config.transfer_route,
        copy_max_bytes: config.transfer_copy_max_bytes,
        turn_bytes: config.transfer_turn_bytes,
        ..TransferOptions::default()
    }
}

fn bind_all(config: &BrokerConfig) -> Result<Vec<Listener>, StartError> {
    let bind = |endpoint: &Endpoint| {
        net::bind(endpoint, config.socket_listen_backlog_size, &config.congestion_control)
            .map_err(|error| StartError::Bind { address: endpoint.address, error })
    };
    config.listeners.iter().map(bind).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use pagewire_disk::checkpoint::CLEAN_MARK_FILE;

    use super::*;
    use crate::config::{Origin, Sources};

    fn config(dir: &Path, listener: &str) -> BrokerConfig {
        let mut sources = Sources::new();
        for (key, value) in
            [("log.dirs", dir.to_str().expect("text")), ("listeners", listener), ("pagewire.io.threads", "1")]
        {
            sources.add(key, value, Origin::Flag);
        }
        BrokerConfig::load(sources).expect("settings").0
    }

    const ANY_PORT: &str = "PLAINTEXT://127.0.0.1:0";

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_port_in_use_leaves_a_clean_directory_clean() {
        let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
        node.stop().await.expect("stops");
        let node = Node::start(config(other.path(), ANY_PORT)).await.expect("starts");
        let taken = format!("PLAINTEXT://{}", node.addresses()[0]);
        let refused = Node::start(config(dir.path(), &taken)).await;
        assert!(matches!(refused, Err(StartError::Bind { .. })));
        assert!(dir.path().join(CLEAN_MARK_FILE).exists());
        node.stop().await.expect("stops");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stop_is_clean_though_the_io_pool_waits_for_the_disk() {
        let dir = tempfile::tempdir().expect("dir");
        let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
        let (io, (release, gate)) = (node.broker.io().clone(), mpsc::channel::<()>());
        let slow = move || gate.recv().is_err();
        io.submit(move || assert!(slow(), "until the end")).expect("room");
        while io.submit(|| ()).is_ok() {}
        node.stop().await.expect("stops");
        assert!(dir.path().join(CLEAN_MARK_FILE).exists());
        assert_eq!(io.queued(), 0, "what nobody waits for any more");
        drop(release);
    }
}
