//! Where a batch is checked, and what the checks of one request may cost.
//!
//! A check of plain records costs about what copying them costs, and runs on the event loop. A few bytes of compressed
//! ones may stand for a hundred megabytes: they are tried here as long as little comes out, and else checked on threads
//! of their own, of which `Turns` has one less than there are cores. A topic's own codec means compressing again, which
//! always goes there unless it is little.

use std::time::Duration;

use bytes::Bytes;
use pagewire_record::{
    Codec, DecompressLimits, ProduceRules, RejectKind, Rejected, TopicCompression,
    batch::Batch,
    check::{Checked, check_produced, check_produced_counting},
};
use pagewire_wire::{ErrorCode, Records, messages::produce_request::ProduceRequest};
use pagewire_zcopy::IoPool;
use tokio::time::sleep;

use super::failure::Failure;

/// What the batches of a request may decompress to together, however small it is: as much as one of them alone, which
/// is 128 times the default of `max.message.bytes`, or what a topic sets if that is more.
const INFLATED_BYTES: u64 = DecompressLimits::DEFAULT_MAX_BYTES as u64;
/// What they may decompress to beyond that, for each byte of records in the request. Logs in JSON shrink to a
/// twentieth.
const INFLATED_PER_BYTE: u64 = 32;
/// What the batches of a request may decompress to on the event loop: a tenth of a millisecond.
const HERE_BYTES: u64 = 256 * 1024;
/// Larger compressed batches are not even tried there.
const HERE_BATCH_BYTES: usize = 64 * 1024;
/// A batch counts as this much at least, because a decompressor must be set up for it.
const HERE_LEAST_BYTES: u64 = 8 * 1024;
/// Batches that are compressed again on the event loop are no larger than this.
const HERE_AGAIN_BYTES: usize = 4 * 1024;
/// Records that are named in the answer to a request as what had their batch refused. Batches refused after that are
/// answered without names.
const RECORD_ERRORS_MAX: usize = 10_000;
/// Between two attempts to find room in a full queue of checks.
const PAUSE: Duration = Duration::from_millis(5);
/// Attempts before a batch is refused: ten seconds.
const PAUSES_MAX: u32 = 2000;

/// A checked batch, or the answer about it.
pub(super) type Outcome = Result<Checked, Failure>;

/// What the batches of one request share.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes that may still come out of decompressors.
    inflated: u64,
    /// As many may come out of one batch alone.
    alone: u64,
    /// The same, on the event loop.
    here: u64,
    nameable: usize,
    total: u64,
}

impl Budget {
    pub(super) fn of(request: &ProduceRequest) -> Self {
        let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let bytes = partitions.map(|data| match &data.records {
            Records::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        });
        Self::new(INFLATED_BYTES + INFLATED_PER_BYTE * bytes.sum::<u64>())
    }

    fn new(inflated: u64) -> Self {
        let alone = INFLATED_BYTES;
        Self { inflated, alone, here: HERE_BYTES, nameable: RECORD_ERRORS_MAX, total: inflated }
    }

    /// A batch may be checked that may decompress to more than those before it.
    fn admit(&mut self, rules: &ProduceRules) {
        let more = (rules.limits.max_bytes as u64).saturating_sub(self.alone);
        self.alone += more;
        // Once too much came out, nothing more does.
        if self.inflated > 0 {
            self.inflated += more;
            self.total += more;
        }
    }

    fn outcome(&mut self, checked: Result<Checked, Rejected>) -> Outcome {
        checked.map_err(|rejected| Failure::rejected(rejected, &mut self.nameable))
    }

    /// MESSAGE_TOO_LARGE, as for a batch that is too much alone. Java takes the batch apart and sends less at a time.
    fn exceeded(&self) -> Failure {
        Failure::with(
            ErrorCode::MessageTooLarge,
            format!("The batches of the request decompress to more than {} bytes together", self.total),
        )
    }
}

/// One batch and the rules it is checked by.
pub(super) struct Check {
    /// The partition's number.
    pub(super) index: i32,
    pub(super) records: Bytes,
    pub(super) rules: ProduceRules,
    cost: Cost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Reads over the records.
    Plain,
    /// Decompresses them.
    Inflate,
    /// Compresses them again too.
    Again,
}

