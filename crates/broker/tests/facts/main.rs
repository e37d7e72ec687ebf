//! What the broker does, seen from a socket: one module per subject, one test per fact.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

mod apis;
mod backup;
mod behind;
mod compaction;
mod concurrency;
mod configs;
mod connections;
mod control;
mod deaf;
mod deletion;
mod describe;
mod disks;
mod features;
mod fetch;
mod gone;
mod groups;
mod hangups;
mod harness;
mod home;
mod idempotence;
mod internal;
mod limits;
mod metadata;
mod offsets;
mod parked;
mod pressure;
mod produce;
mod repeats;
mod replicas;
mod restart;
mod retention;
mod scrub;
mod sessions;
mod status;
mod topics;
