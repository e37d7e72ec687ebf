//! Route `direct`: past the page cache, aligned whatever is asked for, bounded, and replaced where it cannot be had.

mod common;

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{
    Moody, chill, expected, file_of, framed, once, pattern, read_in_background, tcp_pair, tokio_pair,
    transfer, transfer_over,
};
use pagewire_zcopy::{
    BufferPool, DirectFile, FileRange, IoPool, PoolOptions, Residency, Route, SendError, SendPlan, Sent,
    Transfer, TransferOptions, caps::STREAK_MAX, residency,
};
use proptest::prelude::*;
use rustix::io::Errno;

const MIB: u64 = 1 << 20;

fn direct() -> TransferOptions {
    TransferOptions { route: Some(Route::Direct), ..TransferOptions::default() }
}

/// Whether this file can be read past the page cache here.
fn available(file: &File) -> bool {
    let answer = DirectFile::open(file.as_fd());
    if let Err(error) = &answer {
        eprintln!("no direct reads of the target directory ({error}): asserting bytes only");
    }
    answer.is_ok()
}

fn whole(file: &Arc<File>, len: u64) -> SendPlan {
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(file), 0, len));
    plan
}

fn send_blocking(transfer: &Transfer, plan: &mut SendPlan) -> Sent {
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    sent
}

async fn send(transfer: &Transfer, plan: &mut SendPlan, tiny: bool) -> Sent {
    let (sender, receiver) = tokio_pair(tiny);
    let reader = read_in_background(receiver, plan.total());
    let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, plan)).await;
    let sent = sent.expect("in time").expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    sent
}

fn pages_cached(file: &File, len: u64) -> Vec<bool> {
    (0..len.div_ceil(4096)).map(|page| residency(file, page * 4096, 1) == Residency::Resident).collect()
}

/// The first and the last quarter are cached, what lies between is not: neither is changed.
#[tokio::test]
async fn the_page_cache_is_left_as_it_was() {
    let len = 4 * MIB;
    let contents = pattern(len as usize, 40);
    for blocking in [true, false] {
        let file = file_of(&contents);
        let cold = chill(&file, len);
        let mut quarter = vec![0; MIB as usize];
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).expect("no read-ahead");
        file.read_exact_at(&mut quarter, 0).expect("reading");
        file.read_exact_at(&mut quarter, 3 * MIB).expect("reading");
        let before = pages_cached(&file, len);
        let transfer = transfer(direct());
        let (sender, receiver) = if blocking {
            let (sender, receiver) = tcp_pair(false);
            (Err(sender), receiver)
        } else {
            let (sender, receiver) = tokio_pair(false);
            (Ok(sender), receiver)
        };
        let reader = read_in_background(receiver, len);
        let sent = match &sender {
            Ok(sender) => transfer.send(sender, &mut whole(&file, len)).await,
            Err(sender) => transfer.send_blocking(sender, &mut whole(&file, len)),
        };
        let sent = sent.expect("sending");
        assert!(pages_cached(&file, len) == before, "blocking: {blocking}");
        if available(&file) {
            assert_eq!(sent.by(Route::Direct), len);
            assert!(!cold || before.iter().any(|cached| !cached), "half of it was not cached");
        }
        assert!(reader.join().expect("the reader") == contents);
    }
}

/// `O_DIRECT` has dirty pages of its range written out before it reads.
#[test]
fn what_was_just_written_through_the_page_cache_is_sent() {
    let mut contents = pattern(3_000_000, 41);
    let file = file_of(&contents);
    chill(&file, 3_000_000);
    let transfer = transfer(direct());
    for (turn, at) in [0, 4_090, 1_048_570, 2_999_000].into_iter().enumerate() {
        let new = pattern(1_000, 50 + turn as u64);
        file.write_all_at(&new, at).expect("overwriting");
        contents[at as usize..at as usize + 1_000].copy_from_slice(&new);
        let mut plan = whole(&file, 3_000_000);
        assert!(expected(&plan) == contents);
        let sent = send_blocking(&transfer, &mut plan);
        assert!(!available(&file) || sent.by(Route::Direct) == 3_000_000);
    }
}

