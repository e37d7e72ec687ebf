//! Who waits for a sync, how many syncs that takes, and what a failed one means.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use super::*;

/// What a sync of a [`Ledger`] answers next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fine,
    NotBegun,
    Fails,
    Panics,
}

/// Counts what was "written", and what a crash would leave of it.
#[derive(Debug)]
struct Ledger {
    written: AtomicU64,
    survives: AtomicU64,
    syncs: AtomicU64,
    at_once: AtomicBool,
    mood: Mutex<Vec<Mood>>,
}

#[derive(Debug, Clone)]
struct Target(Arc<Ledger>);

impl SyncTarget for Target {
    fn written(&self) -> u64 {
        self.0.written.load(Ordering::SeqCst)
    }

    fn sync(&self) -> Result<u64, SyncFailure> {
        assert!(!self.0.at_once.swap(true, Ordering::SeqCst), "one at a time");
        let covered = self.0.written.load(Ordering::SeqCst);
        let mood = self.0.mood.lock().pop().unwrap_or(Mood::Fine);
        self.0.at_once.store(false, Ordering::SeqCst);
        match mood {
            Mood::Fine => {
                self.0.syncs.fetch_add(1, Ordering::SeqCst);
                self.0.survives.store(covered, Ordering::SeqCst);
                Ok(covered)
            }
            Mood::NotBegun => Err(SyncFailure::NotBegun(io::Error::other("no descriptor"))),
            Mood::Fails => Err(SyncFailure::Failed(io::Error::other("the disk is gone"))),
            Mood::Panics => panic!("as the test wants"),
        }
    }
}

fn ledger(moods: &[Mood]) -> Target {
    let mood = Mutex::new(moods.iter().rev().copied().collect());
    let zero = AtomicU64::default;
    Target(Arc::new(Ledger {
        written: zero(),
        survives: zero(),
        syncs: zero(),
        at_once: AtomicBool::default(),
        mood,
    }))
}

impl Target {
    fn write(&self) -> u64 {
        self.0.written.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn commit(&self, options: GroupCommitOptions) -> GroupCommit {
        GroupCommit::new(self.clone(), 0, options)
    }
}

/// Keeps the only thread for syncs of `io` busy until the sender is dropped.
fn hold(io: &IoPool) -> mpsc::Sender<()> {
    let (release, gate) = mpsc::channel::<()>();
    let (held, holding) = mpsc::channel();
    io.submit_urgent(move || {
        held.send(()).expect("somebody waits");
        let _ = gate.recv();
    })
    .expect("room");
    holding.recv().expect("held");
    release
}

#[test]
fn one_sync_serves_all_threads_that_wait() {
    const WAITERS: u64 = 32;
    let (target, io) = (ledger(&[]), IoPool::new(1, 64));
    let commit = target.commit(GroupCommitOptions::default());
    let gate = hold(&io);
    std::thread::scope(|scope| {
        for _ in 0..WAITERS {
            scope.spawn(|| {
                let mark = target.write();
                commit.wait_blocking(mark, &io).expect("stable");
                assert!(target.0.survives.load(Ordering::SeqCst) >= mark);
            });
        }
        while commit.stats().waiting < WAITERS as usize {
            std::thread::yield_now();
        }
        drop(gate);
    });
    let stats = commit.stats();
    assert_eq!((stats.syncs, stats.waiters, stats.waiting, commit.stable()), (1, WAITERS, 0, WAITERS));
}

#[test]
fn a_file_is_synced_for_whoever_asks() {
    let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a temporary file");
    let io = IoPool::new(1, 4);
    let commit = GroupCommit::new(FileTarget::new(Arc::new(file)), 0, GroupCommitOptions::default());
    for _ in 0..3 {
        commit.commit_blocking(&io).expect("stable");
    }
    assert_eq!(commit.stats().syncs, 3, "each asked after the sync before it had begun");
}

#[test]
fn a_sync_that_began_before_the_question_is_no_answer() {
    let target = FileTarget::new(Arc::new(tempfile::tempfile().expect("a temporary file")));
    let early = target.written();
    let covered = target.sync().expect("synced");
    let late = target.written();
    assert!(early <= covered && covered < late);
}

#[test]
fn all_who_wait_hear_of_a_failure_and_so_does_whoever_comes_later() {
    for mood in [Mood::Fails, Mood::Panics] {
        let (target, io) = (ledger(&[Mood::Fine, mood]), IoPool::new(1, 64));
        let commit = target.commit(GroupCommitOptions::default());
        let first = target.write();
        commit.wait_blocking(first, &io).expect("stable");
        let second = target.write();
        for _ in 0..2 {
            let failed = commit.wait_blocking(second, &io).expect_err("not stable");
            assert!(matches!(failed, CommitError::Failed(_)), "{failed:?}");
        }
        commit.start(second, &io);
        commit.wait_blocking(first, &io).expect("what was stable before stays so");
        assert_eq!((commit.stats().syncs, commit.stats().failed), (2, 1), "no second attempt");
    }
}

#[test]
fn a_sync_that_could_not_begin_is_tried_again() {
    let (target, io) = (ledger(&[Mood::NotBegun, Mood::NotBegun]), IoPool::new(1, 64));
    let commit = target.commit(GroupCommitOptions::default());
    commit.wait_blocking(target.write(), &io).expect("stable");
    assert_eq!((commit.stats().not_begun, commit.stats().syncs), (2, 1));
}

#[test]
fn a_full_pool_and_too_many_waiters_are_busy() {
    let (target, io) = (ledger(&[]), IoPool::new(1, 1));
    let gate = hold(&io);
    io.submit_urgent(|| ()).expect("one may wait");
    let impatient =
        target.commit(GroupCommitOptions { patience: Duration::ZERO, ..GroupCommitOptions::default() });
    assert!(matches!(impatient.wait_blocking(target.write(), &io), Err(CommitError::Busy)));
    let full = target.commit(GroupCommitOptions { waiters_max: 0, ..GroupCommitOptions::default() });
    assert!(matches!(full.wait_blocking(0, &io), Err(CommitError::Busy)));
    assert_eq!((full.stats().turned_away, full.stats().waiters), (1, 0));
    drop(gate);
}

#[test]
fn what_nobody_wrote_keeps_no_thread_busy() {
    let (target, io) = (ledger(&[]), IoPool::new(1, 64));
    let commit = target.commit(GroupCommitOptions::default());
    let mark = target.write();
    commit.start(mark + 1000, &io);
    commit.wait_blocking(mark, &io).expect("stable");
    let (done, end) = mpsc::channel();
    io.submit_urgent(move || done.send(()).expect("somebody waits")).expect("room");
    end.recv().expect("a thread that is free");
    assert_eq!(io.queued(), 0);
}

#[test]
fn a_mark_that_is_not_written_yet_is_waited_for_without_a_sync() {
    let (target, io) = (ledger(&[]), IoPool::new(1, 64));
    let commit = target.commit(GroupCommitOptions::default());
    commit.wait_blocking(target.write(), &io).expect("stable");
    std::thread::scope(|scope| {
        let early = scope.spawn(|| commit.wait_blocking(2, &io));
        while commit.stats().waiting == 0 {
            std::thread::yield_now();
        }
        let (done, end) = mpsc::channel();
        io.submit_urgent(move || done.send(()).expect("somebody waits")).expect("room");
        end.recv().expect("a thread that is free");
        assert_eq!(commit.stats().syncs, 1, "there is nothing to make stable");
        let mark = target.write();
        commit.wait_blocking(mark, &io).expect("stable");
        early.join().expect("no panic").expect("stable with it");
    });
    assert_eq!(commit.stats().syncs, 2);
}

#[cfg(feature = "tokio")]
mod with_tokio {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_returns_survives_a_crash_and_syncs_are_shared() {
        let (target, io) = (ledger(&[Mood::Fine, Mood::NotBegun]), IoPool::new(2, 2));
        let commit = target.commit(GroupCommitOptions::default());
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (target, io, commit) = (target.clone(), io.clone(), commit.clone());
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let mark = target.write();
                        commit.wait(mark, &io).await.expect("stable");
                        assert!(target.0.survives.load(Ordering::SeqCst) >= mark);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("told the truth");
        }
        let stats = commit.stats();
        assert!(stats.syncs <= stats.waiters && stats.waiters == 32 * 50, "{stats:?}");
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_leaves_the_sync_to_the_others() {
        let (target, io) = (ledger(&[]), IoPool::new(1, 64));
        let commit = target.commit(GroupCommitOptions::default());
        let gate = hold(&io);
        let mark = target.write();
        {
            let mut gone = std::pin::pin!(commit.wait(mark, &io));
            let polled =
                std::future::poll_fn(|cx| std::task::Poll::Ready(gone.as_mut().poll(cx).is_pending())).await;
            assert!(polled && commit.stats().waiting == 1);
        }
        assert_eq!(commit.stats().waiting, 0);
        drop(gate);
        commit.commit(&io).await.expect("stable");
        assert_eq!(commit.stats().syncs, 1);
    }

