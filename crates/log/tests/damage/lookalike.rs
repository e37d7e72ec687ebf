//! Values and headers of records that are whole batches themselves, as where copies of logs are kept in a topic, or a trap
//! is laid. Whatever becomes of the header of the batch around them, none of them is ever served as the log's own, and a
//! check foretells what the start and the scrub make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::Disk;
use pagewire_log::verify::{Event, Fate, VerifyOptions, verify};
use pagewire_log::{AppendContext, Log, LogDir, Origin};
use pagewire_record::crc::crc32c;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchBuilder, BatchHeader, Codec, HEADER_LEN, batches};

use crate::forecast::{done, foretold};
use crate::harm::Harm;
use crate::lived::{BOTH, EPOCHS, Lived, ROOT, START_MS, TOPICS, topic_of};
use crate::records::served_as_good;

/// Shorter batches are no traps.
const TRAP_MIN: usize = 300;

/// What a trap holds.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// One batch, of the second of the trap's offsets.
    One,
    /// Several, of its second to its last offset, and those that follow.
    Chain,
    /// Of offsets before and far behind it.
    Elsewhere,
    /// Of its last offset, as the very last bytes of the trap: it leads to the next batch of the log.
    Joined,
    /// The same, in a block of a codec that was not compressed.
    Stored,
}

const ALL: [Held; 5] = [Held::One, Held::Chain, Held::Elsewhere, Held::Joined, Held::Stored];

/// Records of a trap.
const RECORDS: i64 = 3;

impl Held {
    fn batches(self, base: i64) -> Vec<u8> {
        let offsets = match self {
            Self::One => vec![base + 1],
            Self::Chain => (base + 1..base + RECORDS + 2).collect(),
            Self::Elsewhere => vec![0, 1 << 40],
            Self::Joined | Self::Stored => vec![base + RECORDS - 1],
        };
        let one = |offset: i64| {
            let mut builder = BatchBuilder::new(Codec::None).base_offset(offset).leader_epoch(EPOCHS - 1);
            builder.append(START_MS, Some(b"forged"), Some(b"forged"), &[]).expect("a record");
            builder.build().expect("a batch").to_vec()
        };
        offsets.into_iter().flat_map(one).collect()
    }

    /// A batch that will begin at `base`, of keys that come only once.
    fn trap(self, base: i64, time: i64) -> Bytes {
        let held = self.batches(base);
        let joined = matches!(self, Self::Joined | Self::Stored);
        let mut builder = BatchBuilder::new(Codec::None);
        for n in 0..RECORDS {
            let key = format!("{base}+{n}");
            let in_value = if n == 1 && !joined { &held[..] } else { &[] };
            let value = [&[7; 90], in_value].concat();
            let header = [(&b"h"[..], Some(&held[..]))];
            let headers = if n == RECORDS - 1 && joined { &header[..] } else { &[] };
            builder.append(time + n, Some(key.as_bytes()), Some(&value), headers).expect("a record");
        }
        let batch = builder.build().expect("a batch");
        if matches!(self, Self::Stored) { stored(&batch) } else { batch }
    }
}

/// The same batch, its records as one literal of a snappy block.
fn stored(batch: &[u8]) -> Bytes {
    let (mut header, records) = (BatchHeader::parse(batch).expect("a header"), &batch[HEADER_LEN..]);
    let len = u16::try_from(records.len()).expect("short");
    let claimed = [len as u8 | 0x80, (len >> 7) as u8];
    let block = [&claimed[..], &[61 << 2], &(len - 1).to_le_bytes(), records].concat();
    let payload =
        [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..], &(block.len() as u32).to_be_bytes(), &block].concat();
    header.attributes |= i16::from(Codec::Snappy.id());
    header.batch_length = (HEADER_LEN + payload.len() - 12) as i32;
    let covered = [&header.encode()[CRC_START..], &payload].concat();
    header.crc = crc32c(&covered);
    Bytes::from([&header.encode()[..], &payload].concat())
}

