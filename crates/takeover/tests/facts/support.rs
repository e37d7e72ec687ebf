//! An import with few words, and a look at what it made.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{Handles, LoadReport, LogConfig, LogDir, LogDirOptions, PartitionSettings};
use pagewire_metadata::model::{
    ClusterRecord, ConfigRecord, ConfigScope, LogDirsRecord, ProducerIdsRecord, TopicRecord, decode, keys,
};
use pagewire_metadata::{Catalog, EmbeddedStore, FILE_NAME, Store, SystemClock};
use pagewire_takeover::{Depth, How, ImportError, Options, Owner, Report, Settings, import};

use crate::kafka::Kafka;

/// Knows a handful of settings, whose values are numbers.
pub(crate) struct Known;

impl Settings for Known {
    fn refuse(&self, _owner: &Owner, name: &str, value: &str) -> Option<String> {
        let known = ["retention.ms", "segment.bytes", "log.cleaner.threads", "remote.storage.enable"];
        if !known.contains(&name) {
            return Some("not known".to_owned());
        }
        (name != "remote.storage.enable" && value.parse::<i64>().is_err()).then(|| "no number".to_owned())
    }

    fn refuse_together(&self, _owner: &Owner, _own: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    fn log(&self, _own: &BTreeMap<String, String>) -> LogConfig {
        LogConfig { segment_bytes: 2048, index_interval_bytes: 100, ..LogConfig::default() }
    }
}

pub(crate) fn options(kafka: &Kafka) -> Options {
    Options {
        from: vec![kafka.dir()],
        to: kafka.to(),
        others: Vec::new(),
        how: How::Copy,
        verify: Depth::Deep,
        topics: Vec::new(),
        exclude: Vec::new(),
        allow_missing: false,
        accept_damage: false,
        end_transactions: false,
        dry_run: false,
        threads: 2,
        now_ms: 5,
    }
}

pub(crate) fn run(options: &Options) -> Result<Report, ImportError> {
    import(options, &Known, &|progress| assert!(progress.done <= progress.total))
}

/// The sentence with which an import is refused; nothing is left of it.
#[track_caller]
pub(crate) fn refused(options: &Options) -> String {
    let error = run(options).expect_err("an import that is refused").to_string();
    assert!(!options.to.exists(), "{error}");
    let staging = options.to.with_extension("importing");
    assert!(!staging.exists(), "{error}");
    error
}

/// The metadata that an import made.
pub(crate) struct Made {
    pub(crate) cluster: ClusterRecord,
    pub(crate) next_producer_id: i64,
    pub(crate) topics: Vec<TopicRecord>,
    pub(crate) configs: BTreeMap<ConfigScope, ConfigRecord>,
    /// Of node 1.
    pub(crate) log_dirs: LogDirsRecord,
}

pub(crate) fn made(dir: &Path) -> Made {
    let store = Arc::new(EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock)).unwrap());
    let catalog = Catalog::new(Arc::clone(&store) as Arc<dyn Store>);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ids = store.get(keys::PRODUCER_IDS).await.unwrap().unwrap();
        Made {
            cluster: catalog.cluster(0).await.unwrap(),
            next_producer_id: decode::<ProducerIdsRecord>(&ids.value).unwrap().next,
            topics: catalog.topics().await.unwrap().0.into_iter().map(|(topic, _)| topic).collect(),
            configs: catalog
                .configs()
                .await
                .unwrap()
                .into_iter()
                .map(|(scope, (own, _))| (scope, own))
                .collect(),
            log_dirs: catalog.log_dirs(1).await.unwrap().0,
        }
    })
}

/// Opens the logs as a broker would.
pub(crate) fn opened(dir: &Path, node_id: i32) -> (LogDir, LoadReport) {
    let made = made(dir);
    let options = LogDirOptions {
        cluster_id: made.cluster.cluster_id.clone(),
        node_id,
        threads: 1,
        handles: Handles::new(64),
        now_ms: 6,
    };
    let settings = |name: &str, _: i32| {
        let topic = made.topics.iter().find(|topic| topic.name == name)?;
        let log = Known.log(&BTreeMap::new());
        Some(PartitionSettings { topic_id: topic.topic_id, leader_epoch: 0, log, flush_ms: None })
    };
    LogDir::open(Arc::new(OsDisk::new()), dir, &options, &settings, &|_| ()).unwrap()
}
