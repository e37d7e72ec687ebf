//! The frame of a metadata record, and which kinds matter here.
//!
//! ```text
//!   frame version varint = 1 │ record type varint │ its version varint │ fields
//! ```
//!
//! The types and versions are those of Kafka 3.9 to 4.3. What does not matter for records and settings (registrations
//! of controllers, fencing, feature epochs, no-ops) is passed over by its type; a type that Kafka 4.3 does not have is
//! refused, for nobody knows what it takes away.

use uuid::Uuid;

use super::configs::ConfigSet;
use super::fields::{DecodeError, Fields, Flexible};
use super::identities::Identity;
use super::topics::{PartitionChanged, PartitionMade, TopicMade};

const FRAME_VERSION: u32 = 1;

/// What a record changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Topic(TopicMade),
    TopicGone(Uuid),
    Partition(PartitionMade),
    PartitionChanged(PartitionChanged),
    Config(ConfigSet),
    /// A broker of the cluster, or its end.
    Broker {
        id: i32,
        is_there: bool,
    },
    /// Nobody is eligible any more, of one topic or of all.
    EligibleGone {
        topic: Option<String>,
    },
    Feature {
        name: String,
        level: i16,
    },
    /// No producer id at or above this one was given out.
    ProducerIds {
        next: i64,
    },
    Identity(Identity),
    IdentityGone(Identity),
    /// What follows counts from [`Change::End`] on, or never.
    Begin,
    End,
    Abort,
    /// Nothing that matters here.
    Nothing,
}

/// Name and newest version of each type of record, by its number. A gap was never a type.
const TYPES: [Option<(&str, u32)>; 29] = [
    Some(("RegisterBrokerRecord", 4)),
    Some(("UnregisterBrokerRecord", 0)),
    Some(("TopicRecord", 0)),
    Some(("PartitionRecord", 2)),
    Some(("ConfigRecord", 0)),
    Some(("PartitionChangeRecord", 2)),
    None,
    Some(("FenceBrokerRecord", 0)),
    Some(("UnfenceBrokerRecord", 0)),
    Some(("RemoveTopicRecord", 0)),
    Some(("DelegationTokenRecord", 0)),
    Some(("UserScramCredentialRecord", 0)),
    Some(("FeatureLevelRecord", 0)),
    None,
    Some(("ClientQuotaRecord", 0)),
    Some(("ProducerIdsRecord", 0)),
    None,
    Some(("BrokerRegistrationChangeRecord", 3)),
    Some(("AccessControlEntryRecord", 0)),
    Some(("RemoveAccessControlEntryRecord", 0)),
    Some(("NoOpRecord", 0)),
    Some(("ZkMigrationStateRecord", 0)),
    Some(("RemoveUserScramCredentialRecord", 0)),
    Some(("BeginTransactionRecord", 0)),
    Some(("EndTransactionRecord", 0)),
    Some(("AbortTransactionRecord", 0)),
    Some(("RemoveDelegationTokenRecord", 0)),
    Some(("RegisterControllerRecord", 0)),
    Some(("ClearElrRecord", 0)),
];

const LAST_TYPE: u32 = TYPES.len() as u32 - 1;

impl Change {
    /// Reads the value of one record of the metadata log.
    pub(super) fn read(value: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(value);
        let frame = fields.uvarint()?;
        if frame != FRAME_VERSION {
            return Err(DecodeError::Newer { what: "frame", found: frame, known: FRAME_VERSION });
        }
        let (kind, version) = (fields.uvarint()?, fields.uvarint()?);
        let known = usize::try_from(kind).ok().and_then(|kind| TYPES.get(kind).copied().flatten());
        let (what, newest) =
            known.ok_or(DecodeError::Newer { what: "type of record", found: kind, known: LAST_TYPE })?;
        if version > newest {
            return Err(DecodeError::Newer { what, found: version, known: newest });
        }
        Self::of(kind, version, &mut fields)
    }

