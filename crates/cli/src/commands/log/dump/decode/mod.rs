//! What a broker's own records mean: keys and values of its internal topics, control records, cluster metadata.
//!
//! ```text
//!   schema/*.txt ── notation ──> tables ── message ──> Data ──> JSON as Kafka's tools print it
//! ```
//!
//! Bytes that are not what they should be are said to be so, in the words' place; nothing here fails.

mod data;
mod message;
mod notation;

use pagewire_record::Record;

pub(super) use data::Data;
use message::{Broken, Input};
use notation::{CONTROL, GROUP, METADATA, Message, SHARE, Schema, TRANSACTION};

/// What the records of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// `__consumer_offsets`
    Offsets,
    /// `__transaction_state`
    Transactions,
    /// `__share_group_state`
    ShareState,
    /// `__cluster_metadata`
    Metadata,
}

/// A record's key and value in words.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) key: Option<Said>,
    pub(super) value: Option<Said>,
}

/// Data, or why there is none.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Data(Data),
    Words(String),
}

impl Said {
    /// As text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Data(data) => data.to_json(),
            Self::Words(words) => words.clone(),
        }
    }
}

/// Decodes a record of this topic.
pub(super) fn decode(topic: Topic, record: &Record) -> Decoded {
    match topic {
        Topic::Offsets => coordinator(&GROUP, record),
        Topic::Transactions => coordinator(&TRANSACTION, record),
        Topic::ShareState => coordinator(&SHARE, record),
        Topic::Metadata => metadata(record),
    }
}

/// A record of a coordinator: the key begins with its type, the value with its version.
fn coordinator(schema: &Schema, record: &Record) -> Decoded {
    let offset = record.offset;
    let only = |words: String| Decoded { key: Some(Said::Words(words)), value: None };
    let failed = |broken: Broken| only(format!("Error at offset {offset}, skipping. {broken}"));
    let Some(key) = record.key.as_deref() else {
        return only(format!("Error at offset {offset}, skipping. The record has no key"));
    };
    let mut input = Input(key);
    let kind = match input.int16() {
        Ok(kind) => kind,
        Err(broken) => return failed(broken),
    };
    let of_kind = |ending: &str| {
        let messages = schema.messages().iter();
        messages
            .filter(|message| message.name.ends_with(ending))
            .find(|message| message.key.map(i32::from) == Some(kind.into()))
    };
    let (Some(key_message), Some(value_message)) = (of_kind("Key"), of_kind("Value")) else {
        return only(format!("Unknown record type {kind} at offset {offset}, skipping."));
    };
    let key = match message::read(key_message, 0, &mut input) {
        Ok(data) => typed("type", kind, data),
        Err(broken) => return failed(broken),
    };
    let value = match record.value.as_deref().map(|bytes| value(value_message, bytes)) {
        None => Said::Words("<DELETE>".to_owned()),
        Some(Ok(data)) => Said::Data(data),
        Some(Err(broken)) => return failed(broken),
    };
    Decoded { key: Some(Said::Data(key)), value: Some(value) }
}

fn typed(name: &'static str, number: i16, data: Data) -> Data {
    Data::Struct(vec![(name, Data::Text(number.to_string())), ("data", data)])
}

fn value(of: &Message, bytes: &[u8]) -> Result<Data, Broken> {
    let mut input = Input(bytes);
    let version = input.int16()?;
    let mut data = message::read(of, version, &mut input)?;
    if of.name == "GroupMetadataValue" {
        open_members(&mut data);
    }
    Ok(typed("version", version, data))
}

/// Consumers of the classic protocol: what their members put into a group is readable too.
fn open_members(group: &mut Data) {
    if group.field("protocolType") != Some(&Data::Text("consumer".to_owned())) {
        return;
    }
    let Some(Data::List(members)) = group.field_mut("members") else { return };
    for member in members {
        for (field, name) in
            [("subscription", "ConsumerProtocolSubscription"), ("assignment", "ConsumerProtocolAssignment")]
        {
            let Some(bytes) = member.field_mut(field) else { continue };
            if let Some(opened) = versioned(name, bytes) {
                *bytes = opened;
            }
        }
    }
}

