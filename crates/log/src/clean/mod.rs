//! Compaction.

pub(crate) mod cleanable;
mod cleaner;
mod error;
mod filter;
mod finish;
mod group;
mod keep;
mod learn;
mod look;
mod offset_map;
mod raw_record;
mod rebuild;
pub(crate) mod replace;
mod rewrite;
mod source;
mod stats;
mod target;
#[cfg(test)]
mod tests;
mod throttle;
mod txns;
mod work;

pub use cleaner::{Cleaned, Cleaner, CleanerLimits};
pub use error::CleanError;
pub(crate) use finish::finish_swaps;
pub use stats::CleanStats;
pub use throttle::Throttle;
