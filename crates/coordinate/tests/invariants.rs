//! Whatever clients do, and whether or not the log takes what is written: nobody who asked is forgotten, generations only
//! grow, the commit that is last in the log counts, whichever transaction it is in, a restart brings back what was kept, and
//! without signs of life everything comes to rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{
    Answer, Commit, CommitPartition, CommitTopic, ConsumerSettings, Decoded, DeleteGroups, DeleteOffsets,
    Effects, Error, GroupFilter, GroupMetadata, Heartbeat, Input, Join, KeyValue, Leave, Leaver, Limits, Now,
    OffsetKey, OffsetValue, Protocol, Record, Settings, Shard, Sync, Token, TxnProducer,
};
use proptest::prelude::*;

const GROUPS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Join {
        group: usize,
        member: usize,
        instance: Option<u8>,
        protocol: u8,
        twice: bool,
        rebalance_ms: i32,
    },
    Sync {
        group: usize,
        member: usize,
        stale: bool,
    },
    Beat {
        group: usize,
        member: usize,
    },
    Leave {
        group: usize,
        member: usize,
        instance: Option<u8>,
    },
    Commit {
        group: usize,
        member: Option<usize>,
        partition: i32,
        offset: i64,
    },
    /// Within a transaction.
    TxnCommit {
        group: usize,
        producer: i64,
        partition: i32,
        offset: i64,
    },
    EndTxn {
        producer: i64,
        committed: bool,
    },
    DeleteOffsets {
        group: usize,
        partition: i32,
    },
    DeleteGroup {
        group: usize,
    },
    Pass {
        ms: i64,
    },
    FailNext,
}

fn step() -> impl Strategy<Value = Step> {
    let group = 0..GROUPS;
    let member = 0..6usize;
    let instance = proptest::option::weighted(0.3, 0..2u8);
    let rebalance_ms = proptest::sample::select(vec![-1, 0, 1, 20_000]);
    prop_oneof![
        8 => (group.clone(), member.clone(), instance.clone(), 0..3u8, any::<bool>(), rebalance_ms).prop_map(
            |(group, member, instance, protocol, twice, rebalance_ms)|
                Step::Join { group, member, instance, protocol, twice, rebalance_ms }),
        6 => (group.clone(), member.clone(), proptest::bool::weighted(0.1)).prop_map(
            |(group, member, stale)| Step::Sync { group, member, stale }),
        4 => (group.clone(), member.clone()).prop_map(|(group, member)| Step::Beat { group, member }),
        2 => (group.clone(), member.clone(), instance).prop_map(
            |(group, member, instance)| Step::Leave { group, member, instance }),
        3 => (group.clone(), proptest::option::of(member), 0..3i32, 0..100i64).prop_map(
            |(group, member, partition, offset)| Step::Commit { group, member, partition, offset }),
        3 => (group.clone(), 0..3i64, 0..3i32, 0..100i64).prop_map(
            |(group, producer, partition, offset)| Step::TxnCommit { group, producer, partition, offset }),
        2 => (0..3i64, any::<bool>()).prop_map(|(producer, committed)| Step::EndTxn { producer, committed }),
        1 => (group.clone(), 0..3i32).prop_map(|(group, partition)| Step::DeleteOffsets { group, partition }),
        1 => group.prop_map(|group| Step::DeleteGroup { group }),
        4 => prop_oneof![Just(1), Just(3_000), Just(9_000), Just(40_000), Just(700_000)].prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::FailNext),
    ]
}

/// What a log keeps: records, some of a producer's transaction, and markers that end one.
#[derive(Clone, Debug)]
enum Logged {
    Record(KeyValue, Option<i64>),
    EndTxn { producer: i64, committed: bool },
}

