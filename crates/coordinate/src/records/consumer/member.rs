//! What a member says of itself (Kafka's ConsumerGroupMemberMetadataValue).
//!
//! ```text
//!   instance id? │ rack? │ client id │ client host │ topics [ string ] │ expression? │ rebalance timeout i32 │ assignor?
//!   tags { 0: i8 0, or 1 │ session timeout i32 │ protocols [ name │ metadata bytes │ tags ] │ tags }   in the classic protocol
//! ```

use std::sync::Arc;

use pagewire_record::fields::{FieldError, Fields};

use super::{read_array, read_maybe_text, read_text, write_array};
use crate::input::Protocol;
use crate::records::bytes_in::{DecodeError, Kept as _};
use crate::records::bytes_out::{EncodeError, Writer};

const TAG_CLASSIC: u32 = 0;
/// A nullable struct begins with one of these.
const PRESENT: i8 = 1;
const ABSENT: i8 = 0;

/// A member as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    /// `group.instance.id`
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`
    pub rack_id: Option<Arc<str>>,
    /// Client id of its last change.
    pub client_id: Arc<str>,
    /// Where that came from.
    pub client_host: Arc<str>,
    /// Topics it names, in order.
    pub topics: Vec<Arc<str>>,
    /// The regular expression it names; empty if none.
    pub regex: Option<Arc<str>>,
    /// How long it may take to give partitions back, in milliseconds; -1 if it never said.
    pub rebalance_timeout_ms: i32,
    /// The assignor it asks for.
    pub assignor: Option<Arc<str>>,
    /// What it offers, if it speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What a member that speaks the classic protocol offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMember {
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// In order of preference.
    pub protocols: Vec<Protocol>,
}

impl MemberMetadata {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut member = Self {
            instance_id: read_maybe_text(input)?,
            rack_id: read_maybe_text(input)?,
            client_id: read_text(input)?,
            client_host: read_text(input)?,
            topics: read_array(input, read_text)?,
            regex: read_maybe_text(input)?,
            rebalance_timeout_ms: input.i32()?,
            assignor: read_maybe_text(input)?,
            classic: None,
        };
        input.tagged(|tag, field| {
            if tag == TAG_CLASSIC {
                member.classic = ClassicMember::read(field)?;
            }
            Ok(())
        })?;
        Ok(member)
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.compact_nullable_string(self.instance_id.as_deref())?;
        out.compact_nullable_string(self.rack_id.as_deref())?;
        out.compact_string(&self.client_id)?;
        out.compact_string(&self.client_host)?;
        write_array(out, &self.topics, |out, topic| out.compact_string(topic))?;
        out.compact_nullable_string(self.regex.as_deref())?;
        out.i32(self.rebalance_timeout_ms);
        out.compact_nullable_string(self.assignor.as_deref())?;
        // Kafka writes this field whether or not there is anything in it.
        let mut field = Writer::default();
        match &self.classic {
            Some(classic) => classic.write(&mut field)?,
            None => field.i8(ABSENT),
        }
        out.tagged(Some((TAG_CLASSIC, field)));
        Ok(())
    }
}

impl ClassicMember {
    fn read(input: &mut Fields<'_>) -> Result<Option<Self>, FieldError> {
        if input.i8()? != PRESENT {
            return Ok(None);
        }
        let session_timeout_ms = input.i32()?;
        let mut protocols = Vec::new();
        for _ in 0..input.count_of(true)? {
            protocols.push(Protocol { name: input.string_of(true)?, metadata: input.bytes_of(true)? });
            input.tagged(|_, _| Ok(()))?;
        }
        input.tagged(|_, _| Ok(()))?;
        Ok(Some(Self { session_timeout_ms, protocols }))
    }

    fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.i8(PRESENT);
        out.i32(self.session_timeout_ms);
        write_array(out, &self.protocols, |out, protocol| {
            out.compact_string(&protocol.name)?;
            out.compact_bytes(&protocol.metadata)?;
            out.tagged(None);
            Ok(())
        })?;
        out.tagged(None);
        Ok(())
    }
}
