//! Workers of Kafka Connect, distributed, which copy a file into a topic and the topic into files.
//!
//! ```text
//!   lines -> FileStreamSource -> topic -> FileStreamSink (classic group) -> out-classic
//!                                      -> FileStreamSink (consumer group) -> out-consumer
//! ```
//!
//! They are told what to do by REST, and remember it in three compacted topics: whoever is started again goes on with
//! what is written there.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::node::Node;
use super::program::Program;
use super::stage::{Stage, create, ends, has_settings, until_grown};
use crate::harness::{Broker, http, until, until_right};
use crate::parts::kafka::free_port;

const WORKER: &str = "org.apache.kafka.connect.cli.ConnectDistributed";
const TOPIC: &str = "lines";
const SOURCE: &str = "source";
/// Records of a batch, more than ever come: a source whose batch is full keeps the lines that it has read besides until
/// the file grows again.
const BATCH_MAX: &str = "1000000";
/// Lines that are appended at a time.
const BATCH: usize = 40;
/// Records, commit markers among them, by which the topic grows between two strokes.
const STRIDE: i64 = 1500;
const OK: u16 = 200;
const CREATED: u16 = 201;
const NO_CONTENT: u16 = 204;

/// A worker is stopped while there is more to copy, and started again: nothing is lost, nothing copied twice.
pub(super) fn orderly(stage: &Stage<'_>) -> Result<()> {
    let mut copying = Copying::new(stage, "exactly.once.source.support=disabled")?;
    let mut worker = copying.worker("one")?;
    let sinks =
        [("classic", json!({})), ("consumer", json!({"consumer.override.group.protocol": "consumer"}))];
    worker.put(SOURCE, &copying.source())?;
    for (name, more) in &sinks {
        worker.put(name, &copying.sink(name, more))?;
    }
    copying.until_grown(&mut [&mut worker])?;
    worker.program.stop()?;
    copying.lines.append(10 * BATCH)?;
    let mut worker = copying.worker("one")?;
    copying.until_grown(&mut [&mut worker])?;
    for (name, _) in &sinks {
        copying.until_is_copied(name, &mut worker)?;
    }
    worker.knows_where_it_is(copying.lines.written()?)?;
    worker.program.stop()?;
    for (name, _) in &sinks {
        let (read, out) = (copying.lines.text()?, fs::read_to_string(copying.out(name))?);
        ensure!(out == read, "{name} has {} bytes of {}", out.len(), read.len());
    }
    for store in ["configs", "offsets", "status"] {
        has_settings(stage, &copying.node, store, &["cleanup.policy=compact"])?;
    }
    let mut worker = copying.worker("one")?;
    worker.forgets(&[SOURCE, "classic", "consumer"])?;
    worker.program.stop()
}

/// Of two workers the one that reads the file is killed, twice; the other takes over. Each line is in the topic once.
pub(super) fn workers_killed(stage: &Stage<'_>) -> Result<()> {
    let mut copying = Copying::new(stage, "exactly.once.source.support=enabled")?;
    let (mut one, mut two) = (copying.worker("one")?, copying.worker("two")?);
    one.put(SOURCE, &copying.source())?;
    for round in 0..2 {
        copying.until_grown(&mut [&mut one, &mut two])?;
        let reads = two.reader(&[&one.address, &two.address.clone()])?;
        let (victim, name) = if reads == one.address { (&mut one, "one") } else { (&mut two, "two") };
        let fresh = copying.worker(&format!("{name}-after-{round}"))?;
        std::mem::replace(victim, fresh).program.kill()?;
    }
    copying.until_grown(&mut [&mut one, &mut two])?;
    copying.is_exact(vec![one, two])
}

/// The broker is killed twice under a worker, which lives on. Each line is in the topic once.
pub(super) fn broker_killed(stage: &Stage<'_>) -> Result<()> {
    let mut copying = Copying::new(stage, "exactly.once.source.support=enabled")?;
    let mut worker = copying.worker("one")?;
    worker.put(SOURCE, &copying.source())?;
    copying.until_grown(&mut [&mut worker])?;
    for _ in 0..2 {
        copying.node.kill_and_start_again()?;
        copying.until_grown(&mut [&mut worker])?;
    }
    copying.is_exact(vec![worker])
}

