//! A record of `__transaction_state`, Kafka's coordinator's word on one transactional.id.
//!
//! ```text
//!   key    i16 0 │ transactional id
//!   value  i16 0 or 1 │ producer id i64 │ epoch i16 │ timeout ms i32 │ status i8 │ partitions │ updated i64 │ begun i64 │ tags (1)
//! ```
//!
//! Version 1 has compact lengths and tags: 0 the producer id before, 1 the next one, 2 the client's version of transactions,
//! 3 the next epoch. A value is written back in the version it had.

use bytes::{BufMut, Bytes, BytesMut};
use pagewire_record::fields::{FieldError, Fields, Width};

use super::Outcome;

/// Nobody.
const NONE: i64 = -1;
/// No epoch.
const NO_EPOCH: i16 = -1;

const ONGOING: i8 = 1;
const PREPARE_COMMIT: i8 = 2;
const PREPARE_ABORT: i8 = 3;
const COMPLETE_COMMIT: i8 = 4;
const COMPLETE_ABORT: i8 = 5;
const PREPARE_EPOCH_FENCE: i8 = 7;

/// The newest version that is known.
const VERSION_MAX: i16 = 1;

/// Partitions of one topic.
pub(super) type OfTopic = (String, Vec<i32>);

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TxnState {
    version: i16,
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    timeout_ms: i32,
    status: i8,
    /// None for null: an empty one has none.
    partitions: Option<Vec<OfTopic>>,
    updated_ms: i64,
    begun_ms: i64,
    previous_producer_id: i64,
    next_producer_id: i64,
    client_version: i16,
    next_epoch: i16,
}

/// The transactional id in a key; none for keys of another kind.
pub(super) fn transactional_id(key: &[u8]) -> Result<Option<String>, FieldError> {
    let mut fields = Fields::new(key);
    if fields.i16()? != 0 {
        return Ok(None);
    }
    fields.text(Width::Short)?.map(str::to_owned).map(Some).ok_or(FieldError::Length)
}

