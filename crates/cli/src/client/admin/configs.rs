//! Settings of topics, brokers and groups: what is in force and why, and changes.

use std::fmt;
use std::str::FromStr;

use pagewire_wire::Str;
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use pagewire_wire::messages::describe_configs_response::DescribeConfigsResourceResult;
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use pagewire_wire::messages::incremental_alter_configs_response::IncrementalAlterConfigsResponse;
use pagewire_wire::messages::list_config_resources_request::ListConfigResourcesRequest;

use crate::client::Result;
use crate::client::error::Error;
use crate::client::routing::{Client, Target};

/// Kafka's numbers for kinds of resources.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOG_LEVELS: i8 = 8;
const GROUP: i8 = 32;
/// Operation of IncrementalAlterConfigs: give a value.
const SET: i8 = 0;
/// Operation of IncrementalAlterConfigs: back to the default.
const DELETE: i8 = 1;
/// From this version on a broker lists more than client metrics.
const LISTS_ALL: i16 = 1;

/// What has settings, as people write it: `topic/orders`, `broker/1`, `brokers`, `group/billing`, `log-levels/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    /// A topic.
    Topic(String),
    /// Whatever broker has nothing of its own.
    Brokers,
    /// One broker.
    Broker(i32),
    /// A group of consumers.
    Group(String),
    /// What a broker logs.
    LogLevels(i32),
}

impl Resource {
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => TOPIC,
            Self::Brokers | Self::Broker(_) => BROKER,
            Self::Group(_) => GROUP,
            Self::LogLevels(_) => LOG_LEVELS,
        }
    }

    fn name(&self) -> Str {
        match self {
            Self::Topic(name) | Self::Group(name) => Str::from(name.clone()),
            Self::Brokers => Str::new(),
            Self::Broker(node) | Self::LogLevels(node) => Str::from(node.to_string()),
        }
    }

    /// The broker that alone can be asked, if there is one.
    pub(crate) fn node(&self) -> Option<i32> {
        match self {
            Self::Broker(node) | Self::LogLevels(node) => Some(*node),
            _ => None,
        }
    }

    /// Where a value comes from that was set for just this (kafka: DescribeConfigs `ConfigSource`).
    fn own_source(&self) -> i8 {
        match self {
            Self::Topic(_) => 1,
            Self::Broker(_) => 2,
            Self::Brokers => 3,
            Self::LogLevels(_) => 6,
            Self::Group(_) => 8,
        }
    }

    /// What a broker calls it; none for what this program has no word for.
    fn of(kind: i8, name: &str) -> Option<Self> {
        match kind {
            TOPIC => Some(Self::Topic(name.to_owned())),
            BROKER if name.is_empty() => Some(Self::Brokers),
            BROKER => name.parse().ok().map(Self::Broker),
            GROUP => Some(Self::Group(name.to_owned())),
            LOG_LEVELS => name.parse().ok().map(Self::LogLevels),
            _ => None,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic/{name}"),
            Self::Brokers => f.write_str("brokers"),
            Self::Broker(node) => write!(f, "broker/{node}"),
            Self::Group(name) => write!(f, "group/{name}"),
            Self::LogLevels(node) => write!(f, "log-levels/{node}"),
        }
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let node = |number: &str| {
            number.parse().map_err(|_| format!("{number:?} is no broker's number, as in broker/1"))
        };
        match text.split_once('/') {
            None if text == "brokers" => Ok(Self::Brokers),
            Some(("topic", name)) if !name.is_empty() => Ok(Self::Topic(name.to_owned())),
            Some(("group", name)) if !name.is_empty() => Ok(Self::Group(name.to_owned())),
            Some(("broker", number)) => node(number).map(Self::Broker),
            Some(("log-levels", number)) => node(number).map(Self::LogLevels),
            _ => {
                Err("write topic/NAME, broker/ID, brokers (all of them), group/NAME or log-levels/ID"
                    .to_owned())
            }
        }
    }
}

/// A setting in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Name.
    pub(crate) name: String,
    /// Value; `None` is null, or kept secret.
    pub(crate) value: Option<String>,
    /// Where it comes from, in one word.
    pub(crate) source: &'static str,
    /// Whether it was set for just what was asked about.
    pub(crate) own: bool,
    /// Whether anybody set it, anywhere.
    pub(crate) set: bool,
    /// Whether it changes only with a restart.
    pub(crate) read_only: bool,
    /// Whether its value is never shown.
    pub(crate) sensitive: bool,
    /// What would be in force without the one before it, beginning with what is.
    pub(crate) synonyms: Vec<Synonym>,
}

/// A value behind another.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Synonym {
    /// The name it has there.
    pub(crate) name: String,
    /// The value there.
    pub(crate) value: Option<String>,
    /// Where that is.
    pub(crate) source: &'static str,
}

/// Kafka's code of what nobody set.
const DEFAULT_SOURCE: i8 = 5;