/// A file, the broker, and whoever copies.
struct Copying<'s> {
    stage: &'s Stage<'s>,
    node: Node<'s>,
    scratch: TempDir,
    lines: Lines,
    /// A line of every worker's properties.
    support: &'static str,
}

impl<'s> Copying<'s> {
    fn new(stage: &'s Stage<'_>, support: &'static str) -> Result<Self> {
        let node = stage.node()?;
        create(&node, TOPIC, 1)?;
        let scratch = Broker::directory()?;
        let lines = Lines::new(scratch.path().join("in"))?;
        Ok(Self { stage, node, scratch, lines, support })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.path(&format!("out-{name}"))
    }

    fn source(&self) -> Value {
        json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": self.lines.path, "topic": TOPIC, "batch.size": BATCH_MAX,
        })
    }

    fn sink(&self, name: &str, more: &Value) -> Value {
        let mut sink = json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": self.out(name), "topics": TOPIC,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            sink[key] = value.clone();
        }
        sink
    }

    /// A worker with an address of its own.
    fn worker(&self, name: &str) -> Result<Worker> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let properties = self.path(&format!("{name}.properties"));
        let own = [
            format!("bootstrap.servers={}", self.node.address()),
            format!("listeners=http://{address}"),
            self.support.to_owned(),
        ];
        let lines: Vec<&str> = SETTINGS.into_iter().chain(own.iter().map(String::as_str)).collect();
        fs::write(&properties, lines.join("\n"))?;
        let mut command = self.stage.java(WORKER, self.scratch.path())?;
        command.arg(properties);
        Ok(Worker { program: Program::start(name, command, self.scratch.path())?, address })
    }

    /// The topic grows while the file does, and everybody lives.
    fn until_grown(&mut self, workers: &mut [&mut Worker]) -> Result<()> {
        let Self { node, lines, .. } = self;
        until_grown(node, (TOPIC, 1), STRIDE, || {
            lines.append(BATCH)?;
            workers.iter_mut().try_for_each(|worker| worker.program.lives())
        })
    }

    /// What came out of a sink is as long as what went in. Whoever copies twice makes it longer.
    fn until_is_copied(&self, sink: &str, worker: &mut Worker) -> Result<()> {
        let written = self.lines.written()?;
        until(&format!("{written} bytes from {sink}"), || {
            worker.program.lives()?;
            Ok(fs::metadata(self.out(sink)).is_ok_and(|out| out.len() >= written))
        })
        .with_context(|| format!("the topic ends at {:?}", ends(&self.node, TOPIC, 1)))
    }

    /// All that was appended is copied, each line once, as the workers say and as the topic shows. They are killed then: one that is
    /// asked to end may wait for its REST server for minutes (`RestServer.stop` in Jetty's `join`), and has told nobody yet.
    fn is_exact(&self, mut workers: Vec<Worker>) -> Result<()> {
        let written = i64::try_from(self.lines.written()?)?;
        until_right("all lines", || {
            workers.iter_mut().try_for_each(|worker| worker.program.lives())?;
            let known = workers.first_mut().context("no worker")?.position()?;
            ensure!(known == Some(written), "of {written} bytes {known:?} are copied");
            Ok(())
        })?;
        workers.into_iter().try_for_each(|worker| worker.program.kill())?;
        let found = self.stage.step(&self.node, &["values", TOPIC])?;
        let read = self.lines.text()?;
        let wrong = read.lines().zip(&found).find(|(expected, found)| expected != found);
        ensure!(wrong.is_none(), "a line is not as it was read: {wrong:?}");
        let count = read.lines().count();
        ensure!(count == found.len(), "{count} lines made {} records", found.len());
        Ok(())
    }
}

/// The file that is copied.
struct Lines {
    path: PathBuf,
    file: File,
    appended: usize,
}

impl Lines {
    fn new(path: PathBuf) -> Result<Self> {
        let file = File::create(&path)?;
        Ok(Self { path, file, appended: 0 })
    }

