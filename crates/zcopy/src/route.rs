//! Which way a piece travels. Pure: facts in, a route and its reason out.
//!
//! | piece | route | why |
//! |---|---|---|
//! | forced by configuration, not refused | that one | [`Why::Forced`] |
//! | on a socket that the kernel encrypts, where memory is not the cheaper way | ktls | [`Why::Encrypted`] |
//! | in a map | mmap | [`Why::Mapped`] |
//! | as long as a step of the thresholds reaches | that step's | [`Why::Small`] for copy, [`Why::Large`] else |
//! | not in the page cache, where that is to be passed by ([`ColdReads`](crate::ColdReads)) | direct | [`Why::Cold`] |
//! | any of these, refused | sendfile if that was not it and nothing was forced, else copy | [`Why::Refused`] |
//! | to a writer that is no socket ([`Transfer::write_to`](crate::Transfer::write_to_blocking)) | copy | [`Why::Writer`] |
//!
//! Where the steps lie is measured: see [`Thresholds`].

use crate::{Residency, Thresholds};

/// A way from a file to a socket. Each has a file of its own under `path/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// Read into a pooled, page-aligned buffer, and send that. Two copies. Always possible; what the others are tested
    /// against. Cheapest up to about 8 KiB.
    #[doc(alias = "read")]
    Copy,
    /// [`sendfile(2)`](<https://man7.org/linux/man-pages/man2/sendfile.2.html>): references to the page cache's pages
    /// go to the socket. No copy.
    #[doc(alias = "transferTo")]
    Sendfile,
    /// [`splice(2)`](<https://man7.org/linux/man-pages/man2/splice.2.html>) through a pooled pipe: as `sendfile`, in
    /// two calls, with the pipe's size as the portion. No copy.
    #[doc(alias = "splice")]
    Splice,
    /// `sendmsg(2)` out of a mapping of the file: one copy, into the socket. Pays where the map is kept:
    /// [`SendPlan::push_mapped`](crate::SendPlan::push_mapped).
    #[doc(alias = "mmap")]
    Mmap,
    /// `sendmsg(2)` with `MSG_ZEROCOPY`, <https://docs.kernel.org/networking/msg_zerocopy.html>, out of a mapping: no
    /// copy, unless the kernel reports that it copied after all. Blocking sockets only; on tokio it counts as refused.
    #[doc(alias = "MSG_ZEROCOPY")]
    Zerocopy,
    /// io_uring: read into a registered buffer (one copy), sent from there by `IORING_OP_SEND_ZC`,
    /// <https://man7.org/linux/man-pages/man3/io_uring_prep_send_zc.3.html>. Feature `uring`; TCP only.
    #[doc(alias = "IORING_OP_SEND_ZC")]
    #[doc(alias = "io_uring")]
    Uring,
    /// [`O_DIRECT`](<https://man7.org/linux/man-pages/man2/open.2.html>) into aligned buffers: the disk writes to them,
    /// the page cache is left as it is. One copy, into the socket; waits for the disk each time, on the I/O pool.
    #[doc(alias = "O_DIRECT")]
    Direct,
    /// `sendfile(2)` to a socket that the kernel encrypts, <https://docs.kernel.org/networking/tls.html>. Feature
    /// `ktls`. The set-up of TLS is the program's.
    #[doc(alias = "kTLS")]
    #[doc(alias = "TCP_ULP")]
    Ktls,
}

impl Route {
    /// Every route, in the order of [`index`](Self::index).
    pub const ALL: [Self; 8] = [
        Self::Copy,
        Self::Sendfile,
        Self::Splice,
        Self::Mmap,
        Self::Zerocopy,
        Self::Uring,
        Self::Direct,
        Self::Ktls,
    ];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`ALL`](Self::ALL) and in tables by route.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name, as configuration and metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Sendfile => "sendfile",
            Self::Splice => "splice",
            Self::Mmap => "mmap",
            Self::Zerocopy => "zerocopy",
            Self::Uring => "uring",
            Self::Direct => "direct",
            Self::Ktls => "ktls",
        }
    }

    /// The route of that name, as [`name`](Self::name) spells it; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A set of [`Route`]s. Copied as a number; empty by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteSet(u16);

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

    /// What is in it, in the order of [`Route::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Route> {
        Route::ALL.into_iter().filter(move |&route| self.contains(route))
    }
}

