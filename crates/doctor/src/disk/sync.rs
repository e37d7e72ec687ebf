//! fdatasync: how long it takes, and whether it can be true.
//!
//! Nobody without a power switch can prove that a sync reaches the medium. But a drive that says it holds writes in a
//! volatile cache must write before it answers, and physics has a least time for that: a sync that returns faster was
//! not carried out, or the cache is safe (a battery, capacitors) and nobody told the kernel.

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use super::sync_times::{Times, measure};
use super::{Block, Kind, blocks_under, kind_of, mount_of};
use crate::finding::Finding;
use crate::{Plan, place, words};

/// A sync of a drive that must write to flash cannot be faster.
const FLASH_LEAST: Duration = Duration::from_micros(50);
/// One that has to wait for a disk to turn cannot be faster.
const TURNING_LEAST: Duration = Duration::from_millis(1);
/// One sync in ten above this, or the longest of those few above that, is what producers with acks=all wait for.
const SLOW: Duration = Duration::from_millis(20);
const SLOWEST: Duration = Duration::from_millis(200);

/// What can be expected of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    /// It takes as long as such a drive needs.
    Plausible,
    /// It returns faster than a drive with a volatile cache can write.
    TooFast,
    /// There is no drive, or none that can be seen, or a hypervisor's that is slow enough: its time may be a network's.
    Untold,
}

/// How syncs behave here, once they were measured: for those who judge what an acknowledgement is worth.
pub(crate) type Measured = OnceLock<Honesty>;

/// The least that a true sync takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Least {
    time: Duration,
    /// It is a hypervisor's drive, which may take longer for other reasons than being true.
    is_virtual: bool,
}

