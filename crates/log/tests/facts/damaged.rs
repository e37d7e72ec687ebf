//! What a log still knows of transactions, times and epochs where some of its records are damaged, and what it serves then.

use std::path::Path;

use pagewire_log::verify::{VerifyOptions, verify};
use pagewire_log::{
    AbortedTxn, AppendContext, LogConfig, OpenOptions, Origin, ReadError, ReadUpTo, decode_txn_index,
};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, HEADER_LEN, batches, control_batch};

use crate::support::*;

/// Where the field begins in a batch's header.
const LENGTH: usize = 8;
const EPOCH: usize = 12;
const MAGIC: usize = 16;
const PRODUCER_ID: usize = 43;

/// A record of producer 7 in a transaction.
fn inside(bench: &Bench, sequence: i32) {
    bench.append(fill(BatchBuilder::new(Codec::None).producer(7, 0, sequence).transactional(), 1, 1000));
}

/// Ends the transaction of producer 7; where the marker is.
fn end(bench: &Bench, control_type: ControlType) -> i64 {
    let marker =
        control_batch(EndTxnMarker { control_type, coordinator_epoch: 0 }, 7, 0, 2000).expect("marker");
    bench
        .log
        .append(marker, AppendContext { origin: Origin::Coordinator, ..context() })
        .expect("ended")
        .base_offset
}

/// The file of the segment from `base` on, and where in it the batch at `offset` begins.
fn place(bench: &Bench, base: i64, offset: i64) -> (String, u64) {
    let name = name(base, "log");
    let bytes = bench.bytes(&name);
    let (mut at, mut all) = (0, batches(&bytes));
    while let Some(Ok(batch)) = all.next() {
        if batch.header.base_offset == offset {
            return (name, at);
        }
        at += batch.header.size_in_bytes();
    }
    panic!("no batch at {offset}");
}

fn flip(bench: &Bench, base: i64, offset: i64, field: usize, bit: u8) {
    assert!(field < HEADER_LEN);
    let (name, position) = place(bench, base, offset);
    let (file, mut byte) = (bench.file(&name), [0]);
    file.read_exact_at(position + field as u64, &mut byte).expect("read");
    file.write_at(position + field as u64, &[byte[0] ^ bit]).expect("flipped");
}

fn aborted(bench: &Bench) -> Vec<AbortedTxn> {
    decode_txn_index(&bench.bytes(&name(0, "txnindex"))).expect("index")
}

/// Opened again after a kill or an orderly stop, with all there was below the recovery point.
fn again(bench: Bench, clean: bool) -> Bench {
    let recovery_point = bench.log.marks().recovery_point;
    bench.reopened(OpenOptions { recovery_point, clean, ..options() })
}

#[test]
fn an_aborted_transaction_stays_aborted_though_its_marker_is_damaged() {
    for (clean, field, bit) in
        [(true, MAGIC, 1), (false, MAGIC, 1), (true, PRODUCER_ID, 8), (false, PRODUCER_ID, 8)]
    {
        let bench = Bench::new();
        inside(&bench, 0);
        let marker = end(&bench, ControlType::Abort);
        bench.fill(1);
        bench.log.close(0).expect("closed");
        let before = aborted(&bench);
        assert_eq!(before.iter().map(|txn| txn.last_offset).collect::<Vec<_>>(), [marker]);
        flip(&bench, 0, marker, field, bit);
        let bench = again(again(bench, clean), clean);
        assert_eq!(aborted(&bench), before, "clean: {clean}, byte {field}: {:?}", bench.report);
    }
}

#[test]
fn a_damaged_commit_does_not_make_the_next_abort_reach_back_before_it() {
    let bench = Bench::new();
    inside(&bench, 0);
    let commit = end(&bench, ControlType::Commit);
    inside(&bench, 1);
    end(&bench, ControlType::Abort);
    bench.fill(1);
    bench.log.sync().expect("synced");
    let before = aborted(&bench);
    assert_eq!(before[0].first_offset, commit + 1);
    flip(&bench, 0, commit, MAGIC, 1);
    let bench = again(bench, false);
    assert_eq!(aborted(&bench), before);
}