#[test]
fn a_file_in_memory_or_a_device_arrives_the_same() {
    let memory = rustix::fs::memfd_create("segment", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
    let memory = Arc::new(File::from(memory));
    memory.write_all_at(&pattern(100_001, 42), 0).expect("writing");
    let zeros = Arc::new(File::open("/dev/zero").expect("/dev/zero"));
    let transfer = transfer(direct());
    send_blocking(&transfer, &mut framed(FileRange::new(memory, 77, 99_924)));
    let sent = send_blocking(&transfer, &mut framed(FileRange::new(zeros, 5, 5_000)));
    assert_eq!((sent.by(Route::Copy), transfer.refused().contains(Route::Direct)), (5_000, false));
}

#[test]
fn a_segment_that_grew_since_it_was_read_is_sent_to_its_new_end() {
    let contents = pattern(20_000, 43);
    let file = file_of(&contents[..5_001]);
    let transfer = transfer(direct());
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, 20_000);
    let mut plan = whole(&file, 20_000);
    assert!(matches!(transfer.send_blocking(&sender, &mut plan), Err(SendError::FileShrunk { .. })));
    assert_eq!(plan.sent(), 5_001);
    file.write_all_at(&contents[5_001..], 5_001).expect("appending");
    transfer.send_blocking(&sender, &mut plan).expect("the rest");
    assert!(reader.join().expect("the reader") == contents);
}

#[tokio::test]
async fn a_slow_peer_has_nothing_read_twice_and_one_portion_held() {
    let moody = Moody::default();
    let reads = Arc::clone(&moody.direct_reads);
    let transfer = transfer_over(direct(), moody);
    let file = file_of(&pattern(3 << 20, 44));
    let mut plan = whole(&file, 3 * MIB);
    let sent = send(&transfer, &mut plan, true).await;
    if available(&file) {
        assert_eq!((reads.load(Ordering::Relaxed), sent.cold_offloads), (3, 3));
        assert!(sent.would_block > 3, "{sent:?}");
    }
    let usage = transfer.buffers().usage();
    assert_eq!((usage.in_use_bytes, usage.mapped), (0, 1), "one buffer served, and is back");
}

#[tokio::test]
async fn while_the_pool_is_scarce_a_slow_peer_holds_no_portion() {
    let file = file_of(&pattern(2 << 20, 47));
    let buffers = BufferPool::new(PoolOptions { max_bytes: 3 << 20, ..PoolOptions::default() });
    let others = buffers.take(1 << 20).expect("room");
    let transfer = Transfer::new(direct(), buffers.clone(), IoPool::new(1, 4));
    let mut plan = whole(&file, 2 * MIB);
    let sent = send(&transfer, &mut plan, true).await;
    if available(&file) {
        assert_eq!(sent.by(Route::Direct), 2 * MIB);
        let stats = transfer.stats().snapshot();
        assert!(stats.let_go > 0, "{stats:?}");
    }
    assert_eq!(buffers.usage().in_use_bytes, others.len());
}

#[tokio::test]
async fn without_room_in_the_pool_small_portions_do() {
    let file = file_of(&pattern(1 << 20, 45));
    for room in [64 << 10, 0] {
        let moody = Moody::default();
        let reads = Arc::clone(&moody.direct_reads);
        let buffers = BufferPool::new(PoolOptions { max_bytes: room, ..PoolOptions::default() });
        let transfer = Transfer::with_calls(direct(), buffers.clone(), IoPool::new(1, 4), Box::new(moody));
        let sent = send(&transfer, &mut whole(&file, MIB), false).await;
        if available(&file) {
            assert!(sent.by(Route::Direct) == MIB && reads.load(Ordering::Relaxed) >= 16, "{sent:?}");
        }
        assert_eq!(buffers.usage().in_use_bytes, 0);
    }
}

#[tokio::test]
async fn a_busy_pool_is_waited_for() {
    let io = IoPool::new(1, 1);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    io.submit(move || gate.recv().unwrap_or_default()).expect("room");
    while io.queued() > 0 {
        tokio::task::yield_now().await;
    }
    io.submit(|| ()).expect("the one place in the queue");
    let buffers = BufferPool::new(PoolOptions::default());
    let transfer = Transfer::new(direct(), buffers, io);
    let (sender, receiver) = tokio_pair(false);
    let mut plan = whole(&file_of(&pattern(100_000, 46)), 100_000);
    let reader = read_in_background(receiver, plan.total());
    {
        let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
        for _ in 0..20 {
            let polled = once(sending.as_mut()).await;
            assert!(polled.is_pending(), "nothing is read on the event loop");
            tokio::task::yield_now().await;
        }
        open.send(()).expect("opening the gate");
        tokio::time::timeout(common::LIMIT, sending).await.expect("in time").expect("sending");
    }
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(&plan));
}

