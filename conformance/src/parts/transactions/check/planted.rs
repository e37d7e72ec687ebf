//! A history in which all is well, and the same with one thing wrong: the checker finds each.

use super::*;
use crate::parts::transactions::cast::name_of;
use crate::parts::transactions::ledger::{Op, Who};
use crate::parts::transactions::model::{Answer, Call, Remedy, SOURCE, TARGET, Txn};

const WRITER: usize = 0;
const TRANSFORMER: usize = 1;
const READER: usize = 2;

const A: Place = Place { topic: SOURCE, partition: 0 };
const B: Place = Place { topic: SOURCE, partition: 1 };
const T: Place = Place { topic: TARGET, partition: 0 };

fn value(txn: Txn, seq: u32) -> Value {
    Value { txn, seq, made_of: None }
}

fn made(txn: Txn, seq: u32, of: At) -> Value {
    Value { txn, seq, made_of: Some(of) }
}

fn stored(offset: i64, value: Value, end: End) -> Stored {
    Stored { offset, value, end }
}

/// Calls and what the broker has in the end.
struct Tale {
    ops: Vec<Op>,
    moment: u64,
    found: Found,
}

impl Tale {
    fn tell(&mut self, client: usize, instance: usize, call: Call, answer: Option<Answer>) {
        let invoked = self.moment + 1;
        self.moment += 2;
        let answered = answer.map(|answer| (self.moment, answer));
        self.ops.push(Op { who: Who { client, instance }, call, invoked, answered });
    }

    fn done(&mut self, client: usize, call: Call) {
        self.tell(client, 0, call, Some(Answer::Done));
    }

