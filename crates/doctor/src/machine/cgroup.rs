//! What the control group that this process is in may use: cgroup v2, and v1 where that is mounted.
//!
//! A limit of any group above binds as well, so the tightest counts. In a container the path that the kernel names may
//! lie outside of what is mounted; then the mount itself is the group.

use std::path::{Path, PathBuf};

use crate::read;

/// A v1 limit of at least this many bytes is none: the kernel writes the largest number of pages it can count.
const UNLIMITED_FROM: u64 = 1 << 62;

/// The tightest limits found; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory_bytes: Option<u64>,
    /// Processors' worth of time.
    pub(super) processors: Option<f64>,
}

/// Reads them. What cannot be read limits nothing that could be told.
pub(super) fn limits() -> Limits {
    let groups = read::text("/proc/self/cgroup").unwrap_or_default();
    let mounts = read::text("/proc/self/mountinfo").unwrap_or_default();
    let mut limits = Limits::default();
    for dir in directories(&groups, &mounts) {
        let file = |name: &str| read::text(dir.join(name)).ok();
        let memory = file("memory.max").or_else(|| file("memory.limit_in_bytes"));
        tighten(&mut limits.memory_bytes, memory.as_deref().and_then(memory_limit));
        let processors = file("cpu.max").and_then(|text| quota_v2(&text)).or_else(|| {
            // -1 is no limit, and no number of this kind.
            quota(file("cpu.cfs_quota_us")?.parse().ok()?, file("cpu.cfs_period_us")?.parse().ok()?)
        });
        tighten(&mut limits.processors, processors);
    }
    limits
}

fn tighten<T: PartialOrd>(limit: &mut Option<T>, found: Option<T>) {
    if let Some(found) = found
        && limit.as_ref().is_none_or(|limit| found < *limit)
    {
        *limit = Some(found);
    }
}

/// Every directory with files of a group that this process is in.
fn directories(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let Some(mount) = mounts.lines().find_map(|line| mounted(line, controllers)) else { continue };
        let group = mount.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|dir| dir.starts_with(&mount));
        found.extend(above.map(Path::to_path_buf));
    }
    found
}

/// Where a line of mountinfo mounts the hierarchy of `controllers` (none: v2).
fn mounted(line: &str, controllers: &str) -> Option<PathBuf> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (fs_type, options) = (kind.next()?, kind.nth(1)?);
    let is_it = match controllers {
        "" => fs_type == "cgroup2",
        names => {
            let wanted = names.split(',').next()?;
            fs_type == "cgroup" && options.split(',').any(|option| option == wanted)
        }
    };
    is_it.then(|| place.split(' ').nth(4).map(PathBuf::from))?
}

fn memory_limit(text: &str) -> Option<u64> {
    text.parse().ok().filter(|bytes| *bytes < UNLIMITED_FROM)
}

/// `cpu.max`: `200000 100000`, or `max 100000`.
fn quota_v2(text: &str) -> Option<f64> {
    let (quota_us, period_us) = text.split_once(' ')?;
    quota(quota_us.parse().ok()?, period_us.parse().ok()?)
}

/// Processors' worth of time.
fn quota(quota_us: u32, period_us: u32) -> Option<f64> {
    (quota_us > 0 && period_us > 0).then(|| f64::from(quota_us) / f64::from(period_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_and_those_above_it_are_found_in_both_versions() {
        let mounts = "30 27 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 27 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let groups = "4:memory:/a/b\n0::/c\n7:pids:/x";
        let expected = ["memory/a/b", "memory/a", "memory", "unified/c", "unified"];
        let expected = expected.map(|name| Path::new("/sys/fs/cgroup").join(name));
        assert_eq!(directories(groups, mounts), expected);
    }

    #[test]
    fn what_is_unlimited_is_no_limit() {
        assert_eq!((memory_limit("max"), memory_limit("9223372036854771712")), (None, None));
        assert_eq!(memory_limit("1048576"), Some(1 << 20));
        assert_eq!((quota_v2("max 100000"), quota(0, 100_000)), (None, None));
        assert_eq!(quota_v2("150000 100000"), Some(1.5));
    }

    #[test]
    fn the_tightest_limit_counts() {
        let mut limit = None;
        for found in [Some(3), None, Some(2), Some(5)] {
            tighten(&mut limit, found);
        }
        assert_eq!(limit, Some(2));
    }
}
