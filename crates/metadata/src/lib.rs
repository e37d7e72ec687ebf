//! What the cluster remembers besides records: topics, ids, settings, producer-id blocks.
//!
//! [`Store`] is one small trait (versioned get, conditional writes, prefix list, watch, lease) with several
//! implementations: [`EmbeddedStore`] keeps one file in the data directory, [`MemoryStore`] forgets at the end of
//! the process. Every implementation passes the suite in `testing` (feature `testing`).
//! [`Catalog`] is the typed face over any store: records as JSON under the keys of [`model::keys`].
//!
//! ```text
//!   broker ── Catalog (TopicRecord, ClusterRecord, ...)   model/: what is stored, and under which key
//!                │
//!              Store (bytes, versions, leases)             store.rs
//!              ┌─┴─────────┐
//!        EmbeddedStore  MemoryStore                        both run engine.rs, both feed watchers by feed.rs
//! ```
//!
//! This crate leaves to others: what a topic's settings mean, who leads, and where record bytes live.
//! Times are Unix milliseconds and come from a [`Clock`]; revisions are `i64`, start at 1 and only grow.

mod catalog;
mod clock;
mod copy;
mod embedded;
mod engine;
mod feed;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod memory;
pub mod model;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use catalog::{Catalog, CatalogError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use copy::fill;
pub use embedded::{EmbeddedStore, FILE_NAME, OpenError};
pub use memory::MemoryStore;
pub use store::{
    Batch, Entry, Event, Expect, FailedChange, LeaseId, Listing, MAX_BATCH_BYTES, MAX_BATCH_OPS,
    MAX_KEY_BYTES, MAX_VALUE_BYTES, Op, PutError, Revision, Store, StoreError, Versioned, Watch, WatchSource,
};
