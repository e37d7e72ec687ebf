//! Settings: ConfigRecord.
//!
//! ```text
//!   resource type i8 │ resource name string │ name string │ value nullable string (null takes it away)
//! ```

use super::fields::{DecodeError, Fields, Flexible};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// Whose settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Every broker.
    Brokers,
    /// One broker.
    Broker(i32),
    /// A topic.
    Topic(String),
    /// A group.
    Group(String),
    /// Something that this program has no settings for.
    Other {
        /// Kafka's number for its kind.
        kind: i8,
        /// Its name.
        name: String,
    },
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Brokers => f.write_str("all brokers"),
            Self::Broker(node) => write!(f, "broker {node}"),
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Other { kind: CLIENT_METRICS, name } => write!(f, "the client metrics subscription {name}"),
            Self::Other { kind, name } => write!(f, "resource {name} of type {kind}"),
        }
    }
}

/// One setting, given or taken away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigSet {
    pub(super) owner: Owner,
    pub(super) name: String,
    pub(super) value: Option<String>,
}

impl ConfigSet {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (kind, owner) = (fields.i8()?, fields.string()?);
        Ok(Self { owner: owner_of(kind, owner), name: fields.string()?, value: fields.nullable_string()? })
    }
}

fn owner_of(kind: i8, name: String) -> Owner {
    match kind {
        TOPIC => Owner::Topic(name),
        GROUP => Owner::Group(name),
        BROKER if name.is_empty() => Owner::Brokers,
        BROKER => match name.parse() {
            Ok(node) => Owner::Broker(node),
            Err(_) => Owner::Other { kind, name },
        },
        kind => Owner::Other { kind, name },
    }
}
