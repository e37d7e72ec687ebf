//! What is printed of a record: a pattern as kcat has it, or a line of JSON.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pagewire_record::{Record, RecordHeader};
use serde::Serialize;

use crate::args::pairs::unescape;
use crate::client::fetch::Chunk;
use crate::output::Out;
use crate::output::units::date;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    Value,
    Key,
    Headers,
    Offset,
    Partition,
    Topic,
    Timestamp,
    Date,
    ValueSize,
    KeySize,
}

/// How records are printed.
#[derive(Debug)]
pub(super) enum Printer {
    /// One JSON object per line.
    Json,
    /// By a pattern.
    Pattern(Vec<Part>),
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut text) = (Vec::new(), String::new());
    let mut rest = pattern.chars();
    let close = |text: &mut String, parts: &mut Vec<Part>| -> Result<(), String> {
        if !text.is_empty() {
            parts.push(Part::Text(unescape(text)?));
            text.clear();
        }
        Ok(())
    };
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let part = match rest.next() {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some('s' | 'v') => Part::Value,
            Some('k') => Part::Key,
            Some('h') => Part::Headers,
            Some('o') => Part::Offset,
            Some('p') => Part::Partition,
            Some('t') => Part::Topic,
            Some('T') => Part::Timestamp,
            Some('D') => Part::Date,
            Some('S') => Part::ValueSize,
            Some('K') => Part::KeySize,
            Some(other) => {
                return Err(format!(
                    "%{other} stands for nothing; known: %v %s %k %h %o %p %t %T %D %S %K %%"
                ));
            }
            None => return Err("a % stands at the end; write %% for a percent sign".to_owned()),
        };
        close(&mut text, &mut parts)?;
        parts.push(part);
    }
    close(&mut text, &mut parts)?;
    Ok(parts)
}

impl Printer {
    /// Prints a record of `chunk`.
    pub(super) fn print(
        &self,
        topic: &str,
        chunk: &Chunk,
        record: &Record,
        out: &mut Out,
    ) -> anyhow::Result<()> {
        match self {
            Self::Json => out.json_line(&Json::new(topic, chunk, record)),
            Self::Pattern(parts) => {
                parts.iter().try_for_each(|part| out.write(&text(part, topic, chunk.partition, record)))
            }
        }
    }
}

/// The text of a part.
fn text<'a>(part: &'a Part, topic: &'a str, partition: i32, record: &'a Record) -> Cow<'a, [u8]> {
    let field = |bytes: &'a Option<Bytes>| Cow::Borrowed(bytes.as_deref().unwrap_or_default());
    let size = |bytes: &Option<Bytes>| number(bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64));
    match part {
        Part::Text(text) => Cow::Borrowed(text),
        Part::Value => field(&record.value),
        Part::Key => field(&record.key),
        Part::Headers => Cow::Owned(headers(&record.headers)),
        Part::Offset => number(record.offset),
        Part::Partition => number(i64::from(partition)),
        Part::Topic => Cow::Borrowed(topic.as_bytes()),
        Part::Timestamp => number(record.timestamp),
        Part::Date => Cow::Owned(time_of(record.timestamp).into_bytes()),
        Part::ValueSize => size(&record.value),
        Part::KeySize => size(&record.key),
    }
}

fn number(number: i64) -> Cow<'static, [u8]> {
    Cow::Owned(number.to_string().into_bytes())
}

/// -1 says that the record has none.
fn time_of(timestamp: i64) -> String {
    if timestamp < 0 { timestamp.to_string() } else { date(timestamp) }
}

/// `name=value,name=value`; a null value as kcat shows it.
fn headers(headers: &[RecordHeader]) -> Vec<u8> {
    let mut text = Vec::new();
    for header in headers {
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(&header.key);
        text.push(b'=');
        text.extend_from_slice(header.value.as_deref().unwrap_or(b"NULL"));
    }
    text
}

