//! The requests of one connection that were started and not answered yet, and their answers, in order.
//!
//! One task polls them all. Each has a waker of its own, which says whose turn it is: who is not called is not polled, however
//! many wait beside it, and nobody is polled twice for one call.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use pagewire_zcopy::Piece;

use super::reply::{Outcome, Reply};
use crate::memory::{Account, Charge, Load};

/// An answer that has not left, and the memory it is charged for.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) charge: Option<Charge>,
}

/// Started requests, in the order in which they came.
pub(super) struct Queue {
    account: Arc<Account>,
    started: VecDeque<Started>,
    /// Whoever polled last.
    task: Arc<AtomicWaker>,
    ends: bool,
}

enum Started {
    Waits(Waiting),
    Finished(Box<Answer>),
}

/// A request that waits.
struct Waiting {
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    call: Arc<Call>,
}

/// The waker of one request.
struct Call {
    /// It is to be polled.
    called: AtomicBool,
    task: Arc<AtomicWaker>,
}

impl Queue {
    /// An empty one; the memory of answers is charged to `account`.
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, started: VecDeque::new(), task: Arc::default(), ends: false }
    }

    pub(super) fn len(&self) -> usize {
        self.started.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.started.is_empty()
    }

    /// Whether a request was started that ends the connection: nothing behind it may be.
    pub(super) fn ends(&self) -> bool {
        self.ends
    }

    /// Takes up a request whose first step was made by `dispatch`; a handler that waits makes its own first step here,
    /// so that requests start in the order in which they came. Its answer, if that may leave at once.
    pub(super) async fn start(&mut self, reply: Reply) -> Option<Answer> {
        let outcome = match reply {
            Reply::Now(outcome) => outcome,
            Reply::Later(future) => {
                let mut waiting = Waiting { future, call: Call::of(&self.task) };
                match poll_fn(|cx| Poll::Ready(waiting.first_step(cx))).await {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => {
                        self.started.push_back(Started::Waits(waiting));
                        return None;
                    }
                }
            }
        };
        self.ends |= outcome.is_err();
        let answer = Answer::of(outcome, &self.account);
        if self.is_empty() {
            return Some(answer);
        }
        self.started.push_back(Started::Finished(Box::new(answer)));
        None
    }

    /// The next answer, when there is one. Never, if nothing was started. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Answer {
        poll_fn(|cx| self.step(cx).map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The next answer, if it is ready.
    pub(super) async fn next_ready(&mut self) -> Option<Answer> {
        poll_fn(|cx| Poll::Ready(self.step(cx))).await
    }

    /// Goes on with all that waits, for as long as this is polled: it never returns. What gets ready meanwhile is kept.
    pub(super) async fn go_on(&mut self) -> std::convert::Infallible {
        poll_fn(|cx| {
            self.step_all(cx);
            Poll::Pending
        })
        .await
    }

    /// Gives up what waits, and the answers behind it.
    pub(super) fn give_up(&mut self) {
        let finished = |started: &&Started| matches!(started, Started::Finished(_));
        let before = self.started.iter().take_while(finished).count();
        self.started.truncate(before);
    }

    /// A step of whoever was called, then the next answer, if it is there.
    fn step(&mut self, cx: &Context<'_>) -> Option<Answer> {
        self.step_all(cx);
        match self.started.pop_front()? {
            Started::Finished(answer) => Some(*answer),
            waits @ Started::Waits(_) => {
                self.started.push_front(waits);
                None
            }
        }
    }

    fn step_all(&mut self, cx: &Context<'_>) {
        self.task.register(cx.waker());
        for started in &mut self.started {
            if let Started::Waits(waiting) = started
                && let Poll::Ready(outcome) = waiting.step()
            {
                *started = Started::Finished(Box::new(Answer::of(outcome, &self.account)));
            }
        }
    }
}

impl Waiting {
    /// Before it is in the queue.
    fn first_step(&mut self, cx: &Context<'_>) -> Poll<Outcome> {
        self.call.task.register(cx.waker());
        self.step()
    }

