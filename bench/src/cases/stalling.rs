//! A disk that answers no write for a while, now and then: an ext4 of its own in a file, which the kernel is asked to freeze
//! (ioctl_fs(2), FIFREEZE), so that whoever writes to it waits.
//!
//! ```text
//!   Slow ── a pipe ──▶ guard (sh), in a process group of its own: thaws, unmounts and removes when the pipe ends
//! ```
//!
//! One that stays frozen would hold everybody who syncs, and the kernel closes the pipe of whoever ends, by Ctrl-C, by SIGTERM
//! and by SIGKILL: so the guard works for all of them, and is also what a `Slow` that is dropped leaves it to. The commands that
//! mount and freeze hold the pipe too: what they were at is over before the guard begins. Whoever thaws runs before anything is
//! frozen, and so does the guard's: where no process can be made any more, none has to be.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::beside::Until;

const STALL: Duration = Duration::from_millis(200);
const BETWEEN: Duration = Duration::from_millis(300);
const MOUNTED: &str = "mounted";
const IMAGE_BYTES: u64 = 1 << 30;

/// Thaws a mount point at the end of its pipe, as the process that it is. What it is fed is nothing.
const THAW: &str = r#"read -r _; exec fsfreeze --unfreeze "$1""#;
/// How often a thaw is tried, and what is between two tries: others may free the memory that it takes.
const THAWS: usize = 10;
const AGAIN: Duration = Duration::from_millis(500);

/// What the guard does with a mount point and the folder that it is in. One that is not frozen cannot be thawed, and one that was
/// never mounted cannot be unmounted: both may be so. A broker that still runs on it goes on without a name for it.
const GUARD: &str = r#"
    exec 3<&0
    (read -r _ <&3; exec fsfreeze --unfreeze "$1") &
    wait
    umount "$1" || umount --lazy "$1"
    rm -rf --one-file-system "$2"
"#;

/// Whether an ext4 may be mounted and frozen.
pub(super) fn can_be_had() -> Result<()> {
    Slow::mount()?.freeze_for(Duration::ZERO)
}

/// A file system in a file, mounted for as long as this lives.
pub(super) struct Slow {
    dir: TempDir,
    /// Waits for the end of what it is fed.
    guard: Child,
}

