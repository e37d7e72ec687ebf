//! Where a run takes place: what has to be known of a machine to make sense of its figures.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use crate::read;
use crate::record::{DirtyLimits, Machine};

/// The kernel's counters of its memory, and of its limits as they are now, in pages.
const COUNTERS: &str = "/proc/vmstat";
/// What small files of the kernel hold at most; of `cpuinfo` the first CPU is enough.
const SMALL_BYTES: u64 = 16 << 10;
/// Some hundred bytes for each mount, of which a machine full of containers has thousands.
const MOUNTS_BYTES: u64 = 4 << 20;

/// Describes this machine, now. `dir` is where the measured file lies. The network's part (congestion control,
/// offloads) is for whoever knows which sockets are measured: see [`Machine::with_network`].
pub fn here(dir: &Path) -> Machine {
    let system = rustix::system::uname();
    let congestion = text("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned();
    Machine {
        kernel: system.release().to_string_lossy().into_owned(),
        cpu: cpu_name(&text("/proc/cpuinfo"))
            .unwrap_or_else(|| system.machine().to_string_lossy().into_owned()),
        cpus: std::thread::available_parallelism().map_or(1, NonZero::get),
        memory_mib: memory_bytes() >> 20,
        congestion_control: congestion.clone(),
        congestion_control_default: congestion,
        offloads: BTreeMap::new(),
        file_system: file_system(dir),
        dirty: dirty(),
        load: text("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        began: jiff::Timestamp::now().to_string(),
    }
}

impl Machine {
    /// The same, with what the measured sockets use.
    #[must_use]
    pub fn with_network(
        self,
        congestion_control: &str,
        congestion_control_default: &str,
        offloads: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            congestion_control: congestion_control.to_owned(),
            congestion_control_default: congestion_control_default.to_owned(),
            offloads: offloads.clone(),
            ..self
        }
    }
}

/// What cannot be read is not known, and no reason to measure nothing.
fn text(path: &str) -> String {
    read::head(path, SMALL_BYTES).unwrap_or_default()
}

fn memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    // Its fields' width is that of the machine's words.
    #[allow(clippy::useless_conversion, reason = "a conversion only where words are narrower")]
    u64::from(info.totalram).saturating_mul(u64::from(info.mem_unit))
}

/// How much may be dirty on this machine now, where the kernel tells.
/// <https://www.kernel.org/doc/html/latest/admin-guide/sysctl/vm.html> says what that is made of.
pub fn dirty() -> Option<DirtyLimits> {
    dirty_of(&text(COUNTERS), rustix::param::page_size() as u64)
}

fn dirty_of(counters: &str, page_bytes: u64) -> Option<DirtyLimits> {
    let mib = |name: &str| {
        let pages = counters.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(pages.parse::<u64>().ok()?.checked_mul(page_bytes)? >> 20)
    };
    Some(DirtyLimits {
        background_mib: mib("nr_dirty_background_threshold")?,
        foreground_mib: mib("nr_dirty_threshold")?,
    })
}

fn cpu_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that `dir` lies on, such as `ext4`. `unknown` where the kernel does not say.
pub fn file_system(dir: &Path) -> String {
    let mounts = read::head("/proc/self/mountinfo", MOUNTS_BYTES).unwrap_or_default();
    mount_id(dir).and_then(|id| file_system_of(id, &mounts)).unwrap_or_else(|| "unknown".to_owned())
}

/// The number of the mount that `dir` lies on: exact where names can hide each other or be written in several ways.
fn mount_id(dir: &Path) -> Option<u64> {
    let told = statx(CWD, dir, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    (told.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(told.stx_mnt_id)
}

/// `27 1 254:0 / /mnt rw,relatime shared:1 - ext4 /dev/vda rw,discard`. Blanks in names are escaped.
fn file_system_of(mount: u64, mountinfo: &str) -> Option<String> {
    let line = mountinfo
        .lines()
        .find(|line| line.split_once(' ').and_then(|(id, _)| id.parse().ok()) == Some(mount))?;
    let (_, system) = line.split_once(" - ")?;
    system.split(' ').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / rw - ext4 /dev/sda rw\n\
                          23 22 0:5 / /my\\040disk rw shared:1 - tmpfs tmpfs rw\n\
                          24 23 8:2 / /my\\040disk rw - xfs /dev/sdb rw\nnonsense\n";

    #[test]
    fn the_file_system_is_that_of_the_mount_whatever_it_is_called() {
        for (id, kind) in [(22, Some("ext4")), (23, Some("tmpfs")), (24, Some("xfs")), (2, None)] {
            assert_eq!(file_system_of(id, MOUNTS).as_deref(), kind, "{id}");
        }
    }

    #[test]
    fn a_directory_is_told_by_the_mount_it_lies_on_where_the_kernel_tells() {
        match mount_id(Path::new("/proc")) {
            Some(_) => assert_eq!(file_system(Path::new("/proc/self")), "proc"),
            None => assert_eq!(file_system(Path::new("/proc/self")), "unknown"),
        }
        assert_eq!(file_system(Path::new("/nowhere/at/all")), "unknown");
    }

    #[test]
    fn how_much_may_be_dirty_is_told_in_pages() {
        let counters = "nr_dirty 7\nnr_dirty_threshold 1132184\nnr_dirty_background_threshold 565400\nx 1\n";
        let limits = DirtyLimits { background_mib: 2208, foreground_mib: 4422 };
        assert_eq!(dirty_of(counters, 4096), Some(limits));
        for untold in ["", "nr_dirty_threshold 9\n", &counters.replace("565400", "many")] {
            assert_eq!(dirty_of(untold, 4096), None, "{untold}");
        }
    }

    #[test]
    fn this_machine_has_a_kernel_memory_and_cpus() {
        let machine = here(Path::new("."));
        assert!(!cfg!(target_os = "linux") || machine.dirty.is_some(), "{machine:?}");
        assert!(!machine.kernel.is_empty() && machine.memory_mib > 0 && machine.cpus > 0, "{machine:?}");
        assert!(machine.began.contains('T'), "{}", machine.began);
    }
}
