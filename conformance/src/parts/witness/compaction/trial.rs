//! Some rounds of the same records into both.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pagewire_record::complete_batches;

use super::Both;
use super::compare::{Content, first_difference};
use super::segments::{Appended, Segment, bases, closed, first_empty, halves};
use super::side::{RATIO, Side};
use crate::harness::until_right;
use crate::parts::witness::keyed::Keyed;
use crate::parts::witness::workload::now_ms;

const PARTITIONS: i32 = 3;
const ROUNDS: usize = 4;
const BATCHES: usize = 60;
const KEYS: usize = 40;

/// A topic, its settings and its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) topic: &'static str,
    pub(super) configs: &'static [(&'static str, &'static str)],
    /// How old the first record is.
    pub(super) begun_ago_ms: i64,
    /// Between two records, at most.
    pub(super) step_ms: usize,
    pub(super) twist: Twist,
}

/// What else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    /// The first round is into a topic that is not compacted, and not every record has a key.
    KeylessFirst,
    /// Between two rounds all delete horizons pass.
    HorizonsExpire,
    /// Before it is compacted, the older half of what came goes, and all before it.
    OldSegmentsGo,
    /// Only the older half of what came may be compacted.
    MustBeOld,
}

impl Trial {
    pub(super) fn run(&self, both: &Both<'_>) -> Result<()> {
        let mut sides = [
            Side::new("ours", self.topic, both.ours.address(), both.ours.data_dir())?,
            Side::new("Kafka", self.topic, both.kafka.address(), both.kafka.log_dir())?,
        ];
        for side in &mut sides {
            let mut all = self.configs.to_vec();
            all.retain(|(name, _)| self.twist != Twist::KeylessFirst || *name != "cleanup.policy");
            all.extend([("internal.segment.bytes", "20000"), (RATIO, "1")]);
            side.client.create_topic(self.topic, PARTITIONS, &all)?;
        }
        let begun_ms = now_ms()? - self.begun_ago_ms;
        let partitions = (0..PARTITIONS).map(|number| Partition::new(number, self.step_ms, begun_ms));
        let mut rounds = Rounds { trial: self, sides, partitions: partitions.collect() };
        (0..ROUNDS).try_for_each(|round| rounds.next(round).with_context(|| format!("round {round}")))
    }
}

/// What was written to a partition of both.
struct Partition {
    number: i32,
    stream: Keyed,
    sequence: i32,
    appended: Vec<Appended>,
    /// Below that both are clean.
    clean_to: i64,
    /// Tombstones that the next compaction after their horizon takes.
    doomed: Vec<i64>,
}

impl Partition {
    fn new(number: i32, step_ms: usize, begun_ms: i64) -> Self {
        let mut stream = Keyed::new(number.unsigned_abs().into(), KEYS, begun_ms);
        stream.set_step(step_ms);
        Self { number, stream, sequence: 0, appended: Vec::new(), clean_to: 0, doomed: Vec::new() }
    }

    /// The same batch to both. Half of them are an idempotent producer's, whose ids differ.
    fn append(&mut self, sides: &mut [Side; 2]) -> Result<()> {
        let idempotent = self.stream.below(2) == 0;
        let before = self.stream.clone();
        let mut ends = Vec::new();
        for side in sides {
            self.stream = before.clone();
            let (batch, count) = self.stream.batch(idempotent.then_some((side.producer, self.sequence)))?;
            let first = complete_batches(&batch).next().context("no batch")??;
            let base_offset = side.client.append(side.topic, self.number, &batch)?;
            ends.push((base_offset, count, first.header.max_timestamp));
        }
        let [(base_offset, count, max_timestamp), theirs] = ends[..] else { return Ok(()) };
        ensure!(theirs.0 == base_offset, "appended at {base_offset}, in Kafka at {}", theirs.0);
        self.appended.push(Appended { base_offset, max_timestamp });
        self.sequence += if idempotent { count } else { 0 };
        Ok(())
    }
}

impl Partition {
    /// The base offsets of the segments that nobody has compacted.
    fn bases(&self, side: &Side) -> Result<Vec<i64>> {
        Ok(bases(&side.folder(self.number))?.into_iter().filter(|base| *base >= self.clean_to).collect())
    }

    fn closed(&self, side: &Side) -> Result<Vec<Segment>> {
        closed(&self.bases(side)?, &self.appended)
    }

    fn active(&self, side: &Side) -> Result<i64> {
        self.bases(side)?.last().copied().context("no segment")
    }
}

struct Rounds<'t> {
    trial: &'t Trial,
    sides: [Side; 2],
    partitions: Vec<Partition>,
}

