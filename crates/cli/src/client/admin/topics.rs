//! Topics: create, delete, add partitions.

use pagewire_wire::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use pagewire_wire::messages::create_partitions_response::CreatePartitionsResponse;
use pagewire_wire::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use pagewire_wire::messages::create_topics_response::CreateTopicsResponse;
use pagewire_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use pagewire_wire::messages::delete_topics_response::DeleteTopicsResponse;
use pagewire_wire::{Str, Uuid};

use crate::client::error::Error;
use crate::client::routing::Client;
use crate::client::{Result, Topic};

/// Before this version a broker does not fill in its own numbers of partitions and replicas.
const OWN_NUMBERS: i16 = 4;
/// From this version on topics to delete are structures.
const DELETE_STATES: i16 = 6;

/// A topic to make.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    /// Name.
    pub(crate) name: String,
    /// Number of partitions; `None` is the broker's setting.
    pub(crate) partitions: Option<i32>,
    /// Replicas of each; `None` is the broker's setting.
    pub(crate) replication: Option<i16>,
    /// Settings.
    pub(crate) configs: Vec<(String, String)>,
}

/// A topic that was made, or would be. Brokers before 2.4 do not say the numbers (-1).
#[derive(Debug, Clone)]
pub(crate) struct CreatedTopic {
    /// Topic id; nil from brokers before 2.8.
    pub(crate) id: Uuid,
    /// Number of partitions.
    pub(crate) partitions: i32,
    /// Replicas of each.
    pub(crate) replication: i16,
}

impl Client {
    /// Makes a topic, or only checks whether it could be made.
    pub(crate) async fn create_topic(&mut self, new: &NewTopic, dry_run: bool) -> Result<CreatedTopic> {
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: Str::from(name.clone()),
            value: Some(Str::from(value.clone())),
        };
        let timeout_ms = self.deadline().left_ms();
        let build = |version| {
            let own: i16 = if version < OWN_NUMBERS { 1 } else { -1 };
            let topic = CreatableTopic {
                name: Str::from(new.name.clone()),
                num_partitions: new.partitions.unwrap_or(i32::from(own)),
                replication_factor: new.replication.unwrap_or(own),
                assignments: Vec::new(),
                configs: new.configs.iter().map(config).collect(),
            };
            CreateTopicsRequest { topics: vec![topic], timeout_ms, validate_only: dry_run }
        };
        let judge = |answer: CreateTopicsResponse| {
            let found = answer.topics.into_iter().next().ok_or_else(|| silent(&new.name))?;
            let what = || format!("topic {}", new.name);
            Error::check(found.error_code, found.error_message.as_deref(), what)?;
            Ok(CreatedTopic {
                id: found.topic_id,
                partitions: found.num_partitions,
                replication: found.replication_factor,
            })
        };
        self.on_controller(build, judge).await
    }

    /// Deletes a topic.
    pub(crate) async fn delete_topic(&mut self, name: &str) -> Result<()> {
        let timeout_ms = self.deadline().left_ms();
        let name_of = || Str::from(name.to_owned());
        let build = |version| {
            let (topics, topic_names) = if version < DELETE_STATES {
                (Vec::new(), vec![name_of()])
            } else {
                (vec![DeleteTopicState { name: Some(name_of()), topic_id: Uuid::NIL }], Vec::new())
            };
            DeleteTopicsRequest { topics, topic_names, timeout_ms }
        };
        let judge = |answer: DeleteTopicsResponse| {
            let found = answer.responses.first().ok_or_else(|| silent(name))?;
            Error::check(found.error_code, found.error_message.as_deref(), || format!("topic {name}"))
        };
        self.on_controller(build, judge).await
    }

    /// Gives a topic more partitions, `total` of them, or only checks whether that is possible.
    pub(crate) async fn grow_topic(&mut self, topic: &Topic, total: i32, dry_run: bool) -> Result<()> {
        let timeout_ms = self.deadline().left_ms();
        let grown =
            CreatePartitionsTopic { name: Str::from(topic.name.clone()), count: total, assignments: None };
        let request = CreatePartitionsRequest { topics: vec![grown], timeout_ms, validate_only: dry_run };
        let judge = |answer: CreatePartitionsResponse| {
            let found = answer.results.first().ok_or_else(|| silent(&topic.name))?;
            Error::check(found.error_code, found.error_message.as_deref(), || format!("topic {}", topic.name))
        };
        self.on_controller(|_| request.clone(), judge).await
    }
}

/// The answer says nothing about what was asked.
fn silent(name: &str) -> Error {
    Error::Protocol {
        address: "the controller".to_owned(),
        what: format!("it says nothing about topic {name}"),
    }
}
