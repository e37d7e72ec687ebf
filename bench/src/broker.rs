//! The brokers under test: the floor, ours, Apache Kafka from Maven, others by a command, and whoever runs already.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pagewire_lab::drive::client::topic;
use pagewire_lab::drive::{Target, process};
use tempfile::TempDir;

use crate::node::{Node, Recipe};
use crate::routes::RouteBytes;
use crate::{client, floor};

/// What they are called.
pub(crate) const FLOOR: &str = "floor";
pub(crate) const OURS: &str = "pagewire";
pub(crate) const KAFKA: &str = "kafka";

/// What is deleted frees its room before the next rounds have filled the disk.
pub(crate) const SOON_DELETED: &str = "log.segment.delete.delay.ms=1000";

/// A broker that takes connections may take this long until it makes a topic.
const PATIENCE: Duration = Duration::from_mins(2);
const AGAIN: Duration = Duration::from_millis(100);

/// A broker that can be measured.
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// How to start another one like it, if it was started here.
    pub(crate) recipe: Option<Recipe>,
    running: Option<(Node, TempDir)>,
}

/// Who is measured.
pub(crate) struct Lot {
    /// Those whose process can be seen: the floor is the first.
    pub(crate) brokers: Vec<Broker>,
    /// Those of which loads alone can be measured.
    pub(crate) unseen: Vec<Target>,
    /// Why.
    pub(crate) notes: Vec<String>,
}

impl Lot {
    /// One more, which runs already.
    pub(crate) fn add(&mut self, target: &Target) -> Result<()> {
        let dial = client::dial();
        let address = dial.resolve(&target.host, target.port)?;
        drop(dial.open(address)?);
        match target.pid.map_or_else(|| process::find(address), Ok) {
            Ok(pid) => {
                let name = target.name.clone();
                self.brokers.push(Broker { name, address, pid, recipe: None, running: None });
            }
            Err(why) => {
                self.notes.push(format!("{target}: loads alone are measured, without CPU and memory: {why}"));
                self.unseen.push(target.clone());
            }
        }
        Ok(())
    }
}

impl Broker {
    /// Starts it on an empty directory, and waits until topics can be made.
    pub(crate) fn start(recipe: &Recipe) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("pagewire-bench-").tempdir()?;
        let node = recipe.start(dir.path()).with_context(|| format!("{} cannot be started", recipe.name))?;
        let (address, pid) = (node.address, node.pid());
        await_topics(address).with_context(|| format!("{} does not serve", recipe.name))?;
        let (name, recipe) = (recipe.name.clone(), Some(recipe.clone()));
        Ok(Self { name, address, pid, recipe, running: Some((node, dir)) })
    }

    /// By which route ours sent so far.
    pub(crate) fn routes(&self) -> Option<RouteBytes> {
        let (_, dir) = self.running.as_ref().filter(|_| self.name == OURS)?;
        RouteBytes::known(dir.path())
    }

    /// As the drive names it.
    pub(crate) fn target(&self) -> Target {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        Target { name: self.name.clone(), host, port, pid: Some(self.pid) }
    }
}

/// A broker that has just taken its first connection may not know itself yet.
fn await_topics(address: SocketAddr) -> Result<()> {
    const PROBE: &str = "bench-probe";
    let (dial, begun) = (client::dial(), Instant::now());
    loop {
        match topic::create(&dial, address, PROBE, 1, 1) {
            Ok(_) => return Ok(topic::delete(&dial, address, PROBE)?),
            Err(error) => ensure!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(AGAIN);
    }
}

/// The floor: this program.
pub(crate) fn the_floor() -> Result<Recipe> {
    let this = std::env::current_exe()?.display().to_string();
    Ok(Recipe::of(FLOOR, vec![this, floor::COMMAND.into(), "{port}".into(), "{dir}".into()]))
}

/// The release binary beside this one.
fn our_program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("pagewire");
    if !path.exists() {
        bail!("{} is missing: cargo build --release", path.display());
    }
    Ok(path)
}

/// What it says of itself: its version and the commit that it was built from.
pub(crate) fn our_version() -> Result<String> {
    let told = Command::new(our_program()?).arg("--version").stdin(Stdio::null()).output()?;
    ensure!(told.status.success(), "{}", told.status);
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// Ours with these settings, each KEY=VALUE.
pub(crate) fn ours(set: &[String]) -> Result<Recipe> {
    let mut words = vec![our_program()?.display().to_string()];
    words.extend(["serve", "--listen", "127.0.0.1:{port}", "--set", "log.dirs={dir}"].map(str::to_owned));
    Ok(Recipe::of(OURS, words).set_by("--set").with(&[SOON_DELETED.to_owned()]).with(set))
}
