//! Transactions: those that coordinators know, what producers left in partitions, and how one is ended.

use std::collections::BTreeMap;

use pagewire_wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use pagewire_wire::messages::describe_transactions_request::DescribeTransactionsRequest;
use pagewire_wire::messages::list_transactions_request::ListTransactionsRequest;
use pagewire_wire::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use pagewire_wire::{ErrorCode, Str};

use crate::client::coordinator::Coordinated;
use crate::client::error::Error;
use crate::client::routing::{Client, Target};
use crate::client::{Place, Result};

/// From this version on a broker filters by how long transactions are open.
const DURATIONS_FROM: i16 = 1;
/// From this version on a broker filters by a pattern of names.
const PATTERNS_FROM: i16 = 2;

/// Which transactional ids are wanted; what is empty keeps none away.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// In one of these states.
    pub(crate) states: Vec<String>,
    /// Of one of these producers.
    pub(crate) producers: Vec<i64>,
    /// Open for longer, in ms.
    pub(crate) longer_than_ms: Option<i64>,
    /// Whose whole name looks so.
    pub(crate) pattern: Option<String>,
}

/// A transactional id as listed.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// The transactional id.
    pub(crate) id: String,
    /// Node id of its coordinator.
    pub(crate) coordinator: i32,
    /// Its producer.
    pub(crate) producer: i64,
    /// Its state, in Kafka's words.
    pub(crate) state: String,
}

/// A transactional id as described.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// Its state, in Kafka's words.
    pub(crate) state: String,
    /// Its producer.
    pub(crate) producer: i64,
    /// Its producer's epoch.
    pub(crate) epoch: i16,
    /// Ms that a transaction may take.
    pub(crate) timeout_ms: i32,
    /// When the last one began, in ms.
    pub(crate) started_ms: Option<i64>,
    /// Partitions that take part in it.
    pub(crate) partitions: Vec<Place>,
}

/// What a partition remembers of a producer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Producer {
    /// Its id.
    pub(crate) id: i64,
    /// Its epoch.
    pub(crate) epoch: i32,
    /// Epoch of the coordinator that ended its last transaction here; -1 is none.
    pub(crate) coordinator_epoch: i32,
    /// Sequence of its last record; -1 is none.
    pub(crate) last_sequence: i32,
    /// When it wrote last, in ms.
    pub(crate) last_ms: Option<i64>,
    /// First offset of its transaction that is open here.
    pub(crate) open_from: Option<i64>,
}

/// Which transaction of a partition is to be aborted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abort {
    /// The producer's id.
    pub(crate) producer: i64,
    /// The producer's epoch.
    pub(crate) epoch: i16,
    /// In whose name.
    pub(crate) coordinator_epoch: i32,
}