impl Check {
    pub(super) fn new(index: i32, records: Bytes, rules: ProduceRules) -> Self {
        let cost = cost(&records, &rules);
        Self { index, records, rules, cost }
    }

    /// `None`: it would take too long for an event loop.
    pub(super) fn here(&self, budget: &mut Budget) -> Option<Outcome> {
        if self.cost == Cost::Plain {
            return Some(budget.outcome(check_produced(&self.records, &self.rules)));
        }
        budget.admit(&self.rules);
        let most = if self.cost == Cost::Again { HERE_AGAIN_BYTES } else { HERE_BATCH_BYTES };
        if self.records.len() > most || budget.here < HERE_LEAST_BYTES {
            return None;
        }
        let (checked, inflated) = inflate(&self.records, &self.rules, budget.here.min(budget.inflated));
        if self.is_cut(&checked) {
            budget.here = 0;
            return None;
        }
        budget.here = budget.here.saturating_sub(inflated.max(HERE_LEAST_BYTES));
        budget.inflated = budget.inflated.saturating_sub(inflated);
        Some(budget.outcome(checked))
    }

    /// Checks on a thread for checks, when one is free. What waits for it holds nothing that another request needs.
    pub(super) async fn elsewhere(&self, budget: &mut Budget, checks: &IoPool) -> Outcome {
        if budget.inflated == 0 {
            return Err(budget.exceeded());
        }
        let limit = budget.inflated.min(self.rules.limits.max_bytes as u64);
        let whole = limit == self.rules.limits.max_bytes as u64;
        let mut pauses = 0;
        let (checked, inflated) = loop {
            let (records, rules) = (self.records.clone(), self.rules.clone());
            match checks.run(move || inflate(&records, &rules, limit)).await {
                Ok(done) => break done,
                Err(_) if pauses < PAUSES_MAX => {
                    pauses += 1;
                    sleep(PAUSE).await;
                }
                Err(_) => {
                    return Err(Failure::with(
                        ErrorCode::RequestTimedOut,
                        "too many batches wait for their check",
                    ));
                }
            }
        };
        budget.inflated = budget.inflated.saturating_sub(inflated);
        if self.is_cut(&checked) && !whole {
            budget.inflated = 0;
            return Err(budget.exceeded());
        }
        budget.outcome(checked)
    }

    /// Whether more came out than was allowed. A batch refused for its size on the wire looks the same in `checked`.
    fn is_cut(&self, checked: &Result<Checked, Rejected>) -> bool {
        matches!(checked, Err(rejected) if rejected.kind == RejectKind::MessageTooLarge)
            && self.records.len() as u64 <= u64::from(self.rules.max_message_bytes)
    }
}

/// Checks, with at most `limit` bytes out of the decompressor. Answers how many there were.
fn inflate(records: &Bytes, rules: &ProduceRules, limit: u64) -> (Result<Checked, Rejected>, u64) {
    let max_bytes = usize::try_from(limit).unwrap_or(usize::MAX).min(rules.limits.max_bytes);
    let rules = ProduceRules { limits: DecompressLimits { max_bytes }, ..rules.clone() };
    let mut inflated = 0;
    let checked = check_produced_counting(records, &rules, &mut inflated);
    (checked, inflated)
}

/// By what the header says. A header that lies or is none costs no more than reading over it.
fn cost(records: &Bytes, rules: &ProduceRules) -> Cost {
    let codec = Batch::first(records).ok().and_then(|batch| batch.header.codec()).unwrap_or(Codec::None);
    match rules.compression {
        TopicCompression::Fixed(target) if target.codec != codec => Cost::Again,
        _ if codec == Codec::None => Cost::Plain,
        _ => Cost::Inflate,
    }
}

#[cfg(test)]
mod tests {
    use pagewire_record::BatchBuilder;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn rules() -> ProduceRules {
        ProduceRules::defaults(9, NOW_MS)
    }

    /// A batch of one record of `bytes` zeros.
    fn zeros(codec: Codec, bytes: usize) -> Bytes {
        let mut builder = BatchBuilder::new(codec);
        builder.append(NOW_MS, Some(b"k"), Some(&vec![0; bytes]), &[]).expect("record");
        builder.build().expect("batch")
    }

    fn code(outcome: Outcome) -> i16 {
        outcome.map_or_else(|failure| failure.answer(0).error_code, |_| 0)
    }

