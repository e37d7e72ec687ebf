//! The lab: how data moves from a file to a socket on this machine, what each way costs, and which of them copies.
//!
//! ```text
//!   routes     the cost of each route by size, residency, receiver and link     -> record::RouteCell, one per cell
//!   proof      which routes copy, and how that is known                         -> record::ProofLine, record::Claim
//!   calibrate  this machine's thresholds for the routes                         -> a file that `serve` reads
//!   drive      load on any Kafka brokers, interleaved                           -> record::DriveCell
//!   report     one page of HTML out of what the others recorded
//! ```
//!
//! No figure without its cost: throughput is never reported without the CPU seconds it took, and nothing without its
//! spread over interleaved rounds.

#![expect(
    clippy::cast_precision_loss,
    reason = "figures are told with a few digits, and have no use for the 53rd bit"
)]

pub mod calibrate;
mod copies;
pub mod drive;
pub mod machine;
pub mod measure;
pub mod proof;
mod read;
pub mod record;
pub mod report;
pub mod routes;
pub mod size;
pub mod spread;
pub mod watch;
