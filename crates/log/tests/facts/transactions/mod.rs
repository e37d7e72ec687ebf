//! Transactions over the log's life: what is stable, what was aborted, and what a restart makes of it.

mod again;
mod read;
mod rebuilt;
mod restart;
mod write;

use bytes::Bytes;
use pagewire_log::{AbortedTxn, AppendContext, AppendError, Appended, Origin, ReadUpTo, decode_txn_index};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};

use crate::support::*;

/// A batch in a transaction.
fn inside(id: i64, sequence: i32, records: i64) -> Bytes {
    fill(BatchBuilder::new(Codec::None).producer(id, 0, sequence).transactional(), records, 1000)
}

fn marker(id: i64, control_type: ControlType, coordinator_epoch: i32) -> Bytes {
    control_batch(EndTxnMarker { control_type, coordinator_epoch }, id, 0, 2000).expect("marker")
}

fn try_end(bench: &Bench, id: i64, control_type: ControlType) -> Result<Appended, AppendError> {
    let context = AppendContext { origin: Origin::Coordinator, ..context() };
    bench.log.append(marker(id, control_type, 0), context)
}

fn end(bench: &Bench, id: i64, control_type: ControlType) -> i64 {
    try_end(bench, id, control_type).expect("marker").base_offset
}

fn stable(bench: &Bench) -> i64 {
    bench.log.marks().last_stable
}

/// The aborted transactions of a read of committed records, by first offset and marker.
fn aborted(bench: &Bench, offset: i64, max_bytes: u32) -> Vec<(i64, i64)> {
    let slice = bench.log.read(offset, max_bytes, ReadUpTo::LastStable, true).expect("read");
    slice.aborted.iter().map(|txn| (txn.first_offset, txn.last_offset)).collect()
}

fn entries(bench: &Bench, base: i64) -> Vec<AbortedTxn> {
    let name = name(base, "txnindex");
    if bench.names().contains(&name) {
        decode_txn_index(&bench.bytes(&name)).expect("index")
    } else {
        Vec::new()
    }
}
