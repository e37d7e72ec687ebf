//! The numbers of tracepoints, which tracefs knows. Where nobody has mounted it, it is mounted for this one reading,
//! at no place in the file system: the mount is gone with its descriptor.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, bail};
use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::read::head;

/// Where it is mounted, if it is.
const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// A description of an event is a page or two.
const DESCRIPTION_MAX: u64 = 64 << 10;

/// A file of tracefs as text, such as `events/kmem/mm_page_alloc/format`.
pub(super) fn read(path: &str) -> anyhow::Result<String> {
    for root in USUAL {
        if let Ok(text) = head(Path::new(root).join(path), DESCRIPTION_MAX) {
            return Ok(text);
        }
    }
    let mount = mount().context("tracefs can be neither read nor mounted")?;
    let file = openat(mount.as_fd(), path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).take(DESCRIPTION_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The number of an event, such as `raw_syscalls/sys_enter`.
pub(super) fn event_id(event: &str) -> anyhow::Result<u64> {
    let text = read(&format!("events/{event}/id"))?;
    text.trim().parse().with_context(|| format!("the number of {event}"))
}

/// Where `field` lies in the raw record of an event, and how long it is.
pub(super) fn field(event: &str, field: &str) -> anyhow::Result<(usize, usize)> {
    match find_field(&read(&format!("events/{event}/format"))?, field) {
        Some(place) => Ok(place),
        None => bail!("{event} has no field {field}"),
    }
}

/// Reads `field:unsigned int order;\toffset:16;\tsize:4;\tsigned:0;`.
fn find_field(format: &str, name: &str) -> Option<(usize, usize)> {
    format.lines().find_map(|line| {
        let mut parts = line.trim().split(';').map(str::trim);
        let declared = parts.next()?.strip_prefix("field:")?;
        if declared.split_whitespace().last()? != name {
            return None;
        }
        let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
        let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
        Some((offset, size))
    })
}

fn mount() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_the_kernels_description() {
        let format = "name: mm_page_alloc\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
                      \tfield:unsigned int order;\toffset:16;\tsize:4;\tsigned:0;\n\nprint fmt: \"order=%d\"\n";
        assert_eq!(find_field(format, "order"), Some((16, 4)));
        assert_eq!(find_field(format, "pfn"), None);
        assert_eq!(find_field("field:;offset", "order"), None);
    }
}
