//! A log lives through a random life of appends, syncs, rolls, retention, restarts, kills and power cuts, and is
//! compared with a list after each. Seeded: a failure repeats.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, ForgettingDisk};
use pagewire_log::{AppendContext, LogConfig, OpenOptions, Origin};
use pagewire_record::BatchBuilder;
use pagewire_record::Codec;

use crate::support::*;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }
}

/// What should be there.
struct Model {
    /// Base offset of each batch: records, first timestamp.
    batches: BTreeMap<i64, (i64, i64)>,
    log_start: i64,
    log_end: i64,
    synced: i64,
    next_sequence: i32,
    /// Offsets at which the idempotent producer's batches begin, and their first sequence and length.
    sequenced: BTreeMap<i64, (i32, i64)>,
    now_ms: i64,
    epoch: i32,
}

struct Life {
    disk: ForgettingDisk,
    bench: Bench,
    model: Model,
    chance: Chance,
}

fn settings() -> LogConfig {
    LogConfig { segment_bytes: 2048, retention_bytes: 9000, segment_ms: 5000, ..config() }
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { config: settings(), ..options() });
        let model = Model {
            batches: BTreeMap::new(),
            log_start: 0,
            log_end: 0,
            synced: 0,
            next_sequence: 0,
            sequenced: BTreeMap::new(),
            now_ms: 1000,
            epoch: 0,
        };
        Self { disk, bench, model, chance: Chance(seed) }
    }

    fn step(&mut self) {
        self.model.now_ms += 7;
        match self.chance.next(100) {
            0..55 => self.append(),
            55..70 => self.append_sequenced(),
            70..80 => {
                self.model.synced = self.bench.log.sync().expect("sync");
                assert_eq!(self.model.synced, self.model.log_end);
            }
            80..84 => {
                self.bench.log.pace().expect("pace");
                self.model.synced = self.bench.log.marks().recovery_point;
            }
            84..87 => drop(self.bench.log.roll_if_due(self.model.now_ms + 5000).expect("roll")),
            87..90 => {
                self.bench.log.apply_retention(self.model.now_ms).expect("retention");
                self.bench.log.unlink_due(self.model.now_ms).expect("unlink");
                self.model.log_start = self.bench.log.marks().log_start;
            }
            90..92 => {
                let span = (self.model.log_end - self.model.log_start) as u64;
                let to = self.model.log_start + self.chance.next(span / 4 + 1) as i64;
                self.model.log_start = self.bench.log.delete_records_before(to).expect("delete");
            }
            92..95 => self.stop_in_order(),
            95..98 => self.kill(),
            _ => self.cut_power(),
        }
    }

    fn append(&mut self) {
        let (records, timestamp) =
            (1 + self.chance.next(6) as i64, self.model.now_ms - self.chance.next(50) as i64);
        let codec = if self.chance.next(3) == 0 { Codec::Lz4 } else { Codec::None };
        let bytes = fill(BatchBuilder::new(codec), records, timestamp);
        let context = AppendContext {
            leader_epoch: self.model.epoch,
            origin: Origin::Client,
            now_ms: self.model.now_ms,
        };
        let appended = self.bench.log.append(bytes, context).expect("append");
        assert_eq!(appended.base_offset, self.model.log_end);
        self.model.batches.insert(appended.base_offset, (records, timestamp));
        self.model.log_end = appended.last_offset + 1;
    }

    fn append_sequenced(&mut self) {
        let (records, sequence) = (1 + self.chance.next(4) as i64, self.model.next_sequence);
        let bytes = sequenced(77, 0, sequence, records);
        let appended = self.bench.append(bytes.clone());
        assert!(!appended.duplicate);
        assert_eq!(appended.base_offset, self.model.log_end);
        self.model.batches.insert(appended.base_offset, (records, 1000 + i64::from(sequence)));
        self.model.sequenced.insert(appended.base_offset, (sequence, records));
        self.model.log_end = appended.last_offset + 1;
        self.model.next_sequence += records as i32;
        assert_eq!(self.bench.append(bytes).base_offset, appended.base_offset, "sent twice");
    }

    fn open(&mut self, disk: Arc<dyn Disk>, clean: bool) {
        self.model.epoch += i32::from(self.chance.next(2) == 0);
        let options = OpenOptions {
            config: settings(),
            recovery_point: self.model.synced,
            log_start_offset: self.model.log_start,
            clean,
            leader_epoch: self.model.epoch,
            now_ms: self.model.now_ms,
        };
        self.bench = Bench::on(disk, options);
    }

    fn stop_in_order(&mut self) {
        self.bench.log.close(self.model.now_ms).expect("close");
        self.model.synced = self.model.log_end;
        let disk = if self.chance.next(2) == 0 {
            self.disk = self.disk.crash(self.chance.next(1000)).expect("crash");
            Arc::new(self.disk.clone())
        } else {
            Arc::clone(&self.bench.disk)
        };
        self.open(disk, true);
        assert!(self.bench.report.cuts.is_empty(), "{:?}", self.bench.report);
        assert_eq!(self.bench.log.marks().log_end, self.model.log_end);
        self.compare();
    }

    fn kill(&mut self) {
        self.open(Arc::clone(&self.bench.disk), false);
        assert!(self.bench.report.cuts.is_empty(), "{:?}", self.bench.report);
        assert_eq!(self.bench.log.marks().log_end, self.model.log_end);
        self.compare();
    }

    fn cut_power(&mut self) {
        self.disk = self.disk.crash(self.chance.next(1000)).expect("crash");
        self.open(Arc::new(self.disk.clone()), false);
        let end = self.bench.log.marks().log_end;
        assert!((self.model.synced..=self.model.log_end).contains(&end), "{end}: {:?}", self.bench.report);
        self.model.log_end = end;
        self.model.batches.retain(|base, _| *base < end);
        self.model.sequenced.retain(|base, _| *base < end);
        self.compare();
    }

    /// Everything from the log start on is there, times lead to it, and the producer goes on where it stood.
    fn compare(&mut self) {
        let Model { log_start, log_end, .. } = self.model;
        let marks = self.bench.log.marks();
        assert_eq!((marks.log_start, marks.log_end), (log_start, log_end), "{:?}", self.bench.report);
        let expected: Vec<(i64, i64)> = (self.model.batches.iter())
            .filter(|(base, (records, _))| *base + records > log_start)
            .map(|(base, (records, _))| (*base, *records))
            .collect();
        let found: Vec<(i64, i64)> = (self.bench.read_all(log_start).iter())
            .map(|header| (header.base_offset, i64::from(header.records_count)))
            .collect();
        assert_eq!(found, expected);
        let wanted = self.model.now_ms - self.chance.next(300) as i64;
        let first = (self.model.batches.iter())
            .flat_map(|(base, (records, time))| (0..*records).map(move |n| (base + n, time + n)))
            .find(|(offset, time)| *time >= wanted && *offset >= log_start);
        let answer = self.bench.log.offset_for_time(wanted).expect("lookup");
        assert_eq!(answer.map(|found| (found.offset, found.timestamp)), first);
        if let Some((base, (sequence, records))) = self.model.sequenced.last_key_value() {
            let again = self.bench.append(sequenced(77, 0, *sequence, *records));
            // Its batches may all be gone with the oldest segments; then the producer is unknown and may start anew.
            assert!(again.duplicate, "{:?}", self.bench.log.producers());
            assert_eq!(again.base_offset, *base);
            self.model.next_sequence = sequence + *records as i32;
        } else {
            self.model.next_sequence = 0;
        }
    }
}

#[test]
fn a_random_life_never_loses_what_was_synced_nor_order() {
    for seed in 0..12 {
        let mut life = Life::new(seed);
        life.disk.create_dir_all(Path::new("/data")).expect("dir");
        for _ in 0..300 {
            life.step();
        }
        life.kill();
    }
}
