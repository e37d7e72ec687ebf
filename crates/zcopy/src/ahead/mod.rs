//! Bringing what is cold into the page cache, on threads that may wait, ahead of whoever sends it.
//!
//! ```text
//!   file   ....|========== stretch ==========|========== stretch ==========|....
//!              '--- touched ---> done         '- begun when the sender passes the middle of the one before
//!          sender --> waits for `done`, never for a disk
//! ```
//!
//! A stretch is touched front first: `sendfile(2)` to `/dev/null` waits for every page without a byte being copied, and
//! makes the kernel read ahead on its own, in large folios, which cost less than half of the CPU of
//! `POSIX_FADV_WILLNEED` (measured, in turns: 0.3 to 0.4 against 0.74 to 1.0 s per GB, sending and receiving included).
//! The sender stays behind what was touched, so that it meets neither a page under way nor the mark at which the kernel
//! would have it start the next read.
//!
//! Of one cold piece a stretch is part. Where the page before it is in the cache somebody reads on and on, and the
//! stretch goes on behind the piece: the next plan finds it here ([`Streams`]).

mod blocking;
#[cfg(feature = "tokio")]
mod streams;
#[cfg(feature = "tokio")]
mod stretch;

pub use blocking::read_ahead_blocking;
#[cfg(feature = "tokio")]
pub(crate) use streams::Streams;
#[cfg(feature = "tokio")]
pub(crate) use stretch::Stretch;
