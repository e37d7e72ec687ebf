//! The small files of a log directory. Most of them are hints that no answer depends on; an identity that does not fit
//! keeps the directory, or the partition, from being taken for another's.

use std::path::Path;

use pagewire_disk::checkpoint::DAMAGE_FILE;
use pagewire_disk::{Disk, LOCK_FILE, OpenMode};
use pagewire_log::{Notice, ScrubLimits};
use pagewire_record::batches;

use crate::answers::{Answers, Batches, foreign, served};
use crate::harm::Cases;
use crate::lived::{Again, BOTH, Left, Lived, ROOT, TOPICS, files, opened, topic_of};

/// Damages files of this name and opens the directory; how many cases that were.
fn harmed(name: &str, spread: Cases, check: impl Fn(&Lived, &Again, &str)) -> usize {
    let mut cases = 0;
    for left in BOTH {
        let lived = Lived::new(left);
        for path in spread.files(&lived, name) {
            let good = &lived.files[&path];
            for harm in spread.of(good) {
                let again = lived.with(&path, harm.done_to(good).as_deref());
                check(&lived, &again, &format!("{left:?}, {}, {harm}", path.display()));
                cases += 1;
            }
        }
    }
    cases
}

fn same(lived: &Lived, again: &Again, case: &str) {
    for topic in TOPICS {
        let unlike = Answers::of(&again.log(topic)).unlike(&lived.answers[topic]);
        assert!(unlike.is_empty(), "{case}: {unlike:?} {:?}", again.report());
    }
}

/// Checkpoints that no answer depends on.
pub(crate) const HINTS: [&str; 7] = [
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    "pagewire-scrub-checkpoint",
    "pagewire-checkpoint-sums",
    "pagewire-vouched-checkpoint",
    ".kafka_cleanshutdown",
];

/// How many cases that were.
pub(crate) fn changes_no_answer(name: &str, spread: Cases) -> usize {
    harmed(name, spread, same)
}

#[test]
fn no_damage_to_a_checkpoint_of_hints_changes_an_answer() {
    for name in HINTS {
        assert!(changes_no_answer(name, Cases::Spread(6)) > 4, "{name}");
    }
}

/// What it says is for people; what counts is the lock.
#[test]
fn whatever_the_file_of_the_lock_holds_the_directory_opens_as_before() {
    let path = Path::new(ROOT).join(LOCK_FILE);
    for left in BOTH {
        let lived = Lived::new(left);
        for bytes in [&b""[..], b"1", b"4711\n", b"\xff\xfe", &[0; 5000]] {
            let disk = lived.on_disk(Path::new("nothing"), None);
            disk.open(&path, OpenMode::Create).and_then(|file| file.write_at(0, bytes)).expect("written");
            same(&lived, &opened(disk), &format!("{left:?}, {bytes:?}"));
        }
    }
}

/// Places to look at, and no evidence: a place that it does not name is found again by the scrub, and what is good
/// where it names one is served.
#[test]
fn no_damage_to_the_list_of_damaged_places_hides_good_records_or_keeps_the_damage_from_being_found() {
    let mut cases = 0;
    for left in BOTH {
        let lived = Lived::new(left);
        let (sick, bad) = with_a_damaged_batch(&lived);
        let list = Path::new(ROOT).join(DAMAGE_FILE);
        for harm in Cases::Spread(120).of(&sick.files[&list]) {
            let again = sick.with(&list, harm.done_to(&sick.files[&list]).as_deref());
            let case = format!("{left:?}, {harm}");
            let good = &lived.answers["orders"].batches;
            let look = || served(&again.log("orders"));
            let (found, refused) = look();
            assert!(foreign(&found, good).iter().all(|base| *base == bad), "{case}");
            assert!(refused.iter().all(|(offset, _)| is_of(good, bad, *offset)), "{case}: {refused:?}");
            while !again.dir().scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, i64::MAX / 2).idle {}
            let (found, refused) = look();
            assert_eq!(foreign(&found, good), [0; 0], "{case}");
            assert!(!refused.is_empty(), "{case}: the damage is not found");
            assert!(refused.iter().all(|(offset, _)| is_of(good, bad, *offset)), "{case}: {refused:?}");
            cases += 1;
        }
    }
    assert!(cases > 20, "{cases}");
}

/// Whether an offset is of the batch with this base.
fn is_of(batches: &Batches, base: i64, offset: i64) -> bool {
    let next = batches.range(base + 1..).next().map_or(i64::MAX, |(next, _)| *next);
    (base..next).contains(&offset)
}

