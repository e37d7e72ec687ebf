//! What a command line asks of the shard.

use std::ops::Deref;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use pagewire_coordinate::{
    Commit, CommitPartition, CommitTopic, ConsumerHeartbeat, ConsumerSettings, DeleteGroups, DeleteOffsets,
    DeletedTopic, DeletedTopics, GroupTiming, Heartbeat, Input, Join, Leave, Leaver, Protocol, Sync, Token,
    TopicPartitions, TxnProducer,
};

use super::play::Line;

/// A line of a transcript, as what it asks for.
pub(crate) struct Command(Line);

impl Deref for Command {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.0
    }
}

impl Command {
    pub(crate) fn parse(line: &str) -> Self {
        Self(Line::parse(line))
    }

    fn maybe(&self, name: &str) -> Option<String> {
        self.field(name).map(str::to_owned)
    }

    pub(crate) fn input(&self) -> Option<Input> {
        let token = Token(self.word(0).parse().unwrap_or(0));
        let group_id = self.text("group");
        let (member_id, instance_id) = (self.text("member"), self.maybe("instance"));
        Some(match self.verb.as_str() {
            "join" => Input::Join(Join {
                token,
                group_id,
                member_id,
                instance_id,
                client_id: self.field("client").unwrap_or("c").to_owned(),
                client_host: "/127.0.0.1".to_owned(),
                session_timeout_ms: self.number("session", 10_000),
                rebalance_timeout_ms: self.number("rebalance", 30_000),
                protocol_type: self.field("type").unwrap_or("consumer").to_owned(),
                protocols: self.protocols(),
                require_known_member_id: self.has("twice"),
                supports_skip_assignment: self.has("v9"),
                fresh_id: token.0.to_string(),
                reason: self.maybe("reason"),
                assignment_interval_ms: self.number("interval", 0),
            }),
            "sync" => Input::Sync(Sync {
                token,
                group_id,
                generation: self.number("generation", 1),
                member_id,
                instance_id,
                protocol_type: self.maybe("type"),
                protocol: self.maybe("protocol"),
                assignments: self
                    .list("assign")
                    .map(|item| item.split_once(':').unwrap())
                    .map(|(id, text)| (id.to_owned(), assignment(text)))
                    .collect(),
            }),
            "heartbeat" => Input::Heartbeat(Heartbeat {
                token,
                group_id,
                generation: self.number("generation", 1),
                member_id,
                instance_id,
            }),
            "leave" => Input::Leave(Leave { token, group_id, members: self.leavers() }),
            "commit" | "txn-commit" => Input::Commit(Commit {
                token,
                group_id,
                member_id,
                instance_id,
                generation: self.number("generation", -1),
                retention_ms: self.field("retention").map(|text| text.parse().unwrap()),
                knows_member_epochs: self.has("v9"),
                in_txn: (self.verb == "txn-commit").then(|| TxnProducer {
                    producer_id: self.number("producer", 0),
                    producer_epoch: self.number("epoch", 0),
                }),
                topics: self.commits(),
            }),
            "delete-offsets" => {
                Input::DeleteOffsets(DeleteOffsets { token, group_id, topics: self.partitions() })
            }
            "delete-groups" => Input::DeleteGroups(DeleteGroups {
                token,
                group_ids: self.list("groups").map(str::to_owned).collect(),
            }),
            "beat" => Input::ConsumerHeartbeat(Box::new(self.consumer_heartbeat(token))),
            _ => return None,
        })
    }

    /// What is not there is not said: `topics=` names none, without it the member keeps those it named before.
    fn consumer_heartbeat(&self, token: Token) -> ConsumerHeartbeat {
        let timing = ConsumerSettings::default().timing();
        ConsumerHeartbeat {
            token,
            group_id: self.text("group"),
            member_id: self.text("member"),
            member_epoch: self.number("epoch", 0),
            instance_id: self.maybe("instance"),
            rack_id: self.maybe("rack"),
            rebalance_timeout_ms: self.number("rebalance", -1),
            topics: self.field("topics").map(|_| self.list("topics").map(str::to_owned).collect()),
            regex: self.maybe("regex"),
            assignor: self.maybe("assignor"),
            owned: self.field("owned").map(|_| self.owned()),
            client_id: self.field("client").unwrap_or("c").to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            names_itself: !self.has("v0"),
            fresh_id: token.0.to_string(),
            timing: GroupTiming { assignment_interval_ms: self.number("interval", 0), ..timing },
        }
    }

    fn owned(&self) -> Vec<TopicPartitions> {
        let one = |item: &str| {
            let (topic, partition) = item.split_once(':').unwrap();
            TopicPartitions { topic_id: id_of(topic), partitions: vec![partition.parse().unwrap()] }
        };
        self.list("owned").map(one).collect()
    }

