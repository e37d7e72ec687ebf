//! An application of Kafka Streams (`pagewire.Counting`) that counts words, `exactly_once_v2`.
//!
//! ```text
//!   writer -> words -> [by word] -> APP-by-word-repartition -> count -> counted
//!                                                                |
//!                                                    APP-counts-changelog
//! ```
//!
//! Each input makes one output: its word, the how manieth of that word it is, and its number. So whoever reads the
//! output to its end sees of each word 1, 2, 3 ... without a gap, and each number once, or something was lost or
//! doubled.

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::node::Node;
use super::program::Program;
use super::stage::{Stage, create, has_settings, starts, until_grown};
use crate::harness::{Broker, until};

const APPLICATION: &str = "pagewire.Counting";
const WORDS: &str = "words";
const COUNTED: &str = "counted";
const REPARTITION: &str = "counting-by-word-repartition";
const CHANGELOG: &str = "counting-counts-changelog";
const PARTITIONS: i32 = 4;
/// Offsets, commit markers among them, by which the output grows between two strokes.
const STRIDE: i64 = 2000;

/// Instances of two threads each are killed, one of two and then both, and come back with their own directories.
pub(super) fn instances_killed(stage: &Stage<'_>) -> Result<()> {
    let node = stage.node()?;
    let set = Set::new(stage, &node)?;
    let writer = set.writer(&node)?;
    let (mut one, mut two) = (set.instance(&node, "one")?, set.instance(&node, "two")?);
    until_counted(&node, &mut [&mut one, &mut two])?;
    one.kill()?;
    until_counted(&node, &mut [&mut two])?;
    let mut one = set.instance(&node, "one")?;
    until_counted(&node, &mut [&mut one, &mut two])?;
    one.kill()?;
    two.kill()?;
    let (one, two) = (set.instance(&node, "one")?, set.instance(&node, "two")?);
    set.is_exact(&node, writer, vec![one, two])
}

/// The broker is killed twice under an application, which lives on.
pub(super) fn broker_killed(stage: &Stage<'_>) -> Result<()> {
    let mut node = stage.node()?;
    let set = Set::new(stage, &node)?;
    let writer = set.writer(&node)?;
    let mut one = set.instance(&node, "one")?;
    until_counted(&node, &mut [&mut one])?;
    for _ in 0..2 {
        node.kill_and_start_again()?;
        until_counted(&node, &mut [&mut one])?;
    }
    set.is_exact(&node, writer, vec![one])
}

/// The output grows, and everybody lives.
fn until_counted(node: &Node<'_>, instances: &mut [&mut Program]) -> Result<()> {
    until_grown(node, (COUNTED, PARTITIONS), STRIDE, || {
        instances.iter_mut().try_for_each(|instance| instance.lives())
    })
}

/// Topics, and a directory for processes.
struct Set<'s> {
    stage: &'s Stage<'s>,
    scratch: TempDir,
}

impl<'s> Set<'s> {
    fn new(stage: &'s Stage<'_>, node: &Node<'_>) -> Result<Self> {
        for topic in [WORDS, COUNTED] {
            create(node, topic, PARTITIONS)?;
        }
        Ok(Self { stage, scratch: Broker::directory()? })
    }

    /// It writes until it is told that this is enough.
    fn writer(&self, node: &Node<'_>) -> Result<Program> {
        self.stage.step_beside(node, &["write-words", WORDS], &self.scratch)
    }

    /// A process with stores of its own, which one of the same name finds again.
    fn instance(&self, node: &Node<'_>, name: &str) -> Result<Program> {
        let stores = self.scratch.path().join(format!("stores-{name}"));
        let mut command = self.stage.java(APPLICATION, self.scratch.path())?;
        command.args(["counting", WORDS, COUNTED]).arg(stores).env("BOOTSTRAP", node.address());
        Program::start(name, command, self.scratch.path())
    }

    /// The writer has done enough; all that it wrote is counted once, and the internal topics are as Streams made them.
    fn is_exact(&self, node: &Node<'_>, writer: Program, mut instances: Vec<Program>) -> Result<()> {
        let said = writer.finish()?;
        let wrote = said.lines().find_map(|line| line.strip_prefix("= wrote "));
        let wrote = wrote.with_context(|| format!("the writer says: {said}"))?;
        self.stage.step(node, &["arrive", COUNTED, wrote])?;
        until("records that were counted are deleted from the repartition topic", || {
            instances.iter_mut().try_for_each(Program::lives)?;
            Ok(starts(node, REPARTITION, PARTITIONS)? > 0)
        })?;
        instances.into_iter().try_for_each(Program::stop)?;
        let found = self.stage.step(node, &["counted", COUNTED])?;
        ensure!(found == [format!("counted {wrote}")], "of {wrote} inputs: {found:?}");
        has_settings(self.stage, node, CHANGELOG, &["cleanup.policy=compact"])?;
        has_settings(self.stage, node, REPARTITION, &["cleanup.policy=delete", "retention.ms=-1"])
    }
}