/// Clients that remember what they were told, a log, and a ledger of questions.
struct World {
    shard: Shard,
    log: Vec<Logged>,
    now_ms: i64,
    fail_next: bool,
    next_token: u64,
    open: BTreeSet<Token>,
    /// Member ids and instance ids each group ever gave out.
    ids: [Vec<String>; GROUPS],
    generation: HashMap<usize, i32>,
    asked_by: HashMap<Token, usize>,
    /// Groups whose last record was refused: a restart brings back an older one.
    behind: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let limits = Limits { look_steps: 2, ..Limits::default() };
        let settings = Settings { max_size: 4, offsets_retention_ms: 500_000, limits, ..Settings::default() };
        let mut shard = Shard::new(settings);
        assert!(shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(0)).is_empty());
        Self {
            shard,
            log: Vec::new(),
            now_ms: 0,
            fail_next: false,
            next_token: 0,
            open: BTreeSet::new(),
            ids: [vec![], vec![], vec![]],
            generation: HashMap::new(),
            asked_by: HashMap::new(),
            behind: BTreeSet::new(),
        }
    }

    fn token(&mut self, group: usize) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.open.insert(token);
        self.asked_by.insert(token, group);
        token
    }

    fn id(&self, group: usize, member: usize) -> String {
        self.ids[group].get(member).cloned().unwrap_or_default()
    }

    fn take(&mut self, step: &Step) {
        let input = match step {
            Step::Pass { ms } => return self.pass(*ms),
            Step::FailNext => {
                self.fail_next = true;
                return;
            }
            Step::Join { group, member, instance, protocol, twice, rebalance_ms } => {
                let token = self.token(*group);
                Input::Join(Join {
                    token,
                    group_id: name(*group),
                    member_id: self.id(*group, *member),
                    instance_id: instance.map(|instance| format!("i{instance}")),
                    client_id: "c".into(),
                    client_host: "/h".into(),
                    session_timeout_ms: 10_000,
                    rebalance_timeout_ms: *rebalance_ms,
                    protocol_type: "consumer".into(),
                    protocols: offers(*protocol),
                    require_known_member_id: *twice,
                    supports_skip_assignment: *twice,
                    fresh_id: token.0.to_string(),
                    reason: None,
                    assignment_interval_ms: 0,
                })
            }
            Step::Sync { group, member, stale } => Input::Sync(Sync {
                token: self.token(*group),
                group_id: name(*group),
                generation: self.generation.get(group).copied().unwrap_or(0) - i32::from(*stale),
                member_id: self.id(*group, *member),
                instance_id: None,
                protocol_type: None,
                protocol: None,
                assignments: self.ids[*group]
                    .iter()
                    .map(|id| (id.clone(), Bytes::from(id.clone())))
                    .collect(),
            }),
            Step::Beat { group, member } => Input::Heartbeat(Heartbeat {
                token: self.token(*group),
                group_id: name(*group),
                generation: self.generation.get(group).copied().unwrap_or(0),
                member_id: self.id(*group, *member),
                instance_id: None,
            }),
            Step::Leave { group, member, instance } => Input::Leave(Leave {
                token: self.token(*group),
                group_id: name(*group),
                members: vec![Leaver {
                    member_id: if instance.is_some() { String::new() } else { self.id(*group, *member) },
                    instance_id: instance.map(|instance| format!("i{instance}")),
                    reason: None,
                }],
            }),
            Step::Commit { group, member, partition, offset } => Input::Commit(Commit {
                token: self.token(*group),
                group_id: name(*group),
                member_id: member.map(|member| self.id(*group, member)).unwrap_or_default(),
                instance_id: None,
                generation: member.map_or(-1, |_| self.generation.get(group).copied().unwrap_or(0)),
                retention_ms: (*offset == 7).then_some(1_000),
                knows_member_epochs: false,
                in_txn: None,
                topics: vec![commit_of(*partition, *offset)],
            }),
            Step::TxnCommit { group, producer, partition, offset } => Input::Commit(Commit {
                token: self.token(*group),
                group_id: name(*group),
                member_id: String::new(),
                instance_id: None,
                generation: -1,
                retention_ms: None,
                knows_member_epochs: false,
                in_txn: Some(TxnProducer { producer_id: *producer, producer_epoch: 0 }),
                topics: vec![commit_of(*partition, *offset)],
            }),
            Step::EndTxn { producer, committed } => return self.end(*producer, *committed),
            Step::DeleteOffsets { group, partition } => Input::DeleteOffsets(DeleteOffsets {
                token: self.token(*group),
                group_id: name(*group),
                topics: vec![(Arc::from("t"), vec![*partition])],
            }),
            Step::DeleteGroup { group } => {
                Input::DeleteGroups(DeleteGroups { token: self.token(*group), group_ids: vec![name(*group)] })
            }
        };
        let effects = self.shard.handle(input, Now::both(self.now_ms));
        self.act(effects);
    }

    fn end(&mut self, producer: i64, committed: bool) {
        self.log.push(Logged::EndTxn { producer, committed });
        self.shard.end_transaction(producer, committed, self.now_ms);
    }

    fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while let Some(deadline_ms) =
            self.shard.next_deadline().filter(|deadline_ms| *deadline_ms <= until_ms)
        {
            self.now_ms = self.now_ms.max(deadline_ms);
            let effects = self.shard.on_time(Now::both(self.now_ms));
            self.act(effects);
        }
        self.now_ms = until_ms;
    }

    fn act(&mut self, effects: Effects) {
        for reply in effects.replies {
            assert!(self.open.remove(&reply.token), "answered twice: {reply:?}");
            self.remember(reply.token, &reply.answer);
        }
        let mut refused = false;
        for append in effects.appends {
            assert!(!append.records.is_empty());
            refused |= std::mem::take(&mut self.fail_next);
            for record in &append.records {
                if let Record::Group { group_id, value } = record {
                    if refused {
                        self.behind.insert(group_id.to_string())
                    } else {
                        self.behind.remove(&**group_id)
                    };
                    if let (None, false) = (value, refused) {
                        self.generation.retain(|group, _| name(*group) != **group_id);
                    }
                }
            }
            let next = if refused {
                self.shard.append_failed(append, Error::NotCoordinator, Now::both(self.now_ms))
            } else {
                let producer = append.in_txn.map(|producer| producer.producer_id);
                let records = append.encode().unwrap().into_iter();
                self.log.extend(records.map(|record| Logged::Record(record, producer)));
                self.shard.appended(append, Now::both(self.now_ms))
            };
            self.act(next);
        }
    }

    fn remember(&mut self, token: Token, answer: &Answer) {
        let group = self.asked_by[&token];
        let Answer::Join(join) = answer else { return };
        let known = self.ids[group].iter().any(|id| **id == *join.member_id);
        if !join.member_id.is_empty() && !known && self.ids[group].len() < 6 {
            self.ids[group].push(join.member_id.to_string());
        }
        if join.error.is_none() {
            let seen = self.generation.entry(group).or_insert(0);
            assert!(join.generation >= *seen, "generation went back from {seen} to {}", join.generation);
            *seen = join.generation;
            let leads = join.leader == join.member_id;
            assert!(leads || join.members.is_empty(), "members are for the leader only");
        }
    }

    /// Everyone without an answer is known to the shard as waiting, and nobody else is.
    fn nobody_is_forgotten(&self) {
        let waiting: BTreeSet<Token> = self.shard.waiting().into_iter().collect();
        assert_eq!(waiting, self.open);
    }

    fn a_restart_brings_back_what_was_kept(&self) {
        let mut again = Shard::new(self.shard.settings().clone());
        for logged in &self.log {
            match logged {
                Logged::Record((key, value), None) => {
                    again.replay(key, value.as_deref(), self.now_ms).unwrap();
                }
                Logged::Record((key, value), Some(producer)) => {
                    again.replay_in_txn(*producer, key, value.as_deref(), self.now_ms).unwrap();
                }
                Logged::EndTxn { producer, committed } => {
                    again.end_transaction(*producer, *committed, self.now_ms);
                }
            }
        }
        assert_eq!(committed(&again), committed(&self.shard));
        assert_eq!(again.pending_count(), self.shard.pending_count());
        assert_eq!(committed(&self.shard), last_commits(&self.log));
        for group in self.shard.list(&GroupFilter::default()) {
            let live = self.shard.snapshot(&group.group_id).unwrap();
            let Some(kept) = again.snapshot(&group.group_id) else {
                assert!(self.behind.contains(&*group.group_id), "{} is gone", group.group_id);
                continue;
            };
            assert!(kept.generation <= live.generation);
            let at_rest = matches!(group.state, "Stable" | "Empty");
            if at_rest && !self.behind.contains(&*group.group_id) {
                assert_eq!(timeless(kept), timeless(live));
            }
        }
    }
}

