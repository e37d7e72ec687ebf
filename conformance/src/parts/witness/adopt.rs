//! Apache Kafka on a copy of our directory: it serves the same bytes, and goes on where we stopped.
//!
//! ```text
//!   Kafka: format, make the same topics, stop; once for all cases, each of which takes a copy
//!   copy:  every partition's files of ours in place of its own, partition.metadata excepted (it names Kafka's topic id);
//!          our checkpoints; our mark of a clean stop, or none
//!   Kafka: start; everything it serves and knows is what we served and knew
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pagewire_record::{DecompressLimits, complete_batches};

use super::dump::{partitions, says_nothing};
use super::workload::{self, COMPACTED, GROUPS, Known, Served};
use crate::harness::raw::Raw;
use crate::parts::kafka::{Kafka, LOG_LAYER, Oracle};

const METADATA: &str = "partition.metadata";
const MARK: &str = ".kafka_cleanshutdown";
const CHECKPOINTS: [&str; 4] = [
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
];
const SETTINGS: [&str; 5] = [
    "offsets.topic.num.partitions=2",
    "offsets.topic.segment.bytes=1048576",
    "log.cleaner.enable=false",
    "auto.create.topics.enable=false",
    // Nothing is deleted while it is looked at.
    "log.initial.task.delay.ms=3600000",
];

/// A Kafka with the same topics, stopped.
pub(super) fn prepare(oracle: &Oracle) -> Result<Kafka<'_>> {
    let mut kafka = Kafka::format(oracle, &SETTINGS)?;
    kafka.start()?;
    workload::create_topics(kafka.address())?;
    workload::ask_coordinator(&mut Raw::connect(kafka.address())?, GROUPS[0])?;
    kafka.stop()?;
    Ok(kafka)
}

/// Kafka on a copy of what our broker left, with our mark of a clean stop or none.
pub(super) fn goes_on_where_we_stopped(
    oracle: &Oracle,
    prepared: &Kafka<'_>,
    ours: &Path,
    known: &Known,
    mark: bool,
) -> Result<()> {
    let mut kafka = prepared.copy(&[])?;
    take_over(&kafka, ours, mark)?;
    kafka.start()?;
    same(&kafka, known)?;
    for topic in ["plain", "compacted"] {
        let served = known.served.iter().filter(|served| served.topic == topic);
        read_by_console(oracle, &kafka, topic, served)?;
    }
    goes_on(&kafka, known)?;
    kafka.stop()?;
    nothing_was_wrong(&kafka.said()?)?;
    says_nothing(oracle, &kafka.log_dir(), &COMPACTED)
}

/// Gives a Kafka that has the same topics our files for them.
fn take_over(kafka: &Kafka<'_>, ours: &Path, mark: bool) -> Result<()> {
    let theirs = kafka.log_dir();
    for from in partitions(ours)? {
        let to = theirs.join(from.file_name().context("a folder without a name")?);
        ensure!(to.is_dir(), "Kafka has no {}", to.display());
        replace_files(&from, &to)?;
    }
    for name in CHECKPOINTS {
        if ours.join(name).is_file() {
            fs::copy(ours.join(name), theirs.join(name))?;
        }
    }
    if mark {
        fs::copy(ours.join(MARK), theirs.join(MARK)).context("our mark of a clean stop")?;
    } else {
        fs::remove_file(theirs.join(MARK)).context("Kafka's mark of a clean stop")?;
    }
    Ok(())
}

fn replace_files(from: &Path, to: &Path) -> Result<()> {
    let metadata = fs::read(to.join(METADATA))?;
    fs::remove_dir_all(to)?;
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    fs::write(to.join(METADATA), metadata)?;
    Ok(())
}

/// The same offsets, bytes and commits.
fn same(kafka: &Kafka<'_>, known: &Known) -> Result<()> {
    let theirs = workload::served(kafka.address())?;
    for (ours, theirs) in known.served.iter().zip(&theirs) {
        let place = format!("{}-{}", ours.topic, ours.partition);
        let ends = |served: &Served| (served.start, served.end);
        ensure!(ends(ours) == ends(theirs), "{place}: {:?}, Kafka has {:?}", ends(ours), ends(theirs));
        ensure!(ours.bytes == theirs.bytes, "{place}: Kafka serves other bytes");
        ensure!(!ours.bytes.is_empty() || ours.topic == workload::OFFSETS, "{place}: no records");
    }
    let committed = workload::committed(kafka.address())?;
    ensure!(committed == known.committed, "committed: {:?}, Kafka: {committed:?}", known.committed);
    ensure!(committed.iter().all(|group| !group.is_empty()), "nothing was committed");
    Ok(())
}

/// Kafka knows every idempotent producer: its last batch again is not appended, its next one is.
fn goes_on(kafka: &Kafka<'_>, known: &Known) -> Result<()> {
    let mut client = Raw::connect(kafka.address())?;
    for sent in &known.sent {
        let (topic, partition) = (sent.topic, sent.partition);
        let end = client.offset(topic, partition, -1)?;
        let again = client.append(topic, partition, &sent.batch)?;
        ensure!(
            again == sent.base_offset && client.offset(topic, partition, -1)? == end,
            "{topic}-{partition}: the last batch of {:?} again went to {again}, it was at {}",
            sent.producer,
            sent.base_offset
        );
        let mut stream = super::keyed::Keyed::new(1, 3, workload::now_ms()?);
        let (next, _) = stream.batch(Some((sent.producer, sent.next_sequence)))?;
        let at = client.append(topic, partition, &next)?;
        ensure!(at == end, "{topic}-{partition}: the next batch went to {at}, the log ended at {end}");
    }
    ensure!(!known.sent.is_empty(), "no idempotent producer");
    Ok(())
}

/// What Kafka's log layer said of the files it found. Recovering is no accusation, mending is.
fn nothing_was_wrong(said: &str) -> Result<()> {
    const ACCUSATIONS: [&str; 7] =
        ["ERROR", "orrupt", "nvalid", "Rebuilding", "Truncating", "ould not", "Exception"];
    let of_the_log = said.lines().filter(|line| line.contains(LOG_LAYER));
    let accuses = |line: &&str| ACCUSATIONS.iter().any(|word| line.contains(word));
    let found: Vec<&str> = of_the_log.filter(accuses).collect();
    ensure!(found.is_empty(), "Kafka says: {}", found.join(" | "));
    Ok(())
}

/// Every record that there is, at its partition and offset, and no other.
fn read_by_console<'s>(
    oracle: &Oracle,
    kafka: &Kafka<'_>,
    topic: &str,
    served: impl Iterator<Item = &'s Served>,
) -> Result<()> {
    let mut expected = Vec::new();
    for served in served {
        for batch in complete_batches(&served.bytes) {
            for record in batch?.records(&DecompressLimits::default())? {
                let record = record?;
                expected.push(format!("Partition:{}\tOffset:{}", served.partition, record.offset));
            }
        }
    }
    expected.sort();
    let count = expected.len().to_string();
    let arguments = [
        "--bootstrap-server",
        kafka.address(),
        "--topic",
        topic,
        "--from-beginning",
        "--max-messages",
        &count,
        "--timeout-ms",
        "30000",
        "--formatter-property",
        "print.partition=true",
        "--formatter-property",
        "print.offset=true",
        "--formatter-property",
        "print.value=false",
    ];
    let printed = oracle.call("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments)?;
    let mut read: Vec<&str> = printed.lines().filter(|line| line.starts_with("Partition:")).collect();
    read.sort_unstable();
    ensure!(read == expected, "{} of {count} records of {topic} were read: {printed}", read.len());
    Ok(())
}
