//! MirrorMaker 2 between an Apache Kafka, `theirs`, and the broker under test, `ours`, in both directions at once.
//!
//! ```text
//!   theirs  there-CODEC  ours.here-CODEC   <-+-  MirrorMaker  -+->   here-CODEC  theirs.there-CODEC  ours
//! ```
//!
//! Records arrive with their keys, values, headers and times; settings follow their topics; groups find on the other
//! side where they stopped on this one.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::node::Node;
use super::program::Program;
use super::stage::{Stage, ends, has_settings};
use crate::harness::{Broker, until_right};

const MIRROR: &str = "org.apache.kafka.connect.mirror.MirrorMaker";
const CODECS: i64 = 5;
const PARTITIONS: i32 = 2;

/// Topics and groups are named after the side where they are at home.
const HOMES: [(&str, &str); 2] = [("there", "theirs."), ("here", "ours.")];

/// Records, groups and settings, those that were there before and those that come and change meanwhile.
pub(super) fn both_ways(stage: &Stage<'_>) -> Result<()> {
    const FIRST: i64 = 600;
    const ALL: i64 = 1500;
    let pair = Pair::new(stage)?;
    pair.fill(0, FIRST)?;
    let mut mirror = pair.mirror("disabled")?;
    pair.until_mirrored(FIRST, &mut mirror)?;
    pair.until_groups_are_at_the_end(&mut mirror)?;
    pair.fill(FIRST, ALL)?;
    pair.set("delete.retention.ms", "7654321")?;
    pair.until_mirrored(ALL, &mut mirror)?;
    pair.until_groups_are_at_the_end(&mut mirror)?;
    pair.until_middle_is_translated(ALL, i64::midpoint(FIRST, ALL), &mut mirror)?;
    pair.until_settings_have_followed(&mut mirror)?;
    mirror.complains_of_nothing()?;
    mirror.stop()?;
    pair.are_the_same()?;
    pair.has_no_circles()
}

/// With exactly once on both sides, killed twice in the middle.
pub(super) fn killed(stage: &Stage<'_>) -> Result<()> {
    const FIRST: i64 = 2000;
    const ALL: i64 = 4000;
    const SOME: i64 = 300;
    let pair = Pair::new(stage)?;
    pair.fill(0, FIRST)?;
    let mut mirror = pair.mirror("enabled")?;
    pair.until_some_have_come(SOME, &mut mirror)?;
    mirror.kill()?;
    pair.fill(FIRST, ALL)?;
    let mut mirror = pair.mirror("enabled")?;
    pair.until_some_have_come(FIRST + SOME, &mut mirror)?;
    mirror.kill()?;
    let mut mirror = pair.mirror("enabled")?;
    pair.until_mirrored(ALL, &mut mirror)?;
    mirror.stop()?;
    pair.are_the_same()
}

/// The broker under test is killed twice beneath a mirror, which lives on; exactly once on both sides.
pub(super) fn broker_killed(stage: &Stage<'_>) -> Result<()> {
    const FIRST: i64 = 2000;
    const ALL: i64 = 4000;
    const SOME: i64 = 300;
    let mut pair = Pair::new(stage)?;
    pair.fill(0, FIRST)?;
    let mut mirror = pair.mirror("enabled")?;
    pair.until_some_have_come(SOME, &mut mirror)?;
    pair.ours.kill_and_start_again()?;
    pair.fill(FIRST, ALL)?;
    pair.until_some_have_come(FIRST + SOME, &mut mirror)?;
    pair.ours.kill_and_start_again()?;
    pair.until_mirrored(ALL, &mut mirror)?;
    pair.until_groups_are_at_the_end(&mut mirror)?;
    mirror.stop()?;
    pair.are_the_same()
}

