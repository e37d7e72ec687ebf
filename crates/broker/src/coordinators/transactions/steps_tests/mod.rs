//! The broker dies in every call by which a transaction changes its disk, from the first question for a producer id to
//! the record that says that all markers are written: whatever comes after it, the transaction is committed everywhere
//! or nowhere, its group's offset with it, and as its producer was told.
//!
//! ```text
//!   life 1   init  add  produce 0  produce 1  offsets  end ...    dies in the k-th change of the disk, k = 1 ...
//!            (records of the coordinator, two partitions and a group, their syncs, three markers, the last record)
//!   between  killed: what was written is there; the power gone: what was not synced is gone, or a part of it
//!   life 2   reads its directory; may die the same way
//!   life 3   the producer's successor asks for its id: everything before it has ended
//! ```

mod life;
mod producer;

use std::{collections::BTreeMap, time::Duration};

use life::Life;
use producer::transactions;

const ID: &str = "app";
const GROUP: &str = "group";
/// That of the first transaction; the next have the next.
const OFFSET: i64 = 5;
/// No producer has a later one.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// More changes than any of these transactions makes.
const CHANGES_MAX: u64 = 1_000;
/// Only a failure takes as long.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who adds partitions to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// The client (transaction version 1).
    Classic,
    /// The broker, when something is written (transaction version 2).
    Raising,
}

/// What lies between the first life and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Killed,
    /// Nothing is spared but what was synced.
    PowerGone,
    /// Of the rest some is spared.
    PowerGoneInTheMiddle,
    /// The second life is killed as well, while it ends what the first left.
    KilledTwice,
}

const ALL: [Between; 4] =
    [Between::Killed, Between::PowerGone, Between::PowerGoneInTheMiddle, Between::KilledTwice];

/// How transactions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Commit,
    Abort,
    /// Nobody asks for it: a successor of the producer begins, and fences it off.
    Successor,
}

/// What is gone through.
#[derive(Debug, Clone, Copy)]
struct Tale {
    flow: Flow,
    ends: Ends,
    /// `transaction.version` of the broker.
    level: i16,
    /// Transactions of the same producer, one after the other.
    times: usize,
    /// The epoch that its predecessor had, if it had one.
    epoch: Option<i16>,
}

impl Tale {
    const fn of(flow: Flow, ends: Ends) -> Self {
        Self { flow, ends, level: 2, times: 1, epoch: None }
    }
}

/// Dies in each change of the disk by turns. Returns how often so many transactions were there in the end.
async fn walk(tale: Tale, between: Between) -> BTreeMap<usize, u64> {
    let mut ends = BTreeMap::new();
    for k in 1..CHANGES_MAX {
        let life = Life::first(tale).await;
        // How far the last call comes is another matter in each walk.
        life.disk.die_in(k, k * ALL.len() as u64 + between as u64);
        let told = transactions(&life, tale).await;
        let is_last = !life.disk.is_dead();
        let last = tokio::time::timeout(PATIENCE, life.last(between, k)).await;
        let life = last.expect("transactions that come to rest");
        let (records, whole) = life.visible().await;
        life.ends().await;
        let here = format!("{tale:?} {between:?} after change {k}");
        assert_eq!(records, [whole; 2], "{here}: {whole} have their offset");
        if tale.ends == Ends::Commit {
            assert!((told..=told + 1).contains(&whole), "{here}: {told} were told, {whole} are there");
        } else {
            assert_eq!(whole, 0, "{here}: nobody asked for a commit");
        }
        *ends.entry(whole).or_default() += 1;
        if is_last {
            assert_eq!(told, tale.times, "{here}");
            return ends;
        }
    }
    panic!("more than {CHANGES_MAX} changes");
}

/// Through every death between two lives.
async fn walk_all(tale: Tale) {
    for between in ALL {
        walk_one(tale, between).await;
    }
}

async fn walk_one(tale: Tale, between: Between) {
    let ends = walk(tale, between).await;
    assert!(ends[&0] > 10, "{between:?}: {ends:?}");
    if tale.ends == Ends::Commit {
        assert!((1..=tale.times).all(|whole| ends[&whole] > 3), "{between:?}: {ends:?}");
    }
}

#[tokio::test]
async fn a_classic_transaction_is_whole_after_a_crash_in_any_step() {
    walk_all(Tale::of(Flow::Classic, Ends::Commit)).await;
    walk_all(Tale::of(Flow::Classic, Ends::Abort)).await;
}

#[tokio::test]
async fn a_transaction_to_which_the_broker_adds_is_whole_after_a_crash_in_any_step() {
    walk_all(Tale::of(Flow::Raising, Ends::Commit)).await;
    walk_all(Tale::of(Flow::Raising, Ends::Abort)).await;
}

#[tokio::test]
async fn a_transaction_that_a_successor_ends_is_gone_after_a_crash_in_any_step() {
    for level in [0, 1, 2] {
        let tale = Tale { level, ..Tale::of(Flow::Classic, Ends::Successor) };
        walk_one(tale, Between::PowerGone).await;
        walk_one(tale, Between::KilledTwice).await;
    }
    walk_one(Tale::of(Flow::Raising, Ends::Successor), Between::PowerGone).await;
}

#[tokio::test]
async fn each_transaction_of_a_producer_is_whole_after_a_crash_in_any_step() {
    // By level 1 both have the same epoch: what is written for the first must not end the second.
    let classic = Tale { level: 1, times: 2, ..Tale::of(Flow::Classic, Ends::Commit) };
    walk_one(classic, Between::Killed).await;
    walk_one(classic, Between::KilledTwice).await;
    walk_one(classic, Between::PowerGone).await;
}

#[tokio::test]
async fn transactions_around_the_last_epoch_of_a_producer_id_are_whole_after_a_crash_in_any_step() {
    for ends in [Ends::Commit, Ends::Abort] {
        // The first has the last epoch but one, or the last; its end hands out another producer id.
        for epoch in [LAST_EPOCH - 2, LAST_EPOCH - 1] {
            let tale = Tale { epoch: Some(epoch), ..Tale::of(Flow::Raising, ends) };
            walk_one(tale, Between::PowerGone).await;
            walk_one(tale, Between::KilledTwice).await;
        }
    }
    let classic = Tale { level: 1, epoch: Some(LAST_EPOCH - 1), ..Tale::of(Flow::Classic, Ends::Successor) };
    walk_one(classic, Between::PowerGone).await;
}
