//! An import with few words, and a look at what it made.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{Handles, LoadReport, LogConfig, LogDir, LogDirOptions, PartitionSettings};
use pagewire_metadata::model::{
    ClusterRecord, ConfigRecord, ConfigScope, FeaturesRecord, LogDirsRecord, ProducerIdsRecord, TopicRecord,
    decode, keys,
};
use pagewire_metadata::{Catalog, EmbeddedStore, FILE_NAME, Store, SystemClock, Versioned};
use pagewire_takeover::{Begun, Depth, Dynamic, How, ImportError, Options, Owner, Report, Settings, import};

use crate::kafka::Kafka;

/// What brokers call the policies of topics without their own.
pub(crate) const POLICIES: &str = "log.cleanup.policy";

/// Knows a handful of settings.
pub(crate) struct Known;

impl Settings for Known {
    fn refuse(&self, _owner: &Owner, name: &str, value: &str) -> Option<String> {
        let numbers = ["retention.ms", "segment.bytes", "log.cleaner.threads"];
        if !numbers.contains(&name) && !["remote.storage.enable", "cleanup.policy", POLICIES].contains(&name)
        {
            return Some("not known".to_owned());
        }
        (numbers.contains(&name) && value.parse::<i64>().is_err()).then(|| "no number".to_owned())
    }

    fn refuse_together(&self, _owner: &Owner, _own: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    fn log(&self, own: &BTreeMap<String, String>, above: &Dynamic) -> LogConfig {
        let of_brokers = above.this_broker.get(POLICIES).or(above.all_brokers.get(POLICIES));
        let policy = own.get("cleanup.policy").or(of_brokers);
        let cleanup_compact = policy.is_some_and(|policy| policy.contains("compact"));
        LogConfig { segment_bytes: 2048, index_interval_bytes: 100, cleanup_compact, ..LogConfig::default() }
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
    import(options, &Known, &Begun::default(), &|progress| assert!(progress.done <= progress.total))
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
    pub(crate) features: BTreeMap<String, i16>,
    /// Of node 1.
    pub(crate) log_dirs: LogDirsRecord,
}

pub(crate) fn made(dir: &Path) -> Made {
    let store = Arc::new(EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock)).unwrap());
    let catalog = Catalog::new(Arc::clone(&store) as Arc<dyn Store>);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ids = store.get(keys::PRODUCER_IDS).await.unwrap().unwrap();
        let features = store.get(keys::FEATURES).await.unwrap();
        let levels = |entry: Versioned| decode::<FeaturesRecord>(&entry.value).unwrap().levels;
        Made {
            cluster: catalog.cluster(0).await.unwrap(),
            next_producer_id: decode::<ProducerIdsRecord>(&ids.value).unwrap().next,
            features: features.map(levels).unwrap_or_default(),
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
        let log = Known.log(&BTreeMap::new(), &Dynamic::default());
        Some(PartitionSettings {
            topic_id: topic.topic_id,
            leader_epoch: 0,
            log,
            flush_ms: None,
            behind: Vec::new(),
        })
    };
    LogDir::open(Arc::new(OsDisk::new()), dir, &options, &settings, &|_| ()).unwrap()
}
