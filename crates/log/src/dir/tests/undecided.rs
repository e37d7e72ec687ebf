//! What a start believes of transactions and producers where one bit of the log is not what was written: nothing that is
//! committed goes, nothing that is aborted is served as committed, and what nobody knows is refused.

use pagewire_disk::checkpoint::CLEANER_FILE;
use pagewire_disk::{Call, Errno, Fault, When};
use pagewire_record::{ControlType, EndTxnMarker, control_batch};

use super::*;
use crate::rewritten;
use crate::share::Share;
use crate::txns::undecided::FILE;
use crate::verify::Fate;
use crate::{Cleaner, CleanerLimits, ReadError, Throttle};

/// Of the transaction, and of older records with the same keys.
const RECORDS: i64 = 10;
/// Whose it is.
const PRODUCER: i64 = 7;
/// Where the key of a marker's record has its last byte: COMMIT is 1, ABORT is 0.
const KIND: u64 = 61 + 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Kill,
    /// In order, and the snapshots of the producers are lost.
    OrderlyWithoutSnapshots,
}

fn world() -> World {
    let world = World::new().knows("a", A);
    let config = LogConfig {
        segment_bytes: 3000,
        index_interval_bytes: 100,
        cleanup_compact: true,
        cleanup_delete: false,
        min_cleanable_dirty_ratio: Share::NONE,
        ..world.config.clone()
    };
    World { config, ..world }
}

fn context() -> AppendContext {
    AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 }
}

fn keyed(builder: BatchBuilder, keys: impl Iterator<Item = i64>, value: &[u8]) -> Bytes {
    let mut builder = builder;
    for key in keys {
        builder.append(1, Some(format!("key-{key}").as_bytes()), Some(value), &[]).expect("record");
    }
    builder.build().expect("batch")
}

/// A log that was stopped: older records, a transaction with their keys, and its marker in the newest segment with others
/// behind it.
struct Stopped {
    world: World,
    /// Where the transaction begins, and its marker.
    first: i64,
    marker: i64,
    /// The newest segment, and where in it the marker is.
    file: String,
    position: u64,
    size: u64,
}

impl Stopped {
    /// The offsets that nobody decides on once the marker is damaged.
    const fn undecided(&self) -> std::ops::Range<i64> {
        self.first..self.marker + 1
    }
}

