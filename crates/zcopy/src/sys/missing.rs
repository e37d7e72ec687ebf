//! Calls that only Linux has, elsewhere: refused, so that whoever asks takes its other way.

use std::io;

use crate::FileRef;

/// What cachestat would have told.
pub(crate) struct CacheStat {
    pub(crate) cached_pages: u64,
}

pub(crate) fn cachestat(_: FileRef<'_>, _: u64, _: u64) -> io::Result<CacheStat> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn all_in_core(_: FileRef<'_>, _: u64, _: u64) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn malloc_trim() -> bool {
    false
}

pub(crate) fn sync_file_range(_: FileRef<'_>, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
