//! How long a sending holds its event loop: the time of every poll while a cold file is sent.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, SendPlan, Transfer, TransferOptions};

use rustix::time::{ClockId, clock_gettime};

use crate::file::{drain, file, pair, set_cold};

const FILE_BYTES: u64 = 2 << 30;

fn process_cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (began, before) = (Instant::now(), process_cpu());
    let mut polls = runtime.block_on(async {
        let (sender, receiver) = pair();
        sender.set_nonblocking(true).expect("non-blocking");
        let sender = tokio::net::TcpStream::from_std(sender).expect("inside a runtime");
        let drained = drain(receiver);
        let mut polls = Vec::with_capacity(1 << 16);
        let sent = {
            let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
            let timed = std::future::poll_fn(|context| {
                let began = Instant::now();
                let polled = sending.as_mut().poll(context);
                polls.push(began.elapsed());
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
    polls.sort();
    let at = |share: f64| polls[((polls.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    let over = polls.iter().filter(|poll| **poll > Duration::from_millis(1)).count();
    println!(
        "  {} polls; p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, longest {:.0} us; {over} longer than 1 ms",
        polls.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
