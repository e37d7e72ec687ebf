//! What was asked of clients and what they answered, in the order in which it happened: each call is noted before it is
//! made, and once more when it is answered. A call that nobody answered may have done anything.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::model::{Answer, Call};

/// Which process: the how manieth of a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) client: usize,
    pub(super) instance: usize,
}

/// One call. Moments are numbers that grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) who: Who,
    pub(super) call: Call,
    pub(super) invoked: u64,
    /// When it was answered, and how; never, when its client was killed first, or is stuck.
    pub(super) answered: Option<(u64, Answer)>,
}

impl Op {
    /// It did what it was asked to.
    pub(super) fn is_ok(&self) -> bool {
        self.answer().is_some_and(|answer| !matches!(answer, Answer::Failed(..)))
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        self.answered.as_ref().map(|(_, answer)| answer)
    }
}

/// The ledger of all clients, and a file that tells the same to whoever looks into a failure.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Debug)]
struct Book {
    ops: Vec<Op>,
    moment: u64,
    file: File,
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Pending(usize);

impl Ledger {
    /// An empty one, written to this file.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Mutex::new(Book { ops: Vec::new(), moment: 0, file })))
    }

    /// A call is about to be made.
    pub(super) fn invoke(&self, who: Who, call: Call) -> Result<Pending> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let invoked = book.tell(who, &format!("invoke {call:?}"))?;
        book.ops.push(Op { who, call, invoked, answered: None });
        Ok(Pending(book.ops.len() - 1))
    }

    /// It was answered, or will not be.
    pub(super) fn answered(&self, Pending(at): Pending, answer: Option<Answer>) -> Result<()> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = book.ops.get(at).context("no such call")?.who;
        let moment = book.tell(who, &verdict(answer.as_ref()))?;
        let op = book.ops.get_mut(at).context("no such call")?;
        op.answered = answer.map(|answer| (moment, answer));
        Ok(())
    }

    /// Something else that happened, for the file.
    pub(super) fn remark(&self, what: &str) -> Result<()> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = book.moment;
        writeln!(book.file, "{moment} -- {what}").context("cannot write the ledger")
    }

    /// All calls so far.
    pub(super) fn ops(&self) -> Vec<Op> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ops.clone()
    }
}

fn verdict(answer: Option<&Answer>) -> String {
    match answer {
        None => "info: nobody answered".to_owned(),
        Some(Answer::Failed(remedy, why)) => format!("fail {remedy:?}: {why}"),
        Some(answer) => format!("ok {answer:?}"),
    }
}

impl Book {
    fn tell(&mut self, who: Who, what: &str) -> Result<u64> {
        self.moment += 1;
        let (moment, Who { client, instance }) = (self.moment, who);
        writeln!(self.file, "{moment} {client}/{instance} {what}").context("cannot write the ledger")?;
        Ok(moment)
    }
}