pub(crate) fn look(plan: &Plan, measured: &Measured) -> Vec<Finding> {
    let dir = place::nearest(&plan.data_dir);
    vec![match probe(&dir) {
        Ok((times, kind, least)) => {
            measured.get_or_init(|| honesty(times.p50, least));
            judge(&times, kind, least)
        }
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

fn probe(dir: &Path) -> io::Result<(Times, Kind, Option<Least>)> {
    let times = measure(dir)?;
    let Ok(mount) = mount_of(dir) else { return Ok((times, Kind::Unknown, None)) };
    let kind = kind_of(&mount.fs_type);
    let blocks = mount.device.as_deref().map(blocks_under).unwrap_or_default();
    Ok((times, kind, least(kind, &blocks)))
}

/// The least time a sync can take if it is true; `None` where nothing can be said.
fn least(kind: Kind, blocks: &[Block]) -> Option<Least> {
    if kind != Kind::Ordinary {
        return None;
    }
    // A cache that is written through is said to be safe, so there is no least time.
    let volatile = || blocks.iter().filter(|block| block.write_cache.as_deref() == Some("write back"));
    let time =
        volatile().map(|block| if block.rotates && !block.is_virtual { TURNING_LEAST } else { FLASH_LEAST });
    Some(Least { time: time.max()?, is_virtual: volatile().any(|block| block.is_virtual) })
}

fn honesty(p50: Duration, least: Option<Least>) -> Honesty {
    match least {
        Some(least) if p50 < least.time => Honesty::TooFast,
        Some(Least { is_virtual: false, .. }) => Honesty::Plausible,
        Some(_) | None => Honesty::Untold,
    }
}

fn judge(times: &Times, kind: Kind, least: Option<Least>) -> Finding {
    let found = format!(
        "{} writes of 4 KiB, each synced: p50 {}, p90 {}, longest {}",
        times.count,
        words::time(times.p50),
        words::time(times.p90),
        words::time(times.max)
    );
    if let (Some(least), Honesty::TooFast) = (least, honesty(times.p50, least)) {
        let found = format!(
            "{found}: faster than the {} that such a drive needs at least, with a write cache that it calls volatile",
            words::time(least.time)
        );
        let advice = "acks=all may not survive a power cut: make sure that the drive's cache is protected, or that the \
                      hypervisor does not throw flushes away (cache=unsafe)";
        return Finding::better("fdatasync", found, advice);
    }
    if times.p90 > SLOW || times.max > SLOWEST {
        let advice = "producers with acks=all wait that long, if many share a sync too: a faster drive, a drive for the \
                      log alone, or less other work on this one";
        return Finding::better("fdatasync", found, advice);
    }
    Finding::ok("fdatasync", format!("{found}: {}", worth(kind, honesty(times.p50, least), least)))
}

/// What its time says of a sync.
fn worth(kind: Kind, honesty: Honesty, least: Option<Least>) -> &'static str {
    match (kind, honesty, least) {
        (Kind::Memory, ..) => "there is nothing to sync to, for this file system is memory",
        (Kind::Remote, ..) => "it is as true as whoever is behind this file system makes it",
        (Kind::CopyOnWrite, ..) => "at least, for such a file system spares a file without a name its log",
        (_, Honesty::Plausible, _) => "as long as a true one takes",
        (_, _, Some(_)) => "whether the hypervisor hands the flush on cannot be told from its time",
        (_, _, None) => "whether it is true cannot be told from its time here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn times(p50_us: u64, p90_us: u64) -> Times {
        let [p50, p90] = [p50_us, p90_us].map(Duration::from_micros);
        Times { count: 64, p50, p90, max: p90 }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as what is tested takes it")]
    fn real(time: Duration) -> Option<Least> {
        Some(Least { time, is_virtual: false })
    }

    #[expect(clippy::unnecessary_wraps, reason = "as what is tested takes it")]
    fn guest(time: Duration) -> Option<Least> {
        Some(Least { time, is_virtual: true })
    }

    fn drive(write_cache: &str, rotates: bool, is_virtual: bool) -> Block {
        Block {
            name: "x".to_owned(),
            model: None,
            is_virtual,
            rotates,
            write_cache: Some(write_cache.to_owned()),
            scheduler: None,
            sector_bytes: None,
            is_misaligned: false,
        }
    }

    #[test]
    fn a_sync_faster_than_its_drive_can_be_is_doubted() {
        let finding = judge(&times(20, 90), Kind::Ordinary, real(FLASH_LEAST));
        assert!(finding.state == State::CouldBeBetter && finding.advice.contains("power cut"), "{finding:?}");
        assert_eq!(judge(&times(200, 900), Kind::Ordinary, real(FLASH_LEAST)).state, State::Ok);
        assert_eq!(judge(&times(200, 900), Kind::Ordinary, real(TURNING_LEAST)).state, State::CouldBeBetter);
        assert_eq!(judge(&times(20, 90), Kind::Ordinary, None).state, State::Ok);
    }

    #[test]
    fn a_hypervisors_drive_is_doubted_if_too_fast_and_never_believed_for_its_time() {
        assert_eq!(honesty(Duration::from_micros(20), guest(FLASH_LEAST)), Honesty::TooFast);
        assert_eq!(honesty(Duration::from_micros(200), guest(FLASH_LEAST)), Honesty::Untold);
        let (guest, real) = (
            judge(&times(200, 900), Kind::Ordinary, guest(FLASH_LEAST)),
            judge(&times(200, 900), Kind::Ordinary, real(FLASH_LEAST)),
        );
        assert!(guest.found.contains("hypervisor hands the flush on cannot be told"), "{guest:?}");
        assert!(real.found.contains("as long as a true one takes"), "{real:?}");
    }

    #[test]
    fn a_time_is_told_for_what_it_is_worth_on_such_a_file_system() {
        for (kind, word) in [
            (Kind::Memory, "nothing to sync to"),
            (Kind::Remote, "behind this file system"),
            (Kind::CopyOnWrite, "at least"),
            (Kind::Overlay, "cannot be told"),
        ] {
            let finding = judge(&times(20, 90), kind, None);
            assert!(finding.state == State::Ok && finding.found.contains(word), "{finding:?}");
        }
    }

    #[test]
    fn what_was_measured_is_there_for_others_and_nothing_where_it_failed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (measured, failed) = (Measured::new(), Measured::new());
        let plan = Plan { data_dir: dir.path().into(), ..Plan::default() };
        look(&plan, &measured);
        assert!(measured.get().is_some());
        // Nobody can make a file there.
        look(&Plan { data_dir: "/proc".into(), ..plan }, &failed);
        assert_eq!(failed.get(), None);
    }

    #[test]
    fn one_slow_sync_in_ten_or_a_very_slow_one_could_be_better() {
        assert_eq!(judge(&times(300, 25_000), Kind::Ordinary, None).state, State::CouldBeBetter);
        let longest =
            |max| judge(&Times { max: Duration::from_millis(max), ..times(300, 900) }, Kind::Ordinary, None);
        assert_eq!(longest(250).state, State::CouldBeBetter);
        assert_eq!(longest(190).state, State::Ok);
        assert!(
            longest(190).found.contains("p50 300 µs, p90 900 µs, longest 190.0 ms"),
            "{:?}",
            longest(190)
        );
    }

    #[test]
    fn a_sync_that_fails_is_broken_unless_this_user_may_not_try() {
        assert_eq!(failed(&io::ErrorKind::StorageFull.into()).state, State::Broken);
        assert_eq!(failed(&io::ErrorKind::PermissionDenied.into()).state, State::CouldBeBetter);
    }

    #[test]
    fn only_a_volatile_cache_has_a_least_time() {
        assert_eq!(least(Kind::Ordinary, &[drive("write through", true, false)]), None);
        assert_eq!(least(Kind::Ordinary, &[drive("write back", true, false)]), real(TURNING_LEAST));
        assert_eq!(least(Kind::Ordinary, &[drive("write back", true, true)]), guest(FLASH_LEAST));
        assert_eq!(least(Kind::CopyOnWrite, &[drive("write back", false, false)]), None);
        assert_eq!(least(Kind::Memory, &[drive("write back", false, false)]), None);
        assert_eq!(least(Kind::Ordinary, &[]), None);
    }
}
