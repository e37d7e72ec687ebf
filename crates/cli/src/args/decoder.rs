//! How `log dump` reads keys and values: by a name of ours, or by the name of a class of Kafka's that does the same.

use std::ffi::OsStr;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error, ValueEnum};

/// Where Kafka's decoders live.
const KAFKAS: &str = "org.apache.kafka.tools.api.";

/// How bytes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BytesAs {
    /// UTF-8 (Kafka's StringDecoder)
    String,
    /// Four bytes, a number (IntegerDecoder)
    Integer,
    /// Eight bytes, a number (LongDecoder)
    Long,
    /// Base64 (DefaultDecoder, of which Kafka's tool prints where they are in its memory)
    Base64,
}

/// Takes both kinds of names.
#[derive(Debug, Clone)]
pub(crate) struct Decoder;

impl TypedValueParser for Decoder {
    type Value = BytesAs;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<BytesAs, Error> {
        let name = value.to_str().unwrap_or_default();
        let known = match name.strip_prefix(KAFKAS) {
            Some("StringDecoder") => return Ok(BytesAs::String),
            Some("IntegerDecoder") => return Ok(BytesAs::Integer),
            Some("LongDecoder") => return Ok(BytesAs::Long),
            Some("DefaultDecoder") => return Ok(BytesAs::Base64),
            // A class of somebody's own, or one that Kafka had before 4.0.
            _ => !name.contains('.'),
        };
        if known {
            return EnumValueParser::<BytesAs>::new().parse_ref(command, arg, value);
        }
        let mut error = Error::new(ErrorKind::ValueValidation).with_cmd(command);
        let option = arg.map_or_else(|| "--value-decoder".to_owned(), ToString::to_string);
        error.insert(ContextKind::InvalidArg, ContextValue::String(option));
        error.insert(ContextKind::InvalidValue, ContextValue::String(name.to_owned()));
        let why = format!(
            "a class of Java cannot be loaded here: {KAFKAS}StringDecoder, IntegerDecoder, LongDecoder and DefaultDecoder are known, \
             and base64 prints every byte for a decoder of your own"
        );
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![why.into()]));
        Err(error)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let shown = BytesAs::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        Some(Box::new(shown))
    }
}
