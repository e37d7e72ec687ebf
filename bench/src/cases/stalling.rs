//! A disk that answers no write for a while, now and then: an ext4 of its own in a file, which the kernel is asked to freeze
//! (ioctl_fs(2), FIFREEZE), so that whoever writes to it waits.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::beside::Until;

const STALL: Duration = Duration::from_millis(200);
const BETWEEN: Duration = Duration::from_millis(300);
const IMAGE_BYTES: u64 = 1 << 30;

/// Whether an ext4 may be mounted and frozen.
pub(super) fn can_be_had() -> Result<()> {
    let slow = Slow::mount()?;
    slow.freeze()?;
    slow.thaw()
}

/// A file system in a file, mounted for as long as this lives.
pub(super) struct Slow {
    dir: TempDir,
}

impl Slow {
    pub(super) fn mount() -> Result<Self> {
        let slow = Self { dir: tempfile::Builder::new().prefix("pagewire-slow-").tempdir()? };
        std::fs::File::create(slow.image())?.set_len(IMAGE_BYTES)?;
        std::fs::create_dir(slow.mounted())?;
        done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(slow.image()))?;
        done(Command::new("mount").args(["-o", "loop"]).arg(slow.image()).arg(slow.mounted()))?;
        std::fs::create_dir(slow.dir())?;
        Ok(slow)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    /// A log directory: the root of a file system has another directory in it.
    pub(super) fn dir(&self) -> PathBuf {
        self.mounted().join("logs")
    }

    fn freeze(&self) -> Result<()> {
        done(Command::new("fsfreeze").arg("--freeze").arg(self.mounted()))
    }

    fn thaw(&self) -> Result<()> {
        done(Command::new("fsfreeze").arg("--unfreeze").arg(self.mounted()))
    }

    /// Stalls it now and then; how often.
    pub(super) fn stall(&self, until: &Until) -> Result<f64> {
        let mut stalls = 0.0;
        while !until.is_over() {
            self.freeze()?;
            thread::sleep(STALL);
            self.thaw()?;
            stalls += 1.0;
            thread::sleep(BETWEEN);
        }
        Ok(stalls)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // One that is not frozen cannot be thawed, and one that was never mounted cannot be unmounted: both may be so.
        let _ = self.thaw();
        let _ = done(Command::new("umount").arg(self.mounted()));
    }
}

fn done(command: &mut Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let told = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be run"))?;
    ensure!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stderr).trim());
    Ok(())
}
