//! Fetch: one partition, no session, whole batches counted.

use bytes::Bytes;
use pagewire_record::batches;
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use pagewire_wire::messages::fetch_response::FetchResponse;
use pagewire_wire::{ErrorCode, Records, Str};

use super::{Connection, Error, Result};

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// First offset wanted.
    pub offset: i64,
    /// Bytes at most; a broker sends a whole batch all the same.
    pub max_bytes: i32,
    /// How long the broker may wait for the first record.
    pub wait_ms: i32,
    /// Whether only what no open transaction wrote is wanted, and the list of the aborted ones with it.
    pub committed: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes of records, a cut batch at the end included.
    pub bytes: u64,
    /// Records in whole batches, as their offsets count them.
    pub records: u64,
    /// The offset to go on with.
    pub next: i64,
    /// Where the partition's readable records end.
    pub high_watermark: i64,
    /// Where those end that no open transaction wrote.
    pub last_stable: i64,
    /// How many aborted transactions the answer names.
    pub aborted: usize,
}

impl Connection {
    /// Fetches, and lets `look` see the record bytes.
    pub fn fetch_with(&mut self, fetch: &Fetch<'_>, look: impl FnOnce(&Bytes)) -> Result<Fetched> {
        let version = self.versions().choose::<FetchRequest>()?;
        self.fetch_in_version(version, fetch, look)
    }

    /// The same in this version.
    pub fn fetch_in_version(
        &mut self,
        version: i16,
        fetch: &Fetch<'_>,
        look: impl FnOnce(&Bytes),
    ) -> Result<Fetched> {
        self.ask(&request(fetch), version)?;
        self.answer::<FetchRequest, _>(version, |_, answer| read(fetch, &answer, look))?
    }

    /// Fetches, and throws the records away.
    pub fn fetch(&mut self, fetch: &Fetch<'_>) -> Result<Fetched> {
        self.fetch_with(fetch, |_| ())
    }

    /// Where the readable records of a partition end that begins at offset 0.
    pub fn end_of(&mut self, topic: &str, partition: i32) -> Result<i64> {
        let probe = Fetch { topic, partition, offset: 0, max_bytes: 1, wait_ms: 0, committed: false };
        Ok(self.fetch(&probe)?.high_watermark)
    }
}

fn request(fetch: &Fetch<'_>) -> FetchRequest {
    let partition = FetchPartition {
        partition: fetch.partition,
        fetch_offset: fetch.offset,
        partition_max_bytes: fetch.max_bytes,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(fetch.topic.to_owned()),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: fetch.wait_ms,
        min_bytes: 1,
        isolation_level: i8::from(fetch.committed),
        max_bytes: fetch.max_bytes,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

fn read(fetch: &Fetch<'_>, answer: &FetchResponse, look: impl FnOnce(&Bytes)) -> Result<Fetched> {
    let what = || format!("fetch of {} [{}] at {}", fetch.topic, fetch.partition, fetch.offset);
    Error::check(answer.error_code, None, what)?;
    let partition = answer.responses.first().and_then(|topic| topic.partitions.first());
    let code = partition.map_or(ErrorCode::UnknownServerError.code(), |partition| partition.error_code);
    Error::check(code, None, what)?;
    let empty = Bytes::new();
    let records = partition.and_then(|partition| match &partition.records {
        Records::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    let records = records.unwrap_or(&empty);
    let last = batches(records).map_while(std::result::Result::ok).last();
    let next = last.map_or(fetch.offset, |batch| batch.header.last_offset().saturating_add(1));
    look(records);
    let counted = next.saturating_sub(fetch.offset).max(0) as u64;
    let aborted = partition.and_then(|partition| partition.aborted_transactions.as_ref());
    Ok(Fetched {
        bytes: records.len() as u64,
        records: counted,
        next,
        high_watermark: partition.map_or(0, |partition| partition.high_watermark),
        last_stable: partition.map_or(0, |partition| partition.last_stable_offset),
        aborted: aborted.map_or(0, Vec::len),
    })
}

#[cfg(test)]
mod tests {
    use pagewire_wire::messages::fetch_response::{
        AbortedTransaction, FetchableTopicResponse, PartitionData,
    };

    use super::*;

    fn fetch(committed: bool) -> Fetch<'static> {
        Fetch { topic: "t", partition: 0, offset: 3, max_bytes: 1, wait_ms: 0, committed }
    }

    #[test]
    fn a_consumer_of_committed_records_says_so() {
        assert_eq!([false, true].map(|committed| request(&fetch(committed)).isolation_level), [0, 1]);
    }

    #[test]
    fn where_open_transactions_begin_and_how_many_are_aborted_is_read() {
        let answer = |aborted_transactions| {
            let marks =
                PartitionData { high_watermark: 9, last_stable_offset: 5, ..PartitionData::default() };
            let partition = PartitionData { aborted_transactions, ..marks };
            let topic =
                FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
            FetchResponse { responses: vec![topic], ..FetchResponse::default() }
        };
        for (listed, aborted) in [(None, 0), (Some(vec![AbortedTransaction::default(); 2]), 2)] {
            let got = read(&fetch(true), &answer(listed), |_| ()).unwrap();
            assert_eq!((got.high_watermark, got.last_stable, got.aborted, got.next), (9, 5, aborted, 3));
        }
    }
}
