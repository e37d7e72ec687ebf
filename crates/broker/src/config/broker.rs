//! The broker's settings as the broker uses them: typed, resolved, checked against each other.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pagewire_zcopy::{ColdReads, Route, Thresholds};

use super::addresses::{self, Hosts, Names};
use super::bounds::{self, CORDONED};
use super::cleaner::CleanerConfig;
use super::consumer_groups::ConsumerGroupsConfig;
use super::layers::Layers;
use super::listeners::Endpoint;
use super::sources::{ConfigError, ConfigErrors, Sources};
use super::transfer;

/// Ten years: what a limit of "none" is to a timer.
const FOREVER_MS: u64 = 10 * 365 * 86_400_000;

/// All settings in force. Times are milliseconds, sizes bytes, unless the type says otherwise; field names are the
/// settings' own.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The layers below, for DescribeConfigs and for topics' defaults.
    pub layers: Layers,

    /// `node.id`, or `broker.id` where only that is set.
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `listeners`, without those of controllers.
    pub listeners: Vec<Endpoint>,
    /// Host and port of `advertised.listeners` by the name of the listener. Clients of others are told the address they
    /// dialled.
    pub advertised: BTreeMap<String, (String, u16)>,
    /// `socket.listen.backlog.size`.
    pub socket_listen_backlog_size: i32,
    /// `socket.send.buffer.bytes`; none leaves it to the operating system.
    pub socket_send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; none leaves it to the operating system.
    pub socket_receive_buffer_bytes: Option<usize>,
    /// `pagewire.socket.congestion.control`.
    pub congestion_control: String,
    /// `socket.request.max.bytes`.
    pub socket_request_max_bytes: usize,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
    /// `max.connections`.
    pub max_connections: usize,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: usize,
    /// `max.connections.per.ip.overrides`.
    pub max_connections_per_ip_overrides: HashMap<IpAddr, usize>,
    /// The host names among them, as they were looked up when the broker started.
    pub hosts: Hosts,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: u32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: usize,
    /// `max.request.partition.size.limit`.
    pub max_request_partition_size_limit: usize,

    /// `log.dirs`, or `log.dir` where that is not set; at least one. The metadata is in the first.
    pub log_dirs: Vec<PathBuf>,
    /// `cordoned.log.dirs`: those of `log_dirs` that get no new partitions.
    pub cordoned_log_dirs: Vec<PathBuf>,
    /// `pagewire.new.cluster.allowed`.
    pub new_cluster_allowed: bool,
    /// `log.retention.check.interval.ms`.
    pub log_retention_check_interval: Duration,
    /// `log.flush.scheduler.interval.ms`.
    pub log_flush_scheduler_interval: Duration,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub log_flush_offset_checkpoint_interval: Duration,
    /// `log.cleaner.*`.
    pub cleaner: CleanerConfig,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`.
    pub alter_log_dirs_max_bytes_per_second: u64,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_expiration_check_interval: Duration,
    /// `transaction.partition.verification.enable`.
    pub transaction_partition_verification_enable: bool,

    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,

    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub group_max_size: usize,
    /// Whether `consumer` is among `group.coordinator.rebalance.protocols`.
    pub consumer_groups_served: bool,
    /// `group.consumer.*`.
    pub consumer_groups: ConsumerGroupsConfig,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.topic.num.partitions`.
    pub offsets_topic_num_partitions: i32,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: i32,
    /// `offsets.commit.timeout.ms`.
    pub offsets_commit_timeout_ms: i32,

    /// `transaction.max.timeout.ms`.
    pub transaction_max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub transactional_id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub transaction_abort_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub transaction_expiry_interval_ms: i64,
    /// `transaction.state.log.num.partitions`.
    pub transaction_state_log_num_partitions: i32,
    /// `transaction.state.log.segment.bytes`.
    pub transaction_state_log_segment_bytes: i32,

    /// `pagewire.acks.all.meaning` is `stable`.
    pub acks_all_is_stable: bool,
    /// `pagewire.transfer.route`; none chooses by size.
    pub transfer_route: Option<Route>,
    /// `pagewire.transfer.thresholds`; none takes those measured on this machine, or the default.
    pub transfer_thresholds: Option<Thresholds>,
    /// `pagewire.transfer.cold`.
    pub transfer_cold: ColdReads,
    /// `pagewire.transfer.drop.behind`.
    pub transfer_drop_behind: bool,
    /// `pagewire.transfer.turn.bytes`.
    pub transfer_turn_bytes: u32,
    /// `pagewire.request.memory.max.bytes`.
    pub request_memory_bytes: usize,
    /// `pagewire.open.files.max`.
    pub open_files_max: usize,
    /// `pagewire.io.threads`.
    pub io_threads: usize,
    /// `pagewire.worker.threads`; 0 is one per processor.
    pub worker_threads: usize,
    /// `pagewire.log.pace.bytes`.
    pub log_pace_bytes: u32,
    /// `pagewire.log.producers.max`.
    pub log_producers_max: usize,
    /// `pagewire.log.scrub.interval.ms`.
    pub log_scrub_interval_ms: i64,
    /// `pagewire.log.scrub.bytes.per.second`; 0 is never.
    pub log_scrub_bytes_per_second: u64,
}

