//! Facts about sequences, epochs and what is remembered.

use super::*;

const MAX: usize = 100;
const COMMIT: EndTxnMarker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 1 };
const ABORT: EndTxnMarker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 1 };

fn batch(id: i64, epoch: i16, sequence: i32, records: i32, offset: i64) -> BatchHeader {
    let mut header = BatchHeader::decode(&[0; pagewire_record::HEADER_LEN]);
    header.base_offset = offset;
    header.last_offset_delta = records - 1;
    header.max_timestamp = offset * 10;
    header.producer_id = id;
    header.producer_epoch = epoch;
    header.base_sequence = sequence;
    header.records_count = records;
    header
}

fn data(header: &BatchHeader) -> Entry<'_> {
    Entry { header, marker: None }
}

fn table(batches: &[BatchHeader]) -> ProducerTable {
    let mut table = ProducerTable::default();
    for header in batches {
        assert!(matches!(table.check(data(header), Origin::Client, MAX), Ok(Verdict::New)), "{header:?}");
        table.record(data(header), 0, MAX);
    }
    table
}

#[test]
fn each_of_the_last_five_batches_is_a_duplicate_and_older_ones_are_out_of_order() {
    let all: Vec<BatchHeader> = (0..7).map(|n| batch(1, 0, n * 3, 3, i64::from(n) * 3)).collect();
    let table = table(&all);
    for (n, header) in all.iter().enumerate() {
        match table.check(data(header), Origin::Client, MAX) {
            Ok(Verdict::Duplicate(meta)) => {
                assert!(n >= 2);
                assert_eq!((meta.first_offset(), meta.timestamp), (header.base_offset, header.max_timestamp));
            }
            Err(AppendError::OutOfOrderSequence { last: 20, .. }) => assert!(n < 2),
            other => panic!("{n}: {other:?}"),
        }
    }
}

#[test]
fn the_same_first_sequence_with_another_length_is_no_duplicate() {
    let table = table(&[batch(1, 0, 0, 3, 0)]);
    assert!(matches!(
        table.check(data(&batch(1, 0, 0, 2, 9)), Origin::Client, MAX),
        Err(AppendError::OutOfOrderSequence { got: 0, last: 2, .. })
    ));
}

#[test]
fn sequences_wrap_to_zero() {
    let first = batch(1, 0, i32::MAX - 1, 2, 0);
    let table = table(&[first, batch(1, 0, 0, 2, 2)]);
    assert!(matches!(table.check(data(&first), Origin::Client, MAX), Ok(Verdict::Duplicate(_))));
    let across = batch(2, 0, i32::MAX, 3, 10);
    let table = self::table(&[across, batch(2, 0, 2, 1, 13)]);
    let Ok(Verdict::Duplicate(meta)) = table.check(data(&across), Origin::Client, MAX) else {
        panic!("duplicate")
    };
    assert_eq!((meta.first_sequence(), meta.last_sequence), (i32::MAX, 1));
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    table(&[batch(1, 3, 77, 1, 0)]);
}

#[test]
fn a_new_epoch_starts_at_zero_and_an_old_one_is_fenced() {
    let table = table(&[batch(1, 3, 5, 1, 0)]);
    assert!(matches!(
        table.check(data(&batch(1, 4, 6, 1, 1)), Origin::Client, MAX),
        Err(AppendError::OutOfOrderSequence { got: 6, last: NO_SEQUENCE, .. })
    ));
    assert!(matches!(table.check(data(&batch(1, 4, 0, 1, 1)), Origin::Client, MAX), Ok(Verdict::New)));
    assert!(matches!(
        table.check(data(&batch(1, 2, 6, 1, 1)), Origin::Client, MAX),
        Err(AppendError::InvalidProducerEpoch { got: 2, current: 3, .. })
    ));
    assert!(table.check(data(&batch(1, 2, 6, 1, 1)), Origin::Coordinator, MAX).is_err());
}

