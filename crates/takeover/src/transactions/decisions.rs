//! What Kafka's coordinator knew of transactions when it stopped: all of `__transaction_state` that comes along.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use pagewire_coordinate::txn::{TxnDecoded, TxnRecord, TxnValue};
use pagewire_record::{DecompressLimits, SharedBatch};

use super::state::{completed, holds, marker_epoch, outcome};
use super::{OpenTransaction, Outcome, STATE_TOPIC};
use crate::cut::CutKind;
use crate::error::ImportError;
use crate::plan::{Plan, PlannedPartition};
use crate::take::Taken;
use crate::walk::each_batch;

/// Transactional ids that are remembered; of more, what they say is not known.
const IDS_MAX: usize = 1 << 20;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// By the transactional id.
    ids: HashMap<String, Said>,
    /// The transactional id that a producer id stands for.
    producers: HashMap<i64, String>,
    /// The highest producer id that any record names, of what is forgotten too.
    producer_id_max: Option<i64>,
    /// What the coordinator wrote is here to its end, so that whom it does not name it knows nothing of.
    whole: bool,
}

/// The newest word on a transactional id.
#[derive(Debug)]
struct Said {
    /// The partition of the topic in which it lies, and its key there.
    partition: i32,
    key: Bytes,
    state: TxnValue,
}

/// The last word on a transaction, to be appended to this partition of the topic.
#[derive(Debug)]
pub(super) struct LastWord {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
}

impl Decisions {
    /// Reads what of the topic is taken. `is_there`: Kafka's metadata has the topic.
    pub(crate) fn read(plan: &Plan, taken: &[Taken], is_there: bool) -> Result<Self, ImportError> {
        let of_topic: Vec<_> = plan
            .partitions
            .iter()
            .zip(taken)
            .filter(|(partition, _)| plan.name_of(partition) == STATE_TOPIC)
            .collect();
        let planned = plan.topics.iter().find(|topic| topic.name == STATE_TOPIC);
        let is_cut =
            |taken: &Taken| taken.verified.cut.as_ref().is_some_and(|cut| cut.kind != CutKind::TornTail);
        let all = match planned {
            Some(topic) => {
                topic.partitions == of_topic.len() && !of_topic.iter().any(|(_, taken)| is_cut(taken))
            }
            None => !is_there,
        };
        let mut decisions = Self { whole: all, ..Self::default() };
        for (partition, taken) in of_topic {
            decisions.add(partition, taken)?;
        }
        for (id, said) in &decisions.ids {
            decisions.producers.insert(said.state.producer_id, id.clone());
        }
        Ok(decisions)
    }

    /// Reads one partition. What cannot be read ends it, and then not all is known.
    fn add(&mut self, partition: &PlannedPartition, taken: &Taken) -> Result<(), ImportError> {
        let mut add = |batch: &SharedBatch| self.add_batch(partition.index, batch);
        if !each_batch(partition, taken, &mut add)? {
            self.whole = false;
        }
        Ok(())
    }

    /// None for what cannot be understood.
    fn add_batch(&mut self, partition: i32, batch: &SharedBatch) -> Option<()> {
        batch.verify_crc().ok()?;
        if batch.header.is_control() {
            return Some(());
        }
        for record in batch.records(&DecompressLimits::default()).ok()? {
            let record = record.ok()?;
            let key = record.key?;
            let TxnDecoded::Record(said) = TxnRecord::decode(&key, record.value.as_deref()).ok()? else {
                continue;
            };
            let id = said.transactional_id.to_string();
            let Some(state) = said.value else {
                self.ids.remove(&id);
                continue;
            };
            self.producer_id_max = self.producer_id_max.max(Some(state.highest_producer_id()));
            if self.ids.len() >= IDS_MAX && !self.ids.contains_key(&id) {
                return None;
            }
            self.ids.insert(id, Said { partition, key: Bytes::copy_from_slice(&key), state });
        }
        Some(())
    }

    /// The highest producer id that was given out as far as is said here.
    pub(crate) const fn producer_id_max(&self) -> Option<i64> {
        self.producer_id_max
    }

    fn of(&self, producer_id: i64) -> Option<(&str, &TxnValue)> {
        let id = self.producers.get(&producer_id)?;
        Some((id, &self.ids.get(id)?.state))
    }

    /// Says whose a transaction is, and how it is to end.
    pub(super) fn name(&self, open: OpenTransaction) -> OpenTransaction {
        let known = self.of(open.producer_id);
        let takes_part = known.filter(|(_, state)| {
            holds(state, &open.topic, open.partition) && marker_epoch(state) >= open.producer_epoch
        });
        let decided = takes_part.and_then(|(_, state)| outcome(state));
        // Kafka's own tool aborts what its coordinator knows nothing of.
        let outcome = decided.or((self.whole || known.is_some()).then_some(Outcome::Abort));
        OpenTransaction { transactional_id: known.map(|(id, _)| id.to_owned()), outcome, ..open }
    }