fn stopped(kind: ControlType, stop: Stop) -> Stopped {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let append = |bytes| log.append(bytes, context()).expect("append").base_offset;
    append(keyed(BatchBuilder::new(Codec::None), 0..RECORDS, b"older"));
    let inside = BatchBuilder::new(Codec::None).producer(PRODUCER, 0, 0).transactional();
    let first = append(keyed(inside, 0..RECORDS, b"in a transaction"));
    let mut key = 1000;
    while log.segments().len() < 2 {
        append(keyed(BatchBuilder::new(Codec::None), key..=key, &[7; 60]));
        key += 1;
    }
    let base = log.segments()[1].base_offset;
    let marker = control_batch(EndTxnMarker { control_type: kind, coordinator_epoch: 1 }, PRODUCER, 0, 1);
    let marker = append(marker.expect("marker"));
    for key in 2000..2008 {
        append(keyed(BatchBuilder::new(Codec::None), key..=key, &[7; 60]));
    }
    assert_eq!(log.segments().len(), 2);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    let range = log.read(marker, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("a marker");
    let (position, size) = (range.offset(), range.len());
    drop(log);
    if stop == Stop::OrderlyWithoutSnapshots {
        assert!(dir.close_clean(0).clean);
    }
    drop(dir);
    if stop == Stop::OrderlyWithoutSnapshots {
        lose_snapshots(&world);
    }
    Stopped { world, first, marker, file: format!("a-0/{base:020}.log"), position, size }
}

fn lose_snapshots(world: &World) {
    for (name, _) in world.files_of("a-0").iter().filter(|(name, _)| name.ends_with(".snapshot")) {
        world.disk.remove_file(&path("a-0").join(name)).expect("removed");
    }
}

impl Stopped {
    /// A copy of it with another bit in the marker.
    fn flipped(&self, at: u64, bit: u8) -> World {
        let world = self.world.moved_to(Arc::new(MemoryDisk::new()));
        for dir in [String::new(), "a-0".to_owned()] {
            for entry in self.world.disk.read_dir(&root().join(&dir)).expect("list") {
                if !entry.is_dir {
                    let name = Path::new(&dir).join(entry.name);
                    let bytes = pagewire_disk::read_small(&*self.world.disk, &root().join(&name), 1 << 20);
                    world.put(&name, &bytes.expect("read").expect("there"));
                }
            }
        }
        self.flip(&world, at, bit);
        world
    }

    fn flip(&self, world: &World, at: u64, bit: u8) {
        let file = world.disk.open(&path(&self.file), OpenMode::ReadWrite).expect("there");
        let mut byte = [0];
        file.read_exact_at(self.position + at, &mut byte).expect("read");
        file.write_at(self.position + at, &[byte[0] ^ (1 << bit)]).expect("flipped");
    }
}

/// What became of an offset for somebody who reads all of a log.
#[derive(Debug, Default)]
struct Read {
    /// Of records that were given out: offset and value.
    given: Vec<(i64, Bytes)>,
    refused: Vec<std::ops::Range<i64>>,
    end: i64,
}

impl Read {
    /// Every record from the log's start on, as a client takes it.
    fn all(log: &Log, upto: ReadUpTo) -> Self {
        let (mut read, mut offset) = (Self::default(), log.marks().log_start);
        loop {
            let slice = match log.read(offset, 1 << 20, upto, true) {
                Ok(slice) => slice,
                Err(ReadError::Damaged { next_offset, .. } | ReadError::Undecided { next_offset, .. }) => {
                    assert!(next_offset > offset);
                    read.refused.push(offset..next_offset);
                    offset = next_offset;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let Some(range) = slice.range else { break };
            let is_aborted = |id: i64, offset: i64| {
                let holds = |txn: &crate::AbortedTxn| (txn.first_offset..=txn.last_offset).contains(&offset);
                slice.aborted.iter().any(|txn| txn.producer_id == id && holds(txn))
            };
            for batch in pagewire_record::batches(&Bytes::from(range.read_to_vec().expect("bytes"))) {
                let batch = batch.expect("whole");
                let header = batch.header;
                offset = header.next_offset();
                if header.is_control() || is_aborted(header.producer_id, header.base_offset) {
                    continue;
                }
                let owned = Bytes::copy_from_slice(batch.payload());
                let records = pagewire_record::Records::new(
                    &header,
                    owned,
                    &pagewire_record::DecompressLimits::default(),
                );
                for record in records.expect("records") {
                    let record = record.expect("a record");
                    read.given.push((record.offset, record.value.clone().unwrap_or_default()));
                }
            }
        }
        read.end = offset;
        read
    }

    /// How many records with this value were given out.
    fn count(&self, value: &[u8]) -> i64 {
        self.given.iter().filter(|(_, given)| given == value).count() as i64
    }

    /// Whether an offset was given out, or refused, or is still to come.
    fn tells_of(&self, offset: i64) -> bool {
        self.given.iter().any(|(given, _)| *given == offset)
            || self.refused.iter().any(|refused| refused.contains(&offset))
            || offset >= self.end
    }
}

fn compact(dir: &LogDir) {
    for _ in 0..3 {
        let Some(dirty) = dir.dirtiest(1) else { break };
        let limits = CleanerLimits { map_bytes: 1 << 20, ..CleanerLimits::default() };
        drop(dirty.clean(&mut Cleaner::new(limits), 1, &Throttle::new(u64::MAX)));
    }
}

/// Nothing committed is missing without a word, and nothing aborted is given out.
fn holds(log: &Log, kind: ControlType, stopped: &Stopped, what: &str) {
    let committed = Read::all(log, ReadUpTo::LastStable);
    let inside = committed.count(b"in a transaction");
    let offsets = stopped.first..stopped.first + RECORDS;
    match kind {
        ControlType::Commit => assert!(
            offsets.clone().all(|offset| committed.tells_of(offset)),
            "{what}: committed records are not given out: {committed:?}"
        ),
        _ => assert_eq!(inside, 0, "{what}: aborted records are given out"),
    }
    let all = Read::all(log, ReadUpTo::LogEnd);
    match kind {
        ControlType::Commit => {
            assert_eq!(all.count(b"in a transaction"), RECORDS, "{what}: committed records are gone");
        }
        _ => assert_eq!(all.count(b"older"), RECORDS, "{what}: records went for aborted ones"),
    }
}

fn every_bit(kind: ControlType, stop: Stop) {
    let stopped = stopped(kind, stop);
    for at in 0..stopped.size {
        for bit in 0..8 {
            let what = format!("{kind:?}, {stop:?}, bit {bit} of byte {at}");
            let world = stopped.flipped(at, bit);
            let (dir, report) = world.open();
            let log = dir.get("a", 0).unwrap_or_else(|| panic!("{what}: {report:?}"));
            holds(&log, kind, &stopped, &what);
            compact(&dir);
            holds(&log, kind, &stopped, &format!("{what}, compacted"));
            drop(log);
            assert!(dir.close_clean(0).clean, "{what}");
            drop(dir);
            let (dir, _) = world.open();
            compact(&dir);
            let log = dir.get("a", 0).expect("open");
            holds(&log, kind, &stopped, &format!("{what}, started again"));
        }
    }
}

#[test]
fn no_bit_of_a_commit_costs_a_committed_record_after_a_kill() {
    every_bit(ControlType::Commit, Stop::Kill);
}

#[test]
fn no_bit_of_a_commit_costs_a_committed_record_after_an_orderly_stop_without_snapshots() {
    every_bit(ControlType::Commit, Stop::OrderlyWithoutSnapshots);
}

#[test]
fn no_bit_of_an_abort_commits_a_record_after_a_kill() {
    every_bit(ControlType::Abort, Stop::Kill);
}

#[test]
fn no_bit_of_an_abort_commits_a_record_after_an_orderly_stop_without_snapshots() {
    every_bit(ControlType::Abort, Stop::OrderlyWithoutSnapshots);
}

#[test]
fn a_transaction_whose_marker_is_whole_is_compacted() {
    for (kind, stop) in [ControlType::Commit, ControlType::Abort]
        .into_iter()
        .flat_map(|kind| [(kind, Stop::Kill), (kind, Stop::OrderlyWithoutSnapshots)])
    {
        let stopped = stopped(kind, stop);
        let (dir, report) = stopped.world.open();
        assert_eq!(report.loaded[0].report.undecided, []);
        compact(&dir);
        let all = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LogEnd);
        let left = (all.count(b"older"), all.count(b"in a transaction"));
        let expected = if kind == ControlType::Commit { (0, RECORDS) } else { (RECORDS, 0) };
        assert_eq!(left, expected, "{kind:?}, {stop:?}");
    }
}

/// A log without what would say what a damaged marker was.
fn nobody_knows(kind: ControlType) -> (Stopped, World) {
    let stopped = stopped(kind, Stop::Kill);
    let world = stopped.flipped(KIND, 0);
    let index = stopped.file.replace(".log", ".txnindex");
    if world.has(&index) {
        world.disk.remove_file(&path(&index)).expect("removed");
    }
    (stopped, world)
}

#[test]
fn what_a_damaged_marker_decided_is_refused_to_readers_of_committed_records_from_start_to_start() {
    for kind in [ControlType::Commit, ControlType::Abort] {
        let (stopped, world) = nobody_knows(kind);
        let undecided = stopped.undecided();
        for start in 0..4 {
            let (dir, report) = world.open();
            assert_eq!(
                report.loaded[0].report.undecided,
                std::slice::from_ref(&undecided),
                "{kind:?}, start {start}"
            );
            assert!(world.has(Path::new("a-0").join(FILE)));
            let log = dir.get("a", 0).expect("open");
            let read = Read::all(&log, ReadUpTo::LastStable);
            assert_eq!(read.refused, std::slice::from_ref(&undecided), "{kind:?}, start {start}");
            assert_eq!(read.end, log.marks().log_end, "what is behind is served");
            assert_eq!(Read::all(&log, ReadUpTo::LogEnd).count(b"in a transaction"), RECORDS);
            compact(&dir);
            holds(&log, kind, &stopped, "compacted");
            drop(log);
            if start % 2 == 0 {
                assert!(dir.close_clean(0).clean);
            }
        }
        // The file is put right.
        stopped.flip(&world, KIND, 0);
        let (dir, report) = world.open();
        assert_eq!(report.loaded[0].report.undecided, [], "{kind:?}");
        assert!(!world.has(Path::new("a-0").join(FILE)));
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        let expected = if kind == ControlType::Commit { RECORDS } else { 0 };
        assert_eq!((read.count(b"in a transaction"), read.refused.len()), (expected, 0), "{kind:?}");
    }
}

/// What lies behind the part decides nothing any more, and is not read for it, be the stop in order or not.
#[test]
fn what_nothing_may_settle_costs_a_start_no_more_the_longer_the_log_becomes() {
    for is_killed in [false, true] {
        let (stopped, world) = nobody_knows(ControlType::Abort);
        let disk = FailingDisk::new(Arc::clone(&world.disk));
        let world = world.moved_to(Arc::new(disk.clone()));
        let world = World { config: LogConfig { segment_bytes: 1 << 16, ..world.config.clone() }, ..world };
        let mut read = Vec::new();
        for start in 0..8 {
            let before = disk.bytes_read();
            let (dir, report) = world.open();
            read.push(disk.bytes_read() - before);
            let said = &report.loaded[0].report;
            assert_eq!(said.undecided, std::slice::from_ref(&stopped.undecided()), "{start}: {said:?}");
            let log = dir.get("a", 0).expect("open");
            for sequence in 0..200 {
                let builder = BatchBuilder::new(Codec::None).producer(9, 0, 200 * start + sequence);
                let batch = keyed(builder, 1..=1, &[7; 2000]);
                log.append(batch, AppendContext { origin: Origin::Client, ..context() }).expect("append");
            }
            log.sync().expect("synced");
            dir.write_checkpoints().expect("written");
            drop(log);
            assert!(is_killed || dir.close_clean(0).clean);
        }
        let [_, _, early, .., last] = read[..] else { panic!("{read:?}") };
        // Segments are more, and so are their indexes.
        assert!(last < early + early / 2, "{is_killed}: {read:?}");
    }
}

#[test]
fn a_damaged_note_of_what_is_undecided_is_written_anew_from_the_log() {
    let (stopped, world) = nobody_knows(ControlType::Commit);
    drop(world.open());
    world.put(Path::new("a-0").join(FILE), b"garbage");
    let (_dir, report) = world.open();
    assert_eq!(report.loaded[0].report.undecided, std::slice::from_ref(&stopped.undecided()));
    assert!(crate::txns::undecided::Undecided::read(&*world.disk, &path("a-0")).expect("whole").is_some());
}

/// Where readers of committed records will be refused, as a check says it.
fn refused(world: &World) -> Vec<i64> {
    let of_transactions = |finding: &Finding| {
        finding.path == path("a-0")
            && finding.fate == Fate::Refused
            && finding.what.starts_with("transactions that are open")
    };
    found(world, None).into_iter().filter(of_transactions).filter_map(|finding| finding.offset).collect()
}

#[test]
fn a_check_foretells_what_a_start_refuses_to_readers_of_committed_records() {
    for stop in [Stop::Kill, Stop::OrderlyWithoutSnapshots] {
        for kind in [ControlType::Commit, ControlType::Abort] {
            let stopped = stopped(kind, stop);
            for (at, bit) in [(KIND, 0), (21, 4), (43, 7), (50, 0), (52, 1)] {
                let world = stopped.flipped(at, bit);
                let told = refused(&world);
                let (_dir, report) = world.open();
                let undecided = report.loaded[0].report.undecided.iter().map(|part| part.start);
                assert_eq!(told, undecided.collect::<Vec<_>>(), "{kind:?}, {stop:?}, byte {at}");
                assert_eq!(told.is_empty(), kind == ControlType::Abort, "the index knows an abort");
            }
        }
    }
}

/// Only the list of damaged places still says what is missing where each log may have been compacted, and how long its segments
/// were is lost as well.
#[test]
fn a_check_foretells_what_is_refused_because_of_what_was_found_missing_before() {
    let Stopped { mut world, file, position, first, .. } = stopped(ControlType::Commit, Stop::Kill);
    world.config.cleanup_compact = false;
    close_the_newest(&world);
    world.disk.open(&path(&file), OpenMode::ReadWrite).and_then(|file| file.set_len(position)).expect("cut");
    lose_snapshots(&world);
    let (dir, report) = world.open();
    let undecided = |report: &LoadReport| -> Vec<i64> {
        report.loaded[0].report.undecided.iter().map(|part| part.start).collect()
    };
    assert_eq!(undecided(&report), [first], "{report:?}");
    assert!(dir.close_clean(0).clean);
    drop(dir);
    world.put(CLEANER_FILE, b"garbage");
    world.disk.remove_file(&path("a-0").join(rewritten::FILE)).expect("lost");
    world.config.cleanup_compact = true;
    let told = refused(&world);
    let (_dir, report) = world.open();
    assert_eq!((undecided(&report), told), (vec![first], vec![first]), "done, and told: {report:?}");
}

#[test]
fn a_commit_behind_what_is_lost_decides_if_the_indexes_know_of_no_abort() {
    let stopped = stopped(ControlType::Commit, Stop::Kill);
    let (dir, _) = stopped.world.open();
    let log = dir.get("a", 0).expect("open");
    let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 1 };
    log.append(control_batch(marker, PRODUCER, 0, 1).expect("marker"), context()).expect("appended");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    let world = stopped.flipped(KIND, 0);
    let (dir, report) = world.open();
    assert_eq!(report.loaded[0].report.undecided, []);
    let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
    assert_eq!(read.count(b"in a transaction"), RECORDS);
}

/// Starts, lets the transaction's producer commit one, and is killed.
fn commit_another(world: &World) {
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 1 };
    log.append(control_batch(marker, PRODUCER, 0, 1).expect("marker"), context()).expect("appended");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
}

