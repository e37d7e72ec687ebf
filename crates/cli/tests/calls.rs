//! How many system calls a request takes, which no change is to make more without anybody seeing it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use common::Broker;
use serde_json::Value;

/// Calls a request in the round that took fewest: what wakes a thread once more in a round that others disturb is not the
/// request's. `None` where they may not be counted.
fn calls(load: &[&str]) -> Option<f64> {
    let broker = Broker::start(&[]);
    let rounds = ["lab", "drive", "-o", "json", "--rounds=5", "--warm-up=1", "--seconds=0.3"];
    let one = ["--partitions=1", "--connections=1"];
    let told = broker.run(&[&rounds[..], &one, load].concat()).ok();
    let cell: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let counted = cell["figures"]["syscalls_per_request"]["min"].as_f64();
    if counted.is_none() {
        eprintln!("system calls of another process may not be counted here");
    }
    counted
}

#[track_caller]
fn takes_at_most(most: f64, load: &[&str]) {
    if let Some(counted) = calls(load) {
        assert!(counted <= most, "{counted} a request: {load:?}");
    }
}

/// Five for the floor: wait, receive twice, head and records. Ours looks what is in the page cache besides, holds small
/// packets back for the head, and lets them go.
#[test]
fn a_hot_fetch_of_a_mebibyte() {
    takes_at_most(9.5, &["fetch-hot", "--hot-bytes=16MiB", "--fetch-bytes=1MiB"]);
}

#[test]
fn a_hot_fetch_of_one_batch_of_16_kib() {
    takes_at_most(8.5, &["fetch-hot", "--hot-bytes=4MiB", "--fetch-bytes=16KiB", "--batch-bytes=16KiB"]);
}

/// Several frames are received at once, and answered at once.
#[test]
fn a_batch_of_five_that_are_in_flight() {
    takes_at_most(3.0, &["produce", "--round-bytes=64MiB", "--batch-bytes=64KiB", "--acks=1"]);
}

/// A sync for each circle of them, and what wakes its thread.
#[test]
fn a_batch_of_five_that_wait_for_the_disk() {
    takes_at_most(6.0, &["produce", "--round-bytes=32MiB", "--batch-bytes=64KiB", "--acks=all"]);
}
