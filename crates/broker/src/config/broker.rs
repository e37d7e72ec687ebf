//! The broker's settings as the broker uses them: typed, resolved, checked against each other.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use pagewire_zcopy::Route;

use super::layers::Layers;
use super::listeners::{self, Listener};
use super::sources::{ConfigError, ConfigErrors, Sources};
use super::value::items;

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
    /// The addresses of `listeners`, without those of controllers.
    pub listeners: Vec<SocketAddr>,
    /// Host and port of `advertised.listeners`; none: the address the client dialled.
    pub advertised: Option<(String, u16)>,
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
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: u32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: usize,
    /// `max.request.partition.size.limit`.
    pub max_request_partition_size_limit: usize,

    /// `log.dirs`, or `log.dir` where that is not set.
    pub log_dir: PathBuf,
    /// `log.retention.check.interval.ms`.
    pub log_retention_check_interval: Duration,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub log_flush_offset_checkpoint_interval: Duration,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,

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

    /// `pagewire.acks.all.meaning` is `stable`.
    pub acks_all_is_stable: bool,
    /// `pagewire.transfer.route`; none chooses by size.
    pub transfer_route: Option<Route>,
    /// `pagewire.transfer.copy.max.bytes`.
    pub transfer_copy_max_bytes: u32,
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
}

impl BrokerConfig {
    /// All defaults.
    pub fn defaults() -> Self {
        match Self::resolve(Layers::default(), None) {
            Ok(config) => config,
            Err(errors) => unreachable!("the defaults fit together, as a test shows: {errors}"),
        }
    }

    /// Settings from what was written, with the notices to show once.
    pub fn load(sources: Sources) -> Result<(Self, Vec<String>), ConfigErrors> {
        let mut notices = sources.notices();
        let config = Self::resolve(Layers::new(sources.finish()?), None)?;
        notices.extend(config.shadowed());
        Ok((config, notices))
    }

    /// The same settings with other dynamic ones on top. What no longer fits together is refused as a whole.
    pub fn with_dynamic(
        &self,
        all_brokers: BTreeMap<String, String>,
        this_broker: BTreeMap<String, String>,
    ) -> Result<Self, ConfigErrors> {
        // Listeners do not change while running, so no name is looked up again.
        let listeners = Some(self.listeners.clone());
        Self::resolve(self.layers.with_dynamic(all_brokers, this_broker), listeners)
    }

    /// Types every value and checks those that must fit together.
    fn resolve(layers: Layers, bound: Option<Vec<SocketAddr>>) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let node_id = pick(node_id(&layers), 1, &mut errors);
        let named = pick(broker_listeners(&layers), Vec::new(), &mut errors);
        let advertised = pick(advertised(&layers, &named), None, &mut errors);
        let listeners = match bound {
            Some(bound) => bound,
            None => pick(addresses(&layers, &named), Vec::new(), &mut errors),
        };
        let overrides = pick(ip_overrides(&layers), HashMap::new(), &mut errors);
        let log_dir = pick(log_dir(&layers), PathBuf::new(), &mut errors);
        check_bounds(&layers, &mut errors);
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
            fetch_max_bytes: size_u32("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: size("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: size("max.request.partition.size.limit"),
            log_dir,
            log_retention_check_interval: period("log.retention.check.interval.ms"),
            log_flush_offset_checkpoint_interval: period("log.flush.offset.checkpoint.interval.ms"),
            recovery_threads: size("num.recovery.threads.per.data.dir"),
            producer_id_expiration_ms: layers.int("producer.id.expiration.ms"),
            auto_create_topics_enable: layers.flag("auto.create.topics.enable"),
            delete_topic_enable: layers.flag("delete.topic.enable"),
            num_partitions: int("num.partitions"),
            default_replication_factor: i16::try_from(layers.int("default.replication.factor"))
                .unwrap_or(i16::MAX),
            group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
            group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
            group_initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms").max(0),
            group_max_size: size("group.max.size"),
            offset_metadata_max_bytes: size("offset.metadata.max.bytes"),
            offsets_retention_ms: layers.int("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: layers.int("offsets.retention.check.interval.ms"),
            offsets_topic_num_partitions: int("offsets.topic.num.partitions"),
            offsets_topic_segment_bytes: int("offsets.topic.segment.bytes"),
            offsets_commit_timeout_ms: int("offsets.commit.timeout.ms"),
            acks_all_is_stable: layers.text("pagewire.acks.all.meaning").as_deref() != Some("page-cache"),
            transfer_route: match layers.text("pagewire.transfer.route").as_deref() {
                Some("sendfile") => Some(Route::Sendfile),
                Some("copy") => Some(Route::Copy),
                _ => None,
            },
            transfer_copy_max_bytes: size_u32("pagewire.transfer.copy.max.bytes"),
            transfer_turn_bytes: size_u32("pagewire.transfer.turn.bytes"),
            request_memory_bytes: size("pagewire.request.memory.max.bytes"),
            open_files_max: size("pagewire.open.files.max"),
            io_threads: size("pagewire.io.threads"),
            worker_threads: size("pagewire.worker.threads"),
            log_pace_bytes: size_u32("pagewire.log.pace.bytes"),
            log_producers_max: size("pagewire.log.producers.max"),
            layers,
        })
    }

    /// Listeners that were dropped, in words.
    fn shadowed(&self) -> Vec<String> {
        let controllers = self.layers.list("controller.listener.names");
        if controllers.is_empty() {
            return Vec::new();
        }
        vec![format!("the listeners of controllers are not opened: {}", controllers.join(", "))]
    }
}