#[test]
fn a_transaction_that_may_have_ended_in_damage_is_told() {
    let bench = Bench::new();
    inside(&bench, 0);
    let commit = end(&bench, ControlType::Commit);
    bench.fill(1);
    bench.log.sync().expect("synced");
    flip(&bench, 0, commit, MAGIC, 1);
    let bench = again(bench, false);
    let told = bench.report.notes.iter().any(|note| note.contains("open since offset 0 may have ended"));
    assert!(told, "{:?}", bench.report.notes);
    assert_eq!(bench.report.undecided, std::slice::from_ref(&(0..commit + 1)));
}

#[test]
fn the_newest_record_of_a_damaged_segment_is_the_newest_that_can_be_read_and_what_follows_is_found() {
    let bench = Bench::new();
    bench.fill(60);
    let segments = bench.log.segments();
    let (damaged, next) = (segments[1].base_offset, segments[2].base_offset);
    bench.log.close(0).expect("closed");
    // The header of an indexed batch, and no time index that could help.
    let last = next - 3;
    flip(&bench, damaged, last, MAGIC, 1);
    for suffix in ["index", "timeindex"] {
        bench.disk.remove_file(&path(&name(damaged, suffix))).expect("removed");
    }
    let bench = again(bench, true);
    let time = |offset: i64| 1000 + offset / 3 * 10;
    let found = |offset: i64| {
        bench.log.offset_for_time(time(offset)).expect("lookup").map(|found| (found.offset, found.timestamp))
    };
    assert_eq!(found(last - 3), Some((last - 3, time(last - 3))));
    assert_eq!(found(last), Some((next, time(next))), "what is damaged is no answer");
    assert_eq!(found(next + 3), Some((next + 3, time(next + 3))));
    let largest = bench.log.max_timestamp_offset().expect("lookup").expect("found");
    assert_eq!(largest.timestamp, time(177) + 2);
}

#[test]
fn an_epoch_that_no_leader_has_reached_is_not_believed() {
    let bench = Bench::new();
    bench.fill(3);
    bench.log.sync().expect("synced");
    let before = bench.bytes("leader-epoch-checkpoint");
    flip(&bench, 0, 6, EPOCH + 2, 1);
    let bench = bench.reopened(OpenOptions { recovery_point: 0, ..options() });
    assert_eq!(bench.bytes("leader-epoch-checkpoint"), before);
    assert_eq!(bench.log.end_offset_for_epoch(0), Some((0, 9)));
}

/// A batch of three records at offset 6, of which the first and the last hold whole batches of the offsets that follow, and
/// batches of another producer before and behind it.
fn trap() -> Bench {
    let bench = Bench::with(LogConfig { segment_bytes: 16 << 10, ..config() });
    bench.fill(2);
    let inner = |offset| {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(offset);
        builder.append(1000, None, Some(b"nobody wrote this"), &[]).expect("record");
        builder.build().expect("batch")
    };
    let mut outer = BatchBuilder::new(Codec::None);
    for offsets in [[7, 8], [9, 10], [7, 8]] {
        let value = offsets.map(inner).concat();
        outer.append(1000, None, Some(&value), &[]).expect("record");
    }
    assert_eq!(bench.append(outer.build().expect("batch")).base_offset, 6);
    bench.fill(4);
    bench
}

/// Batches that a check of the files finds.
fn checked(bench: &Bench) -> u64 {
    let tally = verify(&bench.disk, Path::new(DIR), VerifyOptions::default(), &mut |_| {});
    tally.expect("checked").batches
}

