//! Imports of directories such as Kafka leaves them. Those that Kafka itself wrote under load are tried by the
//! conformance suite `takeover`; here every case is made by hand, small.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod cluster;
mod damage;
mod kafka;
mod metadata;
mod places;
mod refusals;
mod spread;
mod support;
mod transactions;
mod uncleanable;
