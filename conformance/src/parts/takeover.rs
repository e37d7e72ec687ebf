//! Apache Kafka writes, stops or is killed; `pagewire import` makes a directory of what it left; ours serves it. Everything
//! that a client can see of the one must be seen of the other: ids, settings, every record with offset, time and headers,
//! committed offsets. And back: Kafka's tools, and Kafka itself, read what ours wrote on top.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::kafka::{Kafka, tool};
use super::{Cases, Context};
use crate::clients::KafkaClasses;
use crate::harness::commands::{Ran, run};
use crate::harness::{Broker, kill_group, run_to_end};

/// One step of the Java side.
const STEP_LIMIT: Duration = Duration::from_mins(5);
/// Numbers that the rider writes, at most a thousand a second.
const RIDE: &str = "8000";

/// The part.
pub fn takeover(context: &Context<'_>, cases: &mut Cases<'_>) {
    let stage = match Stage::new(context) {
        Ok(stage) => stage,
        Err(reason) => return cases.skip("everything", &format!("{reason:#}")),
    };
    // Kafka is loaded once; the cases take it over one after the other, each from what it left then.
    let mut loaded = None;
    cases.run("a_loaded_kafka_is_seen_whole", || {
        loaded = Some(stage.load()?);
        Ok(())
    });
    let Some(mut kafka) = loaded else { return };
    cases.run("a_producer_rides_over_from_a_killed_kafka", || stage.ride(&mut kafka));
    cases.run("what_a_killed_kafka_left_is_served_and_goes_on", || stage.after_kill(&mut kafka));
    cases.run("what_an_orderly_kafka_left_is_linked_and_stays_as_it_was", || stage.after_stop(&mut kafka));
}

/// Kafka's settings: small internal topics, a quick cleaner, and indexes that are not long after a kill either.
const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=5",
    "transaction.state.log.num.partitions=3",
    "group.initial.rebalance.delay.ms=0",
    "log.cleaner.backoff.ms=200",
    "log.index.size.max.bytes=262144",
    "auto.create.topics.enable=false",
];

/// What all cases need.
struct Stage<'a> {
    binary: &'a Path,
    classes: KafkaClasses,
    logs: TempDir,
}

impl<'a> Stage<'a> {
    fn new(context: &'a Context<'a>) -> Result<Self> {
        let classes = KafkaClasses::of(context.workspace, context.printer)?;
        Ok(Self { binary: &context.binary, classes, logs: tempfile::tempdir()? })
    }

    fn java(&self, step: &[&str], address: &str) -> Command {
        let mut command = self.classes.command("512m", "pagewire.Takeover");
        command.args(step).env("BOOTSTRAP", address);
        command
    }

    /// Does one step at a broker; the lines that count.
    fn step(&self, step: &str, address: &str) -> Result<Vec<String>> {
        let log = self.logs.path().join("step.log");
        let ended = run_to_end(&mut self.java(&[step], address), &log, STEP_LIMIT)?;
        ensure!(ended.success(), "{step} failed: {}", ended.output);
        let text = fs::read_to_string(&log)?;
        Ok(text.lines().filter_map(|line| line.strip_prefix("= ")).map(str::to_owned).collect())
    }

