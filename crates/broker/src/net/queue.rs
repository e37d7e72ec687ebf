//! The requests of one connection that were started and not answered yet, and their answers, in order.
//!
//! ```text
//!   front:  answers ready to leave   ▏ requests that wait, and answers behind one of them
//!           (finished)               ▏ (waiting)
//! ```

use std::{collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use futures_util::{StreamExt, stream::FuturesOrdered};
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
    waiting: FuturesOrdered<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    /// Before all of `waiting`.
    finished: VecDeque<Answer>,
    ends: bool,
}

impl Queue {
    /// An empty one; the memory of answers is charged to `account`.
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, waiting: FuturesOrdered::new(), finished: VecDeque::new(), ends: false }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.finished.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
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
            Reply::Later(mut future) => match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    let account = Arc::clone(&self.account);
                    self.waiting.push_back(Box::pin(async move { Answer::of(future.await, &account) }));
                    return None;
                }
            },
        };
        self.ends |= outcome.is_err();
        let answer = Answer::of(outcome, &self.account);
        if self.is_empty() {
            return Some(answer);
        }
        self.waiting.push_back(Box::pin(std::future::ready(answer)));
        None
    }

    /// The next answer, when there is one. Never, if nothing was started. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Answer {
        if let Some(answer) = self.finished.pop_front() {
            return answer;
        }
        match self.waiting.next().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// The next answer, if it is ready.
    pub(super) async fn next_ready(&mut self) -> Option<Answer> {
        if let Some(answer) = self.finished.pop_front() {
            return Some(answer);
        }
        match poll_fn(|cx| Poll::Ready(self.waiting.poll_next_unpin(cx))).await {
            Poll::Ready(answer) => answer,
            Poll::Pending => None,
        }
    }

    /// Goes on with all that waits, for as long as this is polled: it never returns. What gets ready meanwhile is kept.
    pub(super) async fn go_on(&mut self) -> std::convert::Infallible {
        loop {
            match self.waiting.next().await {
                Some(answer) => self.finished.push_back(answer),
                None => std::future::pending().await,
            }
        }
    }

    /// Gives up what waits.
    pub(super) fn give_up(&mut self) {
        self.waiting = FuturesOrdered::new();
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
        assert_eq!((queue.finished.len(), queue.len()), (1, 2));
        second.send("second").expect("waited for");
        assert_eq!(text(queue.next().await), "first");
        assert_eq!(text(queue.next().await), "second");
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
