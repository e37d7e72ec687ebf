//! What the kernel refused, remembered: probe by use, give up once, never bother the caller.
//!
//! ```text
//!   ENOSYS, EPERM,         the call is not to be had here (old kernel, a sandbox,
//!   built without it                                       another system)          -> given up for good
//!   EINVAL, EOPNOTSUPP,    this file or this socket cannot do it                    -> given up for this plan;
//!   EOVERFLOW                                        STREAK_MAX in a row, no success between -> for good
//! ```

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use crate::route::{Route, RouteSet};

/// So many refusals of single files or sockets in a row, without one success, count as a refusal for good.
pub const STREAK_MAX: u32 = 16;

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

/// One route's standing with this kernel.
#[derive(Debug, Default)]
struct Standing {
    gone: AtomicBool,
    streak: AtomicU32,
    /// The error number of the last refusal; 0 for none.
    errno: AtomicI32,
}

/// What a [`Transfer`](crate::Transfer) has learnt about the routes, from using them.
#[derive(Debug, Default)]
pub struct Caps {
    routes: [Standing; Route::COUNT],
}

impl Caps {
    /// Routes given up for good.
    pub fn refused(&self) -> RouteSet {
        let mut set = RouteSet::default();
        for route in Route::ALL {
            if self.standing(route).is_some_and(|standing| standing.gone.load(Ordering::Relaxed)) {
                set.insert(route);
            }
        }
        set
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
        if refusal == Refusal::System || streak >= STREAK_MAX {
            standing.gone.store(true, Ordering::Relaxed);
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
