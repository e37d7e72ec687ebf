//! One broker of ours: started, killed without mercy, stopped politely, started again on what it left.
//!
//! The child dies with this value. A restart takes the same port, so that clients find it again.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a start may take. Generous: the machine may be busy building something else.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a polite stop may take: the broker waits three times for three seconds at most (connections, changes,
/// background work), then closes its logs.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(14);

/// A running (or stopped) broker and its directory.
#[derive(Debug)]
pub struct Broker {
    binary: PathBuf,
    settings: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Files and sockets that it may have open when it starts; none is as many as this process.
    descriptors: Option<u32>,
    directory: TempDir,
    address: String,
    child: Option<Child>,
}

impl Broker {
    /// Starts the binary on a free port with an empty data directory. `settings` are `KEY=VALUE`, as after `--set`; relative
    /// `log.dirs` lie beside it.
    pub fn start(binary: &Path, settings: &[&str]) -> Result<Self> {
        Self::start_with_descriptors(binary, settings, None)
    }

    /// The same with a soft limit of open files, as systems give one to those who do not ask for more.
    pub fn start_with_descriptors(
        binary: &Path,
        settings: &[&str],
        descriptors: Option<u32>,
    ) -> Result<Self> {
        let mut broker = Self::on(binary, Self::directory()?, "127.0.0.1:0");
        broker.settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        broker.descriptors = descriptors;
        broker.start_again()?;
        Ok(broker)
    }

    /// A directory for a broker, whose data will lie in `data` below it.
    pub fn directory() -> Result<TempDir> {
        let mut directory =
            tempfile::Builder::new().prefix("pagewire-").tempdir().context("no temporary directory")?;
        // For whoever looks into a failure afterwards.
        directory.disable_cleanup(std::env::var_os("CONFORMANCE_KEEP").is_some());
        Ok(directory)
    }

    /// A broker on what is in a directory already, not started yet, to serve at `address`.
    pub fn on(binary: &Path, directory: TempDir, address: &str) -> Self {
        Self {
            binary: binary.to_path_buf(),
            settings: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            descriptors: None,
            directory,
            address: address.to_owned(),
            child: None,
        }
    }

    /// Starts it on the data directory and the port it had. It must not be running.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the broker is running");
        let log = OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = self.command();
        command.arg("serve").args(["--listen", &self.address]);
        if !self.settings.iter().any(|setting| setting.starts_with("log.dirs=")) {
            command.arg("--data-dir").arg(self.data_dir());
        }
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        let mut child = command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let stdout = child.stdout.take();
        self.child = Some(child);
        let stdout = stdout.context("the broker has no standard output")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens after the first line; reading on keeps the pipe empty.
                let _ = sender.send(line);
            }
        });
        let first = lines.recv_timeout(START_LIMIT);
        match first.as_deref().map(|line| line.strip_prefix("ready on ")) {
            Ok(Some(address)) => {
                address.trim().clone_into(&mut self.address);
                Ok(())
            }
            Ok(None) => bail!("the broker's first line is not `ready on HOST:PORT`: {first:?}"),
            Err(_) => {
                self.kill();
                bail!("the broker did not become ready: {}", self.log_tail());
            }
        }
    }

    /// Where it serves: `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self) -> Command {
        let Some(descriptors) = self.descriptors else { return Command::new(&self.binary) };
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -S -n {descriptors} && exec \"$@\""), "sh"]).arg(&self.binary);
        shell
    }

    /// More arguments and variables for the next start.
    pub fn serve_with(&mut self, arguments: &[&str], environment: &[(&str, &str)]) {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.environment =
            environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    }

    /// True while the process lives.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGKILL: it gets no chance to write anything more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself: the wait below reaps it either way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and the exit status it ends with.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the broker is not running")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("cannot signal the broker")?;
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                self.child = Some(child);
                self.kill();
                bail!("the broker did not stop within {STOP_LIMIT:?} of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory in bytes, from `/proc/PID/status`.
    pub fn resident_bytes(&self) -> Result<u64> {
        let id = self.child.as_ref().context("the broker is not running")?.id();
        let status =
            fs::read_to_string(format!("/proc/{id}/status")).context("cannot read the broker's status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is not a number")?;
        Ok(kib * 1024)
    }

    /// Everything it has logged.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(self.log_path()).context("cannot read the broker's log")
    }

    /// Forgets what it has logged.
    pub fn clear_log(&self) -> Result<()> {
        fs::write(self.log_path(), "").context("cannot clear the broker's log")
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = self.log().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join(" | ")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("broker.log")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
