//! Whatever members of consumer groups do, of either protocol, and whether or not the log takes what is written: no
//! partition belongs to two of them, everybody is answered, a restart brings back what was, and once they behave everything
//! comes to rest with every partition given out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{
    Answer, ConsumerGroupState, ConsumerHeartbeat, ConsumerHeartbeatAnswer, ConsumerSettings,
    DescribedConsumerGroup, Effects, Error, GroupState, GroupTiming, Heartbeat, Input, Join, KeyValue, Leave,
    Leaver, Migration, Now, Protocol, Settings, Shard, Sync, Token, Topic, TopicPartitions, TopicTable,
};
use proptest::prelude::*;

const GROUP: &str = "g";
const CLIENTS: usize = 4;
/// The last client and the last classic one are the same static member, which speaks one protocol or the other.
const CLASSICS: usize = 3;
const TOPICS: [&str; 2] = ["t", "u"];
type Place = ([u8; 16], i32);

#[derive(Clone, Debug)]
enum Step {
    /// A client tells what it has, and follows the answer.
    Beat {
        client: usize,
    },
    /// It begins anew, subscribing to these topics, under the same id.
    Rejoin {
        client: usize,
        topics: u8,
        assignor: Option<u8>,
    },
    /// It subscribes to something else.
    Subscribe {
        client: usize,
        topics: u8,
    },
    Leave {
        client: usize,
        for_a_while: bool,
    },
    /// The answer to its next heartbeat gets lost.
    LoseAnswer {
        client: usize,
    },
    ClassicJoin {
        member: usize,
    },
    ClassicSync {
        member: usize,
    },
    ClassicBeat {
        member: usize,
    },
    ClassicLeave {
        member: usize,
    },
    GrowTopic {
        topic: usize,
    },
    Pass {
        ms: i64,
    },
    Restart,
    FailNext,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        12 => client.clone().prop_map(|client| Step::Beat { client }),
        3 => (client.clone(), 1..6u8, proptest::option::weighted(0.3, 0..2u8))
            .prop_map(|(client, topics, assignor)| Step::Rejoin { client, topics, assignor }),
        2 => (client.clone(), 0..6u8).prop_map(|(client, topics)| Step::Subscribe { client, topics }),
        2 => (client.clone(), any::<bool>()).prop_map(|(client, for_a_while)| Step::Leave { client, for_a_while }),
        1 => client.prop_map(|client| Step::LoseAnswer { client }),
        2 => (0..CLASSICS).prop_map(|member| Step::ClassicJoin { member }),
        2 => (0..CLASSICS).prop_map(|member| Step::ClassicSync { member }),
        2 => (0..CLASSICS).prop_map(|member| Step::ClassicBeat { member }),
        1 => (0..CLASSICS).prop_map(|member| Step::ClassicLeave { member }),
        1 => (0..TOPICS.len()).prop_map(|topic| Step::GrowTopic { topic }),
        3 => prop_oneof![Just(1), Just(900), Just(11_000), Just(50_000)].prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Restart),
        1 => Just(Step::FailNext),
    ]
}

/// A client of the consumer protocol. The last one is a static member.
#[derive(Clone, Debug, Default)]
struct Client {
    /// Counts the ids of a static member, which takes another one whenever it comes back.
    life: u32,
    epoch: Option<i32>,
    topics: u8,
    assignor: Option<u8>,
    subscription_sent: bool,
    has: BTreeSet<Place>,
    loses_answer: bool,
}

/// A client of the classic protocol, which gives up everything before it joins again.
#[derive(Clone, Debug, Default)]
struct Classic {
    member_id: String,
    generation: i32,
    phase: Phase,
    /// The request that it waits for the answer of.
    waits_for: Option<Token>,
    /// What it was told that it has.
    has: BTreeSet<Place>,
    /// Those it leads, and the partitions that it shared out among them.
    leads: Vec<String>,
    shared_out: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Away,
    Joins,
    Syncs,
    Works,
}

