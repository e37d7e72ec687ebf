//! What becomes of one batch: its bytes as they are, fewer records, a bare header, or nothing.

use pagewire_record::batch::Batch;
use pagewire_record::{BatchHeader, Codec, DecompressLimits};

use super::error::Unfit;
use super::keep::{BatchRule, Rules};
use super::learn::{control_type, plain};
use super::raw_record::RawRecord;
use super::rebuild::{empty, rebuild};
use super::stats::CleanStats;
use super::txns::{Marker, Txns};
use crate::txns::index::AbortedTxn;

/// Filters the batches of a log in their order.
pub(super) struct Filter<'r> {
    pub(super) rules: Rules<'r>,
    pub(super) txns: Txns,
    /// Aborted data at or past this stays: it is of a backup's moment, at which nobody knew what would become of it.
    pub(super) held: i64,
    pub(super) limits: DecompressLimits,
    /// Records while they are compressed.
    scratch: Vec<u8>,
}

/// What was appended to the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filtered {
    /// A batch, and the entry that goes with it if it is the marker of an aborted transaction.
    Kept(BatchHeader, Option<AbortedTxn>),
    /// Nothing.
    Gone,
}

/// Which records stay.
struct Kept<'b> {
    records: Vec<RawRecord<'b>>,
    /// All of them.
    all: bool,
    /// One of those that could go, once its horizon has passed, is a tombstone.
    tombstones: bool,
}

impl<'r> Filter<'r> {
    pub(super) fn new(rules: Rules<'r>, limits: DecompressLimits) -> Self {
        Self { rules, txns: Txns::default(), held: i64::MAX, limits, scratch: Vec::new() }
    }

    /// Appends what stays of `batch` to `out`. An error is what is wrong with the batch, in words.
    pub(super) fn batch(
        &mut self,
        batch: &Batch<'_>,
        out: &mut Vec<u8>,
        stats: &mut CleanStats,
    ) -> Result<Filtered, Unfit> {
        let header = &batch.header;
        let count = u64::try_from(header.records_count).map_err(|_| "a negative record count")?;
        stats.records_read += count;
        let (obsolete, entry) = self.pass(batch)?;
        let rule = self.rules.batch(header, obsolete);
        let idle_marker = obsolete && header.is_control();
        let written = if rule.drop_records {
            bare(header, rule, out)?
        } else if header.base_offset >= self.rules.map_end && !idle_marker {
            Some(as_it_is(batch, out))
        } else {
            self.filtered(batch, rule, idle_marker, out, stats)?
        };
        let Some(written) = written else { return Ok(Filtered::Gone) };
        stats.records_kept += u64::try_from(written.records_count).unwrap_or(0);
        if !header.is_control() {
            self.txns.note_kept(header);
        }
        Ok(Filtered::Kept(written, entry))
    }

    /// Follows the transactions: whether nobody needs the batch for its transaction's sake, and its entry.
    fn pass(&mut self, batch: &Batch<'_>) -> Result<(bool, Option<AbortedTxn>), String> {
        if !batch.header.is_control() {
            let is_aborted = self.txns.pass_data(&batch.header);
            return Ok((is_aborted && batch.header.base_offset < self.held, None));
        }
        Ok(match self.txns.pass_marker(&batch.header, control_type(batch)?) {
            Marker::Needed => (false, None),
            Marker::NeededWith(entry) => (false, Some(entry)),
            Marker::Idle => (true, None),
        })
    }

    fn filtered(
        &mut self,
        batch: &Batch<'_>,
        rule: BatchRule,
        idle_marker: bool,
        out: &mut Vec<u8>,
        stats: &mut CleanStats,
    ) -> Result<Option<BatchHeader>, Unfit> {
        let header = &batch.header;
        let plain = plain(batch, self.limits)?;
        let kept = self.kept(header, &plain, stats)?;
        if kept.records.is_empty() {
            return Ok(bare(header, rule, out)?);
        }
        let horizon_due = (kept.tombstones || idle_marker) && header.delete_horizon_ms().is_none();
        if kept.all && !horizon_due {
            return Ok(Some(as_it_is(batch, out)));
        }
        let horizon = if horizon_due { Some(self.rules.horizon_ms) } else { header.delete_horizon_ms() };
        let codec = header.codec().unwrap_or(Codec::None);
        rebuild(header, codec, &kept.records, horizon, &mut self.scratch, out)
            .map(Some)
            .map_err(|error| format!("its records do not compress again: {error}").into())
    }

    fn kept<'b>(
        &self,
        header: &BatchHeader,
        mut plain: &'b [u8],
        stats: &mut CleanStats,
    ) -> Result<Kept<'b>, String> {
        let mut kept = Kept { records: Vec::new(), all: true, tombstones: false };
        for _ in 0..header.records_count {
            let record = RawRecord::take(&mut plain)?;
            let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
            if !(header.base_offset..=header.last_offset()).contains(&offset) {
                return Err("a record outside of its batch".to_owned());
            }
            if header.is_control() || self.rules.record(header, offset, record.key, record.tombstone) {
                kept.tombstones |= record.tombstone && !header.is_control() && offset < self.rules.map_end;
                kept.records.push(record);
            } else {
                kept.all = false;
                stats.records_without_key += u64::from(record.key.is_none());
            }
        }
        if plain.is_empty() { Ok(kept) } else { Err("bytes after its last record".to_owned()) }
    }
}

/// The header alone, if that is to stay.
fn bare(header: &BatchHeader, rule: BatchRule, out: &mut Vec<u8>) -> Result<Option<BatchHeader>, String> {
    if !rule.keep_empty {
        return Ok(None);
    }
    empty(header, out).map(Some).map_err(|error| error.to_string())
}

fn as_it_is(batch: &Batch<'_>, out: &mut Vec<u8>) -> BatchHeader {
    out.extend_from_slice(batch.bytes);
    batch.header
}
