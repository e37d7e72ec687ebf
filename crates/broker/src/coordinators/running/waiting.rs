//! Who waits for an answer of a shard. Bounded.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use pagewire_coordinate::Token;
use tokio::sync::oneshot;
use tracing::error;

/// Questions that may wait for an answer of one shard; one more is told to come back later.
const WAITING_MAX: usize = 100_000;

/// Those who asked, by the token of their question.
pub(in crate::coordinators) struct Waiting<A> {
    askers: HashMap<Token, oneshot::Sender<Answered<A>>, RandomState>,
    last_token: u64,
}

/// An answer, and how far the log must be stable before it may be told.
pub(in crate::coordinators) struct Answered<A> {
    pub(in crate::coordinators) answer: A,
    pub(in crate::coordinators) stable_at: Option<i64>,
}

impl<A> Waiting<A> {
    pub(in crate::coordinators) fn new() -> Self {
        Self { askers: HashMap::default(), last_token: 0 }
    }

    /// One more question, under which token, and where its answer will come; none if too many wait.
    pub(in crate::coordinators) fn enter(&mut self) -> Option<(Token, oneshot::Receiver<Answered<A>>)> {
        if self.askers.len() >= WAITING_MAX {
            return None;
        }
        self.last_token += 1;
        let (token, (sender, receiver)) = (Token(self.last_token), oneshot::channel());
        self.askers.insert(token, sender);
        Some((token, receiver))
    }

    /// Tells whoever asked.
    pub(in crate::coordinators) fn deliver(&mut self, token: Token, answer: A, stable_at: Option<i64>) {
        let Some(asker) = self.askers.remove(&token) else {
            error!(token = token.0, "a coordinator answered a question twice");
            return;
        };
        // Whoever asked may have hung up; then nobody needs the answer.
        drop(asker.send(Answered { answer, stable_at }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_gets_one_answer_and_too_many_get_none() {
        let mut waiting = Waiting::new();
        let (token, mut answer) = waiting.enter().expect("room");
        waiting.deliver(token, "yes", Some(7));
        waiting.deliver(token, "no", None);
        let answered = answer.try_recv().expect("answered");
        assert_eq!((answered.answer, answered.stable_at), ("yes", Some(7)));
        let asked: Vec<_> = (0..WAITING_MAX).map_while(|_| waiting.enter()).collect();
        assert_eq!(asked.len(), WAITING_MAX);
        assert!(waiting.enter().is_none(), "there is no room for one more");
    }
}
