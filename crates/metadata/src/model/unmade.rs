//! A topic whose logs may not all have been made yet.
//!
//! Where there is none of these, each partition of a topic had a log that a power cut does not take away: one that is
//! missing was removed, and is not made anew in silence.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::ids;

/// Written together with the topic's own record; removed once its logs are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmadeTopicRecord {
    /// Its name.
    pub name: String,
    /// Its id, also the end of the key.
    #[serde(with = "ids::text")]
    pub topic_id: Uuid,
}

impl Record for UnmadeTopicRecord {
    const WHAT: &'static str = "unmade topic";
    const VERSION: u32 = 1;
}
