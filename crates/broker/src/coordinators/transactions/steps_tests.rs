//! The broker dies in every call by which a transaction changes its disk, from the first question for a producer id to
//! the record that says that all markers are written: whatever comes after it, the transaction is committed everywhere
//! or nowhere, its group's offset with it, and as its producer was told.
//!
//! ```text
//!   life 1   init  add  produce 0  produce 1  offsets  end        dies in the k-th change of the disk, k = 1 ...
//!            (records of the coordinator, two partitions and a group, their syncs, three markers, the last record)
//!   between  killed: what was written is there; the power gone: what was not synced is gone, or a part of it
//!   life 2   reads its directory; may die the same way
//!   life 3   the producer's successor asks for its id: everything before it has ended
//! ```

use std::{sync::Arc, time::Duration};

use pagewire_disk::ForgettingDisk;
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
    tests::{CLASSIC_END, RAISING_END, add, end, init},
};
use crate::{
    partition::Partition,
    testing::{Bench, PRODUCE, batch_in_txn, produce_batch},
};

const ID: &str = "app";
const GROUP: &str = "group";
const OFFSET: i64 = 5;
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

/// What the producer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Ended,
    /// A request was answered with an error, or not at all.
    Nothing,
}

/// One life of the broker.
struct Life {
    disk: ForgettingDisk,
    bench: Bench,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Life {
    async fn first() -> Self {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()));
        bench.topic("t", 2, &[]).await;
        bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await;
        bench.topic(OFFSETS_TOPIC, 1, &[]).await;
        let mut life = Self::on(disk, bench);
        life.serve().await;
        life
    }

    fn on(disk: ForgettingDisk, bench: Bench) -> Self {
        Self { disk, bench, tasks: TaskTracker::new(), stop: CancellationToken::new() }
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
        let bench = self.bench.killed_and_started_on(Arc::new(disk.clone())).await;
        Self::on(disk, bench)
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

    /// What readers of committed records see: of each partition the records, and whether the group has its offset.
    async fn visible(&self) -> ([usize; 2], bool) {
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
        assert!([-1, OFFSET].contains(&one.committed_offset));
        (records, one.committed_offset == OFFSET)
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

/// A whole transaction, as far as it comes.
async fn transaction(bench: &Bench, flow: Flow, commits: bool) -> Told {
    let (code, id, epoch) = init(bench, ID).await;
    if code != 0 {
        return Told::Nothing;
    }
    if flow == Flow::Classic && add(bench, ID, (id, epoch), &[0, 1]).await != [0, 0] {
        return Told::Nothing;
    }
    for index in [0, 1] {
        let request = ProduceRequest {
            transactional_id: Some(ID.into()),
            ..produce_batch("t", index, -1, batch_in_txn(id, epoch, 0))
        };
        let version = if flow == Flow::Classic { PRODUCE_CLASSIC } else { PRODUCE };
        let answer = bench.ask(&request, version).await.expect("an answer");
        if answer.responses[0].partition_responses[0].error_code != 0 {
            return Told::Nothing;
        }
    }
    if !offsets(bench, flow, (id, epoch)).await {
        return Told::Nothing;
    }
    let version = if flow == Flow::Classic { CLASSIC_END } else { RAISING_END };
    match end(bench, ID, (id, epoch), commits, version).await {
        (0, ..) => Told::Ended,
        _ => Told::Nothing,
    }
}

async fn offsets(bench: &Bench, flow: Flow, (producer_id, producer_epoch): (i64, i16)) -> bool {
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
        committed_offset: OFFSET,
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

/// Dies in each change of the disk by turns. Returns how often the transaction was there in the end, and how often not.
async fn walk(flow: Flow, commits: bool, between: Between) -> [u64; 2] {
    let mut ends = [0; 2];
    for k in 1..CHANGES_MAX {
        let life = Life::first().await;
        // How far the last call comes is another matter in each walk.
        life.disk.die_in(k, k * ALL.len() as u64 + between as u64);
        let told = transaction(&life.bench, flow, commits).await;
        let is_last = !life.disk.is_dead();
        let last = tokio::time::timeout(PATIENCE, life.last(between, k)).await;
        let life = last.expect("a transaction that comes to rest");
        let (records, offset) = life.visible().await;
        life.ends().await;
        let whole = usize::from(offset);
        assert_eq!(
            records, [whole; 2],
            "{flow:?} {between:?} after change {k}: the offset is there: {offset}"
        );
        if told == Told::Ended {
            assert_eq!(offset, commits, "{flow:?} {between:?} after change {k}: its end was told");
        }
        assert!(commits || !offset, "{flow:?} {between:?} after change {k}: nobody asked for a commit");
        ends[whole] += 1;
        if is_last {
            assert_eq!(told, Told::Ended);
            return ends;
        }
    }
    panic!("more than {CHANGES_MAX} changes");
}

async fn walk_all(flow: Flow) {
    for between in ALL {
        let [nothing, whole] = walk(flow, true, between).await;
        assert!(nothing > 10 && whole > 3, "{between:?}: {nothing} times nothing, {whole} times the whole");
    }
    let [nothing, whole] = walk(flow, false, Between::PowerGone).await;
    assert!(nothing > 10 && whole == 0);
}

#[tokio::test]
async fn a_classic_transaction_is_whole_after_a_crash_in_any_step() {
    walk_all(Flow::Classic).await;
}

#[tokio::test]
async fn a_transaction_to_which_the_broker_adds_is_whole_after_a_crash_in_any_step() {
    walk_all(Flow::Raising).await;
}
