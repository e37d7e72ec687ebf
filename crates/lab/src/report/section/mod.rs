//! What the page shows, a file per section. A section without records is nothing.

pub(super) mod claims;
pub(super) mod copies;
pub(super) mod cost;
pub(super) mod drive;
pub(super) mod machine;
mod table;
pub(super) mod throughput;

use crate::report::looks::Looks;

/// What all sections need.
#[derive(Debug)]
pub(super) struct Page {
    /// How routes look.
    pub(super) routes: Looks,
    /// How brokers look.
    pub(super) brokers: Looks,
}
