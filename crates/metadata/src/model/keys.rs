//! The one table of metadata keys.
//!
//! | key                     | record               | written by                                   |
//! |-------------------------|----------------------|----------------------------------------------|
//! | `cluster`               | `ClusterRecord`      | the first start, once                        |
//! | `producer-ids`          | `ProducerIdsRecord`  | whoever takes a block of producer ids        |
//! | `features`              | `FeaturesRecord`     | whoever changes the level of a feature       |
//! | `topics/<name>`         | `TopicRecord`        | create, alter, delete topics                 |
//! | `deleted/<topic id>`    | `DeletedTopicRecord` | delete topics, until nothing is left of them |
//! | `unmade/<topic id>`     | `UnmadeTopicRecord`  | create topics, until its logs are made       |
//! | `configs/broker`        | `ConfigRecord`       | dynamic settings of all brokers              |
//! | `configs/broker/<node>` | `ConfigRecord`       | dynamic settings of one broker               |
//! | `configs/group/<id>`    | `ConfigRecord`       | dynamic settings of one group                |
//! | `log-dirs/<node>`       | `LogDirsRecord`      | a start that finds others, restore, import   |

use uuid::Uuid;

use super::ids;

/// The cluster's identity.
pub const CLUSTER: &str = "cluster";
/// The next unused producer id.
pub const PRODUCER_IDS: &str = "producer-ids";
/// Levels of features.
pub const FEATURES: &str = "features";
/// All topics start with this.
pub const TOPICS: &str = "topics/";
/// All deleted topics that left traces start with this.
pub const DELETED: &str = "deleted/";
/// All topics whose logs may not have been made start with this.
pub const UNMADE: &str = "unmade/";
/// All dynamic settings start with this.
pub const CONFIGS: &str = "configs/";
/// Dynamic settings of every broker.
pub const BROKER_DEFAULT_CONFIG: &str = "configs/broker";
/// Dynamic settings of one broker start with this.
pub const BROKER_CONFIGS: &str = "configs/broker/";
/// Dynamic settings of one group start with this.
pub const GROUP_CONFIGS: &str = "configs/group/";

/// The log directories of one node start with this.
pub const LOG_DIRS: &str = "log-dirs/";

/// The key of one node's log directories.
pub fn log_dirs(node_id: i32) -> String {
    format!("{LOG_DIRS}{node_id}")
}

/// The key of one deleted topic.
pub fn deleted(topic_id: Uuid) -> String {
    format!("{DELETED}{}", ids::to_text(topic_id))
}

/// The key of one topic whose logs may not have been made.
pub fn unmade(topic_id: Uuid) -> String {
    format!("{UNMADE}{}", ids::to_text(topic_id))
}

/// The key of one topic.
pub fn topic(name: &str) -> String {
    format!("{TOPICS}{name}")
}
