//! What an ack waits for, and what a failing disk does to it.

use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, When};
use pagewire_log::Origin;
use pagewire_record::{
    BatchBuilder, Codec, TimestampType,
    batch::{Batch, batches},
    check::check_produced,
};
use pagewire_wire::{ErrorCode, Records, messages::produce_request::ProduceRequest};

use super::work::unknown;
use crate::{
    net::Reply,
    testing::{Bench, FETCH, PRODUCE, batch, end_after_crash, fetch, finish, produce},
};

fn failing() -> (FailingDisk, Bench) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    (disk.clone(), Bench::on(Arc::new(disk)))
}

async fn ack(bench: &Bench, index: i32, acks: i16) -> (i16, i64) {
    let answer = bench.produce("t", index, acks).await.expect("an answer");
    (answer.error_code, answer.base_offset)
}

const STORAGE: i16 = 56;

#[tokio::test]
async fn flush_messages_holds_the_ack_of_acks_1() {
    let (disk, bench) = failing();
    let topic = bench.topic("t", 1, &[("flush.messages", "3")]).await;
    let before = disk.calls(Call::SyncData);
    for _ in 0..2 {
        assert!(matches!(bench.start(&produce("t", 0, 1), PRODUCE), Reply::Now(_)));
    }
    assert_eq!((disk.calls(Call::SyncData), topic[0].log.marks().recovery_point), (before, 0));
    assert_eq!(ack(&bench, 0, 1).await, (0, 2));
    assert_eq!(topic[0].log.marks().recovery_point, 3);
    assert!(matches!(bench.start(&produce("t", 0, 1), PRODUCE), Reply::Now(_)), "counting begins anew");
}

#[tokio::test]
async fn flush_messages_starts_a_sync_behind_acks_0() {
    let (_, bench) = failing();
    let topic = bench.topic("t", 1, &[("flush.messages", "2")]).await;
    for _ in 0..2 {
        assert!(bench.produce("t", 0, 0).await.is_none());
    }
    // Joins the sync under way, or finds it done.
    topic[0].stable(2, bench.broker.io()).await.expect("stable");
    assert_eq!(topic[0].log.marks().recovery_point, 2);
}

#[tokio::test]
async fn a_failed_flush_is_told_to_acks_1() {
    let (disk, bench) = failing();
    bench.topic("t", 1, &[("flush.messages", "1")]).await;
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    assert_eq!(ack(&bench, 0, 1).await, (STORAGE, -1));
}

#[tokio::test]
async fn a_full_disk_refuses_the_batch_and_the_next_may_fit() {
    let (disk, bench) = failing();
    bench.topic("t", 1, &[]).await;
    disk.fail_on(".log", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::NOSPC, keep: 50 });
    assert_eq!(ack(&bench, 0, -1).await, (ErrorCode::KafkaStorageError.code(), -1));
    assert_eq!(ack(&bench, 0, -1).await, (0, 0));
    assert_eq!(ack(&bench, 0, 1).await, (0, 1));
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_in_that_directory() {
    let (disk, bench) = failing();
    bench.topic("t", 2, &[]).await;
    assert_eq!(ack(&bench, 0, -1).await, (0, 0));
    assert_eq!(ack(&bench, 1, -1).await, (0, 0));
    disk.fail_on("t-0/", Call::SyncData, When::Nth(1), Fault::Error(Errno::IO));
    let first = bench.produce("t", 0, -1).await.expect("an answer");
    assert_eq!((first.error_code, first.base_offset), (STORAGE, -1));
    assert!(
        first.error_message.is_some_and(|words| words.contains("t-0: sync failed")),
        "who waited is told why"
    );
    for (index, acks) in [(0, -1), (0, 1), (1, -1), (1, 1)] {
        assert_eq!(ack(&bench, index, acks).await, (STORAGE, -1), "partition {index}, acks {acks}");
    }
    assert!(bench.home().offline().is_some());
    let read = bench.ask(&fetch("t", 2, 0, 0), FETCH).await.expect("an answer");
    assert!(read.responses[0].partitions.iter().all(|p| p.error_code == 0), "reads go on");
}

