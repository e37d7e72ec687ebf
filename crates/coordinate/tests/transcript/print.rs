//! Effects as lines of text.

use std::fmt::{Display, Write as _};

use pagewire_coordinate::{Answer, DescribedGroup, Error, FetchedTopic, ListedGroup, Record, Reply};

fn error(error: Option<Error>) -> String {
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