/// What mirrors always have: one machine, and nobody who waits long.
const SETTINGS: [&str; 30] = [
    "clusters=theirs,ours",
    "theirs->ours.enabled=true",
    "ours->theirs.enabled=true",
    "topics=there-.*,here-.*",
    "groups=there-.*,here-.*",
    "tasks.max=2",
    "replication.factor=1",
    "checkpoints.topic.replication.factor=1",
    "heartbeats.topic.replication.factor=1",
    "offset-syncs.topic.replication.factor=1",
    "offset.storage.replication.factor=1",
    "config.storage.replication.factor=1",
    "status.storage.replication.factor=1",
    "sync.group.offsets.enabled=true",
    "sync.group.offsets.interval.seconds=1",
    "emit.checkpoints.interval.seconds=1",
    "refresh.topics.interval.seconds=2",
    "refresh.groups.interval.seconds=2",
    "sync.topic.configs.interval.seconds=2",
    "offset.lag.max=0",
    "theirs.consumer.isolation.level=read_committed",
    "theirs.consumer.max.poll.records=50",
    "theirs.session.timeout.ms=6000",
    "theirs.heartbeat.interval.ms=1000",
    "theirs.scheduled.rebalance.max.delay.ms=0",
    "ours.consumer.isolation.level=read_committed",
    "ours.consumer.max.poll.records=50",
    "ours.session.timeout.ms=6000",
    "ours.heartbeat.interval.ms=1000",
    "ours.scheduled.rebalance.max.delay.ms=0",
];

/// Both brokers.
struct Pair<'s> {
    stage: &'s Stage<'s>,
    theirs: Node<'s>,
    ours: Node<'s>,
    scratch: TempDir,
}

impl<'s> Pair<'s> {
    fn new(stage: &'s Stage<'_>) -> Result<Self> {
        Ok(Self { stage, theirs: stage.kafka()?, ours: stage.node()?, scratch: Broker::directory()? })
    }

    /// Where topics of this name are at home, and where they are mirrored.
    fn sides(&self, home: &str) -> (&Node<'s>, &Node<'s>) {
        if home == "there" { (&self.theirs, &self.ours) } else { (&self.ours, &self.theirs) }
    }

    fn mirror(&self, exactly_once: &str) -> Result<Program> {
        let properties = self.scratch.path().join("mirror.properties");
        let own = [
            format!("theirs.bootstrap.servers={}", self.theirs.address()),
            format!("ours.bootstrap.servers={}", self.ours.address()),
            format!("theirs.exactly.once.source.support={exactly_once}"),
            format!("ours.exactly.once.source.support={exactly_once}"),
        ];
        let lines: Vec<&str> = SETTINGS.into_iter().chain(own.iter().map(String::as_str)).collect();
        fs::write(&properties, lines.join("\n"))?;
        let mut command = self.stage.java(MIRROR, self.scratch.path())?;
        command.arg(properties);
        Program::start("mirror", command, self.scratch.path())
    }

    fn fill(&self, from: i64, to: i64) -> Result<()> {
        for (home, _) in HOMES {
            self.stage.step(self.sides(home).0, &["fill", home, &from.to_string(), &to.to_string()])?;
        }
        Ok(())
    }

    /// Changes a setting of a topic on either side.
    fn set(&self, name: &str, value: &str) -> Result<()> {
        for (home, _) in HOMES {
            self.stage.step(self.sides(home).0, &["set", &format!("{home}-zstd"), name, value])?;
        }
        Ok(())
    }

    /// Some of the first topic, on either side: there is more to copy.
    fn until_some_have_come(&self, offsets: i64, mirror: &mut Program) -> Result<()> {
        for (home, prefix) in HOMES {
            let (_, to) = self.sides(home);
            let topic = format!("{prefix}{home}-none");
            patiently(mirror, &format!("{offsets} offsets of {topic}"), || {
                let there = self.stage.step(to, &["topics"])?.contains(&topic);
                let come = if there { ends(to, &topic, PARTITIONS)? } else { 0 };
                ensure!(come >= offsets, "{come} have come");
                Ok(())
            })?;
        }
        Ok(())
    }

