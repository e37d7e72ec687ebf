//! Load on any Kafka brokers, side by side, with what it costs them.
//!
//! ```text
//!   Plan (targets, cases, sizes, rounds) -> run -> Event::Step     what it does now, for a progress bar
//!                                            |     Event::Note     what must be known to read the figures
//!                                            |     Event::Cells    record::DriveCell, one for each broker and case
//!                                            v
//!   Broker -> Topic -> Load (produce, hot, cold, end_to_end, connections) -> race (threads, clock) -> Meter -> Tally
//! ```
//!
//! * All brokers take turns in every round, so that what disturbs the machine disturbs all; ratios are of one round.
//! * CPU is the broker process's own, from `/proc`; the client's stands beside it, to see when that is the bottleneck.
//! * `end-to-end` and `connections` follow a [`schedule`] fixed in advance: no coordinated omission.
//! * Every topic is the drive's own and is removed, however the run ends.
//!
//! MB and GB are 10^6 and 10^9 bytes of record batches, as they are on the wire.

#![allow(clippy::cast_precision_loss, reason = "figures are told with a few digits")]

mod broker;
pub mod client;
mod congestion;
mod latency;
mod load;
mod meter;
mod plan;
pub mod process;
mod run;
mod schedule;
mod tally;
mod target;
mod topic;

pub use congestion::without_pacing;
pub use plan::{Case, Plan};
pub use run::{Event, run, was_stopped};
pub use target::Target;