fn source(code: i8) -> &'static str {
    match code {
        1 => "topic",
        2 => "broker (dynamic)",
        3 => "all brokers (dynamic)",
        4 => "broker (start)",
        DEFAULT_SOURCE => "default",
        6 => "log level",
        8 => "group",
        _ => "unknown",
    }
}

impl Config {
    fn new(of: &Resource, config: &DescribeConfigsResourceResult) -> Self {
        let text = |text: &Option<Str>| text.as_ref().map(ToString::to_string);
        let synonyms = config.synonyms.iter().map(|synonym| Synonym {
            name: synonym.name.to_string(),
            value: text(&synonym.value),
            source: source(synonym.source),
        });
        Self {
            name: config.name.to_string(),
            value: text(&config.value),
            source: source(config.config_source),
            own: config.config_source == of.own_source(),
            set: config.config_source != DEFAULT_SOURCE,
            read_only: config.read_only,
            sensitive: config.is_sensitive,
            synonyms: synonyms.collect(),
        }
    }
}

/// What is to become of settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changes<'c> {
    /// New values.
    pub(crate) set: &'c [(String, String)],
    /// Back to what they would be without.
    pub(crate) delete: &'c [String],
    /// Only whether it could be.
    pub(crate) dry_run: bool,
}

impl Client {
    /// All settings of something, by name.
    pub(crate) async fn configs(&mut self, of: &Resource) -> Result<Vec<Config>> {
        let resource = DescribeConfigsResource {
            resource_type: of.kind(),
            resource_name: of.name(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_synonyms: true,
            ..DescribeConfigsRequest::default()
        };
        let target = of.node().map_or(Target::Any, Target::Node);
        let answer = self.call(target, i16::MAX, |_| request.clone()).await?;
        let mut configs = Vec::new();
        for result in &answer.results {
            let what = || format!("settings of {of}");
            Error::check(result.error_code, result.error_message.as_deref(), what)?;
            configs.extend(result.configs.iter().map(|config| Config::new(of, config)));
        }
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(configs)
    }

    /// Changes settings of something and leaves the others alone.
    pub(crate) async fn alter_configs(&mut self, of: &Resource, changes: Changes<'_>) -> Result<()> {
        let change = |name: &String, config_operation, value: Option<&String>| AlterableConfig {
            name: Str::from(name.clone()),
            config_operation,
            value: value.cloned().map(Str::from),
        };
        let set = changes.set.iter().map(|(name, value)| change(name, SET, Some(value)));
        let delete = changes.delete.iter().map(|name| change(name, DELETE, None));
        let resource = AlterConfigsResource {
            resource_type: of.kind(),
            resource_name: of.name(),
            configs: set.chain(delete).collect(),
        };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: changes.dry_run };
        let judge = |answer: IncrementalAlterConfigsResponse| {
            answer.responses.iter().try_for_each(|response| {
                let what = || format!("settings of {of}");
                Error::check(response.error_code, response.error_message.as_deref(), what)
            })
        };
        match of.node() {
            Some(node) => judge(self.call(Target::Node(node), i16::MAX, |_| request.clone()).await?),
            None => self.on_controller(|_| request.clone(), judge).await,
        }
    }

    /// What has settings: all topics and brokers, and groups for which some were set.
    pub(crate) async fn config_resources(&mut self) -> Result<Vec<Resource>> {
        let deadline = self.deadline();
        let connection = self.connection(Target::Any, deadline).await?;
        connection.versions().demand::<ListConfigResourcesRequest>(LISTS_ALL)?;
        let request =
            |_| ListConfigResourcesRequest { resource_types: vec![TOPIC, BROKER, LOG_LEVELS, GROUP] };
        let answer = self.call(Target::Any, i16::MAX, request).await?;
        Error::check(answer.error_code, None, || "what has settings".to_owned())?;
        let found = answer.config_resources.iter();
        let mut found: Vec<Resource> =
            found.filter_map(|found| Resource::of(found.resource_type, &found.resource_name)).collect();
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_settings_is_read_as_it_is_written() {
        for (text, resource) in [
            ("topic/orders", Resource::Topic("orders".into())),
            ("broker/0", Resource::Broker(0)),
            ("brokers", Resource::Brokers),
            ("group/a/b c", Resource::Group("a/b c".into())),
            ("log-levels/1", Resource::LogLevels(1)),
        ] {
            assert_eq!(text.parse(), Ok(resource.clone()));
            assert_eq!(resource.to_string(), text);
            assert_eq!(Resource::of(resource.kind(), &resource.name()), Some(resource));
        }
        for bad in
            ["", "orders", "topic/", "topic", "group/", "broker", "broker/x", "log-levels/", "client/x"]
        {
            assert!(bad.parse::<Resource>().is_err(), "{bad}");
        }
        assert_eq!(Resource::of(16, "metrics"), None);
    }
}