#[tokio::test]
async fn what_acks_all_acknowledged_survives_a_power_cut_and_nothing_else_is_promised() {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()));
    bench.topic("t", 1, &[]).await;
    for offset in 0..4 {
        assert_eq!(ack(&bench, 0, 1).await, (0, offset * 2));
        assert_eq!(end_after_crash(&disk, 0), offset * 2, "acks=1 is the page cache");
        assert_eq!(ack(&bench, 0, -1).await, (0, offset * 2 + 1));
        assert_eq!(end_after_crash(&disk, 0), offset * 2 + 2, "and acks=all covers what came before");
    }
}

#[tokio::test]
async fn an_append_whose_sync_failed_under_acks_0_ends_the_connection_next_time() {
    let (disk, bench) = failing();
    let topic = bench.topic("t", 1, &[("flush.messages", "1")]).await;
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    assert!(bench.produce("t", 0, 0).await.is_none());
    assert!(topic[0].stable(1, bench.broker.io()).await.is_err());
    match bench.start(&produce("t", 0, 0), PRODUCE) {
        Reply::Now(Err(close)) => assert!(close.0.contains("56"), "{close}"),
        reply => panic!(
            "{:?}",
            finish::<pagewire_wire::messages::produce_request::ProduceRequest>(reply, PRODUCE).await
        ),
    }
}

#[tokio::test]
async fn the_time_of_appending_is_in_the_answer_and_in_the_batch() {
    let (_, bench) = failing();
    bench.topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let answer = bench.produce("t", 0, 1).await.expect("an answer");
    assert!(answer.error_code == 0 && answer.log_append_time_ms > 1000, "{answer:?}");
    let read = bench.ask(&fetch("t", 1, 0, 0), FETCH).await.expect("an answer");
    let Records::Bytes(bytes) = &read.responses[0].partitions[0].records else { panic!("no records") };
    let stored = Batch::first(bytes).expect("a batch");
    stored.verify_crc().expect("crc");
    assert_eq!(stored.header.max_timestamp, answer.log_append_time_ms);
    assert_eq!(stored.header.timestamp_type(), TimestampType::LogAppendTime);
}

#[tokio::test]
async fn the_time_of_appending_is_not_that_of_the_check() {
    let (_, bench) = failing();
    let topic = bench.topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let rules = topic[0].config().produce_rules(PRODUCE, 1000);
    let checked = check_produced(&batch(), &rules).expect("good");
    let append = |now_ms| {
        let admission = topic[0].lane().admit().expect("a place");
        topic[0]
            .append_checked(&checked, Origin::Client, now_ms, (admission, bench.broker.io()))
            .expect("appended")
    };
    let times = [5000, 4000, 6000].map(|now_ms| append(now_ms).log_append_time_ms);
    assert_eq!(times, [5000, 5000, 6000], "nor does it go back within a log");
    let read = bench.ask(&fetch("t", 1, 0, 0), FETCH).await.expect("an answer");
    let Records::Bytes(bytes) = &read.responses[0].partitions[0].records else { panic!("no records") };
    let stored: Vec<_> = batches(bytes).map(|batch| batch.expect("a batch")).collect();
    for batch in &stored {
        batch.verify_crc().expect("crc");
    }
    assert_eq!(stored.iter().map(|batch| batch.header.max_timestamp).collect::<Vec<_>>(), times);
}

#[tokio::test]
async fn a_topic_that_is_deleted_meanwhile_is_unknown() {
    let (_, bench) = failing();
    let topic = bench.topic("t", 1, &[]).await;
    assert_eq!(ack(&bench, 0, 1).await, (0, 0));
    assert!(bench.home().delete("t", 0, 0).expect("deleted"));
    assert!(topic[0].log.is_deleted());
    for acks in [1, -1] {
        assert_eq!(ack(&bench, 0, acks).await, (ErrorCode::UnknownTopicOrPartition.code(), -1));
    }
    assert_eq!(unknown(13), ErrorCode::UnknownTopicId);
}

