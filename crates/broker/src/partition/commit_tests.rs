//! Who waits for a sync, and how many syncs that takes.

use std::{io::ErrorKind, sync::Arc};

use pagewire_disk::{Call, Errno, FailingDisk, ForgettingDisk, MemoryDisk, When};
use pagewire_log::{AppendError, Origin};
use pagewire_zcopy::IoPool;

use super::CommitError;
use crate::{
    partition::Partition,
    testing::{Bench, batch, end_after_crash, hold},
};

const WAITERS: i64 = 200;

fn append(partition: &Partition, io: &IoPool) -> i64 {
    loop {
        match partition.append(batch(), Origin::Client, 0, io) {
            Ok(appended) => return appended.last_offset + 1,
            // As many wait aside as may, which clients' batches wait for.
            Err(AppendError::Write(error)) if error.kind() == ErrorKind::TimedOut => std::thread::yield_now(),
            Err(error) => panic!("append: {error}"),
        }
    }
}

/// Until so many wait for a sync of the partition.
async fn all_wait(partition: &Partition, waiters: usize) {
    while partition.commit.stats().waiting < waiters {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_sync_serves_all_who_wait() {
    let (disk, io) = (FailingDisk::new(Arc::new(MemoryDisk::new())), IoPool::new(1, 64));
    let bench = Bench::with(Arc::new(disk.clone()), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    let before = disk.calls(Call::SyncData);
    let gate = hold(|job| io.submit_urgent(job));
    let waiting: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (partition, io) = (Arc::clone(&topic[0]), io.clone());
            let offset = append(&partition, &io);
            tokio::spawn(async move { partition.stable(offset, &io).await })
        })
        .collect();
    all_wait(&topic[0], waiting.len()).await;
    drop(gate);
    for waiter in waiting {
        waiter.await.expect("no panic").expect("stable");
    }
    assert_eq!(disk.calls(Call::SyncData) - before, 1);
    assert_eq!(topic[0].log.marks().recovery_point, WAITERS);
}

/// Many append and wait at once, on several threads and partitions, with few I/O threads and little room. Every one
/// returns, and what each was told is on the disk that a crash leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_returns_is_on_the_disk_that_a_crash_leaves() {
    const EACH: i64 = 20;
    let forgetting = ForgettingDisk::new();
    let counting = FailingDisk::new(Arc::new(forgetting.clone()));
    let io = IoPool::new(2, 2);
    let bench = Bench::with(Arc::new(counting.clone()), io.clone());
    let topic = bench.topic("t", 4, &[]).await;
    let before = counting.calls(Call::SyncData);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (partition, io, disk) = (Arc::clone(&topic[n % 4]), io.clone(), forgetting.clone());
            tokio::spawn(async move {
                for turn in 0..EACH {
                    let offset = append(&partition, &io);
                    partition.stable(offset, &io).await.expect("stable");
                    assert!(partition.log.marks().recovery_point >= offset);
                    if (n as i64 + turn) % 16 == 0 {
                        assert!(end_after_crash(&disk, partition.index) >= offset);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("told the truth");
    }
    let acks = 64 * EACH as u64;
    let syncs = counting.calls(Call::SyncData) - before;
    assert!(syncs <= acks, "{syncs} syncs for {acks} acks");
    for partition in &topic {
        assert_eq!(end_after_crash(&forgetting, partition.index), 16 * EACH);
    }
}

#[tokio::test]
async fn a_sync_waits_for_nothing_but_other_syncs() {
    let io = IoPool::new(1, 1);
    let bench = Bench::with(Arc::new(MemoryDisk::new()), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    // A cold read that takes for ever.
    let release = hold(|job| io.submit(job));
    io.submit(|| ()).expect("another waits behind it");
    let offset = append(&topic[0], &io);
    tokio::time::timeout(std::time::Duration::from_secs(30), topic[0].stable(offset, &io))
        .await
        .expect("not behind what is cold")
        .expect("stable");
    drop(release);
}

#[tokio::test]
async fn a_full_pool_is_waited_for() {
    let io = IoPool::new(1, 1);
    let bench = Bench::with(Arc::new(MemoryDisk::new()), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    let gate = hold(|job| io.submit_urgent(job));
    io.submit_urgent(|| ()).expect("one may wait");
    let (partition, pool) = (Arc::clone(&topic[0]), io.clone());
    let offset = append(&partition, &io);
    let waiter = tokio::spawn(async move { partition.stable(offset, &pool).await });
    all_wait(&topic[0], 1).await;
    assert!(!waiter.is_finished());
    drop(gate);
    waiter.await.expect("no panic").expect("stable");
}

#[tokio::test]
async fn all_who_wait_hear_of_a_failure_and_so_does_whoever_comes_later() {
    let (disk, io) = (FailingDisk::new(Arc::new(MemoryDisk::new())), IoPool::new(1, 64));
    let bench = Bench::with(Arc::new(disk.clone()), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    let gate = hold(|job| io.submit_urgent(job));
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (partition, io) = (Arc::clone(&topic[0]), io.clone());
            let offset = append(&partition, &io);
            tokio::spawn(async move { partition.stable(offset, &io).await })
        })
        .collect();
    all_wait(&topic[0], waiting.len()).await;
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    let before = disk.calls(Call::SyncData);
    drop(gate);
    for waiter in waiting {
        assert!(matches!(waiter.await.expect("no panic"), Err(CommitError::Failed(_))));
    }
    disk.heal();
    assert!(
        matches!(topic[0].stable(1, &io).await, Err(CommitError::Failed(_))),
        "a second sync proves nothing"
    );
    assert_eq!(disk.calls(Call::SyncData) - before, 1);
}

#[tokio::test]
async fn a_sync_that_found_no_descriptor_is_tried_again() {
    let (disk, io) = (FailingDisk::new(Arc::new(MemoryDisk::new())), IoPool::new(1, 64));
    let bench = Bench::with(Arc::new(disk.clone()), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    let offset = append(&topic[0], &io);
    for nth in 1..=3 {
        disk.fail(Call::SyncDir, When::Nth(nth), Errno::MFILE);
    }
    topic[0].stable(offset, &io).await.expect("stable");
    assert_eq!(topic[0].log.marks().recovery_point, offset);
    assert!(topic[0].log.offline().is_none());
}

#[tokio::test]
async fn what_nobody_appended_keeps_no_thread_busy() {
    let (disk, io) = (FailingDisk::new(Arc::new(MemoryDisk::new())), IoPool::new(1, 64));
    let bench = Bench::with(Arc::new(disk), io.clone());
    let topic = bench.topic("t", 1, &[]).await;
    let offset = append(&topic[0], &io);
    topic[0].start_sync(offset + 1000, &io);
    topic[0].stable(offset, &io).await.expect("stable");
    io.run(|| ()).await.expect("a thread that is free");
    assert_eq!(io.queued(), 0);
}
