//! One moment of the whole broker: what its logs and its metadata are when nothing is under way.
//!
//! All append locks are tried, again and again: at first without waiting for any, then with a little more patience each time,
//! during which appends to other logs wait too. Between two tries nothing is held, and only the log that was busy is waited
//! for. So a disk on which appends hang keeps nobody else from going on, and there is no backup as long as it does.

use std::sync::Arc;
use std::time::Duration;

use pagewire_log::LogDir;
use pagewire_log::backup::{Busy, Noted};
use pagewire_metadata::{Listing, model::TopicRecord};

use super::{BackupFailed, pacer::Pacer};

/// How long other appends may wait for those that are under way, in one try after the other; then as long as in the last.
const PATIENCE_MS: [u64; 9] = [0, 0, 0, 1, 2, 5, 10, 20, 50];
/// How long the log that was busy is waited for between two tries.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 500 });
/// With a log that is busy all the while: half a minute.
const TRIES_MAX: usize = if cfg!(test) { 20 } else { 68 };

/// What a backup is of.
pub(crate) struct AtOnce {
    pub(crate) noted: Noted,
    /// All rows of the metadata, while no topic was half made or half gone.
    pub(crate) metadata: Listing,
}

/// Notes everything at one moment, for which other appends wait no longer than so long.
pub(crate) type TryNote<'a> = &'a dyn Fn(Duration) -> Result<Result<AtOnce, Busy>, BackupFailed>;

/// The moment, as soon as there is one.
pub(super) fn moment(try_note: TryNote<'_>, pacer: &Pacer<'_>) -> Result<AtOnce, BackupFailed> {
    let mut last = None;
    for patience in patiences() {
        // Whether anybody still wants it.
        pacer.moved(0).map_err(|_| BackupFailed::Stopped)?;
        match try_note(patience)? {
            Ok(at_once) => return Ok(at_once),
            Err(busy) => {
                pacer.begin(&format!("waits for an append to {}-{}", busy.topic(), busy.partition()));
                busy.wait(PAUSE);
                last = Some(busy);
            }
        }
    }
    Err(last.map_or(BackupFailed::Stopped, |busy| BackupFailed::Busy {
        topic: busy.topic().to_string(),
        partition: busy.partition(),
    }))
}

/// How often a moment is tried at which a partition is in no directory, and what is waited between two tries: one that changes its
/// directory has left the one and is not in the other yet. One that is not served is nowhere at each of them.
const NOWHERE_TRIES: usize = 6;
const NOWHERE_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 200 });

/// Whether a partition of the topic is just changing its directory: it has left one, and has no log in the other yet. Who is not
/// served for another reason will not be in a second either.
pub(super) fn has_left(topic: &TopicRecord, log_dirs: &[Arc<LogDir>], noted: &Noted) -> bool {
    let is_here = |id| log_dirs.iter().any(|dir| dir.directory_id() == Some(id));
    (0..)
        .zip(&topic.partitions)
        .filter(|(_, placed)| placed.left.is_some() && placed.directory.is_none_or(is_here))
        .any(|(partition, _)| !noted.has(topic.topic_id, partition))
}

/// A moment at which nothing is `lacking`, if there is one soon, and else the last one.
pub(super) fn moment_of_all(
    try_note: TryNote<'_>,
    pacer: &Pacer<'_>,
    lacking: impl Fn(&AtOnce) -> Result<bool, BackupFailed>,
) -> Result<AtOnce, BackupFailed> {
    for _ in 1..NOWHERE_TRIES {
        let at_once = moment(try_note, pacer)?;
        if !lacking(&at_once)? {
            return Ok(at_once);
        }
        drop(at_once);
        std::thread::sleep(NOWHERE_PAUSE);
    }
    moment(try_note, pacer)
}

