//! A consumer that catches up from the disk does not leave what it read in the page cache, where it would push out what
//! the others read.

use std::fs::File;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pagewire_zcopy::{Residency, residency};
use rustix::fs::{Advice, fadvise};

use crate::harness::{Broker, FetchAt, Fetched, batch, values_of};

const MIB: u64 = 1 << 20;
/// Records of about a MiB.
const RECORDS: i64 = 64;
/// The lag behind the consumer, the last stretches of the file, which may be others' as well, and folios that the kernel does
/// not let go of at the time.
const LEFT_MAX_MIB: u64 = 52;
const LIMIT: Duration = Duration::from_secs(30);

fn segment(broker: &Broker) -> PathBuf {
    broker.dir().join("t-0/00000000000000000000.log")
}

/// MiB of the segment that are in the page cache.
fn resident_mib(file: &File) -> u64 {
    let len = file.metadata().unwrap().len();
    let is_there = |at: &u64| residency(file, *at, MIB.min(len - at)) == Residency::Resident;
    (0..len).step_by(MIB as usize).filter(is_there).count() as u64
}

/// Takes the segment out of the page cache; `false` where that cannot be done or seen.
fn chill(file: &File) -> bool {
    file.sync_all().unwrap();
    fadvise(file, 0, NonZeroU64::new(1 << 40), Advice::DontNeed).unwrap();
    let gone = resident_mib(file) == 0;
    if !gone {
        eprintln!("the pages stay or nobody tells: nothing to see of what a consumer leaves here");
    }
    gone
}

/// Fetches all records, as a consumer that lags does. What is in the page cache afterwards, once that is `enough`.
fn read_all(drop_behind: &str, enough: impl Fn(u64) -> bool) -> Option<u64> {
    let broker = Broker::with(&[("pagewire.transfer.drop.behind", drop_behind)]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    let value = "x".repeat(MIB as usize - 1000);
    for _ in 0..RECORDS {
        client.produce("t", 0, batch(&[&value]));
    }
    let file = File::open(segment(&broker)).unwrap();
    if !chill(&file) {
        return None;
    }
    let mut next = 0;
    while next < RECORDS {
        let fetch = FetchAt { partition_max_bytes: 1 << 20, ..FetchAt::now("t", &[(0, next)]) };
        let values = values_of(&client.fetch(&fetch, 12).records());
        assert!(values.iter().all(|(_, got)| *got == value));
        next = values.last().unwrap().0 + 1;
    }
    let started = Instant::now();
    while !enough(resident_mib(&file)) && started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(resident_mib(&file))
}

#[test]
fn what_a_lagging_consumer_brought_into_the_page_cache_is_dropped_behind_it() {
    if let Some(left) = read_all("true", |mib| mib <= LEFT_MAX_MIB) {
        assert!(left <= LEFT_MAX_MIB, "{left} MiB of {RECORDS} are left");
    }
}

#[test]
fn where_that_is_switched_off_it_stays() {
    if let Some(left) = read_all("false", |_| true) {
        assert!(left >= RECORDS as u64 - 2, "{left} MiB of {RECORDS} are left");
    }
}
