//! Whether anything can be written in a directory: a file of its own is made, synced and removed.

use std::io;
use std::path::Path;

use pagewire_disk::{Disk, OpenMode};
use uuid::Uuid;

use crate::dir::PROBE_FILE;

/// More than a file system keeps in an inode.
const PROBE: [u8; 8192] = [0; 8192];

/// An error says why nothing can.
pub(crate) fn probe(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let file = dir.join(format!("{PROBE_FILE}{}", Uuid::new_v4().simple()));
    let open = disk.open(&file, OpenMode::CreateNew)?;
    let written = open.write_at(0, &PROBE).and_then(|()| open.sync_all());
    let removed = disk.remove_file(&file);
    written.and(removed).and_then(|()| disk.sync_dir(dir))
}
