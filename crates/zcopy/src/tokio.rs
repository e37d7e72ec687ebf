//! Sending from a tokio task.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::TcpStream;

#[cfg(target_os = "linux")]
use crate::ColdReads;
use crate::ahead::Stretch;
use crate::carry::Carry;
use crate::os::{AsSocket, socket_ref};
use crate::path::Offload;
#[cfg(target_os = "linux")]
use crate::path::direct::Fetch;
use crate::path::{Known, Outcome};
use crate::patience::Fruitless;
use crate::route::choose;
use crate::seen::STALE_AFTER;
use crate::stats::Sent;
use crate::{FileRange, Piece, Residency, Route, SendError, SendPlan, Transfer};

/// The operations that tokio lets a task do before it lets others have their turn: so many pay for the bytes of one.
const TURN_UNITS: u64 = 128;
/// What is shorter is not worth a read past the page cache.
#[cfg(target_os = "linux")]
const DIRECT_MIN: u64 = 64 << 10;

mod sealed {
    pub trait Sealed {}
    impl Sealed for tokio::net::TcpStream {}
    #[cfg(unix)]
    impl Sealed for tokio::net::UnixStream {}
}

/// A tokio socket that plans can be sent to and files received from: [`TcpStream`] and, on unix systems,
/// [`tokio::net::UnixStream`].
pub trait Socket: sealed::Sealed + AsSocket + Sync {
    /// Runs `attempt` if the socket may be writable; `WouldBlock` clears that mark.
    fn try_write<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R>;

    /// Waits until the socket may be writable.
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Runs `attempt` if the socket may have something to read; `WouldBlock` clears that mark.
    fn try_read<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R>;

    /// Waits until the socket may have something to read, or its peer sends no more.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
}

macro_rules! socket {
    ($($stream:ty),*) => {$(
        impl Socket for $stream {
            fn try_write<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                self.try_io(Interest::WRITABLE, attempt)
            }

            fn writable(&self) -> impl Future<Output = io::Result<()>> + Send {
                <$stream>::writable(self)
            }

            fn try_read<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                self.try_io(Interest::READABLE, attempt)
            }

            fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
                <$stream>::readable(self)
            }
        }
    )*};
}

socket!(TcpStream);
#[cfg(unix)]
socket!(tokio::net::UnixStream);

