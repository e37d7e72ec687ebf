//! `[which file u8][place u16][bytes to put there]...`: a good log whose index files are damaged between an orderly
//! stop and the next start. Every lookup answers as before: an index is a hint, never evidence.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_log::{AppendContext, Log, OpenOptions, Origin, ReadUpTo};
use pagewire_record::{BatchBuilder, Codec, batches};

use super::recovery::{config, put};
use crate::input::{Input, chunk};

const DIR: &str = "/data/orders-0";
const START_MS: i64 = 1_700_000_000_000;
const BATCHES: i64 = 48;

/// A good log's files, and its answers.
struct Template {
    files: Vec<(String, Vec<u8>)>,
    /// For each time from before the first record to after the last: the offset found.
    times: Vec<(i64, Option<i64>)>,
}

pub(super) fn run(bytes: &[u8]) {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(template);
    let disk = Arc::new(MemoryDisk::new());
    let mut input = Input::new(bytes);
    let mut files = template.files.clone();
    let mut indexes: Vec<_> = files.iter_mut().filter(|(name, _)| name.ends_with("index")).collect();
    for _ in 0..8 {
        let (which, place, bytes) = (usize::from(input.u8()), usize::from(input.u16()), input.chunk());
        let count = indexes.len().max(1);
        let Some((_, index)) = indexes.get_mut(which % count) else { return };
        if which & 0x80 != 0 {
            index.truncate(place);
        }
        let end = place.min(index.len());
        let overwritten = bytes.len().min(index.len() - end);
        drop(index.splice(end..end + overwritten, bytes.iter().copied()));
    }
    for (name, bytes) in &files {
        put(&disk, name, bytes);
    }
    let Ok((log, _)) = open(disk, BATCHES * 2) else { return };
    for offset in 0..BATCHES * 2 {
        let slice = log.read(offset, 4096, ReadUpTo::LogEnd, true).expect("a good log is read");
        let bytes = slice.range.expect("below the log end").read_to_vec().expect("memory reads");
        let first = batches(&bytes).next().expect("a batch").expect("a good batch");
        assert_eq!(first.header.base_offset, offset / 2 * 2, "the batch that holds offset {offset}");
    }
    for (time, expected) in &template.times {
        let found = log.offset_for_time(*time).expect("a good log is searched").map(|found| found.offset);
        assert_eq!(found, *expected, "the first record at or after {time}");
    }
}

fn open(
    disk: Arc<MemoryDisk>,
    recovery_point: i64,
) -> Result<(Log, pagewire_log::RecoveryReport), pagewire_log::LogError> {
    let options = OpenOptions {
        config: config(),
        recovery_point,
        log_start_offset: 0,
        clean: true,
        leader_epoch: 1,
        now_ms: START_MS,
    };
    Log::open(disk, Path::new(DIR), "orders", 0, options)
}

fn template() -> Template {
    let disk = Arc::new(MemoryDisk::new());
    let (log, _) = open(disk.clone(), 0).expect("an empty log opens");
    for at in 0..BATCHES {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..2 {
            builder.append(START_MS + at * 10, Some(b"key"), Some(&[b'x'; 40]), &[]).expect("fits");
        }
        let context = AppendContext { leader_epoch: 1, origin: Origin::Client, now_ms: START_MS };
        log.append(builder.build().expect("builds"), context).expect("a good append");
    }
    let times = (-5..BATCHES * 10 + 15)
        .step_by(7)
        .map(|after| {
            let batch = (after.max(0) + 9) / 10;
            (START_MS + after, (batch < BATCHES).then_some(batch * 2))
        })
        .collect();
    log.close(START_MS).expect("an orderly stop");
    drop(log);
    let files = disk
        .read_dir(Path::new(DIR))
        .expect("the directory")
        .into_iter()
        .map(|entry| {
            let file = disk.open(&Path::new(DIR).join(&entry.name), OpenMode::Read).expect("the file");
            let mut bytes = vec![0; file.len().expect("its length") as usize];
            file.read_exact_at(0, &mut bytes).expect("its bytes");
            (entry.name, bytes)
        })
        .collect();
    Template { files, times }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let damage =
        |which: u8, place: u16, bytes: &[u8]| [&[which][..], &place.to_be_bytes(), &chunk(bytes)].concat();
    vec![
        Vec::new(),
        damage(0, 0, &[0xff; 8]),
        damage(1, 12, &[0; 12]),
        damage(0x82, 5, &[]),
        [damage(2, 8, &[0, 0, 0, 1, 0, 0, 0, 9]), damage(3, 0, &[0x7f; 24])].concat(),
        [damage(0x80, 0, &[]), damage(0x81, 0, &[1; 100])].concat(),
    ]
}
