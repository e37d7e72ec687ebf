//! Heap allocations of a transfer that is like the ones before it.

use std::alloc::System;
use std::fs::File;
use std::iter::repeat_n;
use std::sync::Arc;

use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};
use stats_alloc::{Region, Stats, StatsAlloc};

use crate::file::{drain, file, for_tokio, pair, runtime, set_cold, settled};

/// Whatever grows only once has done so by then.
const WARM_UP: usize = 1_000;
const TRANSFERS: usize = 2_000;
const FILE_BYTES: u64 = 16 << 20;
const LEN: u64 = 64 << 10;
/// In the second half of what is read ahead in one go from the start of the file on, where a sender that reads on and
/// on has the next stretch begun.
const OFFSET: u64 = 5 << 20;

pub(crate) fn run(allocator: &StatsAlloc<System>) {
    let file = file(FILE_BYTES);
    println!("\nheap allocations and reallocations per transfer in steady state, of {TRANSFERS}");
    println!("  {:<9} {:>12} {:>12} {:>24}", "", "blocking", "on tokio", "on tokio, hot after cold");
    for route in [None].into_iter().chain(Route::ALL.map(Some)) {
        let transfer = || {
            let options = TransferOptions { route, ..TransferOptions::default() };
            Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 16))
        };
        let blocking = shown(Some(blocking(allocator, &transfer(), &file)));
        let async_hot = shown(on_tokio(allocator, &transfer(), &file, false));
        let after_cold = shown(on_tokio(allocator, &transfer(), &file, true));
        println!(
            "  {:<9} {blocking:>12} {async_hot:>12} {after_cold:>24}",
            route.map_or("auto", Route::name)
        );
    }
}

fn shown(change: Option<Stats>) -> String {
    let per_transfer = |change: Stats| (change.allocations + change.reallocations) as f64 / TRANSFERS as f64;
    change.map_or("never cold".into(), |change| format!("{:.3}", per_transfer(change)))
}

/// Makes `plan` new again: a header and a range.
fn renew(plan: &mut SendPlan, file: &Arc<File>, offset: u64) {
    plan.clear();
    plan.push_bytes(bytes::Bytes::from_static(b"header"));
    plan.push_file(FileRange::new(Arc::clone(file), offset, LEN));
}

fn blocking(allocator: &StatsAlloc<System>, transfer: &Transfer, file: &Arc<File>) -> Stats {
    let (sender, receiver) = pair();
    let drained = drain(receiver);
    let mut plan = SendPlan::new();
    let mut send = |times: usize| {
        for _ in 0..times {
            renew(&mut plan, file, OFFSET);
            transfer.send_blocking(&sender, &mut plan).expect("sent");
        }
    };
    send(WARM_UP);
    let region = Region::new(allocator);
    send(TRANSFERS);
    let change = region.change();
    drop(sender);
    drained.join().expect("the receiver");
    change
}

/// With `after_cold`, all of the file is sent first and read ahead for that, which is remembered from then on. `None`:
/// this system does not let go of its pages.
fn on_tokio(
    allocator: &StatsAlloc<System>,
    transfer: &Transfer,
    file: &Arc<File>,
    after_cold: bool,
) -> Option<Stats> {
    if !set_cold(&FileRange::new(Arc::clone(file), 0, FILE_BYTES), after_cold) {
        return None;
    }
    let (sender, receiver) = pair();
    let drained = drain(receiver);
    let change = runtime().block_on(async {
        let sender = for_tokio(sender);
        let mut plan = SendPlan::new();
        let mut send = async |offsets: &mut dyn Iterator<Item = u64>| {
            for offset in offsets {
                renew(&mut plan, file, offset);
                transfer.send(&sender, &mut plan).await.expect("sent");
            }
        };
        if after_cold {
            send(&mut (0..FILE_BYTES).step_by(LEN as usize)).await;
        }
        send(&mut repeat_n(OFFSET, WARM_UP)).await;
        settled(transfer.io());
        let region = Region::new(allocator);
        send(&mut repeat_n(OFFSET, TRANSFERS)).await;
        region.change()
    });
    drained.join().expect("the receiver");
    Some(change)
}
