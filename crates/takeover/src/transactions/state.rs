//! What the last word of Kafka's coordinator on a transactional id means for a transaction that nobody had ended. Its format
//! is the coordinator's (`pagewire_coordinate::txn`).

use pagewire_coordinate::txn::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TxnState, TxnValue};

use super::Outcome;

/// How it will end, if it is not over: as was decided, and what nobody has decided on is aborted.
pub(super) fn outcome(said: &TxnValue) -> Option<Outcome> {
    match said.state {
        TxnState::PrepareCommit => Some(Outcome::Commit),
        TxnState::Ongoing | TxnState::PrepareAbort | TxnState::PrepareEpochFence => Some(Outcome::Abort),
        _ => None,
    }
}

/// Whether a partition takes part.
pub(super) fn holds(said: &TxnValue, topic: &str, index: i32) -> bool {
    let all = said.topics.iter().flatten();
    all.filter(|of| &*of.topic == topic).any(|of| of.partitions.contains(&index))
}

/// The epoch of the markers that end it. Of what nobody has decided on it is the next one, as when Kafka aborts it because
/// its time is up: so the producer, which may still be at work, hears of it.
pub(super) fn marker_epoch(said: &TxnValue) -> i16 {
    let undecided = matches!(said.state, TxnState::Ongoing | TxnState::PrepareEpochFence);
    said.producer_epoch.saturating_add(i16::from(undecided))
}

/// What the coordinator writes down when the last marker is written; none if it is over already.
pub(super) fn completed(said: &TxnValue, now_ms: i64) -> Option<TxnValue> {
    let state = match outcome(said)? {
        Outcome::Commit => TxnState::CompleteCommit,
        Outcome::Abort => TxnState::CompleteAbort,
    };
    let (mut producer_id, mut producer_epoch) = (said.producer_id, marker_epoch(said));
    let mut previous_producer_id = NO_PRODUCER_ID;
    if said.next_producer_id != NO_PRODUCER_ID && said.state != TxnState::Ongoing {
        // The epochs of the old one are used up.
        (previous_producer_id, producer_id, producer_epoch) = (producer_id, said.next_producer_id, 0);
    }
    Some(TxnValue {
        producer_id,
        producer_epoch,
        state,
        topics: Some(Vec::new()),
        updated_ms: now_ms,
        previous_producer_id,
        next_producer_id: NO_PRODUCER_ID,
        next_producer_epoch: NO_PRODUCER_EPOCH,
        ..said.clone()
    })
}

#[cfg(test)]
pub(in crate::transactions) mod tests {
    use pagewire_coordinate::txn::TxnTopic;

    use super::*;

    /// Of producer 7, epoch 3, over `orders-0`, `orders-2` and `audit-1`.
    pub(in crate::transactions) fn said(version: i16, state: TxnState) -> TxnValue {
        let topic = |topic: &str, partitions| TxnTopic { topic: topic.into(), partitions };
        TxnValue {
            version,
            producer_id: 7,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: 3,
            next_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms: 60_000,
            state,
            topics: Some(vec![topic("orders", vec![0, 2]), topic("audit", vec![1])]),
            updated_ms: 50,
            started_ms: 40,
            client_version: version * 2,
        }
    }

    #[test]
    fn what_was_decided_stays_and_what_was_not_is_aborted_with_the_next_epoch() {
        let ends = |state| {
            let said = said(1, state);
            let completed = completed(&said, 60);
            let completed = completed.map(|done| (done.state, done.producer_epoch, done.topics));
            (outcome(&said), marker_epoch(&said), completed)
        };
        let done = |state, epoch| Some((state, epoch, Some(Vec::new())));
        let abort = Some(Outcome::Abort);
        assert_eq!(ends(TxnState::Ongoing), (abort, 4, done(TxnState::CompleteAbort, 4)));
        assert_eq!(
            ends(TxnState::PrepareCommit),
            (Some(Outcome::Commit), 3, done(TxnState::CompleteCommit, 3))
        );
        assert_eq!(ends(TxnState::PrepareAbort), (abort, 3, done(TxnState::CompleteAbort, 3)));
        for over in [TxnState::Empty, TxnState::CompleteCommit, TxnState::CompleteAbort, TxnState::Dead] {
            assert_eq!(ends(over), (None, 3, None), "{over}");
        }
    }

    #[test]
    fn a_producer_whose_epochs_are_used_up_goes_on_as_the_next_one() {
        let used_up =
            TxnValue { producer_epoch: i16::MAX, next_producer_id: 9, ..said(1, TxnState::PrepareCommit) };
        let done = completed(&used_up, 60).expect("it was open");
        assert_eq!(
            (done.producer_id, done.producer_epoch, done.previous_producer_id, done.next_producer_id),
            (9, 0, 7, NO_PRODUCER_ID)
        );
        assert_eq!(
            marker_epoch(&used_up),
            i16::MAX,
            "the old one's records are ended by the old one's marker"
        );
    }
}