/// What is written under one leader epoch: traps, and between them batches whose keys come again.
fn live(dir: &LogDir, epoch: i32) {
    let context = AppendContext { leader_epoch: epoch, origin: Origin::Client, now_ms: START_MS };
    let append = |log: &Log, bytes: Bytes| log.append(bytes, context).map(|_| ()).expect("an append");
    for (topic, first) in TOPICS.into_iter().zip([epoch as usize, 2 * epoch as usize]) {
        let log = dir.get(topic, 0).expect("a log");
        for at in 0..3 {
            let time = START_MS + i64::from(epoch) * 200 + at as i64 * 30;
            append(&log, ALL[(first + at) % ALL.len()].trap(log.marks().log_end, time));
            if !(at + epoch as usize).is_multiple_of(2) {
                // It may be the last of its segment, or of the log.
                continue;
            }
            let mut builder = BatchBuilder::new(Codec::None);
            builder.append(time + 9, Some(b"again"), Some(b"good"), &[]).expect("a record");
            append(&log, builder.build().expect("a batch"));
        }
    }
}

/// What is done to the bytes of the trap at `at`.
fn harms(at: usize, len: usize) -> Vec<Harm> {
    let flip = |byte: usize, bit| Harm::Flip { at: at + byte, bit };
    vec![
        Harm::Zeros { from: at, len: HEADER_LEN },
        // A sector's worth of the records with it.
        Harm::Zeros { from: at, len: HEADER_LEN + 60 },
        Harm::Zeros { from: at, len: len.min(230) },
        flip(16, 1),
        flip(10, 0),
        flip(11, 6),
        flip(11, 4),
        flip(8, 7),
    ]
}

/// Every trap in a file: where it begins, and its bytes.
fn traps(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    for batch in batches(bytes) {
        let len = batch.expect("a good one").header.size_in_bytes() as usize;
        if len >= TRAP_MIN {
            found.push((at, len));
        }
        at += len;
    }
    found
}

#[test]
fn no_batch_in_a_record_is_served_as_the_logs_own_and_a_check_foretells_what_is_refused() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for left in BOTH {
        let lived = Lived::of_life(left, live);
        for path in lived.ending(".log") {
            let good = &lived.files[&path];
            for (number, (at, len)) in traps(good).into_iter().enumerate() {
                // A build without optimisation takes turns.
                let every = if cfg!(debug_assertions) { 3 } else { 1 };
                for harm in harms(at, len).into_iter().skip((number + at) % every).step_by(every) {
                    let bytes = harm.done_to(good);
                    let case = format!("{left:?}, {}, {harm}", path.display());
                    let told = Told::of(&lived, &path, bytes.as_deref());
                    let again = lived.with(&path, bytes.as_deref());
                    if told.cuts != done(again.report()) {
                        wrong.push(format!(
                            "{case}: {:?} foretold, {:?} cut",
                            told.cuts,
                            done(again.report())
                        ));
                    }
                    wrong.extend(served_as_good(&lived, &again, &case, false));
                    wrong.extend(
                        told.unlike(&again.log(topic_of(&path))).map(|what| format!("{case}: {what}")),
                    );
                    cases += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 60, "{cases}");
}

/// What a check says.
struct Told {
    cuts: BTreeMap<PathBuf, i64>,
    /// Where records are refused.
    refused: BTreeSet<u64>,
}

impl Told {
    fn of(lived: &Lived, path: &Path, bytes: Option<&[u8]>) -> Self {
        let disk: Arc<dyn Disk> = lived.on_disk(path, bytes);
        let mut refused = BTreeSet::new();
        let tally = verify(&disk, Path::new(ROOT), VerifyOptions::default(), &mut |event| {
            if let Event::Found(finding) = event
                && matches!(finding.fate, Fate::Refused)
                && finding.path == path
            {
                refused.extend(finding.position);
            }
        });
        tally.expect("checked");
        Self { cuts: foretold(lived, path, bytes), refused }
    }

    /// What a log that was started and verified refuses otherwise; nothing but that file was harmed.
    fn unlike(&self, log: &Log) -> Option<String> {
        let all = log.damage();
        let found: BTreeSet<u64> =
            all.iter().filter(|one| one.bytes() > 0).map(pagewire_log::Stretch::begin).collect();
        (self.cuts.is_empty() && found != self.refused)
            .then(|| format!("{:?} foretold to be refused, {all:?} is", self.refused))
    }
}
