//! Fetch: answers with file ranges. No record byte is read here.
//!
//! ```text
//!   request ─ session (session.rs, cache.rs: what is asked for)
//!           ─ read    (read.rs: ranges within the limits, KIP-74; lookup.rs: on an I/O thread if that means waiting)
//!           ─ enough, or nothing to wait for? ─ no ─> park on the partitions' marks until woken or max_wait is over
//!           ─ respond (respond.rs: header, hole, header, hole ... the holes become the ranges)
//! ```

mod cache;
mod lookup;
mod read;
mod respond;
mod session;
#[cfg(test)]
mod tests;
mod wanted;

use std::{sync::Arc, time::Duration};

use pagewire_wire::messages::fetch_request::FetchRequest;
use tokio::time::{Instant, timeout_at};

pub(crate) use cache::FetchSessions;
use read::{Answers, Cold, Limits};
use session::Scope;
use wanted::Wanted;

use crate::{
    aside::aside,
    clock::now_ms,
    cluster::Image,
    metrics::add,
    net::{Outcome, Reply},
    partition::{Ticket, Waker},
    request::{Call, Context, decode},
};

/// A round over so many partitions takes a millisecond or more.
const MANY_PARTITIONS: usize = 1000;
/// A fetch that waits for nothing else waits so long for a partition that has just changed its log directory.
const MOVED_PATIENCE: Duration = Duration::from_secs(1);

/// Entry of the API table.
pub(crate) fn run(call: Call) -> Reply {
    let (mut ctx, request) = match decode::<FetchRequest>(call) {
        Ok(decoded) => decoded,
        Err(close) => return Reply::Now(Err(close)),
    };
    let limits = Limits::of(&request, ctx.version, &ctx.broker.config(), ctx.broker.memory().files_left());
    let max_wait = request.max_wait_ms;
    let scope = match ctx.broker.sessions().open(&request, ctx.version, now_ms()) {
        Ok(scope) => scope,
        Err(code) => return Reply::Now(respond::session_error(&ctx, code)),
    };
    let answers = look(&ctx, &scope, &limits, Cold::LeaveOut);
    let patient = max_wait > 0 && !scope.wanted().is_empty();
    if answers.cold.is_none() && !answers.moved && (!patient || answers.settled(&limits)) {
        return Reply::Now(respond::answer(&ctx, &scope, answers));
    }
    // What waits must not keep the frame it came in.
    ctx.client_id = None;
    if let Err(close) = ctx.keep(size_of_val(scope.wanted())) {
        return Reply::Now(Err(close));
    }
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(max_wait).unwrap_or(0));
    Reply::Later(Box::pin(wait(Arc::new(Fetch { ctx, scope, limits }), deadline)))
}

/// A fetch that cannot be answered on the spot.
struct Fetch {
    ctx: Context,
    scope: Scope,
    limits: Limits,
}

impl Fetch {
    fn look(&self, cold: Cold<'_>) -> Answers {
        look(&self.ctx, &self.scope, &self.limits, cold)
    }
}

/// One round over all partitions.
fn look(ctx: &Context, scope: &Scope, limits: &Limits, cold: Cold<'_>) -> Answers {
    let wanted = scope.wanted();
    aside(wanted.len() >= MANY_PARTITIONS, || {
        read::all(&ctx.broker.image(), ctx.version, wanted, limits, cold)
    })
}

/// Waits for the disk where a lookup needs it, then for enough bytes, an error or the deadline.
async fn wait(fetch: Arc<Fetch>, deadline: Instant) -> Outcome {
    let broker = &fetch.ctx.broker;
    let waker = Arc::new(Waker::default());
    let (mut tickets, mut watched) = (Vec::new(), None);
    let look = {
        let fetch = Arc::clone(&fetch);
        Arc::new(move |cold: Cold<'_>| fetch.look(cold))
    };
    let (mut parked, mut over, moved_until) = (false, false, Instant::now() + MOVED_PATIENCE);
    let answers = loop {
        // Registered first, read second: what was appended in between is seen here. Partitions may be others by now, opened anew or
        // moved to another log directory.
        let image = broker.image();
        if watched != Some(image.version()) {
            tickets = watch(&image, fetch.scope.wanted(), &waker, fetch.ctx.version);
            watched = Some(image.version());
        }
        drop(image);
        let answers = lookup::look(&look, &broker.metrics().fetch_cold_lookups, deadline).await;
        let until = if answers.moved { deadline.max(moved_until) } else { deadline };
        if over || answers.settled(&fetch.limits) || Instant::now() >= until {
            break answers;
        }
        if !std::mem::replace(&mut parked, true) {
            add(&broker.metrics().fetch_parked, 1);
        }
        broker.ticks().want();
        over = timeout_at(until, waker.woken()).await.is_err();
    };
    drop(tickets);
    respond::answer(&fetch.ctx, &fetch.scope, answers)
}

fn watch(image: &Image, wanted: &[Wanted], waker: &Arc<Waker>, version: i16) -> Vec<Ticket> {
    let hosted = wanted.iter().filter_map(|w| w.topic(image, version)?.hosted(w.index));
    hosted.map(|partition| partition.watch(waker)).collect()
}

impl Answers {
    /// Whether there is anything to say at all.
    fn is_of_use(&self) -> bool {
        self.urgent || self.bytes > 0
    }

    /// Whether there is anything to say already.
    fn settled(&self, limits: &Limits) -> bool {
        self.urgent || self.bytes >= limits.min_bytes
    }
}
