//! A broker as a process that is started, stopped and killed.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::client;

/// A start or a stop may take this long.
const PATIENCE: Duration = Duration::from_mins(5);
/// One that was killed ends at once, unless it waits for a disk that answers nothing: not even a kill ends that.
const LAST_PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(2);

/// Makes a directory ready for a node at this port with these settings.
type Prepare = dyn Fn(&Path, u16, &[String]) -> Result<()> + Send + Sync;

/// Hears of each process as soon as it is executed.
type Told = dyn Fn(u32) + Send + Sync;

/// How a broker is started.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    /// With `{port}` and `{dir}` in them.
    words: Vec<String>,
    /// Each KEY=VALUE.
    settings: Vec<String>,
    way: Way,
    told: Option<Arc<Told>>,
}

/// How settings reach it.
#[derive(Clone)]
enum Way {
    /// Not at all.
    None,
    /// Behind this word, each.
    Flag(&'static str),
    /// By whoever prepares its directory, before each start.
    Prepared(Arc<Prepare>),
}

/// NAME=COMMAND
impl FromStr for Recipe {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, command) = text.split_once('=').context("NAME=COMMAND is wanted")?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if !["{port}", "{dir}"].iter().all(|place| command.contains(place)) {
            bail!("the command must say where {{port}} and {{dir}} go");
        }
        Ok(Self::of(name, words))
    }
}

impl Recipe {
    pub(crate) fn of(name: &str, words: Vec<String>) -> Self {
        Self { name: name.to_owned(), words, settings: Vec::new(), way: Way::None, told: None }
    }

    /// What it is started with: its command's words, and behind them its settings.
    pub(crate) fn command(&self) -> Vec<String> {
        self.words.iter().chain(&self.settings).cloned().collect()
    }

    /// The same, with settings behind this word.
    pub(crate) fn set_by(self, flag: &'static str) -> Self {
        Self { way: Way::Flag(flag), ..self }
    }

    /// The same on a directory that has to be prepared, before each start.
    pub(crate) fn prepared_by(
        self,
        prepare: impl Fn(&Path, u16, &[String]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { way: Way::Prepared(Arc::new(prepare)), ..self }
    }

    /// The same, told to somebody whenever it is started.
    pub(crate) fn telling(self, told: impl Fn(u32) + Send + Sync + 'static) -> Self {
        Self { told: Some(Arc::new(told)), ..self }
    }

    /// The same with these settings, each KEY=VALUE, besides.
    pub(crate) fn with(mut self, settings: &[String]) -> Self {
        self.settings.extend_from_slice(settings);
        self
    }

    /// Starts it on `dir`, and waits until it answers a request (the kernel takes connections for a program that is not ready).
    pub(crate) fn start(&self, dir: &Path) -> Result<Node> {
        let port = free_ports()?;
        let mut words = self.words.clone();
        match &self.way {
            Way::None if !self.settings.is_empty() => bail!("{} takes no settings", self.name),
            Way::None => {}
            Way::Flag(flag) => {
                words.extend(self.settings.iter().flat_map(|pair| [(*flag).to_owned(), pair.clone()]));
            }
            Way::Prepared(prepare) => prepare(dir, port, &self.settings)?,
        }
        let dir = dir.display().to_string();
        let words: Vec<String> = words
            .iter()
            .map(|word| word.replace("{port}", &port.to_string()).replace("{dir}", &dir))
            .collect();
        let (program, arguments) = words.split_first().context("the command is empty")?;
        let started = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut node = Node { child, address, started };
        if let Some(told) = &self.told {
            told(node.pid());
        }
        let dial = client::dial();
        while dial.open(address).is_err() {
            node.check_running()?;
            thread::sleep(AGAIN);
        }
        Ok(node)
    }
}

/// A port that is free, and so is the next.
fn free_ports() -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("there are no two free ports side by side")
}

/// A running broker; killed when dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
    /// When it was executed.
    pub(crate) started: Instant,
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and waits; how long that took.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let (asked, pid) = (Instant::now(), Pid::from_child(&self.child));
        kill_process(pid, Signal::TERM)?;
        ensure!(ends(&mut self.child, PATIENCE)?, "it did not stop within {PATIENCE:?}");
        Ok(asked.elapsed())
    }

    /// Bytes it has read by system calls since it was started, from disk or page cache.
    pub(crate) fn bytes_read(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/io", self.pid()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("rchar:"));
        Ok(line.context("/proc/PID/io has no rchar")?.trim().parse()?)
    }

    /// Regions it has mapped.
    pub(crate) fn maps(&self) -> Result<usize> {
        Ok(fs::read_to_string(format!("/proc/{}/maps", self.pid()))?.lines().count())
    }

    /// Files and sockets it has open.
    pub(crate) fn files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    /// Its threads.
    pub(crate) fn threads(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.pid()))?.count())
    }

    fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended with {status}");
        }
        if self.started.elapsed() > PATIENCE {
            bail!("it answered nothing within {PATIENCE:?}");
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        if let Ok(false) = ends(&mut self.child, LAST_PATIENCE) {
            eprintln!(
                "process {} is left: it was killed, and has not ended in {LAST_PATIENCE:?}",
                self.pid()
            );
        }
    }
}

/// Waits until it has ended, and no longer than this; whether it has.
fn ends(child: &mut Child, patience: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > patience {
            return Ok(false);
        }
        thread::sleep(AGAIN);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn who_is_told_of_starts_hears_of_each_process() {
        let heard: Arc<Mutex<Vec<u32>>> = Arc::default();
        let hears = Arc::clone(&heard);
        let recipe = Recipe::of("short", vec!["true".to_owned()]);
        let recipe = recipe.telling(move |pid| hears.lock().unwrap().push(pid)).with(&[]);
        for times in 1..=2 {
            let Err(ended) = recipe.start(Path::new("/")) else { panic!("it serves") };
            assert!(ended.to_string().contains("it ended"), "{ended}");
            assert_eq!(heard.lock().unwrap().len(), times);
        }
    }

    #[test]
    fn a_process_that_does_not_end_is_not_waited_for_for_ever() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!ends(&mut child, Duration::ZERO).unwrap());
        // Which ends it.
        drop(child.stdin.take());
        assert!(ends(&mut child, PATIENCE).unwrap());
        assert!(ends(&mut child, Duration::ZERO).unwrap(), "who has ended is known to have");
    }
}
