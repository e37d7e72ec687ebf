//! Topics of the drive: made, waited for, found at their leaders, removed.

use std::net::SocketAddr;
use std::time::Duration;

use pagewire_wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use pagewire_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use pagewire_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use pagewire_wire::messages::metadata_response::MetadataResponse;
use pagewire_wire::{ErrorCode, Request, Str, Uuid};

use super::ready::when_ready;
use super::{Connection, Dial, Error, Fetch, Result};

/// From this version on topics to delete are structures.
const DELETE_STATES: i16 = 6;
/// How long the broker may take to make or remove a topic.
const TIMEOUT_MS: i32 = 15_000;
/// How long to wait before looking again.
const AGAIN: Duration = Duration::from_millis(20);

/// Makes a topic and waits until it can be written: the leader of each partition.
pub fn create(
    dial: &Dial,
    broker: SocketAddr,
    name: &str,
    partitions: i32,
    replication_factor: i16,
) -> Result<Vec<SocketAddr>> {
    let topic = CreatableTopic {
        name: Str::from(name.to_owned()),
        num_partitions: partitions,
        replication_factor,
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, ..CreateTopicsRequest::default() };
    on_controller(
        dial,
        broker,
        |_| request.clone(),
        |answer| {
            let found = answer.topics.first().ok_or_else(|| silent(broker, name))?;
            let message = found.error_message.as_ref().map(Str::as_str);
            Error::check(found.error_code, message, || format!("topic {name} cannot be made"))
        },
    )?;
    leaders(dial, broker, name, partitions)
}

/// Removes a topic. One that is gone already is no error.
pub fn delete(dial: &Dial, broker: SocketAddr, name: &str) -> Result<()> {
    let of = || Str::from(name.to_owned());
    let build = |version| {
        let (topics, topic_names) = if version < DELETE_STATES {
            (Vec::new(), vec![of()])
        } else {
            (vec![DeleteTopicState { name: Some(of()), topic_id: Uuid::NIL }], Vec::new())
        };
        DeleteTopicsRequest { topics, topic_names, timeout_ms: TIMEOUT_MS }
    };
    on_controller(dial, broker, build, |answer| {
        let found = answer.responses.first().ok_or_else(|| silent(broker, name))?;
        if ErrorCode::from_code(found.error_code) == Some(ErrorCode::UnknownTopicOrPartition) {
            return Ok(());
        }
        let message = found.error_message.as_ref().map(Str::as_str);
        Error::check(found.error_code, message, || format!("topic {name} cannot be removed"))
    })
}

/// The names of all topics that the broker lets us see.
pub fn names(dial: &Dial, broker: SocketAddr) -> Result<Vec<String>> {
    // No list at all means every topic; an empty one none.
    let request =
        MetadataRequest { topics: None, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let cluster = dial.open(broker)?.call_agreed(&request)?;
    Ok(cluster
        .topics
        .iter()
        .filter_map(|topic| topic.name.as_ref())
        .map(|name| name.as_str().to_owned())
        .collect())
}

/// Asks `broker`, and the controller if that is another one (clusters before KRaft).
fn on_controller<R: Request>(
    dial: &Dial,
    broker: SocketAddr,
    build: impl Fn(i16) -> R,
    judge: impl Fn(&R::Response) -> Result<()>,
) -> Result<()> {
    let ask = |connection: &mut Connection| {
        let version = connection.versions().choose::<R>()?;
        let answer = connection.call(&build(version), version)?;
        judge(&answer)
    };
    let mut connection = dial.open(broker)?;
    match ask(&mut connection) {
        Err(error) if error.code() == Some(ErrorCode::NotController) => {
            let cluster = metadata(&mut connection, None)?;
            let controller = node(dial, &cluster, cluster.controller_id)?;
            ask(&mut dial.open(controller)?)
        }
        done => done,
    }
}

/// The leader of each partition, as soon as each answers for it.
pub fn leaders(dial: &Dial, broker: SocketAddr, name: &str, partitions: i32) -> Result<Vec<SocketAddr>> {
    let mut connection = dial.open(broker)?;
    when_ready(dial, AGAIN, || {
        let cluster = metadata(&mut connection, Some(name))?;
        ready(dial, &cluster, name, partitions)
    })
}

fn ready(dial: &Dial, cluster: &MetadataResponse, name: &str, partitions: i32) -> Result<Vec<SocketAddr>> {
    let what = || format!("topic {name} is not ready");
    let topic = cluster.topics.first();
    let missing = ErrorCode::UnknownTopicOrPartition.code();
    Error::check(topic.map_or(missing, |topic| topic.error_code), None, what)?;
    let mut leaders = Vec::new();
    let mut connection: Option<Connection> = None;
    for partition in 0..partitions {
        let found = topic.and_then(|topic| topic.partitions.iter().find(|p| p.partition_index == partition));
        let leader = found.filter(|found| found.error_code == 0 && found.leader_id >= 0);
        let Some(leader) = leader else {
            return Err(Error::Refused {
                what: what(),
                code: ErrorCode::LeaderNotAvailable.code(),
                message: None,
            });
        };
        let address = node(dial, cluster, leader.leader_id)?;
        let mut at = match connection.take().filter(|connection| connection.address() == address) {
            Some(connection) => connection,
            None => dial.open(address)?,
        };
        at.fetch(&Fetch { topic: name, partition, offset: 0, max_bytes: 1, wait_ms: 0, committed: false })?;
        leaders.push(address);
        connection = Some(at);
    }
    Ok(leaders)
}

/// Where a node of the cluster says it is.
fn node(dial: &Dial, cluster: &MetadataResponse, id: i32) -> Result<SocketAddr> {
    let found = cluster.brokers.iter().find(|broker| broker.node_id == id);
    let found = found.ok_or_else(|| Error::Refused {
        what: format!("node {id}"),
        code: ErrorCode::BrokerNotAvailable.code(),
        message: None,
    })?;
    let port = u16::try_from(found.port).unwrap_or_default();
    dial.resolve(&found.host, port).map_err(|error| match error {
        Error::NoBroker { address, reason } => Error::NoBroker {
            address,
            reason: format!(
                "{reason}; the cluster says that node {id} is there: check its advertised.listeners"
            ),
        },
        error => error,
    })
}

fn metadata(connection: &mut Connection, topic: Option<&str>) -> Result<MetadataResponse> {
    let named = |name: &str| MetadataRequestTopic {
        name: Some(Str::from(name.to_owned())),
        ..MetadataRequestTopic::default()
    };
    let topics = Some(topic.map(named).into_iter().collect());
    connection.call_agreed(&MetadataRequest {
        topics,
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    })
}

/// The answer says nothing about what was asked.
fn silent(address: SocketAddr, name: &str) -> Error {
    Error::Protocol { address, what: format!("it says nothing about topic {name}") }
}
