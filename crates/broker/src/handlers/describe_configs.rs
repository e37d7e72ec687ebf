//! DescribeConfigs: values in force, where they come from, and what stands behind them (KIP-226, KIP-524, KIP-569).
//!
//! Any group has settings, whether it exists or not, so what a request names is counted, and what it would be answered
//! is weighed while the answer is made.

use std::{collections::HashSet, mem::size_of};

use foldhash::fast::RandomState;
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

use super::resources::Resource;
use crate::{
    cluster::{Refused, names},
    config::{Described, Synonym, describe_broker, describe_broker_default, describe_group, describe_topic},
    net::Close,
    request::Context,
};

/// Resources that one request may name; more end the connection.
const RESOURCES_MAX: usize = 100_000;
/// Memory that one answer may take; more ends the connection. All settings of 6,000 topics fit, with their synonyms.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Source of a log level (kafka: ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG).
const LOGGER_SOURCE: i8 = 6;

pub(crate) async fn handle(
    ctx: Context,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Close> {
    let mut response = DescribeConfigsResponse::default();
    let mut left = ANSWER_BYTES_MAX;
    for resource in distinct(&request.resources)? {
        consume_budget().await;
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
        left = left.checked_sub(weight(&result)).ok_or_else(|| Close::because("too much to describe"))?;
        response.results.push(result);
    }
    Ok(response)
}

/// Each resource once, in the order of the first mention: named again, it would only be answered again.
fn distinct(named: &[DescribeConfigsResource]) -> Result<Vec<&DescribeConfigsResource>, Close> {
    let mut seen: HashSet<(i8, &str), RandomState> = HashSet::default();
    let mut distinct = Vec::new();
    for resource in named {
        if seen.insert((resource.resource_type, resource.resource_name.as_str())) {
            distinct.push(resource);
        }
        if distinct.len() > RESOURCES_MAX {
            let why = format_args!("settings of more than {RESOURCES_MAX} resources are to be described");
            return Err(Close::because(why));
        }
    }
    Ok(distinct)
}

/// About the bytes of a result in memory, which are more than on the wire.
fn weight(result: &DescribeConfigsResult) -> usize {
    let text = |text: &Option<Str>| text.as_ref().map_or(0, Str::len);
    let config = |config: &DescribeConfigsResourceResult| {
        let values: usize = config.synonyms.iter().map(|synonym| text(&synonym.value)).sum();
        let synonyms = config.synonyms.capacity() * size_of::<DescribeConfigsSynonym>();
        text(&config.value) + text(&config.documentation) + synonyms + values
    };
    let configs = result.configs.capacity() * size_of::<DescribeConfigsResourceResult>();
    let own = size_of::<DescribeConfigsResult>() + result.resource_name.len() + text(&result.error_message);
    own + configs + result.configs.iter().map(config).sum::<usize>()
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
        Resource::Topic(name) if name.is_empty() => {
            let message = names::refusal(&name).unwrap_or_default();
            return Err(Refused::new(ErrorCode::InvalidTopicException, message));
        }
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
        Resource::Loggers => {
            let loggers = ctx.broker.loggers();
            let wanted = loggers.levels().into_iter().filter(|(name, _)| show.wants(name));
            return Ok(wanted.map(|level| logger(level, !loggers.can_change())).collect());
        }
    };
    let wanted = described.into_iter().filter(|entry| show.wants(entry.name));
    let mut entries: Vec<_> = wanted.map(|entry| show.entry(entry)).collect();
    entries.shrink_to_fit();
    Ok(entries)
}

impl Show<'_> {
    fn wants(&self, name: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(name))
    }

    fn entry(&self, entry: Described) -> DescribeConfigsResourceResult {
        let synonym = |synonym: Synonym| DescribeConfigsSynonym {
            name: Str::from(synonym.name),
            value: synonym.value.map(Str::from),
            source: synonym.source.code(),
        };
        let synonyms = if self.synonyms { entry.synonyms } else { Vec::new() };
        DescribeConfigsResourceResult {
            name: Str::from(entry.name),
            value: entry.value.map(Str::from),
            read_only: entry.read_only,
            config_source: entry.source.code(),
            is_sensitive: entry.sensitive,
            synonyms: synonyms.into_iter().map(synonym).collect(),
            config_type: entry.kind.code(),
            documentation: self.documentation.then(|| Str::from(entry.documentation)),
        }
    }
}

fn logger((name, level): (&'static str, String), read_only: bool) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: Str::from_static(name),
        value: Some(Str::from(level)),
        read_only,
        config_source: LOGGER_SOURCE,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: String) -> DescribeConfigsResource {
        DescribeConfigsResource { resource_type: 32, resource_name: name.into(), ..Default::default() }
    }

    #[test]
    fn repeats_are_free_and_different_resources_are_counted() {
        let names = (0..RESOURCES_MAX).map(|n| n.to_string());
        let mut named: Vec<_> = names.clone().chain(names).map(group).collect();
        assert_eq!(distinct(&named).expect("as many as may be").len(), RESOURCES_MAX);
        named.push(group("one more".to_owned()));
        assert!(distinct(&named).is_err());
    }

    #[test]
    fn a_result_weighs_what_it_says() {
        let mut result = DescribeConfigsResult::default();
        let empty = weight(&result);
        let synonym = DescribeConfigsSynonym { value: Some("1234".into()), ..Default::default() };
        result.configs.push(DescribeConfigsResourceResult {
            value: Some("123".into()),
            documentation: Some("12".into()),
            synonyms: vec![synonym],
            ..Default::default()
        });
        assert!(weight(&result) >= empty + 3 + 2 + 4);
    }
}
