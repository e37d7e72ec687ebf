//! One loaded Kafka, taken over in several ways.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::SETTINGS;
use super::stage::{COMPACTED_TRANSACTIONS, Stage, same};
use super::tree::Tree;
use crate::harness::kill_group;
use crate::parts::kafka::Kafka;
use crate::parts::witness::{says_nothing, says_the_same};
use crate::workspace::copy_tree;

/// Records of each codec.
const RECORDS: &str = "9000";
/// Numbers that the rider writes, at most a thousand a second. It speaks up after a quarter of them.
const RIDE: &str = "4000";
/// Topics with gaps between offsets.
const COMPACTED: [&str; 4] =
    ["compacted", COMPACTED_TRANSACTIONS, "__consumer_offsets", "__transaction_state"];

/// A Kafka that was killed after clients had written something of every kind, and what they saw before.
pub(super) struct Loaded<'o> {
    pub(super) kafka: Kafka<'o>,
    pub(super) seen: Vec<String>,
}

impl<'o> Loaded<'o> {
    pub(super) fn new(stage: &Stage<'o>) -> Result<Self> {
        let mut kafka = Kafka::format(stage.oracle, SETTINGS)?;
        kafka.start()?;
        stage.step(&["load", RECORDS, "new-groups"], kafka.address())?;
        let seen = stage.read(kafka.address())?;
        ensure!(seen.len() > 30, "only this is seen: {seen:?}");
        kafka.kill();
        Ok(Self { kafka, seen })
    }
}

/// Kafka is killed under a producer, which goes on with what ours made of it.
pub(super) fn ride(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut kafka = loaded.kafka.copy(&[])?;
    kafka.start()?;
    let address = kafka.address().to_owned();
    let mut command = stage.java(&["ride", "ride", RIDE], &address);
    let mut rider = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let ridden = (|| {
        let mut lines = BufReader::new(rider.stdout.take().context("no output")?).lines();
        ensure!(lines.next().transpose()?.as_deref() == Some("= writing"), "the rider does not write");
        kafka.kill();
        let broker = stage.take(&kafka, &[], &address)?;
        let last = lines.map_while(Result::ok).last();
        ensure!(last.as_deref() == Some("= done"), "the rider fell: {last:?}; {}", broker.log_tail());
        Ok(())
    })();
    kill_group(&mut rider);
    ridden
}

/// Ours goes on, compacts, and Kafka reads all that.
pub(super) fn after_kill(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut broker = stage.take(&loaded.kafka, &[], "127.0.0.1:0")?;
    same(&loaded.seen, &stage.read(broker.address())?).with_context(|| broker.log_tail())?;
    stage.more(broker.address())?;
    stage.compact_transactions(broker.address(), &broker.data_dir())?;
    let ours = stage.read(broker.address())?;
    ensure!(broker.stop()?.success(), "an orderly stop");
    says_nothing(stage.oracle, &broker.data_dir(), &COMPACTED)?;
    back(stage, loaded, &broker.data_dir(), &ours).map(drop)
}

/// A producer dies within a transaction, and Kafka before anybody ends it. An import ends it, with markers that Kafka
/// reads, and in such words that Kafka's coordinator lets the producer begin anew.
pub(super) fn ended(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut kafka = loaded.kafka.copy(&[])?;
    kafka.start()?;
    ensure!(stage.step(&["leave-open"], kafka.address())? == ["open"], "nothing is left open");
    kafka.kill();
    let elsewhere = tempfile::tempdir()?;
    let named = stage.import(&kafka.log_dir(), &elsewhere.path().join("dry"), &["--dry-run"])?.succeeded()?;
    for index in 0..2 {
        let line = format!("open transaction: transactions-{index} from offset ");
        ensure!(
            named.out.contains(&line) && named.out.contains("(transactional.id left open)"),
            "{}",
            named.out
        );
    }
    let mut broker = stage.take(&kafka, &["--end-transactions"], "127.0.0.1:0")?;
    ensure!(stage.step(&["passes"], broker.address())? == ["passes"], "{}", broker.log_tail());
    let ours = stage.read(broker.address())?;
    ensure!(broker.stop()?.success(), "an orderly stop");
    says_nothing(stage.oracle, &broker.data_dir(), &COMPACTED)?;
    let kafka = back(stage, loaded, &broker.data_dir(), &ours)?;
    ensure!(stage.step(&["again"], kafka.address())? == ["done"], "the producer does not go on");
    Ok(())
}

/// Gives Kafka its directory back with the partitions as ours left them; Kafka must see what ours showed.
fn back<'o>(stage: &Stage<'o>, loaded: &Loaded<'o>, ours: &Path, seen: &[String]) -> Result<Kafka<'o>> {
    let mut kafka = loaded.kafka.copy(&[])?;
    for entry in fs::read_dir(ours)? {
        let path = entry?.path();
        let to = kafka.log_dir().join(path.file_name().context("no name")?);
        if path.is_dir() {
            fs::remove_dir_all(&to)?;
            copy_tree(&path, &to)?;
        } else if to.to_string_lossy().ends_with("-offset-checkpoint") {
            fs::copy(&path, &to)?;
        }
    }
    kafka.start()?;
    same(seen, &stage.read(kafka.address())?).context("Kafka on what ours wrote")?;
    Ok(kafka)
}

/// Our tool prints of the files of a Kafka that stopped what Kafka's own does: records of all codecs, transactions, groups.
pub(super) fn dumped(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut kafka = loaded.kafka.copy(&[])?;
    kafka.start()?;
    kafka.stop()?;
    let kinds = ["log", "index", "timeindex", "txnindex", "snapshot"];
    says_the_same(stage.oracle, stage.binary, &kafka.log_dir(), &kinds)
}

/// The same of batches that no client sends here: of every kind of control record, without records, with holes, with bytes that are
/// no text, with sequences that wrap.
pub(super) fn dumped_odd(stage: &Stage<'_>) -> Result<()> {
    let directory = tempfile::tempdir()?;
    stage.oracle.call("pagewire.OddLogs", &[&directory.path().display().to_string()])?;
    says_the_same(stage.oracle, stage.binary, directory.path(), &["log"])
}

/// Links do Kafka's directory no harm; then both compact the same transactions.
pub(super) fn after_stop(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut kafka = loaded.kafka.copy(&[])?;
    kafka.start()?;
    kafka.stop()?;
    let elsewhere = tempfile::tempdir()?;
    let dry = stage.import(&kafka.log_dir(), &elsewhere.path().join("dry"), &["--dry-run"])?.succeeded()?;
    ensure!(dry.out.contains("nothing was written"), "{}", dry.out);
    let before = Tree::of(&kafka.log_dir())?;
    let broker = stage.take(&kafka, &["--link"], "127.0.0.1:0")?;
    same(&loaded.seen, &stage.read(broker.address())?)?;
    stage.more(broker.address())?;
    let ours = stage.compact_transactions(broker.address(), &broker.data_dir())?;
    drop(broker);
    before.is_still(&kafka.log_dir())?;
    kafka.start()?;
    same(&loaded.seen, &stage.read(kafka.address())?).context("Kafka, started once more")?;
    let refused = stage.import(&kafka.log_dir(), &elsewhere.path().join("refused"), &[])?;
    ensure!(refused.code == 1 && refused.err.contains("in use"), "a Kafka that runs: {refused:?}");
    let theirs = stage.compact_transactions(kafka.address(), &kafka.log_dir())?;
    same(&theirs, &ours).context("transactions compacted by both")
}
