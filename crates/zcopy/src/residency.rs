//! Whether a range of a file can be read without waiting for a disk.
//!
//! Three ways to ask, each tried where the one before is not to be had:
//!
//! | rung | us for 4 KiB / 1 MiB, hot | what it cannot tell |
//! |---|---|---|
//! | `cachestat(2)` and one probe | 1.5 / 10 (0.4 and no probe, when cold) | which pages are still being read |
//! | `mincore(2)` of a temporary map, and one probe | 7 / 47 | anything about a file that is not the caller's: not asked then |
//! | a probe every 64 KiB, and of the last byte | 2 / 17 | what lies between; more than 4 MiB |
//!
//! A probe is a one-byte `preadv2(2)` with `RWF_NOWAIT`: exact for its page, about 1 us when it is there, and 12 us
//! when not (it may start the read). `cachestat` counts pages whose read is still under way, so all pages counted means
//! only that they were asked for; the last one arrives last, and the probe of its last byte tells whether it has. Where
//! the file system knows no `RWF_NOWAIT`, all pages counted is the best answer there is.
//!
//! `cachestat` is missing before Linux 6.5, and refuses files neither owned nor writable. Of such files `mincore` says
//! that every page is there, so it is asked only about those that the process owns or has open for writing.
//!
//! The answer may be stale a moment later. It decides where to read, never what is read.

use std::fs::File;
use std::io;

use crate::os::{self, FileRef};
use crate::sys;

/// Distance between probes where nothing else tells.
const PROBE_EVERY: u64 = 64 * 1024;
/// So many probes at most; a longer range is not known.
const PROBES_MAX: u64 = 64;
/// The longest range that `mincore` is asked about: 64 maps, one after another.
const MINCORE_MAX: u64 = 1 << 30;

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

/// Who told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToldBy {
    /// `cachestat(2)`, <https://man7.org/linux/man-pages/man2/cachestat.2.html>.
    Cachestat,
    /// `mincore(2)`, <https://man7.org/linux/man-pages/man2/mincore.2.html>.
    Mincore,
    /// Single bytes read by `preadv2(2)`, <https://man7.org/linux/man-pages/man2/preadv2.2.html>.
    Probes,
    /// Nobody was asked: there are no bytes in the range, or no such bytes.
    Nobody,
}

/// The rungs to try. All, but for tests.
#[derive(Debug, Clone, Copy)]
struct Rungs {
    cachestat: bool,
    mincore: bool,
}

const ALL: Rungs = Rungs { cachestat: true, mincore: true };

/// Asks about `len` bytes of `file` from `offset`. Does not wait; a probe of a cold page may start its read.
///
/// Bytes behind the end of the file are not in the cache, so a range that reaches beyond it is `Cold`. The answer may
/// be stale a moment later: let it decide where to read, and never what is read.
///
/// `cachestat(2)`, <https://man7.org/linux/man-pages/man2/cachestat.2.html>, else `mincore(2)`, else probes by
/// `preadv2(2)` with `RWF_NOWAIT`; 1.5 us for 4 KiB that are there, 10 us for a MiB.
#[doc(alias = "isLoaded")]
#[doc(alias = "mincore")]
#[doc(alias = "fincore")]
pub fn residency(file: &File, offset: u64, len: u64) -> Residency {
    residency_of(os::file_ref(file), offset, len)
}

/// As [`residency`], and tells who told: which of the ways works for this file on this system.
///
/// ```
/// use pagewire_zcopy::{ToldBy, residency_told};
///
/// let program = std::fs::File::open("/proc/self/exe")?;
/// let (residency, told_by) = residency_told(&program, 0, 4096);
/// println!("{residency:?}, says {told_by:?}");
/// assert_ne!(told_by, ToldBy::Nobody);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn residency_told(file: &File, offset: u64, len: u64) -> (Residency, ToldBy) {
    ask(ALL, os::file_ref(file), offset, len)
}

pub(crate) fn residency_of(file: FileRef<'_>, offset: u64, len: u64) -> Residency {
    ask(ALL, file, offset, len).0
}

fn ask(rungs: Rungs, file: FileRef<'_>, offset: u64, len: u64) -> (Residency, ToldBy) {
    let Some(last) = len.checked_sub(1).and_then(|rest| offset.checked_add(rest)) else {
        return (if len == 0 { Residency::Resident } else { Residency::Unknown }, ToldBy::Nobody);
    };
    let counted = (rungs.cachestat.then(|| by_cachestat(file, offset, len)).flatten())
        .map(|all| (all, ToldBy::Cachestat))
        .or_else(|| by_mincore(rungs, file, offset, len).map(|all| (all, ToldBy::Mincore)));
    match counted {
        Some((false, told_by)) => (Residency::Cold, told_by),
        // A file system that holds every page and cannot say "not yet" has nothing better to offer.
        Some((true, told_by)) => match probe(file, last) {
            Residency::Unknown => (Residency::Resident, told_by),
            known => (known, told_by),
        },
        None => (probe_along(file, offset, last), ToldBy::Probes),
    }
}

/// Whether all pages are there; `None` where that is not to be had.
fn by_cachestat(file: FileRef<'_>, offset: u64, len: u64) -> Option<bool> {
    let page = sys::page_size();
    let pages = (offset + (len - 1)) / page - offset / page + 1;
    sys::cachestat(file, offset, len).ok().map(|stat| stat.cached_pages >= pages)
}

/// The same.
fn by_mincore(rungs: Rungs, file: FileRef<'_>, offset: u64, len: u64) -> Option<bool> {
    let worth_asking = rungs.mincore && len <= MINCORE_MAX && os::is_ours(file);
    worth_asking.then(|| sys::all_in_core(file, offset, len).ok()).flatten()
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

#[cfg(all(test, target_os = "linux"))]
#[path = "residency_tests.rs"]
mod tests;
