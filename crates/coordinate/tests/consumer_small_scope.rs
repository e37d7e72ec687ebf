//! Every way in which the members of one consumer group, a coordinator and a topic of two partitions can go, in a small scope:
//! members come, leave, say nothing for a while, do not give back what they should, begin anew; answers are lost; the topic
//! grows; records cannot be written; the coordinator is stopped between any two of its steps, with what it had not made
//! durable kept or lost. That records become durable is a step of its own: answers that wait for it come after it.
//!
//! Whatever happens: what a member was told that it has, no other one is told until it gave it back or was put out. And once
//! nothing goes wrong any more, everything is given out, and the group comes to rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod explore;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pagewire_coordinate::{
    Answer, ConsumerGroupState, ConsumerHeartbeat, ConsumerHeartbeatAnswer, ConsumerSettings, Effects, Error,
    GroupTiming, Input, KeyValue, Now, Settings, Shard, Token, Topic, TopicPartitions, TopicTable,
};

use crate::explore::World as _;
use crate::explore::explore;

const GROUP: &str = "g";
const TOPIC: [u8; 16] = [1; 16];
/// Of two ticks without a word a session ends, and within one a member must give back what it should.
const TICK_MS: i64 = 30_000;
/// Shorter than what a failed write is tried again after.
const MOMENT_MS: i64 = 400;
/// Within two of these too, but there is time for a heartbeat in between.
const WAIT_MS: i64 = 6_000;

/// How often what may go wrong goes wrong on one way.
#[derive(Clone, Copy, Debug, Hash)]
struct Budget {
    crashes: u8,
    lost_answers: u8,
    ticks: u8,
    /// Ticks that are as short as can be.
    moments: u8,
    leaves: u8,
    /// Members that begin anew under their id.
    beginnings: u8,
    /// Answers after which a member keeps what it should give back.
    holds: u8,
    refused_writes: u8,
    growths: u8,
}

/// Nothing goes wrong.
const SMOOTH: Budget = Budget {
    crashes: 0,
    lost_answers: 0,
    ticks: 0,
    moments: 0,
    leaves: 0,
    beginnings: 0,
    holds: 0,
    refused_writes: 0,
    growths: 0,
};

#[derive(Clone, Debug, Default, Hash)]
struct Client {
    /// None: it does not take part.
    epoch: Option<i32>,
    /// The group knows what it subscribes to.
    subscribed: bool,
    has: BTreeSet<i32>,
    /// The coordinator put it out, as it may; it does not know yet.
    is_out: bool,
    /// It keeps what it should give back.
    holds: bool,
}

#[derive(Clone)]
struct World {
    shard: Shard,
    /// What is durable, then what is not.
    log: Vec<KeyValue>,
    stable: usize,
    now_ms: i64,
    topics: TopicTable,
    partitions: i32,
    clients: Vec<Client>,
    replies: Vec<Waiting>,
    refuses_next: bool,
    /// Answers wait for what they stand on.
    waits: bool,
    /// The last member is a static one.
    has_static: bool,
    budget: Budget,
    /// How it came to this.
    way: Vec<Step>,
}

/// An answer on its way, and how much of the log must be durable before it may be heard.
#[derive(Clone, Debug)]
struct Waiting {
    client: usize,
    answer: ConsumerHeartbeatAnswer,
    stable_at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A member tells what it has, and follows the answer as soon as that may be told.
    Beat(usize),
    /// It does not hear it, and says everything again next time.
    Unheard(usize),
    /// From the next answer on it keeps what it should give back.
    Hold(usize),
    BeginAnew(usize),
    Leave(usize),
    /// What is written becomes durable.
    Sync,
    /// Time passes.
    Tick,
    /// Hardly any.
    Moment,
    /// Less of it.
    Wait,
    Grow,
    /// The next records cannot be written.
    Refuse,
    /// The coordinator stops.
    Crash {
        keeps: bool,
    },
}

impl World {
    fn new(clients: usize, has_static: bool, budget: Budget) -> Self {
        let client = Client { epoch: Some(0), ..Client::default() };
        let mut world = Self {
            shard: Shard::new(settings()),
            log: Vec::new(),
            stable: 0,
            now_ms: 0,
            topics: TopicTable::default(),
            partitions: 2,
            clients: vec![client; clients],
            replies: Vec::new(),
            refuses_next: false,
            waits: true,
            has_static,
            budget,
            way: Vec::new(),
        };
        world.begin();
        world
    }