/// From start to start, and not settled by a COMMIT.
fn stays_in_doubt(stopped: &Stopped, world: &World) {
    commit_another(world);
    for start in 0..3 {
        let (dir, report) = world.open();
        let said = &report.loaded[0].report.undecided;
        assert_eq!(*said, std::slice::from_ref(&stopped.undecided()), "start {start}");
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"in a transaction"), 0, "start {start}");
        if start == 1 {
            assert!(dir.close_clean(0).clean);
        }
    }
}

#[test]
fn a_commit_behind_a_start_that_was_in_doubt_decides_if_that_knew_of_all_aborts() {
    let stopped = stopped(ControlType::Commit, Stop::Kill);
    let world = stopped.flipped(KIND, 0);
    commit_another(&world);
    let (dir, report) = world.open();
    assert_eq!(report.loaded[0].report.undecided, []);
    let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
    assert_eq!(read.count(b"in a transaction"), RECORDS);
    drop(dir);
    assert!(!world.has(Path::new("a-0").join(FILE)));
}

#[test]
fn no_commit_settles_what_was_in_doubt_because_an_index_was_damaged_that_is_written_anew_since() {
    let stopped = stopped(ControlType::Abort, Stop::Kill);
    let world = stopped.flipped(KIND, 0);
    world.put(stopped.file.replace(".log", ".txnindex"), b"garbage");
    stays_in_doubt(&stopped, &world);
}