struct World {
    shard: Shard,
    log: Vec<KeyValue>,
    topics: TopicTable,
    partitions: [i32; 2],
    clients: Vec<Client>,
    classics: [Classic; CLASSICS],
    asked_by: BTreeMap<Token, usize>,
    now_ms: i64,
    next_token: u64,
    fail_next: bool,
    open: BTreeSet<Token>,
    last: BTreeMap<Token, Answer>,
}

impl World {
    fn new(migration: Migration) -> Self {
        let consumer = ConsumerSettings { migration, ..ConsumerSettings::default() };
        let settings = Settings { initial_rebalance_delay_ms: 0, consumer, ..Settings::default() };
        let mut world = Self {
            shard: Shard::new(settings),
            log: Vec::new(),
            topics: TopicTable::default(),
            partitions: [3, 2],
            clients: vec![Client::default(); CLIENTS],
            classics: Default::default(),
            asked_by: BTreeMap::new(),
            now_ms: 0,
            next_token: 0,
            fail_next: false,
            open: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        world.set_topics();
        assert!(world.shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(0)).is_empty());
        world
    }

    fn set_topics(&mut self) {
        for (at, name) in TOPICS.iter().enumerate() {
            self.topics.put(name, Topic { id: [at as u8 + 1; 16], partitions: self.partitions[at] });
        }
        self.shard.set_topics(Arc::new(self.topics.clone()));
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Beat { client } => self.beat(*client),
            Step::Rejoin { client, topics, assignor } => {
                let (topics, assignor) = (*topics, *assignor);
                let life = self.clients[*client].life + 1;
                if *client + 1 == CLIENTS {
                    self.classics[CLASSICS - 1] = Classic::default();
                }
                self.clients[*client] =
                    Client { life, topics, assignor, epoch: Some(0), ..Client::default() };
                self.beat(*client);
            }
            Step::Subscribe { client, topics } => {
                (self.clients[*client].topics, self.clients[*client].subscription_sent) = (*topics, false);
            }
            Step::Leave { client, for_a_while } => self.leave(*client, *for_a_while),
            Step::LoseAnswer { client } => self.clients[*client].loses_answer = true,
            Step::ClassicJoin { member } => {
                if *member + 1 == CLASSICS {
                    (self.clients[CLIENTS - 1].epoch, self.clients[CLIENTS - 1].has) =
                        (None, BTreeSet::new());
                }
                self.classic_join(*member);
            }
            Step::ClassicSync { member } => self.classic_sync(*member),
            Step::ClassicBeat { member } => self.classic_beat(*member),
            Step::ClassicLeave { member } => {
                let token = self.token();
                let member_id = std::mem::take(&mut self.classics[*member]).member_id;
                let instance_id = instance(*member, CLASSICS);
                let members = vec![Leaver { member_id, instance_id, reason: None }];
                self.ask(Input::Leave(Leave { token, group_id: GROUP.into(), members }));
            }
            Step::GrowTopic { topic } => {
                self.partitions[*topic] += 1;
                self.set_topics();
            }
            Step::Pass { ms } => self.pass(*ms),
            Step::Restart => self.restart(),
            Step::FailNext => self.fail_next = true,
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.open.insert(token);
        token
    }

    fn ask(&mut self, input: Input) {
        let effects = self.shard.handle(input, Now::both(self.now_ms));
        self.act(effects);
    }

    fn id(&self, client: usize) -> String {
        format!("m{client}-{}", if client + 1 == CLIENTS { self.clients[client].life } else { 0 })
    }

