//! Fetches from a disk that is warm, cold, or out of threads.

use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_wire::{
    Records, messages::fetch_request::FetchRequest, messages::fetch_response::PartitionData,
};
use pagewire_zcopy::IoPool;

use crate::{
    net::Reply,
    testing::{Bench, FETCH, batch, fetch, finish, hold},
};

async fn filled(io: IoPool) -> (FailingDisk, Bench) {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::with(Arc::new(disk.clone()), io);
    bench.topic("t", 3, &[]).await;
    for index in 0..3 {
        for _ in 0..4 {
            assert_eq!(bench.produce("t", index, 1).await.expect("answer").error_code, 0);
        }
    }
    (disk, bench)
}

fn cold(disk: &FailingDisk, file: &str) {
    disk.fail_on(file, Call::ReadNoWait, When::Always, Fault::Error(Errno::AGAIN));
}

async fn partitions(reply: Reply) -> Vec<(i32, i16, usize)> {
    let response = finish::<FetchRequest>(reply, FETCH).await.expect("an answer");
    let len = |data: &PartitionData| match &data.records {
        Records::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    response.responses[0].partitions.iter().map(|p| (p.partition_index, p.error_code, len(p))).collect()
}

#[tokio::test]
async fn what_is_in_the_cache_is_answered_on_the_spot() {
    let (_, bench) = filled(IoPool::new(2, 64)).await;
    let reply = bench.start(&fetch("t", 3, 0, 500), FETCH);
    assert!(matches!(reply, Reply::Now(_)));
    let whole = 4 * batch().len();
    assert_eq!(partitions(reply).await, [(0, 0, whole), (1, 0, whole), (2, 0, whole)]);
    assert_eq!(bench.count(|m| &m.fetch_cold_lookups), 0);
}

#[tokio::test]
async fn a_cold_lookup_is_made_on_an_io_thread_and_answers_the_same() {
    let (disk, bench) = filled(IoPool::new(2, 64)).await;
    let one = i32::try_from(batch().len()).expect("small");
    for (at, file) in ["t-0/", "t-1/", "t-2/", ".log"].into_iter().enumerate() {
        for max_bytes in [0, 1, one, 5 * one, 6 * one + 1, 1 << 20] {
            for max_wait_ms in [0, 500] {
                let request = FetchRequest { max_bytes, ..fetch("t", 3, 0, max_wait_ms) };
                disk.heal();
                let warm = partitions(bench.start(&request, FETCH)).await;
                cold(&disk, file);
                let reply = bench.start(&request, FETCH);
                assert!(matches!(reply, Reply::Later(_)));
                assert_eq!(partitions(reply).await, warm, "{file} cold, {max_bytes} bytes");
            }
        }
        assert_eq!(bench.count(|m| &m.fetch_cold_lookups), 12 * (at as u64 + 1));
    }
}

#[tokio::test]
async fn the_tail_needs_no_lookup_however_cold_the_disk() {
    let (disk, bench) = filled(IoPool::new(2, 64)).await;
    cold(&disk, "");
    let reply = bench.start(&fetch("t", 3, 3, 500), FETCH);
    assert!(matches!(reply, Reply::Now(_)));
    assert!(partitions(reply).await.iter().all(|(_, _, len)| *len == batch().len()));
    assert_eq!(bench.count(|m| &m.fetch_cold_lookups), 0);
}

#[tokio::test]
async fn a_fetch_that_waits_for_data_still_waits_after_a_cold_lookup() {
    let (disk, bench) = filled(IoPool::new(2, 64)).await;
    cold(&disk, "t-0/");
    let request = FetchRequest { min_bytes: 1 << 19, ..fetch("t", 1, 0, 60_000) };
    let Reply::Later(waiting) = bench.start(&request, FETCH) else { panic!("nothing to wait for") };
    let waiting = tokio::spawn(waiting);
    let mut appended = 4;
    // Bounded by the bytes that are asked for.
    while !waiting.is_finished() {
        assert_eq!(bench.produce("t", 0, 1).await.expect("answer").error_code, 0);
        appended += 1;
        assert!(appended * batch().len() < 2 << 20, "woken long ago");
        tokio::task::yield_now().await;
    }
    assert!(appended * batch().len() >= 1 << 19);
    let reply = Reply::Now(waiting.await.expect("no panic"));
    assert!(partitions(reply).await[0].2 >= 1 << 19);
    assert_eq!(bench.count(|m| &m.fetch_parked), 1);
}

#[tokio::test]
async fn without_room_on_the_io_threads_a_cold_partition_is_left_out_in_the_end() {
    let io = IoPool::new(1, 1);
    let (disk, bench) = filled(io.clone()).await;
    let release = hold(|job| io.submit(job));
    io.submit(|| ()).expect("one may wait");
    cold(&disk, "t-1/");
    let whole = 4 * batch().len();
    let told = partitions(bench.start(&fetch("t", 3, 0, 0), FETCH)).await;
    assert_eq!(told, [(0, 0, whole), (1, 0, 0), (2, 0, whole)], "no error: the client asks again");
    let later = bench.start(&fetch("t", 3, 0, 60_000), FETCH);
    drop(release);
    assert_eq!(partitions(later).await, [(0, 0, whole), (1, 0, whole), (2, 0, whole)]);
}
