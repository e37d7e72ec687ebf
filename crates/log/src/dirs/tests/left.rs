//! Facts about what a log has left in another directory, and about copies, where one of the directories is away or opened anew.

use pagewire_disk::ForgettingDisk;

use super::moving::{begun, end, future, id_of, moved, names, small, started, with_a_log};
use super::switch::{adopted_of, at, failing, halted, known_small, open_anew};
use super::*;
use crate::{Notice, Unswitched};

#[test]
fn a_checkpoint_that_names_a_log_before_it_comes_does_not_say_that_it_is_lost_while_the_log_is_away() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    moved(&dirs);
    let source = id_of(&dirs, "/b");
    let mut moving = dirs.begin_move(&future(), Path::new("/a")).expect("begun");
    halted(&mut moving);
    // Killed before that is stored.
    drop((moving, dirs));
    let (dirs, report) = started_without_b(&disk);
    let (adopted, _) = dirs.adopt_futures(&|_| Some((small(), source)), 0);
    assert_eq!((adopted.len(), report.failed.len()), (0, 1), "a checkpoint names it");
    assert_eq!(dirs.pass_over_away(&|_, _| Some(None)).len(), 0, "it would be lost if it were placed there");
    let passed_over = dirs.pass_over_away(&|_, _| Some(source));
    assert_eq!(passed_over.into_iter().collect::<Vec<_>>(), [("t".to_owned(), 0)]);
    assert!(dirs.gone_in(Path::new("/a")).is_empty());
    let made = dirs.create_all("t", &[(0, source)], &small(), 0);
    assert!(matches!(made, Err(CreateError::Away { .. })), "{made:?}");
}

/// A move from `/b` to `/a`, home, which ends when that is stored.
fn stored_and_killed(disk: &Arc<dyn Disk>) -> Option<Uuid> {
    let dirs = with_a_log(disk);
    moved(&dirs);
    let source = id_of(&dirs, "/b");
    let mut moving = dirs.begin_move(&future(), Path::new("/a")).expect("begun");
    halted(&mut moving);
    source
}

fn started_without_b(disk: &Arc<dyn Disk>) -> (LogDirs, LoadReport) {
    let away = std::io::Error::from(std::io::ErrorKind::NotFound);
    let locked = vec![
        (PathBuf::from("/a"), LockedDir::lock(Arc::clone(disk), Path::new("/a"))),
        (PathBuf::from("/b"), Err(LogDirError::Io { path: "/b".into(), error: away })),
    ];
    LogDirs::load(locked, &options(), &known_small, &|_| {}).expect("opens")
}

/// The copy is served, and has more than what it is of.
fn without_b(disk: &Arc<dyn Disk>) -> LogDirs {
    let (dirs, _) = started_without_b(disk);
    let (adopted, _) = dirs.adopt_futures(&|_| Some((small(), None)), 0);
    assert_eq!(adopted.len(), 1);
    append(&dirs, 0);
    dirs
}

#[test]
fn what_a_log_left_behind_in_a_directory_that_was_away_is_set_aside_when_that_is_back() {
    for is_taken_in in [true, false] {
        let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
        let source = stored_and_killed(&disk);
        let dirs = without_b(&disk);
        // As the owner has stored it.
        let behind = |topic: &str, _| {
            (topic == "t").then(|| PartitionSettings { behind: source.into_iter().collect(), ..small() })
        };
        let (dirs, report) = if is_taken_in {
            let report = open_anew(&dirs, &disk, "/b", source, &behind);
            (dirs, report)
        } else {
            drop(dirs);
            let lock = |dir: &&str| (PathBuf::from(dir), LockedDir::lock(Arc::clone(&disk), Path::new(dir)));
            LogDirs::load(["/a", "/b"].iter().map(lock).collect(), &options(), &behind, &|_| {})
                .expect("opens")
        };
        assert!(
            report.notices.iter().any(|one| matches!(one, Notice::Behind { .. })),
            "{:?}",
            report.notices
        );
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert_eq!((dirs.directory_of("t", 0), end(&dirs)), (Some(None), 7));
        assert!(names(&*disk, "/b").contains(&"…-stray".to_owned()));
        drop(dirs);
        let (dirs, found) = started(&disk, None);
        assert_eq!((found, end(&dirs)), (Some(None), 7));
    }
}

#[test]
fn what_a_log_left_behind_is_not_served_while_the_directory_of_the_log_is_away() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let home = id_of(&dirs, "/a");
    drop(dirs);
    let behind = |topic: &str, _| {
        (topic == "t").then(|| PartitionSettings { behind: home.into_iter().collect(), ..small() })
    };
    let lock = |dir: &&str| (PathBuf::from(dir), LockedDir::lock(Arc::clone(&disk), Path::new(dir)));
    let loaded = LogDirs::load(["/a"].iter().map(lock).collect(), &options(), &behind, &|_| {});
    let (dirs, _) = loaded.expect("opens");
    assert_eq!((dirs.directory_of("t", 0), names(&*disk, "/a")), (None, vec!["…-stray".to_owned()]));
}

