//! Very many segments: what a directory of them costs in memory once it is open, and after every segment was read.
//!
//! The files are made here, as an orderly stop leaves them: nobody waits for a million rolls.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use pagewire_disk::checkpoint::{
    EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE, RECOVERY_POINT_FILE, format_id,
};
use pagewire_disk::{CleanMark, OffsetCheckpoint, OsDisk};
use pagewire_lab::drive::{client::batch, process};
use pagewire_log::{Handles, Log, LogConfig, LogDir, LogDirOptions, PartitionSettings, ReadUpTo};
use pagewire_record::{BatchHeader, Codec};
use uuid::Uuid;

use crate::report::Name;

pub(super) const COLUMNS: &[Name] = &[
    "open s",
    "bytes/partition",
    "RSS MiB open",
    "bytes/segment beyond",
    "RSS MiB when each was read",
    "bytes/segment then",
];

const TOPIC: &str = "segments";
const TOPIC_ID: Uuid = Uuid::from_u128(0x5e93_e275);
const OPEN_FILES: usize = 1000;
const THREADS: usize = 2;

/// Opens a directory of `partitions` with one segment each, and one with `segments` each: the difference is theirs.
pub(super) fn run(partitions: i32, segments: i64) -> Result<Vec<f64>> {
    ensure!(segments > 1, "one segment is what every partition has");
    let one = measure(partitions, 1)?;
    let many = measure(partitions, segments)?;
    let per = |bytes: f64, count: f64| bytes / count;
    let (partitions, closed) = (f64::from(partitions), f64::from(partitions) * (segments - 1) as f64);
    Ok(vec![
        many.seconds,
        per(one.open, partitions),
        many.open / f64::from(1 << 20),
        per(many.open - one.open, closed),
        many.read / f64::from(1 << 20),
        per(many.read - one.read, closed),
    ])
}

struct Measured {
    seconds: f64,
    /// Bytes resident beyond what was before, after opening.
    open: f64,
    /// And after a read from every segment.
    read: f64,
}

/// In a process of its own, which knows nothing of earlier ones' memory.
fn measure(partitions: i32, segments: i64) -> Result<Measured> {
    let dir = tempfile::tempdir()?;
    make(dir.path(), partitions, segments)?;
    // The files are as another program left them, and are looked at once for it; what counts is what a stop of ours leaves.
    opened_in_a_process(dir.path(), partitions, segments)?;
    opened_in_a_process(dir.path(), partitions, segments)
}

fn opened_in_a_process(dir: &Path, partitions: i32, segments: i64) -> Result<Measured> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .args([super::COMMAND, super::OPEN])
        .arg(dir)
        .args([partitions.to_string(), segments.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [seconds, open, read] = numbers[..] else {
        anyhow::bail!("the measuring process said {text:?} {}", String::from_utf8_lossy(&output.stderr))
    };
    Ok(Measured { seconds, open, read })
}

/// The measuring process: `DIR PARTITIONS SEGMENTS`.
pub(super) fn open(words: &[String]) -> Result<()> {
    let [dir, partitions, segments] = words else { anyhow::bail!("DIR PARTITIONS SEGMENTS") };
    let (partitions, segments): (i32, i64) = (partitions.parse()?, segments.parse()?);
    let resident =
        || -> Result<f64> { Ok(process::memory(std::process::id())?.resident_mib * f64::from(1 << 20)) };
    let (before, began) = (resident()?, Instant::now());
    let options = LogDirOptions {
        cluster_id: "bench".into(),
        node_id: 1,
        threads: THREADS,
        handles: Handles::new(OPEN_FILES),
        now_ms: 0,
    };
    let settings = PartitionSettings {
        topic_id: TOPIC_ID,
        leader_epoch: 0,
        log: LogConfig::default(),
        flush_ms: None,
        behind: Vec::new(),
    };
    let known = |_: &str, _| Some(settings.clone());
    let (dir, report) = LogDir::open(Arc::new(OsDisk::new()), Path::new(dir), &options, &known, &|_| ())?;
    ensure!(report.loaded.len() == usize::try_from(partitions)?, "not all were loaded");
    let seconds = began.elapsed().as_secs_f64();
    let opened = resident()? - before;
    for log in dir.logs() {
        read_each(&log, segments)?;
    }
    println!("{seconds} {opened} {}", resident()? - before);
    ensure!(dir.close_clean(0).clean, "not closed in order");
    Ok(())
}

fn read_each(log: &Log, segments: i64) -> Result<()> {
    for offset in 0..segments {
        let slice = log.read(offset, 1 << 20, ReadUpTo::LogEnd, true)?;
        ensure!(slice.range.is_some(), "offset {offset} cannot be read");
    }
    Ok(())
}

/// Files as an orderly stop leaves them: one record in each segment.
fn make(dir: &Path, partitions: i32, segments: i64) -> Result<()> {
    let mut recovery = OffsetCheckpoint::new();
    let mut bytes = batch(1, 100, Codec::None)?.to_vec();
    for partition in 0..partitions {
        let home = dir.join(format!("{TOPIC}-{partition}"));
        fs::create_dir(&home)?;
        fs::write(
            home.join(PARTITION_METADATA_FILE),
            format!("version: 0\ntopic_id: {}\n", format_id(TOPIC_ID)),
        )?;
        for offset in 0..segments {
            let file = |suffix: &str| home.join(format!("{offset:020}.{suffix}"));
            bytes.get_mut(..8).context("a batch")?.copy_from_slice(&offset.to_be_bytes());
            let header = BatchHeader::parse(&bytes)?;
            fs::write(file("log"), &bytes)?;
            fs::write(file("index"), [])?;
            fs::write(file("timeindex"), [&header.max_timestamp.to_be_bytes()[..], &[0; 4]].concat())?;
        }
        fs::write(home.join(EPOCH_CHECKPOINT_FILE), "0\n1\n0 0\n")?;
        fs::write(home.join(format!("{segments:020}.snapshot")), no_producers())?;
        recovery.set(TOPIC, partition, segments);
    }
    let disk = OsDisk::new();
    recovery.write(&disk, &dir.join(RECOVERY_POINT_FILE))?;
    Ok(CleanMark::write(&disk, dir)?)
}

/// A `.snapshot` without an entry.
fn no_producers() -> Vec<u8> {
    let count = 0_i32.to_be_bytes();
    [&1_i16.to_be_bytes()[..], &crc32c::crc32c(&count).to_be_bytes(), &count].concat()
}
