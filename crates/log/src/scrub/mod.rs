//! The scrub: closed segments are read again once in a while, in the background, so that a batch that went bad on the disk is
//! found before a consumer finds it.
//!
//! ```text
//!   queue: which log was not verified for longest ──▶ pass: its closed segments, slice by slice ──▶ damage: what is known
//!      ▲                                                                                              │ to readers
//!      └── pagewire-scrub-checkpoint: when each log was verified last                                 ▼
//!                                                                            Log::read: ends before, refuses, goes on
//! ```
//!
//! A round does so many bytes and no more; whoever has the clock says how many. Pages that a round had to bring into the
//! page cache are dropped again; those that were there stay. Nothing is repaired or removed: what is damaged is known to
//! readers from then on, until the segment is verified again, or compaction or retention takes it away. Over a restart the
//! places are written down, and looked at again (`noted`).
//!
//! How far damage reaches, wherever it is met, is found out in one place: `extent`; what lies behind it that is surely the
//! log's own: `onward`.
//!
//! The checkpoint has Kafka's format, with a time in the place of the offset: everything in the log was right then.

mod checkpoint;
mod damage;
mod evidence;
mod extent;
mod noted;
mod on_read;
mod onward;
#[cfg(test)]
mod page_cache_tests;
mod pass;
mod places;
mod queue;
mod records;
mod round;
mod search;
mod stretches;
#[cfg(test)]
mod tests;
mod torn;

pub use checkpoint::FILE;
pub(crate) use damage::KnownDamage;
pub use damage::{Harm, Stretch};
pub(crate) use evidence::{Anchors, Evidence};
pub(crate) use extent::stretch_at;
pub(crate) use noted::{Noted, look_at, tell};
pub(crate) use places::Places;
pub(crate) use round::Scrubbing;
pub use round::{ScrubCounts, ScrubLimits, Scrubbed};
pub(crate) use search::Search;
pub(crate) use stretches::Stretches;
pub(crate) use torn::ends_in_its_records;
