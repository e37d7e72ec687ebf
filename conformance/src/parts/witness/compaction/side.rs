//! One of two brokers under comparison.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::harness::raw::{Producer, Raw, text};
use crate::harness::until_right;

const TOPIC_RESOURCE: i8 = 2;
/// From which share of dirty bytes on a topic is compacted.
pub(in crate::parts) const RATIO: &str = "min.cleanable.dirty.ratio";

/// A broker, its directory, and a topic in it.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) topic: &'static str,
    pub(super) client: Raw,
    pub(super) producer: Producer,
    data_dir: PathBuf,
}

impl Side {
    pub(super) fn new(
        name: &'static str,
        topic: &'static str,
        address: &str,
        data_dir: PathBuf,
    ) -> Result<Self> {
        let mut client = Raw::connect(address)?;
        let producer = client.init_producer()?;
        Ok(Self { name, topic, client, producer, data_dir })
    }

    /// Where a partition's files are.
    pub(super) fn folder(&self, partition: i32) -> PathBuf {
        self.data_dir.join(format!("{}-{partition}", self.topic))
    }

    /// Changes a setting of the topic.
    pub(super) fn alter(&mut self, name: &str, value: &str) -> Result<()> {
        let config = AlterableConfig { name: text(name), config_operation: 0, value: Some(text(value)) };
        let resource = AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: text(self.topic),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = self.client.call(&request, 1)?;
        ensure!(answer.responses.iter().all(|one| one.error_code == 0), "{}: {answer:?}", self.name);
        Ok(())
    }

    /// Lets the cleaner run until each partition is clean up to there.
    pub(super) fn compact(&mut self, reached: &BTreeMap<i32, i64>) -> Result<()> {
        self.alter(RATIO, "0")?;
        until_clean(&self.data_dir, self.topic, reached)?;
        self.alter(RATIO, "1")
    }
}

/// Waits until each partition of a topic is clean up to exactly there; a partition that is never cleaned is at 0.
pub(in crate::parts) fn until_clean(
    data_dir: &Path,
    topic: &str,
    reached: &BTreeMap<i32, i64>,
) -> Result<()> {
    until_right("compaction", || {
        let clean = clean_offsets(data_dir, topic)?;
        let is = |(partition, offset): (&i32, &i64)| clean.get(partition).copied().unwrap_or(0) == *offset;
        ensure!(reached.iter().all(is), "{topic} is clean up to {clean:?}, it should be {reached:?}");
        Ok(())
    })
}

/// Partitions and the offsets below which they are clean.
fn clean_offsets(data_dir: &Path, topic: &str) -> Result<BTreeMap<i32, i64>> {
    let text = fs::read_to_string(data_dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
    let mut offsets = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [name, partition, offset] = words[..]
            && name == topic
        {
            offsets.insert(partition.parse()?, offset.parse()?);
        }
    }
    Ok(offsets)
}
