//! Keeps a stalled write from stalling others.
//!
//! A buffered write normally returns in microseconds. When too many pages are dirty, or the disk is slow, the kernel
//! holds the writer for tens of milliseconds; when the disk does not answer at all, for good. With the writer it holds every
//! connection of that thread. Handing each append to another thread would cost a wake-up per append, as much as copying
//! 64 KiB. So appends run in place as long as they are quick, watched by [`Watch`](super::watch::Watch); once one of a
//! directory was slow, the following ones of that directory tell the runtime first to move the thread's other tasks
//! elsewhere (`block_in_place`), until writes have been quick again for a while. Pacing of writeback by the log makes the
//! first slow one rare.
//!
//! Invariant: so many wait aside for a directory at a time, each with a thread, and no more. A batch of a client that finds no
//! place waits without a thread until there is one, for so long and no longer; what cannot wait so is refused.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::in_flight::InFlight;

/// An append that took longer was held by its disk, or by the kernel on its behalf. On cores that are all busy a thread loses its
/// own for a few milliseconds without any disk.
pub(super) const HELD: Duration = Duration::from_millis(10);
/// Quick writes after a slow one before appends are trusted again.
const WARY_APPENDS: u32 = 256;
/// Smaller appends are timed only when wary: reading the clock twice costs as much as their bookkeeping.
const TIMED_BYTES: usize = 16 * 1024;
/// Of each kind so many may wait aside for one directory.
pub(crate) const ASIDE_MAX: usize = 16;
/// Of all kinds.
pub(super) const ALL_ASIDE_MAX: usize = KINDS * ASIDE_MAX;
const KINDS: usize = 3;
/// A batch waits for a place for so long.
pub(crate) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

/// Who waits aside. No kind takes the places of another: a coordinator that appends keeps those waiting who ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A client's batch.
    Batch,
    /// What the broker appends by itself, and whoever reads what appends change.
    Own,
    /// Whoever asks a coordinator that may be appending.
    Asks,
}

/// Of one directory.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// Appends left before writes are trusted again.
    wary: AtomicU32,
    /// So many of each kind wait aside.
    aside: [AtomicUsize; KINDS],
    /// Told when one of them is done.
    room: Notify,
    /// What waits for the disk.
    pub(super) in_flight: Arc<InFlight>,
}

/// A place aside.
pub(crate) struct Aside<'s>(&'s Stall, Kind);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        let Self(stall, kind) = self;
        stall.places(*kind).fetch_sub(1, SeqCst);
        if *kind == Kind::Batch {
            // Who waits longest looks first.
            stall.room.notify_one();
        }
    }
}

impl Stall {
    /// Whether appends go aside.
    pub(super) fn is_wary(&self) -> bool {
        self.wary.load(Relaxed) > 0
    }

    /// They do from now on.
    pub(super) fn be_wary(&self) {
        self.wary.store(WARY_APPENDS, Relaxed);
    }

    fn places(&self, kind: Kind) -> &AtomicUsize {
        let [batch, own, asks] = &self.aside;
        match kind {
            Kind::Batch => batch,
            Kind::Own => own,
            Kind::Asks => asks,
        }
    }

    /// A place for one more of this kind aside, if there is one.
    pub(super) fn step_aside(&self, kind: Kind) -> Option<Aside<'_>> {
        let one_more = |taken| (taken < ASIDE_MAX).then_some(taken + 1);
        let taken = self.places(kind).fetch_update(SeqCst, SeqCst, one_more);
        taken.ok().map(|_| Aside(self, kind))
    }

    /// Waits until `admit` finds a place for a batch. `None`: it did not until then.
    pub(super) async fn until_admitted<T>(
        &self,
        until: tokio::time::Instant,
        admit: impl Fn() -> Option<T>,
    ) -> Option<T> {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            // Listens first and looks then: a place that is left in between is heard of.
            room.as_mut().enable();
            if let Some(admitted) = admit() {
                // One that is admitted in place leaves none aside, and tells nobody when it is done: the next one looks too.
                self.room.notify_one();
                return Some(admitted);
            }
            tokio::time::timeout_at(until, room).await.ok()?;
        }
    }

    /// Runs a write in place.
    pub(super) fn in_place<T>(&self, bytes: usize, write: impl FnOnce() -> T) -> T {
        if bytes < TIMED_BYTES {
            return write();
        }
        let started = Instant::now();
        let done = write();
        if started.elapsed() > HELD {
            self.be_wary();
        }
        done
    }

    /// Runs a write for which the thread was cleared.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        let operation = self.in_flight.begin();
        let started = Instant::now();
        let done = write();
        drop(operation);
        if self.in_flight.longest().is_some_and(|longest| longest > HELD) {
            // Others still wait for the disk: that it was quick here says nothing of what they wait for.
            self.be_wary();
            return done;
        }
        let wary = self.wary.load(Relaxed);
        // Where another thread was quicker, what it found is as good.
        let _ = self.wary.compare_exchange(wary, wary_after(wary, started.elapsed()), Relaxed, Relaxed);
        done
    }
}

