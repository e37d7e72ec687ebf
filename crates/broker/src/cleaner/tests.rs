//! Facts about the threads. What a clean does is tested where it is done, in the log.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_log::{AppendContext, Log, LogConfig, Origin};
use pagewire_record::{BatchBuilder, Codec};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CleanerGauges, gauges, start};
use crate::{
    config::{BrokerConfig, Origin as Written, Sources},
    testing::{Bench, ROOT},
};

/// Ends a test that would wait for ever.
const NEVER: Duration = Duration::from_mins(1);
/// A look that nobody asks for comes too late for every test.
const SELDOM: (&str, &str) = ("log.cleaner.backoff.ms", "3600000");
/// A clean does not come to its end.
const STANDSTILL: (&str, &str) = ("log.cleaner.io.max.bytes.per.second", "1");
const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("internal.segment.bytes", "1000"),
    ("min.cleanable.dirty.ratio", "0.01"),
];

/// A broker whose threads run.
struct Running {
    bench: Bench,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    fn on(disk: Arc<MemoryDisk>) -> Self {
        let bench = Bench::on(disk);
        Self { bench, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    fn start(&self) {
        start(&self.bench.broker, &self.tasks, &self.stop);
    }

    fn set(&self, settings: &[(&str, &str)]) {
        let mut sources = Sources::new();
        for (name, value) in settings {
            sources.add(name, value, Written::Flag);
        }
        let (config, _) = BrokerConfig::load(sources).expect("good settings");
        self.bench.broker.set_config(config);
        self.bench.broker.tell_settings_changed();
    }

    async fn topic(&self, name: &str, configs: &[(&str, &str)]) -> Arc<Log> {
        let log = Arc::clone(&self.bench.topic(name, 1, &[COMPACTED, configs].concat()).await[0].log);
        fill(&log);
        log
    }

    /// Waits until compaction stands like that.
    fn until(&self, holds: impl Fn(&CleanerGauges) -> bool) -> CleanerGauges {
        let begun = Instant::now();
        loop {
            let now = gauges(&self.bench.broker);
            if holds(&now) {
                return now;
            }
            assert!(begun.elapsed() < NEVER, "{now:?}");
            std::thread::yield_now();
        }
    }

    /// Ends only when every thread has.
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Two hundred records of five keys.
fn fill(log: &Log) {
    for number in 0..200_i64 {
        let mut batch = BatchBuilder::new(Codec::None);
        let key = [b'a' + (number % 5) as u8];
        batch.append(number, Some(&key), Some(&[b'v'; 50]), &[]).expect("record");
        let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: number };
        log.append(batch.build().expect("batch"), context).expect("appended");
    }
}

#[tokio::test]
async fn what_is_dirty_when_the_broker_starts_is_compacted_without_waiting() {
    let running = Running::on(Arc::new(MemoryDisk::new()));
    running.set(&[SELDOM]);
    let log = running.topic("t", &[]).await;
    let before = log.size_bytes();
    running.start();
    let gauges = running.until(|now| now.cleans == 1 && now.busy == 0);
    assert!(log.size_bytes() < before / 5);
    assert_eq!((gauges.due, gauges.failed, gauges.dead_thread_count), (0, 0, 0));
    assert!(gauges.bytes_read > gauges.bytes_written && gauges.bytes_written > 0);
    running.end().await;
}

#[tokio::test]
async fn a_setting_of_a_topic_acts_while_the_threads_rest() {
    let running = Running::on(Arc::new(MemoryDisk::new()));
    running.set(&[SELDOM]);
    running.start();
    running.until(|now| now.dead_thread_count == 0);
    let log = running.topic("t", &[("cleanup.policy", "delete"), ("retention.ms", "-1")]).await;
    let before = log.size_bytes();
    log.set_config(LogConfig { cleanup_compact: true, ..LogConfig::clone(&log.config()) });
    running.bench.broker.tell_settings_changed();
    running.until(|now| now.cleans == 1);
    assert!(log.size_bytes() < before / 5);
    running.end().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_clean_under_way() {
    let running = Running::on(Arc::new(MemoryDisk::new()));
    running.set(&[STANDSTILL]);
    let log = running.topic("t", &[]).await;
    let before = log.size_bytes();
    running.start();
    running.until(|now| now.busy == 1);
    running.end().await;
    assert_eq!(log.size_bytes(), before, "as it was");
}

#[tokio::test]
async fn as_many_logs_as_there_are_threads_are_cleaned_at_once() {
    let running = Running::on(Arc::new(MemoryDisk::new()));
    running.set(&[STANDSTILL, SELDOM, ("log.cleaner.threads", "2")]);
    for name in ["a", "b", "c"] {
        running.topic(name, &[]).await;
    }
    running.start();
    running.until(|now| now.busy == 2 && now.due == 1);
    running.set(&[SELDOM, ("log.cleaner.threads", "3")]);
    running.until(|now| now.cleans == 3 && now.busy == 0);
    running.end().await;
}

#[tokio::test]
async fn a_partition_that_cannot_be_compacted_keeps_no_other_from_it() {
    let disk = Arc::new(MemoryDisk::new());
    let running = Running::on(Arc::clone(&disk));
    running.set(&[SELDOM]);
    let (sick, well) = (running.topic("sick", &[]).await, running.topic("well", &[]).await);
    let file = disk.open(&Path::new(ROOT).join("sick-0").join(format!("{:020}.log", 0)), OpenMode::ReadWrite);
    let (file, mut byte) = (file.expect("a segment"), [0]);
    file.read_exact_at(100, &mut byte).expect("read");
    file.write_at(100, &[byte[0] ^ 1]).expect("written");
    let before = (sick.size_bytes(), well.size_bytes());
    running.start();
    let gauges = running.until(|now| now.cleans == 1 && now.failed == 1 && now.busy == 0);
    assert!(well.size_bytes() < before.1);
    assert_eq!(sick.size_bytes(), before.0, "nothing is left out");
    let [reason] = &gauges.uncleanable[..] else { panic!("{gauges:?}") };
    assert_eq!((reason.topic.as_str(), reason.retry_at_ms), ("sick", None));
    assert_eq!((gauges.uncleanable_partitions_count, gauges.uncleanable_bytes), (1, before.0));
    running.end().await;
}

#[tokio::test]
async fn compaction_that_is_switched_off_has_no_threads() {
    let running = Running::on(Arc::new(MemoryDisk::new()));
    running.set(&[("log.cleaner.enable", "false")]);
    running.start();
    assert!(running.tasks.is_empty());
    assert_eq!(gauges(&running.bench.broker).dead_thread_count, 0);
    running.end().await;
}