#[test]
fn batches_in_a_record_are_never_served_as_the_logs_own() {
    for clean in [true, false] {
        for bit in 0..32 {
            let bench = trap();
            bench.log.close(0).expect("closed");
            flip(&bench, 0, 6, LENGTH + bit / 8, 1 << (bit % 8));
            let bench = again(bench, clean);
            for offset in 6..9 {
                let read = bench.log.read(offset, 5000, ReadUpTo::LogEnd, true);
                assert!(
                    matches!(read, Err(ReadError::Damaged { .. } | ReadError::Corrupt { .. })),
                    "clean {clean}, bit {bit}, offset {offset}: {read:?}, {:?}",
                    bench.report
                );
            }
            assert_eq!(checked(&bench), 2 + 4, "clean {clean}, bit {bit}: batches that are the log's own");
            let behind: Vec<i64> =
                bench.read(9, 5000, true).iter().map(|header| header.base_offset).collect();
            assert_eq!(behind, [9, 12, 15, 18], "clean {clean}, bit {bit}");
            assert_eq!(bench.read(3, 5000, true).len(), 1, "what lies before it");
        }
    }
}

/// The same log after the header and the first record of the trap were destroyed, and what `then` does.
fn destroyed(clean: bool, then: impl Fn(&Bench)) -> Bench {
    let bench = trap();
    bench.log.close(0).expect("closed");
    let (name, position) = place(&bench, 0, 6);
    bench.file(&name).write_at(position, &[0; HEADER_LEN + 40]).expect("destroyed");
    then(&bench);
    again(bench, clean)
}

/// The offsets from `offset` on that are refused.
fn refused(bench: &Bench, offset: i64) -> Vec<i64> {
    let is_refused = |offset: &i64| {
        let read = bench.log.read(*offset, 5000, ReadUpTo::LogEnd, true);
        matches!(read, Err(ReadError::Damaged { .. } | ReadError::Corrupt { .. }))
    };
    (offset..bench.log.marks().log_end).filter(is_refused).collect()
}

#[test]
fn behind_a_destroyed_batch_a_log_goes_on_where_its_index_says_so_at_each_start() {
    for clean in [true, false] {
        let mut bench = destroyed(clean, |_| ());
        for start in 0..3 {
            assert_eq!(refused(&bench, 0), [6, 7, 8], "clean {clean}, start {start}: {:?}", bench.report);
            let behind: Vec<i64> =
                bench.read(9, 5000, true).iter().map(|header| header.base_offset).collect();
            assert_eq!(behind, [9, 12, 15, 18], "clean {clean}, start {start}");
            bench.log.close(0).expect("closed");
            bench = again(bench, clean);
        }
    }
}

#[test]
fn where_nothing_shows_what_is_the_logs_own_behind_a_destroyed_batch_all_is_refused_and_the_log_goes_on() {
    for clean in [true, false] {
        let index = name(0, "index");
        let bench = destroyed(clean, |bench| bench.disk.remove_file(&path(&index)).expect("removed"));
        assert_eq!(refused(&bench, 0), (6..21).collect::<Vec<_>>(), "clean {clean}: {:?}", bench.report);
        let next = bench.append(fill(BatchBuilder::new(Codec::None), 1, 1000)).base_offset;
        assert_eq!((next, bench.read(21, 5000, true).len()), (21, 1), "clean {clean}");
    }
}