impl TxnState {
    /// Reads a value; none of a version that is not known.
    pub(super) fn read(value: &[u8]) -> Result<Option<Self>, FieldError> {
        let mut fields = Fields::new(value);
        let version = fields.i16()?;
        if !(0..=VERSION_MAX).contains(&version) {
            return Ok(None);
        }
        let mut state = Self {
            version,
            producer_id: fields.i64()?,
            epoch: fields.i16()?,
            timeout_ms: fields.i32()?,
            status: fields.i8()?,
            partitions: partitions(&mut fields, version)?,
            updated_ms: fields.i64()?,
            begun_ms: fields.i64()?,
            previous_producer_id: NONE,
            next_producer_id: NONE,
            client_version: 0,
            next_epoch: NO_EPOCH,
        };
        if version > 0 {
            fields.tagged(|tag, field| {
                match tag {
                    0 => state.previous_producer_id = field.i64()?,
                    1 => state.next_producer_id = field.i64()?,
                    2 => state.client_version = field.i16()?,
                    3 => state.next_epoch = field.i16()?,
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(Some(state))
    }

    /// How it will end, if it is not over: as was decided, and what nobody has decided on is aborted.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self.status {
            PREPARE_COMMIT => Some(Outcome::Commit),
            ONGOING | PREPARE_ABORT | PREPARE_EPOCH_FENCE => Some(Outcome::Abort),
            _ => None,
        }
    }

    /// Whether a partition takes part.
    pub(super) fn holds(&self, topic: &str, index: i32) -> bool {
        let all = self.partitions.iter().flatten();
        all.filter(|(name, _)| name == topic).any(|(_, indexes)| indexes.contains(&index))
    }

    /// The epoch of the markers that end it. Of what nobody has decided on it is the next one, as when Kafka aborts it because
    /// its time is up: so the producer, which may still be at work, hears of it.
    pub(super) fn marker_epoch(&self) -> i16 {
        let undecided = matches!(self.status, ONGOING | PREPARE_EPOCH_FENCE);
        self.epoch.saturating_add(i16::from(undecided))
    }

    /// What the coordinator writes down when the last marker is written; none if it is over already.
    pub(super) fn completed(&self, now_ms: i64) -> Option<Self> {
        let status = match self.outcome()? {
            Outcome::Commit => COMPLETE_COMMIT,
            Outcome::Abort => COMPLETE_ABORT,
        };
        let (mut producer_id, mut epoch, mut previous) = (self.producer_id, self.marker_epoch(), NONE);
        if self.next_producer_id != NONE && self.status != ONGOING {
            // The epochs of the old one are used up.
            (previous, producer_id, epoch) = (producer_id, self.next_producer_id, 0);
        }
        Some(Self {
            producer_id,
            epoch,
            status,
            partitions: Some(Vec::new()),
            updated_ms: now_ms,
            previous_producer_id: previous,
            next_producer_id: NONE,
            next_epoch: NO_EPOCH,
            ..self.clone()
        })
    }

    /// The value's bytes; none if a name does not fit, which one that was read does.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        out.put_i16(self.version);
        out.put_i64(self.producer_id);
        out.put_i16(self.epoch);
        out.put_i32(self.timeout_ms);
        out.put_i8(self.status);
        let flexible = self.version > 0;
        put_length(&mut out, self.partitions.as_ref().map(Vec::len), flexible)?;
        for (topic, indexes) in self.partitions.iter().flatten() {
            if flexible {
                put_length(&mut out, Some(topic.len()), true)?;
            } else {
                out.put_i16(i16::try_from(topic.len()).ok()?);
            }
            out.put_slice(topic.as_bytes());
            put_length(&mut out, Some(indexes.len()), flexible)?;
            for index in indexes {
                out.put_i32(*index);
            }
            if flexible {
                out.put_u8(0);
            }
        }
        out.put_i64(self.updated_ms);
        out.put_i64(self.begun_ms);
        if flexible {
            self.put_tags(&mut out);
        }
        Some(out.freeze())
    }

    /// Those that are not as they are by themselves, each with its length.
    fn put_tags(&self, out: &mut BytesMut) {
        let ids = [(0u8, self.previous_producer_id), (1, self.next_producer_id)];
        let ids: Vec<_> = ids.into_iter().filter(|(_, id)| *id != NONE).collect();
        let shorts = [(2u8, self.client_version, 0), (3, self.next_epoch, NO_EPOCH)];
        let shorts: Vec<_> = shorts.into_iter().filter(|(_, value, usual)| value != usual).collect();
        out.put_u8((ids.len() + shorts.len()) as u8);
        for (tag, id) in ids {
            out.put_slice(&[tag, 8]);
            out.put_i64(id);
        }
        for (tag, value, _) in shorts {
            out.put_slice(&[tag, 2]);
            out.put_i16(value);
        }
    }
}

/// Whether a record is read, and the same when it is written and read again, before and after it is completed.
#[cfg(feature = "fuzzing")]
pub(crate) fn reads_again(key: &[u8], value: &[u8]) -> bool {
    let again = |state: &TxnState| {
        let bytes = state.bytes();
        let read = bytes.as_deref().map(TxnState::read);
        assert_eq!(read, Some(Ok(Some(state.clone()))), "written as {bytes:?}");
    };
    let (Ok(Some(_)), Ok(Some(state))) = (transactional_id(key), TxnState::read(value)) else { return false };
    again(&state);
    if let Some(completed) = state.completed(1_700_000_000_000) {
        assert_eq!(completed.outcome(), None, "{completed:?} is over");
        again(&completed);
    }
    true
}

fn partitions(fields: &mut Fields<'_>, version: i16) -> Result<Option<Vec<OfTopic>>, FieldError> {
    let (name, list) =
        if version > 0 { (Width::Compact, Width::Compact) } else { (Width::Short, Width::Int) };
    let Some(count) = fields.length(list)? else { return Ok(None) };
    let mut topics = Vec::new();
    for _ in 0..count {
        let topic = fields.text(name)?.ok_or(FieldError::Length)?.to_owned();
        let mut indexes = Vec::new();
        for _ in 0..fields.length(list)?.ok_or(FieldError::Length)? {
            indexes.push(fields.i32()?);
        }
        if version > 0 {
            fields.tagged(|_, _| Ok(()))?;
        }
        topics.push((topic, indexes));
    }
    Ok(Some(topics))
}

/// The length of an array, or of a compact string; none for null.
fn put_length(out: &mut BytesMut, length: Option<usize>, flexible: bool) -> Option<()> {
    if !flexible {
        out.put_i32(length.map_or(Some(-1), |length| i32::try_from(length).ok())?);
        return Some(());
    }
    let mut left = length.map_or(Some(0), |length| u32::try_from(length).ok()?.checked_add(1))?;
    while left >= 0x80 {
        out.put_u8((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.put_u8(left as u8);
    Some(())
}

#[cfg(test)]
pub(in crate::transactions) mod tests {
    use super::*;

    /// Of producer 7, epoch 3, over `orders-0`, `orders-2` and `audit-1`.
    pub(in crate::transactions) fn state(version: i16, status: i8) -> TxnState {
        TxnState {
            version,
            producer_id: 7,
            epoch: 3,
            timeout_ms: 60_000,
            status,
            partitions: Some(vec![("orders".to_owned(), vec![0, 2]), ("audit".to_owned(), vec![1])]),
            updated_ms: 50,
            begun_ms: 40,
            previous_producer_id: NONE,
            next_producer_id: NONE,
            client_version: version * 2,
            next_epoch: NO_EPOCH,
        }
    }

    #[test]
    fn a_value_comes_back_from_its_bytes_in_both_versions() {
        let mut states = vec![state(0, ONGOING), state(1, ONGOING)];
        states.push(TxnState { partitions: None, ..state(0, 0) });
        states.push(TxnState { previous_producer_id: 5, next_producer_id: 9, next_epoch: 4, ..state(1, 2) });
        states.push(TxnState { partitions: Some(vec![("x".repeat(200), vec![])]), ..state(1, 1) });
        for state in states {
            let bytes = state.bytes().expect("bytes");
            assert_eq!(TxnState::read(&bytes), Ok(Some(state)));
            for len in 0..bytes.len() {
                assert!(TxnState::read(&bytes[..len]).is_err(), "cut at {len}");
            }
        }
        assert_eq!(TxnState::read(&[0, 9]), Ok(None), "of a later version");
        assert_eq!(transactional_id(b"\0\0\0\x03app"), Ok(Some("app".to_owned())));
        assert_eq!(transactional_id(b"\0\x01\0\x03app"), Ok(None), "of another kind");
    }

    #[test]
    fn what_was_decided_stays_and_what_was_not_is_aborted_with_the_next_epoch() {
        let ends = |status| {
            let state = state(1, status);
            let completed = state.completed(60);
            (
                state.outcome(),
                state.marker_epoch(),
                completed.map(|done| (done.status, done.epoch, done.partitions)),
            )
        };
        let none = Some(Vec::new());
        assert_eq!(ends(ONGOING), (Some(Outcome::Abort), 4, Some((COMPLETE_ABORT, 4, none.clone()))));
        assert_eq!(
            ends(PREPARE_COMMIT),
            (Some(Outcome::Commit), 3, Some((COMPLETE_COMMIT, 3, none.clone())))
        );
        assert_eq!(ends(PREPARE_ABORT), (Some(Outcome::Abort), 3, Some((COMPLETE_ABORT, 3, none))));
        for over in [0, COMPLETE_COMMIT, COMPLETE_ABORT, 6] {
            assert_eq!(ends(over), (None, 3, None), "{over}");
        }
    }

    #[test]
    fn a_producer_whose_epochs_are_used_up_goes_on_as_the_next_one() {
        let used_up = TxnState { epoch: i16::MAX, next_producer_id: 9, ..state(1, PREPARE_COMMIT) };
        let done = used_up.completed(60).expect("it was open");
        assert_eq!(
            (done.producer_id, done.epoch, done.previous_producer_id, done.next_producer_id),
            (9, 0, 7, NONE)
        );
        assert_eq!(
            used_up.marker_epoch(),
            i16::MAX,
            "the old one's records are ended by the old one's marker"
        );
    }
}
