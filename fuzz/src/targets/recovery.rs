//! `[flags u8][index][timeindex][snapshot][epoch checkpoint][log]`, the four before the log as chunks: a partition's
//! directory as a crash, a bad disk or a person left it, opened as after an unclean stop.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_log::{AppendContext, Log, LogConfig, OpenOptions, Origin, ReadUpTo};
use pagewire_record::{BatchBuilder, Codec, HEADER_LEN, batches};

use super::batch::{LIMITS, mend_checksums, samples};
use crate::input::{Input, chunk};

const DIR: &str = "/data/orders-0";
const NOW_MS: i64 = 1_700_000_001_000;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let disk = Arc::new(MemoryDisk::new());
    for name in [
        "00000000000000000000.index",
        "00000000000000000000.timeindex",
        "00000000000000000003.snapshot",
        "leader-epoch-checkpoint",
    ] {
        let bytes = input.chunk();
        if !bytes.is_empty() {
            put(&disk, name, bytes);
        }
    }
    let mut log = input.rest().to_vec();
    if flags & 1 == 1 {
        mend_checksums(&mut log);
    }
    put(&disk, "00000000000000000000.log", &log);

    let clean = flags & 2 != 0;
    let Ok((log, _)) = Log::open(disk.clone(), Path::new(DIR), "orders", 0, options(clean)) else { return };
    let before = serve(&log, !clean);
    grow(&log);
    let served = serve(&log, !clean);
    let marks = log.marks();
    if !clean {
        assert!(served.starts_with(&before), "an append changed what was there");
    }
    let _ = log.close(NOW_MS);
    drop(log);

    let (again, report) = Log::open(disk, Path::new(DIR), "orders", 0, options(true)).expect("opens again");
    if !clean {
        assert_eq!(
            (again.marks().log_start, again.marks().log_end),
            (marks.log_start, marks.log_end),
            "{report:?}"
        );
        assert_eq!(serve(&again, true), served, "the same bytes after a restart");
    }
}

fn options(clean: bool) -> OpenOptions {
    OpenOptions {
        config: config(),
        recovery_point: 0,
        log_start_offset: 0,
        clean,
        leader_epoch: 9,
        now_ms: NOW_MS,
    }
}

/// Tiny limits, so that rolls and index entries happen all the time.
pub(super) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 12,
        index_interval_bytes: 128,
        preallocate: false,
        decompress: LIMITS,
        retention_ms: -1,
        ..LogConfig::default()
    }
}

pub(super) fn put(disk: &Arc<MemoryDisk>, name: &str, bytes: &[u8]) {
    disk.create_dir_all(Path::new(DIR)).expect("memory has room");
    let path = Path::new(DIR).join(name);
    let file = disk.open(&path, OpenMode::Create).expect("memory has room");
    file.set_len(0).and_then(|()| file.write_at(0, bytes)).expect("memory has room");
}

/// Everything the log serves; if `strict`, that it is whole valid batches with ascending offsets.
fn serve(log: &Log, strict: bool) -> Vec<u8> {
    let marks = log.marks();
    assert!(marks.log_start <= marks.high_watermark && marks.high_watermark <= marks.log_end, "{marks:?}");
    let mut served = Vec::new();
    let mut offset = marks.log_start;
    while offset < marks.log_end {
        let slice = match log.read(offset, 1 << 20, ReadUpTo::LogEnd, true) {
            Ok(slice) => slice,
            Err(error) if strict => panic!("a recovered log cannot be read at {offset}: {error}"),
            Err(_) => break,
        };
        let Some(range) = slice.range else {
            assert!(!strict, "nothing at {offset}, below the log end {}", marks.log_end);
            break;
        };
        let bytes = range.read_to_vec().expect("memory reads");
        let mut next = offset;
        for batch in batches(&bytes) {
            match batch {
                Ok(batch) => {
                    if strict {
                        batch.verify_crc().expect("a recovered log serves valid batches");
                        assert!(batch.header.last_offset() >= offset, "a batch from before what was asked");
                    }
                    next = next.max(batch.header.next_offset());
                }
                Err(error) if strict => panic!("a recovered log serves something else: {error}"),
                Err(_) => break,
            }
        }
        if next <= offset {
            assert!(!strict, "no progress at {offset}");
            break;
        }
        offset = next;
        served.extend_from_slice(&bytes);
    }
    served
}

/// Appends two batches, if the log still takes any.
fn grow(log: &Log) {
    for _ in 0..2 {
        let end = log.marks().log_end;
        let context = AppendContext { leader_epoch: 9, origin: Origin::Client, now_ms: NOW_MS };
        if let Ok(appended) = log.append(record("more"), context) {
            assert_eq!((appended.base_offset, appended.last_offset), (end, end));
            assert_eq!(log.marks().log_end, end + 1);
        }
    }
}

fn record(value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NOW_MS, None, Some(value.as_bytes()), &[]).expect("fits");
    builder.build().expect("builds")
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut log = Vec::new();
    let mut offset = 0i64;
    for batch in samples() {
        let mut batch = batch.to_vec();
        let count = batches(&batch).flatten().next().map_or(0, |batch| batch.header.records_count);
        if let Some(header) = batch.first_chunk_mut::<HEADER_LEN>() {
            pagewire_record::patch_header(header, offset, 4);
        }
        offset += i64::from(count);
        log.extend_from_slice(&batch);
    }
    let empty = [chunk(&[]), chunk(&[]), chunk(&[]), chunk(&[])].concat();
    let index: Vec<u8> = [1u32, 130, 6, 520].iter().flat_map(|n| n.to_be_bytes()).collect();
    let times: Vec<u8> = [&1_700_000_000_000i64.to_be_bytes()[..], &3u32.to_be_bytes()].concat();
    let beside =
        [chunk(&index), chunk(&times), chunk(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), chunk(b"0\n1\n4 0\n")]
            .concat();
    vec![
        [vec![0], empty.clone(), log.clone()].concat(),
        [vec![1], beside.clone(), log.clone()].concat(),
        [vec![3], beside, log].concat(),
        [vec![0], empty].concat(),
    ]
}
