//! Produce: record batches come in, offsets go out.
//!
//! ```text
//!   request ─ work  (work.rs: partition by partition: check, append, answer)
//!               └─ check (check.rs: here, or on a thread for checks if much may come out of a decompressor)
//!           ─ txn   (txn.rs: the first batch of a transaction waits until its coordinator has the partition)
//!           ─ pipelines (pipelines.rs: whoever had to wait still appends before the connection's next request)
//!           ─ what the ack waits for
//! ```
//!
//! The records of each partition are a slice of the received frame from here to the one `pwritev` of the log. Requests of
//! a connection append in the order in which they came. What an ack waits for: `acks=0` nothing, `acks=1` the page
//! cache, `acks=all` the group commit of every partition written (unless `pagewire.acks.all.meaning=page-cache`).
//! Where `flush.messages` is reached, acks=1 waits for the group commit too, and acks=0 starts it. KIP-98, KIP-890, KIP-467
//! (record errors), KIP-516 (v13: topic ids), KIP-951 (current leader).

mod check;
mod failure;
pub(crate) mod old;
mod patience;
mod pipelines;
#[cfg(test)]
mod tests;
mod txn;
mod work;

use std::time::Duration;

use futures_util::future::join_all;
use pagewire_wire::{
    ErrorCode,
    messages::{produce_request::ProduceRequest, produce_response::ProduceResponse},
};

use failure::Failure;
use pipelines::Pipelined;
pub(crate) use pipelines::Pipelines;
use work::{Batch, Wait, Work};

use crate::{
    net::{Close, Outcome, Reply},
    partition::CommitError,
    request::{Call, Context, decode, encode},
};

/// Entry of the API table.
pub(crate) fn run(call: Call) -> Reply {
    let (ctx, request) = match decode::<ProduceRequest>(call) {
        Ok(decoded) => decoded,
        Err(close) => return Reply::Now(Err(close)),
    };
    let acks = request.acks;
    let stable = acks == -1 && ctx.broker.config().acks_all_is_stable;
    // The timeout of a request limits what acks=all waits for; flush.messages is waited for without a word about time.
    let timeout = stable.then(|| Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0)));
    let mut work = Work::new(ctx, request, stable);
    if work.ctx.broker.produce_pipelines().has(&work.ctx.peer) || work.must_ask() {
        return later(work, None, acks, timeout);
    }
    match work.advance() {
        None => acknowledge(work, acks, timeout),
        Some(batch) => later(work, Some(batch), acks, timeout),
    }
}

/// Goes on with `batch`, or begins if there is none, when all before it in its pipeline are done.
fn later(mut work: Work, batch: Option<Batch>, acks: i16, timeout: Option<Duration>) -> Reply {
    let mut pipelined = Pipelined::behind(&work.ctx.broker, &work.ctx.peer);
    work.patience = Some(pipelined.patience());
    let appended = async move {
        pipelined.until_first().await;
        let next = if batch.is_some() {
            batch
        } else {
            work.verify().await;
            work.advance()
        };
        match next {
            Some(batch) => work.finish(batch).await,
            None => work,
        }
    };
    if acks == 0 {
        // Whoever does not wait for an answer may hang up: what has arrived is appended all the same.
        let appended = tokio::spawn(appended);
        return Reply::Later(Box::pin(async move {
            match appended.await {
                Ok(work) => finish(acknowledge(work, acks, timeout)).await,
                Err(error) => Err(Close::because(error)),
            }
        }));
    }
    Reply::Later(Box::pin(async move { finish(acknowledge(appended.await, acks, timeout)).await }))
}

async fn finish(reply: Reply) -> Outcome {
    match reply {
        Reply::Now(outcome) => outcome,
        Reply::Later(outcome) => outcome.await,
    }
}

/// Answers when what is appended is as safe as was asked for.
fn acknowledge(work: Work, acks: i16, timeout: Option<Duration>) -> Reply {
    let Work { ctx, mut response, waits, .. } = work;
    if acks == 0 {
        for wait in &waits {
            wait.partition.start_sync(wait.stable_offset, wait.partition.io());
        }
        return Reply::Now(unacknowledged(&response));
    }
    if waits.is_empty() {
        return Reply::Now(encode(&response, ctx.version, ctx.correlation_id));
    }
    Reply::Later(Box::pin(async move {
        await_stable(&ctx, &mut response, waits, timeout).await;
        encode(&response, ctx.version, ctx.correlation_id)
    }))
}

/// acks=0 has no answer; an error can only be told by closing, as Kafka does, so that the client refreshes metadata.
fn unacknowledged(response: &ProduceResponse) -> Outcome {
    let failed = response.responses.iter().flat_map(|t| &t.partition_responses).find(|p| p.error_code != 0);
    match failed {
        None => Ok(None),
        Some(p) => {
            Err(Close::because(format_args!("produce with acks=0 failed with error {}", p.error_code)))
        }
    }
}

async fn await_stable(
    ctx: &Context,
    response: &mut ProduceResponse,
    waits: Vec<Wait>,
    timeout: Option<Duration>,
) {
    let commits = waits.iter().map(|w| {
        let commit = w.partition.stable(w.stable_offset, w.partition.io());
        async move {
            match timeout {
                Some(timeout) => tokio::time::timeout(timeout, commit).await,
                None => Ok(commit.await),
            }
        }
    });
    for (outcome, at) in join_all(commits).await.into_iter().zip(&waits) {
        let log = &at.partition.log;
        let failure = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(CommitError::Failed(_))) if log.is_deleted() => Failure::code(work::unknown(ctx.version)),
            Ok(Err(CommitError::Failed(error))) => Failure::not_stable(log.offline(), &error),
            Ok(Err(CommitError::Busy)) | Err(_) => Failure::code(ErrorCode::RequestTimedOut),
        };
        work::count(ctx, &failure);
        let answer = &mut response.responses[at.topic_at].partition_responses[at.partition_at];
        *answer = failure.answer(answer.index);
    }
}