fn patiences() -> impl Iterator<Item = Duration> {
    let longest = PATIENCE_MS.last().copied().unwrap_or_default();
    let all = PATIENCE_MS.into_iter().chain(std::iter::repeat(longest));
    all.take(TRIES_MAX).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use pagewire_disk::{Call, FailingDisk, MemoryDisk};
    use pagewire_log::{Origin, backup::note};

    use super::super::Limits;
    use super::*;
    use crate::{partition::Partition, testing::Bench, testing::batch};

    fn append(bench: &Bench, partition: &Partition) {
        partition.append(batch(), Origin::Client, 0, bench.broker.io()).expect("appended");
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_named_and_keeps_no_other_append_waiting() {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let bench = Bench::on(Arc::new(disk.clone()));
        let topic = bench.topic("t", 2, &[]).await;
        let (limits, home) = (Limits::default(), bench.home());
        let (pacer, patiences) = (Pacer::new(&limits, &|_| {}), RefCell::new(Vec::new()));
        let try_note = |patience| {
            patiences.borrow_mut().push(patience);
            append(&bench, &topic[1]);
            let metadata = Listing { revision: 1, entries: Vec::new() };
            Ok(note([&*home], patience).map(|noted| AtOnce { noted, metadata }))
        };
        let held = disk.hold("t-0/", Call::Write);
        std::thread::scope(|scope| {
            scope.spawn(|| append(&bench, &topic[0]));
            assert!(held.is_reached());
            let Err(error) = moment(&try_note, &pacer) else { panic!("it was appended to") };
            let BackupFailed::Busy { topic, partition } = error else { panic!("{error}") };
            assert_eq!((&*topic, partition), ("t", 0));
            drop(held);
        });
        assert_eq!(topic[1].log.marks().log_end, TRIES_MAX as i64, "one before each try");
        let longest = Duration::from_millis(50);
        assert!(patiences.borrow().is_sorted() && patiences.borrow().last() == Some(&longest));
        let ids = home.topic_id("t", 0).expect("served");
        let ends = moment(&try_note, &pacer).map(|mut at_once| {
            [0, 1].map(|partition| at_once.noted.take(ids, partition).expect("noted").end())
        });
        assert_eq!(ends.expect("nobody appends"), [1, TRIES_MAX as i64 + 1]);
    }

    #[tokio::test]
    async fn a_partition_that_is_nowhere_for_a_moment_is_waited_for_and_one_that_stays_so_is_not() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        let topic = bench.topic("t", 1, &[]).await;
        append(&bench, &topic[0]);
        let (limits, home, tries) = (Limits::default(), bench.home(), RefCell::new(0));
        let id = home.topic_id("t", 0).expect("served");
        let pacer = Pacer::new(&limits, &|_| {});
        let of_all = |there_at: usize| {
            tries.replace(0);
            let try_note = |patience| {
                *tries.borrow_mut() += 1;
                let dirs = (*tries.borrow() >= there_at).then_some(&*home);
                let metadata = Listing { revision: 1, entries: Vec::new() };
                Ok(note(dirs, patience).map(|noted| AtOnce { noted, metadata }))
            };
            let lacking = |at_once: &AtOnce| Ok(!at_once.noted.has(id, 0));
            let at_once = moment_of_all(&try_note, &pacer, lacking).expect("a moment");
            (at_once.noted.has(id, 0), *tries.borrow())
        };
        assert_eq!((of_all(1), of_all(3)), ((true, 1), (true, 3)));
        assert_eq!(of_all(usize::MAX), (false, NOWHERE_TRIES));
    }

    #[tokio::test]
    async fn only_one_that_has_left_a_directory_is_waited_for() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        bench.topic("t", 1, &[]).await;
        let dirs = [bench.home()];
        let (mut record, _) =
            bench.broker.cluster().catalog().topic("t").await.expect("known").expect("a topic");
        let Ok(nothing) = note([], Duration::ZERO) else { panic!("nobody appends") };
        assert!(!has_left(&record, &dirs, &nothing), "it is not served");
        record.partitions[0].left = Some(uuid::Uuid::from_u128(1));
        assert!(has_left(&record, &dirs, &nothing));
        let Ok(all) = note([&*dirs[0]], Duration::ZERO) else { panic!("nobody appends") };
        assert!(!has_left(&record, &dirs, &all), "it is there");
    }

    #[test]
    fn whoever_does_not_want_it_any_more_waits_for_no_moment() {
        let limits = Limits::default();
        limits.ending.cancel();
        let ended = moment(&|_| panic!("not asked for"), &Pacer::new(&limits, &|_| {}));
        assert!(ended.is_err_and(|error| error.is_stopped()));
    }
}
