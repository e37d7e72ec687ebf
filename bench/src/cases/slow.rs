//! The tail once more, while the disk of another log directory stalls: an ext4 of its own in a file, which the kernel is asked
//! to freeze (ioctl_fs(2), FIFREEZE), so that whoever writes to it waits. A second producer writes there all the while.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::{
    beside::{self, Until},
    tail::{self, Tail},
};
use crate::{broker::Broker, client};

const STALL: Duration = Duration::from_millis(200);
const BETWEEN: Duration = Duration::from_millis(300);
/// The slow producer's pace.
const PACE: Duration = Duration::from_millis(5);
const IMAGE_BYTES: u64 = 1 << 30;
/// Some brokers take a moment until a partition has its directory.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// Two log directories take turns.
const TOPICS: [&str; 2] = ["bench-disk-a", "bench-disk-b"];

/// Whether an ext4 may be mounted and frozen.
pub(super) fn can_be_had() -> Result<()> {
    let slow = Slow::mount()?;
    slow.freeze()?;
    slow.thaw()
}

pub(super) fn run(broker: &Broker, _mib: u64) -> Result<Vec<f64>> {
    let recipe = broker.recipe.as_ref().context("it was not started here")?;
    let (home, slow) = (tempfile::tempdir()?, Slow::mount()?);
    let fast = home.path().join("fast");
    let dirs = format!("log.dirs={},{}", fast.display(), slow.dir().display());
    let node = recipe.clone().with(&[dirs]).start(home.path())?;
    TOPICS.iter().try_for_each(|topic| client::create_topic(node.address, topic))?;
    let (well, ill) = (lying_in(&fast)?, lying_in(&slow.dir())?);
    let tail = Tail { address: node.address, topic: well };
    // A broker that has just begun may compile its code meanwhile.
    tail::run(&tail)?;
    let values = beside::run(&tail, |until| {
        thread::scope(|scope| {
            let writer = scope.spawn(|| write(node.address, ill, until));
            let stalls = slow.stall(until)?;
            writer.join().map_err(|_| anyhow::anyhow!("the slow producer died"))??;
            Ok(stalls)
        })
    })?;
    // Before what it has its files on goes.
    node.stop()?;
    Ok(values)
}

/// The topic whose partition lies in this directory.
fn lying_in(dir: &Path) -> Result<&'static str> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(topic) = TOPICS.into_iter().find(|topic| dir.join(format!("{topic}-0")).exists()) {
            return Ok(topic);
        }
        thread::sleep(LOOK);
    }
    bail!("no partition lies in {}", dir.display())
}

fn write(address: std::net::SocketAddr, topic: &str, until: &Until) -> Result<()> {
    let mut connection = client::open(address)?;
    let (mut frame, _) = client::frame(topic, 1)?;
    while !until.is_over() {
        client::send(&mut connection, &mut frame, 1)?;
        thread::sleep(PACE);
    }
    Ok(())
}

/// A file system in a file, mounted for as long as this lives.
struct Slow {
    dir: TempDir,
}

impl Slow {
    fn mount() -> Result<Self> {
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
    fn dir(&self) -> PathBuf {
        self.mounted().join("logs")
    }

    fn freeze(&self) -> Result<()> {
        done(Command::new("fsfreeze").arg("--freeze").arg(self.mounted()))
    }

    fn thaw(&self) -> Result<()> {
        done(Command::new("fsfreeze").arg("--unfreeze").arg(self.mounted()))
    }

    /// Stalls it now and then; how often.
    fn stall(&self, until: &Until) -> Result<f64> {
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
