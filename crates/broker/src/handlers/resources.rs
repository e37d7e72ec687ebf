//! What the three APIs about settings share: naming a resource, and changing its settings.
//!
//! ```text
//!   DescribeConfigs ──┐
//!   AlterConfigs ─────┼── Resource (topic, broker, all brokers, group, logger)
//!   Incremental... ───┘        └── alter: wish ─ check ─ store ─ put in force
//! ```

use std::{collections::HashMap, pin::pin, time::Duration};

use foldhash::fast::RandomState;
use pagewire_metadata::model::ConfigScope;
use pagewire_wire::{ErrorCode, Str};
use tokio::{sync::oneshot, task::consume_budget, time::timeout};
use tracing::warn;

use crate::{
    cluster::{OwnConfigs, Refused, change, names},
    config::{AlterError, BrokerConfig, CORDONED, Target, validate_broker, validate_group, validate_topic},
    request::Context,
};

/// The types of resources that have settings (kafka: ConfigResource.Type).
pub(super) const TOPIC: i8 = 2;
/// A broker, or all of them.
pub(super) const BROKER: i8 = 4;
/// The levels that a broker logs at.
pub(super) const LOGGERS: i8 = 8;
/// What clients are to measure (KIP-714).
pub(super) const CLIENT_METRICS: i8 = 16;
/// A group of consumers.
pub(super) const GROUP: i8 = 32;

/// Whose settings are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Topic(String),
    AllBrokers,
    ThisBroker,
    Loggers,
    Group(String),
}

fn invalid(message: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, message)
}

impl Resource {
    /// Understands a type and a name of the protocol. Topics need not exist.
    pub(super) fn parse(kind: i8, name: &str, node_id: i32) -> Result<Self, Refused> {
        match kind {
            TOPIC => match names::refusal(name) {
                Some(reason) if !name.is_empty() => {
                    Err(Refused::new(ErrorCode::InvalidTopicException, reason))
                }
                _ => Ok(Self::Topic(name.to_owned())),
            },
            BROKER if name.is_empty() => Ok(Self::AllBrokers),
            BROKER | LOGGERS => {
                // Written in one way only: `01` and `+1` would be the same resource under other names.
                let id = name.parse::<i32>().ok().filter(|id| id.to_string() == name);
                let id =
                    id.ok_or_else(|| invalid(format!("Node id must be an integer, but it is: {name}")))?;
                if id != node_id {
                    let message = format!("Unexpected broker id, expected {node_id}, but received {id}");
                    return Err(invalid(message));
                }
                Ok(if kind == BROKER { Self::ThisBroker } else { Self::Loggers })
            }
            CLIENT_METRICS => Err(invalid("Client metrics are not served")),
            GROUP => Ok(Self::Group(name.to_owned())),
            other => Err(invalid(format!("Unknown resource type {other}"))),
        }
    }
}

/// Who changes settings waits for them to be in force, which a log may have to write down first, for so long: what is stored is
/// the answer, and its disk may not answer for hours.
const IN_FORCE_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5_000 });

/// What a request makes of the settings a resource has.
pub(super) type Wish =
    Box<dyn Fn(Target, &OwnConfigs, &BrokerConfig) -> Result<OwnConfigs, AlterError> + Send + Sync>;

/// One resource of a request, and what is wanted for it.
pub(super) struct Wanted {
    pub(super) kind: i8,
    pub(super) name: Str,
    /// Or why nothing can be meant by it.
    pub(super) wish: Result<Wish, Refused>,
}

/// What became of it.
pub(super) struct Altered {
    pub(super) kind: i8,
    pub(super) name: Str,
    pub(super) error_code: i16,
    pub(super) error_message: Option<Str>,
}

impl From<AlterError> for Refused {
    fn from(error: AlterError) -> Self {
        match error {
            AlterError::InvalidRequest(message) => Self::new(ErrorCode::InvalidRequest, message),
            AlterError::InvalidConfig(message) => Self::new(ErrorCode::InvalidConfig, message),
        }
    }
}

/// Changes the settings of several resources, or only says whether it would. One that is named twice is refused each
/// time (kafka: ConfigAdminManager.preprocess).
pub(super) async fn alter_all(ctx: &Context, all: Vec<Wanted>, validate_only: bool) -> Vec<Altered> {
    let mut named: HashMap<(i8, Str), usize, RandomState> = HashMap::default();
    for wanted in &all {
        *named.entry((wanted.kind, wanted.name.clone())).or_default() += 1;
    }
    let mut altered = Vec::with_capacity(all.len());
    for Wanted { kind, name, wish } in all {
        consume_budget().await;
        let outcome = if named.get(&(kind, name.clone())) == Some(&1) {
            alter(ctx, (kind, &name), wish, validate_only).await
        } else {
            Err(invalid("Each resource must appear at most once."))
        };
        let (code, error_message) = match outcome {
            Ok(()) => (ErrorCode::None, None),
            Err(refused) => (refused.code, Some(refused.message.into())),
        };
        altered.push(Altered { kind, name, error_code: code.code(), error_message });
    }
    altered
}

async fn alter(
    ctx: &Context,
    (kind, name): (i8, &str),
    wish: Result<Wish, Refused>,
    validate_only: bool,
) -> Result<(), Refused> {
    let resource = Resource::parse(kind, name, ctx.broker.cluster().identity().node_id)?;
    let wish = wish?;
    match resource {
        Resource::Topic(name) if name.is_empty() => Err(invalid("Default topic resources are not allowed.")),
        Resource::Topic(name) => alter_topic(ctx, name, wish, validate_only).await,
        Resource::Group(name) if name.is_empty() => Err(invalid("Default group resources are not allowed.")),
        Resource::Group(name) => alter_group(ctx, name, wish, validate_only).await,
        Resource::AllBrokers => alter_broker(ctx, Target::BrokerDefault, wish, validate_only).await,
        Resource::ThisBroker => alter_broker(ctx, Target::Broker, wish, validate_only).await,
        Resource::Loggers => {
            let config = ctx.broker.config();
            let changed = |own: &OwnConfigs| wish(Target::Loggers, own, &config);
            Ok(ctx.broker.loggers().change(changed, validate_only)?)
        }
    }
}

