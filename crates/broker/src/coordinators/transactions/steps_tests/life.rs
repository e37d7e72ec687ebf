//! One life of the broker, and what the next finds on its disk.

use std::{collections::BTreeMap, sync::Arc};

use pagewire_coordinate::txn::{TxnState, TxnValue};
use pagewire_disk::ForgettingDisk;
use pagewire_metadata::model::FeaturesRecord;
use pagewire_record::{ControlType, DecompressLimits};
use pagewire_wire::{
    ErrorCode,
    messages::{
        list_groups_request::ListGroupsRequest,
        list_transactions_request::ListTransactionsRequest,
        offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
    },
};
use tokio::task::yield_now;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::{
        TRANSACTIONS_TOPIC,
        tests::{in_state, init, write},
    },
    Between, GROUP, ID, OFFSET, Tale,
};
use crate::{
    clock::now_ms,
    cluster::Levels,
    coordinators::{
        OFFSETS_TOPIC,
        load::{Harm, each_batch},
    },
    partition::Partition,
    testing::Bench,
};

/// Of whoever had the transactional id before.
const PREDECESSOR: i64 = 500;

/// One life of the broker.
pub(super) struct Life {
    level: i16,
    pub(super) disk: ForgettingDisk,
    pub(super) bench: Bench,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Life {
    pub(super) async fn first(tale: Tale) -> Self {
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
    pub(super) async fn ends(&self) {
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
    pub(super) async fn last(self, between: Between, k: u64) -> Self {
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
    pub(super) async fn succeed(&self) {
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
    pub(super) async fn visible(&self) -> ([usize; 2], usize) {
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
