//! What consumers subscribe to. The coordinator looks into their opaque metadata for one reason: offsets of a topic
//! that is still subscribed to neither expire nor can be deleted.
//!
//! ```text
//!   ConsumerProtocolSubscription   version i16 │ topics [ string ] │ ... later fields, not read
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Group;

impl Group {
    /// The topics of all members; none if the group is not one of consumers or a member's metadata cannot be read.
    pub(crate) fn compute_subscribed(&self) -> Option<BTreeSet<Arc<str>>> {
        if !self.is_consumer() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.has_no_members() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref()?;
        for (_, member) in self.members() {
            read_topics(&member.metadata(protocol), &mut topics)?;
        }
        Some(topics)
    }

    /// Whether offsets of this topic are protected. A group of consumers whose subscriptions are not known protects
    /// all.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or_else(|| self.is_consumer(), |topics| topics.contains(topic))
    }
}

fn read_topics(metadata: &[u8], topics: &mut BTreeSet<Arc<str>>) -> Option<()> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    for _ in 0..u32::try_from(i32::from_be_bytes(*count)).ok()? {
        let (len, tail) = rest.split_first_chunk::<2>()?;
        let (name, tail) = tail.split_at_checked(usize::try_from(i16::from_be_bytes(*len)).ok()?)?;
        topics.insert(Arc::from(std::str::from_utf8(name).ok()?));
        rest = tail;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_later_fields_ignored() {
        let mut topics = BTreeSet::new();
        let bytes = b"\x00\x03\x00\x00\x00\x02\x00\x01a\x00\x02bc\xff\xff\xff\xff and more";
        assert_eq!(read_topics(bytes, &mut topics), Some(()));
        assert_eq!(topics, BTreeSet::from([Arc::from("a"), Arc::from("bc")]));
    }

    #[test]
    fn broken_metadata_is_unknown_not_a_panic() {
        for bytes in [
            &b""[..],
            b"\x00\x00",
            b"\xff\xff\x00\x00\x00\x00",
            b"\x00\x00\x7f\xff\xff\xff\x00\x05a",
            b"\x00\x00\xff\xff\xff\xff",
            b"\x00\x00\x00\x00\x00\x01\x00\x01\xff",
        ] {
            assert_eq!(read_topics(bytes, &mut BTreeSet::new()), None);
        }
    }
}
