//! The topics that a regular expression stands for (Kafka's ConsumerGroupRegularExpressionValue).
//!
//! ```text
//!   topics [ string ] │ version i64 │ timestamp i64 │ tags
//! ```

use std::sync::Arc;

use pagewire_record::fields::Fields;

use super::{read_array, read_text, skip_tags, write_array};
use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::{EncodeError, Writer};

/// A regular expression, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegularExpression {
    /// The topics that it matched, in order.
    pub topics: Vec<Arc<str>>,
    /// Which state of the cluster's metadata was looked at.
    pub version: i64,
    /// When, in milliseconds since the Unix epoch.
    pub resolved_ms: i64,
}

impl RegularExpression {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let topics = read_array(input, read_text)?;
        let (version, resolved_ms) = (input.i64()?, input.i64()?);
        skip_tags(input)?;
        Ok(Self { topics, version, resolved_ms })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        write_array(out, &self.topics, |out, topic| out.compact_string(topic))?;
        out.i64(self.version);
        out.i64(self.resolved_ms);
        out.tagged(None);
        Ok(())
    }
}
