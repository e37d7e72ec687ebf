//! How long a sending holds its event loop: the time of every poll while a cold file is sent.
//!
//! The time on the clock is that of the poll and of whatever took the CPU away from it meanwhile: the peer, the pool's
//! threads, the kernel's, others. So the CPU time of each poll stands beside it, and whether it waited for something. A
//! virtual machine's CPU is taken away as well, and nobody tells it: so a loop that does nothing but look at the clock
//! runs for as long, and what it misses the polls must have missed too.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, SendPlan, Transfer, TransferOptions};

use crate::file::{drain, file, for_tokio, pair, process_cpu, runtime, set_cold, thread_cpu};

const FILE_BYTES: u64 = 2 << 30;

/// One poll.
struct Held {
    time: Duration,
    /// Of this thread.
    cpu: Duration,
    /// The thread gave up its CPU by itself: it waited for a disk or a lock, and was not only interrupted by others.
    waited: bool,
}

/// Times that this thread waited, so far.
fn voluntary_switches() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn show(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let Some(last) = times.len().checked_sub(1) else {
        println!("  {what}: none");
        return;
    };
    let at = |share: f64| times[(last as f64 * share) as usize].as_secs_f64() * 1e6;
    let over = times.iter().filter(|time| **time > Duration::from_millis(1)).count();
    println!(
        "  {what}: {}; p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, longest {:.0} us; {over} longer than 1 ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// What this machine takes from a thread that only looks at the clock, for as long as `wall`.
fn own_gaps(wall: Duration) -> Vec<Duration> {
    let began = Instant::now();
    let (mut last, mut gaps) = (began, Vec::new());
    while last - began < wall {
        let now = Instant::now();
        if now - last > Duration::from_micros(100) {
            gaps.push(now - last);
        }
        last = now;
    }
    gaps
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
    let polls = runtime().block_on(async {
        let (sender, receiver) = pair();
        let sender = for_tokio(sender);
        let drained = drain(receiver);
        let mut polls = Vec::with_capacity(1 << 16);
        let sent = {
            let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
            let timed = std::future::poll_fn(|context| {
                let waited = voluntary_switches();
                let (began, before) = (Instant::now(), thread_cpu());
                let polled = sending.as_mut().poll(context);
                let (time, cpu) = (began.elapsed(), Duration::from_secs_f64(thread_cpu() - before));
                polls.push(Held { time, cpu, waited: voluntary_switches() > waited });
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
    show("CPU time of a poll", polls.iter().map(|poll| poll.cpu));
    show("time on the clock", polls.iter().map(|poll| poll.time));
    show("of those that waited for something", polls.iter().filter(|poll| poll.waited).map(|poll| poll.time));
    let gaps = own_gaps(Duration::from_secs_f64(wall));
    show("gaps of more than 100 us in a loop that does nothing, in as much time", gaps.into_iter());
}
