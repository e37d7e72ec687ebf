//! Settings of topics: what is in force and why, and changes.

use pagewire_wire::Str;
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use pagewire_wire::messages::describe_configs_response::DescribeConfigsResourceResult;
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use pagewire_wire::messages::incremental_alter_configs_response::IncrementalAlterConfigsResponse;

use crate::client::Result;
use crate::client::error::Error;
use crate::client::routing::{Client, Target};

/// Kafka's number for topics among resources.
const TOPIC: i8 = 2;
/// Operation of IncrementalAlterConfigs: give a value.
const SET: i8 = 0;
/// Operation of IncrementalAlterConfigs: back to the default.
const DELETE: i8 = 1;

/// A setting in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Name.
    pub(crate) name: String,
    /// Value; `None` is null, or kept secret.
    pub(crate) value: Option<String>,
    /// Where it comes from, in one word.
    pub(crate) source: &'static str,
    /// Whether the topic itself sets it.
    pub(crate) own: bool,
}

impl Config {
    fn new(config: &DescribeConfigsResourceResult) -> Self {
        let source = match config.config_source {
            1 => "topic",
            2 => "broker (dynamic)",
            3 => "all brokers (dynamic)",
            4 => "broker (file)",
            5 => "default",
            _ => "unknown",
        };
        Self {
            name: config.name.to_string(),
            value: config.value.as_ref().map(ToString::to_string),
            source,
            own: config.config_source == 1,
        }
    }
}

impl Client {
    /// All settings of a topic, by name.
    pub(crate) async fn topic_configs(&mut self, topic: &str) -> Result<Vec<Config>> {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: Str::from(topic.to_owned()),
            configuration_keys: None,
        };
        let request =
            DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
        let answer = self.call(Target::Any, i16::MAX, |_| request.clone()).await?;
        let mut configs = Vec::new();
        for result in &answer.results {
            let what = || format!("settings of topic {topic}");
            Error::check(result.error_code, result.error_message.as_deref(), what)?;
            configs.extend(result.configs.iter().map(Config::new));
        }
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(configs)
    }

    /// Changes settings of a topic and leaves the others alone; or only checks whether that is possible.
    pub(crate) async fn alter_topic(
        &mut self,
        topic: &str,
        set: &[(String, String)],
        unset: &[String],
        dry_run: bool,
    ) -> Result<()> {
        let change = |name: &String, config_operation, value: Option<&String>| AlterableConfig {
            name: Str::from(name.clone()),
            config_operation,
            value: value.cloned().map(Str::from),
        };
        let set = set.iter().map(|(name, value)| change(name, SET, Some(value)));
        let unset = unset.iter().map(|name| change(name, DELETE, None));
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: Str::from(topic.to_owned()),
            configs: set.chain(unset).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: dry_run };
        let judge = |answer: IncrementalAlterConfigsResponse| {
            answer.responses.iter().try_for_each(|response| {
                let what = || format!("settings of topic {topic}");
                Error::check(response.error_code, response.error_message.as_deref(), what)
            })
        };
        self.on_controller(|_| request.clone(), judge).await
    }
}
