//! Heap allocations of a transfer that is like the ones before it.

use std::alloc::System;
use std::sync::Arc;

use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};
use stats_alloc::{Region, StatsAlloc};

use crate::file::{drain, file, pair};

const TRANSFERS: usize = 2_000;
const LEN: u64 = 64 << 10;

pub(crate) fn run(allocator: &StatsAlloc<System>) {
    let file = file(16 << 20);
    println!("\nheap allocations per transfer in steady state, of {TRANSFERS}");
    for route in [None].into_iter().chain(Route::ALL.map(Some)) {
        let options = TransferOptions { route, ..TransferOptions::default() };
        let transfer = Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 16));
        let (sender, receiver) = pair();
        let drained = drain(receiver);
        let header = bytes::Bytes::from_static(b"header");
        let mut plan = SendPlan::new();
        let mut send = || {
            plan.clear();
            plan.push_bytes(header.clone());
            plan.push_file(FileRange::new(Arc::clone(&file), 4096, LEN));
            transfer.send_blocking(&sender, &mut plan).expect("sent");
        };
        (0..100).for_each(|_| send());
        let region = Region::new(allocator);
        (0..TRANSFERS).for_each(|_| send());
        let change = region.change();
        println!(
            "  {:<9} {:.3} ({} allocations, {} reallocations)",
            route.map_or("auto", Route::name),
            (change.allocations + change.reallocations) as f64 / TRANSFERS as f64,
            change.allocations,
            change.reallocations
        );
        drop(sender);
        drained.join().expect("the receiver");
    }
}
