//! DescribeConfigs: values in force, where they come from, and what stands behind them (KIP-226, KIP-524, KIP-569).

use std::collections::HashSet;

use pagewire_metadata::model::ConfigScope;
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
            DescribeConfigsSynonym,
        },
    },
};
use tokio::task::consume_budget;
use tracing::level_filters::LevelFilter;

use super::resources::Resource;
use crate::{
    cluster::Refused,
    config::{Described, describe_broker, describe_broker_default, describe_group, describe_topic},
    dispatch::Context,
};

/// Source of a log level (kafka: ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG).
const LOGGER_SOURCE: i8 = 6;

pub(crate) async fn handle(ctx: Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let mut response = DescribeConfigsResponse::default();
    let mut answered = HashSet::new();
    for resource in &request.resources {
        consume_budget().await;
        // Named again, it would only be answered again.
        if !answered.insert((resource.resource_type, resource.resource_name.as_str())) {
            continue;
        }
        let keys = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
        let show = Show {
            keys: keys.map(|keys| keys.iter().map(Str::as_str).collect()),
            synonyms: request.include_synonyms,
            documentation: request.include_documentation,
        };
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        };
        match describe(&ctx, resource, &show).await {
            Ok(configs) => result.configs = configs,
            Err(refused) => {
                result.error_code = refused.code.code();
                result.error_message = Some(refused.message.into());
            }
        }
        response.results.push(result);
    }
    response
}

/// What of each setting is wanted.
struct Show<'s> {
    keys: Option<HashSet<&'s str>>,
    synonyms: bool,
    documentation: bool,
}

async fn describe(
    ctx: &Context,
    asked: &DescribeConfigsResource,
    show: &Show<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let (cluster, config) = (ctx.broker.cluster(), ctx.broker.config());
    let resource = Resource::parse(asked.resource_type, &asked.resource_name, cluster.identity().node_id)?;
    let described = match resource {
        Resource::Topic(name) => {
            let image = ctx.broker.image();
            let unknown = || {
                let message = "This server does not host this topic-partition.";
                Refused::new(ErrorCode::UnknownTopicOrPartition, message)
            };
            describe_topic(&image.topic(&name).ok_or_else(unknown)?.own_configs, &config)
        }
        Resource::ThisBroker => describe_broker(&config),
        Resource::AllBrokers => describe_broker_default(&config),
        Resource::Group(name) if name.is_empty() => {
            return Err(Refused::new(ErrorCode::InvalidRequest, "Group name must not be empty"));
        }
        Resource::Group(name) => {
            describe_group(&cluster.own_configs(&ConfigScope::Group(name)).await?, &config)
        }
        Resource::Loggers => return Ok(vec![root_logger()]),
    };
    Ok(described.into_iter().filter(|entry| show.wants(entry.name)).map(|entry| show.entry(entry)).collect())
}

impl Show<'_> {
    fn wants(&self, name: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(name))
    }

    fn entry(&self, entry: Described) -> DescribeConfigsResourceResult {
        let synonyms =
            entry.synonyms.into_iter().filter(|_| self.synonyms).map(|synonym| DescribeConfigsSynonym {
                name: Str::from(synonym.name),
                value: synonym.value.map(Str::from),
                source: synonym.source.code(),
            });
        DescribeConfigsResourceResult {
            name: Str::from(entry.name),
            value: entry.value.map(Str::from),
            read_only: entry.read_only,
            config_source: entry.source.code(),
            is_sensitive: entry.sensitive,
            synonyms: synonyms.collect(),
            config_type: entry.kind.code(),
            documentation: self.documentation.then(|| Str::from(entry.documentation)),
        }
    }
}

/// The one logger: the level everything is logged at.
fn root_logger() -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: Str::from("root"),
        value: Some(Str::from(LevelFilter::current().to_string().to_ascii_uppercase())),
        read_only: true,
        config_source: LOGGER_SOURCE,
        ..Default::default()
    }
}
