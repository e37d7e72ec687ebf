//! Compaction.

pub(crate) mod cleanable;
mod cleaner;
mod error;
mod look;
mod offset_map;
mod stats;
mod throttle;

pub use cleaner::{Cleaned, Cleaner, CleanerLimits};
pub use error::CleanError;
pub use stats::CleanStats;
pub use throttle::Throttle;