#[test]
fn a_copy_of_which_another_directory_has_to_say_waits_for_this_one_though_its_own_is_opened_anew() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let target = id_of(&dirs, "/b");
    let mut nth = 0;
    loop {
        nth += 1;
        let mut moving = begun(&dirs);
        halted(&mut moving);
        failing.fail_on("/a", Call::SyncDir, When::Nth(nth), Fault::Error(Errno::ACCESS));
        let switched = moving.switch(&small(), 0);
        failing.heal();
        match switched {
            Err(Unswitched::Stays(moving, _)) => moving.stay().expect("stays"),
            Err(Unswitched::Apart(_)) => break,
            Ok(_) => panic!("not without the sync"),
        }
    }
    at(&dirs, "/b").take_offline(std::io::ErrorKind::Other, "sick");
    open_anew(&dirs, &disk, "/b", target, &known_small);
    let adopted = |back: &str| adopted_of(&dirs, back, &|_| Some((small(), target)), 0).0;
    assert!(adopted("/b").is_empty(), "the other may have its name again");
    assert_eq!((adopted("/a").len(), dirs.directory_of("t", 0), end(&dirs)), (1, Some(target), 6));
}

/// What has failed the look at whose the log in this directory is, when that was loaded.
fn unreadable(failing: &FailingDisk, dir: &str) {
    failing.fail_on(&format!("{dir}/t-0/"), Call::Open, When::Always, Fault::Error(Errno::IO));
}

#[test]
fn what_is_behind_and_could_not_be_read_at_first_is_set_aside_and_not_opened_when_it_can() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let home = id_of(&dirs, "/a");
    drop(dirs);
    let behind = |topic: &str, _| {
        (topic == "t").then(|| PartitionSettings { behind: home.into_iter().collect(), ..small() })
    };
    unreadable(&failing, "/a");
    let locked = vec![(PathBuf::from("/a"), LockedDir::lock(Arc::clone(&disk), Path::new("/a")))];
    let (dirs, report) = LogDirs::load(locked, &options(), &behind, &|_| {}).expect("opens");
    assert_eq!((report.failed.len(), dirs.closed_in(Path::new("/a"))), (1, 1));
    let reopened = || {
        let report = dirs.reopen(Path::new("/a"), &behind, 0);
        (report.loaded.len(), report.failed.len(), dirs.directory_of("t", 0))
    };
    assert_eq!(reopened(), (0, 1, None));
    failing.heal();
    failing.fail_on("/a/t-0", Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    assert_eq!((reopened(), names(&*disk, "/a")), ((0, 1, None), vec!["t-0".to_owned()]), "it waits");
    failing.heal();
    assert_eq!((reopened(), names(&*disk, "/a")), ((0, 0, None), vec!["…-stray".to_owned()]));
    assert_eq!((dirs.closed_in(Path::new("/a")), dirs.gone_in(Path::new("/a")).len()), (0, 0));
}

#[test]
fn a_copy_waits_for_a_log_that_is_here_and_could_not_be_opened() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let (source, target) = (id_of(&dirs, "/a"), id_of(&dirs, "/b"));
    let mut moving = begun(&dirs);
    halted(&mut moving);
    // Killed when that is stored, and before the log has left.
    drop((moving, dirs));
    // But what is behind is not the log.
    for (behind, adopted) in [(vec![], 0), (source.into_iter().collect::<Vec<_>>(), 1)] {
        unreadable(&failing, "/a");
        let known =
            |topic: &str, _| (topic == "t").then(|| PartitionSettings { behind: behind.clone(), ..small() });
        let lock = |dir: &&str| (PathBuf::from(dir), LockedDir::lock(Arc::clone(&disk), Path::new(dir)));
        let locked = ["/a", "/b"].iter().map(lock).collect();
        let (dirs, _) = LogDirs::load(locked, &options(), &known, &|_| {}).expect("opens");
        assert_eq!(dirs.closed_in(Path::new("/a")), 1);
        let placed = |_: &_| Some((known("t", 0)?, target));
        assert_eq!(dirs.adopt_futures(&placed, 0).0.len(), adopted);
        failing.heal();
        if adopted == 0 {
            assert_eq!(dirs.reopen(Path::new("/a"), &known, 0).loaded.len(), 1);
            assert_eq!((dirs.directory_of("t", 0), end(&dirs)), (Some(None), 6));
        } else {
            assert_eq!((dirs.directory_of("t", 0), end(&dirs)), (Some(target), 6));
        }
    }
}
