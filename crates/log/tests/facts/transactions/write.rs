//! What is appended to a transaction: records, markers, and the entry of one that was aborted.

use std::sync::Arc;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_log::{AppendContext, AppendError, LogConfig, Origin};
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

/// As in Kafka: whoever leaves a transaction open does not keep a partition from its bounds.
#[test]
fn retention_takes_what_an_open_transaction_wrote_and_its_marker_ends_what_is_left() {
    for control_type in [ControlType::Abort, ControlType::Commit] {
        let bench = Bench::with(LogConfig { retention_bytes: 3000, ..config() });
        bench.append(inside(7, 0, 2));
        bench.fill(60);
        bench.append(inside(7, 2, 1));
        let last = bench.log.marks().log_end - 1;
        assert!(bench.log.apply_retention(0).expect("retention").segments > 0);
        let start = bench.log.marks().log_start;
        assert!(start > 2 && bench.log.size_bytes() < 3000 + 1024, "{:?}", bench.log.marks());
        assert_eq!(stable(&bench), start, "it is still open");
        let bench = bench.restarted();
        assert_eq!((bench.log.marks().log_start, stable(&bench)), (start, start));
        let marker = end(&bench, 7, control_type);
        assert_eq!(stable(&bench), marker + 1);
        let expected = if control_type == ControlType::Abort { vec![(0, marker)] } else { Vec::new() };
        assert_eq!(aborted(&bench, last, 10_000), expected);
    }
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
