//! The mount that a directory lies on, as `/proc/self/mountinfo` tells it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

use crate::read;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Such as `ext4`.
    pub(crate) fs_type: String,
    /// Such as `/dev/vda1`; for some file systems only a word.
    pub(crate) source: String,
    /// Options of the mount and of the file system.
    pub(crate) options: Vec<String>,
    /// The block device, `major:minor`; `None` where there is none.
    pub(crate) device: Option<String>,
}

impl Mount {
    /// Whether an option is set, with its value if it has one: `ro`, `barrier=0`.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|set| set == option)
    }
}

/// The mount of `dir`, which must be a canonical path.
pub(crate) fn mount_of(dir: &Path) -> io::Result<Mount> {
    let table = read::text("/proc/self/mountinfo")?;
    let mut mount = find(&table, dir).ok_or(io::ErrorKind::NotFound)?;
    // File systems over several devices (btrfs) have a number of their own; their source is one of the devices.
    if mount.device.is_none()
        && mount.source.starts_with("/dev/")
        && let Ok(source) = Path::new(&mount.source).metadata()
    {
        mount.device = Some(format!("{}:{}", major(source.rdev()), minor(source.rdev())));
    }
    Ok(mount)
}

/// The line with the longest mount point above `dir`; of equal ones the last, which hides the others.
fn find(table: &str, dir: &Path) -> Option<Mount> {
    let above = table.lines().filter_map(parse).filter(|mount| dir.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.as_os_str().len())
}

/// `27 1 254:0 / /mnt rw,relatime shared:1 - ext4 /dev/vda rw,discard`
fn parse(line: &str) -> Option<Mount> {
    let (place, system) = line.split_once(" - ")?;
    let mut place = place.split(' ');
    let device = place.nth(2)?;
    let point = unescape(place.nth(1)?);
    let mount_options = place.next()?;
    let mut system = system.split(' ');
    let (fs_type, source, fs_options) = (system.next()?, system.next()?, system.next().unwrap_or_default());
    let options = mount_options.split(',').chain(fs_options.split(','));
    Some(Mount {
        point: PathBuf::from(point),
        fs_type: fs_type.to_owned(),
        source: unescape(source),
        options: options.map(str::to_owned).collect(),
        device: Some(device).filter(|device| !device.starts_with("0:")).map(str::to_owned),
    })
}

/// Blanks and such are written as `\040`.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let (Some(code), Some(behind)) = (code, after.get(3..)) {
            plain.push(char::from(code));
            rest = behind;
        } else {
            plain.push('\\');
            rest = after;
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
                         40 27 0:40 / /data rw - tmpfs tmpfs rw,size=1m\n\
                         41 27 8:1 / /data ro,noatime shared:3 - xfs /dev/sda1 rw\n\
                         42 27 0:44 / /my\\040disk rw - btrfs /dev/sdb rw";

    #[test]
    fn the_nearest_mount_counts_and_of_equal_ones_the_last() {
        let mount = find(TABLE, Path::new("/data/log")).expect("found");
        assert_eq!((mount.fs_type.as_str(), mount.device.as_deref()), ("xfs", Some("8:1")));
        assert!(mount.has("ro") && mount.has("noatime") && !mount.has("size=1m"));
        let root = find(TABLE, Path::new("/database")).expect("found");
        assert_eq!((root.point.as_path(), root.source.as_str()), (Path::new("/"), "/dev/vda"));
    }

    #[test]
    fn blanks_in_names_are_read_and_numbers_without_a_device_are_none() {
        let mount = find(TABLE, Path::new("/my disk")).expect("found");
        assert_eq!((mount.fs_type.as_str(), mount.device), ("btrfs", None));
        assert_eq!(unescape(r"a\134b\"), r"a\b\");
    }

    #[test]
    fn the_root_is_mounted() {
        assert!(mount_of(Path::new("/")).is_ok());
    }
}
