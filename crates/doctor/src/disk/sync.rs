//! fdatasync: how long it takes, and whether it can be true.
//!
//! Nobody without a power switch can prove that a sync reaches the medium. But a drive that says it holds writes in a
//! volatile cache must write before it answers, and physics has a least time for that: a sync that returns faster was
//! not carried out, or the cache is safe (a battery, capacitors) and nobody told the kernel.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Block, Kind, blocks_under, kind_of, mount_of};
use crate::finding::Finding;
use crate::{Plan, place, words};

/// Writes that are synced, one by one.
const SYNCS_MAX: usize = 64;
/// No more is begun after this time.
const LIMIT: Duration = Duration::from_millis(1500);
/// Bytes of each: a small batch.
const BYTES: usize = 4096;
/// A sync of a drive that must write to flash cannot be faster.
const FLASH_LEAST: Duration = Duration::from_micros(50);
/// One that has to wait for a disk to turn cannot be faster.
const TURNING_LEAST: Duration = Duration::from_millis(1);
/// A typical sync above this, or the slowest of a hundred above that, is what producers with acks=all wait for.
const SLOW: Duration = Duration::from_millis(20);
const SLOWEST: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    count: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

/// What can be expected of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    /// It takes as long as such a drive needs.
    Plausible,
    /// It returns faster than a drive with a volatile cache can write.
    TooFast,
    /// There is no drive, or none that can be seen: time tells nothing.
    Untold,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let dir = place::nearest(&plan.data_dir);
    vec![match probe(&dir) {
        Ok((times, least)) => judge(&times, least),
        Err(error) => failed(&error),
    }]
}

fn failed(error: &io::Error) -> Finding {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Finding::unseen("fdatasync", error);
    }
    Finding::broken(
        "fdatasync",
        format!("a small file could not be written and synced: {error}"),
        "records cannot be kept here: see the lines space, file system and data directory",
    )
}

fn probe(dir: &Path) -> io::Result<(Times, Option<Duration>)> {
    let times = measure(dir)?;
    let least = mount_of(dir).ok().and_then(|mount| {
        let blocks = mount.device.as_deref().map(blocks_under).unwrap_or_default();
        least(kind_of(&mount.fs_type), &blocks)
    });
    Ok((times, least))
}

/// What the syncs of a directory look like, for those who judge what an acknowledgement is worth.
pub(crate) fn honesty_of(dir: &Path) -> io::Result<Honesty> {
    probe(dir).map(|(times, least)| honesty(times.p50, least))
}

/// Appends to a file and syncs each time. The file has a name, since some file systems skip the work for one without, and
/// loses it at the end.
fn measure(dir: &Path) -> io::Result<Times> {
    let file = tempfile::Builder::new().prefix(".doctor-").tempfile_in(dir);
    // What the file would have been called says nothing to anybody.
    let file = file.map_err(|error| io::Error::from(error.kind()))?;
    let end = Instant::now() + LIMIT;
    let mut times = Vec::with_capacity(SYNCS_MAX);
    while times.len() < SYNCS_MAX && Instant::now() < end {
        file.as_file().write_all_at(&[0x5a; BYTES], (times.len() * BYTES) as u64)?;
        let begin = Instant::now();
        file.as_file().sync_data()?;
        times.push(begin.elapsed());
    }
    file.close()?;
    summary(times).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn summary(mut times: Vec<Duration>) -> Option<Times> {
    times.sort_unstable();
    let at =
        |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1)).copied();
    Some(Times { count: times.len(), p50: at(50)?, p99: at(99)?, max: *times.last()? })
}

/// The least time a sync can take if it is true; `None` where nothing can be said.
fn least(kind: Kind, blocks: &[Block]) -> Option<Duration> {
    if !matches!(kind, Kind::Ordinary | Kind::CopyOnWrite) {
        return None;
    }
    // A cache that is written through is said to be safe, so there is no least time.
    let volatile = blocks.iter().filter(|block| block.write_cache.as_deref() == Some("write back"));
    volatile.map(|block| if block.rotates && !block.is_virtual { TURNING_LEAST } else { FLASH_LEAST }).max()
}

