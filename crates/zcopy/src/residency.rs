//! Whether a range of a file can be read without waiting for a disk.
//!
//! `cachestat(2)` answers for the whole range but counts pages whose read is still under way; a one-byte
//! `preadv2(2)` with `RWF_NOWAIT` answers exactly, for its page. Together: all pages present, and the last one,
//! which arrives last, readable now. Costs about 0.5 us plus 1 us for a range in large folios. Where cachestat is
//! missing (before Linux 6.5, or a file neither owned nor writable), single bytes are probed along the range.
//!
//! The answer may be stale a moment later. It decides where to read, never what is read.

use std::fs::File;
use std::io;

use crate::os::{self, FileRef};
use crate::sys;

/// Distance between probes where cachestat is missing.
const PROBE_EVERY: u64 = 64 * 1024;
/// So many probes at most; a longer range is not known.
const PROBES_MAX: u64 = 64;

/// What is known about a range of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residency {
    /// In the page cache, as far as can be told: reading will not wait.
    Resident,
    /// At least one page is not there, or is still being read.
    Cold,
    /// The system cannot tell.
    Unknown,
}

/// Asks about `len` bytes of `file` from `offset`. Does not wait; a probe of a cold page may start its read.
///
/// Bytes behind the end of the file are not in the cache, so a range that reaches beyond it is `Cold`.
pub fn residency(file: &File, offset: u64, len: u64) -> Residency {
    residency_of(os::file_ref(file), offset, len)
}

pub(crate) fn residency_of(file: FileRef<'_>, offset: u64, len: u64) -> Residency {
    let Some(last) = len.checked_sub(1).and_then(|rest| offset.checked_add(rest)) else {
        return if len == 0 { Residency::Resident } else { Residency::Unknown };
    };
    let present = match sys::cachestat(file, offset, len) {
        Ok(stat) => stat.cached_pages,
        Err(_) => return probe_along(file, offset, last),
    };
    let page = sys::page_size();
    if present < last / page - offset / page + 1 {
        return Residency::Cold;
    }
    match probe(file, last) {
        // A file system that holds every page and cannot say "not yet" has nothing better to offer.
        Residency::Unknown => Residency::Resident,
        known => known,
    }
}

/// Probes one byte every [`PROBE_EVERY`] bytes, and the last.
fn probe_along(file: FileRef<'_>, offset: u64, last: u64) -> Residency {
    let steps = (last - offset) / PROBE_EVERY;
    if steps >= PROBES_MAX {
        return Residency::Unknown;
    }
    (0..=steps)
        .map(|step| offset + step * PROBE_EVERY)
        .chain([last])
        .map(|at| probe(file, at))
        .find(|&answer| answer != Residency::Resident)
        .unwrap_or(Residency::Resident)
}

/// Reads one byte without waiting.
fn probe(file: FileRef<'_>, at: u64) -> Residency {
    match os::read_now(file, &mut [0], at) {
        Ok(_) => Residency::Resident,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Residency::Cold,
        Err(_) => Residency::Unknown,
    }
}