/// A record for programs. Bytes that are no UTF-8 come as base64, in a field of another name.
#[derive(Debug, Serialize)]
struct Json<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    timestamp_type: &'static str,
    #[serde(flatten)]
    key: Key<'a>,
    #[serde(flatten)]
    value: Value<'a>,
    headers: Vec<Header<'a>>,
}

#[derive(Debug, Serialize)]
enum Key<'a> {
    #[serde(rename = "key")]
    Text(Option<&'a str>),
    #[serde(rename = "key_base64")]
    Base64(String),
}

#[derive(Debug, Serialize)]
enum Value<'a> {
    #[serde(rename = "value")]
    Text(Option<&'a str>),
    #[serde(rename = "value_base64")]
    Base64(String),
}

#[derive(Debug, Serialize)]
struct Header<'a> {
    name: Cow<'a, str>,
    #[serde(flatten)]
    value: Value<'a>,
}

impl<'a> Json<'a> {
    fn new(topic: &'a str, chunk: &Chunk, record: &'a Record) -> Self {
        Self {
            topic,
            partition: chunk.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: if chunk.append_time { "log-append" } else { "create" },
            key: match record.key.as_deref().map(std::str::from_utf8) {
                None => Key::Text(None),
                Some(Ok(text)) => Key::Text(Some(text)),
                Some(Err(_)) => Key::Base64(STANDARD.encode(record.key.as_deref().unwrap_or_default())),
            },
            value: value(record.value.as_deref()),
            headers: record
                .headers
                .iter()
                .map(|header| Header {
                    name: String::from_utf8_lossy(&header.key),
                    value: value(header.value.as_deref()),
                })
                .collect(),
        }
    }
}

fn value(bytes: Option<&[u8]>) -> Value<'_> {
    match bytes {
        None => Value::Text(None),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(Some(text)),
            Err(_) => Value::Base64(STANDARD.encode(bytes)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            offset: 7,
            timestamp: 1_700_000_000_000,
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from_static(b"va")),
            headers: vec![
                RecordHeader { key: Bytes::from_static(b"a"), value: Some(Bytes::from_static(b"1")) },
                RecordHeader { key: Bytes::from_static(b"b"), value: None },
            ],
        }
    }

    fn render(pattern: &str, record: &Record) -> String {
        let parts = parse(pattern).unwrap();
        let text: Vec<u8> = parts.iter().flat_map(|part| text(part, "t", 3, record).into_owned()).collect();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_sign_stands_for_its_part() {
        let text = render(r"%t/%p/%o %T %D\t%k=%v|%s [%h] %K %S 100%%\n", &record());
        assert_eq!(text, "t/3/7 1700000000000 2023-11-14T22:13:20.000Z\tk=va|va [a=1,b=NULL] 1 2 100%\n");
    }

    #[test]
    fn null_is_nothing_and_its_size_is_below_zero() {
        let null = Record { key: None, value: None, timestamp: -1, headers: vec![], ..record() };
        assert_eq!(render("%k%v%h %K %S %D", &null), " -1 -1 -1");
    }

    #[test]
    fn a_sign_without_meaning_is_refused() {
        for bad in ["%x", "%", r"\q"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_keeps_null_text_and_bytes_apart() {
        let chunk = Chunk { partition: 3, records: vec![], append_time: false, next_offset: 0 };
        let line = |record: &Record| serde_json::to_value(Json::new("t", &chunk, record)).unwrap();
        let text = line(&record());
        assert_eq!((&text["key"], &text["value"], &text["offset"]), (&"k".into(), &"va".into(), &7.into()));
        assert_eq!(text["headers"][1]["name"], "b");
        assert!(text["headers"][1]["value"].is_null());
        let bytes = line(&Record { key: None, value: Some(Bytes::from_static(&[0xff])), ..record() });
        assert!(bytes["key"].is_null() && bytes.get("value").is_none());
        assert_eq!(bytes["value_base64"], "/w==");
    }
}