    /// `name:partitions`.
    pub(crate) fn new_topics(&self) -> Vec<(&str, i32)> {
        let topic = |item: &'_ String| {
            let (name, partitions) = item.split_once(':').unwrap();
            (name.len(), partitions.parse().unwrap())
        };
        self.words.iter().map(|item| (&item[..topic(item).0], topic(item).1)).collect()
    }

    pub(crate) fn deleted_topics(&self) -> DeletedTopics {
        self.list("topics").map(|name| DeletedTopic { name: Arc::from(name), id: self.topic_id() }).collect()
    }

    /// `name:bytes`, or `name:@t1+t2` for what a consumer says that subscribes to these topics, or `name:@t1/t1.0+t1.1` if it
    /// has these partitions besides.
    fn protocols(&self) -> Vec<Protocol> {
        let protocol = |item: &str| {
            let (name, metadata) = item.split_once(':').unwrap_or((item, ""));
            let metadata = match metadata.strip_prefix('@') {
                Some(topics) => subscription(topics),
                None => Bytes::copy_from_slice(metadata.as_bytes()),
            };
            Protocol { name: Arc::from(name), metadata }
        };
        self.list("protocols").map(protocol).collect()
    }

    /// `member` or `member/instance` or `/instance`.
    fn leavers(&self) -> Vec<Leaver> {
        let leaver = |item: &str| {
            let (member_id, instance_id) =
                item.split_once('/').map_or((item, None), |(id, instance)| (id, Some(instance)));
            Leaver {
                member_id: member_id.to_owned(),
                instance_id: instance_id.map(str::to_owned),
                reason: self.maybe("reason"),
            }
        };
        self.list("members").map(leaver).collect()
    }

    /// `topic:partition:offset` or `topic:partition:offset:metadata`.
    fn commits(&self) -> Vec<CommitTopic> {
        let commit = |item: &str| {
            let parts: Vec<&str> = item.split(':').collect();
            CommitTopic {
                name: Arc::from(parts[0]),
                id: self.topic_id(),
                partitions: vec![CommitPartition {
                    partition: parts[1].parse().unwrap(),
                    offset: parts[2].parse().unwrap(),
                    leader_epoch: self.number("epoch", -1),
                    metadata: parts.get(3).map(|text| (*text).to_owned()),
                }],
            }
        };
        self.list("offsets").map(commit).collect()
    }

    /// `topic:partition`.
    pub(crate) fn partitions(&self) -> Vec<(Arc<str>, Vec<i32>)> {
        let one = |item: &str| {
            let (topic, partition) = item.split_once(':').unwrap();
            (Arc::from(topic), vec![partition.parse().unwrap()])
        };
        self.list("partitions").map(one).collect()
    }

    pub(crate) fn topic_id(&self) -> [u8; 16] {
        [self.number("topic-id", 0); 16]
    }

    pub(crate) fn strings(&self, name: &str) -> Vec<&str> {
        self.list(name).collect()
    }
}

/// The id of a topic is its name, as often as it takes.
pub(crate) fn id_of(topic: &str) -> [u8; 16] {
    std::array::from_fn(|at| topic.as_bytes()[at % topic.len()])
}

/// Any text, or `@t1.0+t1.1` for what a consumer understands that is to have these partitions.
fn assignment(text: &str) -> Bytes {
    let Some(partitions) = text.strip_prefix('@') else { return Bytes::copy_from_slice(text.as_bytes()) };
    let mut out = BytesMut::new();
    out.put_i16(1);
    put_partitions(partitions, &mut out);
    out.put_i32(-1);
    out.freeze()
}

fn subscription(topics: &str) -> Bytes {
    let (topics, owned) = topics.split_once('/').unwrap_or((topics, ""));
    let topics: Vec<&str> = topics.split('+').collect();
    let mut out = BytesMut::new();
    out.put_i16(1);
    out.put_i32(topics.len() as i32);
    for topic in topics {
        out.put_i16(topic.len() as i16);
        out.put_slice(topic.as_bytes());
    }
    out.put_i32(-1);
    put_partitions(owned, &mut out);
    out.freeze()
}

/// Each as a topic of its own.
fn put_partitions(items: &str, out: &mut BytesMut) {
    let items: Vec<&str> = items.split('+').filter(|item| !item.is_empty()).collect();
    out.put_i32(items.len() as i32);
    for item in items {
        let (topic, partition) = item.split_once('.').unwrap();
        out.put_i16(topic.len() as i16);
        out.put_slice(topic.as_bytes());
        out.put_i32(1);
        out.put_i32(partition.parse().unwrap());
    }
}
