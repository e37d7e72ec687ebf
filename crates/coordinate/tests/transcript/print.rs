//! Effects as lines of text.

use std::fmt::{Display, Write as _};

use pagewire_coordinate::{
    Answer, ConsumerHeartbeatAnswer, ConsumerRecord, DescribedConsumerGroup, DescribedGroup, EpochPartitions,
    Error, FetchedTopic, ListedGroup, NamedPartitions, Record, Reply, TopicId, TopicPartitions,
};

pub(crate) fn error(error: Option<Error>) -> String {
    error.map_or_else(|| "ok".to_owned(), |error| error.to_string())
}

fn maybe(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn bytes(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(char::is_ascii_graphic).collect()
}

pub(crate) fn reply(reply: &Reply, out: &mut String) {
    let _ = write!(out, "reply {} ", reply.token.0);
    let _ = match &reply.answer {
        Answer::Join(join) => {
            let _ = write!(out, "join {} member={}", error(join.error), join.member_id);
            if join.error.is_none() {
                let (kind, protocol) = (maybe(join.protocol_type.as_ref()), maybe(join.protocol.as_ref()));
                let (generation, leader) = (join.generation, &join.leader);
                let _ = write!(out, " generation={generation} leader={leader} protocol={kind}/{protocol}");
            }
            if join.skip_assignment {
                out.push_str(" skip-assignment");
            }
            for member in &join.members {
                let (id, instance) = (&member.member_id, maybe(member.instance_id.as_ref()));
                let _ =
                    write!(out, "\n  member {id} instance={instance} metadata={}", bytes(&member.metadata));
            }
            Ok(())
        }
        Answer::Sync(sync) => {
            write!(out, "sync {} assignment={}", error(sync.error), bytes(&sync.assignment))
        }
        Answer::Heartbeat(verdict) => write!(out, "heartbeat {}", error(*verdict)),
        Answer::Leave(leave) => {
            let _ = write!(out, "leave {}", error(leave.error));
            leave.members.iter().try_for_each(|member| {
                let (id, instance) = (&member.member_id, maybe(member.instance_id.as_ref()));
                write!(out, "\n  member {id} instance={instance} {}", error(member.error))
            })
        }
        Answer::Commit(commit) => {
            out.push_str("commit");
            commit.topics.iter().try_for_each(|topic| {
                topic.partitions.iter().try_for_each(|(index, verdict)| {
                    write!(out, " {}:{index}={}", topic.name, error(*verdict))
                })
            })
        }
        Answer::DeleteOffsets(deleted) => {
            let _ = write!(out, "delete-offsets {}", error(deleted.error));
            deleted.topics.iter().try_for_each(|topic| {
                topic.partitions.iter().try_for_each(|(index, verdict)| {
                    write!(out, " {}:{index}={}", topic.name, error(*verdict))
                })
            })
        }
        Answer::ConsumerHeartbeat(beat) => {
            heartbeat(beat, out);
            Ok(())
        }
        Answer::DeleteGroups(groups) => {
            out.push_str("delete-groups");
            groups.iter().try_for_each(|(id, verdict)| write!(out, " {id}={}", error(*verdict)))
        }
    };
    out.push('\n');
}

pub(crate) fn record(record: &Record, out: &mut String) {
    let _ = match record {
        Record::Offset { key, value: None } => {
            write!(out, "write offset {} {}:{} tombstone", key.group_id, key.topic, key.partition)
        }
        Record::Offset { key, value: Some(value) } => {
            let _ = write!(out, "write offset {} {}:{}", key.group_id, key.topic, key.partition);
            let _ = write!(out, " offset={} epoch={}", value.offset, value.leader_epoch);
            let _ = write!(out, " metadata={:?} at={}", value.metadata, value.commit_ms);
            write!(out, " expire={} topic-id={}", maybe(value.expire_ms), value.topic_id[0])
        }
        Record::Consumer { group_id, record } => {
            let _ = write!(out, "write consumers {group_id} ");
            consumer_record(record, out);
            Ok(())
        }
        Record::Group { group_id, value: None } => write!(out, "write group {group_id} tombstone"),
        Record::Group { group_id, value: Some(value) } => {
            let (leader, since) = (maybe(value.leader.as_ref()), maybe(value.state_since_ms));
            let _ = write!(out, "write group {group_id} generation={} leader={leader}", value.generation);
            let _ = write!(out, " protocol={}/{}", value.protocol_type, maybe(value.protocol.as_ref()));
            let _ = write!(out, " since={since}");
            value.members.iter().try_for_each(|member| {
                let (id, instance) = (&member.member_id, maybe(member.instance_id.as_ref()));
                let (subscription, assignment) = (bytes(&member.subscription), bytes(&member.assignment));
                let _ = write!(out, "\n  member {id} instance={instance} subscription={subscription}");
                write!(out, " assignment={assignment}")
            })
        }
    };
    out.push('\n');
}

pub(crate) fn described(group: Option<&DescribedGroup>, out: &mut String) {
    let Some(group) = group else { return out.push_str("no such group\n") };
    let _ = writeln!(out, "{} protocol={}/{}", group.state, group.protocol_type, group.protocol);
    for member in &group.members {
        let (id, instance) = (&member.member_id, maybe(member.instance_id.as_ref()));
        let (client, host) = (&member.client_id, &member.client_host);
        let (metadata, assignment) = (bytes(&member.metadata), bytes(&member.assignment));
        let _ = write!(out, "  member {id} instance={instance} client={client}{host}");
        let _ = writeln!(out, " metadata={metadata} assignment={assignment}");
    }
}

pub(crate) fn listed(groups: &[ListedGroup], out: &mut String) {
    for group in groups {
        let (id, kind) = (&group.group_id, &group.protocol_type);
        let _ = writeln!(out, "{id} {} type={} protocol-type={kind}", group.state, group.group_type);
    }
}

pub(crate) fn fetched(topic: &FetchedTopic, out: &mut String) {
    for offset in &topic.partitions {
        let (name, index) = (&topic.name, offset.partition);
        let _ = write!(
            out,
            "{name}:{index} offset={} epoch={} {:?}",
            offset.offset, offset.leader_epoch, offset.metadata
        );
        let _ = offset.error.map_or(Ok(()), |error| write!(out, " {error}"));
        out.push('\n');
    }
}

fn heartbeat(beat: &ConsumerHeartbeatAnswer, out: &mut String) {
    let _ = write!(out, "beat {}", error(beat.error));
    if let Some(message) = &beat.message {
        let _ = write!(out, ": {message}");
    }
    if let Some(member_id) = &beat.member_id {
        let _ = write!(out, " member={member_id} epoch={}", beat.member_epoch);
    }
    if let Some(assignment) = &beat.assignment {
        let _ = write!(out, " assignment={}", partitions(assignment));
    }
}

fn name_of(id: &TopicId) -> String {
    // A name is repeated to make an id.
    let text = String::from_utf8_lossy(id).into_owned();
    let len = (1..16).find(|len| (0..16).all(|at| id[at] == id[at % len])).unwrap_or(16);
    text[..len].to_owned()
}

fn listing(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}

fn partitions(topics: &[TopicPartitions]) -> String {
    let of = |topic: &TopicPartitions| {
        let name = name_of(&topic.topic_id);
        topic.partitions.iter().map(move |partition| format!("{name}:{partition}")).collect::<Vec<_>>()
    };
    listing(topics.iter().flat_map(of))
}

fn epochs(topics: &[EpochPartitions]) -> String {
    let of = |topic: &EpochPartitions| {
        let name = name_of(&topic.topic_id);
        let epochs = topic.epochs.clone().unwrap_or_default();
        let places = topic.partitions.clone().into_iter().zip(epochs);
        places.map(move |(partition, epoch)| format!("{name}:{partition}@{epoch}")).collect::<Vec<_>>()
    };
    listing(topics.iter().flat_map(of))
}

fn consumer_record(record: &ConsumerRecord, out: &mut String) {
    let _ = match record {
        ConsumerRecord::Epoch(Some(value)) => write!(out, "epoch {}", value.epoch),
        ConsumerRecord::Epoch(None) => write!(out, "epoch tombstone"),
        ConsumerRecord::PartitionMetadata(value) => {
            write!(out, "partition-metadata {}", if value.is_some() { "" } else { "tombstone" })
        }
        ConsumerRecord::Member { member_id, value: None } => write!(out, "member {member_id} tombstone"),
        ConsumerRecord::Member { member_id, value: Some(value) } => {
            let (instance, rack) = (maybe(value.instance_id.as_ref()), maybe(value.rack_id.as_ref()));
            let topics = listing(value.topics.iter().map(ToString::to_string));
            let regex = value.regex.as_deref().filter(|regex| !regex.is_empty());
            let (assignor, client) = (maybe(value.assignor.as_ref()), &value.client_id);
            let _ = write!(out, "member {member_id} instance={instance} rack={rack} client={client}");
            let _ = write!(out, " topics={topics} regex={} assignor={assignor}", maybe(regex));
            match &value.classic {
                Some(classic) => write!(out, " classic session={}", classic.session_timeout_ms),
                None => write!(out, " rebalance={}", value.rebalance_timeout_ms),
            }
        }
        ConsumerRecord::TargetEpoch(Some(value)) => {
            write!(out, "target-epoch {} at={}", value.epoch, value.computed_ms)
        }
        ConsumerRecord::TargetEpoch(None) => write!(out, "target-epoch tombstone"),
        ConsumerRecord::Target { member_id, value: None } => write!(out, "target {member_id} tombstone"),
        ConsumerRecord::Target { member_id, value: Some(value) } => {
            write!(out, "target {member_id} {}", partitions(&value.topics))
        }
        ConsumerRecord::Current { member_id, value: None } => write!(out, "current {member_id} tombstone"),
        ConsumerRecord::Current { member_id, value: Some(value) } => {
            let _ = write!(
                out,
                "current {member_id} epoch={} previous={}",
                value.member_epoch, value.previous_epoch
            );
            let (assigned, revoking) = (epochs(&value.assigned), epochs(&value.revoking));
            write!(out, " {:?} assigned={assigned} revoking={revoking}", value.state)
        }
        ConsumerRecord::Regex { expression, value: None } => write!(out, "regex {expression} tombstone"),
        ConsumerRecord::Regex { expression, value: Some(value) } => {
            let topics = listing(value.topics.iter().map(ToString::to_string));
            write!(out, "regex {expression} topics={topics} at={}", value.resolved_ms)
        }
    };
}

pub(crate) fn described_consumers(group: Option<&DescribedConsumerGroup>, out: &mut String) {
    let Some(group) = group else { return out.push_str("no such group\n") };
    let _ = write!(out, "{} epoch={} target-epoch={}", group.state, group.epoch, group.target_epoch);
    let _ = writeln!(out, " assignor={}", group.assignor);
    let named = |topics: &[NamedPartitions]| {
        let of = |(_, name, partitions): &NamedPartitions| {
            partitions.iter().map(|partition| format!("{name}:{partition}")).collect::<Vec<_>>()
        };
        listing(topics.iter().flat_map(of))
    };
    for member in &group.members {
        let (id, instance) = (&member.member_id, maybe(member.instance_id.as_ref()));
        let _ = write!(out, "  member {id} instance={instance} epoch={}", member.epoch);
        let _ = write!(out, " has={} target={}", named(&member.assigned), named(&member.target));
        out.push_str(if member.is_classic { " classic\n" } else { "\n" });
    }
}
