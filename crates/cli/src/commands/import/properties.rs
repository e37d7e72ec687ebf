//! A server.properties of Kafka's: the directories that it names, and what it sets for topics without settings of their
//! own.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pagewire_broker::config::{BrokerConfig, Described, Origin, Sources, TOPIC, describe_topic};

/// No file of settings is longer.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// What one file says.
pub(super) struct Properties {
    pub(super) path: PathBuf,
    settings: HashMap<String, String>,
}

impl Properties {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let read = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::of(read.take(FILE_MAX_BYTES), path)
    }

    fn of(text: impl Read, path: &Path) -> anyhow::Result<Self> {
        let settings = java_properties::read(BufReader::new(text))
            .with_context(|| format!("{} is no properties file", path.display()))?;
        Ok(Self { path: path.to_path_buf(), settings })
    }

    /// log.dirs, or log.dir where that is not set; and metadata.log.dir.
    pub(super) fn dirs(&self) -> anyhow::Result<Vec<PathBuf>> {
        let list = |name: &str| -> Vec<PathBuf> {
            let value = self.settings.get(name).map_or("", String::as_str);
            value.split(',').map(str::trim).filter(|dir| !dir.is_empty()).map(PathBuf::from).collect()
        };
        let mut dirs = list("log.dirs");
        if dirs.is_empty() {
            dirs = list("log.dir");
        }
        dirs.extend(list("metadata.log.dir"));
        if dirs.is_empty() {
            bail!("{} names no log.dirs: name Kafka's directories with --from", self.path.display());
        }
        Ok(dirs)
    }

    /// The node that it is of, as far as it says so.
    pub(super) fn node_id(&self) -> Option<i32> {
        let id = self.settings.get("node.id").or_else(|| self.settings.get("broker.id"));
        id.and_then(|text| text.trim().parse().ok())
    }

    /// The broker's settings with what the file sets for topics, and nothing else of it: its listeners are nobody's
    /// here.
    ///
    /// # Errors
    /// What is wrong with these settings.
    pub(super) fn broker(&self) -> Result<BrokerConfig, String> {
        let mut sources = Sources::new();
        for name in TOPIC.iter().flat_map(|row| row.broker).map(|(name, _)| name) {
            if let Some(value) = self.settings.get(*name) {
                sources.add(name, value, Origin::Flag);
            }
        }
        BrokerConfig::load(sources).map(|(config, _)| config).map_err(|errors| errors.to_string())
    }

    /// What topics have by this file that they do not have without it, in their own names.
    pub(super) fn others(&self) -> Vec<String> {
        let Ok(broker) = self.broker() else { return Vec::new() };
        let nothing = BTreeMap::new();
        let (with, without) =
            (describe_topic(&nothing, &broker), describe_topic(&nothing, &BrokerConfig::defaults()));
        let differ = with.iter().zip(&without).filter(|(with, without)| with.value != without.value);
        let value = |one: &Described| one.value.clone().unwrap_or_default();
        differ
            .map(|(with, without)| format!("{}={} (not {})", with.name, value(with), value(without)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(text: &str) -> Properties {
        Properties::of(text.as_bytes(), Path::new("server.properties")).expect("properties")
    }

    #[test]
    fn log_dirs_come_before_log_dir_and_the_metadata_besides() {
        let dirs = |text| properties(text).dirs();
        let both = dirs("log.dir=/c\nlog.dirs=/a, /b\nmetadata.log.dir = /m\n").expect("named");
        assert_eq!(both, ["/a", "/b", "/m"].map(PathBuf::from));
        assert_eq!(dirs("log.dir=/c").expect("named"), [PathBuf::from("/c")]);
        assert!(dirs("node.id=1").expect_err("none").to_string().contains("--from"));
    }

    #[test]
    fn what_topics_have_by_the_file_alone_is_told_in_their_names() {
        let stock = properties(
            "log.retention.hours=168\nnum.partitions=1\nlisteners=PLAINTEXT://nowhere.invalid:1\n",
        );
        assert_eq!(stock.others(), [] as [String; 0]);
        let own = properties("log.cleanup.policy=compact\nlog.retention.ms=-1\n");
        let told = ["cleanup.policy=compact (not delete)", "retention.ms=-1 (not 604800000)"];
        assert_eq!(own.others(), told);
        assert!(properties("log.retention.ms=soon").broker().is_err());
    }
}
