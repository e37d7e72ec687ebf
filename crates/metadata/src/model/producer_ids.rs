//! Producer ids are handed out in blocks, so that a broker writes metadata once for a thousand producers.

use serde::{Deserialize, Serialize};

use super::codec::Record;

/// Ids in one block.
pub const BLOCK_LEN: i64 = 1000;

/// The one row behind all blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerIdsRecord {
    /// The first id no block contains yet.
    pub next: i64,
}

impl Record for ProducerIdsRecord {
    const WHAT: &'static str = "producer ids";
    const VERSION: u32 = 1;
}

/// Ids that belong to whoever took the block, used or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first id.
    pub first: i64,
    /// How many follow, the first included.
    pub len: i64,
}