/// A group that nobody ever joined is made by its offsets, at the time they are read.
fn timeless(mut group: GroupMetadata) -> GroupMetadata {
    if group.protocol_type.is_empty() {
        group.state_since_ms = None;
    }
    // A record of -1 was written by a client without a rebalance timeout: it reads as the session's.
    for member in group.members.iter_mut().filter(|member| member.rebalance_timeout_ms == -1) {
        member.rebalance_timeout_ms = member.session_timeout_ms;
    }
    group
}

/// Of each offset the commit that is last in the log, of those that count: outside transactions, or in one that was
/// committed; and none from before it was deleted.
fn last_commits(log: &[Logged]) -> BTreeMap<OffsetKey, OffsetValue> {
    let mut all: Vec<(OffsetKey, OffsetValue, Option<i64>)> = Vec::new();
    for logged in log {
        match logged {
            Logged::Record((key, value), producer) => {
                let Ok(Decoded::Record(Record::Offset { key, value })) =
                    Record::decode(key, value.as_deref())
                else {
                    continue;
                };
                match value {
                    Some(value) => all.push((key, value, *producer)),
                    None => all.retain(|(of, ..)| *of != key),
                }
            }
            Logged::EndTxn { producer, committed } => {
                all.retain(|(.., of)| *committed || *of != Some(*producer));
                for (.., of) in &mut all {
                    *of = of.filter(|of| of != producer);
                }
            }
        }
    }
    all.into_iter().filter(|(.., of)| of.is_none()).map(|(key, value, _)| (key, value)).collect()
}

