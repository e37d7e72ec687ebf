//! What a clean did, in numbers.

use std::time::Duration;

use crate::share::Share;

/// Numbers of one clean. Those of several add up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CleanStats {
    /// Bytes read to learn the keys of the dirty part.
    pub map_bytes_read: u64,
    /// Records in it, those of aborted transactions and markers too.
    pub map_records_read: u64,
    /// Bytes of the segments that were written anew.
    pub bytes_read: u64,
    /// Bytes of what took their place.
    pub bytes_written: u64,
    /// Records in the segments that were written anew.
    pub records_read: u64,
    /// Records that stayed.
    pub records_kept: u64,
    /// Records without a key: nothing tells which of them is the latest, so they go.
    pub records_without_key: u64,
    /// Segments that were replaced.
    pub segments_read: u64,
    /// Segments that replaced them.
    pub segments_written: u64,
    /// How full the map of keys was, of what it may hold.
    pub map_utilisation: Share,
    /// Time the whole took, waiting for the [`Throttle`](crate::Throttle) included.
    pub elapsed: Duration,
}

impl Default for Share {
    fn default() -> Self {
        Self::NONE
    }
}