    /// The log is read: the coordinator answers.
    fn begin(&mut self) {
        self.show_topic();
        let effects = self.shard.loaded(|_| timing(), self.now());
        self.act(effects, 0);
    }

    fn show_topic(&mut self) {
        self.topics.put("t", Topic { id: TOPIC, partitions: self.partitions });
        self.shard.set_topics(Arc::new(self.topics.clone()));
    }

    const fn now(&self) -> Now {
        Now::both(self.now_ms)
    }

    /// The clients that the group counts among its members.
    fn known(&self) -> BTreeSet<usize> {
        let group = self.shard.describe_consumer_group(GROUP, self.now());
        let members = group.map(|group| group.members).unwrap_or_default();
        members.iter().filter_map(|member| member.member_id.strip_prefix('m')?.parse().ok()).collect()
    }

    fn beat(&mut self, at: usize) {
        if let Some(epoch) = self.clients[at].epoch {
            self.ask(at, epoch);
        }
    }

    fn ask(&mut self, at: usize, epoch: i32) {
        let client = &self.clients[at];
        let (leaves, says_all) = (epoch < 0, epoch == 0 || !client.subscribed);
        let says_all = says_all && !leaves;
        let partitions: Vec<i32> = client.has.iter().copied().collect();
        let owned = [TopicPartitions { topic_id: TOPIC, partitions }];
        let owned = owned.into_iter().filter(|topic| !topic.partitions.is_empty()).collect();
        let beat = ConsumerHeartbeat {
            token: Token(at as u64),
            group_id: GROUP.into(),
            member_id: format!("m{at}"),
            member_epoch: epoch,
            instance_id: (self.has_static && at + 1 == self.clients.len()).then(|| "i".to_owned()),
            rack_id: None,
            rebalance_timeout_ms: if says_all { 10_000 } else { -1 },
            topics: says_all.then(|| vec!["t".to_owned()]),
            regex: None,
            assignor: None,
            owned: Some(owned),
            client_id: "c".into(),
            client_host: "/h".into(),
            names_itself: true,
            fresh_id: String::new(),
            timing: timing(),
        };
        let effects = self.shard.handle(Input::ConsumerHeartbeat(Box::new(beat)), self.now());
        self.act(effects, 0);
    }

    /// Records are written, not yet durable; what waits for that comes after [`World::sync`], or never.
    fn act(&mut self, effects: Effects, stable_at: usize) {
        assert!(effects.lookups.is_empty(), "nobody subscribes by expression");
        for reply in effects.replies {
            let leans = self.waits && reply.answer.gives_partitions();
            let stable_at = if leans { self.log.len() } else { stable_at };
            let Answer::ConsumerHeartbeat(answer) = reply.answer else { panic!("{reply:?}") };
            self.replies.push(Waiting { client: usize::try_from(reply.token.0).unwrap(), answer, stable_at });
        }
        let mut refused = false;
        for append in effects.appends {
            refused |= std::mem::take(&mut self.refuses_next);
            let next = if refused {
                self.shard.append_failed(append, Error::NotCoordinator, self.now())
            } else {
                self.log.extend(append.encode().unwrap());
                self.shard.appended(append, self.now())
            };
            self.act(next, self.log.len());
        }
    }

    fn hear_what_may_be_told(&mut self) {
        while let Some(found) = self.replies.iter().position(|reply| reply.stable_at <= self.stable) {
            let Waiting { client, answer, .. } = self.replies.remove(found);
            self.hear(client, answer);
        }
    }

    /// What an honest member makes of an answer.
    fn hear(&mut self, at: usize, answer: ConsumerHeartbeatAnswer) {
        let client = &mut self.clients[at];
        match answer {
            ConsumerHeartbeatAnswer { error: None, member_epoch, assignment, .. } => {
                (client.epoch, client.subscribed) = (Some(member_epoch), true);
                let Some(assignment) = assignment else { return };
                let given: BTreeSet<i32> =
                    assignment.iter().flat_map(|topic| &topic.partitions).copied().collect();
                if std::mem::take(&mut client.holds) {
                    client.has.extend(given);
                } else {
                    client.has = given;
                }
            }
            ConsumerHeartbeatAnswer { error: Some(Error::NotCoordinator), .. } => client.subscribed = false,
            // Fenced or forgotten: it gives everything up and begins anew.
            ConsumerHeartbeatAnswer { error: Some(_), .. } => {
                *client = Client { epoch: Some(0), ..Client::default() };
            }
        }
    }

