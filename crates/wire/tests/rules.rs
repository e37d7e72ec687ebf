//! The rules of the schema: versions, nulls, defaults, ignorable fields, tags.

use bytes::Bytes;
use pagewire_wire::messages::create_topics_request::CreateTopicsRequest;
use pagewire_wire::messages::fetch_request::{FetchRequest, FetchTopic};
use pagewire_wire::messages::join_group_request::JoinGroupRequest;
use pagewire_wire::messages::metadata_request::MetadataRequest;
use pagewire_wire::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use pagewire_wire::{DecodeError, EncodeError, Message, Reader, Writer};

fn write<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut w = Writer::default();
    message.encode(&mut w, version)?;
    Ok(w.finish().0)
}

fn read<M: Message>(bytes: impl Into<Bytes>, version: i16) -> Result<M, DecodeError> {
    M::decode(&mut Reader::new(bytes.into()), version)
}

#[test]
fn a_version_that_does_not_exist_is_refused() {
    let why = DecodeError::UnsupportedVersion { message: "CreateTopicsRequest", version: 1 };
    assert_eq!(read::<CreateTopicsRequest>(vec![0; 100], 1), Err(why));
    let why = EncodeError::UnsupportedVersion { message: "MetadataRequest", version: 14 };
    assert_eq!(write(&MetadataRequest::default(), 14), Err(why));
}

#[test]
fn an_ignorable_field_is_dropped_where_it_does_not_exist() {
    let topic = MetadataResponseTopic { topic_id: [1; 16].into(), ..MetadataResponseTopic::default() };
    let response = MetadataResponse { topics: vec![topic], ..MetadataResponse::default() };
    let back: MetadataResponse = read(write(&response, 9).unwrap(), 9).unwrap();
    assert!(back.topics[0].topic_id.is_nil());
    let back: MetadataResponse = read(write(&response, 10).unwrap(), 10).unwrap();
    assert_eq!(back.topics[0].topic_id, [1; 16].into());
}

#[test]
fn another_field_is_not() {
    let request = MetadataRequest { allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let field = "MetadataRequest.allow_auto_topic_creation";
    assert_eq!(write(&request, 3), Err(EncodeError::FieldNotInVersion { field, version: 3 }));
    assert!(write(&request, 4).is_ok());
}

#[test]
fn a_field_that_a_version_lacks_has_its_default() {
    let request: MetadataRequest = read(vec![0, 0, 0, 0], 0).unwrap();
    assert!(request.allow_auto_topic_creation, "older clients create topics");
    let request = FetchRequest { topics: vec![FetchTopic::default()], ..FetchRequest::default() };
    let back: FetchRequest = read(write(&request, 4).unwrap(), 4).unwrap();
    assert_eq!((back.session_epoch, back.rack_id.as_str()), (-1, ""));
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    let field = "MetadataRequest.topics";
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(write(&all, 0), Err(EncodeError::UnexpectedNull { field }));
    assert_eq!(read::<MetadataRequest>(vec![0xff; 4], 0), Err(DecodeError::UnexpectedNull { field }));
    let back: MetadataRequest = read(write(&all, 1).unwrap(), 1).unwrap();
    assert_eq!(back.topics, None);
}

#[test]
fn unknown_tagged_fields_are_skipped() {
    let mut bytes = write(&MetadataRequest::default(), 12).unwrap().to_vec();
    assert_eq!(bytes.pop(), Some(0), "no tagged fields");
    bytes.extend([2, 5, 3, 1, 2, 3, 0xff, 0x01, 0]);
    let mut r = Reader::new(bytes.into());
    assert_eq!(MetadataRequest::decode(&mut r, 12), Ok(MetadataRequest::default()));
    assert_eq!(r.remaining(), 0);
}

#[test]
fn a_tagged_field_cannot_read_past_its_end() {
    let whole =
        write(&FetchRequest { cluster_id: Some("cluster".into()), ..FetchRequest::default() }, 12).unwrap();
    let mut bytes = whole.to_vec();
    let size = bytes.len() - "cluster".len() - 2;
    assert_eq!(bytes[size], 8, "one byte of length and seven of text");
    bytes[size] = 7;
    bytes.pop();
    let error = read::<FetchRequest>(bytes, 12).unwrap_err();
    assert_eq!(error, DecodeError::Truncated { field: "FetchRequest.cluster_id", needed: 7, left: 6 });
}

#[test]
fn a_string_ends_at_what_the_protocol_allows() {
    let long =
        |len: usize| JoinGroupRequest { group_id: "x".repeat(len).into(), ..JoinGroupRequest::default() };
    for version in [0, 9] {
        assert!(write(&long(32_767), version).is_ok());
        let field = "JoinGroupRequest.group_id";
        assert_eq!(write(&long(32_768), version), Err(EncodeError::TooLong { field, length: 32_768 }));
    }
}

#[test]
fn a_string_that_is_not_utf8_has_question_marks_where_it_is_not() {
    let bytes = [0, 0, 0, 1, 0, 2, 0xc3, 0x28];
    let request = read::<MetadataRequest>(bytes.to_vec(), 0).unwrap();
    assert_eq!(request.topics.unwrap()[0].name.as_deref(), Some("?("));
}

#[test]
fn bytes_after_a_request_are_left_over() {
    let mut bytes = write(&MetadataRequest::default(), 12).unwrap().to_vec();
    bytes.extend([1, 2, 3]);
    let mut r = Reader::new(bytes.into());
    assert!(MetadataRequest::decode(&mut r, 12).is_ok());
    assert_eq!(r.remaining(), 3);
}
