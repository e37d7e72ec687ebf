//! What is in a record, as far as it was asked for: key and value, decoded, or what a control record says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pagewire_record::{BatchHeader, ControlType, EndTxnMarker, Record};
use serde::Serialize;

use super::decode::{self, Data, Said, Topic};
use super::text::text;
use crate::args::decoder::BytesAs;
use crate::args::log::DumpArgs;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) records: bool,
    contents: bool,
    /// Without place and sizes.
    pub(super) bare: bool,
    topic: Option<Topic>,
    key: BytesAs,
    value: BytesAs,
}

impl Wanted {
    pub(super) fn of(args: &DumpArgs) -> Self {
        let decoders = [
            (args.topic.offsets_decoder, Topic::Offsets),
            (args.topic.transaction_log_decoder, Topic::Transactions),
            (args.topic.share_group_state_decoder, Topic::ShareState),
            (args.topic.cluster_metadata_decoder, Topic::Metadata),
        ];
        let topic = decoders.into_iter().find(|(wanted, _)| *wanted).map(|(_, topic)| topic);
        let decoded = args.key_decoder.is_some() || args.value_decoder.is_some();
        let contents = args.print_data_log || topic.is_some() || decoded;
        Self {
            records: args.deep || contents,
            contents,
            bare: args.skip_record_metadata,
            topic,
            key: args.key_decoder.unwrap_or(BytesAs::String),
            value: args.value_decoder.unwrap_or(BytesAs::String),
        }
    }
}

/// The contents.
#[derive(Debug, Default, Serialize)]
pub(super) struct Contents {
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "said")]
    key: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "said")]
    payload: Option<Said>,
}

/// What a control record says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Control {
    EndTxn {
        committed: bool,
        coordinator_epoch: i32,
    },
    #[serde(untagged)]
    Other {
        r#type: i16,
        #[serde(skip)]
        words: String,
        data: Option<Data>,
    },
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn said<S: serde::Serializer>(said: &Option<Said>, serializer: S) -> Result<S::Ok, S::Error> {
    match said {
        Some(Said::Data(data)) => data.serialize(serializer),
        Some(Said::Words(words)) => words.serialize(serializer),
        None => serializer.serialize_none(),
    }
}

impl Contents {
    pub(super) fn of(header: &BatchHeader, record: &Record, wanted: Wanted) -> Self {
        if header.is_control() {
            let control = (!wanted.bare).then(|| control(record));
            return Self { control, ..Self::default() };
        }
        if !wanted.contents {
            return Self::default();
        }
        if let Some(topic) = wanted.topic {
            let decoded = decode::decode(topic, record);
            return Self { control: None, key: decoded.key, payload: decoded.value };
        }
        let key = record.key.as_deref().map(|bytes| Said::Words(show(bytes, wanted.key)));
        let payload = record.value.as_deref().map(|bytes| Said::Words(show(bytes, wanted.value)));
        Self { control: None, key, payload }
    }

    /// Writes them behind `before`.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, before: &str) -> fmt::Result {
        match &self.control {
            Some(Control::EndTxn { committed, coordinator_epoch }) => {
                let kind = if *committed { "COMMIT" } else { "ABORT" };
                return write!(f, "{before}endTxnMarker: {kind} coordinatorEpoch: {coordinator_epoch}");
            }
            Some(Control::Other { words, .. }) => return write!(f, "{before}{words}"),
            None => {}
        }
        let mut before = before;
        if let Some(key) = &self.key {
            write!(f, "{before}key: {}", key.text())?;
            before = " ";
        }
        match &self.payload {
            Some(payload) => write!(f, "{before}payload: {}", payload.text()),
            None => Ok(()),
        }
    }
}

fn control(record: &Record) -> Control {
    let (key, value) =
        (record.key.as_deref().unwrap_or_default(), record.value.as_deref().unwrap_or_default());
    if let Some(EndTxnMarker { control_type, coordinator_epoch }) = EndTxnMarker::from_record(key, value) {
        return Control::EndTxn { committed: control_type == ControlType::Commit, coordinator_epoch };
    }
    let kind = ControlType::from_key(key).map_or(-1, ControlType::id);
    let (words, data) = match decode::control(kind, value) {
        Some((name, Ok(data))) => (format!("{name} {}", data.to_json()), Some(data)),
        Some((name, Err(broken))) => (format!("{name} Error: {broken}"), None),
        None => (format!("controlType: UNKNOWN({kind})"), None),
    };
    Control::Other { r#type: kind, words, data }
}

fn show(bytes: &[u8], shown_as: BytesAs) -> String {
    let number = match shown_as {
        BytesAs::String => return text(bytes).into_owned(),
        BytesAs::Base64 => return STANDARD.encode(bytes),
        BytesAs::Integer => bytes.try_into().ok().map(|bytes| i64::from(i32::from_be_bytes(bytes))),
        BytesAs::Long => bytes.try_into().ok().map(i64::from_be_bytes),
    };
    number.map_or_else(|| format!("{} bytes are no such number", bytes.len()), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_asked() {
        assert_eq!(show(b"a\xff", BytesAs::String), "a\u{fffd}");
        assert_eq!(show(b"a\xff", BytesAs::Base64), "Yf8=");
        assert_eq!(show(&[0, 0, 0, 7], BytesAs::Integer), "7");
        assert_eq!(show(&[0xff; 8], BytesAs::Long), "-1");
        assert_eq!(show(&[1], BytesAs::Long), "1 bytes are no such number");
    }
}