/// The start that was in doubt first ended the transaction for all who write, so its ABORT has no entry.
#[test]
fn no_commit_settles_what_may_have_been_aborted_in_what_was_lost_since_it_was_in_doubt() {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let inside = BatchBuilder::new(Codec::None).producer(PRODUCER, 0, 0).transactional();
    let first =
        log.append(keyed(inside, 0..RECORDS, b"in a transaction"), context()).expect("append").base_offset;
    let others = |log: &Log| {
        let append = |key| log.append(keyed(BatchBuilder::new(Codec::None), key..=key, &[7; 60]), context());
        (1000..1004).map(|key| append(key).expect("append").base_offset).min().expect("some")
    };
    let hurt = |log: &Log, offset| {
        let range = log.read(offset, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("a batch");
        log.sync().expect("synced");
        (world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there"))
            .write_at(range.offset() + 61, b"\xff\xff")
            .expect("written");
    };
    let (lost, end) = (others(&log), log.marks().log_end);
    hurt(&log, lost);
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    let (dir, report) = world.open();
    assert_eq!(report.loaded[0].report.undecided, vec![std::ops::Range { start: first, end: lost + 1 }]);
    let log = dir.get("a", 0).expect("open");
    let end_it = |control_type| {
        let marker = EndTxnMarker { control_type, coordinator_epoch: 1 };
        let marker = control_batch(marker, PRODUCER, 0, 1).expect("marker");
        log.append(marker, context()).expect("append").base_offset
    };
    let abort = end_it(ControlType::Abort);
    assert_eq!(abort, end);
    others(&log);
    end_it(ControlType::Commit);
    hurt(&log, abort);
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    for start in 0..3 {
        let (dir, report) = world.open();
        assert_eq!(
            report.loaded[0].report.undecided,
            vec![std::ops::Range { start: first, end: lost + 1 }],
            "start {start}"
        );
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"in a transaction"), 0, "start {start}");
        assert!(start != 1 || dir.close_clean(0).clean);
    }
}

