//! The file system of the data directory: what it is, how it is mounted, and what that means for a log.

use std::path::Path;

use super::mount::{Mount, mount_of};
use crate::finding::Finding;
use crate::{Plan, place, read};

const CHECK: &str = "file system";

/// Kinds of file system that a log can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On a drive, in place: what brokers are run on.
    Ordinary,
    /// On a drive, and never in place: every sync writes trees as well.
    CopyOnWrite,
    /// Memory.
    Memory,
    /// A container's own layer.
    Overlay,
    /// Another machine's, or a program's.
    Remote,
    /// Not known here.
    Unknown,
}

/// What kind a file system is, by the kernel's name for it.
pub(crate) fn kind_of(fs_type: &str) -> Kind {
    match fs_type {
        "ext2" | "ext3" | "ext4" | "xfs" | "f2fs" | "jfs" => Kind::Ordinary,
        "btrfs" | "zfs" | "bcachefs" => Kind::CopyOnWrite,
        "tmpfs" | "ramfs" | "devtmpfs" => Kind::Memory,
        "overlay" | "aufs" => Kind::Overlay,
        "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "glusterfs" | "9p" | "virtiofs" | "afs" | "lustre" => {
            Kind::Remote
        }
        name if name == "fuse" || name.starts_with("fuse.") || name == "fuseblk" => Kind::Remote,
        _ => Kind::Unknown,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    mount: Mount,
    /// ext4 keeps a journal; `None` where that cannot be told or does not apply.
    journal: Option<bool>,
    /// Errors that ext4 has noted in itself.
    errors: Option<u64>,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match mount_of(&place::nearest(&plan.data_dir)) {
        Ok(mount) => judge(&Facts { journal: journal(&mount), errors: errors(&mount), mount }),
        Err(error) => Finding::unseen(CHECK, &error),
    }]
}

/// Whether an ext4 file system has a journal.
pub(crate) fn journal(mount: &Mount) -> Option<bool> {
    ext4(mount, "journal_task").map(|task| task != "<none>")
}

fn errors(mount: &Mount) -> Option<u64> {
    ext4(mount, "errors_count")?.parse().ok()
}

/// What ext4 says of itself in `/sys`.
fn ext4(mount: &Mount, file: &str) -> Option<String> {
    let device = mount.device.as_ref().filter(|_| mount.fs_type == "ext4")?;
    let name = Path::new("/sys/dev/block").join(device).canonicalize().ok()?;
    read::text(Path::new("/sys/fs/ext4").join(name.file_name()?).join(file)).ok()
}

fn judge(facts: &Facts) -> Finding {
    let mount = &facts.mount;
    let mut found = format!("{} on {}, mounted at {}", mount.fs_type, mount.source, mount.point.display());
    if facts.journal == Some(false) {
        found += ", without a journal";
    }
    if let Some(errors) = facts.errors.filter(|errors| *errors > 0) {
        let advice =
            "copy the data away, unmount, and run e2fsck: what is written here may not be what is read";
        return Finding::broken(CHECK, format!("{found}; it has noted {errors} errors in itself"), advice);
    }
    if mount.has("ro") {
        let advice = "nothing can be written: mount it for writing, or choose another directory with --data-dir (a \
                      kernel that found errors mounts for reading only: dmesg)";
        return Finding::broken(CHECK, format!("{found}, for reading only"), advice);
    }
    let off = ["barrier=0", "nobarrier"].iter().find(|option| mount.has(option));
    if let Some(option) = off {
        let advice = "a sync does not reach the medium, so that a power cut takes acknowledged records: mount without \
                      that option unless the drive's cache is safe against it (a battery)";
        return Finding::broken(CHECK, format!("{found}, with {option}"), advice);
    }
    by_kind(facts, found)
}

fn by_kind(facts: &Facts, found: String) -> Finding {
    let fs_type = &facts.mount.fs_type;
    match kind_of(fs_type) {
        Kind::Ordinary if facts.journal == Some(false) => Finding::better(
            CHECK,
            found,
            "after a power cut it must be checked (e2fsck) before it is mounted, and what was not synced may come back \
             torn; what was synced is on the medium all the same: tune2fs -O has_journal on the unmounted device",
        ),
        Kind::Ordinary => Finding::ok(CHECK, found),
        Kind::CopyOnWrite => Finding::better(
            CHECK,
            found,
            "appends and syncs cost more than on xfs or ext4; on btrfs at least chattr +C on the empty directory",
        ),
        Kind::Memory => Finding::broken(
            CHECK,
            format!("{found}: memory"),
            "everything is gone when the machine stops, acknowledged with acks=all or not: choose a directory on a drive \
             with --data-dir, unless this is a test",
        ),
        Kind::Overlay => Finding::better(
            CHECK,
            format!("{found}: the container's own layer"),
            "the data goes when the container is removed: mount a volume, and name it with --data-dir",
        ),
        Kind::Remote => Finding::better(
            CHECK,
            format!("{found}: not a drive of this machine"),
            "locks, syncs and free space are what the other side makes of them, and a broken connection stops the \
             broker: a local drive is what it is made for",
        ),
        Kind::Unknown => Finding::better(
            CHECK,
            format!("{found}: nothing is known of it here"),
            "xfs and ext4 are what brokers are run on; the lines below say what this one can do",
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::State;

    pub(crate) fn mounted(fs_type: &str, options: &str) -> Mount {
        Mount {
            point: "/data".into(),
            fs_type: fs_type.to_owned(),
            source: "/dev/sda1".to_owned(),
            options: options.split(',').map(str::to_owned).collect(),
            device: Some("8:1".to_owned()),
        }
    }

    fn state(fs_type: &str, options: &str) -> State {
        judge(&Facts { mount: mounted(fs_type, options), journal: None, errors: None }).state
    }

    #[test]
    fn what_cannot_keep_a_record_is_broken() {
        assert_eq!(state("ext4", "rw,relatime"), State::Ok);
        for (fs_type, options) in
            [("ext4", "ro"), ("ext4", "rw,barrier=0"), ("xfs", "rw,nobarrier"), ("tmpfs", "rw")]
        {
            assert_eq!(state(fs_type, options), State::Broken, "{fs_type} {options}");
        }
    }

    #[test]
    fn what_is_warned_of_could_be_better() {
        for fs_type in ["btrfs", "zfs", "overlay", "nfs4", "9p", "fuse.sshfs", "hpfs"] {
            assert_eq!(state(fs_type, "rw"), State::CouldBeBetter, "{fs_type}");
        }
    }

    #[test]
    fn ext4_is_asked_for_its_journal_and_its_errors() {
        let facts = Facts { mount: mounted("ext4", "rw"), journal: Some(false), errors: Some(0) };
        assert_eq!(judge(&facts).state, State::CouldBeBetter);
        assert_eq!(judge(&Facts { journal: Some(true), ..facts.clone() }).state, State::Ok);
        let sick = judge(&Facts { errors: Some(3), ..facts });
        assert!(sick.state == State::Broken && sick.found.contains("3 errors"), "{sick:?}");
    }
}