fn honesty(p50: Duration, least: Option<Duration>) -> Honesty {
    match least {
        Some(least) if p50 < least => Honesty::TooFast,
        Some(_) => Honesty::Plausible,
        None => Honesty::Untold,
    }
}

fn judge(times: &Times, least: Option<Duration>) -> Finding {
    let found = format!(
        "{} writes of 4 KiB, each synced: p50 {}, p99 {}, longest {}",
        times.count,
        words::time(times.p50),
        words::time(times.p99),
        words::time(times.max)
    );
    if let (Some(least), Honesty::TooFast) = (least, honesty(times.p50, least)) {
        let found = format!(
            "{found}: faster than the {} that such a drive needs at least, with a write cache that it calls volatile",
            words::time(least)
        );
        let advice = "acks=all may not survive a power cut: make sure that the drive's cache is protected, or that the \
                      hypervisor does not throw flushes away (cache=unsafe)";
        return Finding::better("fdatasync", found, advice);
    }
    if times.p50 > SLOW || times.p99 > SLOWEST {
        let advice = "producers with acks=all wait that long, if many share a sync too: a faster drive, a drive for the \
                      log alone, or less other work on this one";
        return Finding::better("fdatasync", found, advice);
    }
    let found = match honesty(times.p50, least) {
        Honesty::Plausible => format!("{found}: as long as a true one takes"),
        _ => format!("{found}: whether it is true cannot be told from its time here"),
    };
    Finding::ok("fdatasync", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn times(p50_us: u64, p99_us: u64) -> Times {
        let [p50, p99] = [p50_us, p99_us].map(Duration::from_micros);
        Times { count: 64, p50, p99, max: p99 }
    }

    fn drive(write_cache: &str, rotates: bool, is_virtual: bool) -> Block {
        Block {
            name: "x".to_owned(),
            model: None,
            is_virtual,
            rotates,
            write_cache: Some(write_cache.to_owned()),
            scheduler: None,
            read_ahead: None,
        }
    }

    #[test]
    fn a_sync_faster_than_its_drive_can_be_is_doubted() {
        let finding = judge(&times(20, 90), Some(FLASH_LEAST));
        assert!(finding.state == State::CouldBeBetter && finding.advice.contains("power cut"), "{finding:?}");
        assert_eq!(judge(&times(200, 900), Some(FLASH_LEAST)).state, State::Ok);
        assert_eq!(judge(&times(200, 900), Some(TURNING_LEAST)).state, State::CouldBeBetter);
        assert_eq!(judge(&times(20, 90), None).state, State::Ok);
    }

    #[test]
    fn a_slow_sync_could_be_better() {
        assert_eq!(judge(&times(25_000, 30_000), None).state, State::CouldBeBetter);
        assert_eq!(judge(&times(300, 250_000), None).state, State::CouldBeBetter);
    }

    #[test]
    fn a_sync_that_fails_is_broken_unless_this_user_may_not_try() {
        assert_eq!(failed(&io::ErrorKind::StorageFull.into()).state, State::Broken);
        assert_eq!(failed(&io::ErrorKind::PermissionDenied.into()).state, State::CouldBeBetter);
    }

    #[test]
    fn only_a_volatile_cache_has_a_least_time() {
        assert_eq!(least(Kind::Ordinary, &[drive("write through", true, false)]), None);
        assert_eq!(least(Kind::Ordinary, &[drive("write back", true, false)]), Some(TURNING_LEAST));
        assert_eq!(least(Kind::Ordinary, &[drive("write back", true, true)]), Some(FLASH_LEAST));
        assert_eq!(least(Kind::Memory, &[drive("write back", false, false)]), None);
        assert_eq!(least(Kind::Ordinary, &[]), None);
    }

    #[test]
    fn the_middle_and_the_hundredth_are_of_the_sorted_times() {
        let summary = summary((1..=100).rev().map(Duration::from_micros).collect()).expect("times");
        let [p50, p99, max] = [50, 99, 100].map(Duration::from_micros);
        assert_eq!(summary, Times { count: 100, p50, p99, max });
        assert_eq!(super::summary(Vec::new()), None);
    }

    #[test]
    fn the_file_that_is_synced_is_gone_afterwards() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(measure(dir.path()).expect("measured").count > 0);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }
}
