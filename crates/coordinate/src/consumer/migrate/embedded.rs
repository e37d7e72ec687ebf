//! What consumers of the classic protocol put into subscriptions and assignments.
//!
//! ```text
//!   subscription  version i16 │ topics [ string ] │ user data bytes? │ v1+ owned [ topic │ partitions [ i32 ] ]
//!                 v2+ generation i32 │ v3+ rack string?
//!   assignment    version i16 │ topics [ topic │ partitions [ i32 ] ] │ user data bytes?
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use pagewire_record::fields::{FieldError, Fields, Width};

/// Later versions are read as this one.
const VERSION_MAX: i16 = 3;

/// Partitions by the name of their topic.
pub(super) type Named = Vec<(Arc<str>, Vec<i32>)>;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<Arc<str>>,
    pub(super) owned: Named,
    pub(super) rack: Option<Arc<str>>,
}

pub(super) fn read_subscription(bytes: &[u8]) -> Result<Subscription, FieldError> {
    let mut input = Fields::new(bytes);
    let version = read_version(&mut input)?;
    let mut subscription = Subscription::default();
    for _ in 0..count(&mut input)? {
        subscription.topics.push(text(&mut input)?);
    }
    user_data(&mut input)?;
    if version >= 1 {
        subscription.owned = named(&mut input)?;
    }
    if version >= 2 {
        input.i32()?;
    }
    if version >= 3 {
        subscription.rack = input.text(Width::Short)?.filter(|rack| !rack.is_empty()).map(Arc::from);
    }
    Ok(subscription)
}

/// The partitions of an assignment; none if it carries user data, which a consumer group cannot keep.
pub(super) fn read_assignment(bytes: &[u8]) -> Result<Option<Named>, FieldError> {
    if bytes.is_empty() {
        return Ok(Some(Named::new()));
    }
    let mut input = Fields::new(bytes);
    read_version(&mut input)?;
    let partitions = named(&mut input)?;
    let has_data = user_data(&mut input)?;
    Ok((!has_data).then_some(partitions))
}

/// An assignment in the version of the subscription that it answers.
pub(super) fn write_assignment(partitions: &BTreeMap<Arc<str>, Vec<i32>>, subscription: &[u8]) -> Bytes {
    let version = read_version(&mut Fields::new(subscription)).unwrap_or(0);
    let mut out = BytesMut::new();
    out.put_i16(version);
    out.put_i32(partitions.len() as i32);
    for (topic, partitions) in partitions {
        out.put_i16(topic.len() as i16);
        out.put_slice(topic.as_bytes());
        out.put_i32(partitions.len() as i32);
        for partition in partitions {
            out.put_i32(*partition);
        }
    }
    out.put_i32(-1);
    out.freeze()
}

fn read_version(input: &mut Fields<'_>) -> Result<i16, FieldError> {
    let version = input.i16()?;
    if version < 0 { Err(FieldError::Length) } else { Ok(version.min(VERSION_MAX)) }
}

fn count(input: &mut Fields<'_>) -> Result<usize, FieldError> {
    input.length(Width::Int)?.ok_or(FieldError::Length)
}

fn text(input: &mut Fields<'_>) -> Result<Arc<str>, FieldError> {
    input.text(Width::Short)?.map(Arc::from).ok_or(FieldError::Length)
}

fn named(input: &mut Fields<'_>) -> Result<Named, FieldError> {
    let mut topics = Named::new();
    for _ in 0..count(input)? {
        let topic = text(input)?;
        let mut partitions = Vec::new();
        for _ in 0..count(input)? {
            partitions.push(input.i32()?);
        }
        topics.push((topic, partitions));
    }
    Ok(topics)
}

/// Passes over user data; says whether there is any.
fn user_data(input: &mut Fields<'_>) -> Result<bool, FieldError> {
    let Some(len) = input.length(Width::Int)? else { return Ok(false) };
    input.take(len)?;
    Ok(len > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_read_in_every_version() {
        let mut bytes = b"\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff".to_vec();
        let plain = Subscription { topics: vec!["t".into()], ..Subscription::default() };
        assert_eq!(read_subscription(&bytes), Ok(plain));
        bytes[1] = 3;
        bytes.extend(b"\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x07\x00\x02r1");
        let whole = Subscription {
            topics: vec!["t".into()],
            owned: vec![("t".into(), vec![5])],
            rack: Some("r1".into()),
        };
        assert_eq!(read_subscription(&bytes), Ok(whole));
        for end in 0..bytes.len() {
            assert!(read_subscription(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn assignments_come_back_and_user_data_is_told() {
        let partitions = BTreeMap::from([(Arc::from("t"), vec![1, 2])]);
        let bytes = write_assignment(&partitions, b"\x00\x01");
        assert_eq!(read_assignment(&bytes), Ok(Some(vec![("t".into(), vec![1, 2])])));
        let mut with_data = bytes.to_vec();
        with_data.truncate(bytes.len() - 4);
        with_data.extend(b"\x00\x00\x00\x01x");
        assert_eq!(read_assignment(&with_data), Ok(None));
        assert_eq!(read_assignment(b""), Ok(Some(vec![])));
    }
}