    async fn elsewhere(records: Bytes, budget: &mut Budget) -> i16 {
        let check = Check::new(0, records, rules());
        code(check.elsewhere(budget, &IoPool::new(1, 4)).await)
    }

    #[test]
    fn plain_records_and_a_little_of_the_others_are_checked_here() {
        for codec in Codec::ALL {
            let mut budget = Budget::new(1 << 30);
            let check = |bytes| Check::new(0, zeros(codec, bytes), rules());
            assert_eq!(check(1000).here(&mut budget).map(code), Some(0), "{codec}");
            let much = check(1 << 19).here(&mut budget).map(code);
            assert_eq!(much, (codec == Codec::None).then_some(0), "{codec}");
            let after = check(1000).here(&mut budget).map(code);
            assert_eq!(after, (codec == Codec::None).then_some(0), "{codec}, once something was too much");
        }
    }

    #[test]
    fn many_small_batches_leave_the_event_loop_too() {
        let (mut budget, check) = (Budget::new(1 << 30), Check::new(0, zeros(Codec::Zstd, 10), rules()));
        let here = (0..1000).take_while(|_| check.here(&mut budget).is_some()).count();
        assert_eq!(here as u64, HERE_BYTES / HERE_LEAST_BYTES);
    }

    #[test]
    fn what_is_compressed_again_leaves_the_event_loop_unless_it_is_little() {
        let compression = TopicCompression::Fixed(Codec::Lz4.into());
        let mut budget = Budget::new(1 << 30);
        let mut here = |bytes| {
            let rules = ProduceRules { compression, ..rules() };
            Check::new(0, zeros(Codec::None, bytes), rules).here(&mut budget).map(code)
        };
        assert_eq!((here(100), here(HERE_AGAIN_BYTES)), (Some(0), None));
    }

    #[tokio::test]
    async fn the_batches_of_a_request_share_what_may_come_out_of_them() {
        let batch = zeros(Codec::Zstd, 1 << 20);
        let mut budget = Budget::new((2 << 20) + 70_000);
        let told = [
            elsewhere(batch.clone(), &mut budget).await,
            elsewhere(batch.clone(), &mut budget).await,
            elsewhere(batch, &mut budget).await,
            // Even what would fit: each further try would cost a buffer.
            elsewhere(zeros(Codec::Zstd, 1), &mut budget).await,
        ];
        assert_eq!(told, [0, 0, 10, 10]);
        assert_eq!(budget.inflated, 0);
    }

    #[tokio::test]
    async fn a_topic_of_longer_batches_may_decompress_more() {
        let rules = ProduceRules { limits: DecompressLimits { max_bytes: 3 << 20 }, ..rules() };
        let check = Check::new(0, zeros(Codec::Zstd, 2 << 20), rules);
        let mut budget = Budget { alone: 1 << 20, ..Budget::new(1 << 20) };
        assert!(check.here(&mut budget).is_none());
        assert_eq!(code(check.elsewhere(&mut budget, &IoPool::new(1, 4)).await), 0);
        assert_eq!((budget.total, budget.inflated >> 19), (3 << 20, 1));
    }

    #[tokio::test]
    async fn a_batch_too_large_by_itself_spoils_nothing_for_the_others() {
        let mut budget = Budget::new(1 << 30);
        let check = Check::new(
            0,
            zeros(Codec::Zstd, 2 << 20),
            ProduceRules { limits: DecompressLimits { max_bytes: 1 << 20 }, ..rules() },
        );
        assert_eq!(code(check.elsewhere(&mut budget, &IoPool::new(1, 4)).await), 10);
        assert!(budget.inflated > 1 << 29);
    }

    #[test]
    fn refused_records_are_named_up_to_a_number_for_the_request() {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..800 {
            builder.append(NOW_MS, None, None, &[]).expect("record");
        }
        let batch = builder.build().expect("batch");
        let mut budget = Budget::new(0);
        let named = (0..20).map(|_| {
            let check = Check::new(0, batch.clone(), ProduceRules { compacted: true, ..rules() });
            let Some(Err(failure)) = check.here(&mut budget) else { panic!("taken") };
            failure.answer(0).record_errors.len()
        });
        assert_eq!(named.sum::<usize>(), RECORD_ERRORS_MAX);
    }
}
