//! What clients of one round share: how their processes are started, the ledger, and how far everybody is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::client::Client;
use super::ledger::{Ledger, Who};
use super::model::{Answer, Call, Remedy};
use super::plan::{Flow, Joins, Script};
use crate::parts::programs::Stage;

/// After so long a coordinator ends a transaction of a client that is gone.
const TRANSACTION_MS: u64 = 8_000;
/// A group waits as long for a member: the second of `LIVELY`, and what clients of the classic protocol ask for.
pub(super) const SESSION_MS: u64 = 2_000;
/// Settings of a broker whose groups notice soon who is gone.
pub(super) const LIVELY: [&str; 5] = [
    "group.min.session.timeout.ms=1000",
    "group.consumer.session.timeout.ms=2000",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.heartbeat.interval.ms=500",
    "group.consumer.min.heartbeat.interval.ms=500",
];
/// After so long librdkafka is not waited for any more: while the group's coordinator is away,
/// `rd_kafka_send_offsets_to_transaction` does not look at the time that it was given (librdkafka issue 5456).
const STUCK: Duration = Duration::from_secs(15);
/// As often as this a client is asked what it says may be asked again.
const TRIES: usize = 10;

/// Counts of what was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Transactions that came to an end, whichever.
    pub(super) ended: AtomicUsize,
    pub(super) clients_killed: AtomicUsize,
    /// Clients that were awake again after they had been replaced, and asked for a commit.
    pub(super) zombies: AtomicUsize,
    /// Clients that slept for longer than their group waited for them.
    pub(super) sleepers: AtomicUsize,
    /// Of their transactions those whose offsets or ends were refused.
    pub(super) sleepers_refused: AtomicUsize,
    pub(super) failed_calls: AtomicUsize,
    pub(super) stuck_calls: AtomicUsize,
}

/// What clients share.
pub(super) struct Cast<'c> {
    pub(super) stage: &'c Stage<'c>,
    pub(super) python: &'c Path,
    pub(super) script: PathBuf,
    pub(super) directory: &'c Path,
    pub(super) address: String,
    pub(super) ledger: Ledger,
    pub(super) done: Done,
    /// Writers that are still at work.
    pub(super) writers: AtomicUsize,
    /// Somebody failed: there is no use in going on.
    pub(super) gives_up: AtomicBool,
    /// Workers have done what they were to do.
    pub(super) is_over: AtomicBool,
}

/// The transactional id of a client, and its group if it has one of its own.
pub(super) fn name_of(client: usize) -> String {
    format!("client-{client}")
}

impl Cast<'_> {
    /// A process of a client; one without a transactional id if it only reads.
    fn start(&self, flow: Flow, who: Who, is_reader: bool, member: (&str, Joins)) -> Result<Client> {
        let name = name_of(who.client);
        let mut command = match flow {
            Flow::Java => self.stage.java("pagewire.Transactor", self.directory)?,
            Flow::Librdkafka => {
                let mut command = Command::new(self.python);
                command.arg(&self.script).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
        };
        let (group, joins) = member;
        let protocol = if joins == Joins::Consumer { "consumer" } else { "classic" };
        command.args([if is_reader { "-" } else { &name }, group, &TRANSACTION_MS.to_string(), protocol]);
        command.env("BOOTSTRAP", &self.address).current_dir(self.directory);
        let log = self.directory.join(format!("{name}-{}.log", who.instance));
        Client::start(command, &log).with_context(|| format!("{name}/{}", who.instance))
    }

    pub(super) fn gives_up(&self) -> bool {
        self.gives_up.load(Ordering::Relaxed)
    }
}

/// A process, its name, and the ledger that hears of all it does.
pub(super) struct Actor<'c> {
    cast: &'c Cast<'c>,
    pub(super) who: Who,
    flow: Flow,
    client: Client,
    /// It is in a call that it does not come back from.
    pub(super) is_stuck: bool,
}