/// Starts, writes until the newest segment is closed, and is killed.
fn close_the_newest(world: &World) {
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    let segments = log.segments().len();
    for key in (3000..).take_while(|_| log.segments().len() == segments) {
        let bytes = keyed(BatchBuilder::new(Codec::None), key..=key, &[7; 60]);
        log.append(bytes, context()).expect("appended");
    }
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
}

#[test]
fn no_commit_settles_what_may_have_been_aborted_in_a_segment_that_is_gone() {
    let Stopped { mut world, first, file, .. } = stopped(ControlType::Abort, Stop::Kill);
    world.config.cleanup_compact = false;
    close_the_newest(&world);
    commit_another(&world);
    world.disk.remove_file(&path(&file)).expect("removed");
    for start in 0..2 {
        let (dir, report) = world.open();
        let said = &report.loaded[0].report.undecided;
        assert!(said.iter().any(|part| part.contains(&first)), "start {start}: {said:?}");
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"in a transaction"), 0, "start {start}");
    }
}

/// Another program may have taken our own files away. What the index of the segment says stays until the doubt is written down.
#[test]
fn no_commit_settles_what_was_aborted_in_a_segment_of_which_only_that_index_is_left() {
    for dies_in in [None, Some(2), Some(4), Some(6)] {
        let Stopped { mut world, file, .. } = stopped(ControlType::Abort, Stop::Kill);
        world.config.cleanup_compact = false;
        close_the_newest(&world);
        commit_another(&world);
        for gone in [file.as_str(), "a-0/pagewire-aborted"] {
            world.disk.remove_file(&path(gone)).expect("removed");
        }
        let disk = FailingDisk::new(Arc::clone(&world.disk));
        let failing = world.moved_to(Arc::new(disk.clone()));
        if let Some(n) = dies_in {
            disk.fail_on("a-0", Call::Write, When::From(n), Fault::Error(Errno::IO));
            drop(failing.try_open());
            disk.heal();
        }
        for start in 0..2 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("open");
            let read = Read::all(&log, ReadUpTo::LastStable);
            assert_eq!(read.count(b"in a transaction"), 0, "{dies_in:?}, start {start}: {report:?}");
        }
        assert!(!world.has(file.replace(".log", ".txnindex")));
    }
}