impl Client {
    /// Transactional ids of all nodes, by name.
    pub(crate) async fn list_transactions(&mut self, filter: &Filter) -> Result<Vec<Listed>> {
        let least = match (&filter.pattern, filter.longer_than_ms) {
            (Some(_), _) => PATTERNS_FROM,
            (None, Some(_)) => DURATIONS_FROM,
            (None, None) => 0,
        };
        let nodes: Vec<i32> = self.cluster().nodes.keys().copied().collect();
        let mut listed = Vec::new();
        for node in nodes {
            let deadline = self.deadline();
            let connection = self.connection(Target::Node(node), deadline).await?;
            connection.versions().demand::<ListTransactionsRequest>(least)?;
            let build = |version| ListTransactionsRequest {
                state_filters: filter.states.iter().cloned().map(Str::from).collect(),
                producer_id_filters: filter.producers.clone(),
                duration_filter: filter.longer_than_ms.filter(|_| version >= DURATIONS_FROM).unwrap_or(-1),
                transactional_id_pattern: filter.pattern.clone().map(Str::from),
            };
            let answer = self.call(Target::Node(node), i16::MAX, build).await?;
            Error::check(answer.error_code, None, || format!("transactions of node {node}"))?;
            if let Some(unknown) = answer.unknown_state_filters.first() {
                return Err(Error::Api {
                    what: format!("transactions in state {}", &**unknown),
                    code: ErrorCode::InvalidRequest.code(),
                    message: Some("The broker knows no such state".to_owned()),
                });
            }
            listed.extend(answer.transaction_states.into_iter().map(|one| Listed {
                id: one.transactional_id.to_string(),
                coordinator: node,
                producer: one.producer_id,
                state: one.transaction_state.to_string(),
            }));
        }
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listed)
    }

    /// One transactional id. One that nobody knows is an error.
    pub(crate) async fn describe_transaction(&mut self, id: &str) -> Result<Described> {
        let request = DescribeTransactionsRequest { transactional_ids: vec![Str::from(id.to_owned())] };
        let first =
            |answer: &pagewire_wire::messages::describe_transactions_response::DescribeTransactionsResponse| {
                answer.transaction_states.first().map_or(0, |state| state.error_code)
            };
        let of = Coordinated::TransactionalId(id);
        let answer = self.call_coordinator_of(of, i16::MAX, |_| request.clone(), first).await?;
        let unknown = ErrorCode::TransactionalIdNotFound.code();
        let found = answer.transaction_states.into_iter().next();
        Error::check(found.as_ref().map_or(unknown, |found| found.error_code), None, || of.to_string())?;
        let found = found.unwrap_or_default();
        let mut partitions: Vec<Place> = Vec::new();
        for topic in &found.topics {
            partitions.extend(topic.partitions.iter().map(|index| Place::new(&*topic.topic, *index)));
        }
        partitions.sort();
        Ok(Described {
            state: found.transaction_state.to_string(),
            producer: found.producer_id,
            epoch: found.producer_epoch,
            timeout_ms: found.transaction_timeout_ms,
            started_ms: Some(found.transaction_start_time_ms).filter(|ms| *ms >= 0),
            partitions,
        })
    }

    /// The producers that each of the places remembers, by id.
    pub(crate) async fn producers(&mut self, places: &[Place]) -> Result<BTreeMap<Place, Vec<Producer>>> {
        let mut retry = self.retry();
        loop {
            match self.producers_once(places).await {
                Ok(found) => return Ok(found),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    async fn producers_once(&mut self, places: &[Place]) -> Result<BTreeMap<Place, Vec<Producer>>> {
        let wanted: Vec<(Place, i64)> = places.iter().map(|place| (place.clone(), 0)).collect();
        let mut found = BTreeMap::new();
        for (node, places) in self.by_leader(&wanted).await? {
            let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
            for (place, _) in places {
                topics.entry(place.topic).or_default().push(place.partition);
            }
            let topic = |(name, partition_indexes)| TopicRequest { name: Str::from(name), partition_indexes };
            let request = DescribeProducersRequest { topics: topics.into_iter().map(topic).collect() };
            let deadline = self.deadline();
            let answer = self.call_once(Target::Node(node), i16::MAX, deadline, |_| request).await?;
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let place = Place::new(&*topic.name, partition.partition_index);
                    let what = || format!("producers of {place}");
                    Error::check(partition.error_code, partition.error_message.as_deref(), what)?;
                    let mut producers: Vec<Producer> =
                        partition.active_producers.iter().map(producer).collect();
                    producers.sort_by_key(|producer| producer.id);
                    found.insert(place, producers);
                }
            }
        }
        Ok(found)
    }

    /// Ends a transaction of one partition by writing there what its coordinator has not.
    pub(crate) async fn abort_transaction(&mut self, place: &Place, abort: Abort) -> Result<()> {
        let topic = WritableTxnMarkerTopic {
            name: Str::from(place.topic.clone()),
            partition_indexes: vec![place.partition],
        };
        let marker = WritableTxnMarker {
            producer_id: abort.producer,
            producer_epoch: abort.epoch,
            transaction_result: false,
            topics: vec![topic],
            coordinator_epoch: abort.coordinator_epoch,
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let mut retry = self.retry();
        loop {
            let leader = self.by_leader(&[(place.clone(), 0)]).await?.into_keys().next();
            let node = leader.ok_or_else(|| Error::NoTopic(place.topic.clone()))?;
            let deadline = retry.deadline();
            let asked = self.call_once(Target::Node(node), i16::MAX, deadline, |_| request.clone()).await;
            let error = match asked {
                Err(error) => error,
                Ok(answer) => {
                    let topics = answer.markers.iter().flat_map(|marker| &marker.topics);
                    let codes = topics.flat_map(|topic| &topic.partitions).map(|one| one.error_code);
                    let code = codes.into_iter().find(|code| *code != 0).unwrap_or(0);
                    match Error::check(code, None, || format!("the transaction in {place}")) {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    }
                }
            };
            retry.after(error).await?;
        }
    }
}

fn producer(one: &pagewire_wire::messages::describe_producers_response::ProducerState) -> Producer {
    Producer {
        id: one.producer_id,
        epoch: one.producer_epoch,
        coordinator_epoch: one.coordinator_epoch,
        last_sequence: one.last_sequence,
        last_ms: Some(one.last_timestamp).filter(|ms| *ms >= 0),
        open_from: Some(one.current_txn_start_offset).filter(|offset| *offset >= 0),
    }
}
