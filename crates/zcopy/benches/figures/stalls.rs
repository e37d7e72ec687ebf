//! How long a sending holds its event loop: the time of every poll while a cold file is sent.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, SendPlan, Transfer, TransferOptions};

use crate::file::{drain, file, for_tokio, pair, process_cpu, runtime, set_cold};

const FILE_BYTES: u64 = 2 << 30;

/// One poll.
struct Held {
    time: Duration,
    /// The thread gave up its CPU by itself: it waited for a disk or a lock, and was not only interrupted by others.
    waited: bool,
}

/// Times that this thread waited, so far.
fn voluntary_switches() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn show(what: &str, polls: &[Held]) {
    let Some(last) = polls.len().checked_sub(1) else {
        println!("  {what}: none");
        return;
    };
    let at = |share: f64| polls[(last as f64 * share) as usize].time.as_secs_f64() * 1e6;
    let over = polls.iter().filter(|poll| poll.time > Duration::from_millis(1)).count();
    println!(
        "  {what}: {}; p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, longest {:.0} us; {over} longer than 1 ms",
        polls.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

pub(crate) fn run() {
    let file = file(FILE_BYTES);
    let whole = FileRange::new(Arc::clone(&file), 0, FILE_BYTES);
    if !set_cold(&whole, true) {
        println!("\nthis file system does not let go of its pages; no stalls to measure");
        return;
    }
    let transfer = Transfer::new(
        TransferOptions::default(),
        BufferPool::new(PoolOptions::default()),
        IoPool::new(2, 16),
    );
    let mut plan = SendPlan::new();
    plan.push_file(whole);
    let (began, before) = (Instant::now(), process_cpu());
    let mut polls = runtime().block_on(async {
        let (sender, receiver) = pair();
        let sender = for_tokio(sender);
        let drained = drain(receiver);
        let mut polls = Vec::with_capacity(1 << 16);
        let sent = {
            let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
            let timed = std::future::poll_fn(|context| {
                let waited = voluntary_switches();
                let began = Instant::now();
                let polled = sending.as_mut().poll(context);
                polls.push(Held { time: began.elapsed(), waited: voluntary_switches() > waited });
                polled
            });
            timed.await.expect("sent")
        };
        println!("\n2 GiB cold, on one event loop: {} reads ahead, {} calls", sent.cold_offloads, sent.calls);
        drop(sender);
        drained.join().expect("the receiver");
        polls
    });
    let (cpu, wall) = (process_cpu() - before, began.elapsed().as_secs_f64());
    println!(
        "  CPU of the whole process, receiver included: {:.3} s per GB, at {:.0} MB/s",
        cpu / FILE_BYTES as f64 * 1e9,
        FILE_BYTES as f64 / wall / 1e6
    );
    polls.sort_by_key(|poll| poll.time);
    show("all polls, those that others interrupted too", &polls);
    polls.retain(|poll| poll.waited);
    show("polls that waited for something", &polls);
}
