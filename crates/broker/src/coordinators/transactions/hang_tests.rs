//! Transactions where the disk of one log directory does not answer.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use pagewire_disk::Call;
use pagewire_log::Origin;
use pagewire_zcopy::IoPool;
use tokio::{
    runtime::Builder,
    task::{JoinSet, block_in_place},
    time::timeout,
};

use super::{
    TRANSACTIONS_TOPIC,
    tests::{CLASSIC_END, add, end, init, start},
};
use crate::{
    hang_tests::{PATIENCE, THREADS, Two},
    lanes::ASIDE_MAX,
    testing::{ROOT, SECOND, batch_in_txn},
};

/// A partition in the first directory, and one in the second.
const HANGS: i32 = 0;
const ANSWERS: i32 = 2;

/// A broker on two directories, of which the first has what is known of transactions.
async fn two() -> Two {
    let two = Two::with(IoPool::new(THREADS, 64)).await;
    let of_transactions = two.bench.topic(TRANSACTIONS_TOPIC, 1, &[]).await;
    assert_eq!(of_transactions[0].lane().path().display().to_string(), ROOT);
    start(&two.bench).await;
    two
}

/// Begins a transaction of a new producer that has written to these partitions.
async fn begin(two: &Two, id: &str, partitions: &[i32]) -> (i64, i16) {
    let (code, producer_id, epoch) = init(&two.bench, id).await;
    assert_eq!(code, 0);
    assert!(add(&two.bench, id, (producer_id, epoch), partitions).await.iter().all(|code| *code == 0));
    for &partition in partitions {
        let partition = &two.partitions[usize::try_from(partition).expect("a number")];
        let batch = batch_in_txn(producer_id, epoch, 0);
        partition.append(batch, Origin::Coordinator, 0, partition.io()).expect("appended");
    }
    (producer_id, epoch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_disk_hangs_keeps_no_other_from_the_marker_of_the_same_transaction() {
    let two = two().await;
    let producer = begin(&two, "app", &[HANGS, ANSWERS]).await;
    let held = two.disk.hold(&format!("{ROOT}/t-{HANGS}"), Call::Write);
    let bench = Arc::clone(&two.bench);
    let ending = tokio::spawn(async move { end(&bench, "app", producer, true, CLASSIC_END).await });
    assert!(block_in_place(|| held.is_reached()));
    let marked = async {
        let log = &two.partitions[usize::try_from(ANSWERS).expect("a number")].log;
        while log.marks().last_stable < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, marked).await.expect("readers of committed records go on");
    let ended =
        timeout(PATIENCE, ending).await.expect("its producer does not wait for the disk").expect("no panic");
    assert_eq!(ended.0, 0);
    let log = &two.partitions[usize::try_from(HANGS).expect("a number")].log;
    assert_eq!(log.marks().last_stable, 0, "the marker waits");
    drop(held);
    let marked = async {
        while log.marks().last_stable < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, marked).await.expect("the marker comes");
}

/// More transactions than may wait for a directory.
const MANY: usize = 3 * ASIDE_MAX;
/// Fewer threads than there are transactions.
const THREADS_ASIDE: usize = 2 * ASIDE_MAX;

#[test]
fn transactions_that_end_while_their_coordinator_waits_for_its_disk_take_no_thread_each() {
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(THREADS_ASIDE).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let two = Arc::new(runtime.block_on(two()));
    let ids: Vec<String> = (0..MANY).map(|number| format!("app-{number}")).collect();
    let mut ending = JoinSet::new();
    let held = runtime.block_on(async {
        let mut producers = Vec::new();
        for id in &ids {
            producers.push(begin(&two, id, &[ANSWERS]).await);
        }
        // All have decided, and wait for their markers to be stable.
        let _until_all_wait = two.disk.hold(&format!("{SECOND}/t-{ANSWERS}"), Call::SyncData);
        for (id, producer) in ids.iter().cloned().zip(producers) {
            let bench = Arc::clone(&two.bench);
            ending.spawn_on(
                async move { end(&bench, &id, producer, true, CLASSIC_END).await },
                runtime.handle(),
            );
        }
        let log = &two.partitions[usize::try_from(ANSWERS).expect("a number")].log;
        while log.marks().log_end < 2 * i64::try_from(MANY).expect("a number") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        two.disk.hold(&format!("{ROOT}/{TRANSACTIONS_TOPIC}"), Call::Write)
        // Now they hear of it together, and the first one does not get on.
    });
    assert!(held.is_reached());
    let (other, (tell, told)) = (Arc::clone(&two), mpsc::channel());
    runtime.spawn(async move {
        for _ in 0..10 {
            assert_eq!(other.produce(ANSWERS, 1).await, 0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = tell.send(());
    });
    // Where all threads are taken no time limit of the runtime's ends.
    told.recv_timeout(PATIENCE).expect("the broker goes on");
    drop(held);
    let ended = runtime.block_on(async { timeout(PATIENCE, ending.join_all()).await }).expect("all of them");
    assert!(ended.iter().all(|(code, ..)| *code == 0), "{ended:?}");
}
