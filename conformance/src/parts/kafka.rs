//! One node of Apache Kafka, broker and controller in one, on a directory that outlives its process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::messages::metadata_request::MetadataRequest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clients::KafkaClasses;
use crate::harness::raw::Raw;
use crate::harness::{kill_group, run_to_end};

/// A Java virtual machine on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_mins(2);
/// Sixteen bytes, in the form of Kafka's own ids.
const CLUSTER_ID: &str = "cGFnZXdpcmUtd2l0bmVzcw";

/// The loggers of its log layer.
pub(super) const LOG_LAYER: &str = "org.apache.kafka.storage.internals.log";

/// What it says of itself is kept from here on: what is wrong with its files is a warning.
const LOGGING: &str = "status=error
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.log.name=org.apache.kafka.storage.internals.log
logger.log.level=info
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%p %c %m%n
";

/// A node, running or not.
#[derive(Debug)]
pub(super) struct Kafka<'c> {
    classes: &'c KafkaClasses,
    directory: TempDir,
    address: String,
    child: Option<Child>,
}

impl<'c> Kafka<'c> {
    /// A node with an empty, formatted log directory. `settings` are lines of its `server.properties`.
    pub(super) fn format(classes: &'c KafkaClasses, settings: &[&str]) -> Result<Self> {
        let mut directory = tempfile::Builder::new().prefix("pagewire-kafka-").tempdir()?;
        directory.disable_cleanup(std::env::var_os("CONFORMANCE_KEEP").is_some());
        let [port, controller] = free_ports()?;
        let kafka = Self { classes, directory, address: format!("127.0.0.1:{port}"), child: None };
        let listeners = format!("PLAINTEXT://{},CONTROLLER://127.0.0.1:{controller}", kafka.address);
        let mut lines = vec![
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            "controller.listener.names=CONTROLLER".to_owned(),
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned(),
            format!("listeners={listeners}"),
            format!("advertised.listeners={listeners}"),
            format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
            format!("log.dirs={}", kafka.log_dir().display()),
            "offsets.topic.replication.factor=1".to_owned(),
            "transaction.state.log.replication.factor=1".to_owned(),
            "transaction.state.log.min.isr=1".to_owned(),
            "share.coordinator.state.topic.replication.factor=1".to_owned(),
            "share.coordinator.state.topic.min.isr=1".to_owned(),
        ];
        lines.extend(settings.iter().map(|&line| line.to_owned()));
        fs::write(kafka.properties(), lines.join("\n"))?;
        fs::write(kafka.path("log4j2.properties"), LOGGING)?;
        let mut format = classes.command("256m", "kafka.tools.StorageTool");
        format.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(kafka.properties());
        let ended = run_to_end(&mut format, &kafka.path("format.log"), PATIENCE)?;
        ensure!(ended.success(), "Kafka's storage cannot be formatted: {}", ended.output);
        Ok(kafka)
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "Kafka is running");
        let log = File::options().create(true).append(true).open(self.path("kafka.log"))?;
        let mut command = self.classes.command("512m", "kafka.Kafka");
        let logging = format!("-Dlog4j2.configurationFile={}", self.path("log4j2.properties").display());
        command.arg(self.properties()).env("JDK_JAVA_OPTIONS", logging);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        self.child = Some(command.spawn().context("cannot run Kafka")?);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_serving() {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                self.child = None;
                bail!("Kafka ended with {status}: {}", self.said()?);
            }
            ensure!(Instant::now() < deadline, "Kafka does not answer: {}", self.said()?);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Starts it if it is not running.
    pub(super) fn run(&mut self) -> Result<()> {
        if self.child.is_some() { Ok(()) } else { self.start() }
    }

    /// It answers, and knows itself as a broker.
    fn is_serving(&self) -> bool {
        let asked = || -> Result<bool> {
            let request = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
            Ok(!Raw::connect(&self.address)?.call(&request, 12)?.brokers.is_empty())
        };
        asked().unwrap_or(false)
    }

    /// Stops it in order: it leaves its mark of a clean stop.
    pub(super) fn stop(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("Kafka is not running")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "Kafka does not stop");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.child = None;
        Ok(())
    }

    /// SIGKILL: it gets no chance to write anything more.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_group(&mut child);
        }
    }

    /// Where it serves: `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Its log directory.
    pub(super) fn log_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Its warnings, and what its log layer told.
    pub(super) fn said(&self) -> Result<String> {
        fs::read_to_string(self.path("kafka.log")).context("no log of Kafka's")
    }

    /// Forgets what it said.
    pub(super) fn forget_said(&self) -> Result<()> {
        fs::write(self.path("kafka.log"), "").context("no log of Kafka's")
    }

    fn properties(&self) -> PathBuf {
        self.path("server.properties")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Kafka<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs one of Kafka's tools to its end; everything it printed.
pub(super) fn tool(classes: &KafkaClasses, class: &str, arguments: &[&str], log: &Path) -> Result<String> {
    let mut command = classes.command("512m", class);
    command.args(arguments);
    let ended = run_to_end(&mut command, log, PATIENCE)?;
    ensure!(ended.success(), "{class} failed: {}", ended.output);
    fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))
}

/// Two ports nobody listens at. Kafka has to be told which; somebody else may take them before it does.
fn free_ports() -> Result<[u16; 2]> {
    let both = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [one, other] = &both;
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}
