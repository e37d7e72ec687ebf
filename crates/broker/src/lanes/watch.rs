//! The eye on appends that run in place: which of them do not come back, and what is done about it.
//!
//! ```text
//!   worker ── takes a seat ── write(2) ── leaves it            (two changes of an atomic, no clock)
//!   watchdog, every 10 ms while there are appends: the same append in a seat as before?
//!      └── tells its directory, and has the runtime wake a worker that polls the sockets
//! ```
//!
//! The worker that hangs may be the one that polled the sockets, and the others sleep until they are told: nobody tells them
//! while it hangs. An empty task from outside does.
//!
//! Invariants
//! - There is one seat fewer than there are workers, so one worker is left whatever hangs.
//! - The watchdog is a thread only while there are appends, and ends a second after the last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use tokio::runtime::{Handle, RuntimeFlavor};
use tracing::warn;

use super::{
    in_flight::Operation,
    stall::{HELD, Stall},
};

/// An append that is in its seat at two looks has been there for as long.
const LOOK_EVERY: Duration = HELD;
/// Looks at empty seats after which the watchdog ends.
const IDLE_LOOKS_MAX: u32 = 100;
/// More are not needed, however many workers there are: who finds none goes aside.
const SEATS_MAX: usize = 256;
/// The low bits of a seat say whose append it has: 1 is the first directory, 0 nobody.
const WHOSE: u64 = 0xFFFF;
/// It calls nothing deep.
const STACK_BYTES: usize = 64 * 1024;

/// On a cache line of its own, and on none that the processor fetches with it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seat(AtomicU64);

impl Seat {
    /// Takes it for an append of directory `whose`, if it is free. No two appends look alike in it.
    fn take(&self, whose: u64) -> bool {
        let seen = self.0.load(Relaxed);
        let next = (seen & !WHOSE).wrapping_add(WHOSE + 1) | (whose + 1);
        seen & WHOSE == 0 && self.0.compare_exchange(seen, next, SeqCst, Relaxed).is_ok()
    }

    fn leave(&self) {
        self.0.fetch_and(!WHOSE, SeqCst);
    }

    /// What is in it, and of which directory.
    fn look(&self) -> Option<(u64, usize)> {
        let seen = self.0.load(SeqCst);
        let whose = usize::try_from(seen & WHOSE).ok()?.checked_sub(1)?;
        Some((seen, whose))
    }
}

/// Of the appends in place on the workers of a runtime.
#[derive(Debug)]
pub(super) struct Watch {
    seats: Box<[Seat]>,
    is_watched: AtomicBool,
    /// It was said that no thread can be started for it.
    is_told: AtomicBool,
    /// None where there is no other worker that could be woken: nothing is watched then.
    runtime: Option<Handle>,
    /// By their numbers.
    directories: Box<[Arc<Stall>]>,
}

/// How an append may run in place.
pub(super) enum Seating<'w> {
    /// Watched, until this is dropped.
    Seat(Seated<'w>),
    /// There is nobody that it could hold up.
    Alone,
    /// All seats are taken.
    Full,
}

/// Leaves the seat when dropped.
pub(crate) struct Seated<'w>(&'w Seat);

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

thread_local! {
    /// Where this thread looks for a seat first, so that threads do not share one.
    static FIRST: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed)
    };
}