    fn step(&mut self) -> Poll<Outcome> {
        // Before the step: who calls during it is heard.
        if !self.call.called.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.call));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Call {
    /// Of a request that has not made its first step.
    fn of(task: &Arc<AtomicWaker>) -> Arc<Self> {
        Arc::new(Self { called: AtomicBool::new(true), task: Arc::clone(task) })
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Answer {
    /// Charges the connection for the memory of an answer; one that takes too much ends it instead.
    fn of(outcome: Outcome, account: &Arc<Account>) -> Self {
        let Ok(Some(plan)) = &outcome else { return Self { outcome, charge: None } };
        let mut load = Load::default();
        for piece in plan.pieces() {
            match piece {
                Piece::Bytes(bytes) => load.bytes += bytes.len(),
                Piece::File(_) | Piece::Mapped(_) => load.files += 1,
            }
        }
        match account.charge(load) {
            Ok(charge) => Self { outcome, charge },
            Err(close) => Self { outcome: Err(close), charge: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::atomic::AtomicUsize};

    use pagewire_zcopy::SendPlan;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{memory::Budget, net::Close};

    fn plan(text: &'static str) -> SendPlan {
        SendPlan::from(bytes::Bytes::from_static(text.as_bytes()))
    }

    fn text(answer: Answer) -> String {
        let plan = answer.outcome.expect("an answer").expect("bytes");
        let Piece::Bytes(bytes) = &plan.pieces()[0] else { panic!("bytes") };
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    fn later() -> (oneshot::Sender<&'static str>, Reply) {
        let (done, waits) = oneshot::channel();
        let future =
            async move { waits.await.map(|text| Some(plan(text))).map_err(|_| Close::because("gone")) };
        (done, Reply::Later(Box::pin(future)))
    }

    fn queue(memory: usize) -> Queue {
        Queue::new(Arc::new(Budget::new(Load { bytes: memory, files: 0 })).account())
    }

    #[tokio::test]
    async fn answers_leave_in_the_order_of_the_requests() {
        let mut queue = queue(1 << 20);
        assert_eq!(
            queue.start(Reply::Now(Ok(Some(plan("alone"))))).await.map(text).as_deref(),
            Some("alone")
        );
        let ((first, one), (second, two)) = (later(), later());
        assert!(queue.start(one).await.is_none() && queue.start(two).await.is_none());
        assert!(queue.start(Reply::Now(Ok(Some(plan("third"))))).await.is_none(), "it is not its turn");
        second.send("second").expect("waited for");
        assert!(queue.next_ready().await.is_none());
        first.send("first").expect("waited for");
        let mut told = Vec::new();
        while let Some(answer) = queue.next_ready().await {
            told.push(text(answer));
        }
        assert_eq!((told.join(" "), queue.len()), ("first second third".to_owned(), 0));
    }

    #[tokio::test]
    async fn what_waits_goes_on_while_something_else_is_done() {
        let mut queue = queue(1 << 20);
        let ((first, one), (second, two)) = (later(), later());
        assert!(queue.start(one).await.is_none() && queue.start(two).await.is_none());
        first.send("first").expect("waited for");
        tokio::select! {
            biased;
            _ = queue.go_on() => unreachable!("it never returns"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(queue.len(), 2, "the first is kept");
        second.send("second").expect("waited for");
        assert_eq!(text(queue.next().await), "first");
        assert_eq!(text(queue.next().await), "second");
    }

    /// Counts how often it is called.
    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_polled_once_for_each_call_and_calls_nobody_by_waiting() {
        let (calls, polls) = (Arc::<Calls>::default(), Arc::<AtomicUsize>::default());
        let waker = Waker::from(Arc::clone(&calls));
        let mut cx = Context::from_waker(&waker);
        let mut queue = queue(1 << 20);
        let counted = |reply: Reply| {
            let (Reply::Later(mut future), polls) = (reply, Arc::clone(&polls)) else { panic!("it waits") };
            Reply::Later(Box::pin(poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                future.as_mut().poll(cx)
            })))
        };
        let ((first, one), (second, two)) = (later(), later());
        for reply in [one, two] {
            let mut start = pin!(queue.start(counted(reply)));
            assert!(start.as_mut().poll(&mut cx).is_ready());
        }
        for _ in 0..3 {
            assert!(pin!(queue.next()).poll(&mut cx).is_pending());
        }
        let seen = || (polls.load(Ordering::Relaxed), calls.0.load(Ordering::Relaxed));
        assert_eq!(seen(), (2, 0), "each made its first step");
        second.send("second").expect("waited for");
        assert!(pin!(queue.next()).poll(&mut cx).is_pending());
        assert_eq!(seen(), (3, 1), "the other one was not called");
        first.send("first").expect("waited for");
        assert!(pin!(queue.next()).poll(&mut cx).is_ready());
        assert_eq!(seen(), (4, 2));
    }

    #[tokio::test]
    async fn given_up_are_those_who_wait_and_the_answers_behind_them() {
        let mut queue = queue(1 << 20);
        let ((first, one), (_second, two)) = (later(), later());
        assert!(queue.start(one).await.is_none() && queue.start(two).await.is_none());
        assert!(queue.start(Reply::Now(Ok(Some(plan("third"))))).await.is_none());
        first.send("first").expect("waited for");
        tokio::select! {
            biased;
            _ = queue.go_on() => unreachable!("it never returns"),
            () = tokio::task::yield_now() => {}
        }
        queue.give_up();
        assert_eq!(queue.next_ready().await.map(text).as_deref(), Some("first"));
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn an_answer_beyond_the_budget_ends_the_connection_and_is_not_kept() {
        let mut queue = queue(6000);
        let large = || Ok(Some(SendPlan::from(bytes::Bytes::from(vec![0; 5000]))));
        let (first, one) = later();
        assert!(queue.start(one).await.is_none());
        assert!(queue.start(Reply::Now(large())).await.is_none());
        assert!(queue.start(Reply::Now(large())).await.is_none());
        drop(first);
        assert!(queue.next().await.outcome.is_err(), "its sender is gone");
        assert!(queue.next().await.outcome.is_ok());
        assert!(queue.next().await.outcome.is_err(), "there was room for one");
    }
}