#[test]
fn the_coordinator_is_not_asked_for_sequences() {
    let table = table(&[batch(1, 3, 5, 1, 0)]);
    assert!(matches!(table.check(data(&batch(1, 3, 99, 1, 1)), Origin::Coordinator, MAX), Ok(Verdict::New)));
}

#[test]
fn a_batch_outside_the_open_transaction_is_refused() {
    let mut inside = batch(1, 0, 0, 1, 0);
    inside.attributes = 0x10;
    let mut table = table(&[inside]);
    let outside = batch(1, 0, 1, 1, 1);
    assert!(matches!(
        table.check(data(&outside), Origin::Client, MAX),
        Err(AppendError::InvalidTxnState { .. })
    ));
    let mut marker = batch(1, 0, NO_SEQUENCE, 1, 1);
    marker.attributes = 0x30;
    table.record(Entry { header: &marker, marker: Some(COMMIT) }, 0, MAX);
    assert!(matches!(table.check(data(&outside), Origin::Client, MAX), Ok(Verdict::New)));
}

#[test]
fn silent_producers_are_forgotten_after_their_time() {
    let mut table = table(&[batch(1, 0, 0, 1, 0)]);
    table.record(data(&batch(2, 0, 0, 1, 1)), 500, MAX);
    assert_eq!(table.expire(1000, 1000), 1);
    assert_eq!(table.describe().iter().map(|p| p.producer_id).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_number_of_producers_is_bounded_and_the_silent_go_first() {
    let mut table = ProducerTable::default();
    for n in 0..1000 {
        table.record(data(&batch(n, 0, 0, 1, n)), n, MAX);
        assert!(table.len() <= MAX);
    }
    assert!(table.iter().all(|(id, _)| id >= 890));
}

/// A producer of a snapshot, and what the log says of it.
fn completed(snapshot: &BatchHeader, log: &[BatchHeader]) -> ProducerTable {
    let mut known = ProducerTable::default();
    known.record(data(snapshot), 0, MAX);
    let mut found = ProducerTable::default();
    for header in log {
        known.note_known(header, &mut found);
    }
    known.complete_from(&found, &mut |_, _| Ok::<_, ()>(true)).expect("all are good");
    known
}

fn duplicates(table: &ProducerTable, all: &[BatchHeader]) -> Vec<bool> {
    all.iter()
        .map(|header| matches!(table.check(data(header), Origin::Client, MAX), Ok(Verdict::Duplicate(_))))
        .collect()
}

#[test]
fn a_producer_of_a_snapshot_is_completed_from_the_log() {
    let all: Vec<BatchHeader> = (0..7).map(|n| batch(1, 0, n * 3, 3, i64::from(n) * 3)).collect();
    let table = completed(&all[6], &all);
    assert_eq!(duplicates(&table, &all), [false, false, true, true, true, true, true]);
    assert!(!table.is_incomplete_from(0));
}

#[test]
fn a_log_that_disagrees_completes_nothing() {
    let all: Vec<BatchHeader> = (0..4).map(|n| batch(1, 0, n * 3, 3, i64::from(n) * 3)).collect();
    let only_last = [false, false, false, true];
    assert_eq!(duplicates(&completed(&all[3], &all[..3]), &all), only_last, "its last batch is not there");
    let other = BatchHeader { base_offset: 100, ..all[3] };
    assert_eq!(duplicates(&completed(&all[3], &[all[2], other]), &all), only_last, "it lies elsewhere");
    let older = BatchHeader { producer_epoch: 1, ..all[2] };
    assert_eq!(duplicates(&completed(&all[3], &[older, all[3]]), &all), only_last, "another epoch before");
}

#[test]
fn a_hole_in_the_log_ends_what_is_known() {
    let all: Vec<BatchHeader> = (0..5).map(|n| batch(1, 0, n * 3, 3, i64::from(n) * 3)).collect();
    let table = completed(&all[4], &[all[0], all[1], all[3], all[4]]);
    assert_eq!(duplicates(&table, &all), [false, false, false, true, true]);
    assert!(table.is_incomplete_from(14) && !table.is_incomplete_from(15));
}

#[test]
fn a_producer_that_began_a_moment_ago_lacks_nothing() {
    assert!(!table(&[batch(1, 0, 0, 3, 50)]).is_incomplete_from(0));
}

/// A batch in a transaction.
fn inside(id: i64, sequence: i32, offset: i64) -> BatchHeader {
    BatchHeader { attributes: 0x10, ..batch(id, 0, sequence, 1, offset) }
}

/// A marker at an offset.
fn end(id: i64, epoch: i16, offset: i64) -> BatchHeader {
    BatchHeader { attributes: 0x30, ..batch(id, epoch, NO_SEQUENCE, 1, offset) }
}

fn aborted(table: &mut ProducerTable, id: i64, offset: i64) -> Option<AbortedTxn> {
    let header = end(id, 0, offset);
    let entry = Entry { header: &header, marker: Some(ABORT) };
    let aborted = table.aborted_by(entry);
    table.record(entry, 0, MAX);
    aborted
}

#[test]
fn the_earliest_open_transaction_is_known_whoever_ends_first() {
    let mut table = table(&[inside(1, 0, 0), inside(2, 0, 1), inside(1, 1, 2), inside(3, 0, 3)]);
    assert_eq!(table.first_open(), Some(0));
    let entry = |producer_id, first_offset, last_offset, last_stable_offset| {
        Some(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset })
    };
    assert_eq!(aborted(&mut table, 2, 4), entry(2, 1, 4, 0));
    assert_eq!(table.first_open(), Some(0));
    assert_eq!(aborted(&mut table, 1, 5), entry(1, 0, 5, 3));
    assert_eq!(table.first_open(), Some(3));
    assert_eq!(aborted(&mut table, 3, 6), entry(3, 3, 6, 7));
    assert_eq!(table.first_open(), None);
    assert_eq!(aborted(&mut table, 3, 7), None, "nothing was in it");
}

#[test]
fn a_commit_leaves_no_entry() {
    let mut table = table(&[inside(1, 0, 0)]);
    let header = end(1, 0, 1);
    let entry = Entry { header: &header, marker: Some(COMMIT) };
    assert_eq!(table.aborted_by(entry), None);
    table.record(entry, 0, MAX);
    assert_eq!((table.first_open(), table.describe()[0].coordinator_epoch), (None, 1));
}

#[test]
fn a_marker_of_an_older_epoch_is_refused() {
    let mut table = table(&[BatchHeader { producer_epoch: 3, ..inside(1, 0, 0) }]);
    let check = |table: &ProducerTable, epoch, coordinator_epoch| {
        let marker = EndTxnMarker { coordinator_epoch, ..COMMIT };
        table.check(Entry { header: &end(1, epoch, 1), marker: Some(marker) }, Origin::Coordinator, MAX)
    };
    assert!(matches!(check(&table, 2, 5), Err(AppendError::InvalidProducerEpoch { got: 2, current: 3, .. })));
    assert!(check(&table, 3, 5).is_ok() && check(&table, 4, 5).is_ok());
    let marker = EndTxnMarker { coordinator_epoch: 5, ..COMMIT };
    table.record(Entry { header: &end(1, 4, 1), marker: Some(marker) }, 0, MAX);
    assert!(matches!(check(&table, 4, 4), Err(AppendError::CoordinatorFenced { got: 4, current: 5, .. })));
    assert!(check(&table, 4, 5).is_ok());
    assert_eq!(table.first_open(), None, "a marker of a later epoch ends what an earlier one began");
    assert!(table.check(data(&batch(1, 3, 1, 1, 2)), Origin::Client, MAX).is_err(), "fenced by the marker");
    assert!(table.check(data(&batch(1, 4, 0, 1, 2)), Origin::Client, MAX).is_ok());
}

#[test]
fn a_control_batch_that_is_no_marker_is_refused_and_when_found_ignored() {
    let mut table = table(&[inside(1, 0, 0)]);
    let header = end(1, 0, 1);
    assert!(table.check(data(&header), Origin::Coordinator, MAX).is_err());
    table.record(data(&header), 0, MAX);
    assert_eq!(table.first_open(), Some(0));
}

#[test]
fn an_emptied_batch_opens_no_transaction() {
    let emptied = BatchHeader { records_count: 0, ..inside(1, 4, 0) };
    let table = table(&[emptied]);
    assert_eq!((table.first_open(), table.describe()[0].last_sequence), (None, 4));
}

#[test]
fn a_producer_in_a_transaction_is_never_forgotten() {
    let mut table = table(&[inside(1, 0, 0)]);
    for n in 2..1000 {
        table.record(data(&batch(n, 0, 0, 1, n)), n, MAX);
        assert!(table.len() <= MAX);
    }
    assert_eq!(table.first_open(), Some(0));
    table.expire(i64::MAX, 1);
    assert_eq!(table.len(), 1, "all but that one");
    assert_eq!(table.first_open(), Some(0));
}

#[test]
fn no_more_transactions_open_than_producers_may_be_remembered() {
    let all: Vec<BatchHeader> = (0..MAX as i64).map(|id| inside(id, 0, id)).collect();
    let mut table = table(&all);
    let one_more = inside(1000, 0, 1000);
    let refused = table.check(data(&one_more), Origin::Client, MAX);
    assert!(matches!(refused, Err(AppendError::TooManyTransactions { max: MAX })));
    assert!(table.check(data(&inside(5, 1, 1000)), Origin::Client, MAX).is_ok(), "one that is open goes on");
    aborted(&mut table, 5, 1000);
    assert!(table.check(data(&one_more), Origin::Client, MAX).is_ok());
}

const PRODUCED: fn(Option<Guard>) -> Origin = Origin::ClientInTxn;

fn start(header: &BatchHeader, bumps_epoch: bool) -> TxnStart {
    TxnStart::of(header, bumps_epoch)
}

#[test]
fn a_transaction_begins_with_the_guard_of_the_question_and_goes_on_without() {
    let (mut table, first) = (ProducerTable::default(), inside(1, 0, 0));
    let refused = table.check(data(&first), PRODUCED(None), MAX);
    assert!(matches!(refused, Err(AppendError::NotInTransaction { producer_id: 1 })));
    let guard = table.verify(start(&first, false), 0);
    assert_eq!(table.verify(start(&first, false), 1), guard, "the same question");
    assert!(matches!(table.check(data(&first), PRODUCED(guard), MAX), Ok(Verdict::New)));
    table.record(data(&first), 0, MAX);
    assert_eq!(table.verify(start(&inside(1, 1, 1), false), 2), None, "nothing to ask");
    assert!(matches!(table.check(data(&inside(1, 1, 1)), PRODUCED(None), MAX), Ok(Verdict::New)));
    assert!(matches!(table.check(data(&first), PRODUCED(None), MAX), Ok(Verdict::Duplicate(_))));
}

#[test]
fn a_marker_between_question_and_append_makes_the_answer_void() {
    let (mut table, first) = (ProducerTable::default(), inside(1, 0, 0));
    let stale = table.verify(start(&first, false), 0);
    table.record(Entry { header: &end(1, 0, 0), marker: Some(ABORT) }, 0, MAX);
    assert!(matches!(
        table.check(data(&first), PRODUCED(stale), MAX),
        Err(AppendError::NotInTransaction { .. })
    ));
    // The next transaction asks anew; what was found out about the one before does not count for it.
    let fresh = table.verify(start(&first, false), 0);
    assert_ne!(fresh, stale);
    assert!(table.check(data(&first), PRODUCED(stale), MAX).is_err());
    assert!(table.check(data(&first), PRODUCED(fresh), MAX).is_ok());
}

#[test]
fn what_is_asked_about_does_not_overtake_what_was_sent_before_it() {
    let mut table = ProducerTable::default();
    let (first, second) = (inside(1, 3, 0), inside(1, 4, 1));
    let guard = table.verify(start(&second, false), 0);
    assert_eq!(table.verify(start(&first, false), 0), guard);
    assert!(matches!(
        table.check(data(&second), PRODUCED(guard), MAX),
        Err(AppendError::OutOfOrderSequence { got: 4, last: 2, .. })
    ));
    assert!(table.check(data(&first), PRODUCED(guard), MAX).is_ok());
}

#[test]
fn a_producer_with_an_epoch_for_each_transaction_begins_each_with_its_first_record() {
    let mut table = ProducerTable::default();
    let late = inside(1, 4, 0);
    let guard = table.verify(start(&late, true), 0);
    assert!(matches!(
        table.check(data(&late), PRODUCED(guard), MAX),
        Err(AppendError::OutOfOrderSequence { got: 4, last: -1, .. })
    ));
    let mut old = ProducerTable::default();
    let guard = old.verify(start(&late, false), 0);
    assert!(old.check(data(&late), PRODUCED(guard), MAX).is_ok(), "others may start anywhere");
    let first = inside(1, 0, 0);
    let guard = table.verify(start(&first, true), 0);
    assert!(table.check(data(&first), PRODUCED(guard), MAX).is_ok());
}

#[test]
fn an_older_epoch_is_told_so_before_anything_else() {
    let mut table = table(&[BatchHeader { producer_epoch: 3, ..inside(1, 0, 0) }]);
    table.record(Entry { header: &end(1, 3, 1), marker: Some(COMMIT) }, 0, MAX);
    let zombie = BatchHeader { producer_epoch: 2, ..inside(1, 0, 2) };
    for origin in [PRODUCED(None), Origin::CoordinatorInTxn(None)] {
        let refused = table.check(data(&zombie), origin, MAX);
        assert!(matches!(refused, Err(AppendError::InvalidProducerEpoch { got: 2, current: 3, .. })));
    }
}

/// A zombie writes beside the one that took its place: whether or not its epoch is known to be over here, its questions are
/// nothing to the other.
#[test]
fn what_a_fenced_producer_asks_does_not_stand_in_the_way_of_the_one_that_fenced_it() {
    let live = |sequence| BatchHeader { producer_epoch: 3, ..inside(1, sequence, i64::from(sequence)) };
    let zombie = BatchHeader { producer_epoch: 2, ..inside(1, 0, 9) };
    let mut known = table(&[live(0)]);
    assert_eq!(known.verify(start(&zombie, false), 0), None, "it is refused without a question");
    assert!(known.check(data(&live(1)), PRODUCED(None), MAX).is_ok());

    let mut unknown = ProducerTable::default();
    let asked = unknown.verify(start(&zombie, false), 0).expect("a question");
    let guard = unknown.verify(start(&live(4), false), 0);
    unknown.refuse((1, 2), asked);
    assert!(unknown.check(data(&live(4)), PRODUCED(guard), MAX).is_ok(), "the later question stays");

    let mut first = ProducerTable::default();
    let asked = first.verify(start(&zombie, false), 0).expect("a question");
    first.refuse((1, 2), asked);
    assert!(first.check(data(&zombie), PRODUCED(Some(asked)), MAX).is_err());
}

#[test]
fn a_marker_of_no_epoch_ends_nothing_also_where_its_producer_is_not_known() {
    let table = ProducerTable::default();
    let check = |epoch, marker| {
        table.check(Entry { header: &end(1, epoch, 0), marker: Some(marker) }, Origin::Client, MAX)
    };
    assert!(matches!(check(-1, COMMIT), Err(AppendError::InvalidProducerEpoch { got: -1, .. })));
    let below = EndTxnMarker { coordinator_epoch: -5, ..COMMIT };
    assert!(matches!(check(0, below), Err(AppendError::CoordinatorFenced { got: -5, current: -1, .. })));
    assert!(check(0, EndTxnMarker { coordinator_epoch: -1, ..COMMIT }).is_ok());
}

#[test]
fn what_a_coordinator_writes_into_a_transaction_needs_the_guard_too() {
    let (mut table, offsets) = (ProducerTable::default(), inside(1, NO_SEQUENCE, 0));
    let refused = table.check(data(&offsets), Origin::CoordinatorInTxn(None), MAX);
    assert!(matches!(refused, Err(AppendError::NotInTransaction { .. })));
    let guard = table.verify(start(&offsets, true), 0);
    assert!(table.check(data(&offsets), Origin::CoordinatorInTxn(guard), MAX).is_ok());
}

#[test]
fn questions_are_bounded_and_forgotten_after_their_time() {
    let mut table = ProducerTable::default();
    let guards: Vec<_> =
        (0..2000).map(|id| (id, table.verify(start(&inside(id, 0, 0), false), id))).collect();
    let open = |table: &ProducerTable, of: &(i64, Option<Guard>)| {
        table.check(data(&inside(of.0, 0, 0)), PRODUCED(of.1), MAX).is_ok()
    };
    let kept: Vec<i64> = guards.iter().filter(|of| open(&table, of)).map(|(id, _)| *id).collect();
    assert_eq!(kept, (976..2000).collect::<Vec<_>>(), "the last 1024");
    table.expire(3500, 2000);
    assert!(!open(&table, &guards[1500]) && open(&table, &guards[1501]));
}

#[test]
fn a_producer_that_is_asked_about_again_is_not_the_first_to_make_room() {
    let mut table = ProducerTable::default();
    let verify =
        |table: &mut ProducerTable, id, now_ms| table.verify(start(&inside(id, 0, 0), false), now_ms);
    for id in 0..1024 {
        verify(&mut table, id, id);
    }
    let guard = verify(&mut table, 0, 2000);
    verify(&mut table, 5000, 2001);
    assert!(table.check(data(&inside(0, 0, 0)), PRODUCED(guard), MAX).is_ok(), "its answer is under way");
    table.expire(3500, 2000);
    assert!(table.check(data(&inside(0, 0, 0)), PRODUCED(guard), MAX).is_ok(), "asked anew, it is young");
}

#[test]
fn a_marker_of_transaction_version_2_is_of_a_later_epoch_or_the_last_one_again() {
    let check = |table: &ProducerTable, version, epoch| {
        let entry = Entry { header: &end(1, epoch, 1), marker: Some(COMMIT) };
        table.check(entry, Origin::EndTxn { version }, MAX).map(drop)
    };
    let of_epoch = |epoch| BatchHeader { producer_epoch: epoch, ..inside(1, 0, 0) };
    let mut table = table(&[of_epoch(3)]);
    for version in [0, 1] {
        assert!(check(&table, version, 3).is_ok() && check(&table, version, 4).is_ok());
        assert!(matches!(check(&table, version, 2), Err(AppendError::InvalidProducerEpoch { .. })));
    }
    assert!(matches!(check(&table, 2, 3), Err(AppendError::LateMarker { got: 3, current: 3, .. })));
    assert!(matches!(check(&table, 2, 2), Err(AppendError::InvalidProducerEpoch { .. })));
    assert!(check(&table, 2, 4).is_ok());
    table.record(Entry { header: &end(1, 4, 1), marker: Some(COMMIT) }, 0, MAX);
    assert!(check(&table, 2, 4).is_ok(), "sent again because its answer was lost");
    table.record(data(&BatchHeader { producer_epoch: 4, ..inside(1, 0, 2) }), 0, MAX);
    assert!(check(&table, 2, 4).is_err(), "of the transaction before");
    let last = self::table(&[of_epoch(i16::MAX)]);
    assert!(check(&last, 2, i16::MAX).is_ok(), "there is no later epoch");
}
