//! The wall clock may be set; only what is kept goes by it.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{
    ANY_ID, Answer, Commit, CommitPartition, CommitTopic, ConsumerHeartbeat, ConsumerHeartbeatAnswer,
    ConsumerSettings, Effects, Heartbeat, Input, Join, KeyValue, Now, Protocol, Settings, Shard, Sync, Token,
    Topic, TopicTable,
};

const DAY_MS: i64 = 86_400_000;

/// A shard whose records are always kept, and the answers it gave.
struct World {
    shard: Shard,
    topics: TopicTable,
    log: Vec<KeyValue>,
    now: Now,
    answers: Vec<Answer>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let now = Now { wall_ms: 1_000 * DAY_MS, steady_ms: 0 };
        let mut shard = Shard::new(settings);
        assert!(shard.loaded(|_| ConsumerSettings::default().timing(), now).is_empty());
        Self { shard, topics: TopicTable::default(), log: Vec::new(), now, answers: Vec::new() }
    }

    fn ask(&mut self, input: Input) {
        let effects = self.shard.handle(input, self.now);
        self.act(effects);
    }

    fn act(&mut self, effects: Effects) {
        self.answers.extend(effects.replies.into_iter().map(|reply| reply.answer));
        for append in effects.appends {
            self.log.extend(append.encode().expect("short names"));
            let next = self.shard.appended(append, self.now);
            self.act(next);
        }
        for lookup in effects.lookups {
            let next = self.shard.expressions_found(lookup.find(&self.topics), self.now);
            self.act(next);
        }
    }

    /// A consumer that is no member commits an offset.
    fn commit(&mut self, group_id: &str, retention_ms: Option<i64>) {
        self.ask(Input::Commit(Commit {
            token: Token(1),
            group_id: group_id.to_owned(),
            member_id: String::new(),
            instance_id: None,
            generation: -1,
            retention_ms,
            knows_member_epochs: true,
            in_txn: None,
            topics: vec![CommitTopic {
                name: Arc::from("t"),
                id: ANY_ID,
                partitions: vec![CommitPartition {
                    partition: 0,
                    offset: 7,
                    leader_epoch: -1,
                    metadata: None,
                }],
            }],
        }));
    }

    fn restart(&mut self) {
        self.shard = Shard::new(self.shard.settings().clone());
        for (key, value) in &self.log {
            self.shard.replay(key, value.as_deref(), self.now.wall_ms).expect("ours");
        }
        self.shard.set_topics(Arc::new(self.topics.clone()));
        let effects = self.shard.loaded(|_| ConsumerSettings::default().timing(), self.now);
        self.act(effects);
    }

    fn topic(&mut self, name: &str, partitions: i32) {
        self.topics.put(name, Topic { id: [name.as_bytes()[0]; 16], partitions });
        self.shard.set_topics(Arc::new(self.topics.clone()));
    }

    /// A heartbeat of a member of a consumer group that may be assigned anew every second.
    fn beat(&mut self, member_id: &str, epoch: i32, topics: &[&str], regex: Option<&str>) -> i32 {
        let timing = ConsumerSettings::default().timing();
        self.ask(Input::ConsumerHeartbeat(Box::new(ConsumerHeartbeat {
            token: Token(4),
            group_id: "consumers".to_owned(),
            member_id: member_id.to_owned(),
            member_epoch: epoch,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: if epoch == 0 { 30_000 } else { -1 },
            topics: (epoch == 0).then(|| topics.iter().map(ToString::to_string).collect()),
            regex: regex.filter(|_| epoch == 0).map(str::to_owned),
            assignor: None,
            owned: Some(Vec::new()),
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            names_itself: true,
            fresh_id: "1".to_owned(),
            timing,
        })));
        let Some(Answer::ConsumerHeartbeat(answer)) = self.answers.pop() else { panic!("no answer") };
        let ConsumerHeartbeatAnswer { error: None, member_epoch, .. } = answer else { panic!("{answer:?}") };
        member_epoch
    }

    /// The epochs of the group and of its assignment.
    fn epochs(&self) -> (i32, i32) {
        let group = self.shard.describe_consumer_group("consumers", self.now).expect("there");
        (group.epoch, group.target_epoch)
    }

    /// Time passes, by each clock in its way; then what is due acts.
    fn pass(&mut self, wall_ms: i64, steady_ms: i64) {
        self.now.wall_ms += wall_ms;
        self.now.steady_ms += steady_ms;
        while self.shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= self.now.steady_ms) {
            let effects = self.shard.on_time(self.now);
            self.act(effects);
        }
    }

    /// A member alone in its group, with its assignment.
    fn with_member(&mut self) -> String {
        self.ask(Input::Join(Join {
            token: Token(1),
            group_id: "g".to_owned(),
            member_id: String::new(),
            instance_id: None,
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 300_000,
            protocol_type: "consumer".to_owned(),
            protocols: vec![Protocol { name: "range".into(), metadata: Bytes::new() }],
            require_known_member_id: false,
            supports_skip_assignment: true,
            fresh_id: "1".to_owned(),
            reason: None,
            assignment_interval_ms: 0,
        }));
        self.pass(3_000, 3_000);
        let Some(Answer::Join(joined)) = self.answers.pop() else { panic!("no answer to the join") };
        let member_id = joined.member_id.to_string();
        self.ask(Input::Sync(Sync {
            token: Token(2),
            group_id: "g".to_owned(),
            generation: joined.generation,
            member_id: member_id.clone(),
            instance_id: None,
            protocol_type: None,
            protocol: None,
            assignments: vec![(member_id.clone(), Bytes::new())],
        }));
        assert!(matches!(self.answers.pop(), Some(Answer::Sync(_))));
        member_id
    }

    fn is_member(&mut self, member_id: &str) -> bool {
        self.ask(Input::Heartbeat(Heartbeat {
            token: Token(3),
            group_id: "g".to_owned(),
            generation: 1,
            member_id: member_id.to_owned(),
            instance_id: None,
        }));
        matches!(self.answers.pop(), Some(Answer::Heartbeat(None)))
    }
}