#[test]
fn no_commit_settles_what_an_entry_that_points_past_the_log_may_have_said() {
    let Stopped { mut world, file, position, .. } = stopped(ControlType::Abort, Stop::Kill);
    world.config.cleanup_compact = false;
    close_the_newest(&world);
    commit_another(&world);
    let flip = |file: &str, at: u64, bit: u8| {
        let file = world.disk.open(&path(file), OpenMode::ReadWrite).expect("there");
        let mut byte = [0];
        file.read_exact_at(at, &mut byte).expect("read");
        file.write_at(at, &[byte[0] ^ bit]).expect("flipped");
    };
    flip(&file, position + KIND, 1);
    // The offset of the marker that the entry names.
    flip(&file.replace(".log", ".txnindex"), 2 + 8 + 8 + 4, 1);
    for start in 0..2 {
        let (dir, report) = world.open();
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"in a transaction"), 0, "start {start}: {report:?}");
    }
}

#[test]
fn an_abort_that_the_index_knows_is_believed_though_the_end_of_its_segment_is_lost_with_its_marker() {
    let Stopped { mut world, file, position, .. } = stopped(ControlType::Abort, Stop::Kill);
    world.config.cleanup_compact = false;
    close_the_newest(&world);
    let file = world.disk.open(&path(&file), OpenMode::ReadWrite).expect("there");
    file.set_len(position).expect("cut");
    for start in 0..3 {
        let (dir, report) = world.open();
        let said = &report.loaded[0].report;
        assert!(said.undecided.is_empty() && said.rebuilt.is_empty(), "start {start}: {said:?}");
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"in a transaction"), 0, "start {start}");
        assert!(start != 1 || dir.close_clean(0).clean);
    }
}

