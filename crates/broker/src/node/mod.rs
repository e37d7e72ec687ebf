//! Starting and stopping one broker.
//!
//! ```text
//!   lock the directory ─ open the metadata ─ bind ─ load the logs (recovering what needs it) ─ listen, accept: ready
//!   stop: no new connections ─ connections end ─ changes end ─ coordinators end ─ logs closed, checkpoints, clean mark ─ unlocked
//! ```
//!
//! A directory is locked before anything in it is read. Addresses are bound before the logs are loaded, because loading
//! takes the clean mark away and a start that fails for its port shall leave it; nobody listens on them before everything
//! can be served, so that clients are refused at once and try elsewhere, or again. Kafka opens its port as late.

mod awaited;
mod complete;
mod error;
mod found;
mod in_order;
mod logs;
mod open_transactions;
mod opening;
mod owed;
mod progress;
mod saved;
mod stopped;
mod story;
#[cfg(test)]
mod tests;
mod traces;
mod unnamed;
mod wanting;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pagewire_log::FutureLog;
use pagewire_metadata::{Catalog, EmbeddedStore, SystemClock};
use pagewire_zcopy::{BufferPool, ColdReads, IoPool, PoolOptions, Transfer, TransferOptions};
use tokio::select;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

pub use error::StartError;
use opening::{Opened, Opening};
pub use stopped::back_up_stopped;
#[cfg(test)]
pub(crate) use wanting::attempt as make_what_wants;

use crate::{
    CleanerGauges, Loggers, background,
    broker::{Broker, Parts},
    cleaner,
    cluster::Cluster,
    config::{BrokerConfig, Endpoint, thresholds_in_use},
    control,
    coordinators::Coordinators,
    loaded, moves,
    net::{self, Bound, ConnectionLimits, Listener},
    plural::counted,
};

/// Connections get this long to finish the step they are in (a write on a slow disk) when the broker stops.
const DRAIN: Duration = Duration::from_secs(3);
/// Jobs that may wait for an I/O thread; past that, callers are told to try again.
const IO_QUEUE_MAX: usize = 4096;
/// Receive buffers kept warm under load; `background` gives back those that nobody used for a while.
const IDLE_BUFFERS_MAX_BYTES: usize = 32 << 20;

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
        Self::start_with(config, Loggers::default()).await
    }

    /// The same, with levels of what is logged that clients may change.
    pub async fn start_with(config: BrokerConfig, loggers: Loggers) -> Result<Self, StartError> {
        Self::start_until(config, loggers, CancellationToken::new()).await
    }

    /// The same, until `stop`: then it is [`StartError::Stopped`], and the next start is told that nobody was killed. Loading goes
    /// on on its threads until the process ends, as if that were killed.
    pub async fn start_until(
        config: BrokerConfig,
        loggers: Loggers,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let started = Instant::now();
        let io = IoPool::new(config.io_threads, IO_QUEUE_MAX);
        let opening = select! {
            biased;
            () = stop.cancelled() => return Err(StartError::Stopped),
            opening = Opening::begin(config, &io) => opening?,
        };
        let bound = bind_all(&opening.config)?;
        let in_order = opening.left_in_order();
        let opened = select! {
            biased;
            () = stop.cancelled() => {
                in_order.note_stopped();
                return Err(StartError::Stopped);
            }
            opened = opening.load(&io) => opened?,
        };
        let Opened {
            config,
            catalog,
            identity,
            topics,
            features,
            group_settings,
            deleted,
            served,
            log_dirs,
            report,
            moving,
            unmade,
            hidden,
            epoch_is_owed,
        } = opened;
        let cluster =
            Cluster::new(identity, catalog, Arc::new(log_dirs), &io).with_group_settings(group_settings);
        cluster.set_features(features);
        if epoch_is_owed {
            owed::hold(cluster.log_dirs());
        }
        let wants = cluster.load(&topics, (&report.failed, &hidden), &config);
        cluster.note_all_made(unmade);
        let removed = cluster.clean_up(deleted);
        loaded::report(&report, &removed);
        logs::report_away(
            cluster.log_dirs(),
            &cluster.image(),
            &unnamed::among(&topics, &served, cluster.log_dirs()),
        );
        open_transactions::report(cluster.log_dirs());

        let buffers = BufferPool::new(PoolOptions {
            max_bytes: config.request_memory_bytes,
            idle_max_bytes: IDLE_BUFFERS_MAX_BYTES,
            ..PoolOptions::default()
        });
        // Cold ranges of any directory are read on threads of their own: one that hangs keeps no directory's from their work.
        let transfer = Transfer::new(transfer_options(&config), buffers.clone(), io.another());
        let coordinators = Coordinators::new(&config);
        let broker =
            Arc::new(Broker::new(Parts { config, cluster, coordinators, transfer, buffers, io, loggers }));
        let listeners = match listen_all(bound) {
            Ok(listeners) => listeners,
            Err(error) => {
                logs::close(broker.cluster().log_dirs()).await;
                return Err(error);
            }
        };
        let mut node = Self {
            broker,
            addresses: listeners.iter().map(Listener::address).collect(),
            connections: TaskTracker::new(),
            services: TaskTracker::new(),
            stop: CancellationToken::new(),
            started,
        };
        node.serve(listeners);
        node.go_on_moving(moving);
        if epoch_is_owed {
            node.services.spawn(owed::pay(Arc::clone(&node.broker), node.stop.clone()));
        }
        if wants {
            node.services.spawn(wanting::wait(Arc::clone(&node.broker), node.stop.clone()));
        }
        Ok(node)
    }

    fn go_on_moving(&self, moving: Vec<(PathBuf, FutureLog)>) {
        let broker = Arc::clone(&self.broker);
        if !moving.is_empty() {
            self.services.spawn_blocking(move || moves::resume(&broker, moving));
        }
    }

    fn serve(&mut self, listeners: Vec<Listener>) {
        self.broker.moves().start(&self.services, &self.stop);
        self.broker.coordinators().start(&self.broker, &self.services, &self.stop);
        background::start(&self.broker, &self.services, &self.stop);
        cleaner::start(&self.broker, &self.services, &self.stop);
        if let Some(home) = self.broker.config().log_dirs.first() {
            control::start(&self.broker, home, &self.services, &self.stop);
        }
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
            "cluster {} node {}, {}, {}, in {:.1} ms",
            self.broker.cluster().identity().cluster_id,
            self.broker.cluster().identity().node_id,
            counted(image.topics().len() as u64, "topic"),
            counted(image.hosted().count() as u64, "partition"),
            self.started.elapsed().as_secs_f64() * 1e3,
        )
    }

    /// How compaction stands. Looks at every compacted log, on this thread.
    #[must_use]
    pub fn cleaner_gauges(&self) -> CleanerGauges {
        cleaner::gauges(&self.broker)
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
        self.broker.cluster().lanes().all().for_each(|lane| lane.io().discard_queued());
        let offline = self.broker.cluster().log_dirs().offline_count();
        let report = logs::close(self.broker.cluster().log_dirs()).await;
        for (path, error) in &report.failed {
            error!(path = %path.display(), %error, "not closed cleanly; the next start will check it");
        }
        let store = Arc::clone(self.broker.cluster().catalog().store());
        let rescued = tokio::task::spawn_blocking(move || store.rescue());
        if tokio::time::timeout(DRAIN, rescued).await.is_err() {
            warn!("the disk of the metadata does not answer: whether the next start finds them is not known");
        }
        self.log_summary(offline);
        Ok(())
    }

    /// What was done since the start: the daily answer to "is it still zero-copy".
    fn log_summary(&self, log_dirs_offline: usize) {
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
            produce_storage_errors = read(&metrics.produce_storage_errors),
            fetch_storage_errors = read(&metrics.fetch_storage_errors),
            log_dirs_offline,
            fetch_parked = read(&metrics.fetch_parked),
            fetch_cold_lookups = read(&metrics.fetch_cold_lookups),
            file_bytes_by_route = sent,
            cold_offloads = stats.cold_offloads,
            dropped_behind_bytes = read(&metrics.fetch_dropped_bytes),
            compactions = self.broker.cleaners().cleans(),
            refusals = stats.refusals,
            "stopped"
        );
    }
}

