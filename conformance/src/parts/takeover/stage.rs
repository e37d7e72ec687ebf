//! What all cases need: Kafka's own clients, imports, and comparing what is seen.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::tree::Tree;
use crate::harness::Broker;
use crate::harness::commands::{Ran, run};
use crate::parts::Context;
use crate::parts::kafka::{Kafka, Oracle};
use crate::parts::witness::compaction::{RATIO, bases, until_clean};

const STEPS: &str = "pagewire.Takeover";
/// A compacted topic with transactions in its two partitions, which nobody has compacted yet.
pub(super) const COMPACTED_TRANSACTIONS: &str = "compacted-transactions";
const PARTITIONS: i32 = 2;

/// The binary under test and Kafka's classes.
pub(super) struct Stage<'a> {
    pub(super) binary: &'a Path,
    pub(super) oracle: &'a Oracle,
}

impl<'a> Stage<'a> {
    pub(super) fn new(context: &'a Context<'_>, oracle: &'a Oracle) -> Self {
        Self { binary: &context.binary, oracle }
    }

    /// A step of the Java side in a process of its own.
    pub(super) fn java(&self, step: &[&str], address: &str) -> Command {
        let mut command = self.oracle.classes().command("512m", STEPS);
        command.args(step).env("BOOTSTRAP", address);
        command
    }

    /// Does one step at a broker; the lines that count.
    pub(super) fn step(&self, step: &[&str], address: &str) -> Result<Vec<String>> {
        self.oracle.told(address, STEPS, step)
    }

    /// Everything that clients see.
    pub(super) fn read(&self, address: &str) -> Result<Vec<String>> {
        self.step(&["read"], address)
    }

    /// Clients go on where those before had stopped.
    pub(super) fn more(&self, address: &str) -> Result<()> {
        ensure!(self.step(&["more", "3000"], address)? == ["done"], "clients do not go on");
        Ok(())
    }

    /// Imports Kafka's directory and serves what it made, where `at` says.
    pub(super) fn take(&self, kafka: &Kafka<'_>, options: &[&str], at: &str) -> Result<Broker> {
        let directory = Broker::directory()?;
        let before = Tree::of(&kafka.log_dir())?;
        let ran = self.import(&kafka.log_dir(), &directory.path().join("data"), options)?.succeeded()?;
        ensure!(ran.out.contains("is whole"), "{}", ran.out);
        before.is_still(&kafka.log_dir())?;
        let mut broker = Broker::on(self.binary, directory, at);
        broker.start_again()?;
        Ok(broker)
    }

    pub(super) fn import(&self, from: &Path, to: &Path, options: &[&str]) -> Result<Ran> {
        let mut command = Command::new(self.binary);
        command.arg("import").arg("--from").arg(from).arg("--to").arg(to).args(options);
        run(&mut command, "")
    }

    /// Lets a broker compact the transactions; what is left of them. Nobody's newest committed value changes by that.
    pub(super) fn compact_transactions(&self, address: &str, data_dir: &Path) -> Result<Vec<String>> {
        let topic = COMPACTED_TRANSACTIONS;
        let survivors = || self.step(&["survivors", topic, &PARTITIONS.to_string()], address);
        let counting = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| line.starts_with("counts ")).cloned().collect()
        };
        let before = survivors()?;
        let active = |partition: i32| -> Result<(i32, i64)> {
            let bases = bases(&data_dir.join(format!("{topic}-{partition}")))?;
            ensure!(bases.len() > 3, "nothing was rolled: {bases:?}");
            Ok((partition, bases.last().copied().unwrap_or(0)))
        };
        let reached = (0..PARTITIONS).map(active).collect::<Result<_>>()?;
        self.step(&["set", topic, RATIO, "0"], address)?;
        until_clean(data_dir, topic, &reached)?;
        self.step(&["set", topic, RATIO, "1"], address)?;
        let after = survivors()?;
        ensure!(before != after, "nothing was compacted: {after:?}");
        same(&counting(&before), &counting(&after))?;
        Ok(after)
    }
}

/// The first difference is the failure.
pub(super) fn same(expected: &[String], found: &[String]) -> Result<()> {
    for (expected, found) in expected.iter().zip(found) {
        ensure!(expected == found, "Kafka showed [{expected}], now it is [{found}]");
    }
    ensure!(expected.len() == found.len(), "{} lines, now {}", expected.len(), found.len());
    Ok(())
}