impl<'c> Actor<'c> {
    /// One that only reads.
    pub(super) fn reader(cast: &'c Cast<'c>, flow: Flow, who: Who) -> Result<Self> {
        Self::start(cast, flow, who, true, (&name_of(who.client), Joins::Alone))
    }

    /// One that carries out a script.
    pub(super) fn of(cast: &'c Cast<'c>, who: Who, script: &Script) -> Result<Self> {
        Self::start(cast, script.flow, who, false, (&script.group(who.client), script.joins))
    }

    fn start(
        cast: &'c Cast<'c>,
        flow: Flow,
        who: Who,
        is_reader: bool,
        member: (&str, Joins),
    ) -> Result<Self> {
        cast.ledger.remark(&format!("{}/{} starts: {flow:?}, {member:?}", who.client, who.instance))?;
        Ok(Self { cast, who, flow, client: cast.start(flow, who, is_reader, member)?, is_stuck: false })
    }

    /// One call and its answer. One that fails is an answer; a client that goes by itself is an error.
    pub(super) fn call(&mut self, call: &Call) -> Result<Answer> {
        let pending = self.cast.ledger.invoke(self.who, call.clone())?;
        let line = self.client.post(call).and_then(|()| self.line(call));
        let line = line.with_context(|| format!("{}/{}: {call:?}", self.who.client, self.who.instance))?;
        let Some(line) = line else {
            self.is_stuck = true;
            self.cast.done.stuck_calls.fetch_add(1, Ordering::Relaxed);
            self.cast.ledger.answered(pending, None)?;
            return Ok(Answer::Failed(Remedy::Replace, "it is stuck".to_owned()));
        };
        let answer = Answer::parse(call, &line)?;
        if matches!(answer, Answer::Failed(..)) {
            self.cast.done.failed_calls.fetch_add(1, Ordering::Relaxed);
        }
        self.cast.ledger.answered(pending, Some(answer.clone()))?;
        Ok(answer)
    }

    /// What is answered to a call; `None` if that is known to happen.
    fn line(&self, call: &Call) -> Result<Option<String>> {
        if self.flow == Flow::Librdkafka && matches!(call, Call::Offsets(..)) {
            return self.client.answer_within(STUCK);
        }
        self.client.answer().map(Some)
    }

    /// The same, again where it says so. What is to be done if it fails, and why.
    pub(super) fn insist(&mut self, call: &Call) -> Result<Option<(Remedy, String)>> {
        let mut failed = None;
        for _ in 0..TRIES {
            match self.call(call)? {
                Answer::Failed(Remedy::Retry, why) => failed = Some((Remedy::Replace, why)),
                Answer::Failed(remedy, why) => return Ok(Some((remedy, why))),
                _ => return Ok(None),
            }
        }
        Ok(failed)
    }

    /// It is killed: between two calls, or so long after this one began.
    pub(super) fn killed(mut self, during: Option<(Call, Duration)>) -> Result<()> {
        self.cast.done.clients_killed.fetch_add(1, Ordering::Relaxed);
        let Who { client, instance } = self.who;
        let Some((call, time)) = during else {
            return self.cast.ledger.remark(&format!("{client}/{instance} is killed"));
        };
        let pending = self.cast.ledger.invoke(self.who, call.clone())?;
        self.client.post(&call)?;
        std::thread::sleep(time);
        let cast = self.cast;
        let answered = self.client.answered();
        drop(self);
        let answer = answered.map(|line| Answer::parse(&call, &line)).transpose()?;
        cast.ledger.answered(pending, answer)?;
        cast.ledger.remark(&format!("{client}/{instance} is killed"))
    }

    pub(super) fn stop(&self) -> Result<()> {
        self.cast.ledger.remark(&format!("{}/{} is stopped", self.who.client, self.who.instance))?;
        self.client.stop()
    }

    pub(super) fn wake(&self) -> Result<()> {
        self.cast.ledger.remark(&format!("{}/{} is awake", self.who.client, self.who.instance))?;
        self.client.wake()
    }
}