    fn sync(&mut self) {
        self.stable = self.log.len();
    }

    fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while let Some(at_ms) = self.shard.next_deadline().filter(|at_ms| *at_ms <= until_ms) {
            self.now_ms = self.now_ms.max(at_ms);
            let effects = self.shard.on_time(self.now());
            self.act(effects, 0);
        }
        self.now_ms = until_ms;
    }

    /// What is not durable is kept or lost; nobody hears anything.
    fn crash(&mut self, keeps: bool) {
        self.budget.crashes -= 1;
        if !keeps {
            self.log.truncate(self.stable);
        }
        self.sync();
        self.replies.clear();
        self.clients.iter_mut().for_each(|client| client.subscribed = false);
        self.shard = Shard::new(settings());
        for (key, value) in &self.log {
            self.shard.replay(key, value.as_deref(), self.now_ms).unwrap();
        }
        self.begin();
    }

    /// Whoever thinks that it has a partition, and was not put out, is the only one.
    fn nothing_is_had_twice(&self) {
        let mut owners = BTreeMap::new();
        for (at, client) in self.clients.iter().enumerate().filter(|(_, client)| !client.is_out) {
            for partition in &client.has {
                let other = owners.insert(partition, at);
                assert_eq!(other, None, "{partition} belongs to two, the other is {at}: {:?}", self.way);
            }
        }
        let group = self.shard.describe_consumer_group(GROUP, self.now());
        let mut assigned = BTreeSet::new();
        for member in group.iter().flat_map(|group| &group.members) {
            for partition in member.assigned.iter().flat_map(|(_, _, partitions)| partitions) {
                assert!(assigned.insert(*partition), "{partition} is assigned twice");
            }
        }
    }

    /// Nothing goes wrong any more, and everybody speaks: the group comes to rest and everything is given out.
    fn comes_to_rest(&self) {
        let mut world = self.clone();
        world.refuses_next = false;
        let everybody_speaks = |world: &mut Self| {
            world.sync();
            world.hear_what_may_be_told();
            for at in 0..world.clients.len() {
                world.take(Step::Beat(at));
                world.take(Step::Sync);
                world.nothing_is_had_twice();
            }
        };
        for _ in 0..16 {
            everybody_speaks(&mut world);
            if world.rests() {
                return;
            }
            // Whoever holds something, or is gone, is put out by the end.
            world.take(Step::Wait);
        }
        let group = world.shard.describe_consumer_group(GROUP, world.now());
        panic!("no rest for {:?}, {group:?}: {:?}", world.clients, self.way);
    }

    /// All is given out to those who take part, and the group knows it.
    fn rests(&self) -> bool {
        let members: Vec<&Client> = self.clients.iter().filter(|client| client.epoch.is_some()).collect();
        if members.is_empty() {
            return true;
        }
        let has: BTreeSet<i32> = members.iter().flat_map(|client| &client.has).copied().collect();
        let group = self.shard.describe_consumer_group(GROUP, self.now());
        has == (0..self.partitions).collect()
            && group.is_some_and(|group| {
                group.state == ConsumerGroupState::Stable && group.members.len() == members.len()
            })
    }
}

