//! What the broker would do here: the settings that checks are judged against.

use std::path::PathBuf;

use pagewire_zcopy::{Route, Thresholds};

/// The broker's settings, as far as a check asks for them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where data is or will be kept.
    pub data_dir: PathBuf,
    /// Connections that may wait to be accepted (`socket.listen.backlog.size`).
    pub backlog: u32,
    /// Bytes of a full segment (`log.segment.bytes`).
    pub segment_bytes: u64,
    /// Segment files kept open; 0 lets the broker choose (`pagewire.open.files.max`).
    pub open_files: u64,
    /// Connections that the broker takes with so many descriptors, so many segment files (as above) being kept open:
    /// its own reckoning. `None` where nobody knows it.
    pub connections_with: Option<fn(descriptors: u64, open_files: u64) -> u64>,
    /// The one route for everything, if one is forced (`pagewire.transfer.route`).
    pub route: Option<Route>,
    /// Which route for which length (`pagewire.transfer.thresholds`).
    pub thresholds: Thresholds,
    /// Where they come from.
    pub thresholds_from: Origin,
    /// acks=all waits for stable storage (`pagewire.acks.all.meaning`).
    pub acks_all_is_stable: bool,
}

/// Where the thresholds of the routes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Somebody set them.
    Setting,
    /// They were measured, and left in this text: its comments may say where.
    Measured(String),
    /// Nobody did either.
    Default,
    /// What was measured cannot be used: why.
    Unusable(String),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("pagewire-data"),
            backlog: 50,
            segment_bytes: 1 << 30,
            open_files: 0,
            connections_with: None,
            route: None,
            thresholds: Thresholds::default(),
            thresholds_from: Origin::Default,
            acks_all_is_stable: true,
        }
    }
}
