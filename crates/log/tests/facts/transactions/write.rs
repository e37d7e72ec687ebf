//! What is appended to a transaction: records, markers, and the entry of one that was aborted.

use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_log::{AppendContext, AppendError, Origin};
use pagewire_record::ControlType;

use super::{aborted, end, entries, inside, marker, stable, try_end};
use crate::support::*;

#[test]
fn records_the_broker_wrote_in_a_transaction_count_though_they_have_no_sequence() {
    let bench = Bench::new();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.log.append(inside(7, -1, 2), context).expect("offsets");
    let bench = bench.restarted();
    assert_eq!(stable(&bench), 0);
    assert_eq!(bench.log.producers()[0].last_sequence, -1);
    end(&bench, 7, ControlType::Commit);
    assert_eq!(stable(&bench), 3);
}

#[test]
fn a_marker_is_appended_alone() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 1));
    let two = [marker(7, ControlType::Abort, 0), marker(8, ControlType::Abort, 0)].concat();
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    assert!(matches!(bench.log.append(two.into(), context), Err(AppendError::Malformed(_))));
    assert_eq!(bench.log.marks().log_end, 1);
}

#[test]
fn a_log_start_past_an_open_transaction_leaves_it_behind() {
    let bench = Bench::new();
    bench.append(inside(7, 0, 2));
    bench.fill(1);
    assert_eq!(stable(&bench), 0);
    bench.log.delete_records_before(2).expect("delete");
    assert_eq!(stable(&bench), 2);
    bench.fill(1);
    assert_eq!(stable(&bench), 2, "its marker is still to come");
    let bench = bench.restarted();
    assert_eq!((bench.log.marks().log_start, stable(&bench)), (2, 2));
    end(&bench, 7, ControlType::Abort);
    assert_eq!(stable(&bench), 9);
}

#[test]
fn a_marker_whose_entry_cannot_be_written_is_not_appended() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(inside(7, 0, 1));
    disk.fail_on(".txnindex", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(matches!(try_end(&bench, 7, ControlType::Abort), Err(AppendError::Write(_))));
    assert_eq!((stable(&bench), bench.log.marks().log_end), (0, 1));
    disk.heal();
    disk.fail_on(".log", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(matches!(try_end(&bench, 7, ControlType::Abort), Err(AppendError::Write(_))));
    disk.heal();
    assert_eq!(entries(&bench, 0), [], "the marker is not there");
    bench.fill(1);
    end(&bench, 7, ControlType::Abort);
    assert_eq!(aborted(&bench, 0, 1000), [(0, 4)]);
    assert_eq!(entries(&bench, 0).len(), 1);
}

#[test]
fn a_torn_entry_of_an_aborted_transaction_is_cut_off_at_once() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::on(Arc::new(disk.clone()), options());
    for (id, keep) in [(7, 30), (8, 1), (9, 33)] {
        bench.append(inside(id, 0, 1));
        disk.fail_on(".txnindex", Call::Write, When::Nth(1), Fault::Torn { errno: Errno::NOSPC, keep });
        let whole = entries(&bench, 0);
        assert!(matches!(try_end(&bench, id, ControlType::Abort), Err(AppendError::Write(_))));
        disk.heal();
        assert_eq!(entries(&bench, 0), whole, "{keep} bytes of the next");
        if id < 9 {
            end(&bench, id, ControlType::Abort);
        }
    }
    end(&bench, 9, ControlType::Commit);
    let bench = bench.restarted();
    assert!(bench.report.rebuilt.is_empty() && bench.report.notes.is_empty(), "{:?}", bench.report);
    assert_eq!(entries(&bench, 0).len(), 2);
}
