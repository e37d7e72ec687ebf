//! What moving a stretch of a file came to.

use crate::Route;
use crate::route::Why;
use crate::stats::Sent;

/// The answer of the `transfer_to` and `transfer_from` family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// Bytes moved.
    pub bytes: u64,
    /// The way that the last of them took; [`Route::Copy`] where there were none.
    pub route: Route,
    /// Why that way.
    pub why: Why,
    /// System calls that moved bytes or tried to.
    pub calls: u64,
    /// Times the socket was not ready. Of a transfer that does not wait, 1 is why it stopped.
    pub would_block: u64,
    /// Whether the end was reached: the file has nothing behind the bytes moved (or, of `transfer_from`, the peer sends
    /// no more).
    pub eof: bool,
}

impl Transferred {
    /// Out of what a sending did.
    pub(crate) fn of(sent: &Sent, bytes: u64, eof: bool) -> Self {
        let (route, why) = sent.last_route.unwrap_or((Route::Copy, Why::Small));
        Self { bytes, route, why, calls: sent.calls, would_block: sent.would_block, eof }
    }
}
