//! One broker of Apache Kafka's, controller and all, from Maven's artifacts: started on an empty directory or on what it left,
//! stopped in order, killed.

use std::fs::{self, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::process::run_to_end;

/// A start of a virtual machine on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(2);
/// An orderly stop closes every log.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// Makes a command of one of its classes.
pub type Java = Box<dyn Fn(&str) -> Result<Command>>;

/// A running (or stopped) Kafka and its directory.
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Kafka {
    java: Java,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Kafka {
    /// Formats a directory and starts on it.
    pub fn start(java: Java) -> Result<Self> {
        let mut directory = tempfile::Builder::new().prefix("kafka-").tempdir()?;
        directory.disable_cleanup(std::env::var_os("CONFORMANCE_KEEP").is_some());
        let (port, controller) = (free_port()?, free_port()?);
        let mut kafka = Self { java, directory, port, child: None };
        fs::write(kafka.properties(), kafka.settings(controller))?;
        let mut format = (kafka.java)("kafka.tools.StorageTool")?;
        format.args(["format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"]).arg(kafka.properties());
        let log = kafka.directory.path().join("format.log");
        let ended = run_to_end(&mut format, &log, START_LIMIT)?;
        ensure!(ended.success(), "Kafka's directory cannot be formatted: {}", ended.output);
        kafka.start_again()?;
        Ok(kafka)
    }

    /// Starts it on what it left. It must not be running.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "Kafka is running");
        let log =
            OpenOptions::new().create(true).append(true).open(self.directory.path().join("kafka.log"))?;
        let mut command = (self.java)("kafka.Kafka")?;
        command.arg(self.properties()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("cannot run Kafka")?);
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            ensure!(!ended && Instant::now() < deadline, "Kafka did not start: {}", self.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Where it serves: `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its only log directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself: the wait below reaps it either way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and its end.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("Kafka is not running")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("cannot signal Kafka")?;
        let deadline = Instant::now() + STOP_LIMIT;
        while child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                self.child = Some(child);
                self.kill();
                bail!("Kafka did not stop: {}", self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn settings(&self, controller: u16) -> String {
        let (port, dir) = (self.port, self.data_dir());
        let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}");
        [
            "process.roles=broker,controller",
            "node.id=1",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            &format!("listeners={listeners}"),
            &format!("advertised.listeners={listeners}"),
            &format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
            &format!("log.dirs={}", dir.display()),
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=5",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.num.partitions=3",
            "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "log.cleaner.backoff.ms=200",
            // A Kafka that is killed leaves them at their full length.
            "log.index.size.max.bytes=262144",
            "auto.create.topics.enable=false",
        ]
        .join("\n")
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("kafka.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join(" | ")
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What a class printed on its way to its end, if it ended well.
pub fn run_class(mut command: Command, log: &Path, limit: Duration) -> Result<String> {
    let ended = run_to_end(&mut command, log, limit)?;
    ensure!(ended.success(), "{:?} failed: {}", command.get_args().last().unwrap_or_default(), ended.output);
    fs::read_to_string(log).context("no output")
}
