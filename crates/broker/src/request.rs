//! One request as its handler sees it: who asks, in which version, the body decoded, and the answer encoded.

use std::{fmt::Display, future::Future, sync::Arc};

use pagewire_wire::{ApiKey, Frame, Reader, Request, RequestHeader, Response, Str, encode_response};
use pagewire_zcopy::SendPlan;

use crate::{
    broker::Broker,
    memory::{Account, Charge, Load},
    net::{Close, Outcome, Peer, Reply},
};

/// Most bytes of an answer, without the records that Fetch takes from files. What would be longer ends the connection
/// before it is encoded: no client that was written for Kafka asks for that much at once.
pub(crate) const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// What a request's arrays unfold into is charged so many times: an answer has an entry for each of theirs, and a
/// handler keeps something about them meanwhile.
const UNFOLDED_CHARGE: usize = 4;

/// What a handler knows about the request besides its body.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) broker: Arc<Broker>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<Str>,
    /// What the connection holds of the memory budget, and how much of that this request is.
    pub(crate) account: Arc<Account>,
    charge: Option<Arc<Charge>>,
}

impl Context {
    /// That of the request behind `header`.
    pub(crate) fn new(
        broker: &Arc<Broker>,
        peer: &Arc<Peer>,
        account: &Arc<Account>,
        header: RequestHeader,
    ) -> Self {
        Self {
            broker: Arc::clone(broker),
            peer: Arc::clone(peer),
            key: header.api_key,
            version: header.api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            account: Arc::clone(account),
            charge: None,
        }
    }

    /// Charges the connection for `bytes` instead of what the request unfolded into: for a handler that lets go of the
    /// request and keeps something smaller while it waits.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), Close> {
        self.charge = None;
        self.charge = self.account.charge(Load { bytes, files: 0 })?.map(Arc::new);
        Ok(())
    }
}

/// A request whose body is not decoded yet.
pub(crate) struct Call {
    pub(crate) context: Context,
    /// Stands behind the header.
    pub(crate) body: Reader,
}

/// Decodes the body of `call`; what is not a `Q` of that version ends the connection. What it unfolds into is charged
/// to the connection as long as a handler keeps the context.
pub(crate) fn decode<Q: Request>(call: Call) -> Result<(Context, Q), Close> {
    let Call { mut context, mut body } = call;
    let request = Q::decode(&mut body, context.version).map_err(|error| {
        Close::because(format_args!("{} v{}: {error}", context.key.name(), context.version))
    })?;
    let unfolded = Load { bytes: UNFOLDED_CHARGE * body.unfolded_bytes(), files: 0 };
    context.charge = context.account.charge(unfolded)?.map(Arc::new);
    Ok((context, request))
}

/// The usual shape of a handler: a request in, its response out, with waiting allowed in between.
pub(crate) fn respond<Q, F>(call: Call, handler: impl FnOnce(Context, Q) -> F) -> Reply
where
    Q: Request,
    F: Future<Output = Q::Response> + Send + 'static,
{
    match decode::<Q>(call) {
        Err(close) => Reply::Now(Err(close)),
        Ok((context, request)) => {
            let (version, correlation_id) = (context.version, context.correlation_id);
            let response = handler(context, request);
            Reply::Later(Box::pin(async move { encode(&response.await, version, correlation_id) }))
        }
    }
}

/// As [`respond`], for a handler that may refuse what would take too much memory to answer.
pub(crate) fn respond_or_close<Q, F>(call: Call, handler: impl FnOnce(Context, Q) -> F) -> Reply
where
    Q: Request,
    F: Future<Output = Result<Q::Response, Close>> + Send + 'static,
{
    match decode::<Q>(call) {
        Err(close) => Reply::Now(Err(close)),
        Ok((context, request)) => {
            let (version, correlation_id) = (context.version, context.correlation_id);
            let response = handler(context, request);
            Reply::Later(Box::pin(async move { encode(&response.await?, version, correlation_id) }))
        }
    }
}

/// Encodes a response that has no holes.
pub(crate) fn encode<R: Response>(response: &R, version: i16, correlation_id: i32) -> Outcome {
    let mut plan = SendPlan::new();
    plan.push_bytes(frame(response, version, correlation_id)?.head);
    Ok(Some(plan))
}

/// Encodes a response; its holes are the caller's to fill.
pub(crate) fn frame<R: Response>(response: &R, version: i16, correlation_id: i32) -> Result<Frame, Close> {
    let closing =
        |error: &dyn Display| Close::because(format_args!("{} v{version} response: {error}", R::KEY.name()));
    let bytes = response.size(version).head;
    if bytes > RESPONSE_BYTES_MAX {
        return Err(closing(&format_args!("{bytes} bytes, more than {RESPONSE_BYTES_MAX}")));
    }
    encode_response(response, version, correlation_id).map_err(|error| closing(&error))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pagewire_wire::messages::describe_groups_response::{
        DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
    };

    use super::*;

    #[test]
    fn an_answer_beyond_the_limit_is_refused_before_it_is_encoded() {
        // The megabyte is shared, as that of a group's member is.
        let metadata = Bytes::from(vec![0; 1 << 20]);
        let member = DescribedGroupMember { member_metadata: metadata, ..DescribedGroupMember::default() };
        let answer = |members| {
            let group =
                DescribedGroup { members: vec![member.clone(); members], ..DescribedGroup::default() };
            DescribeGroupsResponse { groups: vec![group], ..DescribeGroupsResponse::default() }
        };
        assert!(encode(&answer(1), 5, 1).is_ok());
        let close = encode(&answer(RESPONSE_BYTES_MAX >> 20), 5, 1).expect_err("too long");
        assert!(close.0.contains("DescribeGroups"), "{close}");
    }
}
