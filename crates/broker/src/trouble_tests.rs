//! What clients see of a disk in trouble, kind by kind, and that what was acknowledged survives it. The disk fails
//! under a broker without sockets; the ledger is what producers were told.

use std::{path::Path, sync::Arc};

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, When};
use pagewire_wire::messages::{
    metadata_request::MetadataRequest, produce_response::PartitionProduceResponse,
};

use crate::testing::{Bench, FETCH, ROOT, fetch};

/// KAFKA_STORAGE_ERROR.
const STORAGE_ERROR: i16 = 56;

/// A broker on a disk that fails on demand, and what it acknowledged of each of two partitions.
struct Ledger {
    bench: Bench,
    disk: FailingDisk,
    acknowledged: [i64; 2],
}

impl Ledger {
    async fn on(disk: FailingDisk) -> Self {
        let bench = Bench::on(Arc::new(disk.clone()));
        bench.topic("t", 2, &[("internal.segment.bytes", "400")]).await;
        Self { bench, disk, acknowledged: [0; 2] }
    }

    async fn new() -> Self {
        Self::on(FailingDisk::new(Arc::new(MemoryDisk::new()))).await
    }

    async fn produce(&mut self, partition: usize) -> PartitionProduceResponse {
        let index = i32::try_from(partition).expect("a number");
        let answer = self.bench.produce("t", index, -1).await.expect("an answer");
        if answer.error_code == 0 {
            assert_eq!(answer.base_offset, self.acknowledged[partition], "no gap, none twice");
            self.acknowledged[partition] += 1;
        }
        answer
    }

    async fn fetch(&self, partition: usize, offset: i64) -> (i16, i64) {
        let mut request = fetch("t", 2, 0, 0);
        let index = i32::try_from(partition).expect("a number");
        request.topics[0].partitions.retain(|asked| asked.partition == index);
        request.topics[0].partitions[0].fetch_offset = offset;
        let answer = self.bench.ask(&request, FETCH).await.expect("an answer");
        let answer = &answer.responses[0].partitions[0];
        (answer.error_code, answer.high_watermark)
    }

    /// Starts again on `disk`: every acknowledged record is there.
    async fn holds_on(self, disk: Arc<dyn Disk>) {
        let again = self.bench.killed_and_started_on(disk).await;
        for (partition, acknowledged) in (0..).zip(self.acknowledged) {
            let log = again.broker.cluster().log_dirs().get("t", partition).expect("served");
            assert!(log.marks().log_end >= acknowledged, "partition {partition}: {:?}", log.marks());
            let mut offset = 0;
            while offset < acknowledged {
                let slice =
                    log.read(offset, 1 << 20, pagewire_log::ReadUpTo::LogEnd, true).expect("readable");
                let bytes = slice.range.expect("records").read_to_vec().expect("bytes");
                for batch in pagewire_record::batches(&bytes) {
                    let batch = batch.expect("whole");
                    batch.verify_crc().expect("its bytes");
                    assert_eq!(batch.header.base_offset, offset, "no gap");
                    offset = batch.header.next_offset();
                }
            }
            assert_eq!(again.produce("t", partition, -1).await.expect("an answer").error_code, 0);
        }
    }

    async fn holds(self) {
        self.disk.heal();
        let disk = self.disk.clone();
        self.holds_on(Arc::new(disk)).await;
    }

    fn is_offline(&self) -> bool {
        self.bench.home().offline().is_some()
    }
}

#[tokio::test]
async fn a_full_disk_refuses_records_in_words_and_takes_them_when_there_is_room() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        let mut ledger = Ledger::new().await;
        for _ in 0..3 {
            ledger.produce(0).await;
        }
        ledger.disk.fail_on(".log", Call::Write, When::Always, Fault::Torn { errno, keep: 30 });
        for _ in 0..3 {
            let refused = ledger.produce(0).await;
            assert_eq!(refused.error_code, STORAGE_ERROR);
            let told = refused.error_message.expect("words").to_string();
            assert!(told.contains("the broker's disk is full"), "{told}");
        }
        assert!(!ledger.is_offline(), "nothing was lost: the next may fit");
        assert_eq!(ledger.fetch(0, 0).await, (0, 3), "reads go on");
        ledger.disk.heal();
        for _ in 0..6 {
            assert_eq!(ledger.produce(0).await.error_code, 0, "without a restart");
        }
        ledger.holds().await;
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_at_any_call_loses_nothing_acknowledged() {
    for call in
        [Call::Open, Call::Write, Call::SetLen, Call::SyncDir, Call::SyncAll, Call::CreateDir, Call::Rename]
    {
        for nth in 1..12 {
            let mut ledger = Ledger::new().await;
            ledger.disk.fail(call, When::Nth(nth), Errno::NOSPC);
            for round in 0..12 {
                ledger.produce(round % 2).await;
            }
            ledger.holds().await;
        }
    }
}

