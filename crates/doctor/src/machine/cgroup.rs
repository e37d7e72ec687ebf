//! What the control group of the broker may use, while one runs on the data directory; else that of whoever asks stands
//! in, and it is said. cgroup v2, and v1 where that is mounted.
//!
//! A limit of any group above binds as well, so the tightest counts. In a container the path that the kernel names may
//! lie outside of what is mounted; then the mount itself is the group.

use std::path::{Path, PathBuf};

use crate::limits::whose;
use crate::read;

/// Where each version keeps its files: the limit, what is used, and what of `memory.stat` the kernel can drop at once,
/// counted with the groups below as the other two are.
const MEMORY: [[&str; 3]; 2] = [
    ["memory.max", "memory.current", "inactive_file"],
    ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
];

/// A v1 limit of at least this many bytes is none: the kernel writes the largest number of pages it can count.
const UNLIMITED_FROM: u64 = 1 << 62;

/// The tightest limits found; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory_bytes: Option<u64>,
    /// Bytes of memory that are left. It may be another group that leaves the least.
    pub(super) memory_left: Option<u64>,
    /// Processors' worth of time.
    pub(super) processors: Option<f64>,
}

/// The limits for a broker on `data_dir`, and whose they are: what may use so much.
pub(super) fn limits(data_dir: &Path) -> (Limits, String) {
    match whose::holder(data_dir) {
        Some(holder) => (of(&holder.pid.to_string()), format!("the control group of {},", holder.name)),
        None => (of("self"), "this shell's control group".to_owned()),
    }
}

/// Reads those of a process. What cannot be read limits nothing that could be told.
fn of(process: &str) -> Limits {
    let groups = read::text(format!("/proc/{process}/cgroup")).unwrap_or_default();
    let mounts = read::text("/proc/self/mountinfo").unwrap_or_default();
    let mut limits = Limits::default();
    for dir in directories(&groups, &mounts) {
        let file = |name: &str| read::text(dir.join(name)).ok();
        let (memory, left) = memory(file).unwrap_or_default();
        tighten(&mut limits.memory_bytes, memory);
        tighten(&mut limits.memory_left, left);
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

/// Every directory with files of a group that the process is in.
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

/// The limit of one group, and what is left of it: pages of files that nobody used lately count as left, for they are
/// dropped when memory is wanted. Neither where there is no limit.
fn memory(file: impl Fn(&str) -> Option<String>) -> Option<(Option<u64>, Option<u64>)> {
    let [limit, used, droppable] = MEMORY.into_iter().find(|[limit, ..]| file(limit).is_some())?;
    let limit = memory_limit(&file(limit)?)?;
    let left = || {
        let used: u64 = file(used)?.parse().ok()?;
        let droppable = stat(&file("memory.stat")?, droppable)?;
        Some(limit.saturating_sub(used.saturating_sub(droppable)))
    };
    Some((Some(limit), left()))
}

fn memory_limit(text: &str) -> Option<u64> {
    text.parse().ok().filter(|bytes| *bytes < UNLIMITED_FROM)
}

/// A line of `memory.stat`: `inactive_file 4096`.
fn stat(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
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
    fn what_is_left_of_a_limit_includes_what_can_be_dropped_in_both_versions() {
        let v2 = |name: &str| match name {
            "memory.max" => Some("1000"),
            "memory.current" => Some("900"),
            "memory.stat" => Some("anon 5\ninactive_file 300\nactive_file 7"),
            _ => None,
        };
        let v1 = |name: &str| match name {
            "memory.limit_in_bytes" => Some("1000"),
            "memory.usage_in_bytes" => Some("900"),
            "memory.stat" => Some("inactive_file 1\ntotal_inactive_file 300"),
            _ => None,
        };
        let of = |files: &dyn Fn(&str) -> Option<&'static str>| memory(|name| files(name).map(str::to_owned));
        for files in [&v2 as &dyn Fn(&str) -> Option<&'static str>, &v1] {
            assert_eq!(of(files), Some((Some(1000), Some(400))));
            // What is used is not told: the limit is.
            let silent = |name: &str| files(name).filter(|_| name != "memory.stat");
            assert_eq!(of(&silent), Some((Some(1000), None)));
        }
        let unlimited = |name: &str| if name == "memory.max" { Some("max") } else { v2(name) };
        assert_eq!((of(&unlimited), of(&|_| None)), (None, None));
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