    /// The epoch of the marker that ends it: never below that of the producer's batches.
    pub(super) fn marker_epoch(&self, open: &OpenTransaction) -> i16 {
        let said = self.of(open.producer_id).map_or(open.producer_epoch, |(_, state)| marker_epoch(state));
        said.max(open.producer_epoch)
    }

    /// What is to be written into one partition of the topic, so that no transaction of it is open any more.
    pub(super) fn last_words(&self, partition: i32, now_ms: i64) -> Vec<LastWord> {
        let here: BTreeMap<&str, &Said> = self
            .ids
            .iter()
            .filter(|(_, said)| said.partition == partition)
            .map(|(id, said)| (id.as_str(), said))
            .collect();
        let word = |said: &Said| {
            let value = completed(&said.state, now_ms)?.encode().ok()?;
            Some(LastWord { key: said.key.clone(), value })
        };
        here.into_values().filter_map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use pagewire_coordinate::txn::TxnState;
    use pagewire_log::files::OpenTxn;
    use pagewire_record::{BatchBuilder, Codec};

    use super::super::state::tests::said;
    use super::*;

    fn key(id: &str) -> Vec<u8> {
        [&[0, 0, 0, u8::try_from(id.len()).expect("short")], id.as_bytes()].concat()
    }

    fn batch(records: &[(&str, Option<TxnValue>)]) -> SharedBatch {
        let mut builder = BatchBuilder::new(Codec::None);
        for (id, state) in records {
            let value = state.as_ref().map(|state| state.encode().expect("bytes"));
            builder.append(0, Some(&key(id)), value.as_deref(), &[]).expect("a record");
        }
        SharedBatch::first(&builder.build().expect("a batch")).expect("whole")
    }

    fn decisions(whole: bool, records: &[(&str, Option<TxnValue>)]) -> Decisions {
        let mut decisions = Decisions { whole, ..Decisions::default() };
        decisions.add_batch(1, &batch(records)).expect("understood");
        for (id, said) in &decisions.ids {
            decisions.producers.insert(said.state.producer_id, id.clone());
        }
        decisions
    }

    fn open(topic: &str, producer_id: i64) -> OpenTransaction {
        let open = OpenTxn { producer_id, producer_epoch: 3, first_offset: 9, last_timestamp: 0 };
        OpenTransaction::found(topic, 2, &open, 0)
    }

    #[test]
    fn a_promised_commit_is_kept_and_what_was_not_decided_is_aborted_above_its_epoch() {
        for (state, outcome, epoch) in [
            (TxnState::PrepareCommit, Outcome::Commit, 3),
            (TxnState::PrepareAbort, Outcome::Abort, 3),
            (TxnState::Ongoing, Outcome::Abort, 4),
        ] {
            let known = decisions(true, &[("app", Some(said(0, state)))]);
            let named = known.name(open("orders", 7));
            assert_eq!((named.outcome, named.transactional_id.as_deref()), (Some(outcome), Some("app")));
            assert_eq!(known.marker_epoch(&named), epoch);
        }
    }

    #[test]
    fn a_partition_that_takes_no_part_in_the_commit_is_not_committed() {
        let known = decisions(true, &[("app", Some(said(1, TxnState::PrepareCommit)))]);
        assert_eq!(known.name(open("elsewhere", 7)).outcome, Some(Outcome::Abort));
        let mut newer = open("orders", 7);
        newer.producer_epoch = 4;
        assert_eq!(
            known.name(newer).outcome,
            Some(Outcome::Abort),
            "a later transaction than the decided one"
        );
    }

    #[test]
    fn what_is_not_here_as_a_whole_is_not_guessed() {
        let records = [("app", Some(said(1, TxnState::PrepareCommit)))];
        assert_eq!(
            decisions(true, &records).name(open("orders", 8)).outcome,
            Some(Outcome::Abort),
            "hanging"
        );
        let part = decisions(false, &records);
        assert_eq!(part.name(open("orders", 8)).outcome, None);
        assert_eq!(part.name(open("orders", 7)).outcome, Some(Outcome::Commit));
    }

    #[test]
    fn the_newest_word_counts_and_one_that_is_over_gets_no_other() {
        let known = decisions(
            true,
            &[
                ("app", Some(said(1, TxnState::PrepareCommit))),
                ("app", Some(said(1, TxnState::CompleteCommit))),
                ("gone", Some(said(0, TxnState::Ongoing))),
                ("gone", None),
            ],
        );
        assert_eq!(known.last_words(1, 5).len(), 0);
        let known = decisions(
            true,
            &[("one", Some(said(1, TxnState::Ongoing))), ("over", Some(said(0, TxnState::CompleteAbort)))],
        );
        let words = known.last_words(1, 5);
        assert_eq!(words.iter().map(|word| &word.key[..]).collect::<Vec<_>>(), [key("one")]);
        let last = TxnValue::decode(&words[0].value).expect("known");
        assert_eq!((outcome(&last), last.producer_epoch), (None, 4));
        assert_eq!(known.last_words(0, 5).len(), 0, "another partition's");
    }
}
