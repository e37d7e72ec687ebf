//! What a route needs done before it can send, and what takes longer than an event loop may wait.

#[cfg(feature = "tokio")]
use std::fs::File;

#[cfg(feature = "tokio")]
use crate::Route;
use crate::path::direct::Fetch;

/// Work for a thread that may wait; `Transfer::do_first` does it.
#[derive(Debug)]
pub(crate) enum Offload {
    /// A read past the page cache.
    Fetch(Fetch),
    /// The transfer's ring, to be set up.
    #[cfg(feature = "uring")]
    Ring,
}

#[cfg(feature = "tokio")]
impl Offload {
    /// Whose work it is.
    pub(crate) fn route(&self) -> Route {
        match self {
            Self::Fetch(_) => Route::Direct,
            #[cfg(feature = "uring")]
            Self::Ring => Route::Uring,
        }
    }

    /// The file that it reads, if it reads one.
    #[cfg_attr(
        not(feature = "uring"),
        expect(clippy::unnecessary_wraps, reason = "what reads nothing is a route of its own")
    )]
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Self::Fetch(fetch) => Some(fetch.file()),
            #[cfg(feature = "uring")]
            Self::Ring => None,
        }
    }

    /// Whether it reads a file.
    pub(crate) fn is_read(&self) -> bool {
        self.file().is_some()
    }
}
