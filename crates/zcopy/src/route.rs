//! Which way a piece travels. Pure: facts in, a route and its reason out.
//!
//! | piece | route | why |
//! |---|---|---|
//! | forced by configuration, not refused | that one | [`Why::Forced`] |
//! | at most `copy_max_bytes` long | copy, joined with its neighbours in one call | [`Why::Small`] |
//! | longer | sendfile | [`Why::Large`] |
//! | longer, sendfile refused | copy | [`Why::Refused`] |
//!
//! A copy of up to about 8 KiB is cheaper than the page references of `sendfile` (measured: 0.7 to 0.95 times
//! the CPU at 1 to 8 KiB, 1.3 to 2.5 times from 32 KiB to 1 MiB).

use crate::Residency;

/// A way from a file to a socket. Each has a file of its own under `path/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// Read into a pooled, page-aligned buffer, and send that. Always possible; what the others are tested
    /// against.
    Copy,
    /// `sendfile(2)`: references to the page cache's pages go to the socket.
    Sendfile,
}

impl Route {
    /// Every route, in the order of [`index`](Self::index).
    pub const ALL: [Self; 2] = [Self::Copy, Self::Sendfile];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`ALL`](Self::ALL) and in tables by route.
    pub const fn index(self) -> usize {
        match self {
            Self::Copy => 0,
            Self::Sendfile => 1,
        }
    }

    /// Its name, as configuration and metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Sendfile => "sendfile",
        }
    }

    /// The route of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

/// A set of [`Route`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteSet(u8);

impl RouteSet {
    /// Whether `route` is in it.
    pub fn contains(self, route: Route) -> bool {
        self.0 & (1 << route.index()) != 0
    }

    /// Puts `route` in.
    pub fn insert(&mut self, route: Route) {
        self.0 |= 1 << route.index();
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Take this route for every file piece, whatever its size, unless the kernel refuses it.
    pub forced: Option<Route>,
    /// File pieces of at most this many bytes are copied.
    pub copy_max_bytes: u32,
}

/// Why a route was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Configuration said so.
    Forced,
    /// Short enough that copying is cheaper.
    Small,
    /// Long enough that not copying is cheaper.
    Large,
    /// The kernel refused what would have been better.
    Refused,
}

/// The route for a file piece of `len` bytes (the whole piece, whatever of it has gone already, so that a piece
/// does not change its way half-way).
pub fn choose(policy: Policy, len: u64, refused: RouteSet) -> (Route, Why) {
    let (wanted, why) = match policy.forced {
        Some(route) => (route, Why::Forced),
        None if len <= u64::from(policy.copy_max_bytes) => (Route::Copy, Why::Small),
        None => (Route::Sendfile, Why::Large),
    };
    if refused.contains(wanted) { (Route::Copy, Why::Refused) } else { (wanted, why) }
}

/// Whether a range may be sent from the event loop now. What is cold, or cannot be told, is read ahead on the
/// [`IoPool`](crate::IoPool) first: a non-blocking socket does not make `sendfile` non-blocking.
pub fn may_send_now(residency: Residency) -> bool {
    residency == Residency::Resident
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTO: Policy = Policy { forced: None, copy_max_bytes: 8192 };

    #[test]
    fn size_decides_at_the_threshold() {
        let none = RouteSet::default();
        assert_eq!(choose(AUTO, 8192, none), (Route::Copy, Why::Small));
        assert_eq!(choose(AUTO, 8193, none), (Route::Sendfile, Why::Large));
    }

    #[test]
    fn force_beats_size_and_a_refusal_beats_force() {
        let mut refused = RouteSet::default();
        let forced = Policy { forced: Some(Route::Sendfile), ..AUTO };
        assert_eq!(choose(forced, 1, refused), (Route::Sendfile, Why::Forced));
        refused.insert(Route::Sendfile);
        assert_eq!(choose(forced, 1, refused), (Route::Copy, Why::Refused));
        assert_eq!(choose(AUTO, 1 << 20, refused), (Route::Copy, Why::Refused));
        assert_eq!(choose(AUTO, 1, refused), (Route::Copy, Why::Small));
    }

    #[test]
    fn names_and_indexes_are_a_bijection() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!((route.index(), Route::from_name(route.name())), (at, Some(route)));
        }
        assert_eq!(Route::from_name("carrier pigeon"), None);
    }

    #[test]
    fn only_what_is_known_resident_is_sent_at_once() {
        assert!(may_send_now(Residency::Resident));
        assert!(!may_send_now(Residency::Cold) && !may_send_now(Residency::Unknown));
    }
}