impl BrokerConfig {
    /// All defaults.
    pub fn defaults() -> Self {
        match Self::resolve(Layers::default(), &Names::default()) {
            Ok(config) => config,
            Err(errors) => unreachable!("the defaults fit together, as a test shows: {errors}"),
        }
    }

    /// Settings from what was written, with the notices to show once.
    pub fn load(sources: Sources) -> Result<(Self, Vec<String>), ConfigErrors> {
        let mut notices = sources.notices();
        let config = Self::resolve(Layers::new(sources.finish()?), &Names::default())?;
        notices.extend(config.address_notices());
        Ok((config, notices))
    }

    /// The same settings with other dynamic ones on top, while running. What no longer fits together is refused as a
    /// whole.
    pub fn with_dynamic(
        &self,
        all_brokers: BTreeMap<String, String>,
        this_broker: BTreeMap<String, String>,
    ) -> Result<Self, ConfigErrors> {
        let names = Names { listeners: Some(&self.listeners), hosts: Some(&self.hosts) };
        Self::resolve(self.layers.with_dynamic(all_brokers, this_broker), &names)
    }

    /// The same at a start, when names may still be looked up, with the notices that this adds.
    pub fn with_stored(
        &self,
        all_brokers: BTreeMap<String, String>,
        this_broker: BTreeMap<String, String>,
    ) -> Result<(Self, Vec<String>), ConfigErrors> {
        let names = Names { listeners: Some(&self.listeners), hosts: None };
        let config = Self::resolve(self.layers.with_dynamic(all_brokers, this_broker), &names)?;
        let told = self.address_notices();
        let notices = config.address_notices().into_iter().filter(|notice| !told.contains(notice));
        let notices = notices.chain(config.cordoned_elsewhere()).collect();
        Ok((config, notices))
    }

    /// Whether a log directory gets no new partitions.
    pub fn is_cordoned(&self, dir: &Path) -> bool {
        self.cordoned_log_dirs.iter().any(|cordoned| cordoned == dir)
    }

    /// What whoever cordons a log directory is told that the broker does not have.
    pub fn cordoned_elsewhere(&self) -> Option<String> {
        bounds::cordoned_elsewhere(&self.layers)
    }

    fn address_notices(&self) -> Vec<String> {
        addresses::notices(&self.layers, &self.hosts, &self.advertised)
    }

    /// The first of the log directories, where the metadata is.
    pub fn data_dir(&self) -> &Path {
        self.log_dirs.first().map_or(Path::new("."), PathBuf::as_path)
    }