impl Rounds<'_> {
    fn next(&mut self, round: usize) -> Result<()> {
        let keyless = self.trial.twist == Twist::KeylessFirst && round == 0;
        for partition in &mut self.partitions {
            partition.stream.set_keyless(keyless);
            (0..BATCHES).try_for_each(|_| partition.append(&mut self.sides))?;
        }
        if keyless {
            self.sides.iter_mut().try_for_each(|side| side.alter("cleanup.policy", "compact"))?;
        }
        if self.trial.twist == Twist::OldSegmentsGo {
            self.old_segments_go()?;
        }
        self.compact()?;
        let horizon_ms = self.compare()?;
        if self.trial.twist == Twist::HorizonsExpire {
            let left = horizon_ms.context("no delete horizon")? + 1 - now_ms()?;
            std::thread::sleep(Duration::from_millis(left.try_into().unwrap_or(0)));
        }
        Ok(())
    }

    /// A time that splits what nobody has compacted yet, and the first segment of each partition that is younger. How
    /// close the times of segments are to it follows from the seeds; it is never a matter of seconds.
    fn split(&self) -> Result<(i64, BTreeMap<i32, i64>)> {
        let mut time = None;
        let mut younger = BTreeMap::new();
        for partition in &self.partitions {
            let closed = partition.closed(&self.sides[0])?;
            let time = *time.get_or_insert(halves(&closed).context("nothing was rolled")?);
            let first = closed.iter().find(|segment| segment.largest_ms > time);
            younger.insert(partition.number, first.context("all is older")?.base);
        }
        Ok((time.context("no partition")?, younger))
    }

    /// Lets both delete by time, up to the same offsets.
    fn old_segments_go(&mut self) -> Result<()> {
        let (time_ms, starts) = self.split()?;
        let retention_ms = (now_ms()? - time_ms).to_string();
        for side in &mut self.sides {
            // One that compaction left nothing in is as old as its file, so it stays, and all behind it. Bare headers are as old
            // as their batches were, and go with these.
            let starts = starts.iter().map(|(partition, start)| {
                Ok((*partition, first_empty(&side.folder(*partition))?.unwrap_or(*start).min(*start)))
            });
            let starts: BTreeMap<i32, i64> = starts.collect::<Result<_>>()?;
            side.alter("retention.ms", &retention_ms)?;
            until_right("retention", || {
                for (partition, start) in &starts {
                    let is = side.client.offset(side.topic, *partition, -2)?;
                    ensure!(is == *start, "{}: {partition} starts at {is}, it should at {start}", side.name);
                }
                Ok(())
            })?;
            side.alter("retention.ms", "-1")?;
        }
        Ok(())
    }

    /// Lets both compact, once, as far as they can.
    fn compact(&mut self) -> Result<()> {
        for partition in &self.partitions {
            let [ours, theirs] = self.sides.each_ref().map(|side| partition.bases(side));
            first_difference(&ours?, &theirs?).context("segments")?;
        }
        let reached = if self.trial.twist == Twist::MustBeOld {
            let (time_ms, reached) = self.split()?;
            let lag_ms = (now_ms()? - time_ms).to_string();
            self.sides.iter_mut().try_for_each(|side| side.alter("min.compaction.lag.ms", &lag_ms))?;
            reached
        } else {
            let active = |partition: &Partition| Ok((partition.number, partition.active(&self.sides[0])?));
            self.partitions.iter().map(active).collect::<Result<_>>()?
        };
        for partition in &mut self.partitions {
            let before = partition.clean_to;
            partition.clean_to = reached.get(&partition.number).copied().unwrap_or(before);
            ensure!(partition.clean_to > before, "nothing was rolled");
        }
        self.sides.iter_mut().try_for_each(|side| side.compact(&reached).context(side.name))
    }

    /// The same records and batches. The latest of all delete horizons.
    fn compare(&mut self) -> Result<Option<i64>> {
        let mut horizon_ms = None;
        for partition in &mut self.partitions {
            let number = partition.number;
            let mut served = |side: usize| -> Result<Content> {
                let Side { client, topic, .. } = &mut self.sides[side];
                Content::of(&client.read_all(topic, number)?)
            };
            let (ours, theirs) = (served(0)?, served(1)?);
            first_difference(&ours.records, &theirs.records)
                .with_context(|| format!("records of partition {number}"))?;
            first_difference(&ours.frames, &theirs.frames)
                .with_context(|| format!("batches of partition {number}"))?;
            ensure!(ours.records.len() > 10, "only {} records are left", ours.records.len());
            if self.trial.twist == Twist::HorizonsExpire {
                let stays = ours.records.iter().find(|record| partition.doomed.contains(&record.offset));
                ensure!(stays.is_none(), "a tombstone past its horizon stays: {stays:?}");
                ensure!(!ours.doomed.is_empty(), "no tombstones");
                partition.doomed.clone_from(&ours.doomed);
            }
            horizon_ms = horizon_ms.max(ours.horizon_ms).max(theirs.horizon_ms);
        }
        Ok(horizon_ms)
    }
}
