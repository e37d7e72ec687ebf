//! Copies of a compacted log in whose transactions producers are in the middle: what a reader of committed records may
//! see of the copy is what it could see of the log at the copy's end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use pagewire_record::BatchHeader;
use pagewire_record::ControlType::{Abort, Commit};

use super::backup::{copy, nothing, options, reopened};
use super::*;
use crate::backup::note;
use crate::clean::tests::life::Chance;
use crate::clean::tests::life_txns::committed_records;
use crate::clean::tests::{fill, marker};
use crate::{Cleaner, CleanerLimits, Share, Throttle};

const PRODUCERS: u64 = 3;

/// Latest offset and value of each key.
type Committed = BTreeMap<String, (i64, Option<String>)>;

/// Offset, key and value.
type Written = (i64, String, String);

/// Producers that write to a log and end their transactions, and what is committed at each of its ends.
struct Life {
    chance: Chance,
    log: Arc<Log>,
    /// Sequence, and what was written since the last marker.
    producers: Vec<(i32, Vec<Written>)>,
    committed: Committed,
    /// Everything that ever was committed, by offset.
    ever: BTreeMap<i64, (String, String)>,
    at_end: BTreeMap<i64, (Committed, i64)>,
}

impl Life {
    fn new(seed: u64, log: &Arc<Log>) -> Self {
        let producers = vec![(0, Vec::new()); PRODUCERS as usize];
        let (chance, log) = (Chance(seed), Arc::clone(log));
        Self {
            chance,
            log,
            producers,
            committed: BTreeMap::new(),
            ever: BTreeMap::new(),
            at_end: BTreeMap::new(),
        }
    }

    fn append(&self, bytes: Bytes) -> i64 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
        self.log.append(bytes, context).expect("appended").base_offset
    }

    fn step(&mut self) {
        let id = self.chance.below(PRODUCERS);
        let (sequence, written) = self.producers[id as usize].clone();
        if self.chance.below(3) > 0 {
            let (key, value) = (format!("k{}", self.chance.below(9)), self.chance.below(1000).to_string());
            let builder = BatchBuilder::new(Codec::None).producer(id as i64, 0, sequence).transactional();
            let offset = self.append(fill(builder, &[(Some(&key), Some(&value))]));
            let of = &mut self.producers[id as usize];
            of.0 += 1;
            of.1.push((offset, key, value));
        } else {
            let commit = self.chance.below(2) == 0;
            self.append(marker(if commit { Commit } else { Abort }, id as i64));
            self.producers[id as usize].1.clear();
            for (offset, key, value) in written.into_iter().filter(|_| commit) {
                self.ever.insert(offset, (key.clone(), value.clone()));
                let latest = self.committed.entry(key).or_insert((-1, None));
                if latest.0 < offset {
                    *latest = (offset, Some(value));
                }
            }
        }
        let marks = self.log.marks();
        self.at_end.insert(marks.log_end, (self.committed.clone(), marks.last_stable));
    }
}

fn clean(dir: &LogDir) {
    let limits = CleanerLimits { map_bytes: 1 << 16, ..CleanerLimits::default() };
    while let Some(dirty) = dir.dirtiest(1) {
        dirty.clean(&mut Cleaner::new(limits), 1, &Throttle::new(u64::MAX)).expect("cleaned");
    }
}

fn compacted() -> World {
    let mut world = World::new().knows("t", A);
    world.config.cleanup_delete = false;
    world.config.cleanup_compact = true;
    world.config.min_cleanable_dirty_ratio = Share::NONE;
    world
}

#[test]
fn a_copy_shows_what_was_committed_at_its_end_and_nothing_that_was_not() {
    for seed in 0..10 {
        let world = compacted();
        let (dir, _) = world.open();
        let log = world.create(&dir, "t", 0);
        let life = RefCell::new(Life::new(seed, &log));
        (0..150).for_each(|_| life.borrow_mut().step());
        let calls = RefCell::new(0);
        let busy = |_| -> io::Result<()> {
            life.borrow_mut().step();
            *calls.borrow_mut() += 1;
            // Now and then, or the copy would begin anew for ever.
            if *calls.borrow() == 20 + seed {
                clean(&dir);
            }
            Ok(())
        };
        let copied = copy(&dir, &busy);
        let (committed, last_stable) = life.borrow().at_end[&copied.end].clone();
        let (_again, again) = reopened(&world, &copied);
        let marks = again.marks();
        assert_eq!((marks.log_end, marks.last_stable), (copied.end, last_stable), "{seed}");
        let found = committed_records(&again);
        let visible = |(_, latest): &(&String, &(i64, Option<String>))| latest.0 < last_stable;
        // The model's latest may lie behind an open transaction; then an earlier one is visible, which it does not
        // keep.
        for (key, latest) in committed.iter().filter(visible) {
            assert_eq!(found.get(key), Some(latest), "{seed}: {key}");
        }
        for (key, (offset, value)) in &found {
            let written = (key.clone(), value.clone().expect("no tombstones"));
            assert_eq!(life.borrow().ever.get(offset), Some(&written), "{seed}: committed");
        }
    }
}

/// Its record lies in a segment that is compacted before the copy is made, up to where it was open.
#[test]
fn what_was_open_at_the_moment_is_in_the_copy_though_it_was_aborted_since() {
    let mut world = compacted();
    world.config.segment_bytes = 1 << 20;
    let (dir, _) = world.open();
    let log = world.create(&dir, "t", 0);
    let life = Life::new(0, &log);
    let roll = || log.roll(&mut log.writer.lock(), 1).expect("rolled");
    let put = |builder: BatchBuilder, key, value| life.append(fill(builder, &[(Some(key), Some(value))]));
    let of_txn = |sequence| BatchBuilder::new(Codec::None).producer(7, 0, sequence).transactional();
    let plain = || BatchBuilder::new(Codec::None);
    put(plain(), "k", "1");
    put(plain(), "k", "1");
    roll();
    put(plain(), "k", "2");
    let open = put(of_txn(0), "a", "1");
    put(of_txn(1), "a", "2");
    roll();
    put(plain(), "b", "1");
    let noted = note([&dir], Duration::ZERO).expect("nobody appends").take(A, 0).expect("there");
    life.append(marker(Abort, 7));
    clean(&dir);
    assert_eq!(log.segments().len(), 2, "it was compacted");
    let copied = noted.copy(Path::new("/copy/t-0"), &options(&nothing)).expect("copied").expect("there");
    let (_again, again) = reopened(&world, &copied);
    assert_eq!(again.marks().last_stable, open);
    for offset in [open, open + 1] {
        let range = again.read(offset, 1, ReadUpTo::HighWatermark, true).expect("read").range;
        let bytes = range.expect("there").read_to_vec().expect("range");
        let header = BatchHeader::parse(&bytes).expect("header");
        assert_eq!((header.base_offset, header.records_count), (offset, 1));
    }
}