fn pick<T>(outcome: Result<T, ConfigError>, otherwise: T, errors: &mut Vec<ConfigError>) -> T {
    outcome.unwrap_or_else(|error| {
        errors.push(error);
        otherwise
    })
}

/// An error about the value of `name`, with the place where it was written.
fn wrong(layers: &Layers, name: &str, message: impl std::fmt::Display) -> ConfigError {
    let message = format!("{name}: {message}");
    match layers.origin(name) {
        Some(origin) => ConfigError::Invalid { origin: origin.clone(), message },
        None => ConfigError::Conflict(message),
    }
}

fn node_id(layers: &Layers) -> Result<i32, ConfigError> {
    let id = |name| i32::try_from(layers.int(name)).unwrap_or(-1);
    let (node, broker) = (id("node.id"), id("broker.id"));
    let (node_given, broker_given) = (layers.origin("node.id").is_some(), broker >= 0);
    match (node_given, broker_given) {
        (true, true) if node != broker => Err(wrong(
            layers,
            "broker.id",
            format_args!("{broker} is not the same as node.id, which is {node}"),
        )),
        (false, true) => Ok(broker),
        _ => Ok(node),
    }
}

fn controller_names(layers: &Layers) -> Vec<String> {
    layers.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect()
}

fn broker_listeners(layers: &Layers) -> Result<Vec<Listener>, ConfigError> {
    let refuse = |message: String| wrong(layers, "listeners", message);
    let mut listeners = listeners::parse(&layers.list("listeners")).map_err(refuse)?;
    let controllers = controller_names(layers);
    listeners.retain(|listener| !controllers.contains(&listener.name));
    if listeners.is_empty() {
        return Err(refuse("there is no listener for clients".to_owned()));
    }
    let map = layers.text("listener.security.protocol.map").unwrap_or_default();
    let protocols = listeners::parse_protocols(&map)
        .map_err(|message| wrong(layers, "listener.security.protocol.map", message))?;
    for listener in &listeners {
        match protocols.get(&listener.name).map(String::as_str) {
            Some("PLAINTEXT") => {}
            Some(protocol) => {
                return Err(refuse(format!("{listener} asks for {protocol}, only PLAINTEXT is served yet")));
            }
            None => {
                return Err(refuse(format!(
                    "no security protocol defined for listener {} in listener.security.protocol.map",
                    listener.name
                )));
            }
        }
    }
    Ok(listeners)
}

/// Looks up names; addresses and `localhost` need no resolver.
fn addresses(layers: &Layers, listeners: &[Listener]) -> Result<Vec<SocketAddr>, ConfigError> {
    let address = |listener: &Listener| {
        if listener.host.is_empty() {
            return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listener.port)));
        }
        if listener.host.eq_ignore_ascii_case("localhost") {
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, listener.port)));
        }
        let found = (listener.host.as_str(), listener.port).to_socket_addrs();
        found.ok().and_then(|mut all| all.next()).ok_or_else(|| {
            wrong(layers, "listeners", format_args!("the host name of {listener} has no address"))
        })
    };
    listeners.iter().map(address).collect()
}

fn advertised(layers: &Layers, listeners: &[Listener]) -> Result<Option<(String, u16)>, ConfigError> {
    let refuse = |message: String| wrong(layers, "advertised.listeners", message);
    let mut advertised = listeners::parse(&layers.list("advertised.listeners")).map_err(refuse)?;
    let controllers = controller_names(layers);
    advertised.retain(|listener| !controllers.contains(&listener.name));
    for listener in &advertised {
        if ["", "0.0.0.0", "::"].contains(&listener.host.as_str()) {
            return Err(refuse(format!("{listener} is no address a client could connect to")));
        }
        if !listeners.iter().any(|own| own.name == listener.name) {
            return Err(refuse(format!("{} is not among listeners", listener.name)));
        }
    }
    Ok(advertised.into_iter().next().map(|listener| (listener.host, listener.port)))
}

fn ip_overrides(layers: &Layers) -> Result<HashMap<IpAddr, usize>, ConfigError> {
    let name = "max.connections.per.ip.overrides";
    let mut overrides = HashMap::new();
    for item in items(&layers.text(name).unwrap_or_default()) {
        let parsed = item.rsplit_once(':').and_then(|(address, count)| {
            let address = address.trim().trim_start_matches('[').trim_end_matches(']');
            Some((address.parse::<IpAddr>().ok()?.to_canonical(), count.trim().parse::<usize>().ok()?))
        });
        let (address, count) =
            parsed.ok_or_else(|| wrong(layers, name, format_args!("{item:?} is not ADDRESS:COUNT")))?;
        overrides.insert(address, count);
    }
    Ok(overrides)
}

fn log_dir(layers: &Layers) -> Result<PathBuf, ConfigError> {
    let name = if layers.list("log.dirs").is_empty() { "log.dir" } else { "log.dirs" };
    match layers.list(name).as_slice() {
        [one] => Ok(PathBuf::from(one)),
        several => Err(wrong(
            layers,
            name,
            format_args!("{} directories are named, one is used so far", several.len()),
        )),
    }
}

fn check_bounds(layers: &Layers, errors: &mut Vec<ConfigError>) {
    let ordered = [
        ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
        ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ];
    for (low, high) in ordered {
        let (least, most) = (layers.int(low), layers.int(high));
        if least > most {
            errors.push(wrong(layers, low, format_args!("{least} is more than {high}, which is {most}")));
        }
    }
}
