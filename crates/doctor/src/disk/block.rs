//! Block devices in `/sys`: what lies under a file system, down to the drives.

use std::fs;
use std::path::{Path, PathBuf};

use crate::read;

/// Layers (partition, LVM, RAID, encryption) that are gone down.
const DEPTH_MAX: usize = 6;
/// Drives that are told.
const DRIVES_MAX: usize = 16;

/// A drive, or what looks like one from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The kernel's name, such as `nvme0n1`.
    pub(crate) name: String,
    /// What it calls itself.
    pub(crate) model: Option<String>,
    /// A hypervisor's: what is behind it cannot be seen.
    pub(crate) is_virtual: bool,
    /// It turns. Drives of hypervisors say so without meaning it.
    pub(crate) rotates: bool,
    /// `write back`: it holds writes in a cache until it is told to flush; `write through`: the kernel need not tell
    /// it.
    pub(crate) write_cache: Option<String>,
    /// The scheduler in force.
    pub(crate) scheduler: Option<String>,
    /// Bytes of a block as it is addressed, and as the drive writes it.
    pub(crate) sector_bytes: Option<(u64, u64)>,
    /// What lies on it begins in the middle of a block that the drive writes whole.
    pub(crate) is_misaligned: bool,
}

impl Block {
    /// What its write cache says of itself is a drive's word, not that of a file or of another machine behind it.
    pub(crate) fn is_drive(&self) -> bool {
        const OTHERS: [&str; 6] = ["loop", "nbd", "rbd", "drbd", "ram", "zram"];
        !OTHERS.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

/// The drives under the device `major:minor`. Empty where `/sys` does not tell.
pub(crate) fn blocks_under(device: &str) -> Vec<Block> {
    let mut found = Vec::new();
    if let Ok(dir) = Path::new("/sys/dev/block").join(device).canonicalize() {
        descend(&dir, DEPTH_MAX, &mut found);
    }
    found
}

/// The name of the device `major:minor` itself, whatever it is made of, and the bytes that are read ahead on it.
pub(crate) fn read_ahead_of(device: &str) -> Option<(String, u64)> {
    read_ahead_in(&Path::new("/sys/dev/block").join(device).canonicalize().ok()?)
}

fn read_ahead_in(dir: &Path) -> Option<(String, u64)> {
    let dir = whole(dir);
    let kib = read::number(dir.join("queue/read_ahead_kb")).ok()?;
    Some((dir.file_name()?.to_string_lossy().into_owned(), kib.checked_mul(1024)?))
}

fn descend(dir: &Path, depth: usize, found: &mut Vec<Block>) {
    let whole = whole(dir);
    let below = slaves(whole);
    if below.is_empty() || depth == 0 {
        let block = block(whole, dir);
        if found.len() < DRIVES_MAX && !found.contains(&block) {
            found.push(block);
        }
        return;
    }
    for dir in below {
        descend(&dir, depth - 1, found);
    }
}

/// What is divided into partitions, if this is one: it lies in the directory of its drive.
fn whole(dir: &Path) -> &Path {
    if dir.join("partition").exists() { dir.parent().unwrap_or(dir) } else { dir }
}

/// What a device of several is made of.
fn slaves(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir.join("slaves")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.path().canonicalize().ok()).collect()
}

/// The drive `dir`, of which `part` is used: a partition, or all of it.
fn block(dir: &Path, part: &Path) -> Block {
    let file = |name: &str| read::text(dir.join(name)).ok().filter(|text| !text.is_empty());
    let number = |name: &str| read::number(dir.join(name)).ok();
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let vendor = file("device/vendor").filter(|vendor| !vendor.starts_with("0x"));
    let model = [vendor, file("device/model")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Block {
        is_virtual: is_virtual(&name, &model),
        model: Some(model).filter(|model| !model.is_empty()),
        rotates: file("queue/rotational").is_some_and(|text| text == "1"),
        write_cache: file("queue/write_cache"),
        scheduler: file("queue/scheduler").map(|text| read::chosen(&text).to_owned()),
        sector_bytes: number("queue/logical_block_size").zip(number("queue/physical_block_size")),
        // -1 where no partition could be aligned.
        is_misaligned: read::text(part.join("alignment_offset")).is_ok_and(|text| text != "0"),
        name,
    }
}

/// Whether a hypervisor made it, by the names they use.
fn is_virtual(name: &str, model: &str) -> bool {
    const MAKERS: [&str; 6] = ["QEMU", "VMware", "Virtual", "VBOX", "Google", "Amazon"];
    ["vd", "xvd"].iter().any(|prefix| name.starts_with(prefix))
        || MAKERS.iter().any(|maker| model.contains(maker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_of_hypervisors_are_known_by_their_names() {
        assert!(is_virtual("vda", "") && is_virtual("xvdb", ""));
        assert!(is_virtual("sda", "QEMU HARDDISK") && is_virtual("nvme0n1", "Amazon Elastic Block Store"));
        assert!(!is_virtual("sda", "ATA ST4000NM000A") && !is_virtual("nvme0n1", "SAMSUNG MZQL2"));
    }

    #[test]
    fn layers_are_gone_down_to_the_drives() {
        let dir = tempfile::tempdir().expect("a directory");
        let make = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        make("sda/sda1/partition", "1");
        make("sda/sda1/alignment_offset", "1536");
        make("sda/alignment_offset", "0");
        make("sda/queue/logical_block_size", "512");
        make("sda/queue/physical_block_size", "4096");
        make("sda/queue/write_cache", "write back\n");
        make("sda/queue/rotational", "1");
        make("sda/queue/scheduler", "none [bfq]");
        make("sda/queue/read_ahead_kb", "128");
        make("dm-0/queue/read_ahead_kb", "16");
        fs::create_dir_all(dir.path().join("dm-0/slaves")).expect("made");
        std::os::unix::fs::symlink(dir.path().join("sda/sda1"), dir.path().join("dm-0/slaves/sda1"))
            .expect("linked");
        let mut found = Vec::new();
        descend(&dir.path().join("dm-0"), DEPTH_MAX, &mut found);
        let expected = Block {
            name: "sda".to_owned(),
            model: None,
            is_virtual: false,
            rotates: true,
            write_cache: Some("write back".to_owned()),
            scheduler: Some("bfq".to_owned()),
            sector_bytes: Some((512, 4096)),
            is_misaligned: true,
        };
        assert_eq!(found, [expected]);
        // What is read ahead is asked of the volume, not of the drive that has a figure of its own.
        let read_ahead = |name| read_ahead_in(&dir.path().join(name));
        assert_eq!(read_ahead("dm-0"), Some(("dm-0".to_owned(), 16 << 10)));
        assert_eq!(read_ahead("sda/sda1"), Some(("sda".to_owned(), 128 << 10)));
    }

    #[test]
    fn a_device_that_sys_does_not_know_has_no_drives() {
        assert!(blocks_under("9999:0").is_empty());
    }
}