    fn append(&mut self, lines: usize) -> Result<()> {
        let mut text = String::new();
        for number in self.appended..self.appended + lines {
            writeln!(text, "line {number} {}", "y".repeat(number % 60))?;
        }
        self.appended += lines;
        self.file.write_all(text.as_bytes()).context("cannot append lines")
    }

    fn text(&self) -> Result<String> {
        fs::read_to_string(&self.path).context("no lines")
    }

    fn written(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// What every worker has. Whoever was killed is not missed for long.
const SETTINGS: [&str; 17] = [
    "group.id=workers",
    "key.converter=org.apache.kafka.connect.storage.StringConverter",
    "value.converter=org.apache.kafka.connect.storage.StringConverter",
    "config.storage.topic=configs",
    "config.storage.replication.factor=1",
    "offset.storage.topic=offsets",
    "offset.storage.replication.factor=1",
    "offset.storage.partitions=5",
    "status.storage.topic=status",
    "status.storage.replication.factor=1",
    "status.storage.partitions=2",
    "offset.flush.interval.ms=1000",
    "session.timeout.ms=6000",
    "heartbeat.interval.ms=1000",
    "scheduled.rebalance.max.delay.ms=0",
    "plugin.discovery=service_load",
    "topic.creation.enable=false",
];

/// A worker and where it takes orders.
struct Worker {
    program: Program,
    address: String,
}

impl Worker {
    /// Asks until it answers so; while it starts and while its group changes hands it has other answers.
    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>, expected: &[u16]) -> Result<Value> {
        let mut found = None;
        until_right(&format!("{method} {path}"), || {
            if self.program.lives().is_err() {
                bail!("the worker is gone: {}", self.program.said());
            }
            let (status, answer) = http::request(&self.address, method, path, body)?;
            ensure!(expected.contains(&status), "{status}: {answer}");
            found = Some(if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer)? });
            Ok(())
        })
        .with_context(|| format!("the worker says: {}", self.program.said()))?;
        found.context("no answer")
    }

    /// Names a connector and what it is to do.
    fn put(&mut self, name: &str, config: &Value) -> Result<()> {
        self.ask("PUT", &format!("/connectors/{name}/config"), Some(config), &[OK, CREATED]).map(drop)
    }

    /// Which of these workers runs the source's task.
    fn reader(&mut self, among: &[&str]) -> Result<String> {
        let mut reader = String::new();
        until_right("a reader", || {
            let status = self.ask("GET", &format!("/connectors/{SOURCE}/status"), None, &[OK])?;
            let id = status.pointer("/tasks/0/worker_id").and_then(Value::as_str).unwrap_or_default();
            ensure!(among.contains(&id), "nobody of {among:?} reads: {status}");
            id.clone_into(&mut reader);
            Ok(())
        })?;
        Ok(reader)
    }

    /// Up to where the source has read its file, by what it has written down.
    fn position(&mut self) -> Result<Option<i64>> {
        let offsets = self.ask("GET", &format!("/connectors/{SOURCE}/offsets"), None, &[OK])?;
        Ok(offsets.pointer("/offsets/0/offset/position").and_then(Value::as_i64))
    }

    fn knows_where_it_is(&mut self, written: u64) -> Result<()> {
        until_right("the source's offset", || {
            let known = self.position()?;
            ensure!(known == Some(i64::try_from(written)?), "of {written} bytes it has read {known:?}");
            Ok(())
        })
    }

    /// It knows these connectors after its start, and none when they are deleted.
    fn forgets(&mut self, names: &[&str]) -> Result<()> {
        until_right("connectors that were written down", || {
            let known = self.ask("GET", "/connectors", None, &[OK])?;
            let known = known.as_array().map_or(0, Vec::len);
            ensure!(known == names.len(), "{known} connectors");
            Ok(())
        })?;
        for name in names {
            self.ask("DELETE", &format!("/connectors/{name}"), None, &[NO_CONTENT])?;
        }
        until_right("no connector any more", || {
            let left = self.ask("GET", "/connectors", None, &[OK])?;
            ensure!(left == json!([]), "{left}");
            Ok(())
        })
    }
}
