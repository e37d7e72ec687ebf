//! What the kernel refused, remembered: probe by use, give up in time, never bother the caller.
//!
//! ```text
//!   ENOSYS, EPERM,         the call is not to be had here (old kernel, a sandbox,
//!   built without it                                       another system)          -> given up for good
//!   EINVAL, EOPNOTSUPP,    this file or this socket cannot do it                    -> given up for this plan;
//!   EOVERFLOW                                        STREAK_MAX in a row, no success between -> for all plans, until
//!                                                    PLANS_TO_RETRY more have begun: then one more refusal is enough
//!   EMFILE, ENOMEM, ...    there is not enough of something now          -> given up for this plan, and not held against
//!                                                                           the route, see `path::shortage`
//! ```
//!
//! A streak says what files and sockets there were of late, not what the kernel can do: a server that sends to unix
//! sockets in the morning may send to TCP at noon. Time is counted in plans, so there is no clock in it.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};

use crate::route::{Route, RouteSet};

/// After so many refusals of single files or sockets in a row, without one success, other plans do without the route
/// too.
pub const STREAK_MAX: u32 = 16;
/// So many plans later what was given up for a while is tried again.
pub const PLANS_TO_RETRY: u32 = 1024;

/// How far a refusal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The system does not have the call, or forbids it to this process.
    System,
    /// This file or this socket cannot take part.
    Pair,
}

/// Reads a refusal out of an error; `None` is an error to report.
pub fn refusal(error: &io::Error) -> Option<Refusal> {
    if error.kind() == io::ErrorKind::Unsupported && error.raw_os_error().is_none() {
        return Some(Refusal::System);
    }
    by_errno(error)
}

#[cfg(unix)]
fn by_errno(error: &io::Error) -> Option<Refusal> {
    use rustix::io::Errno;
    match Errno::from_io_error(error)? {
        Errno::NOSYS | Errno::PERM => Some(Refusal::System),
        Errno::INVAL | Errno::OPNOTSUPP | Errno::OVERFLOW => Some(Refusal::Pair),
        _ => None,
    }
}

#[cfg(not(unix))]
fn by_errno(_: &io::Error) -> Option<Refusal> {
    None
}

/// It is taken.
const IN_USE: u8 = 0;
/// Given up for a streak of refusals, and tried again some time.
const RESTING: u8 = 1;
/// Given up for good.
const GONE: u8 = 2;

/// One route's standing with this kernel.
#[derive(Debug, Default)]
struct Standing {
    /// One of the three above; never leaves `GONE`.
    state: AtomicU8,
    streak: AtomicU32,
    /// The error number of the last refusal; 0 for none.
    errno: AtomicI32,
}

