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

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pagewire_coordinate::txn::{TxnState, TxnValue};
use pagewire_disk::ForgettingDisk;
use pagewire_metadata::model::FeaturesRecord;
use pagewire_record::{ControlType, DecompressLimits};
use pagewire_wire::{
    ErrorCode,
    messages::{
        add_offsets_to_txn_request::AddOffsetsToTxnRequest,
        list_groups_request::ListGroupsRequest,
        list_transactions_request::ListTransactionsRequest,
        offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
        produce_request::ProduceRequest,
        txn_offset_commit_request::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
    },
};
use tokio::task::yield_now;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::{
        OFFSETS_TOPIC,
        load::{Harm, each_batch},
    },
    TRANSACTIONS_TOPIC,
    tests::{CLASSIC_END, RAISING_END, add, end, in_state, init, write},
};
use crate::{
    clock::now_ms,
    cluster::Levels,
    partition::Partition,
    testing::{Bench, PRODUCE, batch_in_txn, produce_batch},
};

const ID: &str = "app";
const GROUP: &str = "group";
/// That of the first transaction; the next have the next.
const OFFSET: i64 = 5;
/// Of whoever had the transactional id before.
const PREDECESSOR: i64 = 500;
/// No producer has a later one.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// More changes than any of these transactions makes.
const CHANGES_MAX: u64 = 1_000;
/// Only a failure takes as long.
const PATIENCE: Duration = Duration::from_mins(2);
/// The last version of Produce by which clients add partitions to transactions themselves.
const PRODUCE_CLASSIC: i16 = 11;

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

