//! `[clean u8]` and then files `[which u8][bytes as a chunk]`: a log directory of any files, opened, read, scrubbed, checked,
//! compacted and closed.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_log::verify::{VerifyOptions, verify};
use pagewire_log::{
    Cleaner, CleanerLimits, Handles, LogConfig, LogDir, LogDirOptions, PartitionSettings, ReadUpTo,
    ScrubLimits, Share, Throttle,
};

use super::batch::{LIMITS, mend_checksums, mend_sum, samples};
use super::recovery::config;
use crate::input::{Input, chunk};

const ROOT: &str = "/data";
const NOW_MS: i64 = 1_700_000_001_000;
/// Every kind of file, and names that follow one another.
const NAMES: [&str; 24] = [
    "keyed-0/00000000000000000000.log",
    "keyed-0/00000000000000000010.log",
    "keyed-0/00000000000000000000.index",
    "keyed-0/00000000000000000000.timeindex",
    "keyed-0/00000000000000000000.txnindex",
    "keyed-0/00000000000000000010.snapshot",
    "keyed-0/leader-epoch-checkpoint",
    "keyed-0/partition.metadata",
    "keyed-0/00000000000000000000.log.swap",
    "keyed-0/00000000000000000010.log.cleaned",
    "keyed-0/00000000000000000000.index.swap",
    "keyed-0/00000000000000000010.log.deleted",
    "meta.properties",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    "keyed-0/pagewire-aborted",
    "pagewire-vouched-checkpoint",
    "pagewire-checkpoint-sums",
    "pagewire-scrub-checkpoint",
    "pagewire-damage-checkpoint",
    "keyed-1/00000000000000000000.log",
    "keyed-0/pagewire-compacted",
];

/// Files of which one checksum covers all.
const SUMMED: [&str; 3] = [".snapshot", "pagewire-aborted", "pagewire-compacted"];

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let clean = input.u8() & 1 == 1;
    let disk = Arc::new(MemoryDisk::new());
    for _ in 0..NAMES.len() {
        let (which, bytes) = (usize::from(input.u8()), input.chunk());
        let mut bytes = bytes.to_vec();
        let name = NAMES.get(which & 0x7f);
        if which & 0x80 != 0 {
            match name {
                Some(name) if SUMMED.iter().any(|end| name.ends_with(end)) => mend_sum(&mut bytes),
                _ => mend_checksums(&mut bytes),
            }
        }
        if let Some(name) = name.filter(|_| !bytes.is_empty()) {
            put(&disk, name, &bytes);
        }
    }
    if clean {
        put(&disk, ".kafka_cleanshutdown", b"");
    }
    put(&disk, "keyed-0/nothing", b"");
    let shared: Arc<dyn Disk> = Arc::clone(&disk) as _;
    verify(
        &shared,
        Path::new(ROOT),
        VerifyOptions { deep: true, limits: LIMITS, topics: None, again: None },
        &mut |_| (),
    )
    .expect("checked");
    for _ in 0..2 {
        let Ok(dir) = open(&disk) else { return };
        look(&dir);
        for _ in 0..2 {
            dir.scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, NOW_MS);
            let Some(dirty) = dir.dirtiest(NOW_MS) else { continue };
            let limits = CleanerLimits { map_bytes: 1 << 12, buffer_bytes: 512, ..CleanerLimits::default() };
            // A batch that cannot be believed sets the log aside.
            let _ = dirty.clean(&mut Cleaner::new(limits), NOW_MS, &Throttle::new(u64::MAX));
        }
        look(&dir);
        dir.close_clean(NOW_MS);
    }
}

/// Whatever is asked, there is an answer, and reading comes to an end.
fn look(dir: &LogDir) {
    for log in dir.logs() {
        let marks = log.marks();
        assert!(marks.log_start <= marks.last_stable && marks.last_stable <= marks.log_end, "{marks:?}");
        let mut offset = marks.log_start;
        for _ in 0..64 {
            let Ok(slice) = log.read(offset, 4096, ReadUpTo::LastStable, true) else { break };
            let Some(Ok(bytes)) = slice.range.map(|range| range.read_to_vec()) else { break };
            let next = pagewire_record::batches(&bytes)
                .map_while(Result::ok)
                .map(|batch| batch.header.next_offset());
            let Some(next) = next.last().filter(|next| *next > offset) else { break };
            offset = next;
        }
        let _ = (log.offset_for_time(NOW_MS), log.max_timestamp_offset());
        let _ = (log.end_offset_for_epoch(3), log.producers());
        let _ = log.roll_if_due(i64::MAX / 2);
    }
}

fn open(disk: &Arc<MemoryDisk>) -> Result<LogDir, pagewire_log::LogDirError> {
    let options = LogDirOptions {
        cluster_id: "fuzz".to_owned(),
        node_id: 1,
        threads: 1,
        handles: Handles::new(64),
        now_ms: NOW_MS,
    };
    let log = LogConfig {
        cleanup_compact: true,
        min_cleanable_dirty_ratio: Share::new(0.0),
        file_delete_delay_ms: 0,
        ..config()
    };
    let settings = |_: &str, _: i32| {
        let topic_id = uuid::Uuid::from_u128(7 << 64);
        Some(PartitionSettings {
            topic_id,
            leader_epoch: 3,
            log: log.clone(),
            flush_ms: None,
            behind: Vec::new(),
        })
    };
    let disk = Arc::clone(disk) as Arc<dyn Disk>;
    LogDir::open(disk, Path::new(ROOT), &options, &settings, &|_| ()).map(|(dir, _)| dir)
}

fn put(disk: &MemoryDisk, name: &str, bytes: &[u8]) {
    let path = Path::new(ROOT).join(name);
    disk.create_dir_all(path.parent().unwrap_or(Path::new(ROOT))).expect("memory has room");
    let file = disk.open(&path, OpenMode::Create).expect("memory has room");
    file.set_len(0).and_then(|()| file.write_at(0, bytes)).expect("memory has room");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (mut log, mut offset) = (Vec::new(), 0);
    for batch in samples() {
        let mut batch = batch.to_vec();
        let count =
            pagewire_record::batches(&batch).flatten().next().map_or(0, |batch| batch.header.records_count);
        if let Some(header) = batch.first_chunk_mut() {
            pagewire_record::patch_header(header, offset, 3);
        }
        offset += i64::from(count);
        log.extend_from_slice(&batch);
    }
    let file = |which: u8, bytes: &[u8]| [&[which][..], &chunk(bytes)].concat();
    let text = |which: u8, text: &str| file(which, text.as_bytes());
    let checkpoints = [
        text(13, "0\n1\nkeyed 0 5\n"),
        text(14, "0\n1\nkeyed 0 2\n"),
        text(16, "0\n1\nkeyed 0 3\n"),
        text(6, "0\n1\n3 0\n"),
    ]
    .concat();
    let plain = [vec![0], file(0, &log)].concat();
    // Of the first segment: where its records end, and what it tells of.
    let numbers = |version: u8, numbers: &[u32]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        [&[0, version, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &numbers].concat()
    };
    let summed = [file(0x91, &numbers(0, &[1])), file(0x97, &numbers(1, &[log.len() as u32, 7]))].concat();
    vec![
        plain.clone(),
        [vec![1], file(0x80, &log), checkpoints.clone()].concat(),
        [vec![0], file(8, &log), file(0, &log), file(9, &log)].concat(),
        [plain.clone(), summed].concat(),
        [plain, file(19, &log), file(2, &[0, 0, 0, 1, 0, 0, 0, 130]), checkpoints].concat(),
    ]
}
