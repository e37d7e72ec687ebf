//! Real clients against the real binary.
//!
//! A *suite* is a set of named cases. Client suites live beside this crate, each in its client's own language, take the
//! broker's address from outside and print one line per case; so the same case can be run against Apache Kafka. Pages
//! that the binary makes are shown to a real browser in the same way. Broker parts are written here in Rust, because
//! they start, kill and restart the binary themselves. `cargo run -p pagewire-conformance -- --list` names them all.
//!
//! ```text
//! main -> options -> run -> suites (the table) -> clients/<language> (prepare, command line)
//!                                              -> parts/<part>       (proof, crash, restart, hostile, cli, streams ...)
//!                                 harness (the binary in a temporary directory)    outcome (lines, table)
//! ```
//!
//! Nothing here listens or dials anywhere but on loopback. What a language needs is fetched by that language's ordinary
//! client into `target/conformance` and kept there between runs.

pub mod clients;
pub mod harness;
pub mod options;
pub mod outcome;
pub mod parts;
pub mod run;
pub mod suites;
pub mod workspace;
