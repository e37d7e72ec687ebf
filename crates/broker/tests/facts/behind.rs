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
/// The lag behind the consumer, the last stretches of the file, which may be others' as well, and folios that the
/// kernel does not let go of at the time.
const LEFT_MAX_MIB: u64 = 52;
/// The last record is in the segment that is written, and pages come and go.
const ALL_MIB: u64 = RECORDS as u64 - 2;
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

/// A broker with its records, and their file, which is not in the page cache. `None` where that cannot be.
fn cold(drop_behind: &str) -> Option<(Broker, File, String)> {
    let broker = Broker::with(&[("pagewire.transfer.drop.behind", drop_behind)]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    let value = "x".repeat(MIB as usize - 1000);
    for _ in 0..RECORDS {
        client.produce("t", 0, batch(&[&value]));
    }
    let file = File::open(segment(&broker)).unwrap();
    chill(&file).then_some((broker, file, value))
}

/// Fetches all records over a connection of its own.
fn read_all(broker: &Broker, value: &str) {
    let (mut client, mut next) = (broker.client(), 0);
    while next < RECORDS {
        let fetch = FetchAt { partition_max_bytes: 1 << 20, ..FetchAt::now("t", &[(0, next)]) };
        let values = values_of(&client.fetch(&fetch, 12).records());
        assert!(values.iter().all(|(_, got)| got == value));
        next = values.last().unwrap().0 + 1;
    }
}

/// What is in the page cache, once that is `enough`.
fn left(file: &File, enough: impl Fn(u64) -> bool) -> u64 {
    let started = Instant::now();
    while !enough(resident_mib(file)) && started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(10));
    }
    resident_mib(file)
}

/// Whether all stays in the page cache for a while.
fn stays(file: &File) -> bool {
    const LOOKS: usize = 30;
    (0..LOOKS).all(|_| {
        std::thread::sleep(Duration::from_millis(10));
        resident_mib(file) >= ALL_MIB
    })
}

#[test]
fn what_a_lagging_consumer_brought_into_the_page_cache_is_dropped_behind_it() {
    if let Some((broker, file, value)) = cold("true") {
        read_all(&broker, &value);
        let left = left(&file, |mib| mib <= LEFT_MAX_MIB);
        assert!(left <= LEFT_MAX_MIB, "{left} MiB of {RECORDS} are left");
    }
}

/// What was cold once and is read by many by now is theirs. The first consumer's last pages may go late, and a machine
/// that is short of memory takes some at any time: a broker that drops what is hot does so each time.
#[test]
fn a_consumer_of_what_is_in_the_page_cache_drops_none_of_it() {
    const TRIES: usize = 10;
    if let Some((broker, file, value)) = cold("true") {
        read_all(&broker, &value);
        let one_left_it = (0..TRIES).any(|_| {
            std::fs::read(segment(&broker)).unwrap();
            read_all(&broker, &value);
            stays(&file)
        });
        assert!(one_left_it, "{} MiB of {RECORDS} are left", resident_mib(&file));
    }
}

#[test]
fn where_that_is_switched_off_it_stays() {
    const TRIES: usize = 10;
    if let Some((broker, file, value)) = cold("false") {
        let one_left_it = (0..TRIES).any(|_| {
            read_all(&broker, &value);
            stays(&file)
        });
        assert!(one_left_it, "{} MiB of {RECORDS} are left", resident_mib(&file));
    }
}
