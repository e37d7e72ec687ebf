//! From a frame to a reply: header, version, then the handler the API table names.
//!
//! A frame that cannot be understood ends its connection, as in Kafka, with one exception that clients rely on: an
//! ApiVersions request of an unknown version is answered in version 0 with UNSUPPORTED_VERSION and the whole table, so
//! that the client can choose again.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_wire::{ApiKey, Reader, RequestHeader};

use crate::{
    api::{self, APIS, Api},
    broker::Broker,
    handlers::{api_versions, produce},
    memory::Account,
    net::{Close, Peer, Reply},
    request::{Call, Context},
};

/// Finds the API, checks the version and runs the handler's first step.
pub(crate) fn dispatch(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    account: &Arc<Account>,
    frame: Bytes,
) -> Reply {
    match route(broker, peer, account, frame) {
        Ok((api, call)) => (api.run)(call),
        Err(reply) => reply,
    }
}

#[expect(clippy::result_large_err, reason = "the refusal is the reply itself, and rare")]
fn route(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    account: &Arc<Account>,
    frame: Bytes,
) -> Result<(&'static Api, Call), Reply> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)
        .map_err(|error| closing(format_args!("request header: {error}")))?;
    let key = header.api_key;
    let Some(at) = api::index_of(key) else {
        return Err(closing(format_args!("{} is not an API of this broker", key.name())));
    };
    let context = Context::new(broker, peer, account, header);
    broker.metrics().request(at);
    let api = &APIS[at];
    if !(api.served_from..=api.max).contains(&context.version) {
        if key == ApiKey::ApiVersions {
            return Err(Reply::Now(api_versions::unsupported(&context)));
        }
        if key == ApiKey::Produce && (0..=produce::old::NEWEST).contains(&context.version) {
            return Err(Reply::Now(produce::old::unsupported(Call { context, body: reader })));
        }
        return Err(closing(format_args!("{} version {} is not served", key.name(), context.version)));
    }
    Ok((api, Call { context, body: reader }))
}

fn closing(reason: std::fmt::Arguments<'_>) -> Reply {
    Reply::Now(Err(Close::because(reason)))
}
