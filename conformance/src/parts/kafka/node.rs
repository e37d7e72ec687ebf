//! One node of Apache Kafka, broker and controller in one, on a directory that outlives its process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::messages::metadata_request::MetadataRequest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::Oracle;
use crate::clients::KafkaClasses;
use crate::harness::raw::Raw;
use crate::harness::{kill_group, run_to_end};
use crate::workspace::copy_tree;

/// A Java virtual machine on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_mins(2);
/// Sixteen bytes, in the form of Kafka's own ids.
const CLUSTER_ID: &str = "cGFnZXdpcmUtd2l0bmVzcw";

/// The loggers of its log layer.
pub(in crate::parts) const LOG_LAYER: &str = "org.apache.kafka.storage.internals.log";

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
pub(in crate::parts) struct Kafka<'c> {
    classes: &'c KafkaClasses,
    directory: TempDir,
    address: String,
    /// Lines of its `server.properties`, besides those that every node has.
    settings: Vec<String>,
    child: Option<Child>,
}

/// Where a node finds who may lead the metadata.
#[derive(Debug, Clone, Copy)]
enum Voters {
    /// A copy has other ports.
    InSettings,
    InLog,
}

/// What a node has that is started again and again: one that was killed may come back when the session of the one
/// before has ended.
const IMPATIENT: [&str; 2] = ["broker.heartbeat.interval.ms=500", "broker.session.timeout.ms=3000"];

/// What every node has. One node elects itself and asks itself, so nobody has to be waited for long.
const COMMON: [&str; 12] = [
    "process.roles=broker,controller",
    "node.id=1",
    "controller.listener.names=CONTROLLER",
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.quorum.election.timeout.ms=100",
    "controller.quorum.election.backoff.max.ms=100",
    "offsets.topic.replication.factor=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "share.coordinator.state.topic.num.partitions=1",
];

impl<'c> Kafka<'c> {
    /// A node with an empty, formatted log directory. `settings` are lines of its `server.properties`.
    pub(in crate::parts) fn format(oracle: &'c Oracle, settings: &[&str]) -> Result<Self> {
        let settings = settings.iter().chain(&IMPATIENT).map(|&line| line.to_owned()).collect();
        let kafka = Self::with_directory(oracle.classes(), settings, Voters::InSettings)?;
        let properties = kafka.properties().display().to_string();
        oracle.call("kafka.tools.StorageTool", &["format", "-t", CLUSTER_ID, "-c", &properties])?;
        Ok(kafka)
    }

    /// The same of another version of Kafka's, formatted by its own tool, with the voters in its metadata log.
    pub(in crate::parts) fn format_of(classes: &'c KafkaClasses, settings: &[&str]) -> Result<Self> {
        let settings = settings.iter().map(|&line| line.to_owned()).collect();
        let kafka = Self::with_directory(classes, settings, Voters::InLog)?;
        let mut format = classes.command("256m", "kafka.tools.StorageTool");
        format.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(kafka.properties());
        let ended = run_to_end(&mut format, &kafka.path("format.log"), PATIENCE)?;
        ensure!(ended.success(), "Kafka's storage cannot be formatted: {}", ended.output);
        Ok(kafka)
    }

    /// Another node on a copy of what this one, which does not run, has in its directory, with some more settings.
    pub(in crate::parts) fn copy(&self, settings: &[&str]) -> Result<Self> {
        ensure!(self.child.is_none(), "Kafka is running");
        let all = self.settings.iter().cloned().chain(settings.iter().map(|&line| line.to_owned()));
        let copy = Self::with_directory(self.classes, all.collect(), Voters::InSettings)?;
        copy_tree(&self.log_dir(), &copy.log_dir())?;
        Ok(copy)
    }

    fn with_directory(classes: &'c KafkaClasses, settings: Vec<String>, voters: Voters) -> Result<Self> {
        let mut directory = tempfile::Builder::new().prefix("pagewire-kafka-").tempdir()?;
        directory.disable_cleanup(std::env::var_os("CONFORMANCE_KEEP").is_some());
        let (port, controller) = (free_port()?, free_port()?);
        let address = format!("127.0.0.1:{port}");
        let kafka = Self { classes, directory, address, settings, child: None };
        let listeners = format!("PLAINTEXT://{},CONTROLLER://127.0.0.1:{controller}", kafka.address);
        let own = [
            format!("listeners={listeners}"),
            format!("advertised.listeners={listeners}"),
            match voters {
                Voters::InSettings => format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
                Voters::InLog => format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
            },
            format!("log.dirs={}", kafka.log_dir().display()),
        ];
        let lines: Vec<&str> =
            COMMON.into_iter().chain(own.iter().chain(&kafka.settings).map(String::as_str)).collect();
        fs::write(kafka.properties(), lines.join("\n"))?;
        fs::write(kafka.path("log4j2.properties"), LOGGING)?;
        Ok(kafka)
    }

    /// Starts it and waits until it answers.
    pub(in crate::parts) fn start(&mut self) -> Result<()> {
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

    /// It answers, and knows itself as a broker.
    fn is_serving(&self) -> bool {
        let asked = || -> Result<bool> {
            let request = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
            Ok(!Raw::connect(&self.address)?.call(&request, 12)?.brokers.is_empty())
        };
        asked().unwrap_or(false)
    }

    /// Stops it in order: it leaves its mark of a clean stop.
    pub(in crate::parts) fn stop(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("Kafka is not running")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "Kafka does not stop");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.child = None;
        // What the launcher answers to a signal says nothing of the log.
        let mark = self.log_dir().join(".kafka_cleanshutdown");
        ensure!(mark.exists(), "Kafka did not stop in order: there is no {}", mark.display());
        Ok(())
    }

    /// SIGKILL: it gets no chance to write anything more.
    pub(in crate::parts) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_group(&mut child);
        }
    }

    /// Where it serves: `HOST:PORT`.
    pub(in crate::parts) fn address(&self) -> &str {
        &self.address
    }

    /// Its log directory.
    pub(in crate::parts) fn log_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Its warnings, and what its log layer told.
    pub(in crate::parts) fn said(&self) -> Result<String> {
        fs::read_to_string(self.path("kafka.log")).context("no log of Kafka's")
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

/// Below those that systems give to connections, so that none of these has taken it when Kafka, started again, wants
/// it.
const PORTS: Range<u16> = 20_000..32_000;

/// A port nobody listens at, named once to this process. Kafka, and programs of Kafka's, have to be told which.
pub(in crate::parts) fn free_port() -> Result<u16> {
    static NAMED: AtomicU16 = AtomicU16::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    let found = (0..span).find_map(|_| {
        let step = u32::from(NAMED.fetch_add(1, Ordering::Relaxed));
        let at = std::process::id().wrapping_mul(101).wrapping_add(step) % span;
        let port = PORTS.start + u16::try_from(at).ok()?;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    found.context("no free port")
}
