//! Ends what is open in the new logs: a marker for each transaction, as a coordinator writes it, and the coordinator's
//! last word on it. Only copies are written to: appends go to the last segment, which is never shared.

use std::path::Path;

use bytes::Bytes;
use pagewire_log::files::OpenTxn;
use pagewire_log::{AppendContext, Log, Origin, ProducerInfo};
use pagewire_record::{BatchBuilder, BatchHeader, Codec, ControlType, EndTxnMarker, control_batch};

use super::{Decisions, OpenTransaction, Outcome, STATE_TOPIC};
use crate::error::ImportError;
use crate::read_back::read_back_from;

/// Names the open transactions of a log of the new directory. `end`: ends those of which it is known how.
pub(crate) fn settle(
    log: &Log,
    decisions: &Decisions,
    end: bool,
    now_ms: i64,
) -> Result<Vec<OpenTransaction>, ImportError> {
    let before = log.marks().log_end;
    let mut all = Vec::new();
    for producer in &log.producers() {
        let Some(open) = OpenTxn::of(producer) else { continue };
        let open = OpenTransaction::found(log.topic(), log.partition(), &open, now_ms);
        let mut named = decisions.name(open);
        if end && let Some(outcome) = named.outcome {
            let bytes = marker(outcome, producer, decisions.marker_epoch(&named), now_ms);
            named.marker = Some(append(log, bytes, now_ms)?);
        }
        all.push(named);
    }
    if end && &**log.topic() == STATE_TOPIC {
        for word in decisions.last_words(log.partition(), now_ms) {
            let mut batch = BatchBuilder::new(Codec::None);
            let bytes =
                batch.append(now_ms, Some(&word.key), Some(&word.value), &[]).and_then(|()| batch.build());
            append(log, bytes.ok(), now_ms)?;
        }
    }
    if log.marks().log_end > before {
        log.sync().map_err(ImportError::at(log.dir()))?;
        check(log, before, &all)?;
    }
    all.sort_unstable_by_key(|open| open.first_offset);
    Ok(all)
}

/// With the epoch of the coordinator that ended the producer's last transaction here, or 0 where none did, as Kafka's
/// tool writes it when it aborts one.
fn marker(outcome: Outcome, producer: &ProducerInfo, epoch: i16, now_ms: i64) -> Option<Bytes> {
    let control_type = match outcome {
        Outcome::Commit => ControlType::Commit,
        Outcome::Abort => ControlType::Abort,
    };
    let marker = EndTxnMarker { control_type, coordinator_epoch: producer.coordinator_epoch.max(0) };
    control_batch(marker, producer.producer_id, epoch, now_ms).ok()
}

/// Where it came to lie.
fn append(log: &Log, batch: Option<Bytes>, now_ms: i64) -> Result<i64, ImportError> {
    let batch =
        batch.ok_or_else(|| wrong(log.dir(), "the end of a transaction cannot be written".to_owned()))?;
    let leader_epoch = log.leader_epoch().unwrap_or(0);
    let context = AppendContext { leader_epoch, origin: Origin::Coordinator, now_ms };
    let appended = log.append(batch, context);
    let told = |error| wrong(log.dir(), format!("the end of a transaction is not written: {error}"));
    appended.map(|appended| appended.base_offset).map_err(told)
}

/// What was appended from `from` on is read back from the disk: it must be the markers that were meant, and no
/// transaction that was ended may be open.
fn check(log: &Log, from: i64, all: &[OpenTransaction]) -> Result<(), ImportError> {
    let mut markers: Vec<(i64, i64)> = Vec::new();
    for segment in log.segments().into_iter().filter(|segment| segment.next_offset > from) {
        let path = log.dir().join(format!("{:020}.log", segment.base_offset));
        let mut note = |header: &BatchHeader| {
            if header.base_offset >= from && header.is_control() {
                markers.push((header.base_offset, header.producer_id));
            }
        };
        read_back_from(&path, (segment.base_offset, segment.size_bytes), &mut note)?;
    }
    let meant: Vec<(i64, i64)> =
        all.iter().filter_map(|open| Some((open.marker?, open.producer_id))).collect();
    if markers != meant {
        return Err(wrong(log.dir(), format!("markers {meant:?} were written, {markers:?} are there")));
    }
    let still = log.open_transactions().len();
    let left = all.iter().filter(|open| open.marker.is_none()).count();
    if still != left {
        return Err(wrong(log.dir(), format!("{still} transactions are open where {left} should be")));
    }
    Ok(())
}

fn wrong(path: &Path, reason: String) -> ImportError {
    ImportError::Wrong { path: path.to_path_buf(), reason }
}