impl Standing {
    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    /// Lets a resting route in again, of which one more refusal is enough.
    fn forgive(&self) {
        self.streak.store(STREAK_MAX - 1, Ordering::Relaxed);
        // Unless it has gone for good meanwhile.
        let _ = self.state.compare_exchange(RESTING, IN_USE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What a [`Transfer`](crate::Transfer) has learnt about the routes, from using them.
#[derive(Debug, Default)]
pub struct Caps {
    routes: [Standing; Route::COUNT],
    /// Plans that began while a route was resting.
    plans: AtomicU32,
}

impl Caps {
    /// Routes given up, for good or for a while.
    pub fn refused(&self) -> RouteSet {
        let mut set = RouteSet::default();
        for route in Route::ALL {
            if self.standing(route).is_some_and(|standing| !standing.is(IN_USE)) {
                set.insert(route);
            }
        }
        set
    }

    /// Notes that a plan begins: every [`PLANS_TO_RETRY`]th of them lets resting routes in again.
    pub fn plan_begins(&self) {
        if !self.routes.iter().any(|standing| standing.is(RESTING)) {
            return;
        }
        let plans = self.plans.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if plans.is_multiple_of(PLANS_TO_RETRY) {
            self.routes.iter().filter(|standing| standing.is(RESTING)).for_each(Standing::forgive);
        }
    }

    /// Notes that `route` worked.
    pub fn worked(&self, route: Route) {
        if let Some(standing) = self.standing(route)
            && standing.streak.load(Ordering::Relaxed) != 0
        {
            standing.streak.store(0, Ordering::Relaxed);
        }
    }

    /// Notes a refusal of `route`. `copy` cannot be given up.
    pub fn refuse(&self, route: Route, refusal: Refusal) {
        if route == Route::Copy {
            return;
        }
        let Some(standing) = self.standing(route) else { return };
        let streak = standing.streak.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if refusal == Refusal::System {
            standing.state.store(GONE, Ordering::Relaxed);
        } else if streak >= STREAK_MAX {
            let _ = standing.state.compare_exchange(IN_USE, RESTING, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Notes in which words `route` was refused.
    pub(crate) fn note(&self, route: Route, error: &io::Error) {
        if let (Some(standing), Some(errno)) = (self.standing(route), error.raw_os_error()) {
            standing.errno.store(errno, Ordering::Relaxed);
        }
    }

    /// The last refusal of `route`, in the kernel's words.
    pub(crate) fn refused_with(&self, route: Route) -> Option<io::Error> {
        let errno = self.standing(route)?.errno.load(Ordering::Relaxed);
        (errno != 0).then(|| io::Error::from_raw_os_error(errno))
    }

    fn standing(&self, route: Route) -> Option<&Standing> {
        self.routes.get(route.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_call_is_given_up_at_once_and_a_single_file_is_not() {
        let caps = Caps::default();
        caps.refuse(Route::Sendfile, Refusal::Pair);
        assert!(!caps.refused().contains(Route::Sendfile));
        caps.refuse(Route::Sendfile, Refusal::System);
        assert!(caps.refused().contains(Route::Sendfile));
    }

    #[test]
    fn a_long_streak_is_given_up_and_a_success_breaks_it() {
        let caps = Caps::default();
        for round in 0..2 * STREAK_MAX {
            if round == STREAK_MAX / 2 {
                caps.worked(Route::Sendfile);
            }
            let gone = caps.refused().contains(Route::Sendfile);
            assert_eq!(gone, round >= STREAK_MAX / 2 + STREAK_MAX, "round {round}");
            caps.refuse(Route::Sendfile, Refusal::Pair);
        }
    }

    /// Of `n` plans that begin.
    fn plans(caps: &Caps, n: u32) {
        (0..n).for_each(|_| caps.plan_begins());
    }

    #[test]
    fn what_a_streak_put_out_is_tried_again_after_some_plans_and_one_more_refusal_is_enough() {
        let caps = Caps::default();
        plans(&caps, PLANS_TO_RETRY + 7);
        (0..STREAK_MAX).for_each(|_| caps.refuse(Route::Uring, Refusal::Pair));
        for _ in 0..3 {
            plans(&caps, PLANS_TO_RETRY - 1);
            assert!(caps.refused().contains(Route::Uring), "not yet");
            plans(&caps, 1);
            assert!(!caps.refused().contains(Route::Uring), "it has its chance");
            caps.refuse(Route::Uring, Refusal::Pair);
            assert!(caps.refused().contains(Route::Uring), "and has missed it");
        }
        plans(&caps, PLANS_TO_RETRY);
        caps.worked(Route::Uring);
        (1..STREAK_MAX).for_each(|_| caps.refuse(Route::Uring, Refusal::Pair));
        assert!(!caps.refused().contains(Route::Uring), "a success restores it");
    }

    #[test]
    fn what_the_system_does_not_have_is_not_tried_again() {
        let caps = Caps::default();
        (0..STREAK_MAX).for_each(|_| caps.refuse(Route::Splice, Refusal::Pair));
        caps.refuse(Route::Splice, Refusal::System);
        caps.refuse(Route::Direct, Refusal::System);
        plans(&caps, 2 * PLANS_TO_RETRY);
        assert!(caps.refused().contains(Route::Splice) && caps.refused().contains(Route::Direct));
    }

    #[test]
    fn the_last_refusal_is_kept_in_the_kernels_words() {
        let caps = Caps::default();
        assert!(caps.refused_with(Route::Uring).is_none());
        caps.note(Route::Uring, &io::Error::from_raw_os_error(1));
        caps.note(Route::Uring, &io::ErrorKind::Unsupported.into());
        assert_eq!(caps.refused_with(Route::Uring).and_then(|error| error.raw_os_error()), Some(1));
        assert!(caps.refused_with(Route::Sendfile).is_none());
    }

    #[test]
    fn copy_cannot_be_given_up() {
        let caps = Caps::default();
        caps.refuse(Route::Copy, Refusal::System);
        assert_eq!(caps.refused(), RouteSet::default());
    }
}
