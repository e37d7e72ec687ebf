//! The broker: what acts. Connections come in, requests are dispatched to one handler per API, partitions append and
//! answer with file ranges, coordinators run their pure machines on internal topics.
//!
//! ```text
//!  net/listener -> net/connection -> dispatch -> handlers/<api> -> partition -> log
//!                        ^                                |
//!                        +---- replies in order <---------+        (record bytes never pass here: zcopy sends them)
//! ```
//!
//! Nothing here decides what could be decided purely: record checks live in `record`, offsets and indexes in `log`,
//! membership in `coordinate`, byte layouts in `wire`. What is left is wiring, waiting and limits.

pub mod api;
mod aside;
mod background;
pub mod backup;
mod bounded;
mod broker;
mod cleaner;
mod clock;
mod cluster;
pub mod config;
pub mod control;
mod coordinators;
mod described;
mod dispatch;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handlers;
#[cfg(test)]
mod hang_changes_tests;
#[cfg(test)]
mod hang_tests;
mod lanes;
mod loaded;
mod loggers;
mod memory;
mod metrics;
mod moves;
mod net;
mod node;
mod partition;
mod plural;
mod request;
mod scrub;
mod slack;
#[cfg(test)]
mod testing;
mod ticks;
#[cfg(test)]
mod trouble_tests;
mod turns;

pub use cleaner::CleanerGauges;
pub use lanes::threads_aside_max;
pub use loggers::Loggers;
pub use net::{connections_with, raise_descriptor_limit};
pub use node::{Node, StartError, back_up_stopped};