    fn heartbeat(&mut self, client: usize, epoch: i32) -> ConsumerHeartbeat {
        let state = self.clients[client].clone();
        let joins = epoch == 0;
        let mut owned: BTreeMap<[u8; 16], Vec<i32>> = BTreeMap::new();
        state.has.iter().for_each(|(topic, partition)| owned.entry(*topic).or_default().push(*partition));
        let owned = owned.into_iter().map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions });
        let full = joins || !state.subscription_sent;
        ConsumerHeartbeat {
            token: self.token(),
            group_id: GROUP.into(),
            member_id: self.id(client),
            member_epoch: epoch,
            instance_id: instance(client, CLIENTS),
            rack_id: None,
            rebalance_timeout_ms: if full { 10_000 } else { -1 },
            topics: full.then(|| names(state.topics)),
            regex: full.then(|| if state.topics == 5 { "[tu]".to_owned() } else { String::new() }),
            assignor: state.assignor.map(|at| if at == 0 { "uniform" } else { "range" }.to_owned()),
            owned: Some(owned.collect()),
            client_id: "c".into(),
            client_host: "/h".into(),
            names_itself: true,
            fresh_id: String::new(),
            timing: GroupTiming { assignment_interval_ms: 0, ..ConsumerSettings::default().timing() },
        }
    }

    /// One heartbeat, and what an honest client makes of the answer.
    fn beat(&mut self, client: usize) {
        let Some(epoch) = self.clients[client].epoch else { return };
        let beat = self.heartbeat(client, epoch);
        let token = beat.token;
        self.ask(Input::ConsumerHeartbeat(Box::new(beat)));
        let Some(Answer::ConsumerHeartbeat(answer)) = self.last.remove(&token) else { panic!("no answer") };
        let state = &mut self.clients[client];
        if std::mem::take(&mut state.loses_answer) {
            // It says everything again, and is told everything again.
            state.subscription_sent = false;
            return;
        }
        match answer {
            ConsumerHeartbeatAnswer { error: None, member_epoch, assignment, .. } => {
                (state.epoch, state.subscription_sent) = (Some(member_epoch), true);
                if let Some(assignment) = assignment {
                    state.has = places(&assignment);
                }
            }
            ConsumerHeartbeatAnswer { error: Some(Error::NotCoordinator), .. } => {
                state.subscription_sent = false;
            }
            // Fenced, forgotten, or the place is taken: it gives everything up and begins anew.
            ConsumerHeartbeatAnswer { error: Some(_), .. } => {
                state.has.clear();
                state.epoch = if client + 1 == CLIENTS { None } else { Some(0) };
            }
        }
    }

    fn leave(&mut self, client: usize, for_a_while: bool) {
        if self.clients[client].epoch.is_none() {
            return;
        }
        let epoch = if for_a_while && client + 1 == CLIENTS { -2 } else { -1 };
        let mut beat = self.heartbeat(client, epoch);
        (beat.topics, beat.regex, beat.rebalance_timeout_ms) = (None, None, -1);
        self.ask(Input::ConsumerHeartbeat(Box::new(beat)));
        (self.clients[client].epoch, self.clients[client].has) = (None, BTreeSet::new());
    }

    /// What it does next if it is honest.
    fn classic_acts(&mut self, member: usize) {
        let state = &self.classics[member];
        let leads_more = !state.leads.is_empty() && state.shared_out != self.partitions[0];
        match state.phase {
            Phase::Away => {}
            Phase::Joins => self.classic_join(member),
            Phase::Syncs => self.classic_sync(member),
            Phase::Works if leads_more => self.classic_join(member),
            Phase::Works => self.classic_beat(member),
        }
    }

    /// A request of a classic member that waits for no other answer.
    fn classic_token(&mut self, member: usize) -> Option<Token> {
        if self.classics[member].waits_for.is_some() {
            return None;
        }
        let token = self.token();
        self.classics[member].waits_for = Some(token);
        self.asked_by.insert(token, member);
        Some(token)
    }

    fn classic_beat(&mut self, member: usize) {
        let Some(token) = self.classic_token(member) else { return };
        let Classic { member_id, generation, .. } = self.classics[member].clone();
        self.ask(Input::Heartbeat(Heartbeat {
            token,
            group_id: GROUP.into(),
            generation,
            member_id,
            instance_id: instance(member, CLASSICS),
        }));
    }

    /// What an honest classic member makes of an answer.
    fn classic_hears(&mut self, member: usize, answer: &Answer) {
        let partitions = self.partitions[0];
        let state = &mut self.classics[member];
        state.waits_for = None;
        let error = match answer {
            Answer::Join(join) if join.error.is_none() => {
                (state.member_id, state.generation) = (join.member_id.to_string(), join.generation);
                state.leads = join.members.iter().map(|member| member.member_id.to_string()).collect();
                (state.phase, state.shared_out) = (Phase::Syncs, partitions);
                return;
            }
            Answer::Sync(sync) if sync.error.is_none() => {
                (state.phase, state.has) = (Phase::Works, assigned(&sync.assignment));
                return;
            }
            Answer::Join(join) => join.error,
            Answer::Sync(sync) => sync.error,
            Answer::Heartbeat(error) => *error,
            other => panic!("{other:?}"),
        };
        match error {
            // Its successor speaks the other protocol.
            Some(Error::FencedInstanceId) => *state = Classic::default(),
            None | Some(Error::NotCoordinator) if state.phase == Phase::Works => {}
            // It gives up what it has when it joins.
            None | Some(Error::RebalanceInProgress | Error::NotCoordinator) => state.phase = Phase::Joins,
            Some(error) => {
                if error == Error::UnknownMemberId {
                    state.member_id.clear();
                }
                (state.phase, state.has) = (Phase::Joins, BTreeSet::new());
            }
        }
    }

    fn classic_join(&mut self, member: usize) {
        let Some(token) = self.classic_token(member) else { return };
        self.classics[member].has.clear();
        self.classics[member].phase = Phase::Joins;
        let metadata = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0");
        self.ask(Input::Join(Join {
            token,
            group_id: GROUP.into(),
            member_id: self.classics[member].member_id.clone(),
            instance_id: instance(member, CLASSICS),
            client_id: "c".into(),
            client_host: "/h".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            protocol_type: "consumer".into(),
            protocols: vec![Protocol { name: "range".into(), metadata }],
            require_known_member_id: false,
            supports_skip_assignment: false,
            fresh_id: token.0.to_string(),
            reason: None,
            assignment_interval_ms: 0,
        }));
    }

    fn classic_sync(&mut self, member: usize) {
        let Some(token) = self.classic_token(member) else { return };
        let Classic { member_id, generation, leads, shared_out, .. } = self.classics[member].clone();
        let share =
            |at: usize| (0..shared_out).filter(|p| *p as usize % leads.len() == at).collect::<Vec<_>>();
        let assignments =
            leads.iter().enumerate().map(|(at, id)| (id.clone(), assignment(&share(at)))).collect();
        let sync = Sync {
            token,
            group_id: GROUP.into(),
            generation,
            member_id,
            instance_id: instance(member, CLASSICS),
            protocol_type: None,
            protocol: None,
            assignments,
        };
        self.ask(Input::Sync(sync));
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

    fn restart(&mut self) {
        let effects = self.shard.close(Error::NotCoordinator);
        self.act(effects);
        self.shard = self.again();
        let effects = self.shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(self.now_ms));
        self.act(effects);
    }

    fn again(&self) -> Shard {
        let mut again = Shard::new(self.shard.settings().clone());
        again.set_topics(Arc::new(self.topics.clone()));
        for (key, value) in &self.log {
            again.replay(key, value.as_deref(), self.now_ms).unwrap();
        }
        again
    }

    fn act(&mut self, effects: Effects) {
        for reply in effects.replies {
            assert!(self.open.remove(&reply.token), "answered twice: {reply:?}");
            if let Some(member) = self.asked_by.remove(&reply.token)
                && self.classics[member].waits_for == Some(reply.token)
            {
                self.classic_hears(member, &reply.answer);
            }
            self.last.insert(reply.token, reply.answer);
        }
        let mut refused = false;
        for append in effects.appends {
            assert!(!append.records.is_empty());
            refused |= std::mem::take(&mut self.fail_next);
            let next = if refused {
                self.shard.append_failed(append, Error::NotCoordinator, Now::both(self.now_ms))
            } else {
                self.log.extend(append.encode().unwrap());
                self.shard.appended(append, Now::both(self.now_ms))
            };
            self.act(next);
        }
        for lookup in effects.lookups {
            let next = self.shard.expressions_found(lookup.find(&self.topics), Now::both(self.now_ms));
            self.act(next);
        }
    }

    fn described(&self) -> Option<DescribedConsumerGroup> {
        self.shard.describe_consumer_group(GROUP, Now::both(self.now_ms))
    }

    fn nobody_is_forgotten(&self) {
        assert_eq!(self.shard.waiting().into_iter().collect::<BTreeSet<_>>(), self.open);
    }

    /// Whoever was told that it has a partition, and was not put out, is the only one.
    fn nothing_is_had_twice(&mut self) {
        let mut known: BTreeSet<String> = BTreeSet::new();
        known.extend(self.described().iter().flat_map(|g| &g.members).map(|m| m.member_id.to_string()));
        known.extend(
            self.shard.describe(GROUP).iter().flat_map(|g| &g.members).map(|m| m.member_id.to_string()),
        );
        let ids: Vec<String> = (0..CLIENTS).map(|client| self.id(client)).collect();
        let consumers = ids.into_iter().zip(&mut self.clients).map(|(id, client)| (id, &mut client.has));
        let classics = self.classics.iter_mut().map(|member| (member.member_id.clone(), &mut member.has));
        let mut owners: BTreeMap<Place, String> = BTreeMap::new();
        for (id, has) in consumers.chain(classics) {
            // Who is put out loses what it has, though it does not know it.
            if !known.contains(&id) {
                has.clear();
            }
            for place in has.iter() {
                let before = owners.insert(*place, id.clone());
                assert_eq!(before, None, "{place:?} is had by {id} as well");
            }
        }
    }

    fn no_partition_belongs_to_two(&self) {
        let Some(group) = self.described() else { return };
        let mut owners: BTreeMap<Place, &str> = BTreeMap::new();
        for member in &group.members {
            for (topic, _, partitions) in &member.assigned {
                for partition in partitions {
                    let before = owners.insert((*topic, *partition), &member.member_id);
                    assert_eq!(before, None, "{partition} of {group:?}");
                }
            }
        }
        let mut targets: BTreeSet<Place> = BTreeSet::new();
        for (topic, _, partitions) in group.members.iter().flat_map(|member| &member.target) {
            assert!(partitions.iter().all(|partition| targets.insert((*topic, *partition))), "{group:?}");
        }
    }

    fn a_restart_brings_back_what_was(&self) {
        let again = self.again();
        assert_eq!(again.describe_consumer_group(GROUP, Now::both(self.now_ms)), self.described());
        // Every byte is accounted for, whichever way the group came about.
        if self.described().is_some() {
            assert_eq!(again.bytes(), self.shard.bytes());
        }
    }

    /// Everybody behaves from now on: all comes to rest, and everything is given out.
    fn comes_to_rest(&mut self) {
        self.fail_next = false;
        // Those that do not speak any more are out by then; the others do not notice.
        for ms in [4_000; 40].into_iter().chain([10; 20]) {
            (0..CLIENTS).for_each(|client| self.beat(client));
            (0..self.classics.len()).for_each(|member| self.classic_acts(member));
            self.nothing_is_had_twice();
            self.pass(ms);
        }
        let members: Vec<&Client> = self.clients.iter().filter(|client| client.epoch.is_some()).collect();
        let classics: Vec<&Classic> =
            self.classics.iter().filter(|member| member.phase != Phase::Away).collect();
        if members.is_empty() && classics.is_empty() {
            return;
        }
        match (self.described(), self.shard.describe(GROUP)) {
            (Some(group), _) => {
                assert_eq!(group.state, ConsumerGroupState::Stable, "{group:?}");
                assert_eq!(group.members.len(), members.len() + classics.len());
            }
            (None, Some(group)) => {
                assert_eq!(group.state, GroupState::Stable, "{group:?}");
                assert_eq!(group.members.len(), classics.len());
            }
            (None, None) => panic!("no group"),
        }
        let has = members.iter().flat_map(|client| &client.has);
        let given: BTreeSet<Place> =
            has.chain(classics.iter().flat_map(|member| &member.has)).copied().collect();
        let mut wanted: BTreeSet<usize> = members.iter().flat_map(|client| wants(client.topics)).collect();
        // Classic ones subscribe to the first.
        wanted.extend((!classics.is_empty()).then_some(0));
        let wanted = wanted.iter().flat_map(|at| (0..self.partitions[*at]).map(|p| ([*at as u8 + 1; 16], p)));
        assert_eq!(given, wanted.collect(), "{:?} {:?} {:?}", self.clients, self.classics, self.described());
    }
}