/// What was configured: the two of [`TransferOptions`](crate::TransferOptions) that decide about routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Take this route for every file piece, whatever its size, unless the kernel refuses it.
    pub forced: Option<Route>,
    /// Which route for which length, where none is forced.
    pub thresholds: Thresholds,
}

impl Policy {
    /// Whether any piece could be sent by `route`, if nothing refused.
    pub fn names(&self, route: Route) -> bool {
        match self.forced {
            Some(forced) => forced == route,
            None => self.thresholds.steps().iter().any(|step| step.route == route),
        }
    }
}

/// What kind of socket it is, as far as routes depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SocketKind {
    /// TCP or unix; the bytes leave as they are.
    #[default]
    Plain,
    /// TCP with kernel TLS for what is sent: the kernel encrypts.
    KernelTls,
}

/// Why a route was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Configuration said so.
    Forced,
    /// Short enough that copying is cheaper.
    Small,
    /// Long enough that not copying is cheaper.
    Large,
    /// The kernel encrypts what this socket sends.
    Encrypted,
    /// The piece lies in a map, see [`SendPlan::push_mapped`](crate::SendPlan::push_mapped).
    Mapped,
    /// The kernel refused what would have been better.
    Refused,
    /// What would have been better lacked something just then: a free buffer, or room in the socket.
    Shortage,
    /// It goes to a writer that is no socket of the kernel's.
    Writer,
    /// It was not in the page cache, and is not to come there.
    Cold,
    /// It comes from a socket, and the page cache copies whatever is written to it: nothing to be saved that way.
    Received,
}

impl std::fmt::Display for Why {
    /// In words, for a log line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Forced => "configured",
            Self::Small => "short enough to copy",
            Self::Large => "too long to copy",
            Self::Encrypted => "the kernel encrypts",
            Self::Mapped => "lies in a map",
            Self::Refused => "the kernel refused a better one",
            Self::Shortage => "a better one lacked room or a buffer",
            Self::Writer => "goes to a writer that is no socket",
            Self::Cold => "was not in the page cache",
            Self::Received => "the page cache copies what is written",
        })
    }
}

/// The route for a file piece of `len` bytes (the whole piece, whatever of it has gone already, so that a piece
/// does not change its way half-way).
pub fn choose(policy: Policy, socket: SocketKind, len: u64, refused: RouteSet) -> (Route, Why) {
    let (wanted, why) = match (policy.forced, policy.thresholds.route_for(len)) {
        (Some(route), _) => (route, Why::Forced),
        (None, Route::Copy) => (Route::Copy, Why::Small),
        (None, _) if socket == SocketKind::KernelTls => (Route::Ktls, Why::Encrypted),
        (None, route) => (route, Why::Large),
    };
    if !refused.contains(wanted) {
        return (wanted, why);
    }
    let second = match policy.forced {
        None if !refused.contains(Route::Sendfile) => Route::Sendfile,
        _ => Route::Copy,
    };
    (second, Why::Refused)
}

/// Whether the route for a file piece of `len` bytes hangs on the kind of socket: what is copied anyway does not.
pub fn depends_on_socket(policy: Policy, len: u64) -> bool {
    match policy.forced {
        Some(forced) => forced == Route::Ktls,
        None => policy.thresholds.route_for(len) != Route::Copy,
    }
}

