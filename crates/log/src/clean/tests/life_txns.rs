//! A random life of a compacted log with transactions and power cuts: what readers of committed records know in the end
//! is what was committed last, whatever was cleaned, and no producer's state is lost.

use std::collections::BTreeMap;

use pagewire_disk::ForgettingDisk;
use pagewire_record::ControlType::{Abort, Commit};
use pagewire_record::{BatchBuilder, Codec};

use super::life::Chance;
use super::*;

const PRODUCERS: u64 = 4;

/// What a producer has under way.
#[derive(Debug, Clone, Default)]
struct Txn {
    open: bool,
    written: Vec<(i64, String, Option<String>)>,
    next_sequence: i32,
}

struct Life {
    chance: Chance,
    disk: ForgettingDisk,
    bench: Bench,
    producers: Vec<Txn>,
    /// Latest committed offset and value of each key.
    committed: BTreeMap<String, (i64, Option<String>)>,
    now_ms: i64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let disk = ForgettingDisk::new();
        let config = LogConfig { segment_bytes: 300 + chance.below(900) as u32, ..config() };
        let mut bench = Bench::on(Arc::new(disk.clone()), options(config));
        bench.cleaner = cleaner(24 * (2 + chance.below(30) as usize));
        let producers = vec![Txn::default(); PRODUCERS as usize];
        Self { chance, disk, bench, producers, committed: BTreeMap::new(), now_ms: 0 }
    }

    fn step(&mut self) {
        self.now_ms += self.chance.below(300) as i64;
        let producer = self.chance.below(PRODUCERS) as usize;
        match self.chance.below(100) {
            0..45 => self.write(producer),
            45..65 => self.end(producer),
            65..75 => self.write_alone(),
            75..80 => self.bench.roll(),
            80..95 => drop(self.bench.clean(self.now_ms)),
            95..97 => drop(self.bench.log.unlink_due(self.now_ms).expect("unlink")),
            _ => self.cut_power(),
        }
        self.compare();
    }

    fn record(&mut self) -> (String, Option<String>) {
        let value = (self.chance.below(4) > 0).then(|| self.chance.below(1000).to_string());
        (format!("k{}", self.chance.below(12)), value)
    }

    fn write(&mut self, producer: usize) {
        let (key, value) = self.record();
        let txn = &mut self.producers[producer];
        let codec = Codec::ALL[self.chance.below(5) as usize];
        let builder =
            BatchBuilder::new(codec).producer(producer as i64, 0, txn.next_sequence).transactional();
        let offset = self.bench.append_at(fill(builder, &[(Some(&key), value.as_deref())]), self.now_ms);
        txn.next_sequence += 1;
        txn.open = true;
        txn.written.push((offset, key, value));
    }

    fn end(&mut self, producer: usize) {
        let txn = &mut self.producers[producer];
        if !txn.open && self.chance.below(4) > 0 {
            return;
        }
        let commit = self.chance.below(2) == 0;
        self.bench.append_at(marker(if commit { Commit } else { Abort }, producer as i64), self.now_ms);
        txn.open = false;
        for (offset, key, value) in std::mem::take(&mut txn.written).into_iter().filter(|_| commit) {
            keep_latest(&mut self.committed, key, offset, value);
        }
    }

    fn write_alone(&mut self) {
        let (key, value) = self.record();
        let bytes = batch(Codec::None, &[(Some(&key), value.as_deref())]);
        let offset = self.bench.append_at(bytes, self.now_ms);
        keep_latest(&mut self.committed, key, offset, value);
    }

    /// Everything was synced, with or without a clean mark; then the power goes.
    fn cut_power(&mut self) {
        self.bench.log.sync().expect("sync");
        let recovery_point =
            if self.chance.below(4) == 0 { 0 } else { self.bench.log.marks().recovery_point };
        self.disk = self.disk.crash(self.chance.below(1000)).expect("crash");
        let options = OpenOptions {
            recovery_point,
            now_ms: self.now_ms,
            ..options((*self.bench.log.config()).clone())
        };
        let again = Bench::on(Arc::new(self.disk.clone()), options);
        assert!(again.report.cuts.is_empty(), "{:?}", again.report);
        let before = std::mem::replace(&mut self.bench, again);
        assert_eq!(self.bench.log.marks().log_end, before.log.marks().log_end);
        assert_eq!(self.bench.log.marks().last_stable, before.log.marks().last_stable);
        (self.bench.cleaner, self.bench.clean_to) = (before.cleaner, before.clean_to);
    }

    fn compare(&self) {
        let found = committed_records(&self.bench.log);
        let stable = self.bench.log.marks().last_stable;
        for (key, (offset, value)) in &self.committed {
            if *offset >= stable {
                continue;
            }
            let latest = found.get(key);
            match value {
                Some(_) => assert_eq!(latest, Some(&(*offset, value.clone())), "{key}"),
                // A tombstone may be gone, and then everything before it is.
                None => assert!(latest.is_none_or(|latest| *latest == (*offset, None)), "{key}: {latest:?}"),
            }
        }
        for (id, txn) in self.producers.iter().enumerate().filter(|(_, txn)| txn.next_sequence > 0) {
            let known = self.bench.log.producers();
            let last =
                known.iter().find(|known| known.producer_id == id as i64).map(|known| known.last_sequence);
            assert_eq!(last, Some(txn.next_sequence - 1));
        }
    }
}

fn keep_latest(
    latest: &mut BTreeMap<String, (i64, Option<String>)>,
    key: String,
    offset: i64,
    value: Option<String>,
) {
    let before = latest.get(&key).map(|(before, _)| *before);
    if before.is_none_or(|before| before < offset) {
        latest.insert(key, (offset, value));
    }
}

/// The latest record of each key, as a consumer of committed records finds it: it leaves out what it is told was
/// aborted, up to the marker.
pub(crate) fn committed_records(log: &Log) -> BTreeMap<String, (i64, Option<String>)> {
    let (mut latest, mut offset) = (BTreeMap::new(), log.marks().log_start);
    while offset < log.marks().last_stable {
        let slice = log.read(offset, 500, ReadUpTo::LastStable, true).expect("read");
        let Some(range) = slice.range else { break };
        let mut aborted = slice.aborted;
        aborted.sort_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        let mut left_out = std::collections::BTreeSet::new();
        for batch in complete_batches(&Bytes::from(range.read_to_vec().expect("bytes"))) {
            let batch = batch.expect("batch");
            offset = batch.header.next_offset();
            while aborted.last().is_some_and(|txn| txn.first_offset <= batch.header.last_offset()) {
                left_out.extend(aborted.pop().map(|txn| txn.producer_id));
            }
            let mut records = batch.records(&DecompressLimits::default()).expect("records");
            if batch.header.is_control() {
                let kind = records.next().map(|record| record.expect("record").key.expect("key"));
                if kind.is_some_and(|key| pagewire_record::ControlType::from_key(&key) == Some(Abort)) {
                    left_out.remove(&batch.header.producer_id);
                }
            } else if !(batch.header.is_transactional() && left_out.contains(&batch.header.producer_id)) {
                for record in records.map(|record| record.expect("record")) {
                    let value = record.value.map(|value| word(Some(value), ""));
                    latest.insert(word(record.key, ""), (record.offset, value));
                }
            }
        }
    }
    latest
}

#[test]
fn what_was_committed_last_is_what_is_read_in_the_end() {
    for seed in 0..12 {
        let mut life = Life::new(seed);
        for _ in 0..150 {
            life.step();
        }
    }
}
