//! A marker whose sync came to nothing in time is written again, though it is in the log: nothing depends on the second one.

use std::sync::Arc;

use pagewire_disk::MemoryDisk;
use pagewire_log::{AbortedTxn, AppendContext, LogConfig, OpenOptions, Origin, ProducerInfo, ReadUpTo};
use pagewire_record::{ControlType, EndTxnMarker, batches, control_batch};

use super::{entries, inside, stable};
use crate::support::*;

/// How a transaction ends.
#[derive(Debug, Clone, Copy)]
struct End {
    control_type: ControlType,
    /// Of the transaction protocol: by 2 the marker is of a later epoch than the records.
    version: i16,
}

const ENDS: [End; 4] = {
    let (commit, abort) = (ControlType::Commit, ControlType::Abort);
    [
        End { control_type: commit, version: 0 },
        End { control_type: abort, version: 0 },
        End { control_type: commit, version: 2 },
        End { control_type: abort, version: 2 },
    ]
};

fn end(bench: &Bench, End { control_type, version }: End) {
    let (marker, epoch) = (EndTxnMarker { control_type, coordinator_epoch: 3 }, i16::from(version == 2));
    let context = AppendContext { origin: Origin::EndTxn { version }, ..context() };
    bench.log.append(control_batch(marker, 7, epoch, 2000).expect("marker"), context).expect("appended");
}

/// A transaction of three records between records of others, ended as often, and another one open behind it.
fn ended(times: usize, how: End) -> Bench {
    let bench = Bench::on(Arc::new(MemoryDisk::new()), OpenOptions { config: tiny(), ..options() });
    bench.fill(1);
    bench.append(inside(7, 0, 3));
    bench.fill(1);
    (0..times).for_each(|_| end(&bench, how));
    bench
}

/// Rolls come between the two of them as well.
fn tiny() -> LogConfig {
    LogConfig { segment_bytes: 300, ..options().config }
}

/// What a reader of committed records gets: records' offsets, as a client drops what was aborted.
fn committed(bench: &Bench) -> Vec<i64> {
    let (mut at, mut read) = (0, Vec::new());
    while at < stable(bench) {
        let slice = bench.log.read(at, 1 << 20, ReadUpTo::LastStable, true).expect("read");
        let mut ahead: Vec<AbortedTxn> = slice.aborted.clone();
        ahead.sort_by_key(|txn| txn.first_offset);
        let mut aborted: Vec<i64> = Vec::new();
        let Some(range) = slice.range else { break };
        let bytes = range.read_to_vec().expect("range");
        for batch in batches(&bytes) {
            let header = batch.expect("a batch").header;
            at = header.next_offset();
            while ahead.first().is_some_and(|txn| txn.first_offset <= header.last_offset()) {
                aborted.push(ahead.remove(0).producer_id);
            }
            if header.is_control() {
                aborted.retain(|id| *id != header.producer_id);
            } else if !(header.is_transactional() && aborted.contains(&header.producer_id)) {
                read.extend(header.base_offset..header.next_offset());
            }
        }
    }
    read
}

/// All that a log knows of producers and transactions, but for where it ends.
fn known(bench: &Bench) -> (Vec<ProducerInfo>, Vec<AbortedTxn>, Vec<i64>) {
    let bases: Vec<i64> = bench.log.segments().iter().map(|segment| segment.base_offset).collect();
    let aborted = bases.iter().flat_map(|base| entries(bench, *base)).collect();
    (bench.log.producers(), aborted, committed(bench))
}

#[test]
fn a_marker_that_is_written_again_changes_nothing_but_where_the_log_ends() {
    for how in ENDS {
        let once = known(&ended(1, how));
        for times in 2..5 {
            let bench = ended(times, how);
            assert_eq!(known(&bench), once, "{how:?}, {times} times");
            assert_eq!(stable(&bench), bench.log.marks().log_end, "{how:?}: nothing is open");
            // And so after any stop, by a replay of all of it, too.
            let bench = bench.killed();
            assert_eq!(known(&bench), once, "{how:?}, {times} times, killed");
            for name in bench.names().into_iter().filter(|name| name.ends_with(".snapshot")) {
                bench.disk.remove_file(&path(&name)).expect("removed");
            }
            let bench = bench.killed();
            assert_eq!(known(&bench), once, "{how:?}, {times} times, replayed");
            let bench = bench.restarted();
            assert_eq!(known(&bench), once, "{how:?}, {times} times, stopped");
        }
    }
}

/// The producer goes on behind the second marker, and what it writes then is another transaction.
#[test]
fn a_transaction_behind_a_marker_that_was_written_again_is_of_its_own() {
    for how in ENDS.into_iter().filter(|how| how.version < 2) {
        for next in [ControlType::Commit, ControlType::Abort] {
            let read: Vec<_> = [1, 2]
                .map(|times| {
                    let bench = ended(times, how);
                    let first = bench.append(inside(7, 3, 2)).base_offset;
                    assert_eq!(stable(&bench), first, "{how:?}: it is open");
                    end(&bench, End { control_type: next, ..how });
                    let of_it = |offsets: Vec<i64>| offsets.into_iter().filter(|at| *at >= first).count();
                    (of_it(committed(&bench)), entries_of(&bench).len())
                })
                .to_vec();
            let aborted = |kind| usize::from(kind == ControlType::Abort);
            let entries = aborted(how.control_type) + aborted(next);
            let count = if next == ControlType::Commit { 2 } else { 0 };
            assert_eq!(read, [(count, entries); 2], "{how:?}, then {next:?}");
        }
    }
}

fn entries_of(bench: &Bench) -> Vec<AbortedTxn> {
    known(bench).1
}