/// Appends that are left before writes are trusted again, after one that took so long.
fn wary_after(wary: u32, took: Duration) -> u32 {
    if took > HELD { WARY_APPENDS } else { wary.saturating_sub(1) }
}

/// Why an append of a directory is refused whose disk keeps as many waiting as may wait.
pub(super) fn refused(dir: &std::path::Path) -> io::Error {
    let words = format!(
        "the disk of log directory {} does not answer, and as many wait for it as may: try again later",
        dir.display()
    );
    io::Error::new(io::ErrorKind::TimedOut, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_appends_may_wait_aside_and_no_more() {
        let (stall, mut all) = (Stall::default(), Vec::new());
        for kind in [Kind::Asks, Kind::Batch, Kind::Own] {
            let mut aside: Vec<_> = (0..=ASIDE_MAX).map_while(|_| stall.step_aside(kind)).collect();
            assert!(aside.len() == ASIDE_MAX && stall.step_aside(kind).is_none());
            aside.pop();
            aside.extend(stall.step_aside(kind));
            assert_eq!(aside.len(), ASIDE_MAX, "one was left");
            // What this kind has taken is nothing to the others.
            all.append(&mut aside);
        }
    }

    #[test]
    fn a_directory_is_not_trusted_again_while_something_waits_for_it() {
        let stall = Stall::default();
        stall.be_wary();
        let hangs = stall.in_flight.begin();
        while stall.in_flight.longest().is_some_and(|longest| longest <= HELD) {
            std::thread::yield_now();
        }
        (0..2 * WARY_APPENDS).for_each(|_| stall.aside(|| ()));
        assert!(stall.is_wary());
        drop(hangs);
        assert!((0..100_000).any(|_| {
            stall.aside(|| ());
            !stall.is_wary()
        }));
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_until_one_is_left() {
        let stall = Stall::default();
        let now = tokio::time::Instant::now();
        assert!(stall.until_admitted(now, || None::<()>).await.is_none(), "patience ends");
        let place = stall.step_aside(Kind::Batch).expect("free");
        let looks = std::cell::Cell::new(0);
        let admit = || {
            looks.set(looks.get() + 1);
            // Left while it looks for the first time.
            if looks.get() == 1 { None } else { stall.step_aside(Kind::Batch).map(drop) }
        };
        let leave = async { drop(place) };
        let (admitted, ()) = tokio::join!(stall.until_admitted(now + Duration::from_hours(1), admit), leave);
        assert!(admitted.is_some() && looks.get() == 2);
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_directory_is_trusted_again_all_are_let_in_who_wait_for_a_place() {
        let stall = Stall::default();
        let until = tokio::time::Instant::now() + Duration::from_hours(1);
        let place = stall.step_aside(Kind::Batch).expect("free");
        let is_trusted = std::cell::Cell::new(false);
        let waits = || stall.until_admitted(until, || is_trusted.get().then_some(()));
        let leave = async {
            is_trusted.set(true);
            drop(place);
        };
        let (admitted, ()) = tokio::join!(futures_util::future::join_all((0..10).map(|_| waits())), leave);
        assert_eq!(admitted, [Some(()); 10]);
    }

    #[test]
    fn a_directory_is_trusted_again_after_as_many_quick_appends() {
        let held = HELD + Duration::from_nanos(1);
        assert_eq!(
            (wary_after(0, HELD), wary_after(0, held), wary_after(7, held)),
            (0, WARY_APPENDS, WARY_APPENDS)
        );
        assert_eq!((0..WARY_APPENDS).fold(WARY_APPENDS, |wary, _| wary_after(wary, HELD)), 0);
    }
}
