//! What a start writes anew of the indexes of aborted transactions.

use pagewire_record::{ControlType, EndTxnMarker, control_batch};

use super::*;
use crate::decode_txn_index;

/// Of these the first transaction stays open.
const PRODUCERS: [i64; 2] = [3, 5];

fn context() -> AppendContext {
    AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 }
}

fn begin(log: &Log, producer: i64, sequence: i32) {
    let mut inside = BatchBuilder::new(Codec::None).producer(producer, 0, sequence).transactional();
    inside.append(1, None, Some(b"in a transaction"), &[]).expect("record");
    log.append(inside.build().expect("batch"), context()).expect("append");
}

fn abort(log: &Log, producer: i64) {
    let marker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 1 };
    log.append(control_batch(marker, producer, 0, 1).expect("marker"), context()).expect("appended");
}

/// What ended before the snapshot is replayed without it: it began before the first segment that is left.
#[test]
fn an_index_of_aborted_transactions_that_is_written_anew_rises_also_around_a_snapshot() {
    let mut world = World::new().knows("a", A);
    world.config.segment_bytes = 1 << 16;
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    begin(&log, PRODUCERS[0], 0);
    log.roll(&mut log.writer.lock(), 1).expect("rolled");
    begin(&log, PRODUCERS[1], 0);
    abort(&log, PRODUCERS[1]);
    drop(log);
    assert!(dir.close_clean(0).clean);
    drop(dir);
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    begin(&log, PRODUCERS[1], 1);
    abort(&log, PRODUCERS[1]);
    log.sync().expect("synced");
    log.delete_records_before(1).expect("moved");
    log.apply_retention(1).expect("taken");
    drop((log, dir));
    let index = path("a-0/00000000000000000001.txnindex");
    for gone in [&index, &path("a-0/00000000000000000001.snapshot")] {
        world.disk.remove_file(gone).expect("removed");
    }
    let (dir, report) = world.open();
    let bytes = pagewire_disk::read_small(&*world.disk, &index, 1 << 20).expect("read").expect("there");
    let ended = decode_txn_index(&bytes).map(|all| all.iter().map(|one| one.last_offset).collect::<Vec<_>>());
    assert_eq!(ended, Ok(vec![2, 4]), "{report:?}");
    drop(dir);
    assert_eq!(world.open().1.loaded[0].report.notes[..], [""; 0]);
}