#[test]
fn a_base_offset_that_is_too_high_is_the_lie_and_what_follows_it_is_served() {
    // Past the log's end, and of a batch that comes later in the segment.
    for (field, clean) in [(2, true), (2, false), (7, true), (7, false)] {
        let bench = Bench::new();
        bench.fill(60);
        let segments = bench.log.segments();
        let (base, next) = (segments[1].base_offset, segments[2].base_offset);
        bench.log.close(0).expect("closed");
        let bit = if field == 7 { 8 } else { 1 };
        let is_lower = |offset: &i64| offset & bit == 0 && offset + bit < next;
        let lie = (base..next).step_by(3).skip(1).find(is_lower).expect("an offset that grows with the bit");
        flip(&bench, base, lie, field, bit as u8);
        for suffix in ["index", "timeindex"] {
            bench.disk.remove_file(&path(&name(base, suffix))).expect("removed");
        }
        let bench = again(bench, clean);
        assert!(bench.log.max_timestamp_offset().expect("a lookup").is_some());
        for offset in (base..next).step_by(3).filter(|offset| *offset != lie) {
            let read = bench.log.read(offset, 1, ReadUpTo::LogEnd, true);
            assert!(read.is_ok(), "byte {field}, clean {clean}: {offset} beside {lie}: {read:?}");
        }
        let read = bench.log.read(lie, 1, ReadUpTo::LogEnd, true);
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "{lie}: {read:?}");
    }
}

/// A log from which compaction took batches of three offsets, and of which one that stayed has another base offset by now. Of one
/// segment, or of many, and without indexes.
fn with_a_lie(clean: bool, segment_bytes: u32, taken: &[i64], (at, lie): (i64, i64)) -> Bench {
    let compacted = LogConfig { cleanup_compact: true, segment_bytes, ..config() };
    let bench = Bench::with(compacted.clone());
    bench.fill(60);
    bench.log.close(0).expect("closed");
    let recovery_point = bench.log.marks().recovery_point;
    let (file, all) = (bench.file(&name(0, "log")), bench.bytes(&name(0, "log")));
    let mut bytes = Vec::new();
    for batch in batches(&all).map_while(Result::ok) {
        let base = batch.header.base_offset;
        let from = place(&bench, 0, base).1 as usize;
        if !taken.contains(&base) {
            let offset = if base == at { lie } else { base };
            bytes.extend_from_slice(&offset.to_be_bytes());
            bytes.extend_from_slice(&all[from + 8..from + batch.header.size_in_bytes() as usize]);
        }
    }
    file.set_len(bytes.len() as u64).and_then(|()| file.write_at(0, &bytes)).expect("written");
    for derived in [name(0, "index"), name(0, "timeindex"), "pagewire-compacted".to_owned()] {
        bench.disk.remove_file(&path(&derived)).expect("removed");
    }
    bench.reopened(OpenOptions { config: compacted, recovery_point, clean, ..options() })
}

/// What compaction took, the batch that lies and as what, what is refused, what is served.
type Case<'c> = (&'c [i64], (i64, i64), &'c [i64], &'c [i64]);

#[test]
fn of_two_batches_one_of_which_goes_back_the_one_that_cannot_be_right_is_refused_and_both_where_nothing_shows_it()
 {
    let both: Vec<i64> = (9..18).collect();
    let cases: [Case<'_>; 4] = [
        // The one before has no room in the hole.
        (&[3], (9, 5), &[9, 10, 11], &[0, 6, 12, 15]),
        // The one that goes back would fill the place behind it.
        (&[3, 6], (12, 6), &[12, 13, 14], &[0, 9, 15]),
        // The one that goes back leads on to the next.
        (&[3, 6], (9, 13), &[9, 10, 11], &[0, 12, 15]),
        // There is a hole behind both.
        (&[3, 6, 15], (12, 6), &both, &[0, 18]),
    ];
    for (clean, segment_bytes) in [(true, 1024), (false, 1024), (true, 1 << 20), (false, 1 << 20)] {
        for (taken, (at, lie), lost, good) in cases {
            let bench = with_a_lie(clean, segment_bytes, taken, (at, lie));
            let what = format!("clean {clean}, {segment_bytes}, {at} as {lie}");
            for offset in good {
                let found = bench.read(*offset, 1, true)[0].base_offset;
                assert_eq!(found, *offset, "{what}: {:?}", bench.log.damage());
            }
            let refused = refused(&bench, 0);
            assert!(lost.iter().all(|offset| refused.contains(offset)), "{what}: {refused:?}");
        }
    }
}