#[tokio::test]
async fn a_sick_disk_takes_no_more_writes_whatever_the_call_and_gives_out_what_it_can() {
    let calls =
        [("-0/", Call::Write), ("-0/", Call::SyncData), ("-0/", Call::Open), ("checkpoint", Call::Write)];
    for errno in [Errno::IO, Errno::ROFS] {
        for (path, call) in calls {
            let mut ledger = Ledger::new().await;
            for round in 0..4 {
                assert_eq!(ledger.produce(round % 2).await.error_code, 0);
            }
            ledger.disk.fail_on(path, call, When::Always, Fault::Error(errno));
            for _ in 0..6 {
                ledger.produce(0).await;
            }
            // What is on no record's way is found out by the clock.
            let _ = ledger.bench.home().write_checkpoints();
            assert!(ledger.is_offline(), "{errno:?} {call:?} {path}");
            ledger.disk.heal();
            for partition in 0..2 {
                let refused = ledger.produce(partition).await;
                assert_eq!(refused.error_code, STORAGE_ERROR, "all of the directory, until a restart");
                let (error, _) = ledger.fetch(partition, 0).await;
                assert_eq!(error, 0, "reads go on: {errno:?} {call:?} {path}");
            }
            ledger.holds().await;
        }
    }
}

/// What the disk forgets is what no sync that succeeded covers; what was acknowledged is not among it.
#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_and_a_power_cut_takes_nothing_that_was() {
    for nth in 1..8 {
        let under = ForgettingDisk::new();
        let mut ledger = Ledger::on(FailingDisk::new(Arc::new(under.clone()))).await;
        ledger.disk.fail_on(".log", Call::SyncData, When::Nth(nth), Fault::Error(Errno::IO));
        for round in 0..10 {
            let before = ledger.is_offline();
            let answer = ledger.produce(round % 2).await;
            assert!(!before || answer.error_code == STORAGE_ERROR);
        }
        let after = under.crash(0).expect("crash");
        ledger.holds_on(Arc::new(after)).await;
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_read_is_that_partitions_trouble() {
    let mut ledger = Ledger::new().await;
    for round in 0..12 {
        ledger.produce(round % 2).await;
    }
    ledger.disk.fail_on("-0/", Call::Read, When::Always, Fault::Error(Errno::IO));
    ledger.disk.fail_on("-0/", Call::ReadNoWait, When::Always, Fault::Error(Errno::IO));
    assert_eq!(ledger.fetch(0, 1).await.0, STORAGE_ERROR);
    assert_eq!(ledger.fetch(1, 1).await, (0, 6), "the others are served");
    assert!(!ledger.is_offline(), "what can be written is another question");
    assert_eq!(ledger.produce(1).await.error_code, 0);
    ledger.disk.heal();
    assert_eq!(ledger.fetch(0, 1).await, (0, 6), "as soon as it can be read");
    ledger.holds().await;
}

#[tokio::test]
async fn a_directory_that_was_removed_takes_no_more_writes() {
    let mut ledger = Ledger::new().await;
    ledger.produce(0).await;
    ledger.bench.home().look();
    assert!(!ledger.is_offline());
    ledger.disk.rename(Path::new(ROOT), Path::new("/elsewhere")).expect("moved");
    ledger.bench.home().look();
    let refused = ledger.produce(0).await;
    assert_eq!(refused.error_code, STORAGE_ERROR);
    assert!(refused.error_message.expect("words").contains("it is gone"));
    assert_eq!(ledger.fetch(0, 0).await.0, 0, "what is open can be read");
    ledger.disk.rename(Path::new("/elsewhere"), Path::new(ROOT)).expect("back");
    ledger.holds().await;
}

#[tokio::test]
async fn a_partition_that_takes_no_writes_keeps_its_leader_and_is_told_as_out_of_sync_and_offline() {
    let mut ledger = Ledger::new().await;
    ledger.produce(0).await;
    let partition = async |ledger: &Ledger| {
        let all = MetadataRequest { topics: None, ..Default::default() };
        let answer = ledger.bench.ask(&all, 12).await.expect("an answer");
        answer.topics[0].partitions[0].clone()
    };
    let well = partition(&ledger).await;
    assert_eq!((well.isr_nodes.len(), well.offline_replicas.len()), (1, 0));
    ledger.disk.fail_on("-0/", Call::Write, When::Always, Fault::Error(Errno::IO));
    assert_eq!(ledger.produce(0).await.error_code, STORAGE_ERROR);
    let read_only = partition(&ledger).await;
    assert_eq!((read_only.error_code, read_only.leader_id), (0, well.leader_id), "it is read from there");
    assert_eq!((read_only.isr_nodes, read_only.offline_replicas), (Vec::new(), well.replica_nodes));
    assert_eq!(ledger.fetch(0, 0).await, (0, 1));
    ledger.holds().await;
}