async fn alter_topic(ctx: &Context, name: String, wish: Wish, validate_only: bool) -> Result<(), Refused> {
    let checked = move |own: &OwnConfigs, config: &BrokerConfig| {
        let next = wish(Target::Topic, own, config)?;
        validate_topic(&next, config).map_err(|message| Refused::new(ErrorCode::InvalidConfig, message))?;
        Ok(next)
    };
    let image = ctx.broker.image();
    let Some(topic) = image.topic(&name) else {
        // As in Kafka, what nobody could have is refused as that.
        checked(&OwnConfigs::default(), &ctx.broker.config())?;
        let message = format!("The topic '{name}' does not exist.");
        return Err(Refused::new(ErrorCode::UnknownTopicOrPartition, message));
    };
    if validate_only {
        return checked(&topic.own_configs, &ctx.broker.config()).map(drop);
    }
    let (tell, stored) = oneshot::channel();
    let topic = name.clone();
    let changed = change(&ctx.broker, |change| async move {
        change
            .topic_configs(&topic, checked, || {
                // Whoever asked may be gone.
                let _ = tell.send(());
            })
            .await
    });
    in_force(&name, stored, changed).await
}

/// Waits until settings are in force, or no longer than [`IN_FORCE_WITHIN`] from when they are stored.
async fn in_force(
    whose: &str,
    stored: oneshot::Receiver<()>,
    changed: impl Future<Output = Result<(), Refused>>,
) -> Result<(), Refused> {
    let mut changed = pin!(changed);
    tokio::select! {
        biased;
        done = &mut changed => return done,
        Ok(()) = stored => {}
    }
    timeout(IN_FORCE_WITHIN, changed).await.unwrap_or_else(|_| {
        warn!(whose, "settings are stored and not in force yet: a disk does not answer. They are when it does, or with the next start");
        Ok(())
    })
}

async fn alter_group(ctx: &Context, name: String, wish: Wish, validate_only: bool) -> Result<(), Refused> {
    let checked = move |own: &OwnConfigs, config: &BrokerConfig| {
        let next = wish(Target::Group, own, config)?;
        validate_group(&next, config)?;
        Ok(next)
    };
    if validate_only {
        let scope = ConfigScope::Group(name);
        return checked(&ctx.broker.cluster().own_configs(&scope).await?, &ctx.broker.config()).map(drop);
    }
    let changed = change(&ctx.broker, |change| async move {
        let config = change.config();
        change.group_configs(&name, |own| checked(own, &config)).await
    });
    changed.await
}

async fn alter_broker(ctx: &Context, target: Target, wish: Wish, validate_only: bool) -> Result<(), Refused> {
    let checked = move |own: &OwnConfigs, config: &BrokerConfig| {
        let next = wish(target, own, config)?;
        validate_broker(target, own, &next)?;
        let after = with(target, &next, config)?;
        if own.get(CORDONED) != next.get(CORDONED)
            && let Some(sentence) = after.cordoned_elsewhere()
        {
            return Err(invalid(sentence));
        }
        Ok(next)
    };
    let cluster = ctx.broker.cluster();
    let scope = match target {
        Target::BrokerDefault => ConfigScope::BrokerDefault,
        _ => ConfigScope::Broker(cluster.identity().node_id),
    };
    if validate_only {
        return checked(&cluster.own_configs(&scope).await?, &ctx.broker.config()).map(drop);
    }
    let (tell, stored) = oneshot::channel();
    let changed = change(&ctx.broker, move |change| async move {
        let config = change.config();
        let own = change.configs(&scope, |own| checked(own, &config)).await?;
        // Whoever asked may be gone.
        let _ = tell.send(());
        change.put_broker_config_in_force(with(target, &own, &config)?).await
    });
    in_force("the broker", stored, changed).await
}

/// The broker's settings with one of their two changeable layers replaced.
fn with(target: Target, own: &OwnConfigs, config: &BrokerConfig) -> Result<BrokerConfig, Refused> {
    let (all, this) = match target {
        Target::BrokerDefault => (own.clone(), config.layers.this_broker().clone()),
        _ => (config.layers.all_brokers().clone(), own.clone()),
    };
    config.with_dynamic(all, this).map_err(|errors| invalid(errors.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_named_as_kafka_names_them() {
        let parse = |kind, name: &str| Resource::parse(kind, name, 1).map_err(|refused| refused.message);
        assert_eq!(parse(2, "orders"), Ok(Resource::Topic("orders".into())));
        assert_eq!(parse(4, ""), Ok(Resource::AllBrokers));
        assert_eq!(parse(4, "1"), Ok(Resource::ThisBroker));
        assert_eq!(parse(8, "1"), Ok(Resource::Loggers));
        assert_eq!(parse(32, "readers"), Ok(Resource::Group("readers".into())));
        assert_eq!(parse(4, "9"), Err("Unexpected broker id, expected 1, but received 9".into()));
        for name in ["x", "01", "+1", " 1", "-"] {
            let expected = format!("Node id must be an integer, but it is: {name}");
            assert_eq!(parse(4, name), Err(expected.clone()));
            assert_eq!(parse(8, name), Err(expected));
        }
        assert_eq!(parse(0, ""), Err("Unknown resource type 0".into()));
        assert!(parse(2, "bad name").is_err());
    }
}