    fn load(&self) -> Result<Kafka<'_>> {
        let mut kafka = Kafka::format(&self.classes, SETTINGS)?;
        kafka.start()?;
        self.step("load", kafka.address())?;
        let seen = self.step("read", kafka.address())?;
        ensure!(seen.len() > 30, "only this is seen: {seen:?}");
        Ok(kafka)
    }

    /// Imports Kafka's directory and serves what it made, where `at` says.
    fn take(&self, kafka: &Kafka<'_>, options: &[&str], at: &str) -> Result<Broker> {
        let directory = Broker::directory()?;
        let before = Tree::of(&kafka.log_dir())?;
        let ran = self.import(&kafka.log_dir(), &directory.path().join("data"), options)?.succeeded()?;
        ensure!(ran.out.contains("is whole"), "{}", ran.out);
        before.is_still(&kafka.log_dir())?;
        let mut broker = Broker::on(self.binary, directory, at);
        broker.start_again()?;
        Ok(broker)
    }

    fn import(&self, from: &Path, to: &Path, options: &[&str]) -> Result<Ran> {
        let mut command = Command::new(self.binary);
        command.arg("import").arg("--from").arg(from).arg("--to").arg(to).args(options);
        run(&mut command, "")
    }

    fn ride(&self, kafka: &mut Kafka<'_>) -> Result<()> {
        kafka.run()?;
        let address = kafka.address().to_owned();
        let mut command = self.java(&["ride", "ride", RIDE], &address);
        let mut rider = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let ridden = (|| {
            let mut lines = BufReader::new(rider.stdout.take().context("no output")?).lines();
            ensure!(lines.next().transpose()?.as_deref() == Some("= writing"), "the rider does not write");
            std::thread::sleep(Duration::from_secs(1));
            kafka.kill();
            let broker = self.take(kafka, &[], &address)?;
            let last = lines.map_while(Result::ok).last();
            ensure!(last.as_deref() == Some("= done"), "the rider fell: {last:?}; {}", broker.log_tail());
            Ok(())
        })();
        kill_group(&mut rider);
        ridden
    }

    fn after_kill(&self, kafka: &mut Kafka<'_>) -> Result<()> {
        // It was killed and started before: what it shows now counts.
        kafka.run()?;
        let seen = self.step("read", kafka.address())?;
        kafka.kill();
        let mut broker = self.take(kafka, &[], "127.0.0.1:0")?;
        same(&seen, &self.step("read", broker.address())?).with_context(|| broker.log_tail())?;
        ensure!(self.step("more", broker.address())? == ["done"], "clients do not go on");
        let ours = self.step("read", broker.address())?;
        ensure!(broker.stop()?.success(), "an orderly stop");
        self.dump(&broker.data_dir())?;
        self.back(kafka, &broker.data_dir(), &ours)
    }

    fn after_stop(&self, kafka: &mut Kafka<'_>) -> Result<()> {
        kafka.run()?;
        let seen = self.step("read", kafka.address())?;
        kafka.stop()?;
        let running =
            self.import(&kafka.log_dir(), &self.logs.path().join("dry"), &["--dry-run"])?.succeeded()?;
        ensure!(running.out.contains("nothing was written"), "{}", running.out);
        let before = Tree::of(&kafka.log_dir())?;
        let broker = self.take(kafka, &["--link"], "127.0.0.1:0")?;
        same(&seen, &self.step("read", broker.address())?)?;
        ensure!(self.step("more", broker.address())? == ["done"], "clients do not go on");
        drop(broker);
        before.is_still(&kafka.log_dir())?;
        kafka.start()?;
        same(&seen, &self.step("read", kafka.address())?).context("Kafka, started once more")?;
        let refused = self.import(&kafka.log_dir(), &self.logs.path().join("refused"), &[])?;
        ensure!(refused.code == 1 && refused.err.contains("in use"), "a Kafka that runs: {refused:?}");
        Ok(())
    }

    /// Kafka's own tool over every file of ours.
    fn dump(&self, dir: &Path) -> Result<()> {
        let files = |suffixes: &[&str]| -> Result<String> {
            let of = |path: &&PathBuf| {
                path.extension().is_some_and(|end| suffixes.iter().any(|suffix| end == *suffix))
            };
            let paths = files_below(dir)?;
            Ok(paths.iter().filter(of).map(|path| path.display().to_string()).collect::<Vec<_>>().join(","))
        };
        for (options, suffixes) in [
            (&["--deep-iteration"][..], &["log"][..]),
            (&["--index-sanity-check"], &["index", "timeindex"]),
            (&[], &["index", "timeindex", "txnindex", "snapshot"]),
        ] {
            let files = files(suffixes)?;
            let arguments = [options, &["--files", &files]].concat();
            let log = self.logs.path().join("dump.log");
            let text = tool(&self.classes, "org.apache.kafka.tools.DumpLogSegments", &arguments, &log)?;
            let bad = ["Mismatches", "isvalid: false", "Exception", "out of order", "corrupt", "not found"];
            if let Some(line) = text.lines().find(|line| bad.iter().any(|bad| line.contains(bad))) {
                bail!("DumpLogSegments says: {line}");
            }
        }
        Ok(())
    }

    /// Gives Kafka its directory back with the partitions as ours left them; Kafka must see what ours showed.
    fn back(&self, kafka: &mut Kafka<'_>, ours: &Path, seen: &[String]) -> Result<()> {
        let (theirs, aside) = (kafka.log_dir(), kafka.log_dir().with_extension("aside"));
        copy_tree(&theirs, &aside)?;
        for entry in fs::read_dir(ours)? {
            let path = entry?.path();
            let to = theirs.join(path.file_name().context("no name")?);
            if path.is_dir() {
                fs::remove_dir_all(&to)?;
                copy_tree(&path, &to)?;
            } else if to.to_string_lossy().ends_with("-offset-checkpoint") {
                fs::copy(&path, &to)?;
            }
        }
        let read = kafka.start().and_then(|()| self.step("read", kafka.address()));
        kafka.kill();
        fs::remove_dir_all(&theirs)?;
        fs::rename(&aside, &theirs)?;
        same(seen, &read?).context("Kafka on what ours wrote")
    }
}

/// The first difference is the failure.
fn same(expected: &[String], found: &[String]) -> Result<()> {
    // The rider writes to a topic of its own, in one case only.
    let counts = |line: &&String| !line.starts_with("ride ");
    let (expected, found): (Vec<_>, Vec<_>) =
        (expected.iter().filter(counts).collect(), found.iter().filter(counts).collect());
    for (expected, found) in expected.iter().zip(&found) {
        ensure!(expected == found, "Kafka showed [{expected}], now it is [{found}]");
    }
    ensure!(expected.len() == found.len(), "{} lines, now {}", expected.len(), found.len());
    Ok(())
}

/// Files and what is in them.
struct Tree(Vec<(PathBuf, Vec<u8>)>);

impl Tree {
    fn of(dir: &Path) -> Result<Self> {
        let read = |path: PathBuf| Ok((path.clone(), fs::read(&path)?));
        files_below(dir)?.into_iter().map(read).collect::<Result<_>>().map(Self)
    }

    fn is_still(&self, dir: &Path) -> Result<()> {
        let now = Self::of(dir)?;
        ensure!(
            self.0.len() == now.0.len(),
            "{} files in Kafka's directory were {}",
            now.0.len(),
            self.0.len()
        );
        for (before, after) in self.0.iter().zip(&now.0) {
            ensure!(before == after, "{} is not as it was", after.0.display());
        }
        Ok(())
    }
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let to = to.join(path.file_name().context("no name")?);
        if path.is_dir() {
            copy_tree(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}
