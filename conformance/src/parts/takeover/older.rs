//! Directories of Kafka's older versions, written by those versions' own brokers.

use anyhow::{Context as _, Result};

use super::SETTINGS;
use super::stage::{Stage, same};
use crate::clients::KafkaClasses;
use crate::parts::kafka::Kafka;
use crate::parts::{Cases, Context};

const VERSIONS: [(&str, &str); 4] = [
    ("what_kafka_3_9_left_is_served", "3.9.1"),
    ("what_kafka_4_0_left_is_served", "4.0.0"),
    ("what_kafka_4_1_left_is_served", "4.1.1"),
    ("what_kafka_4_2_left_is_served", "4.2.0"),
];
/// Records of each codec: what is looked at is the layout, not the load.
const RECORDS: &str = "900";

/// The cases, and the classes that each needs. One whose classes are not to be had is skipped.
pub(super) fn fetch(context: &Context<'_>, cases: &Cases<'_>) -> Vec<(&'static str, KafkaClasses)> {
    let mut fetched = Vec::new();
    for (name, version) in VERSIONS.into_iter().filter(|(name, _)| cases.wants(name)) {
        match KafkaClasses::of_version(context.workspace, version) {
            Ok(classes) => fetched.push((name, classes)),
            Err(reason) => cases.skip(name, &format!("{reason:#}")),
        }
    }
    fetched
}

/// It is loaded and killed; ours serves what it left, and goes on.
pub(super) fn is_served(stage: &Stage<'_>, classes: &KafkaClasses) -> Result<()> {
    let mut kafka = Kafka::format_of(classes, SETTINGS)?;
    kafka.start()?;
    stage.step(&["load", RECORDS], kafka.address()).with_context(|| {
        let said = kafka.said().unwrap_or_default();
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("INFO")).collect();
        format!("Kafka says: {}", lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" | "))
    })?;
    let seen = stage.read(kafka.address())?;
    kafka.kill();
    let broker = stage.take(&kafka, &[], "127.0.0.1:0")?;
    same(&seen, &stage.read(broker.address())?).with_context(|| broker.log_tail())?;
    stage.more(broker.address())
}