impl Watch {
    /// Of the runtime that this is called in, for so many directories.
    pub(super) fn new(directories: usize) -> Arc<Self> {
        let directories = (0..directories).map(|_| Arc::default()).collect();
        let current = Handle::try_current().ok();
        let runtime = current.filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let workers = runtime.as_ref().map_or(0, |handle| handle.metrics().num_workers());
        let seats = (0..workers.saturating_sub(1).min(SEATS_MAX)).map(|_| Seat::default()).collect();
        let (is_watched, is_told) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { seats, is_watched, is_told, runtime, directories })
    }

    /// That of a directory.
    pub(super) fn directory(&self, number: usize) -> Arc<Stall> {
        self.directories.get(number).map(Arc::clone).unwrap_or_default()
    }

    /// Seats an append of directory `whose`.
    pub(super) fn seat(self: &Arc<Self>, whose: usize) -> Seating<'_> {
        if self.runtime.is_none() {
            return Seating::Alone;
        }
        let (whose, count) = ((whose as u64).min(WHOSE - 1), self.seats.len());
        let first = FIRST.with(|first| *first);
        let mut seats = (0..count).filter_map(|step| self.seats.get(first.wrapping_add(step) % count));
        let Some(seat) = seats.find(|seat| seat.take(whose)) else { return Seating::Full };
        let seated = Seated(seat);
        // After the seat was taken: a watchdog that ends looks at the seats once more after it has said so.
        if !self.is_watched.load(SeqCst) {
            self.begin();
        }
        Seating::Seat(seated)
    }

    /// Starts the watchdog, unless somebody else did.
    fn begin(self: &Arc<Self>) {
        if self.is_watched.swap(true, SeqCst) {
            return;
        }
        let watch = Arc::clone(self);
        let thread = thread::Builder::new().name("pagewire-watch".into()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || watch.run()) {
            // The next append tries again.
            self.is_watched.store(false, SeqCst);
            if !self.is_told.swap(true, Relaxed) {
                warn!(%error, "no thread could be started to look after appends");
            }
        }
    }

    fn run(&self) {
        let mut before: Vec<Option<u64>> = vec![None; self.seats.len()];
        let mut operations: Vec<Option<Operation>> = self.seats.iter().map(|_| None).collect();
        let mut idle_looks = 0;
        loop {
            let mut is_idle = true;
            for ((seat, before), operation) in self.seats.iter().zip(&mut before).zip(&mut operations) {
                let now = seat.look();
                is_idle &= now.is_none();
                match now {
                    Some((seen, whose)) if *before == Some(seen) => self.hangs(whose, operation),
                    _ => *operation = None,
                }
                *before = now.map(|(seen, _)| seen);
            }
            idle_looks = if is_idle { idle_looks + 1 } else { 0 };
            if idle_looks > IDLE_LOOKS_MAX && self.ends() {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// An append of this directory is where it was at the last look.
    fn hangs(&self, whose: usize, operation: &mut Option<Operation>) {
        if let Some(stall) = self.directories.get(whose) {
            stall.be_wary();
            operation.get_or_insert_with(|| stall.in_flight.begin());
        }
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async {});
        }
    }

    /// Whether nobody came while the end was made known.
    fn ends(&self) -> bool {
        self.is_watched.store(false, SeqCst);
        let is_needed = self.seats.iter().any(|seat| seat.look().is_some());
        !is_needed || self.is_watched.swap(true, SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_has_one_append_at_a_time_and_none_looks_like_another() {
        let seat = Seat::default();
        assert!(seat.look().is_none() && seat.take(0) && !seat.take(1));
        let first = seat.look().expect("taken");
        seat.leave();
        assert!(seat.look().is_none() && seat.take(0));
        let second = seat.look().expect("taken");
        assert_eq!((first.1, second.1), (0, 0));
        assert_ne!(first.0, second.0);
        seat.leave();
        assert!(seat.take(2));
        assert_eq!(seat.look().map(|(_, whose)| whose), Some(2));
    }

    #[test]
    fn without_other_workers_nothing_is_watched() {
        assert!(matches!(Watch::new(1).seat(0), Seating::Alone));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_directory_that_is_told_is_that_of_the_append_that_hangs() {
        let directories = 5;
        for hanging in 0..directories {
            let watch = Watch::new(directories);
            let _hangs = watch.seat(hanging);
            let told = |number: &usize| watch.directories[*number].is_wary();
            while !(0..directories).any(|number| told(&number)) {
                tokio::task::yield_now().await;
            }
            assert_eq!((0..directories).filter(told).collect::<Vec<_>>(), [hanging]);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn there_is_one_seat_fewer_than_workers() {
        let watch = Watch::new(1);
        let taken: Vec<_> = (0..3).map(|_| watch.seat(0)).collect();
        let seats = taken.iter().filter(|seating| matches!(seating, Seating::Seat(_))).count();
        assert_eq!(seats, 2);
        drop(taken);
        assert!(matches!(watch.seat(0), Seating::Seat(_)));
    }
}