/// Whether a range may be sent from the event loop now. What is cold, or cannot be told, is read ahead on the
/// [`IoPool`](crate::IoPool) first: a non-blocking socket does not make `sendfile` non-blocking.
pub fn may_send_now(residency: Residency) -> bool {
    residency == Residency::Resident
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SocketKind = SocketKind::Plain;

    fn auto() -> Policy {
        Policy { forced: None, thresholds: Thresholds::copy_up_to(8192) }
    }

    #[test]
    fn size_decides_at_the_threshold() {
        let none = RouteSet::default();
        assert_eq!(choose(auto(), PLAIN, 8192, none), (Route::Copy, Why::Small));
        assert_eq!(choose(auto(), PLAIN, 8193, none), (Route::Sendfile, Why::Large));
    }

    #[test]
    fn force_beats_size_and_a_refusal_beats_force() {
        let mut refused = RouteSet::default();
        let forced = Policy { forced: Some(Route::Sendfile), ..auto() };
        assert_eq!(choose(forced, PLAIN, 1, refused), (Route::Sendfile, Why::Forced));
        refused.insert(Route::Sendfile);
        assert_eq!(choose(forced, PLAIN, 1, refused), (Route::Copy, Why::Refused));
        assert_eq!(choose(auto(), PLAIN, 1 << 20, refused), (Route::Copy, Why::Refused));
        assert_eq!(choose(auto(), PLAIN, 1, refused), (Route::Copy, Why::Small));
    }

    #[test]
    fn what_thresholds_name_and_the_kernel_refuses_goes_by_sendfile_and_then_by_copy() {
        let splice =
            Policy { forced: None, thresholds: "8192 copy\nmax splice".parse().expect("thresholds") };
        let mut refused = RouteSet::default();
        assert_eq!(choose(splice, PLAIN, 9000, refused), (Route::Splice, Why::Large));
        refused.insert(Route::Splice);
        assert_eq!(choose(splice, PLAIN, 9000, refused), (Route::Sendfile, Why::Refused));
        refused.insert(Route::Sendfile);
        assert_eq!(choose(splice, PLAIN, 9000, refused), (Route::Copy, Why::Refused));
    }

    #[test]
    fn a_socket_the_kernel_encrypts_gets_large_pieces_its_own_way() {
        let none = RouteSet::default();
        assert_eq!(choose(auto(), SocketKind::KernelTls, 100, none), (Route::Copy, Why::Small));
        assert_eq!(choose(auto(), SocketKind::KernelTls, 1 << 20, none), (Route::Ktls, Why::Encrypted));
    }

    #[test]
    fn the_kind_of_socket_matters_only_to_what_is_not_copied_anyway() {
        assert!(depends_on_socket(auto(), 8193) && !depends_on_socket(auto(), 8192));
        let forced = |route| Policy { forced: Some(route), ..auto() };
        assert!(depends_on_socket(forced(Route::Ktls), 1));
        assert!(!depends_on_socket(forced(Route::Sendfile), 1 << 30));
    }

    #[test]
    fn a_policy_names_what_it_may_choose_and_force_hides_the_steps() {
        let ladder = Policy { forced: None, thresholds: "9 copy\nmax mmap".parse().expect("thresholds") };
        assert!(ladder.names(Route::Copy) && ladder.names(Route::Mmap) && !ladder.names(Route::Zerocopy));
        let forced = Policy { forced: Some(Route::Zerocopy), ..ladder };
        assert!(forced.names(Route::Zerocopy) && !forced.names(Route::Mmap));
    }

    #[test]
    fn names_and_places_are_unique_and_known() {
        for (index, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!((route.index(), Route::from_name(route.name())), (index, Some(route)));
        }
        assert_eq!(Route::from_name("carrier pigeon"), None);
    }

    #[test]
    fn only_what_is_resident_is_sent_from_the_event_loop() {
        assert!(may_send_now(Residency::Resident));
        assert!(!may_send_now(Residency::Cold) && !may_send_now(Residency::Unknown));
    }
}
