//! The figures this crate is held to, on this machine: `cargo bench -p pagewire-zcopy [ratios|stalls|allocations]`.
//!
//! ```text
//!   ratios       CPU per GB: the bare sendfile loop, every route, and auto, on a thread of its own and on tokio; hot (of
//!                the sending thread) and cold (of the whole process), 1 KiB to 1 MiB, interleaved round by round
//!   stalls       how long one poll of a sending holds its event loop while a cold file is sent
//!   allocations  heap allocations of a transfer in steady state, blocking and on tokio, there also after a cold one
//! ```
//!
//! What counts are ratios within one run; times move with whatever else the machine does. `pagewire lab routes`
//! measures the same with more care (processes of their own, links, system calls) and more words.
#![allow(clippy::print_stdout, reason = "prints its report")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

mod allocations;
mod file;
mod ratios;
mod stalls;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    // A receiver that interrupts its sender as it wakes makes the cost of both a matter of chance.
    if let Err(error) = pagewire_zcopy::schedule_as_batch() {
        println!("scheduled as other programs ({error}): figures scatter more");
    }
    // cargo adds words of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if wanted("ratios") {
        ratios::run();
    }
    if wanted("stalls") {
        stalls::run();
    }
    if wanted("allocations") {
        allocations::run(ALLOCATOR);
    }
}