    #[tokio::test]
    async fn a_full_pool_is_waited_for() {
        let (target, io) = (ledger(&[]), IoPool::new(1, 1));
        let commit = target.commit(GroupCommitOptions::default());
        let gate = hold(&io);
        io.submit_urgent(|| ()).expect("one may wait");
        let mark = target.write();
        let waiter = tokio::spawn({
            let (commit, io) = (commit.clone(), io.clone());
            async move { commit.wait(mark, &io).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(gate);
        waiter.await.expect("no panic").expect("stable");
    }
}

/// How long somebody is waited for who does not come.
const LONG: Duration = Duration::from_hours(1);

/// One waits on a pool whose round would wait for another; what is answered tells that it is stable.
fn lonely(io: &IoPool) -> (mpsc::Receiver<()>, GroupCommit, Target) {
    let target = ledger(&[]);
    let commit = target.commit(GroupCommitOptions::default());
    commit.shared.state.lock().circle.expect_two(std::time::Instant::now() + LONG);
    let (told, stable) = mpsc::channel();
    let (waits, wanting, on) = (commit.clone(), target.write(), io.clone());
    std::thread::spawn(move || {
        waits.wait_blocking(wanting, &on).expect("stable");
        told.send(()).expect("somebody waits");
    });
    (stable, commit, target)
}

#[test]
fn a_round_on_the_last_thread_waits_for_nobody() {
    let (stable, ..) = lonely(&IoPool::new(1, 4));
    stable.recv_timeout(Duration::from_mins(1)).expect("at once");
}

#[test]
fn a_round_with_threads_left_waits_for_who_is_expected() {
    let io = IoPool::new(2, 4);
    let (stable, commit, target) = lonely(&io);
    while commit.stats().waiting < 1 || io.threads() == 0 {
        std::thread::yield_now();
    }
    let mark = target.write();
    commit.wait_blocking(mark, &io).expect("stable");
    stable.recv_timeout(Duration::from_mins(1)).expect("with the other");
    assert_eq!(commit.stats().syncs, 1, "one for both");
}