#[tokio::test]
async fn a_refusal_to_open_or_to_read_never_reaches_the_caller() {
    let file = file_of(&pattern(300_000, 47));
    let refusals = [
        (Errno::NOSYS, true),
        (Errno::PERM, true),
        (Errno::NOENT, false),
        (Errno::ACCESS, false),
        (Errno::MFILE, false),
        (Errno::INVAL, false),
        (Errno::OPNOTSUPP, false),
    ];
    for (errno, for_good) in refusals {
        let moody = Moody { open_direct_error: Some(errno.raw_os_error()), ..Moody::default() };
        let transfer = transfer_over(direct(), moody);
        let sent = send(&transfer, &mut framed(FileRange::new(Arc::clone(&file), 5, 250_000)), false).await;
        let stats = transfer.stats().snapshot();
        assert_eq!((sent.by(Route::Copy), stats.refusals), (250_000, 1), "{errno:?}");
        assert_eq!(transfer.refused().contains(Route::Direct), for_good, "{errno:?}");
    }
    let moody = Moody { open_direct_error: Some(Errno::MFILE.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(direct(), moody);
    for _ in 0..=STREAK_MAX {
        send_blocking(&transfer, &mut framed(FileRange::new(Arc::clone(&file), 5, 5_000)));
    }
    assert!(!transfer.refused().contains(Route::Direct), "descriptors may be had later");
    let moody = Moody { read_direct_error: Some(Errno::INVAL.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(direct(), moody);
    let sent = send_blocking(&transfer, &mut framed(FileRange::new(file, 5, 250_000)));
    assert_eq!((sent.by(Route::Copy), transfer.stats().snapshot().refusals), (250_000, 1));
}

/// A read is short where the file ends; where it does not, the file system had its reasons, and the file is not
/// shorter.
#[test]
fn a_read_that_ends_before_the_first_byte_wanted_is_no_end_of_the_file() {
    let file = file_of(&pattern(50_000, 50));
    let moody = Moody { read_direct_max: 3, ..Moody::default() };
    let transfer = transfer_over(direct(), moody);
    let sent = send_blocking(&transfer, &mut framed(FileRange::new(Arc::clone(&file), 1_000, 40_000)));
    assert_eq!(sent.by(Route::Copy), 40_000);
    assert_eq!(transfer.stats().snapshot().shrunk, 0);
    assert!(!transfer.refused().contains(Route::Direct));
}

#[tokio::test]
async fn an_error_of_the_disk_reaches_the_caller_and_the_buffer_the_pool() {
    let moody = Moody { read_direct_error: Some(Errno::IO.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(direct(), moody);
    let file = file_of(&pattern(100_000, 48));
    if !available(&file) {
        return;
    }
    let (sender, _receiver) = tokio_pair(false);
    match transfer.send(&sender, &mut whole(&file, 100_000)).await {
        Err(SendError::Io(error)) => assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error())),
        other => panic!("{other:?}"),
    }
    assert_eq!(transfer.buffers().usage().in_use_bytes, 0);
}

/// Even a plan that is kept: it holds descriptor and buffer no longer than it needs them.
#[test]
fn a_thousand_sendings_leave_no_descriptor_and_no_buffer() {
    let file = file_of(&pattern(100_000, 49));
    let name = |fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    let own = name(file.as_raw_fd().to_string());
    let count = || {
        let all = std::fs::read_dir("/proc/self/fd").expect("/proc").flatten();
        all.filter(|entry| name(entry.file_name().to_string_lossy().into_owned()) == own).count()
    };
    let transfer = transfer(direct());
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, 1_000 * 4_108);
    let mut plans = Vec::new();
    for turn in 0..1_000 {
        let mut plan = framed(FileRange::new(Arc::clone(&file), turn * 90, 4_079));
        transfer.send_blocking(&sender, &mut plan).expect("sending");
        plans.push(plan);
    }
    assert_eq!(count(), 1, "only the one the test opened");
    assert_eq!(transfer.buffers().usage().in_use_bytes, 0);
    reader.join().expect("the reader");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Pieces that overlap, follow one another, begin and end anywhere, up to the file's own, unaligned end.
    #[test]
    fn any_offset_and_length_arrive_whole(
        ranges in prop::collection::vec((0..2_300_001u64, 0..1_500_000u64), 1..5), tail in 0..5_000u64,
    ) {
        let len = 2_300_001;
        let file = file_of(&pattern(len as usize, 3));
        let mut plan = SendPlan::new();
        for (offset, range) in ranges {
            plan.push_file(FileRange::new(Arc::clone(&file), offset, range.min(len - offset)));
        }
        plan.push_file(FileRange::new(Arc::clone(&file), len - tail, tail));
        let transfer = transfer(direct());
        let total = plan.total();
        let sent = send_blocking(&transfer, &mut plan);
        prop_assert!(!available(&file) || sent.by(Route::Direct) == total);
    }
}