/// One life of the broker.
struct Life {
    level: i16,
    disk: ForgettingDisk,
    bench: Bench,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Life {
    async fn first(tale: Tale) -> Self {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()));
        bench.topic("t", 2, &[]).await;
        let log = bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await.remove(0);
        if let Some(producer_epoch) = tale.epoch {
            let updated_ms = now_ms();
            let before = in_state(TxnState::CompleteCommit, PREDECESSOR, "t");
            write(&bench, &log, &TxnValue { producer_epoch, updated_ms, topics: None, ..before });
        }
        bench.topic(OFFSETS_TOPIC, 1, &[]).await;
        let mut life = Self::on(disk, bench, tale.level);
        life.serve().await;
        life
    }

    fn on(disk: ForgettingDisk, bench: Bench, level: i16) -> Self {
        let levels = BTreeMap::from([("transaction.version".to_owned(), level)]);
        bench.broker.cluster().set_features(Levels::new((FeaturesRecord { levels }, 1)));
        Self { level, disk, bench, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Coordinators have read what there is, unless it has died.
    async fn serve(&mut self) {
        self.bench.broker.coordinators().start(&self.bench.broker, &self.tasks, &self.stop);
        while !self.disk.is_dead() {
            let transactions = self.bench.ask(&ListTransactionsRequest::default(), 0).await;
            let groups = self.bench.ask(&ListGroupsRequest::default(), 5).await;
            let codes = (transactions.expect("an answer").error_code, groups.expect("an answer").error_code);
            if codes == (0, 0) {
                return;
            }
            yield_now().await;
        }
    }

    /// Nothing of it runs any more, whatever it was about to do.
    async fn ends(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The next life, on `disk`, not started yet.
    async fn next(self, disk: ForgettingDisk) -> Self {
        self.ends().await;
        let level = self.level;
        let bench = self.bench.killed_and_started_on(Arc::new(disk.clone())).await;
        Self::on(disk, bench, level)
    }

    /// The life in which everything has come to rest.
    async fn last(self, between: Between, k: u64) -> Self {
        let disk = match between {
            Between::Killed | Between::KilledTwice => self.disk.killed(),
            Between::PowerGone => self.disk.crash(0).expect("a disk"),
            Between::PowerGoneInTheMiddle => self.disk.crash(k).expect("a disk"),
        };
        let mut life = self.next(disk).await;
        if between == Between::KilledTwice {
            // Few changes end a transaction: every one of them comes to be the last.
            life.disk.die_in(1 + k % 9, k);
            life.serve().await;
            life.succeed().await;
            let disk = life.disk.killed();
            life = life.next(disk).await;
        }
        life.serve().await;
        life.succeed().await;
        assert!(!life.disk.is_dead());
        life
    }

    /// A new producer of the same transactional id begins: what its predecessor left is ended first.
    async fn succeed(&self) {
        let wait =
            [ErrorCode::ConcurrentTransactions, ErrorCode::CoordinatorLoadInProgress].map(ErrorCode::code);
        loop {
            let (code, ..) = init(&self.bench, ID).await;
            if code == 0 || self.disk.is_dead() {
                return;
            }
            assert!(wait.contains(&code), "error {code}");
            yield_now().await;
        }
    }

    /// What readers of committed records see: of each partition the records, and of how many transactions the group has
    /// the offset.
    async fn visible(&self) -> ([usize; 2], usize) {
        let image = self.bench.broker.image();
        let topic = image.topic("t").expect("a topic");
        let records = [0, 1].map(|index| committed(topic.served(index).expect("a partition")));
        let topics =
            OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
        let request = OffsetFetchRequest {
            group_id: GROUP.into(),
            topics: Some(vec![topics]),
            require_stable: true,
            ..Default::default()
        };
        let answer = self.bench.ask(&request, 7).await.expect("an answer");
        let one = &answer.topics[0].partitions[0];
        assert_eq!(one.error_code, 0, "an offset waits for its transaction");
        let whole = if one.committed_offset < 0 { 0 } else { one.committed_offset - OFFSET + 1 };
        (records, usize::try_from(whole).expect("an offset of ours"))
    }
}

/// Records of a partition that are committed. None may be open.
fn committed(partition: &Partition) -> usize {
    assert!(partition.log.open_transactions().is_empty());
    let (mut open, mut committed) = (0, 0);
    each_batch(&partition.log, Harm::EndsIt, |batch| {
        if !batch.header.is_control() {
            open += 1;
            return Ok(());
        }
        for record in batch.records(&DecompressLimits::default())? {
            if record?.key.as_deref().and_then(ControlType::from_key) == Some(ControlType::Commit) {
                committed += open;
            }
        }
        open = 0;
        Ok(())
    })
    .expect("a log");
    committed
}

/// All transactions of a tale, as far as they come. How many were told to have ended.
async fn transactions(life: &Life, tale: Tale) -> usize {
    let (code, mut id, mut epoch) = init(&life.bench, ID).await;
    let mut sequence = 0;
    for told in 0..tale.times {
        if code != 0 || !filled(life, tale.flow, (id, epoch), sequence, OFFSET + told as i64).await {
            return told;
        }
        let version = if tale.flow == Flow::Classic { CLASSIC_END } else { RAISING_END };
        if tale.ends == Ends::Successor {
            life.succeed().await;
            // Whoever was fenced off goes on no more.
            return told + usize::from(!life.disk.is_dead());
        }
        let ended = end(&life.bench, ID, (id, epoch), tale.ends == Ends::Commit, version).await;
        if ended.0 != 0 {
            return told;
        }
        match tale.flow {
            Flow::Raising => (id, epoch) = (ended.1, ended.2),
            Flow::Classic => sequence += 1,
        }
    }
    tale.times
}

/// A transaction but for its end.
async fn filled(life: &Life, flow: Flow, producer: (i64, i16), sequence: i32, offset: i64) -> bool {
    if flow == Flow::Classic && !added(life, producer).await {
        return false;
    }
    for index in [0, 1] {
        let request = ProduceRequest {
            transactional_id: Some(ID.into()),
            ..produce_batch("t", index, -1, batch_in_txn(producer.0, producer.1, sequence))
        };
        let version = if flow == Flow::Classic { PRODUCE_CLASSIC } else { PRODUCE };
        let answer = life.bench.ask(&request, version).await.expect("an answer");
        if answer.responses[0].partition_responses[0].error_code != 0 {
            return false;
        }
    }
    offsets(&life.bench, flow, producer, offset).await
}

/// Both partitions take part. One whose last transaction is still being ended waits, as clients do.
async fn added(life: &Life, producer: (i64, i16)) -> bool {
    loop {
        let codes = add(&life.bench, ID, producer, &[0, 1]).await;
        if codes != [ErrorCode::ConcurrentTransactions.code(); 2] || life.disk.is_dead() {
            return codes == [0, 0];
        }
        yield_now().await;
    }
}

async fn offsets(
    bench: &Bench,
    flow: Flow,
    (producer_id, producer_epoch): (i64, i16),
    committed_offset: i64,
) -> bool {
    if flow == Flow::Classic {
        let request = AddOffsetsToTxnRequest {
            transactional_id: ID.into(),
            producer_id,
            producer_epoch,
            group_id: GROUP.into(),
            ..Default::default()
        };
        if bench.ask(&request, 3).await.expect("an answer").error_code != 0 {
            return false;
        }
    }
    let partition = TxnOffsetCommitRequestPartition {
        committed_offset,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    let topic =
        TxnOffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: GROUP.into(),
        producer_id,
        producer_epoch,
        generation_id: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let version = if flow == Flow::Classic { 3 } else { 5 };
    let answer = bench.ask(&request, version).await.expect("an answer");
    answer.topics[0].partitions[0].error_code == 0
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