#[test]
fn an_index_of_the_active_segment_that_is_missing_after_a_kill_is_noticed() {
    let (stopped, world) = nobody_knows(ControlType::Abort);
    stays_in_doubt(&stopped, &world);
}

#[test]
fn an_index_of_the_active_segment_that_is_missing_after_a_kill_is_told_and_made_anew() {
    let stopped = stopped(ControlType::Abort, Stop::Kill);
    let index = stopped.file.replace(".log", ".txnindex");
    stopped.world.disk.remove_file(&path(&index)).expect("removed");
    let (dir, report) = stopped.world.open();
    let notes = &report.loaded[0].report.notes;
    assert!(notes.iter().any(|note| note.contains(&index) && note.contains("missing")), "{notes:?}");
    assert_eq!(
        Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable).count(b"in a transaction"),
        0
    );
    drop(dir);
    assert!(stopped.world.has(&index));
    assert_eq!(stopped.world.open().1.loaded[0].report.notes[..], [""; 0]);
}

#[test]
fn no_commit_settles_what_is_found_where_a_note_of_it_said_nothing() {
    let stopped = stopped(ControlType::Commit, Stop::Kill);
    let world = stopped.flipped(KIND, 0);
    crate::doubt_decided(&*world.disk, &path("a-0")).expect("written");
    stays_in_doubt(&stopped, &world);
}