    fn until_mirrored(&self, count: i64, mirror: &mut Program) -> Result<()> {
        for (home, prefix) in HOMES {
            let (_, to) = self.sides(home);
            for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
                let topic = format!("{prefix}{home}-{codec}");
                patiently(mirror, &format!("{count} records in {topic}"), || {
                    self.stage.step(to, &["arrive", &topic, &count.to_string()]).map(drop)
                })?;
            }
        }
        Ok(())
    }

    /// Groups of either protocol that had read everything have nothing to read on the other side.
    fn until_groups_are_at_the_end(&self, mirror: &mut Program) -> Result<()> {
        for (home, prefix) in HOMES {
            for kind in ["classic", "new"] {
                let group = format!("{home}-{kind}");
                patiently(mirror, &format!("the offsets of {group}"), || {
                    let behind = self.behind(&group, home, prefix)?;
                    ensure!(behind.iter().all(|&count| count == Some(0)), "behind it are {behind:?}");
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// A group that has read a part finds all that it has not read, and not all over again.
    fn until_middle_is_translated(&self, all: i64, read: i64, mirror: &mut Program) -> Result<()> {
        let halves = |count: i64| count / i64::from(PARTITIONS);
        for (home, prefix) in HOMES {
            let group = format!("{home}-middle");
            patiently(mirror, &format!("the offsets of {group}"), || {
                let behind = self.behind(&group, home, prefix)?;
                let right = |&count: &Option<i64>| {
                    count.is_some_and(|count| (halves(all - read)..halves(all)).contains(&count))
                };
                ensure!(behind.iter().all(right), "of {all} it has read {read}, behind it are {behind:?}");
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Records behind what a group has committed on the other side; none of a partition of which it has not.
    fn behind(&self, group: &str, home: &str, prefix: &str) -> Result<Vec<Option<i64>>> {
        let lines = self.stage.step(self.sides(home).1, &["behind", group, prefix, home])?;
        ensure!(i64::try_from(lines.len())? == CODECS * i64::from(PARTITIONS), "{lines:?}");
        Ok(lines.iter().map(|line| line.parse().ok()).collect())
    }

    fn until_settings_have_followed(&self, mirror: &mut Program) -> Result<()> {
        for (home, prefix) in HOMES {
            let (_, to) = self.sides(home);
            patiently(mirror, "settings", || {
                let topic = format!("{prefix}{home}-zstd");
                let expected = [
                    "retention.ms=-1",
                    "max.message.bytes=1500000",
                    "segment.bytes=2097152",
                    "delete.retention.ms=7654321",
                ];
                has_settings(self.stage, to, &topic, &expected)
            })?;
        }
        Ok(())
    }

    /// Every record is on the other side as on this one, once, in order.
    fn are_the_same(&self) -> Result<()> {
        for (home, prefix) in HOMES {
            let (at_home, away) = self.sides(home);
            let here = self.stage.step(at_home, &["show", "", home])?;
            let there = self.stage.step(away, &["show", prefix, home])?;
            let wrong = here.iter().zip(&there).find(|(one, other)| one != other);
            ensure!(wrong.is_none(), "a record and its mirror: {wrong:?}");
            ensure!(here.len() == there.len(), "{} records are {} in the mirror", here.len(), there.len());
        }
        Ok(())
    }

    /// A mirrored topic is not mirrored back.
    fn has_no_circles(&self) -> Result<()> {
        for node in [&self.theirs, &self.ours] {
            let topics = self.stage.step(node, &["topics"])?;
            let in_a_circle = |topic: &&String| {
                (topic.starts_with("ours.theirs.") || topic.starts_with("theirs.ours."))
                    && !topic.ends_with("heartbeats")
            };
            let circle = topics.iter().find(in_a_circle);
            ensure!(circle.is_none(), "{circle:?} is mirrored in a circle");
        }
        Ok(())
    }
}

/// Looks again until nothing is wrong, and the mirror lives.
fn patiently(mirror: &mut Program, what: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    until_right(what, || {
        check()?;
        mirror.lives()
    })
    .with_context(|| format!("the mirror says: {}", mirror.said()))
}
