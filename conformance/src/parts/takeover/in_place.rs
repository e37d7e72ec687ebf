//! Kafka in a directory of ours: what it writes there counts, also if it is killed.
//!
//! ```text
//!   ours    imports, serves, deletes records, stops in order: checkpoints, and their sums
//!   Kafka   on that very directory, with its own metadata log beside our partitions: deletes more, writes its checkpoints
//!           over ours, is killed
//!   ours    starts on that: everything is as Kafka showed it, and no checkpoint counts as damaged
//! ```

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::cases::Loaded;
use super::stage::{Stage, same};
use crate::harness::raw::Raw;
use crate::harness::{Broker, until_right};
use crate::parts::kafka::Kafka;
use crate::workspace::copy_tree;

/// It writes its checkpoints often.
const SETTINGS: [&str; 3] = [
    "log.flush.offset.checkpoint.interval.ms=200",
    "log.flush.start.offset.checkpoint.interval.ms=200",
    "replica.high.watermark.checkpoint.interval.ms=200",
];
/// What Kafka needs of its own in a directory of ours.
const METADATA_LOG: &str = "__cluster_metadata-0";
const BOOTSTRAP: &str = "bootstrap.checkpoint";
const IDENTITY: &str = "meta.properties";
const STARTS: &str = "log-start-offset-checkpoint";
const TRIMMED: &str = "trimmed";

pub(super) fn counts(stage: &Stage<'_>, loaded: &Loaded<'_>) -> Result<()> {
    let mut broker = stage.take(&loaded.kafka, &[], "127.0.0.1:0")?;
    let ours = trim(stage, broker.address())?;
    ensure!(broker.stop()?.success(), "an orderly stop");
    let before = fs::read_to_string(broker.data_dir().join(STARTS))?;
    ensure!(before.contains(&format!("{TRIMMED} 0 {ours}")), "our log starts: {before}");

    let mut kafka = loaded.kafka.copy(&SETTINGS)?;
    let lent = Lent::to(&kafka, &broker)?;
    kafka.start()?;
    let theirs = trim(stage, kafka.address())?;
    until_right("Kafka's log starts", || {
        let text = fs::read_to_string(kafka.log_dir().join(STARTS))?;
        ensure!(text.contains(&format!("{TRIMMED} 0 {theirs}")), "{text}");
        Ok(())
    })?;
    let seen = stage.read(kafka.address())?;
    kafka.kill();
    lent.back(&kafka, &broker)?;

    broker.clear_log()?;
    broker.start_again()?;
    same(&seen, &stage.read(broker.address())?).with_context(|| broker.log_tail())?;
    let said = broker.log()?;
    ensure!(!said.contains("not what was written last"), "{said}");
    Ok(())
}

/// Deletes a record within the first segment; where the log starts then.
fn trim(stage: &Stage<'_>, address: &str) -> Result<i64> {
    let mut client = Raw::connect(address)?;
    let start = client.offset(TRIMMED, 0, -2)? + 1;
    stage.step(&["trim", TRIMMED, &start.to_string()], address)?;
    let now = client.offset(TRIMMED, 0, -2)?;
    ensure!(now == start, "the log starts at {now}, not at {start}");
    Ok(start)
}

/// A directory of ours in the place of Kafka's.
struct Lent {
    identity: Vec<u8>,
}

impl Lent {
    fn to(kafka: &Kafka<'_>, broker: &Broker) -> Result<Self> {
        let (theirs, aside) = (kafka.log_dir(), kafka.log_dir().with_extension("aside"));
        let identity = fs::read(broker.data_dir().join(IDENTITY))?;
        fs::rename(&theirs, &aside)?;
        fs::rename(broker.data_dir(), &theirs)?;
        copy_tree(&aside.join(METADATA_LOG), &theirs.join(METADATA_LOG))?;
        for name in [IDENTITY, BOOTSTRAP] {
            fs::copy(aside.join(name), theirs.join(name)).context(name)?;
        }
        Ok(Self { identity })
    }

    fn back(self, kafka: &Kafka<'_>, broker: &Broker) -> Result<()> {
        let dir = kafka.log_dir();
        fs::remove_dir_all(dir.join(METADATA_LOG))?;
        fs::remove_file(dir.join(BOOTSTRAP))?;
        fs::write(dir.join(IDENTITY), &self.identity)?;
        fs::rename(&dir, broker.data_dir()).context("our directory back in its place")
    }
}
