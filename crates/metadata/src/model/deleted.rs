//! A topic that is gone and left traces: directories that may still have its name, offsets that groups committed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::ids;

/// Written together with the end of the topic's own record; removed once nothing is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedTopicRecord {
    /// The name it had. Another topic may have it by now.
    pub name: String,
    /// Its id, also the end of the key.
    #[serde(with = "ids::text")]
    pub topic_id: Uuid,
}

impl Record for DeletedTopicRecord {
    const WHAT: &'static str = "deleted topic";
    const VERSION: u32 = 1;
}