/// A batch of two records of which the second holds a batch of this offset.
fn holding(offset: i64) -> bytes::Bytes {
    let mut inner = BatchBuilder::new(Codec::None).base_offset(offset);
    inner.append(1000, None, Some(b"nobody wrote this"), &[]).expect("record");
    let inner = inner.build().expect("batch");
    let mut outer = BatchBuilder::new(Codec::None);
    for value in [&[7; 300][..], &inner[..]] {
        outer.append(1000, None, Some(value), &[]).expect("record");
    }
    outer.build().expect("batch")
}

fn without_entries() -> Bench {
    Bench::with(LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 1 << 20, ..config() })
}

#[test]
fn a_batch_in_a_record_does_not_move_the_logs_end_out_of_reach() {
    for far in [(1 << 31) - 30, 1 << 40] {
        let bench = without_entries();
        bench.fill(3);
        let last = bench.append(holding(far)).base_offset;
        let end = bench.log.sync().expect("synced");
        let (name, position) = place(&bench, 0, last);
        bench.file(&name).write_at(position, &[0; 120]).expect("destroyed");
        let bench = again(bench, false);
        assert_eq!(bench.log.marks().log_end, end, "{far}: {:?}", bench.report);
        assert_eq!(bench.append(batch(1, 5)).base_offset, end);
    }
}

#[test]
fn a_batch_in_a_record_does_not_bring_the_logs_end_back() {
    let bench = without_entries();
    bench.fill(3);
    let stable = bench.log.sync().expect("synced");
    bench.fill(3);
    let end = bench.log.marks().log_end;
    let trap = bench.append(holding(stable + 1)).base_offset;
    for (name, position) in [stable - 3, trap].map(|offset| place(&bench, 0, offset)) {
        bench.file(&name).write_at(position, &[0; HEADER_LEN + 40]).expect("destroyed");
    }
    let bench = again(bench, false);
    assert_eq!(bench.append(batch(1, 5)).base_offset, end, "{:?}", bench.report);
}

/// A log whose batch of the offsets 6 to 8 has in its last record a batch of offset 9, where one bit of its length leads to; which
/// bit that is, and where the batch in it lies.
fn leading_trap(segment_bytes: u32) -> (Bench, usize, u64) {
    let bench = Bench::with(LogConfig { segment_bytes, ..config() });
    bench.fill(2);
    let mut forged = BatchBuilder::new(Codec::None).base_offset(9);
    forged.append(1000, None, Some(b"nobody wrote this"), &[]).expect("record");
    let forged = forged.build().expect("batch");
    let outer = |ahead: usize, behind: usize| {
        let mut builder = BatchBuilder::new(Codec::None);
        let value = [&vec![1_u8; ahead][..], &forged, &vec![2_u8; behind]].concat();
        for value in [&b"a"[..], b"b", &value] {
            builder.append(1000, None, Some(value), &[]).expect("record");
        }
        builder.build().expect("batch")
    };
    let all = (300..600).step_by(7).flat_map(|ahead| (300..600).map(move |behind| (ahead, behind)));
    let (trap, at, bit) = all
        .map(|(ahead, behind)| outer(ahead, behind))
        .find_map(|trap| {
            let at = trap.windows(forged.len()).position(|bytes| bytes == forged).expect("held");
            let other = (trap.len() - 12) ^ (at - 12);
            other.is_power_of_two().then(|| (trap.clone(), at, other.trailing_zeros() as usize))
        })
        .expect("one bit that leads to it");
    assert_eq!(bench.append(trap).base_offset, 6);
    bench.fill(20);
    let (_, position) = place(&bench, 0, 6);
    (bench, bit, position + at as u64)
}

fn flip_length(bench: &Bench, bit: usize) {
    flip(bench, 0, 6, LENGTH + 3 - bit / 8, 1 << (bit % 8));
}