    /// Types every value and checks those that must fit together.
    fn resolve(layers: Layers, names: &Names<'_>) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let node_id = pick(node_id(&layers), 1, &mut errors);
        let named = pick(addresses::broker_listeners(&layers), Vec::new(), &mut errors);
        let advertised = pick(addresses::advertised(&layers, &named), BTreeMap::new(), &mut errors);
        let listeners = pick(names.endpoints(&layers, &named), Vec::new(), &mut errors);
        let overrides = pick(addresses::ip_overrides(&layers, names.hosts), Default::default(), &mut errors);
        let (overrides, hosts) = overrides;
        let log_dirs = pick(log_dirs(&layers), Vec::new(), &mut errors);
        let transfer_thresholds = pick(transfer::thresholds(&layers), None, &mut errors);
        bounds::check(&layers, &mut errors);
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        let int = |name| i32::try_from(layers.int(name)).unwrap_or(i32::MAX);
        let size = |name| usize::try_from(layers.int(name)).unwrap_or(0);
        let size_u32 = |name| u32::try_from(layers.int(name)).unwrap_or(0);
        let buffer = |name| usize::try_from(layers.int(name)).ok();
        // A negative idle limit is none, a period is at least a millisecond.
        let idle_ms = u64::try_from(layers.int("connections.max.idle.ms")).unwrap_or(FOREVER_MS);
        let period =
            |name| Duration::from_millis(u64::try_from(layers.int(name)).unwrap_or(1).clamp(1, FOREVER_MS));
        Ok(Self {
            node_id,
            rack: layers.text("broker.rack"),
            listeners,
            advertised,
            socket_listen_backlog_size: int("socket.listen.backlog.size"),
            socket_send_buffer_bytes: buffer("socket.send.buffer.bytes"),
            socket_receive_buffer_bytes: buffer("socket.receive.buffer.bytes"),
            congestion_control: layers.text("pagewire.socket.congestion.control").unwrap_or_default(),
            socket_request_max_bytes: size("socket.request.max.bytes"),
            connections_max_idle: Duration::from_millis(idle_ms.min(FOREVER_MS)),
            max_connections: size("max.connections"),
            max_connections_per_ip: size("max.connections.per.ip"),
            max_connections_per_ip_overrides: overrides,
            hosts,
            fetch_max_bytes: size_u32("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: size("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: size("max.request.partition.size.limit"),
            cordoned_log_dirs: cordoned_log_dirs(&layers, &log_dirs),
            log_dirs,
            new_cluster_allowed: layers.flag("pagewire.new.cluster.allowed"),
            log_retention_check_interval: period("log.retention.check.interval.ms"),
            log_flush_scheduler_interval: period("log.flush.scheduler.interval.ms"),
            log_flush_offset_checkpoint_interval: period("log.flush.offset.checkpoint.interval.ms"),
            cleaner: CleanerConfig::of(&layers),
            alter_log_dirs_max_bytes_per_second: u64::try_from(
                layers.int("replica.alter.log.dirs.io.max.bytes.per.second"),
            )
            .unwrap_or(0),
            recovery_threads: size("num.recovery.threads.per.data.dir"),
            producer_id_expiration_ms: layers.int("producer.id.expiration.ms"),
            producer_id_expiration_check_interval: period("producer.id.expiration.check.interval.ms"),
            transaction_partition_verification_enable: layers
                .flag("transaction.partition.verification.enable"),
            auto_create_topics_enable: layers.flag("auto.create.topics.enable"),
            delete_topic_enable: layers.flag("delete.topic.enable"),
            num_partitions: int("num.partitions"),
            default_replication_factor: i16::try_from(layers.int("default.replication.factor"))
                .unwrap_or(i16::MAX),
            group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
            group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
            group_initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms").max(0),
            group_max_size: size("group.max.size"),
            consumer_groups_served: layers
                .list("group.coordinator.rebalance.protocols")
                .iter()
                .any(|protocol| protocol == "consumer"),
            consumer_groups: ConsumerGroupsConfig::of(&layers),
            offset_metadata_max_bytes: size("offset.metadata.max.bytes"),
            offsets_retention_ms: layers.int("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: layers.int("offsets.retention.check.interval.ms"),
            offsets_topic_num_partitions: int("offsets.topic.num.partitions"),
            offsets_topic_segment_bytes: int("offsets.topic.segment.bytes"),
            offsets_commit_timeout_ms: int("offsets.commit.timeout.ms"),
            transaction_max_timeout_ms: int("transaction.max.timeout.ms"),
            transactional_id_expiration_ms: layers.int("transactional.id.expiration.ms"),
            transaction_abort_interval_ms: layers
                .int("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            transaction_expiry_interval_ms: layers
                .int("transaction.remove.expired.transaction.cleanup.interval.ms"),
            transaction_state_log_num_partitions: int("transaction.state.log.num.partitions"),
            transaction_state_log_segment_bytes: int("transaction.state.log.segment.bytes"),
            acks_all_is_stable: layers.text("pagewire.acks.all.meaning").as_deref() != Some("page-cache"),
            transfer_route: transfer::route(&layers),
            transfer_thresholds,
            transfer_cold: transfer::cold(&layers),
            transfer_drop_behind: layers.flag("pagewire.transfer.drop.behind"),
            transfer_turn_bytes: size_u32("pagewire.transfer.turn.bytes"),
            request_memory_bytes: size("pagewire.request.memory.max.bytes"),
            open_files_max: size("pagewire.open.files.max"),
            io_threads: size("pagewire.io.threads"),
            worker_threads: size("pagewire.worker.threads"),
            log_pace_bytes: size_u32("pagewire.log.pace.bytes"),
            log_producers_max: size("pagewire.log.producers.max"),
            log_scrub_interval_ms: layers.int("pagewire.log.scrub.interval.ms"),
            log_scrub_bytes_per_second: u64::try_from(layers.int("pagewire.log.scrub.bytes.per.second"))
                .unwrap_or(0),
            layers,
        })
    }
}

fn pick<T>(outcome: Result<T, ConfigError>, otherwise: T, errors: &mut Vec<ConfigError>) -> T {
    outcome.unwrap_or_else(|error| {
        errors.push(error);
        otherwise
    })
}

fn node_id(layers: &Layers) -> Result<i32, ConfigError> {
    let id = |name| i32::try_from(layers.int(name)).unwrap_or(-1);
    let (node, broker) = (id("node.id"), id("broker.id"));
    let (node_given, broker_given) = (layers.origin("node.id").is_some(), broker >= 0);
    match (node_given, broker_given) {
        (true, true) if node != broker => {
            Err(layers
                .wrong("broker.id", format_args!("{broker} is not the same as node.id, which is {node}")))
        }
        (false, true) => Ok(broker),
        _ => Ok(node),
    }
}

fn log_dirs(layers: &Layers) -> Result<Vec<PathBuf>, ConfigError> {
    let name = if layers.list("log.dirs").is_empty() { "log.dir" } else { "log.dirs" };
    let dirs = paths(layers, name);
    if dirs.is_empty() { Err(layers.wrong(name, "no directory is named")) } else { Ok(dirs) }
}

/// Of all log directories those that get no new partitions.
fn cordoned_log_dirs(layers: &Layers, all: &[PathBuf]) -> Vec<PathBuf> {
    let named = paths(layers, CORDONED);
    let is_everything = layers.list(CORDONED) == [EVERY_DIRECTORY];
    all.iter().filter(|dir| is_everything || named.contains(dir)).cloned().collect()
}

/// From the root on, as Kafka shows them: what messages name is to be found from wherever they are read.
pub(super) fn paths(layers: &Layers, name: &str) -> Vec<PathBuf> {
    let whole = |dir| std::path::absolute(&dir).unwrap_or(dir);
    layers.list(name).iter().map(PathBuf::from).map(whole).collect()
}

/// What `cordoned.log.dirs` calls all of them.
pub(super) const EVERY_DIRECTORY: &str = "*";
