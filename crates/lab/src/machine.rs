//! Where a run takes place: what has to be known of a machine to make sense of its figures.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;

use crate::record::Machine;

/// Describes this machine, now. `dir` is where the measured file lies. The network's part (congestion control,
/// offloads) is for whoever knows which sockets are measured: see [`Machine::with_network`].
pub fn here(dir: &Path) -> Machine {
    let system = rustix::system::uname();
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned();
    Machine {
        kernel: system.release().to_string_lossy().into_owned(),
        cpu: cpu_name(&read("/proc/cpuinfo"))
            .unwrap_or_else(|| system.machine().to_string_lossy().into_owned()),
        cpus: std::thread::available_parallelism().map_or(1, NonZero::get),
        memory_mib: memory_bytes() >> 20,
        congestion_control: congestion.clone(),
        congestion_control_default: congestion,
        offloads: BTreeMap::new(),
        file_system: file_system(dir),
        load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
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
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    // Its fields' width is that of the machine's words.
    #[allow(clippy::useless_conversion, reason = "a conversion only where words are narrower")]
    u64::from(info.totalram).saturating_mul(u64::from(info.mem_unit))
}

fn cpu_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the file system that `dir` lies on, such as `ext4`.
pub fn file_system(dir: &Path) -> String {
    let path = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    file_system_of(&path, &read("/proc/self/mountinfo")).unwrap_or_else(|| "unknown".to_owned())
}

/// The longest mount point above `path`; of several at one place the last, which hides the others.
fn file_system_of(path: &Path, mountinfo: &str) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?, source.split(' ').next()?))
    });
    let above = mounts.filter(|(place, _)| path.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / rw - ext4 /dev/sda rw\n\
                          23 22 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n\
                          24 23 8:2 / /tmp rw - xfs /dev/sdb rw\nnonsense\n";

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_above() {
        for (path, kind) in [("/home/x", "ext4"), ("/tmp/x", "xfs"), ("/tmpx", "ext4")] {
            assert_eq!(file_system_of(Path::new(path), MOUNTS).as_deref(), Some(kind), "{path}");
        }
        assert_eq!(file_system_of(Path::new("/"), ""), None);
    }

    #[test]
    fn this_machine_has_a_kernel_memory_and_cpus() {
        let machine = here(Path::new("."));
        assert!(!machine.kernel.is_empty() && machine.memory_mib > 0 && machine.cpus > 0, "{machine:?}");
        assert!(machine.began.contains('T'), "{}", machine.began);
    }
}