#[test]
fn one_bit_of_a_length_leads_no_reader_into_a_record() {
    // In a closed segment, and in the active one; what led there is not known when the last one is read first.
    for (segment_bytes, clean) in [(1600, true), (1600, false), (16 << 10, true), (16 << 10, false)] {
        for last_first in [true, false] {
            let (bench, bit, _) = leading_trap(segment_bytes);
            assert_eq!(bench.log.segments().len() > 1, segment_bytes == 1600);
            bench.log.close(0).expect("closed");
            flip_length(&bench, bit);
            let bench = again(bench, clean);
            if last_first {
                assert_eq!(bench.read(9, 1, true)[0].records_count, 3, "clean {clean}: what was written");
            }
            for offset in 6..9 {
                let read = bench.log.read(offset, 5000, ReadUpTo::LogEnd, true);
                assert!(
                    matches!(read, Err(ReadError::Damaged { next_offset: 9, .. })),
                    "clean {clean}, {offset}: {read:?}"
                );
            }
            let end = bench.log.marks().log_end;
            let counts: Vec<_> = (9..end)
                .flat_map(|offset| bench.read(offset, 1, true))
                .map(|found| found.records_count)
                .collect();
            assert!(counts.iter().all(|count| *count == 3), "clean {clean}: {counts:?}");
        }
    }
}

#[test]
fn an_index_that_is_written_anew_names_no_batch_of_a_record() {
    let (bench, bit, forged) = leading_trap(1600);
    bench.log.close(0).expect("closed");
    flip_length(&bench, bit);
    for suffix in ["index", "timeindex"] {
        bench.disk.remove_file(&path(&name(0, suffix))).expect("removed");
    }
    let bench = again(bench, true);
    let last = bench.log.segments()[0].next_offset - 1;
    assert_eq!(bench.read(last, 1, true).len(), 1);
    let index = bench.bytes(&name(0, "index"));
    let named: Vec<u64> = index
        .chunks_exact(8)
        .map(|entry| u64::from(u32::from_be_bytes(entry[4..].try_into().expect("four bytes"))))
        .collect();
    assert!(!named.is_empty() && !named.contains(&forged), "{named:?} with {forged}");
}

#[test]
fn a_base_offset_that_is_a_lie_at_a_segments_end_is_no_answer_to_a_time() {
    for clean in [true, false] {
        let bench = Bench::new();
        bench.fill(60);
        let segments = bench.log.segments();
        let (base, next) = (segments[1].base_offset, segments[2].base_offset);
        bench.log.close(0).expect("closed");
        flip(&bench, base, next - 3, 3, 2);
        bench.disk.remove_file(&path(&name(base, "timeindex"))).expect("removed");
        let bench = again(bench, clean);
        let found = bench.log.offset_for_time(1000 + (next - 3) / 3 * 10).expect("a lookup").expect("found");
        assert_eq!(found.offset, next, "clean {clean}: the one behind is the first that can be read");
    }
}

#[test]
fn a_last_batch_whose_base_offset_is_too_low_takes_none_of_those_before_it_along() {
    for clean in [true, false] {
        let bench = Bench::with(LogConfig { index_interval_bytes: 1, ..config() });
        bench.fill(60);
        let segments = bench.log.segments();
        let (base, next) = (segments[1].base_offset, segments[2].base_offset);
        bench.log.close(0).expect("closed");
        let lowest = (next - 3) & (3 - next);
        flip(&bench, base, next - 3, 7, u8::try_from(lowest).expect("one of the lower bits"));
        let bench = again(bench, clean);
        for offset in base..next - 3 {
            assert_eq!(bench.read(offset, 1, true).len(), 1, "clean {clean}, {offset}");
        }
        let read = bench.log.read(next - 3, 1, ReadUpTo::LogEnd, true);
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "clean {clean}: {read:?}");
    }
}