#[test]
fn a_clock_set_forward_expels_nobody() {
    let mut world = World::new(Settings::default());
    let member_id = world.with_member();
    world.pass(DAY_MS, 1_000);
    assert!(world.is_member(&member_id));
}

#[test]
fn a_clock_set_back_keeps_nobody() {
    let mut world = World::new(Settings::default());
    let member_id = world.with_member();
    world.pass(-DAY_MS, 45_000);
    assert!(!world.is_member(&member_id));
}

#[test]
fn offsets_are_kept_and_expire_by_the_wall_clock() {
    let settings = Settings { offsets_retention_ms: DAY_MS, ..Settings::default() };
    let interval_ms = settings.offsets_retention_check_interval_ms;
    let mut world = World::new(settings);
    world.commit("g", None);
    let committed: Vec<i64> = world.shard.committed().map(|(_, value)| value.commit_ms).collect();
    assert_eq!(committed, [1_000 * DAY_MS]);
    world.pass(0, interval_ms);
    assert_eq!(world.shard.offset_count(), 1, "the wall clock stood still");
    world.pass(DAY_MS, DAY_MS);
    assert_eq!(world.shard.offset_count(), 0);
}

#[test]
fn a_clock_set_forward_takes_no_offsets_away() {
    let settings = Settings { offsets_retention_ms: DAY_MS, ..Settings::default() };
    let interval_ms = settings.offsets_retention_check_interval_ms;
    let mut world = World::new(settings);
    // One expires by its group, the other by what its client said.
    world.commit("before", None);
    world.commit("before too", Some(2 * DAY_MS));
    world.pass(20_000 * DAY_MS, interval_ms);
    assert_eq!(world.shard.offset_count(), 2, "no more time passed than to the look");
    world.commit("after", None);
    world.pass(DAY_MS, DAY_MS);
    assert_eq!(world.shard.offset_count(), 1, "a day after both");
    world.pass(DAY_MS, DAY_MS);
    assert_eq!(world.shard.offset_count(), 0, "two days");
}

#[test]
fn a_clock_that_is_put_right_again_keeps_nothing_longer() {
    let settings = Settings { offsets_retention_ms: DAY_MS, ..Settings::default() };
    let interval_ms = settings.offsets_retention_check_interval_ms;
    let mut world = World::new(settings);
    world.commit("g", None);
    world.pass(20_000 * DAY_MS, interval_ms);
    world.pass(-20_000 * DAY_MS, interval_ms);
    assert_eq!(world.shard.offset_count(), 1);
    world.pass(DAY_MS, DAY_MS);
    assert_eq!(world.shard.offset_count(), 0);
}

#[test]
fn many_jumps_of_the_clock_are_counted_as_long_as_they_are_large() {
    let settings = Settings { offsets_retention_ms: DAY_MS, ..Settings::default() };
    let interval_ms = settings.offsets_retention_check_interval_ms;
    let mut world = World::new(settings);
    world.commit("g", None);
    world.pass(20_000 * DAY_MS, interval_ms);
    for _ in 0..20 {
        // As a machine that sleeps.
        world.pass(3_600_000, interval_ms);
    }
    assert_eq!(world.shard.offset_count(), 1);
    world.pass(DAY_MS, DAY_MS);
    assert_eq!(world.shard.offset_count(), 0);
}

#[test]
fn a_clock_set_back_holds_no_assignment_up() {
    let mut world = World::new(Settings::default());
    world.topic("t", 4);
    let epoch = world.beat("a", 0, &["t"], None);
    world.pass(-DAY_MS, 999);
    world.beat("b", 0, &["t"], None);
    assert_eq!(world.epochs(), (epoch + 1, epoch), "not within the second");
    world.pass(0, 1);
    world.beat("a", epoch, &[], None);
    assert_eq!(world.epochs(), (epoch + 1, epoch + 1));
}

#[test]
fn an_assignment_of_the_future_holds_no_other_up() {
    let mut world = World::new(Settings::default());
    world.topic("t", 4);
    let epoch = world.beat("a", 0, &["t"], None);
    world.now.wall_ms -= DAY_MS;
    world.restart();
    world.beat("b", 0, &["t"], None);
    assert_eq!(world.epochs(), (epoch + 1, epoch + 1));
}

#[test]
fn a_clock_set_back_keeps_no_topic_from_an_expression() {
    for restarts in [false, true] {
        let mut world = World::new(Settings::default());
        world.topic("t", 1);
        let epoch = world.beat("a", 0, &[], Some(".*"));
        world.pass(0, 1_000);
        let epoch = world.beat("a", epoch, &[], None);
        assert_eq!(world.epochs(), (2, 2));
        world.topic("u", 1);
        world.pass(-DAY_MS, 10_001);
        if restarts {
            world.restart();
        }
        world.beat("a", epoch, &[], None);
        world.pass(1, 1);
        assert_eq!(world.epochs().0, 3, "the new topic is seen; restarted: {restarts}");
    }
}
