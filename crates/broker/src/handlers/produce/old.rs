//! Produce 0 to 2: advertised, because old clients look for the range (KAFKA-18659), and answered UNSUPPORTED_VERSION.
//!
//! They carry message formats that no longer exist (KIP-896), so only their frame is read: each partition named gets
//! the error. The layouts end here; they are not in the schemas.
//!
//! ```text
//!   request  acks i16, timeout i32, [topic string, [partition i32, records bytes]]
//!   response [topic string, [partition i32, error i16, base_offset i64, (v2: log_append_time i64)]], (v1: throttle i32)
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use pagewire_wire::{DecodeError, ErrorCode};
use pagewire_zcopy::SendPlan;

use crate::{
    net::{Close, Outcome},
    request::Call,
};

/// Newest version answered here.
pub(crate) const NEWEST: i16 = 2;

/// Refuses every partition of the request.
pub(crate) fn unsupported(call: Call) -> Outcome {
    let refused = refuse(call).map_err(|error| Close::because(format_args!("Produce: {error}")))?;
    let Some(body) = refused else {
        return Err(Close::because(
            "Produce before version 3 is not supported, and acks=0 has no answer to say so",
        ));
    };
    let mut plan = SendPlan::new();
    plan.push_bytes(body);
    Ok(Some(plan))
}

/// The whole response frame; `None` for acks=0.
fn refuse(call: Call) -> Result<Option<Bytes>, DecodeError> {
    let (version, correlation_id) = (call.context.version, call.context.correlation_id);
    let mut reader = call.body;
    let acks = reader.i16("acks")?;
    reader.i32("timeout_ms")?;
    let mut response = BytesMut::new();
    response.put_i32(0); // the frame's length, known at the end
    response.put_i32(correlation_id);
    let topics = reader.i32("topics")?;
    response.put_i32(topics.max(0));
    for _ in 0..topics {
        let topic = reader.string("topic", false)?;
        response.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        response.put_slice(topic.as_bytes());
        let partitions = reader.i32("partitions")?;
        response.put_i32(partitions.max(0));
        for _ in 0..partitions {
            response.put_i32(reader.i32("partition")?);
            reader.nullable_bytes("records", false, true)?;
            response.put_i16(ErrorCode::UnsupportedVersion.code());
            response.put_i64(-1);
            if version >= 2 {
                response.put_i64(-1);
            }
        }
    }
    if version >= 1 {
        response.put_i32(0);
    }
    let length = u32::try_from(response.len() - 4).unwrap_or(u32::MAX);
    response[..4].copy_from_slice(&length.to_be_bytes());
    Ok((acks != 0).then(|| response.freeze()))
}
