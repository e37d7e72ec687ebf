//! Where the lab makes the file that is sent.

use std::path::{Path, PathBuf};

use crate::Usage;

/// File systems that hold files in memory only: nothing on them is ever cold, and no disk is measured.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// The directory that was asked for, or the current one, unless that lies in memory.
pub(super) fn of(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = asked {
        if !dir.is_dir() {
            return Err(Usage(format!("--file-dir {}: no such directory", dir.display())).into());
        }
        return Ok(dir.to_owned());
    }
    let here = std::env::current_dir()?;
    let kind = pagewire_lab::machine::file_system(&here);
    if IN_MEMORY.contains(&kind.as_str()) {
        let words = format!("the current directory lies in memory ({kind}): say --file-dir DIR to mean it");
        return Err(Usage(words).into());
    }
    Ok(here)
}