    fn of(kind: u32, version: u32, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            0 => Self::Broker { id: fields.i32()?, is_there: true },
            1 => Self::Broker { id: fields.i32()?, is_there: false },
            2 => Self::Topic(TopicMade::read(fields)?),
            3 => Self::Partition(PartitionMade::read(fields, version)?),
            4 => Self::Config(ConfigSet::read(fields)?),
            5 => Self::PartitionChanged(PartitionChanged::read(fields)?),
            9 => Self::TopicGone(fields.uuid()?),
            10 => Self::Identity(Identity::token(fields)?),
            11 => Self::Identity(Identity::scram(fields)?),
            12 => Self::Feature { name: fields.string()?, level: fields.i16()? },
            14 => match Identity::quota(fields)? {
                (quota, false) => Self::Identity(quota),
                (quota, true) => Self::IdentityGone(quota),
            },
            15 => {
                let (_broker, _broker_epoch) = (fields.i32()?, fields.i64()?);
                Self::ProducerIds { next: fields.i64()? }
            }
            18 => Self::Identity(Identity::acl(fields)?),
            19 => Self::IdentityGone(Identity::acl(fields)?),
            22 => Self::IdentityGone(Identity::scram(fields)?),
            23 => Self::Begin,
            24 => Self::End,
            25 => Self::Abort,
            26 => Self::IdentityGone(Identity::removed_token(fields)?),
            28 => Self::EligibleGone { topic: Some(fields.string()?).filter(|name| !name.is_empty()) },
            // Who is registered, fenced or migrates, and nothing at all.
            7 | 8 | 17 | 20 | 21 | 27 => Self::Nothing,
            other => {
                return Err(DecodeError::Newer { what: "type of record", found: other, known: LAST_TYPE });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::topics::Placement;
    use super::*;

    #[test]
    fn the_types_stand_at_their_numbers() {
        for (number, name) in
            [(2, "TopicRecord"), (14, "ClientQuotaRecord"), (22, "RemoveUserScramCredentialRecord")]
        {
            assert_eq!(TYPES[number].map(|(name, _)| name), Some(name));
        }
    }

    #[test]
    fn what_a_newer_kafka_wrote_is_refused_by_name() {
        let newer = |value: &[u8]| Change::read(value).expect_err("refused").to_string();
        assert!(newer(&[2, 2, 0]).contains("frame"), "{}", newer(&[2, 2, 0]));
        assert!(newer(&[1, 3, 3]).contains("PartitionRecord of version 3"), "{}", newer(&[1, 3, 3]));
        assert!(newer(&[1, 29, 0]).contains("29"), "{}", newer(&[1, 29, 0]));
        assert!(newer(&[1, 6, 0]).contains('6'));
    }

    #[test]
    fn every_type_is_read_or_passed_over_on_purpose() {
        for (kind, known) in TYPES.iter().enumerate().filter(|(_, known)| known.is_some()) {
            let read = Change::of(kind as u32, 0, &mut Fields::new(&[0; 200]));
            let is_unknown = matches!(read, Err(DecodeError::Newer { .. }));
            assert!(!is_unknown, "{known:?}: {read:?}");
        }
    }

    #[test]
    fn clearing_the_eligible_names_one_topic_or_all() {
        let of = |name: &[u8]| Change::read(&[&[1, 28, 0], name, &[0]].concat());
        assert_eq!(of(b"\x07orders"), Ok(Change::EligibleGone { topic: Some("orders".to_owned()) }));
        assert_eq!(of(&[1]), Ok(Change::EligibleGone { topic: None }));
    }

    /// A partition record as Kafka 4.3 writes it.
    fn partition() -> Vec<u8> {
        let mut value = vec![1, 3, 2, 0, 0, 0, 5];
        value.extend_from_slice(&[7; 16]);
        value.extend_from_slice(&[3, 0, 0, 0, 1, 0, 0, 0, 2]); // replicas
        value.extend_from_slice(&[2, 0, 0, 0, 1]); // isr
        value.extend_from_slice(&[1, 1]); // removing, adding
        value.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 11]); // leader, epoch, partition epoch
        value.push(1); // no directories
        value.extend_from_slice(&[1, 1, 5, 2, 0, 0, 0, 2]); // one tag: eligible
        value
    }

    #[test]
    fn a_partition_is_read_with_its_leader_and_epoch() {
        let placement = Placement {
            replicas: vec![1, 2],
            isr: vec![1],
            eligible: vec![2],
            last_known: Vec::new(),
            leader: 1,
            leader_epoch: 9,
            directories: Vec::new(),
        };
        let made = PartitionMade { topic_id: Uuid::from_bytes([7; 16]), index: 5, placement };
        assert_eq!(Change::read(&partition()), Ok(Change::Partition(made)));
    }

    #[test]
    fn a_record_cut_anywhere_is_an_error_and_a_damaged_one_no_panic() {
        let whole = partition();
        for len in 0..whole.len() {
            assert!(Change::read(&whole[..len]).is_err(), "cut at {len}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let _ = Change::read(&damaged);
            }
        }
    }
}
