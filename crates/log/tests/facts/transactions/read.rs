//! What a read of committed records gives, and which aborted transactions it names.

use pagewire_log::{AbortedTxn, LogConfig, ReadUpTo, TryRead};
use pagewire_record::ControlType;

use super::{aborted, end, entries, inside, stable};
use crate::support::*;

#[test]
fn committed_records_end_before_the_earliest_open_transaction() {
    let bench = Bench::new();
    bench.fill(1);
    assert_eq!(stable(&bench), 3);
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 1));
    bench.fill(1);
    assert_eq!((stable(&bench), bench.log.marks().high_watermark), (3, 9));
    let slice = bench.log.read(0, 10_000, ReadUpTo::LastStable, true).expect("read");
    assert_eq!(slice.range.expect("records").len(), bench.read(0, 1, true)[0].size_in_bytes());
    assert!(bench.log.read(3, 10_000, ReadUpTo::LastStable, true).expect("read").range.is_none());
    end(&bench, 8, ControlType::Commit);
    assert_eq!(stable(&bench), 3, "the earlier one is open");
    end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), 11);
}

#[test]
fn an_aborted_transaction_has_an_entry_and_a_committed_or_empty_one_none() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 1));
    bench.append(inside(7, 2, 1));
    end(&bench, 7, ControlType::Abort);
    end(&bench, 8, ControlType::Commit);
    end(&bench, 9, ControlType::Abort);
    let first = AbortedTxn { producer_id: 7, first_offset: 0, last_offset: 4, last_stable_offset: 2 };
    assert_eq!(entries(&bench, 0), [first]);
    assert_eq!(bench.bytes(&name(0, "txnindex")).len(), 34);
    let known = bench.log.producers();
    let epochs =
        known.iter().map(|one| (one.producer_id, one.coordinator_epoch, one.current_txn_start_offset));
    assert_eq!(epochs.collect::<Vec<_>>(), [(7, 0, -1), (8, 0, -1), (9, 0, -1)]);
    assert_eq!(aborted(&bench, 0, 10_000), [(0, 4)]);
    let others = bench.log.read(0, 10_000, ReadUpTo::HighWatermark, true).expect("read");
    assert!(others.aborted.is_empty(), "nobody asked");
}

#[test]
fn the_entry_stands_in_the_segment_of_its_marker_and_is_found_from_that_of_its_records() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    bench.fill(30);
    let at = end(&bench, 7, ControlType::Abort);
    bench.fill(30);
    let segments = bench.log.segments();
    let of_marker = segments.iter().find(|segment| (segment.base_offset..segment.next_offset).contains(&at));
    let with_entries: Vec<i64> = segments
        .iter()
        .map(|one| one.base_offset)
        .filter(|base| !entries(&bench, *base).is_empty())
        .collect();
    assert_eq!(with_entries, [of_marker.expect("segment").base_offset]);
    assert!(with_entries[0] > 0);
    for offset in [0, 1, 20, at] {
        assert_eq!(aborted(&bench, offset, 100), [(0, at)], "from {offset}");
    }
    assert_eq!(aborted(&bench, at + 1, 100), []);
}

#[test]
fn a_read_names_few_transactions_that_begin_behind_it() {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    for n in 0..500 {
        bench.append(inside(7, n, 1));
        end(&bench, 7, ControlType::Abort);
    }
    for n in [0, 1, 250, 499] {
        let found = aborted(&bench, n * 2, 100);
        assert_eq!(found[0], (n * 2, n * 2 + 1), "{n}");
        assert!(found.len() <= 4, "{n}: {}", found.len());
    }
    let all = aborted(&bench, 0, 1 << 20);
    assert_eq!(all.len(), 500);
}

#[test]
fn a_read_that_may_not_wait_says_so_or_gives_the_same_list() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    end(&bench, 7, ControlType::Abort);
    let bench = bench.restarted();
    let look = || bench.log.try_read(0, 100, ReadUpTo::LastStable, true).expect("read");
    assert!(matches!(look(), TryRead::WouldBlock));
    assert_eq!(aborted(&bench, 0, 100), [(0, 1)]);
    let TryRead::Slice(slice) = look() else { panic!("its files are open now") };
    assert_eq!(slice.aborted.len(), 1);
}
