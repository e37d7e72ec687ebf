//! The brokers under test: the bare floor, ours, and whoever else runs already.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::bare;

/// A broker that can be measured.
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Only this client's produce and fetch frames are understood.
    pub(crate) bare: bool,
    /// How to start another one like it, where that is known.
    pub(crate) ours: Option<Vec<String>>,
    _running: Option<Running>,
}

/// NAME=HOST:PORT,PID
#[derive(Clone)]
pub(crate) struct Rival {
    name: String,
    address: SocketAddr,
    pid: u32,
}

impl FromStr for Rival {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = text.split_once('=').context("NAME=HOST:PORT,PID is wanted")?;
        let (address, pid) = rest.split_once(',').context("the process id is missing: NAME=HOST:PORT,PID")?;
        Ok(Self { name: name.into(), address: address.parse()?, pid: pid.parse()? })
    }
}

/// A child process and its directory; both go when it is dropped.
pub(crate) struct Running {
    child: Child,
    _dir: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the floor and our broker, and takes the rivals along.
pub(crate) fn start_all(rivals: &[Rival], set: &[String]) -> Result<Vec<Broker>> {
    let (bare, _) = start(&[std::env::current_exe()?.display().to_string(), bare::COMMAND.into()], "bare")?;
    let mut command = vec![binary()?, "serve".into(), "--listen".into(), "127.0.0.1:0".into()];
    command.extend(set.iter().flat_map(|pair| ["--set".into(), pair.clone()]));
    let (ours, _) = start(&command, "pagewire")?;
    let mut brokers = vec![Broker { bare: true, ..bare }, Broker { ours: Some(command), ..ours }];
    brokers.extend(rivals.iter().map(|rival| Broker {
        name: rival.name.clone(),
        address: rival.address,
        pid: rival.pid,
        bare: false,
        ours: None,
        _running: None,
    }));
    Ok(brokers)
}

/// The release binary beside this one.
pub(crate) fn binary() -> Result<String> {
    let path = std::env::current_exe()?.with_file_name("pagewire");
    if !path.exists() {
        bail!("{} is missing: cargo build --release", path.display());
    }
    Ok(path.display().to_string())
}

/// Starts `command` with a data directory of its own; it is up when it prints `ready on ADDRESS`.
pub(crate) fn start(command: &[String], name: &str) -> Result<(Broker, Duration)> {
    let dir = tempfile::tempdir()?;
    let started = Instant::now();
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .arg("--data-dir")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started", command[0]))?;
    let pid = child.id();
    let stdout = child.stdout.take().context("no standard output")?;
    let running = Running { child, _dir: dir };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let took = started.elapsed();
    let address =
        line.trim().strip_prefix("ready on ").with_context(|| format!("{name} did not become ready"))?;
    let address = address.parse()?;
    Ok((Broker { name: name.into(), address, pid, bare: false, ours: None, _running: Some(running) }, took))
}