impl explore::World for World {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let (mut steps, budget) = (Vec::new(), &self.budget);
        for (at, client) in self.clients.iter().enumerate() {
            let awaits = self.replies.iter().any(|reply| reply.client == at);
            let Some(epoch) = client.epoch.filter(|_| !awaits) else { continue };
            steps.push(Step::Beat(at));
            if budget.lost_answers > 0 {
                steps.push(Step::Unheard(at));
            }
            if epoch == 0 {
                continue;
            }
            if budget.holds > 0 && !client.holds {
                steps.push(Step::Hold(at));
            }
            if budget.beginnings > 0 {
                steps.push(Step::BeginAnew(at));
            }
            if budget.leaves > 0 {
                steps.push(Step::Leave(at));
            }
        }
        if self.stable < self.log.len() {
            steps.push(Step::Sync);
        }
        if budget.ticks > 0 {
            steps.push(Step::Tick);
        }
        if budget.moments > 0 {
            steps.push(Step::Moment);
        }
        if budget.growths > 0 {
            steps.push(Step::Grow);
        }
        if budget.refused_writes > 0 {
            steps.push(Step::Refuse);
        }
        if budget.crashes > 0 {
            steps.extend([true, false].map(|keeps| Step::Crash { keeps }));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        let known_before = self.known();
        self.way.push(step);
        match step {
            Step::Beat(at) => self.beat(at),
            Step::Unheard(at) => {
                self.budget.lost_answers -= 1;
                self.beat(at);
                self.replies.retain(|reply| reply.client != at);
                self.clients[at].subscribed = false;
            }
            Step::Hold(at) => {
                self.budget.holds -= 1;
                self.clients[at].holds = true;
            }
            Step::BeginAnew(at) => {
                self.budget.beginnings -= 1;
                self.clients[at] = Client { epoch: Some(0), ..Client::default() };
            }
            Step::Leave(at) => {
                self.budget.leaves -= 1;
                self.ask(at, -1);
                self.replies.retain(|reply| reply.client != at);
                self.clients[at] = Client::default();
            }
            Step::Sync => self.sync(),
            Step::Tick => {
                self.budget.ticks -= 1;
                self.pass(TICK_MS);
            }
            Step::Moment => {
                self.budget.moments -= 1;
                self.pass(MOMENT_MS);
            }
            Step::Wait => self.pass(WAIT_MS),
            Step::Grow => {
                self.budget.growths -= 1;
                self.partitions += 1;
                self.show_topic();
            }
            Step::Refuse => {
                self.budget.refused_writes -= 1;
                self.refuses_next = true;
            }
            Step::Crash { keeps } => return self.crash(keeps),
        }
        // Who is put out loses what it has, though it does not know it; a crash puts nobody out.
        let known = self.known();
        for (at, client) in self.clients.iter_mut().enumerate() {
            client.is_out |= known_before.contains(&at) && !known.contains(&at);
            let speaks = matches!(step, Step::Beat(who) | Step::Unheard(who) if who == at);
            client.is_out &= !(speaks && known.contains(&at));
        }
        self.hear_what_may_be_told();
    }

    fn keeps_its_promises(&self) {
        self.nothing_is_had_twice();
        self.comes_to_rest();
    }

    fn fingerprint(&self) -> u64 {
        let not_durable = &self.log[self.stable..];
        let hashed =
            (not_durable, self.now_ms, self.partitions, self.refuses_next, &self.clients, &self.budget);
        explore::fingerprint(&(&self.shard, &self.replies), hashed)
    }
}

fn settings() -> Settings {
    Settings { initial_rebalance_delay_ms: 0, ..Settings::default() }
}

fn timing() -> GroupTiming {
    GroupTiming { assignment_interval_ms: 0, ..ConsumerSettings::default().timing() }
}

fn all_ways(clients: usize, has_static: bool, budget: Budget) {
    let worlds = explore(World::new(clients, has_static, budget));
    eprintln!("{worlds} worlds of {budget:?}");
    assert!(worlds > 400, "only {worlds} worlds of {budget:?}");
}

#[test]
fn three_members_share_two_partitions_whoever_leaves_or_begins_anew() {
    all_ways(3, false, Budget { leaves: 1, ..SMOOTH });
    all_ways(2, false, Budget { leaves: 1, beginnings: 1, ..SMOOTH });
}

#[test]
fn nothing_is_had_twice_whenever_the_coordinator_stops() {
    all_ways(2, false, Budget { crashes: 1, lost_answers: 1, ..SMOOTH });
    all_ways(2, true, Budget { crashes: 1, leaves: 1, ..SMOOTH });
}

#[test]
fn a_member_that_keeps_what_it_should_give_back_is_put_out_in_time() {
    all_ways(2, false, Budget { holds: 1, ticks: 2, ..SMOOTH });
    all_ways(2, false, Budget { holds: 1, refused_writes: 1, ticks: 1, moments: 1, ..SMOOTH });
}

#[test]
fn members_that_say_nothing_make_room_and_may_come_back() {
    all_ways(2, false, Budget { ticks: 2, lost_answers: 1, ..SMOOTH });
}

#[test]
fn a_topic_that_grows_is_given_out_whatever_cannot_be_written() {
    all_ways(2, false, Budget { growths: 1, refused_writes: 1, lost_answers: 1, ..SMOOTH });
}

#[test]
#[should_panic(expected = "belongs to two")]
fn an_answer_that_does_not_wait_for_what_it_stands_on_gives_a_partition_twice() {
    let mut world = World::new(2, false, Budget { crashes: 1, lost_answers: 2, ..SMOOTH });
    world.waits = false;
    explore(world);
}