impl Slow {
    pub(super) fn mount() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("pagewire-slow-").tempdir()?;
        let slow = Self { guard: guard(&dir.path().join(MOUNTED), dir.path())?, dir };
        std::fs::File::create(slow.image())?.set_len(IMAGE_BYTES)?;
        std::fs::create_dir(slow.mounted())?;
        slow.done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(slow.image()))?;
        slow.done(Command::new("mount").args(["-o", "loop"]).arg(slow.image()).arg(slow.mounted()))?;
        std::fs::create_dir(slow.dir())?;
        Ok(slow)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.dir.path().join(MOUNTED)
    }

    /// A log directory: the root of a file system has another directory in it.
    pub(super) fn dir(&self) -> PathBuf {
        self.mounted().join("logs")
    }

    fn freeze(&self) -> Result<()> {
        self.done(Command::new("fsfreeze").arg("--freeze").arg(self.mounted()))
    }

    fn thaw(&self) -> Result<()> {
        self.done(Command::new("fsfreeze").arg("--unfreeze").arg(self.mounted()))
    }

    /// Freezes it for so long.
    fn freeze_for(&self, length: Duration) -> Result<()> {
        let thaw = self.who_thaws()?;
        if let Err(why) = self.freeze() {
            // Nothing is frozen: it has nothing to say.
            let _ = thaw.wait_with_output();
            return Err(why);
        }
        thread::sleep(length);
        // Waiting ends its pipe.
        let thawed = thaw.wait_with_output().is_ok_and(|told| told.status.success());
        if thawed { Ok(()) } else { self.thaw_at_last() }
    }

    /// Somebody who thaws it as soon as nobody has the other end of its pipe.
    fn who_thaws(&self) -> Result<Child> {
        let mut thaw = Command::new("sh");
        thaw.args(["-c", THAW, "thaw"]).arg(self.mounted());
        thaw.stdin(Stdio::piped()).stdout(self.pipe()?).stderr(Stdio::null());
        thaw.spawn().context("sh cannot be run")
    }

    /// Thaws it where whoever was to do that could not.
    fn thaw_at_last(&self) -> Result<()> {
        for _ in 1..THAWS {
            if self.thaw().is_ok() {
                return Ok(());
            }
            thread::sleep(AGAIN);
        }
        self.thaw()
    }

    /// Runs a command to its end, before which the guard does nothing.
    fn done(&self, command: &mut Command) -> Result<()> {
        let name = command.get_program().display().to_string();
        let told = command.stdin(self.pipe()?).output().with_context(|| format!("{name} cannot be run"))?;
        ensure!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stderr).trim());
        Ok(())
    }

    /// The guard's: it does nothing as long as somebody has it.
    fn pipe(&self) -> Result<OwnedFd> {
        Ok(self.guard.stdin.as_ref().context("the guard is gone")?.as_fd().try_clone_to_owned()?)
    }

    /// Stalls it now and then; how often.
    pub(super) fn stall(&self, until: &Until) -> Result<f64> {
        let mut stalls = 0.0;
        while !until.is_over() {
            self.freeze_for(STALL)?;
            stalls += 1.0;
            thread::sleep(BETWEEN);
        }
        Ok(stalls)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // Waiting ends its pipe.
        let _ = self.guard.wait();
    }
}

/// Starts whoever thaws and unmounts, once this process has ended or wants it. Ctrl-C is for this process's group alone.
fn guard(mounted: &Path, dir: &Path) -> Result<Child> {
    let mut guard = Command::new("sh");
    guard.args(["-c", GUARD, "guard"]).arg(mounted).arg(dir);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    guard.spawn().context("sh cannot be run")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None where an ext4 cannot be mounted.
    fn slow() -> Option<Slow> {
        Slow::mount().inspect_err(|why| eprintln!("no ext4 can be mounted here: {why:#}")).ok()
    }

    #[test]
    fn one_that_was_frozen_for_a_while_is_thawed_by_somebody_who_ran_before() {
        let Some(slow) = slow() else { return };
        let mut thaw = slow.who_thaws().unwrap();
        slow.freeze().unwrap();
        slow.freeze().expect_err("it is frozen already");
        assert!(thaw.wait().unwrap().success());
        // Who stays frozen can be frozen no second time.
        (0..2).for_each(|_| slow.freeze_for(Duration::ZERO).unwrap());
        slow.thaw().expect_err("nothing is frozen any more");
    }

    #[test]
    fn one_that_is_frozen_is_thawed_and_gone_when_whoever_froze_it_ends() {
        let Some(mut slow) = slow() else { return };
        slow.freeze().unwrap();
        assert!(device_of(&slow.image()).is_some());
        // All that the kernel does with the pipe of a process that was killed.
        drop(slow.guard.stdin.take());
        slow.guard.wait().unwrap();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(slow.mounted().to_str().unwrap()), "it is mounted still");
        assert!(!slow.dir.path().exists());
        // The kernel keeps one that was unmounted as it was frozen, and its device with it.
        assert_eq!(device_of(&slow.image()), None);
    }

    /// The loop device that lies on this file.
    fn device_of(image: &Path) -> Option<PathBuf> {
        let image = image.to_str().unwrap();
        let mut devices = std::fs::read_dir("/sys/block").unwrap().map(|entry| entry.unwrap().path());
        devices.find(|device| {
            let file = std::fs::read_to_string(device.join("loop/backing_file"));
            file.is_ok_and(|file| file.starts_with(image))
        })
    }
}