/// A request whose batch has to be checked on an I/O thread.
fn heavy(index: i32, acks: i16) -> ProduceRequest {
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(1000, Some(b"k"), Some(&vec![0; 1 << 20]), &[]).expect("record");
    let mut request = produce("t", index, acks);
    request.topic_data[0].partition_data[0].records = Records::Bytes(builder.build().expect("batch"));
    request
}

async fn told(reply: Reply) -> Vec<(i16, i64)> {
    let answer = finish::<ProduceRequest>(reply, PRODUCE).await.expect("an answer");
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|one| (one.error_code, one.base_offset)).collect()
}

#[tokio::test]
async fn a_batch_that_is_much_when_decompressed_is_checked_elsewhere_and_keeps_the_order() {
    let (_, bench) = failing();
    let topic = bench.topic("t", 1, &[]).await;
    let first = bench.start(&heavy(0, 1), PRODUCE);
    assert!(matches!(first, Reply::Later(_)), "not on the event loop");
    let second = bench.start(&produce("t", 0, 1), PRODUCE);
    let third = bench.start(&heavy(0, 1), PRODUCE);
    assert_eq!(topic[0].log.marks().log_end, 0, "what came later waits");
    let late = tokio::spawn(async move { tokio::join!(told(third), told(second)) });
    tokio::task::yield_now().await;
    assert!(!late.is_finished());
    assert_eq!(told(first).await, [(0, 0)]);
    assert_eq!(late.await.expect("no panic"), (vec![(0, 2)], vec![(0, 1)]));
    assert!(matches!(bench.start(&produce("t", 0, 1), PRODUCE), Reply::Now(_)), "as if nothing had been");
}

/// A connection polls nothing while its client takes no bytes.
#[tokio::test]
async fn a_large_batch_of_a_deaf_client_keeps_nobody_from_checking() {
    let (_, bench) = failing();
    bench.topic("t", 1, &[]).await;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut deaf, mut quick) = (Vec::new(), 0);
    for _ in 0..cores {
        let Reply::Later(mut waiting) = bench.start_elsewhere(&heavy(0, 1), PRODUCE) else {
            panic!("on the event loop")
        };
        // A check may be quicker than this; its batch is appended then.
        quick += i64::from(futures_util::poll!(waiting.as_mut()).is_ready());
        deaf.push(waiting);
    }
    assert_eq!(told(bench.start_elsewhere(&heavy(0, 1), PRODUCE)).await, [(0, quick)]);
    drop(deaf);
}

#[tokio::test]
async fn a_turn_that_is_given_up_lets_the_next_one_through() {
    let (_, bench) = failing();
    bench.topic("t", 1, &[]).await;
    let (first, second) = (bench.start(&heavy(0, 1), PRODUCE), bench.start(&produce("t", 0, 1), PRODUCE));
    drop(first);
    assert_eq!(told(second).await, [(0, 0)]);
    assert!(matches!(bench.start(&produce("t", 0, 1), PRODUCE), Reply::Now(_)));
}

#[tokio::test]
async fn what_follows_a_large_batch_in_its_request_is_appended_after_it() {
    let (_, bench) = failing();
    bench.topic("t", 2, &[]).await;
    let mut request = heavy(1, 1);
    for index in [0, 1, 7] {
        request.topic_data.extend(produce("t", index, 1).topic_data);
    }
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let answers = told(bench.start(&request, PRODUCE)).await;
    assert_eq!(answers, [(0, 0), (0, 0), (0, 1), (unknown, -1)]);
}

#[tokio::test]
async fn a_client_that_wants_no_ack_may_hang_up_on_a_large_batch() {
    let (_, bench) = failing();
    let topic = bench.topic("t", 1, &[]).await;
    drop(bench.start(&heavy(0, 0), PRODUCE));
    assert_eq!(told(bench.start(&produce("t", 0, 1), PRODUCE)).await, [(0, 1)]);
    assert_eq!(topic[0].log.marks().log_end, 2);
}
