//! Fetch: one partition, or several of a topic at once; no session, whole batches counted.

use bytes::Bytes;
use pagewire_record::batches;
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use pagewire_wire::messages::fetch_response::{FetchResponse, PartitionData};
use pagewire_wire::{ErrorCode, Records, Str};

use super::{Connection, Error, Result};

/// Bytes of all partitions of a request at most: what consumers ask for who are not told otherwise (`fetch.max.bytes`).
const ALL_MAX_BYTES: i32 = 50 << 20;

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

/// What to fetch of several partitions in one request.
#[derive(Debug, Clone)]
pub struct FetchMany<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partitions, and the first offset wanted of each.
    pub at: &'a [(i32, i64)],
    /// Bytes of each at most.
    pub partition_max_bytes: i32,
    /// How long the broker may wait for the first record.
    pub wait_ms: i32,
    /// As in [`Fetch`].
    pub committed: bool,
}

/// What came of it, for a partition.
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

    /// Fetches several partitions, and throws the records away; one answer for each, in the order in which they were asked for.
    pub fn fetch_many(&mut self, fetch: &FetchMany<'_>) -> Result<Vec<Fetched>> {
        let version = self.versions().choose::<FetchRequest>()?;
        let limits = (fetch.partition_max_bytes, ALL_MAX_BYTES);
        self.ask(&request_of(fetch.topic, fetch.at, limits, fetch.wait_ms, fetch.committed), version)?;
        self.answer::<FetchRequest, _>(version, |_, answer| read_many(fetch, &answer))?
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
    let limits = (fetch.max_bytes, fetch.max_bytes);
    request_of(fetch.topic, &[(fetch.partition, fetch.offset)], limits, fetch.wait_ms, fetch.committed)
}

/// Of a topic's partitions, each from an offset on, with limits for each and for all.
fn request_of(
    topic: &str,
    at: &[(i32, i64)],
    (partition_max_bytes, max_bytes): (i32, i32),
    max_wait_ms: i32,
    committed: bool,
) -> FetchRequest {
    let partition = |&(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(topic.to_owned()),
        partitions: at.iter().map(partition).collect(),
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        isolation_level: i8::from(committed),
        max_bytes,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

fn read(fetch: &Fetch<'_>, answer: &FetchResponse, look: impl FnOnce(&Bytes)) -> Result<Fetched> {
    let place = (fetch.topic, fetch.partition, fetch.offset);
    Error::check(answer.error_code, None, || what(place))?;
    fetched(place, answer.responses.first().and_then(|topic| topic.partitions.first()), look)
}

fn read_many(fetch: &FetchMany<'_>, answer: &FetchResponse) -> Result<Vec<Fetched>> {
    let all = || format!("fetch of {} partitions of {}", fetch.at.len(), fetch.topic);
    Error::check(answer.error_code, None, all)?;
    let partitions = answer.responses.first().map_or(&[][..], |topic| &topic.partitions);
    let one = |(at, &(partition, offset)): (usize, &(i32, i64))| {
        // Where there is no session all are answered, and in order.
        let data = partitions.get(at).filter(|data| data.partition_index == partition);
        fetched((fetch.topic, partition, offset), data, |_| ())
    };
    fetch.at.iter().enumerate().map(one).collect()
}

fn what((topic, partition, offset): (&str, i32, i64)) -> String {
    format!("fetch of {topic} [{partition}] at {offset}")
}

/// What came of a partition that was asked for from an offset on.
fn fetched(
    place: (&str, i32, i64),
    partition: Option<&PartitionData>,
    look: impl FnOnce(&Bytes),
) -> Result<Fetched> {
    let offset = place.2;
    let code = partition.map_or(ErrorCode::UnknownServerError.code(), |partition| partition.error_code);
    Error::check(code, None, || what(place))?;
    let empty = Bytes::new();
    let records = partition.and_then(|partition| match &partition.records {
        Records::Bytes(bytes) => Some(bytes),
        _ => None,
    });
    let records = records.unwrap_or(&empty);
    let last = batches(records).map_while(std::result::Result::ok).last();
    let next = last.map_or(offset, |batch| batch.header.last_offset().saturating_add(1));
    look(records);
    let counted = next.saturating_sub(offset).max(0) as u64;
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
    use pagewire_wire::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse};

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

    #[test]
    fn each_partition_that_was_asked_for_has_its_own_answer_or_is_missed() {
        let partition = |partition_index, error_code| PartitionData {
            partition_index,
            error_code,
            high_watermark: i64::from(partition_index) * 10,
            ..PartitionData::default()
        };
        let answer = |partitions| {
            let topic = FetchableTopicResponse { partitions, ..FetchableTopicResponse::default() };
            FetchResponse { responses: vec![topic], ..FetchResponse::default() }
        };
        let at = [(1, 0), (2, 5)];
        let asked = FetchMany { topic: "t", at: &at, partition_max_bytes: 1, wait_ms: 0, committed: false };
        let got = read_many(&asked, &answer(vec![partition(1, 0), partition(2, 0)])).unwrap();
        assert_eq!(
            got.iter().map(|one| (one.next, one.high_watermark)).collect::<Vec<_>>(),
            [(0, 10), (5, 20)]
        );
        for short in [
            vec![partition(1, 0)],
            vec![partition(1, 0), partition(3, 0)],
            vec![partition(1, 0), partition(2, 3)],
        ] {
            assert!(read_many(&asked, &answer(short)).is_err());
        }
    }
}
