//! Who this cluster is.

use serde::{Deserialize, Serialize};

use super::codec::Record;
use super::ids;

/// Written at the first start, and again when the leader epoch rises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// 22 characters of URL-safe base64, as clients see it.
    pub cluster_id: String,
    /// When it was written.
    pub created_ms: i64,
    /// The least epoch that partitions are led by. It rises at every start that cannot know what the one before had
    /// written, so that a client with records that are gone finds out (KIP-320).
    #[serde(default)]
    pub leader_epoch: i32,
}

impl Record for ClusterRecord {
    const WHAT: &'static str = "cluster";
    const VERSION: u32 = 1;
}

impl ClusterRecord {
    /// A new identity.
    pub fn random(created_ms: i64) -> Self {
        Self { cluster_id: ids::to_text(ids::random()), created_ms, leader_epoch: 0 }
    }
}