/// The instance id of the last of so many.
fn instance(at: usize, of: usize) -> Option<String> {
    (at + 1 == of).then(|| "i".to_owned())
}

/// Up to 3: topics by name, one bit each. 4: none. 5: all, by expression.
fn wants(topics: u8) -> Vec<usize> {
    match topics {
        5 => vec![0, 1],
        bits => (0..TOPICS.len()).filter(|at| bits & 1 << at != 0).collect(),
    }
}

fn names(topics: u8) -> Vec<String> {
    if topics == 5 { Vec::new() } else { wants(topics).iter().map(|at| TOPICS[*at].to_owned()).collect() }
}

fn places(topics: &[TopicPartitions]) -> BTreeSet<Place> {
    let of = |topic: &TopicPartitions| {
        let id = topic.topic_id;
        topic.partitions.iter().map(move |partition| (id, *partition)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of).collect()
}

/// What a classic leader gives to a member: these partitions of the first topic.
fn assignment(partitions: &[i32]) -> Bytes {
    let mut out = b"\0\x01\0\0\0\x01\0\x01t".to_vec();
    out.extend((partitions.len() as i32).to_be_bytes());
    for partition in partitions {
        out.extend(partition.to_be_bytes());
    }
    out.extend(b"\xff\xff\xff\xff");
    out.into()
}

/// The partitions in an assignment, which names the first topic alone.
fn assigned(assignment: &[u8]) -> BTreeSet<Place> {
    let Some(partitions) = assignment.get(13..) else { return BTreeSet::new() };
    let numbers = partitions.chunks_exact(4).map(|bytes| i32::from_be_bytes(bytes.try_into().unwrap()));
    // User data is last, and none.
    numbers.filter(|number| *number >= 0).map(|partition| ([1; 16], partition)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn consumer_groups_keep_their_promises(
        downgrades in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(if downgrades { Migration::Bidirectional } else { Migration::Upgrade });
        for step in &steps {
            world.take(step);
            world.nobody_is_forgotten();
            world.nothing_is_had_twice();
            world.no_partition_belongs_to_two();
            world.a_restart_brings_back_what_was();
        }
        world.comes_to_rest();
        world.no_partition_belongs_to_two();
        // Nobody speaks any more: sessions end, and nothing is left but an empty group.
        world.pass(1_000_000);
        prop_assert!(world.open.is_empty());
        prop_assert!(world.described().is_none_or(|group| group.members.is_empty()));
    }
}

#[test]
fn a_member_that_subscribes_to_nothing_is_given_nothing_while_another_waits_for_its_expression() {
    let mut world = World::new(Migration::Bidirectional);
    for step in [
        Step::Rejoin { client: 0, topics: 1, assignor: None },
        Step::Pass { ms: 50_000 },
        Step::Rejoin { client: 0, topics: 5, assignor: None },
        Step::Pass { ms: 1 },
        Step::Rejoin { client: 1, topics: 4, assignor: None },
    ] {
        world.take(&step);
    }
    world.comes_to_rest();
}

#[test]
fn a_group_that_changes_sides_before_its_leader_assigned_anything_is_assigned() {
    let mut world = World::new(Migration::Upgrade);
    for step in [
        Step::Rejoin { client: 0, topics: 4, assignor: None },
        Step::FailNext,
        Step::ClassicJoin { member: 0 },
        Step::Pass { ms: 50_000 },
    ] {
        world.take(&step);
    }
    world.comes_to_rest();
}
