//! Every way in which two producers of one transactional id, a coordinator and two partitions can go, in a small scope:
//! answers are lost and requests sent again, producers begin anew, batches that were given up come late, time runs out,
//! markers fail, a partition goes, the broker is stopped between any two of its steps, with what the coordinator had not made
//! durable kept or lost. That records become durable is a step of its own: answers and markers that wait for it come after
//! it, what does not wait may come before. Partitions take batches and markers by the log's own rules.
//!
//! Whatever happens: no commit that a producer was told of is lost, no transaction is half committed, and once nothing fails
//! any more everything comes to rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../explore/mod.rs"]
mod explore;
mod leader;
mod world;

use pagewire_coordinate::txn::{Outcome, TxnVersion};

use crate::explore::explore;
use crate::world::{Budget, World};

const TV1: TxnVersion = TxnVersion::Classic;
const TV2: TxnVersion = TxnVersion::EpochPerTransaction;

/// Nothing goes wrong.
const SMOOTH: Budget = Budget {
    crashes: 0,
    lost_answers: 0,
    timeouts: 0,
    failed_markers: 0,
    beginnings: 0,
    deletions: 0,
    delays: 0,
    copies: 0,
};

#[test]
fn no_commit_is_lost_and_none_is_half_whoever_stops_in_between() {
    let budget = Budget { crashes: 1, lost_answers: 1, ..SMOOTH };
    for versions in [[TV1, TV2], [TV2, TV1]] {
        let worlds = explore(World::new(versions, [Outcome::Commit, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {versions:?}");
    }
}

#[test]
fn an_abort_is_as_whole_as_a_commit() {
    let stopped = Budget { crashes: 1, timeouts: 1, ..SMOOTH };
    let unmarked = Budget { timeouts: 1, failed_markers: 1, ..SMOOTH };
    for (version, budget) in [(TV1, stopped), (TV2, stopped), (TV1, unmarked), (TV2, unmarked)] {
        let worlds = explore(World::new([version; 2], [Outcome::Abort, Outcome::Commit], budget));

        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_coordinator_that_stops_twice_ends_what_it_decided_once() {
    let budget = Budget { crashes: 2, failed_markers: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Abort], budget));

        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_producer_that_begins_anew_leaves_nothing_half_behind() {
    let budget = Budget { crashes: 1, beginnings: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Commit], budget));

        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_transaction_ends_whole_in_what_is_left_when_a_partition_goes() {
    let budget = Budget { crashes: 1, deletions: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Abort], budget));

        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
#[should_panic(expected = "a transaction hangs")]
fn an_answer_that_does_not_wait_for_what_it_stands_on_leaves_a_transaction_hanging() {
    let budget = Budget { crashes: 1, lost_answers: 1, ..SMOOTH };
    let mut world = World::new([TV2; 2], [Outcome::Commit, Outcome::Commit], budget);
    world.waits = false;
    explore(world);
}

#[test]
fn a_batch_that_comes_too_late_opens_no_transaction_that_nobody_ends() {
    let budget = Budget { delays: 1, ..SMOOTH };
    for (version, budget) in [TV1, TV2].into_iter().flat_map(|version| {
        [Budget { timeouts: 1, ..budget }, Budget { crashes: 1, ..budget }].map(|budget| (version, budget))
    }) {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Commit], budget));

        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
#[should_panic(expected = "a transaction hangs")]
fn a_partition_that_does_not_ask_lets_a_late_batch_open_one() {
    let budget = Budget { delays: 1, ..SMOOTH };
    let mut world = World::new([TV1; 2], [Outcome::Commit, Outcome::Commit], budget);
    world.checks = false;
    explore(world);
}

#[test]
fn a_request_that_comes_a_second_time_later_ends_or_opens_nothing() {
    for budget in [Budget { copies: 1, ..SMOOTH }, Budget { copies: 1, crashes: 1, ..SMOOTH }] {
        let worlds = explore(World::new([TV2; 2], [Outcome::Commit, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds");
    }
}

#[test]
fn what_nobody_asked_to_end_ends_by_the_rules_of_the_earlier_levels_too() {
    let budget = Budget { crashes: 1, timeouts: 1, ..SMOOTH };
    for level in [0, 1] {
        let worlds = explore(World::at_level(level, TV1, [Outcome::Commit, Outcome::Abort], budget));
        assert!(worlds > 1_000, "only {worlds} worlds at {level}");
    }
}

#[test]
fn a_producer_id_whose_epochs_are_used_up_gives_way_to_another() {
    let budget = Budget { crashes: 1, lost_answers: 1, ..SMOOTH };
    for (version, epoch) in [(TV1, i16::MAX - 2), (TV2, i16::MAX - 3), (TV2, i16::MAX - 2)] {
        let worlds = explore(World::from_epoch(epoch, version, [Outcome::Commit, Outcome::Abort], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?} from {epoch}");
    }
}