fn commit_of(partition: i32, offset: i64) -> CommitTopic {
    CommitTopic {
        name: Arc::from("t"),
        id: [1; 16],
        partitions: vec![CommitPartition {
            partition,
            offset,
            leader_epoch: 2,
            metadata: Some("note".into()),
        }],
    }
}

fn committed(shard: &Shard) -> BTreeMap<OffsetKey, OffsetValue> {
    shard.committed().map(|(key, value)| (key, value.clone())).collect()
}

fn name(group: usize) -> String {
    format!("g{group}")
}

fn offers(kind: u8) -> Vec<Protocol> {
    let names: &[&str] = match kind {
        0 => &["range"],
        1 => &["range", "sticky"],
        _ => &["sticky", "range"],
    };
    names
        .iter()
        .map(|name| Protocol {
            name: Arc::from(*name),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_keep_their_promises(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.nobody_is_forgotten();
            world.a_restart_brings_back_what_was_kept();
        }
        // Nobody gives a sign of life any more: sessions end, offsets expire, groups go, and nobody is left waiting.
        world.fail_next = false;
        for producer in 0..3 {
            world.end(producer, true);
        }
        prop_assert_eq!(world.shard.pending_count(), 0);
        world.pass(10_000_000);
        world.nobody_is_forgotten();
        prop_assert!(world.open.is_empty(), "{:?}", world.open);
        prop_assert_eq!(world.shard.group_count(), 0);
        prop_assert_eq!(world.shard.offset_count(), 0);
        prop_assert_eq!(world.shard.bytes(), 0);
    }
}
