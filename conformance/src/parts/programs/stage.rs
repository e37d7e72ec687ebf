//! What all cases need: brokers, processes of programs, steps of the Java side, and waiting for records.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::node::Node;
use super::program::Program;
use crate::harness::raw::Raw;
use crate::harness::{Broker, until, until_right};
use crate::parts::Context;
use crate::parts::kafka::{Kafka, Oracle};

const STEPS: &str = "pagewire.Programs";
/// Of either broker: few internal partitions, and no waiting for members who will not come.
pub(in crate::parts) const SETTINGS: [&str; 3] = [
    "offsets.topic.num.partitions=5",
    "transaction.state.log.num.partitions=5",
    "group.initial.rebalance.delay.ms=0",
];

/// The broker under test, not started yet, and Kafka's classes.
pub(in crate::parts) struct Stage<'a> {
    binary: &'a Path,
    on_kafka: bool,
    oracle: Oracle,
}

impl<'a> Stage<'a> {
    pub(in crate::parts) fn of(context: &'a Context<'_>) -> Result<Self> {
        let oracle = Oracle::of(context)?;
        Ok(Self { binary: &context.binary, on_kafka: context.on_kafka, oracle })
    }

    /// The broker under test.
    pub(super) fn node(&self) -> Result<Node<'_>> {
        self.node_with(&SETTINGS)
    }

    /// The same with settings of the case's own.
    pub(in crate::parts) fn node_with(&self, settings: &[&str]) -> Result<Node<'_>> {
        if self.on_kafka {
            return self.kafka_with(settings);
        }
        Ok(Node::Ours(Broker::start(self.binary, settings)?))
    }

    /// Apache Kafka, whatever is under test.
    pub(super) fn kafka(&self) -> Result<Node<'_>> {
        self.kafka_with(&SETTINGS)
    }

    fn kafka_with(&self, settings: &[&str]) -> Result<Node<'_>> {
        let mut kafka = Kafka::format(&self.oracle, settings)?;
        kafka.start()?;
        Ok(Node::Kafka(kafka))
    }

    /// Does one step at a broker; the lines that count.
    pub(super) fn step(&self, node: &Node<'_>, step: &[&str]) -> Result<Vec<String>> {
        self.oracle
            .told(node.address(), STEPS, step)
            .with_context(|| format!("the broker says: {}", node.said()))
    }

    /// A virtual machine that runs `class`; what it unpacks for itself stays in this directory.
    pub(in crate::parts) fn java(&self, class: &str, directory: &Path) -> Result<Command> {
        let unpacked = directory.join("unpacked");
        fs::create_dir_all(&unpacked)?;
        let mut command = self.oracle.classes().command("512m", class);
        let options = format!("-Djava.io.tmpdir={} -XX:-UsePerfData", unpacked.display());
        command.env("JDK_JAVA_OPTIONS", options);
        Ok(command)
    }

    /// A step that takes long, beside others.
    pub(super) fn step_beside(&self, node: &Node<'_>, step: &[&str], scratch: &TempDir) -> Result<Program> {
        let mut command = self.java(STEPS, scratch.path())?;
        command.args(step).env("BOOTSTRAP", node.address());
        Program::start(step.first().copied().unwrap_or_default(), command, scratch.path())
    }
}

/// Makes a topic. Kafka answers that it is made before all of the broker knows it.
pub(in crate::parts) fn create(node: &Node<'_>, topic: &str, partitions: i32) -> Result<()> {
    Raw::connect(node.address())?.create_topic(topic, partitions, &[])?;
    until_right("a topic", || ends(node, topic, partitions).map(drop))
}

/// Where a topic's partitions end, summed up.
pub(super) fn ends(node: &Node<'_>, topic: &str, partitions: i32) -> Result<i64> {
    sum(node, topic, partitions, -1)
}

/// Where they begin.
pub(super) fn starts(node: &Node<'_>, topic: &str, partitions: i32) -> Result<i64> {
    sum(node, topic, partitions, -2)
}

fn sum(node: &Node<'_>, topic: &str, partitions: i32, timestamp: i64) -> Result<i64> {
    let mut client = Raw::connect(node.address())?;
    (0..partitions).map(|partition| client.offset(topic, partition, timestamp)).sum()
}

/// Waits until a topic has grown by so many offsets, while `meanwhile` does something and finds nothing wrong.
pub(super) fn until_grown(
    node: &Node<'_>,
    topic: (&str, i32),
    by: i64,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<()> {
    let (topic, partitions) = topic;
    let mut before = 0;
    // A Kafka that has just been started answers before it knows all its topics.
    until_right("where a topic ends", || {
        before = ends(node, topic, partitions)?;
        Ok(())
    })?;
    until(&format!("{by} more records in {topic}"), || {
        meanwhile()?;
        Ok(ends(node, topic, partitions)? >= before + by)
    })
    .with_context(|| format!("the broker says: {}", node.said()))
}

/// A topic's own settings are these among others.
pub(super) fn has_settings(stage: &Stage<'_>, node: &Node<'_>, topic: &str, expected: &[&str]) -> Result<()> {
    let settings = stage.step(node, &["settings", topic])?;
    for line in expected {
        ensure!(settings.iter().any(|found| found == line), "{topic} is without {line}: {settings:?}");
    }
    Ok(())
}
