//! Transactions one after the other, each with records in every partition of a topic, and whether the log has each of them as it
//! was ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, ControlType, DecompressLimits, complete_batches};
use pagewire_wire::Str;
use pagewire_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use pagewire_wire::messages::end_txn_request::EndTxnRequest;
use pagewire_wire::messages::fetch_request::FetchRequest;
use pagewire_wire::testing::Rng;

use super::insist::Insistent;
use crate::harness::raw::{FETCH, Producer, Raw, fetch_request, now_ms, partition_of, text};
use crate::parts::ledger::value;

/// Versions in which the client adds partitions itself.
const ADD_PARTITIONS: i16 = 3;
const END_TXN: i16 = 3;
/// Records of one transaction in one partition.
const RECORDS_MAX: usize = 4;
const READ_COMMITTED: i8 = 1;

/// One that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Txn {
    committed: bool,
    /// In each partition.
    records: usize,
}

/// A transactional producer.
#[derive(Debug)]
pub(super) struct Transactor<'a> {
    client: Insistent<'a>,
    id: Str,
    topic: &'a str,
    partitions: i32,
    rng: Rng,
    sequence: i32,
    txns: Vec<Txn>,
}

impl<'a> Transactor<'a> {
    /// One that has not begun.
    pub(super) fn new(address: &'a str, (topic, partitions): (&'a str, i32), seed: u64) -> Self {
        let (client, id) = (Insistent::new(address), text("transactor"));
        Self { client, id, topic, partitions, rng: Rng::new(seed), sequence: 0, txns: Vec::new() }
    }

    /// Those that were ended until it was told to stop; none is open then.
    pub(super) fn run_until(mut self, stop: &AtomicBool) -> Result<Vec<Txn>> {
        let producer = self.client.producer(Some(self.id.clone()))?;
        while !stop.load(Ordering::Relaxed) {
            let txn = Txn { committed: self.rng.below(3) > 0, records: 1 + self.rng.below(RECORDS_MAX) };
            self.write(producer, txn)?;
            self.end(producer, txn.committed)?;
            self.txns.push(txn);
        }
        Ok(self.txns)
    }

    fn write(&mut self, producer: Producer, txn: Txn) -> Result<()> {
        let topic = AddPartitionsToTxnTopic {
            name: text(self.topic),
            partitions: (0..self.partitions).collect(),
            ..AddPartitionsToTxnTopic::default()
        };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.clone(),
            v3_and_below_producer_id: producer.id,
            v3_and_below_producer_epoch: producer.epoch,
            v3_and_below_topics: vec![topic],
            ..AddPartitionsToTxnRequest::default()
        };
        self.client.ask(&request, ADD_PARTITIONS, |answer| {
            let topic = answer.results_by_topic_v3_and_below.first()?;
            topic.results_by_partition.iter().map(|one| one.partition_error_code).max()
        })?;
        for partition in 0..self.partitions {
            let mut batch = BatchBuilder::new(Codec::None)
                .producer(producer.id, producer.epoch, self.sequence)
                .transactional();
            for _ in 0..txn.records {
                batch.append(now_ms()?, None, Some(&value(self.txns.len() as u64, 200)), &[])?;
            }
            self.client.append((self.topic, partition), batch.build()?, Some(self.id.clone()))?;
        }
        self.sequence += i32::try_from(txn.records)?;
        Ok(())
    }

    /// Asked for once more, it is answered as it was.
    fn end(&mut self, producer: Producer, committed: bool) -> Result<()> {
        let request = EndTxnRequest {
            transactional_id: self.id.clone(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            committed,
            ..EndTxnRequest::default()
        };
        self.client.ask(&request, END_TXN, |answer| Some(answer.error_code))?;
        Ok(())
    }
}

/// What a partition has of one.
#[derive(Debug)]
struct Found {
    first_offset: i64,
    producer_id: i64,
    txn: Txn,
}

/// Whether a partition has exactly these, and readers of committed records are told which of them to pass over.
pub(super) fn check(client: &mut Raw, topic: &str, partition: i32, txns: &[Txn]) -> Result<()> {
    let found = found(&client.read_all(topic, partition)?)?;
    for (number, txn) in (0..).zip(txns) {
        let there = found.get(&number).with_context(|| format!("transaction {number} is lost"))?;
        ensure!(there.txn == *txn, "transaction {number} is {:?} and was {txn:?}", there.txn);
    }
    ensure!(found.len() == txns.len(), "{} transactions are there, {} were made", found.len(), txns.len());
    for there in found.values() {
        let wanted = fetch_request(topic, partition, there.first_offset, 1 << 20);
        let read = client.call(&FetchRequest { isolation_level: READ_COMMITTED, ..wanted }, FETCH)?;
        let read = partition_of(read)?;
        ensure!(read.last_stable_offset == read.high_watermark, "a transaction is open");
        let mut told = read.aborted_transactions.iter().flatten();
        let is_told =
            told.any(|one| (one.producer_id, one.first_offset) == (there.producer_id, there.first_offset));
        ensure!(
            is_told != there.txn.committed,
            "at {}, {:?} is told: {is_told}",
            there.first_offset,
            there.txn
        );
    }
    Ok(())
}

/// By their numbers.
fn found(log: &Bytes) -> Result<BTreeMap<u64, Found>> {
    let (mut all, mut open) = (BTreeMap::new(), BTreeMap::<u64, Found>::new());
    for batch in complete_batches(log) {
        let batch = batch?;
        let header = batch.header;
        for record in batch.records(&DecompressLimits::default())? {
            let record = record?;
            if !header.is_control() {
                let value = record.value.context("a record without a value")?;
                let number = u64::from_be_bytes(*value.first_chunk().context("no number")?);
                let found = open.entry(number).or_insert(Found {
                    first_offset: record.offset,
                    producer_id: header.producer_id,
                    txn: Txn { committed: false, records: 0 },
                });
                found.txn.records += 1;
                continue;
            }
            let committed = match record.key.as_deref().and_then(ControlType::from_key) {
                Some(ControlType::Commit) => true,
                Some(ControlType::Abort) => false,
                other => bail!("a marker {other:?} at {}", record.offset),
            };
            for (number, mut found) in std::mem::take(&mut open) {
                found.txn.committed = committed;
                ensure!(all.insert(number, found).is_none(), "transaction {number} is there twice");
            }
        }
    }
    ensure!(open.is_empty(), "open: {:?}", open.keys());
    Ok(all)
}
