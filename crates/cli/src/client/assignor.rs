//! Kafka's range assignor, and the bytes members exchange (ConsumerProtocol): an `i16` version, then the message.

use std::collections::BTreeMap;

use bytes::Bytes;
use pagewire_wire::messages::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use pagewire_wire::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use pagewire_wire::{Message, Reader, Str, Writer};

use super::Place;

/// The assignor's name among the protocols of a group.
pub(crate) const RANGE: &str = "range";

/// A member's wish: these topics.
pub(crate) fn subscription(topics: &[String]) -> Bytes {
    let topics = topics.iter().cloned().map(Str::from).collect();
    framed(&ConsumerProtocolSubscription { topics, ..ConsumerProtocolSubscription::default() })
}

/// The topics in a member's wish; none if it makes no sense.
pub(crate) fn subscribed(bytes: Bytes) -> Vec<String> {
    let message: Option<ConsumerProtocolSubscription> = unframed(bytes);
    message.map(|wish| wish.topics.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// A member's share, to be sent to it.
pub(crate) fn assignment(places: &[Place]) -> Bytes {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for place in places {
        topics.entry(&place.topic).or_default().push(place.partition);
    }
    let share = |(topic, partitions): (&str, Vec<i32>)| TopicPartition {
        topic: Str::from(topic.to_owned()),
        partitions,
    };
    let assigned_partitions = topics.into_iter().map(share).collect();
    framed(&ConsumerProtocolAssignment { assigned_partitions, ..ConsumerProtocolAssignment::default() })
}

/// The places of a share; none if it makes no sense, as for a member that gets nothing.
pub(crate) fn assigned(bytes: Bytes) -> Vec<Place> {
    let message: Option<ConsumerProtocolAssignment> = unframed(bytes);
    let topics = message.map(|share| share.assigned_partitions).unwrap_or_default();
    let mut places = Vec::new();
    for topic in topics {
        places.extend(topic.partitions.iter().map(|partition| Place::new(&*topic.topic, *partition)));
    }
    places
}

/// Shares the partitions of each topic among the members that want it: in the order of member ids each gets a run of
/// neighbours, the first ones one more where it does not come out even.
#[doc(alias = "RangeAssignor")]
pub(crate) fn range(
    wishes: &BTreeMap<String, Vec<String>>,
    partitions: &BTreeMap<String, i32>,
) -> BTreeMap<String, Vec<Place>> {
    let mut shares: BTreeMap<String, Vec<Place>> =
        wishes.keys().map(|member| (member.clone(), Vec::new())).collect();
    for (topic, &count) in partitions {
        let takers: Vec<&String> =
            wishes.iter().filter(|(_, topics)| topics.contains(topic)).map(|(member, _)| member).collect();
        let Ok(members) = i32::try_from(takers.len()) else { continue };
        if members == 0 {
            continue;
        }
        let mut next = 0;
        for (place, member) in (0..).zip(takers) {
            let run = count / members + i32::from(place < count % members);
            let share = (next..next + run).map(|partition| Place::new(topic.clone(), partition));
            shares.entry(member.clone()).or_default().extend(share);
            next += run;
        }
    }
    shares
}

/// Version 1 is what every member understands: no generation and no rack, which the range assignor has no use for.
const VERSION: i16 = 1;

fn framed(message: &impl Message) -> Bytes {
    let mut writer = Writer::with_capacity(2 + message.encoded_len(VERSION));
    writer.i16(VERSION);
    if message.encode(&mut writer, VERSION).is_err() {
        // Only a topic name beyond 32,767 bytes fails, and no topic has one.
        return Bytes::new();
    }
    writer.finish().0
}

/// Versions newer than ours begin with all that ours has.
fn unframed<M: Message>(bytes: Bytes) -> Option<M> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16("version").ok()?;
    M::decode(&mut reader, version.clamp(M::VERSION_MIN, M::VERSION_MAX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(members: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let wish = |(member, topics): &(&str, &[&str])| {
            ((*member).to_owned(), topics.iter().map(|topic| (*topic).to_owned()).collect())
        };
        members.iter().map(wish).collect()
    }

    fn share(shares: &BTreeMap<String, Vec<Place>>, member: &str) -> Vec<String> {
        shares[member].iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_members_get_what_does_not_come_out_even() {
        let shares = range(&wishes(&[("b", &["t"]), ("a", &["t"])]), &BTreeMap::from([("t".to_owned(), 3)]));
        assert_eq!(share(&shares, "a"), ["t [0]", "t [1]"]);
        assert_eq!(share(&shares, "b"), ["t [2]"]);
    }

    #[test]
    fn topics_go_only_to_those_who_want_them() {
        let partitions = BTreeMap::from([("t".to_owned(), 2), ("u".to_owned(), 1)]);
        let shares = range(&wishes(&[("a", &["t"]), ("b", &["t", "u"]), ("c", &[])]), &partitions);
        assert_eq!(share(&shares, "a"), ["t [0]"]);
        assert_eq!(share(&shares, "b"), ["t [1]", "u [0]"]);
        assert!(share(&shares, "c").is_empty());
    }

    #[test]
    fn wishes_and_shares_read_back_and_nonsense_is_nothing() {
        assert_eq!(subscribed(subscription(&["t".into(), "u".into()])), ["t", "u"]);
        let places = [Place::new("t", 0), Place::new("t", 2), Place::new("u", 1)];
        assert_eq!(assigned(assignment(&places)), places);
        assert!(assigned(Bytes::new()).is_empty());
        assert!(subscribed(Bytes::from_static(&[0, 1, 0xff])).is_empty());
    }
}
