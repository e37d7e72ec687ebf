//! What outlives a stop of what is open, and of who may end it.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Call, FailingDisk, MemoryDisk};
use pagewire_log::{AppendContext, AppendError, LogConfig, OpenOptions, Origin};
use pagewire_record::ControlType;

use super::{aborted, end, inside, marker, stable};
use crate::support::*;

#[test]
fn an_open_transaction_stays_open_over_any_stop() {
    let mut bench = Bench::new();
    bench.fill(2);
    bench.append(inside(7, 0, 2));
    bench.append(inside(8, 0, 2));
    end(&bench, 8, ControlType::Abort);
    for n in 0..6 {
        bench.fill(10);
        bench = if n % 2 == 0 { bench.killed() } else { bench.restarted() };
        assert_eq!((stable(&bench), &bench.report.cuts), (6, &Vec::new()));
        assert_eq!(bench.log.producers()[0].current_txn_start_offset, 6);
        let outside = bench.try_append(sequenced(7, 0, 2, 1));
        assert!(matches!(outside, Err(AppendError::InvalidTxnState { producer_id: 7 })));
    }
    let at = end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), at + 1);
    let bench = bench.killed().restarted();
    assert_eq!(stable(&bench), at + 1);
    assert_eq!(aborted(&bench, 6, 100), [(8, 10), (6, at)]);
}

#[test]
fn what_the_coordinator_wrote_before_the_stop_fences_an_older_one_after_it() {
    let bench = Bench::new();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.append(inside(7, 0, 1));
    bench.log.append(marker(7, ControlType::Commit, 5), context).expect("marker");
    let bench = bench.restarted().killed();
    let refused = bench.log.append(marker(7, ControlType::Abort, 4), context);
    assert!(matches!(refused, Err(AppendError::CoordinatorFenced { got: 4, current: 5, .. })), "{refused:?}");
}

#[test]
fn a_producer_whose_last_word_was_a_marker_keeps_its_last_batches_over_a_restart() {
    let bench = Bench::new();
    let sent: Vec<Bytes> = (0..4).map(|n| inside(7, n * 2, 2)).collect();
    let bases: Vec<i64> = sent.iter().map(|batch| bench.append(batch.clone()).base_offset).collect();
    end(&bench, 7, ControlType::Commit);
    let again = bench.restarted();
    for (batch, base) in sent.iter().zip(bases) {
        let appended = again.append(batch.clone());
        assert!(appended.duplicate && appended.base_offset == base, "{base}: {appended:?}");
    }
}

/// How often a start after an orderly stop reads, with so many aborted transactions in a closed segment.
fn reads_of_a_start(count: i64) -> u64 {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let config = LogConfig { segment_bytes: 1 << 20, segment_ms: 500, ..config() };
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config, ..options() });
    let first = bench.append(inside(7, 0, 1)).base_offset;
    let first = (first, end(&bench, 7, ControlType::Abort));
    for n in 1..count {
        bench.append(inside(7, i32::try_from(n).expect("few"), 1));
        end(&bench, 7, ControlType::Abort);
    }
    assert!(bench.log.roll_if_due(i64::MAX).expect("roll"));
    bench.fill(1);
    let bench = bench.restarted();
    let before = disk.calls(Call::Read);
    let bench = bench.restarted();
    let reads = disk.calls(Call::Read) - before;
    assert_eq!(aborted(&bench, 0, 1 << 20)[0], first);
    reads
}

#[test]
fn a_start_reads_no_more_where_more_was_aborted_in_a_closed_segment() {
    assert_eq!(reads_of_a_start(200), reads_of_a_start(20));
}
