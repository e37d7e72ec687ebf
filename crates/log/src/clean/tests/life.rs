//! A random life of a compacted log, held against a model that knows every record ever written.

use std::collections::BTreeMap;

use pagewire_record::{BatchBuilder, Codec};

use super::*;

/// A stream of decisions (splitmix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// A record as it was written.
#[derive(Debug, Clone)]
struct Written {
    key: Option<String>,
    value: Option<String>,
}

/// A batch that is still there.
#[derive(Debug, Clone)]
struct Kept {
    producer: Option<(i64, i32)>,
    last_offset: i64,
    horizon_ms: Option<i64>,
    records: BTreeMap<i64, Written>,
}

/// What should be in the log, by base offset.
#[derive(Debug, Default)]
struct Model {
    batches: BTreeMap<i64, Kept>,
    sequences: BTreeMap<i64, i32>,
    log_start: i64,
}

impl Model {
    fn is_last_of_producer(&self, batch: &Kept) -> bool {
        batch.producer.is_some_and(|(id, last_sequence)| self.sequences.get(&id) == Some(&last_sequence))
    }

    /// The segments from `from` on that begin below `clean_to` were cleaned.
    fn clean(
        &mut self,
        dirty_from: i64,
        clean_to: i64,
        rewritten: std::ops::Range<i64>,
        until: i64,
        now_ms: i64,
    ) {
        let mut latest = BTreeMap::new();
        for (offset, record) in self.batches.values().flat_map(|batch| &batch.records) {
            if let Some(key) = record.key.as_ref().filter(|_| (dirty_from..clean_to).contains(offset)) {
                latest.insert(key.clone(), *offset);
            }
        }
        let batches: Vec<i64> = self.batches.range(rewritten).map(|(base, _)| *base).collect();
        for base in batches {
            let mut batch = self.batches.get(&base).cloned().expect("batch");
            batch.records.retain(|offset, record| {
                let newest = |key: &String| latest.get(key).is_none_or(|latest| latest <= offset);
                let stays = record.value.is_some() || batch.horizon_ms.is_none_or(|horizon| now_ms < horizon);
                *offset >= clean_to || record.key.as_ref().is_some_and(newest) && stays
            });
            let tombstone = |(offset, record): (&i64, &Written)| *offset < clean_to && record.value.is_none();
            if batch.horizon_ms.is_none() && batch.records.iter().any(tombstone) {
                batch.horizon_ms = Some(now_ms + RETENTION_MS);
            }
            let kept_for_its_header = self.is_last_of_producer(&batch) || batch.last_offset + 1 == until;
            if !batch.records.is_empty() || kept_for_its_header {
                if batch.records.is_empty() {
                    batch.horizon_ms = None;
                }
                self.batches.insert(base, batch);
            } else {
                self.batches.remove(&base);
            }
        }
    }
}