/// The same directory after a batch in a closed segment was damaged, and that was found and written down; its base.
fn with_a_damaged_batch(lived: &Lived) -> (Lived, i64) {
    // The second: stable and closed for long.
    let path =
        lived.ending(".log").into_iter().filter(|path| topic_of(path) == "orders").nth(1).expect("a log");
    let mut bytes = lived.files[&path].clone();
    let at = bytes.len() - 1;
    bytes[at] ^= 1;
    let last = batches(&lived.files[&path]).last().expect("a batch").expect("a good one");
    let again = lived.with(&path, Some(&bytes));
    while !again.dir().scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, i64::MAX / 2).idle {}
    assert_eq!(again.dir().scrub_counts().damaged, 1);
    again.dir().write_checkpoints().expect("written");
    if lived.left == Left::Clean {
        assert!(again.dir().close_clean(i64::MAX / 2).clean);
    }
    let files = files(&again.disk, Path::new(ROOT));
    assert!(files.contains_key(&Path::new(ROOT).join(DAMAGE_FILE)), "{:?}", files.keys());
    (lived.of(files), last.header.base_offset)
}

/// No other file says which records of the first segment were deleted: where the checkpoint is damaged they can be read
/// again. It hides nothing, and takes nothing.
#[test]
fn damage_to_the_log_starts_brings_deleted_records_back_and_takes_none() {
    let cases = takes_no_record(Cases::Spread(40));
    assert!(cases > 15, "{cases}");
}

pub(crate) fn takes_no_record(spread: Cases) -> usize {
    harmed("log-start-offset-checkpoint", spread, |lived, again, case| {
        for topic in TOPICS {
            let log = again.log(topic);
            let (marks, good) = (log.marks(), &lived.answers[topic]);
            let first = log.segments()[0].base_offset;
            assert!([first, good.marks.log_start].contains(&marks.log_start), "{case}: {marks:?}");
            assert_eq!(marks.log_end, good.marks.log_end, "{case}");
            let (served, refused) = served(&log);
            assert!(refused.is_empty(), "{case}: {refused:?}");
            let known: Vec<_> =
                served.into_iter().filter(|(base, _)| *base >= good.marks.log_start).collect();
            assert_eq!(known.len(), good.batches.len(), "{case}");
            assert_eq!(foreign(&known.into_iter().collect(), &good.batches), [0; 0], "{case}");
        }
    })
}

#[test]
fn a_damaged_identity_is_written_anew_or_the_directory_is_refused_and_left_as_it_was() {
    let (cases, refused) = is_written_anew_or_refused(Cases::Spread(40));
    assert!(cases > 15 && refused > 1, "{cases} {refused}");
}

/// How many cases, and how many of them were refused.
pub(crate) fn is_written_anew_or_refused(spread: Cases) -> (usize, usize) {
    let (refused, before) = (std::cell::Cell::new(0), |lived: &Lived| lived.files.len());
    let cases = harmed("meta.properties", spread, |lived, again, case| {
        if again.opened.is_ok() {
            same(lived, again, case);
        } else {
            assert_eq!(files(&again.disk, Path::new(ROOT)).len(), before(lived), "{case}");
            refused.set(refused.get() + 1);
        }
    });
    (cases, refused.get())
}

#[test]
fn a_partition_that_names_another_topic_is_set_aside_whole() {
    let cases = is_set_aside_whole(Cases::Spread(40));
    assert!(cases > 15, "{cases}");
}

pub(crate) fn is_set_aside_whole(spread: Cases) -> usize {
    harmed("partition.metadata", spread, |lived, again, case| {
        for topic in TOPICS {
            let Some(log) = again.dir().get(topic, 0) else {
                let stray = again.report().notices.iter().find_map(|notice| {
                    if let Notice::Stray { path, .. } = notice { Some(path) } else { None }
                });
                let kept = files(&again.disk, stray.unwrap_or_else(|| panic!("{case}: not said")));
                let dir = Path::new(ROOT).join(format!("{topic}-0"));
                for (path, bytes) in lived.files.iter().filter(|(path, _)| path.starts_with(&dir)) {
                    let found = kept.iter().find(|(kept, _)| kept.file_name() == path.file_name());
                    let is_it = path.ends_with("partition.metadata");
                    assert!(
                        is_it || found.is_some_and(|(_, kept)| kept == bytes),
                        "{case}: {}",
                        path.display()
                    );
                }
                continue;
            };
            let unlike = Answers::of(&log).unlike(&lived.answers[topic]);
            assert!(unlike.is_empty(), "{case}: {unlike:?}");
        }
    })
}
