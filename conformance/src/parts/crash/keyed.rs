//! Records with keys that come again and again, which are cleaned meanwhile: the last one of each key stays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};
use pagewire_wire::testing::Rng;

use super::insist::Insistent;
use crate::harness::raw::{Raw, now_ms};
use crate::parts::ledger::value;

const KEYS: u64 = 50;
const BATCH: u64 = 20;
const VALUE_MAX: usize = 4000;

/// Writes numbers until it is told to stop, each under one of a few keys, all of which are acknowledged. How many.
pub(super) fn run_until(address: &str, topic: &str, seed: u64, stop: &AtomicBool) -> Result<u64> {
    let (mut client, mut rng, mut next) = (Insistent::new(address), Rng::new(seed), 0);
    let producer = client.producer(None)?;
    while !stop.load(Ordering::Relaxed) {
        let sequence = i32::try_from(next)?;
        let mut batch = BatchBuilder::new(Codec::None).producer(producer.id, producer.epoch, sequence);
        for number in next..next + BATCH {
            let key = (number % KEYS).to_be_bytes();
            batch.append(now_ms()?, Some(&key), Some(&value(number, rng.below(VALUE_MAX))), &[])?;
        }
        client.append((topic, 0), batch.build()?, None)?;
        next += BATCH;
    }
    Ok(next)
}

/// Whether the log has the last number of each key, and has been cleaned. Offsets are numbers: there is one producer.
pub(super) fn check(client: &mut Raw, topic: &str, written: u64) -> Result<()> {
    let mut last = BTreeMap::new();
    let mut count = 0;
    for batch in complete_batches(&client.read_all(topic, 0)?) {
        for record in batch?.records(&DecompressLimits::default())? {
            let record = record?;
            let value = record.value.context("a record without a value")?;
            let number = u64::from_be_bytes(*value.first_chunk().context("no number")?);
            ensure!(u64::try_from(record.offset)? == number, "{number} stands at {}", record.offset);
            last.insert(number % KEYS, number);
            count += 1;
        }
    }
    for number in written.saturating_sub(KEYS)..written {
        let there = last.get(&(number % KEYS)).context("a key is lost")?;
        ensure!(*there == number, "key {}: {there} for {number}", number % KEYS);
    }
    ensure!(count < written, "all {count} records are there: nothing was cleaned");
    Ok(())
}