    /// Begins a transaction of the writer and sends these.
    fn sends(&mut self, txn: Txn, sends: &[(Place, Value)]) {
        self.done(WRITER, Call::Begin(txn));
        for (place, value) in sends {
            self.done(WRITER, Call::Send(*place, *value, 0));
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        let anomalies = check(&History::of(&self.ops, &[READER], &name_of), &self.found);
        let mut kinds: Vec<Kind> = anomalies.iter().map(|anomaly| anomaly.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    fn log(&mut self, place: Place) -> &mut Vec<Stored> {
        self.found.logs.get_mut(&place).expect("a log")
    }

    /// The polls of the last session, which is the reader's.
    fn polled(&mut self) -> &mut Vec<(At, Value)> {
        match &mut self.ops.last_mut().expect("a call").answered {
            Some((_, Answer::Records(records))) => records,
            other => panic!("{other:?}"),
        }
    }
}

/// One committed, one aborted, one of which nobody knows, one transformed; all of it read.
fn sound() -> Tale {
    let mut tale = Tale { ops: Vec::new(), moment: 0, found: Found::default() };
    tale.done(WRITER, Call::Init);
    tale.sends(1, &[(A, value(1, 0)), (A, value(1, 1)), (B, value(1, 2))]);
    tale.done(WRITER, Call::Commit(1));
    tale.tell(
        WRITER,
        0,
        Call::Acked,
        Some(Answer::Records(vec![((A, 0), value(1, 0)), ((B, 0), value(1, 2))])),
    );
    tale.sends(2, &[(A, value(2, 0))]);
    tale.done(WRITER, Call::Abort(2));
    tale.sends(3, &[(A, value(3, 0)), (B, value(3, 1))]);
    tale.tell(WRITER, 0, Call::Commit(3), None);

    tale.done(TRANSFORMER, Call::Init);
    let nowhere = vec![(A, 0), (B, 0)];
    tale.tell(TRANSFORMER, 0, Call::Committed, Some(Answer::Positions(nowhere)));
    let polled = vec![((A, 0), value(1, 0)), ((A, 1), value(1, 1))];
    tale.tell(TRANSFORMER, 0, Call::Poll, Some(Answer::Records(polled)));
    tale.done(TRANSFORMER, Call::Begin(11));
    for (seq, offset) in [(0, 0), (1, 1)] {
        tale.done(TRANSFORMER, Call::Send(T, made(11, seq, (A, offset)), 0));
    }
    tale.done(TRANSFORMER, Call::Offsets(11, vec![(A, 2)]));
    tale.done(TRANSFORMER, Call::Commit(11));

    let (commit, abort) = (End::Commit, End::Abort);
    let log_a = vec![
        stored(0, value(1, 0), commit),
        stored(1, value(1, 1), commit),
        stored(3, value(2, 0), abort),
        stored(5, value(3, 0), commit),
    ];
    let log_b = vec![stored(0, value(1, 2), commit), stored(2, value(3, 1), commit)];
    let log_t = vec![stored(0, made(11, 0, (A, 0)), commit), stored(1, made(11, 1, (A, 1)), commit)];
    tale.found.logs.extend([(A, log_a), (B, log_b), (T, log_t)]);
    tale.found.groups.insert(name_of(TRANSFORMER), vec![(A, 2), (B, 0)]);

    tale.tell(READER, 0, Call::Seek(vec![(A, 0), (B, 0), (T, 0)]), Some(Answer::Done));
    let all = tale.found.visible().map(|(place, stored)| ((place, stored.offset), stored.value)).collect();
    tale.tell(READER, 0, Call::Poll, Some(Answer::Records(all)));
    tale
}

#[test]
fn nothing_is_wrong_where_all_is_well() {
    let tale = sound();
    assert_eq!(check(&History::of(&tale.ops, &[READER], &name_of), &tale.found).len(), 0);
}

#[test]
fn a_commit_of_which_nobody_knows_may_be_either_but_whole() {
    let mut tale = sound();
    for place in [A, B] {
        tale.log(place).iter_mut().filter(|one| one.value.txn == 3).for_each(|one| one.end = End::Abort);
    }
    tale.polled().retain(|(_, value)| value.txn != 3);
    assert_eq!(tale.kinds(), []);
    // As far as its client knows, nothing of it may have been written.
    for place in [A, B] {
        tale.log(place).retain(|one| one.value.txn != 3);
    }
    assert_eq!(tale.kinds(), []);
}

#[test]
fn a_transaction_of_which_a_part_is_committed_is_torn() {
    for end in [End::Abort, End::Open] {
        let mut tale = sound();
        tale.log(B)[1].end = end;
        tale.polled().retain(|(_, seen)| *seen != value(3, 1));
        assert!(tale.kinds().contains(&Kind::Torn), "{:?}", tale.kinds());
    }
    // Half of it is not there at all; and the same of one that was said to be committed.
    for gone in [value(3, 1), value(1, 2)] {
        let mut tale = sound();
        tale.log(B).retain(|one| one.value != gone);
        tale.polled().retain(|(_, seen)| *seen != gone);
        assert!(tale.kinds().contains(&Kind::Torn), "{:?}", tale.kinds());
    }
}

#[test]
fn a_committed_transaction_that_is_gone_is_lost() {
    let mut tale = sound();
    for place in [A, B] {
        tale.log(place).iter_mut().filter(|one| one.value.txn == 1).for_each(|one| one.end = End::Abort);
    }
    assert!(tale.kinds().contains(&Kind::LostWrite));
}

#[test]
fn a_record_that_was_acknowledged_and_is_not_there_is_lost() {
    let mut tale = sound();
    tale.tell(WRITER, 0, Call::Acked, Some(Answer::Records(vec![((A, 3), value(2, 0))])));
    // The reader's session is the last of its client, not of the ledger.
    assert_eq!(tale.kinds(), []);
    tale.log(A).retain(|one| one.value.txn != 2);
    assert_eq!(tale.kinds(), [Kind::LostWrite]);
}

#[test]
fn an_aborted_transaction_that_is_visible_is_an_aborted_read() {
    let mut tale = sound();
    tale.log(A)[2].end = End::Commit;
    tale.polled().insert(2, ((A, 3), value(2, 0)));
    assert_eq!(tale.kinds(), [Kind::AbortedRead]);
    // So is one whose end its client never asked for.
    let mut tale = sound();
    tale.ops.retain(|op| !matches!(op.call, Call::Commit(3)));
    assert_eq!(tale.kinds(), [Kind::AbortedRead]);
}

#[test]
fn an_aborted_record_that_a_consumer_polls_is_an_aborted_read() {
    let mut tale = sound();
    tale.polled().insert(2, ((A, 3), value(2, 0)));
    assert_eq!(tale.kinds(), [Kind::AbortedRead]);
}

#[test]
fn a_record_that_stands_twice_is_a_duplicate() {
    let mut tale = sound();
    tale.log(A).push(stored(7, value(2, 0), End::Abort));
    assert_eq!(tale.kinds(), [Kind::Duplicate]);
}

#[test]
fn a_record_that_is_polled_twice_is_a_duplicate() {
    let mut tale = sound();
    let again = tale.polled()[1];
    tale.polled().insert(2, again);
    assert_eq!(tale.kinds(), [Kind::Duplicate]);
}

#[test]
fn a_committed_record_that_a_consumer_passes_over_is_skipped() {
    let mut tale = sound();
    tale.polled().remove(1);
    assert_eq!(tale.kinds(), [Kind::Skipped]);
    // One at the end only if the consumer was to see the end.
    let mut tale = sound();
    tale.polled().retain(|(_, value)| value.txn != 3);
    assert_eq!(tale.kinds(), [Kind::Skipped]);
    let seen = check(&History::of(&tale.ops, &[], &name_of), &tale.found);
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_record_that_is_polled_behind_a_later_one_is_disordered() {
    let mut tale = sound();
    tale.polled().swap(0, 1);
    assert!(tale.kinds().contains(&Kind::Disordered), "{:?}", tale.kinds());
}

#[test]
fn records_that_stand_in_another_order_than_they_were_sent_are_disordered() {
    let mut tale = sound();
    let log = tale.log(A);
    (log[0].value, log[1].value) = (log[1].value, log[0].value);
    assert!(tale.kinds().contains(&Kind::Disordered), "{:?}", tale.kinds());
}

#[test]
fn a_transaction_that_stands_before_one_that_was_committed_before_it_began_is_disordered() {
    let mut tale = sound();
    let log = tale.log(B);
    (log[0].value, log[1].value) = (log[1].value, log[0].value);
    tale.ops.retain(|op| op.call != Call::Acked);
    let kinds = tale.kinds();
    assert!(kinds.contains(&Kind::Disordered), "{kinds:?}");
}

#[test]
fn a_record_that_nobody_sent_there_is_invented() {
    for (place, what) in [(A, value(99, 0)), (T, value(2, 0))] {
        let mut tale = sound();
        tale.log(place).push(stored(9, what, End::Abort));
        assert!(tale.kinds().contains(&Kind::Invented), "{:?}", tale.kinds());
    }
}

#[test]
fn a_transaction_without_an_end_hangs() {
    let mut tale = sound();
    tale.log(A)[2].end = End::Open;
    assert_eq!(tale.kinds(), [Kind::Hanging]);
}

#[test]
fn offsets_without_their_records_are_found_and_records_without_their_offsets() {
    // The records were aborted, or lost, and the offsets stayed.
    let mut tale = sound();
    tale.log(T).iter_mut().for_each(|one| one.end = End::Abort);
    tale.polled().retain(|(_, value)| value.txn != 11);
    tale.ops.retain(|op| !matches!(op.call, Call::Commit(11)));
    assert_eq!(tale.kinds(), [Kind::OffsetsApart]);
    // The other way round; and an offset that went half of the way.
    for stands in [0, 1] {
        let mut tale = sound();
        tale.found.groups.insert(name_of(TRANSFORMER), vec![(A, stands)]);
        assert_eq!(tale.kinds(), [Kind::OffsetsApart]);
    }
}

#[test]
fn a_record_of_which_something_was_made_twice_is_found() {
    let mut tale = sound();
    tale.done(TRANSFORMER, Call::Begin(12));
    tale.done(TRANSFORMER, Call::Send(T, made(12, 0, (A, 1)), 0));
    tale.done(TRANSFORMER, Call::Commit(12));
    tale.log(T).push(stored(3, made(12, 0, (A, 1)), End::Commit));
    let kinds = tale.kinds();
    assert!(kinds.contains(&Kind::OffsetsApart), "{kinds:?}");
}

#[test]
fn a_group_that_is_seen_where_it_never_stood_is_found() {
    // Before what was committed already, and where no committed transaction went.
    for offset in [0, 7] {
        let mut tale = sound();
        tale.tell(TRANSFORMER, 1, Call::Committed, Some(Answer::Positions(vec![(A, offset)])));
        assert_eq!(tale.kinds(), [Kind::OffsetsApart]);
    }
    let mut tale = sound();
    tale.tell(TRANSFORMER, 1, Call::Committed, Some(Answer::Positions(vec![(A, 2)])));
    assert_eq!(tale.kinds(), []);
}

#[test]
fn a_producer_that_commits_after_it_was_fenced_off_is_found() {
    let mut tale = sound();
    tale.tell(WRITER, 1, Call::Init, Some(Answer::Done));
    tale.done(WRITER, Call::Begin(4));
    let refused = Answer::Failed(Remedy::Replace, "fenced".to_owned());
    tale.tell(WRITER, 0, Call::Commit(4), Some(refused));
    assert_eq!(tale.kinds(), []);
    tale.done(WRITER, Call::Commit(4));
    assert_eq!(tale.kinds(), [Kind::ZombieCommit]);
}

#[test]
fn a_commit_that_was_asked_for_after_a_fence_and_is_seen_is_found_whatever_was_answered() {
    let refused = Answer::Failed(Remedy::Replace, "fenced".to_owned());
    for answer in [None, Some(refused)] {
        let mut tale = sound();
        tale.sends(4, &[(A, value(4, 0))]);
        tale.tell(WRITER, 1, Call::Init, Some(Answer::Done));
        tale.tell(WRITER, 0, Call::Commit(4), answer.clone());
        tale.log(A).push(stored(7, value(4, 0), End::Commit));
        let seen = ((A, 7), value(4, 0));
        tale.tell(READER, 0, Call::Poll, Some(Answer::Records(vec![seen])));
        assert_eq!(tale.kinds(), [Kind::ZombieCommit]);
        // One that was asked for before may have been decided on before.
        let at =
            tale.ops.iter().position(|op| op.call == Call::Init && op.who.instance == 1).expect("a fence");
        let mut fence = tale.ops.remove(at);
        (fence.invoked, fence.answered) = (tale.moment + 1, Some((tale.moment + 2, Answer::Done)));
        tale.ops.push(fence);
        assert_eq!(tale.kinds(), []);
    }
}