/// Runs what blocks on the I/O pool, which is empty while a node starts.
async fn blocking<T: Send + 'static>(io: &IoPool, job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    io.run(job).await.map_err(|_| io::Error::other("the I/O pool takes no work"))
}

async fn open_catalog(config: &BrokerConfig, io: &IoPool) -> Result<Catalog, StartError> {
    let path = config.data_dir().join(pagewire_metadata::FILE_NAME);
    let store = blocking(io, move || EmbeddedStore::open(&path, Arc::new(SystemClock))).await??;
    Ok(Catalog::new(Arc::new(store)))
}

/// How record bytes are sent; says so, since it is what the broker's speed hangs on.
fn transfer_options(config: &BrokerConfig) -> TransferOptions {
    let (thresholds, origin, problem) = thresholds_in_use(config.transfer_thresholds, config.data_dir());
    if let Some(problem) = problem {
        warn!(%problem, "measured thresholds that cannot be used; `pagewire lab calibrate` writes them anew");
    }
    if let Some(route) = config.transfer_route {
        info!(%route, "record bytes go by one route");
    } else {
        let steps = thresholds.to_string().trim_end().replace('\n', ", ");
        info!(?origin, %steps, "record bytes go by size");
    }
    if config.transfer_cold == ColdReads::Direct {
        info!("what is cold is read past the page cache, once it was checked after this start");
    }
    TransferOptions {
        route: config.transfer_route,
        thresholds,
        turn_bytes: config.transfer_turn_bytes,
        cold: config.transfer_cold,
        ..TransferOptions::default()
    }
}

/// Takes the addresses, on which nobody is heard yet.
fn bind_all(config: &BrokerConfig) -> Result<Vec<Bound>, StartError> {
    let bind = |endpoint: &Endpoint| {
        net::bind(endpoint, config.socket_listen_backlog_size, &config.congestion_control)
            .map_err(|error| StartError::Bind { address: endpoint.address, error })
    };
    config.listeners.iter().map(bind).collect()
}

/// From here on connections are taken.
fn listen_all(bound: Vec<Bound>) -> Result<Vec<Listener>, StartError> {
    let listen = |bound: Bound| {
        let address = bound.address();
        bound.listen().map_err(|error| StartError::Bind { address, error })
    };
    bound.into_iter().map(listen).collect()
}