struct Life {
    chance: Chance,
    bench: Bench,
    model: Model,
    now_ms: i64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let config = LogConfig {
            segment_bytes: 200 + chance.below(1200) as u32,
            index_interval_bytes: 1 + chance.below(300) as u32,
            segment_index_bytes: 60 + chance.below(600) as u32,
            ..config()
        };
        let mut bench = Bench::with(config);
        bench.cleaner = cleaner(24 * (2 + chance.below(30) as usize));
        Self { chance, bench, model: Model::default(), now_ms: 0 }
    }

    fn step(&mut self) {
        self.now_ms += self.chance.below(200) as i64;
        match self.chance.below(100) {
            0..60 => self.append(),
            60..70 => self.bench.roll(),
            70..90 => self.clean(),
            90..93 => self.delete_records(),
            93..96 => self.bench.log.apply_retention(self.now_ms).map(drop).expect("retention"),
            96..98 => drop(self.bench.log.unlink_due(self.now_ms).expect("unlink")),
            _ => self.kill(),
        }
    }

    fn append(&mut self) {
        let codec = Codec::ALL[self.chance.below(5) as usize];
        let mut builder = BatchBuilder::new(codec);
        let producer = (self.chance.below(3) == 0).then(|| self.chance.below(4) as i64);
        let count = 1 + self.chance.below(5) as i32;
        let mut last = None;
        if let Some(id) = producer {
            let sequence = self.model.sequences.get(&id).map_or(0, |last| last + 1);
            builder = builder.producer(id, 0, sequence);
            last = Some((id, sequence + count - 1));
        }
        let mut written = Vec::new();
        for _ in 0..count {
            let key = (self.chance.below(30) > 0).then(|| format!("k{}", self.chance.below(20)));
            let value = (self.chance.below(4) > 0).then(|| format!("{}", self.chance.below(1000)));
            let (k, v) = (key.as_ref().map(String::as_bytes), value.as_ref().map(String::as_bytes));
            builder.append(self.now_ms, k, v, &[]).expect("record");
            written.push(Written { key, value });
        }
        let base = self.bench.append_at(builder.build().expect("batch"), self.now_ms);
        if let Some((id, sequence)) = last {
            self.model.sequences.insert(id, sequence);
        }
        let records = (base..).zip(written).collect();
        let batch =
            Kept { producer: last, last_offset: base + i64::from(count) - 1, horizon_ms: None, records };
        self.model.batches.insert(base, batch);
    }

    fn clean(&mut self) {
        let segments = self.bench.log.segments();
        let marks = self.bench.log.marks();
        let range = self.bench.log.cleanable(self.bench.clean_to, self.now_ms).expect("look");
        let cleaned = self.bench.clean(self.now_ms);
        let active = segments.last().expect("active").base_offset;
        let first = segments.iter().find(|segment| segment.next_offset > marks.log_start);
        let last = segments.iter().rfind(|segment| segment.base_offset < cleaned.clean_to);
        let to = last.map_or(0, |segment| segment.next_offset).min(active);
        let from = first.map_or(0, |segment| segment.base_offset).min(to);
        self.model.clean(range.first_dirty, cleaned.clean_to, from..to, range.until, self.now_ms);
        self.compare();
    }

    fn delete_records(&mut self) {
        let marks = self.bench.log.marks();
        let span = (marks.high_watermark - marks.log_start) as u64;
        let to = marks.log_start + self.chance.below(span / 4 + 1) as i64;
        self.model.log_start = self.bench.log.delete_records_before(to).expect("delete");
    }

    fn kill(&mut self) {
        let bench = std::mem::replace(&mut self.bench, Bench::new());
        let cleaner = bench.cleaner;
        self.bench = Bench { cleaner: self::cleaner(24), ..bench }.killed();
        self.bench.cleaner = cleaner;
        assert!(self.bench.report.cuts.is_empty(), "{:?}", self.bench.report);
        self.compare();
    }

    fn compare(&self) {
        let start = self.bench.log.marks().log_start;
        assert_eq!(start, self.model.log_start);
        let expected: Vec<_> = (self.model.batches.iter())
            .filter(|(_, batch)| batch.last_offset >= start)
            .map(|(base, batch)| (*base, batch.last_offset, batch.horizon_ms, batch.records.len()))
            .collect();
        let found = self.bench.batches();
        let headers: Vec<_> = found
            .iter()
            .map(|(h, records)| (h.base_offset, h.last_offset(), h.delete_horizon_ms(), records.len()))
            .collect();
        assert_eq!(headers, expected);
        for (header, records) in found {
            let batch = &self.model.batches[&header.base_offset];
            for (record, (offset, written)) in records.iter().zip(&batch.records) {
                assert_eq!(record.offset, *offset);
                assert_eq!(record.key.as_deref(), written.key.as_ref().map(String::as_bytes));
                assert_eq!(record.value.as_deref(), written.value.as_ref().map(String::as_bytes));
            }
        }
    }
}

#[test]
fn a_random_life_keeps_what_the_model_keeps() {
    for seed in 0..10 {
        let mut life = Life::new(seed);
        for _ in 0..200 {
            life.step();
        }
        life.kill();
    }
}
