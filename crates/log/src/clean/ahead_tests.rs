//! Facts about what a walk knows of aborted transactions, and how many at once.

use std::collections::HashSet;

use pagewire_record::ControlType::{Abort, Commit};
use pagewire_record::{BatchBuilder, Codec};

use super::*;
use crate::clean::Throttle;
use crate::clean::tests::life::Chance;
use crate::clean::tests::{Bench, config, fill, marker};
use crate::config::LogConfig;

const PRODUCERS: u64 = 5;

/// Three segments and the active one, of some hundred transactions each, of which the first producer's last long.
fn bench(seed: u64) -> Bench {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    let (mut chance, mut sequences) = (Chance(seed), [0; PRODUCERS as usize]);
    for step in 0..1600 {
        let producer = chance.below(PRODUCERS);
        let id = i64::try_from(producer).expect("few");
        let ends = if producer == 0 { chance.below(100) == 0 } else { chance.below(2) == 0 };
        if ends {
            bench.append(marker(if chance.below(4) == 0 { Commit } else { Abort }, id));
        } else {
            let sequence = &mut sequences[producer as usize];
            let builder = BatchBuilder::new(Codec::None).producer(id, 0, *sequence).transactional();
            bench.append(fill(builder, &[(Some("k"), Some("v"))]));
            *sequence += 1;
        }
        if step % 400 == 399 {
            bench.roll();
        }
    }
    bench
}

fn work<'w>(bench: &'w Bench, throttle: &'w Throttle) -> Work<'w> {
    let (config, segments) = (bench.log.config(), bench.log.segments.load_full());
    Work { log: &bench.log, config, throttle, segments, chunk: 1 << 10, now_ms: 0, log_start: 0 }
}

fn all(work: &Work<'_>) -> Vec<AbortedTxn> {
    let mut all = Vec::new();
    for segment in work.segments.iter() {
        let visited = segment.visit_aborted(0, Patience::Endless, |txn| {
            all.push(txn);
            false
        });
        visited.expect("read");
    }
    all
}

/// Walks from `from` to the end of the closed segments, the first of which is number `first`.
fn walk(work: &Work<'_>, first: usize, from: i64, mut ahead: Ahead, begun: &[AbortedTxn]) {
    let expected = all(work);
    assert!(expected.len() > 100);
    let mut shown: HashSet<(i64, i64)> = begun.iter().map(|txn| (txn.producer_id, txn.last_offset)).collect();
    for (at, segment) in work.closed().iter().enumerate().skip(first) {
        for offset in from.max(segment.base_offset)..segment.end().next_offset {
            let show = |txns: &[AbortedTxn]| {
                for txn in txns {
                    assert!(shown.insert((txn.producer_id, txn.last_offset)), "once: {txn:?}");
                    assert!(txn.last_offset >= from, "it ended before: {txn:?}");
                }
            };
            ahead.reach(work, at, offset, show).expect("read");
            let needed = expected.iter().filter(|txn| txn.first_offset <= offset && txn.last_offset >= from);
            for txn in needed {
                assert!(shown.contains(&(txn.producer_id, txn.last_offset)), "{offset}: {txn:?}");
            }
            let held = shown.iter().filter(|(_, last_offset)| *last_offset >= offset).count();
            assert!(held <= AT_ONCE + 2 * PRODUCERS as usize, "{offset}: {held}");
        }
    }
}

#[test]
fn a_walk_knows_of_each_transaction_where_it_began_and_of_few_more() {
    for seed in 0..4 {
        let (bench, throttle) = (bench(seed), Throttle::new(u64::MAX));
        let work = work(&bench, &throttle);
        walk(&work, 0, 0, Ahead::of(0), &[]);
        walk(&work, 0, 123, Ahead::of(123), &[]);
    }
}

#[test]
fn a_walk_behind_other_segments_knows_of_what_began_in_them() {
    for seed in 0..4 {
        let (bench, throttle) = (bench(seed), Throttle::new(u64::MAX));
        let work = work(&bench, &throttle);
        let base = work.segments[1].base_offset;
        let (ahead, begun) = Ahead::behind_others(&work, 1).expect("read");
        let spans = |txn: &AbortedTxn| txn.first_offset < base && txn.last_offset >= base;
        assert_eq!(begun, all(&work).into_iter().filter(spans).collect::<Vec<_>>());
        walk(&work, 1, base, ahead, &begun);
    }
}