#[test]
fn an_abort_after_a_start_that_was_in_doubt_says_nothing_of_what_lies_before_the_loss() {
    let (stopped, world) = nobody_knows(ControlType::Commit);
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    let more = BatchBuilder::new(Codec::None).producer(PRODUCER, 0, 10).transactional();
    log.append(keyed(more, 0..1, b"more of it, for all that is known"), context()).expect("appended");
    let marker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 1 };
    log.append(control_batch(marker, PRODUCER, 0, 1).expect("marker"), context()).expect("appended");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    for _ in 0..2 {
        let (dir, report) = world.open();
        assert_eq!(report.loaded[0].report.undecided, std::slice::from_ref(&stopped.undecided()));
        let read = Read::all(&dir.get("a", 0).expect("open"), ReadUpTo::LastStable);
        assert_eq!(read.count(b"more of it, for all that is known"), 0);
    }
}

#[test]
fn compaction_takes_nothing_for_a_marker_that_went_bad_in_the_active_segment() {
    let stopped = stopped(ControlType::Abort, Stop::Kill);
    let (dir, _) = stopped.world.open();
    let log = dir.get("a", 0).expect("open");
    // Nobody who reads has come to it.
    stopped.flip(&stopped.world, KIND, 0);
    compact(&dir);
    assert_eq!(Read::all(&log, ReadUpTo::LogEnd).count(b"in a transaction"), RECORDS);
}

#[test]
fn a_start_takes_no_producer_from_a_header_that_is_not_what_was_written() {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let client = AppendContext { origin: Origin::Client, ..context() };
    let batch = |sequence| {
        let builder = BatchBuilder::new(Codec::None).producer(9, 3, sequence);
        keyed(builder, 0..1, b"value")
    };
    for sequence in 0..6 {
        log.append(batch(sequence), client).expect("append");
    }
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    let before = log.producers();
    let position = log.read(3, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("one").offset();
    drop((log, dir));
    let name = path("a-0/00000000000000000000.log");
    for at in 21..61 {
        for bit in 0..8 {
            let file = world.disk.open(&name, OpenMode::ReadWrite).expect("there");
            let mut byte = [0];
            file.read_exact_at(position + at, &mut byte).expect("read");
            file.write_at(position + at, &[byte[0] ^ (1 << bit)]).expect("flipped");
            let (dir, _) = world.open();
            assert_eq!(dir.get("a", 0).expect("open").producers(), before, "bit {bit} of byte {at}");
            drop(dir);
            file.write_at(position + at, &byte).expect("put back");
        }
    }
}

#[test]
fn a_batch_that_is_not_what_was_written_answers_no_resend_after_an_orderly_stop() {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let client = AppendContext { origin: Origin::Client, ..context() };
    let batch = |sequence| keyed(BatchBuilder::new(Codec::None).producer(9, 3, sequence), 0..1, b"value");
    for sequence in 0..6 {
        log.append(batch(sequence), client).expect("append");
    }
    let position = log.read(3, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("one").offset();
    drop(log);
    assert!(dir.close_clean(0).clean);
    drop(dir);
    // Its largest timestamp.
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    file.write_at(position + 42, &[0]).expect("changed");
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    assert!(log.append(batch(5), client).expect("known").duplicate);
    assert!(log.append(batch(4), client).expect("known").duplicate);
    assert!(log.append(batch(3), client).is_err(), "it is not there any more");
}

#[test]
fn a_backup_takes_along_where_to_look_for_what_is_undecided() {
    let (_, world) = nobody_knows(ControlType::Abort);
    let (dir, _) = world.open();
    let to = Path::new("/copy/a-0");
    let copied =
        backup::copy_to(&dir, to, &backup::options(&backup::nothing)).expect("copied").expect("there");
    assert!(copied.files.iter().any(|file| file.name == FILE));
    let said = |dir: &Path| pagewire_disk::read_small(&*world.disk, &dir.join(FILE), 1 << 10).expect("read");
    assert!(said(to).is_some());
    assert_eq!(said(to), said(&path("a-0")));
}