impl Transfer {
    /// Sends what is left of `plan`.
    ///
    /// It never holds its worker for much more than `turn_bytes`, also over several calls in a row (the bytes
    /// are paid for out of the task's budget, see [`tokio::task::coop`]), and never for a disk: a range that is not in
    /// the page cache is read on the I/O pool first, into the page cache or past it
    /// ([`TransferOptions::cold`](crate::TransferOptions::cold)), waiting in line if that is busy. (What leaves the page cache
    /// within a tenth of a second of the look at it is waited for.) It waits for a slow peer as long as that takes; a time
    /// limit is the caller's. Meanwhile copy and sendfile hold nothing, splice holds its
    /// pipe, direct a portion of up to 1 MiB and mmap its map; pipe and portion are given back once more than half of
    /// the pipes, or of the buffers, are out. (A process that cannot start a single thread has no cold files sent.)
    /// [`Route::Zerocopy`] counts as refused here: its completions would make the socket look closed to the reactor.
    ///
    /// # Cancel safety
    /// The future may be dropped at any await. The plan's cursor stands behind the last byte the kernel took, so
    /// sending the same plan again to the same socket goes on with the next byte; nothing is lost or doubled.
    /// (Without sending the rest, the peer is left in the middle of a message: close the connection.)
    ///
    /// # Errors
    /// [`SendError::Io`] for what the socket or a file reports, [`SendError::FileShrunk`] when a file ends before
    /// its range, [`SendError::FileCut`] when it lost bytes while they were sent out of a map. The connection cannot be
    /// used further.
    pub async fn send<S: Socket>(&self, socket: &S, plan: &mut SendPlan) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        self.send_all(socket, plan, &mut sent).await?;
        Ok(sent)
    }

    /// As [`send`](Self::send), counting also where it fails.
    pub(crate) async fn send_all<S: Socket>(
        &self,
        socket: &S,
        plan: &mut SendPlan,
        sent: &mut Sent,
    ) -> Result<(), SendError> {
        let (mut known, mut ahead, mut fruitless) = (Known::default(), None, Fruitless::default());
        self.refuse_zerocopy(plan);
        self.let_others().await;
        while !plan.is_done() {
            // A few bytes behind a file are not worth a turn of their own.
            if plan.remaining() > self.turn_unit() {
                self.let_others().await;
            }
            offloaded(plan.carry_mut()).await;
            self.stay_behind(plan, &mut ahead, &mut known).await?;
            match self.attempt(socket, plan, &mut known, sent)? {
                Some(Outcome::Sent(taken)) => {
                    if taken > 0 {
                        fruitless.over();
                    }
                    if let Some(stretch) = &ahead
                        && let Some((file, upto)) = plan.file_sent_upto()
                    {
                        stretch.pass(&file, upto);
                    }
                    self.charge(taken).await;
                }
                Some(Outcome::Cold { range, upto }) => {
                    self.stats().cold_offload(sent);
                    if let Some(first) = self.past_the_cache(plan, &range) {
                        self.offload(first, plan).await;
                    } else {
                        ahead = Some(self.bring(plan, &range).await?);
                        known.read_ahead(upto);
                    }
                }
                Some(Outcome::Offload(first)) => {
                    if first.is_read() {
                        self.stats().cold_offload(sent);
                    }
                    self.offload(first, plan).await;
                }
                Some(Outcome::Refused { .. }) => {}
                Some(Outcome::WouldBlock) | None => {
                    self.bear_with(socket_ref(socket), &mut fruitless)?;
                    let began = Instant::now();
                    socket.writable().await?;
                    self.charge(0).await;
                    if began.elapsed() > STALE_AFTER {
                        known.forget();
                    }
                }
            }
        }
        Ok(())
    }

    /// The read of a cold range past the page cache, where that is wanted and to be had. What a copy found cold stands behind other
    /// parts of its call, and is short.
    #[cfg(target_os = "linux")]
    fn past_the_cache(&self, plan: &mut SendPlan, range: &FileRange) -> Option<Offload> {
        let is_refused = plan.refused().union(self.not_to_be_had()).contains(Route::Direct);
        let is_long = range.len() >= DIRECT_MIN || plan.was_read_past_the_cache(range);
        let wanted = self.options().cold == ColdReads::Direct && is_long && !is_refused;
        wanted.then(|| Offload::Fetch(Fetch::of_cold(plan, range)))
    }

    /// There is no such read here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "elsewhere it has options")]
    fn past_the_cache(&self, _plan: &mut SendPlan, _range: &FileRange) -> Option<Offload> {
        None
    }

    /// Has `range` brought into the page cache, and waits until it is there. What was read ahead for an earlier plan
    /// serves this one too, unless it is gone again.
    async fn bring(&self, plan: &mut SendPlan, range: &FileRange) -> io::Result<Arc<Stretch>> {
        let (file, end) = (range.file(), range.offset().saturating_add(range.len()));
        let mut at = range.offset();
        loop {
            let stretch = match self.streams().find(file, at) {
                Some(stale) if stale.is_done(end) => {
                    self.streams().forget(&stale);
                    continue;
                }
                Some(found) => found,
                None => {
                    self.streams()
                        .begin(
                            &self.window(plan, &range.part(at - range.offset(), u64::MAX)),
                            &self.io_for(file),
                        )
                        .await
                }
            };
            if !stretch.reached(end).await? {
                self.streams().forget(&stretch);
                continue;
            }
            plan.note_read_ahead(stretch.range(file));
            if stretch.end() >= end {
                return Ok(stretch);
            }
            at = stretch.end();
        }
    }

    /// Where the file is being read ahead at the plan's cursor, waits for that, and has it go on in time.
    async fn stay_behind(
        &self,
        plan: &mut SendPlan,
        ahead: &mut Option<Arc<Stretch>>,
        known: &mut Known,
    ) -> io::Result<()> {
        if self.streams().is_empty() || self.options().route == Some(Route::Direct) {
            return Ok(());
        }
        let Some(next) = plan.piece_ahead(2 * u64::from(self.options().turn_bytes)) else { return Ok(()) };
        let (file, at) = (next.file(), next.offset());
        if !ahead.as_ref().is_some_and(|stretch| stretch.covers(file, at)) {
            *ahead = self.streams().find(file, at);
        }
        let Some(stretch) = ahead else { return Ok(()) };
        let end = at.saturating_add(next.len()).min(stretch.end());
        if !stretch.is_done(end) {
            if !stretch.reached(end).await? {
                *ahead = None;
                return Ok(());
            }
            known.read_ahead(plan.sent() + (end - at));
        }
        plan.note_read_ahead(stretch.range(file));
        let len = u64::from(self.options().read_ahead_bytes);
        if len > 0 && stretch.is_to_be_followed(at) && self.streams().find(file, stretch.end()).is_none() {
            let next = FileRange::new(Arc::clone(file), stretch.end(), len);
            if !self.streams().go_on(&next, &self.io_for(file)) {
                stretch.is_not_followed();
            }
        }
        Ok(())
    }

    /// Completions in the error queue make a socket ready with an error. mio reads an error together with room to write
    /// as a closed write side, and tokio keeps that for good: a full socket would count as writable for ever, and this
    /// loop would never sleep. So `zerocopy` is refused here, for this plan.
    fn refuse_zerocopy(&self, plan: &mut SendPlan) {
        const ROUTE: Route = Route::Zerocopy;
        let policy = self.policy();
        if !policy.names(ROUTE) || plan.refused().contains(ROUTE) {
            return;
        }
        let refused = self.not_to_be_had().union(plan.refused());
        let goes_so = |range: &FileRange| choose(policy, plan.socket(), range.len(), refused).0 == ROUTE;
        let wanted = plan.ahead().0.iter().any(|piece| matches!(piece, Piece::File(range) if goes_so(range)));
        if wanted {
            self.stats().refusal(ROUTE);
        }
        // Also where it is not wanted now: what rests may come back while the plan is sent.
        plan.refused_mut().insert(ROUTE);
    }

    /// Has `first` done on the I/O pool, waiting in line if that is busy. Where not one thread can be started, the plan
    /// does without its route.
    async fn offload(&self, first: Offload, plan: &mut SendPlan) {
        let (tell, told) = tokio::sync::oneshot::channel();
        let (transfer, route) = (self.clone(), first.route());
        let io = first.file().map_or_else(|| self.io().clone(), |file| self.io_for(file));
        let job = move || {
            // Nobody there to hear it: the plan is gone.
            let _ = tell.send(transfer.do_first(first));
        };
        if io.submit_in_line(job).await {
            *plan.carry_mut() = Carry::Awaited(told);
        } else {
            self.stats().refusal(route);
            plan.refused_mut().insert(route);
        }
    }

    /// Pays for `taken` bytes out of the task's budget, and lets others have their turn when that is spent.
    pub(crate) async fn pay(&self, taken: u64) {
        self.charge(taken).await;
        self.let_others().await;
    }

    /// Takes as much of the task's budget as `taken` bytes cost, and no more than is left: it does not wait. Whoever is done
    /// with that waits for the next request mostly, which is a turn for others, and one more would cost as much as a small send.
    async fn charge(&self, taken: u64) {
        for _ in 0..(taken / self.turn_unit()).clamp(1, TURN_UNITS) {
            if !tokio::task::coop::has_budget_remaining() {
                return;
            }
            tokio::task::consume_budget().await;
        }
    }

    /// Bytes that cost one unit of the task's budget.
    fn turn_unit(&self) -> u64 {
        (u64::from(self.options().turn_bytes) / TURN_UNITS).max(1)
    }

    /// Lets others have their turn if the task's budget is spent.
    async fn let_others(&self) {
        if !tokio::task::coop::has_budget_remaining() {
            self.stats().turn();
            tokio::task::consume_budget().await;
        }
    }

    /// One step, if the socket may be writable. `None`: it is not.
    fn attempt<S: Socket>(
        &self,
        socket: &S,
        plan: &mut SendPlan,
        known: &mut Known,
        sent: &mut Sent,
    ) -> Result<Option<Outcome>, SendError> {
        let fd = socket_ref(socket);
        let answer = socket.try_write(|| match self.step(fd, plan, known, sent) {
            Ok(Outcome::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            outcome => Ok(outcome),
        });
        match answer {
            Ok(outcome) => outcome.map(Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How much to start reading when `range`, part of a piece ahead in `plan`, is cold: up to `read_ahead_bytes`, of
    /// its piece, or, where the page before it tells of somebody who reads on and on, of its file.
    pub(crate) fn window(&self, plan: &SendPlan, range: &FileRange) -> FileRange {
        let end = plan
            .ahead()
            .0
            .iter()
            .filter_map(|piece| match piece {
                crate::Piece::File(whole) if std::sync::Arc::ptr_eq(whole.file(), range.file()) => {
                    Some((whole.offset(), whole.offset().saturating_add(whole.len())))
                }
                _ => None,
            })
            .find(|&(start, end)| start <= range.offset() && range.offset() < end)
            .map_or(0, |(_, end)| end);
        let most = u64::from(self.options().read_ahead_bytes);
        let reads_on = range.offset().checked_sub(1).is_none_or(|before| {
            self.calls().residency(crate::os::file_ref(range.file()), before, 1) == Residency::Resident
        });
        let len = if reads_on { most } else { end.saturating_sub(range.offset()).min(most) };
        FileRange::new(std::sync::Arc::clone(range.file()), range.offset(), len.max(range.len()))
    }
}

/// Waits for work that goes on, perhaps since an earlier sending of the plan that was dropped.
async fn offloaded(carry: &mut Carry) {
    if let Carry::Awaited(told) = carry {
        *carry = told.await.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: &T) {}

    /// Only has to compile: both futures can be spawned on a runtime of several threads.
    #[expect(dead_code, reason = "checked by the compiler, not run")]
    fn the_futures_can_move_between_threads(
        transfer: &Transfer,
        socket: &TcpStream,
        plan: &mut SendPlan,
        receiver: &mut crate::Receiver,
    ) {
        assert_send(&transfer.send(socket, plan));
        assert_send(&receiver.fill(socket));
    }
}