/// Bytes that begin with a version, opened; `None` for anything else.
fn versioned(name: &str, bytes: &Data) -> Option<Data> {
    let Data::Bytes(bytes) = bytes else { return None };
    let mut input = Input(bytes);
    let version = input.int16().ok()?;
    message::read(CONTROL.named(name)?, version, &mut input).ok()
}

/// A record of the cluster metadata log.
fn metadata(record: &Record) -> Decoded {
    let said = framed(record.value.as_deref().unwrap_or_default()).map_or_else(
        |broken| Said::Words(format!("Error at {}, skipping. {broken}", record.offset)),
        Said::Data,
    );
    Decoded { key: None, value: Some(said) }
}

fn framed(bytes: &[u8]) -> Result<Data, String> {
    /// The only one there is.
    const FRAME_VERSION: u32 = 1;
    let said = |broken: Broken| broken.to_string();
    let mut input = Input(bytes);
    let frame = input.varint().map_err(said)?;
    if frame != FRAME_VERSION {
        return Err(format!("frame version {frame} is not known"));
    }
    let (key, version) = (input.varint().map_err(said)?, input.varint().map_err(said)?);
    let of = METADATA.messages().iter().find(|message| message.key.map(u32::from) == Some(key));
    let of = of.ok_or_else(|| format!("metadata record {key} is not known"))?;
    let version = i16::try_from(version).map_err(|_| said(Broken::Length))?;
    let data = message::read(of, version, &mut input).map_err(said)?;
    Ok(Data::Struct(vec![
        ("type", Data::Text(constant(of.name))),
        ("version", Data::Int(version.into())),
        ("data", data),
    ]))
}

/// `TopicRecord` as Java names its constant: `TOPIC_RECORD`.
fn constant(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// What a control record of the cluster metadata log holds: its words in Kafka's tool, and the data.
pub(super) fn control(kind: i16, value: &[u8]) -> Option<(&'static str, Result<Data, String>)> {
    let (words, name) = match kind {
        2 => ("LeaderChange:", "LeaderChangeMessage"),
        3 => ("SnapshotHeader", "SnapshotHeaderRecord"),
        4 => ("SnapshotFooter", "SnapshotFooterRecord"),
        5 => ("KRaftVersion", "KRaftVersionRecord"),
        6 => ("KRaftVoters", "VotersRecord"),
        _ => return None,
    };
    let of = CONTROL.named(name)?;
    // The version is the first field as well, and is read once more as such.
    let read = Input(value).int16().and_then(|version| message::read(of, version, &mut Input(value)));
    Some((words, read.map_err(|broken| broken.to_string())))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> Record {
        let (key, value) = (key.map(Bytes::from_static), value.map(Bytes::from_static));
        Record { offset: 5, timestamp: 0, key, value, headers: Vec::new() }
    }

    #[test]
    fn a_tombstone_is_a_deletion_and_unknown_kinds_are_named() {
        let key = b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x02";
        let decoded = decode(Topic::Offsets, &record(Some(key), None));
        assert_eq!(
            decoded.key.map(|key| key.text()).as_deref(),
            Some(r#"{"type":"1","data":{"group":"g","topic":"t","partition":2}}"#)
        );
        assert_eq!(decoded.value.map(|value| value.text()).as_deref(), Some("<DELETE>"));
        let strange = decode(Topic::Offsets, &record(Some(b"\x00\x63"), None));
        assert_eq!(
            strange.key.map(|key| key.text()).as_deref(),
            Some("Unknown record type 99 at offset 5, skipping.")
        );
    }

    #[test]
    fn what_is_broken_is_said_in_its_place() {
        for key in [None, Some(&b"\x00"[..]), Some(b"\x00\x01\x00\x09g")] {
            let words =
                decode(Topic::Offsets, &record(key, None)).key.map(|key| key.text()).unwrap_or_default();
            assert!(words.starts_with("Error at offset 5, skipping."), "{words}");
        }
        let metadata = decode(Topic::Metadata, &record(None, Some(b"\x01\x7f\x00")));
        assert!(
            metadata.value.is_some_and(|value| value.text().contains("metadata record 127 is not known"))
        );
    }

    #[test]
    fn names_become_constants() {
        assert_eq!(constant("RegisterBrokerRecord"), "REGISTER_BROKER_RECORD");
    }
}
