//! One move, from its first byte to the switch.

use std::sync::Arc;
use std::time::Duration;

use pagewire_log::{MoveError, Moving};
use pagewire_wire::ErrorCode;
use tokio::runtime::Handle;
use tracing::{debug, error, info, warn};

use super::pace::Pace;
use super::resumed::{is_unserved, resume};
use super::shown::Waits;
use super::{Move, TRIES_MAX};
use crate::broker::Broker;
use crate::cluster::{Late, Refused, Switch, change};

/// With no more left than this the last round is made, for which appends wait.
const LEFT_MAX_BYTES: u64 = 1 << 20;
/// As many rounds are made before; of a log that is appended to as fast as it is copied that is told once.
const ROUNDS_MAX: usize = 32;
/// Between two attempts: a backup may still need the log where it is.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });
/// After a last round that was called off: for as long as one lasts nothing is appended to the log.
const PAUSE_AFTER_LATE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 60_000 });

/// For compaction, which puts its segments in the places of others in less.
const PAUSE_CHANGING: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5_000 });

/// Why a move ended before its switch.
enum Ended {
    Move(MoveError),
    Refused(Refused),
}

impl From<MoveError> for Ended {
    fn from(error: MoveError) -> Self {
        Self::Move(error)
    }
}

/// What becomes of a move.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Then {
    Over,
    /// Its log is being opened anew, which may take long: others have their turns first.
    Again,
    /// It came to nothing, for a reason that may be gone by and by.
    Later(String),
}

impl Then {
    /// Of what is tried again.
    fn after(ended: &Result<bool, Ended>) -> Option<Self> {
        let Err(Ended::Move(error)) = ended else { return None };
        match error {
            MoveError::Reopened => Some(Self::Again),
            MoveError::Altered(_) => Some(Self::Later(error.to_string())),
            error if error.is_changing() => Some(Self::Later(error.to_string())),
            _ => None,
        }
    }
}

/// Makes it. Blocks for as long as the bytes take.
pub(super) fn run(broker: &Arc<Broker>, going: &Arc<Move>, runtime: &Handle) -> Then {
    going.goes_on();
    let ended = attempt(broker, going, runtime);
    if let Some(then) = Then::after(&ended).filter(|_| !going.ending.is_cancelled()) {
        return then;
    }
    broker.moves().ended(going);
    end(broker, going, ended, runtime);
    Then::Over
}

/// Says how it ended, and removes what nobody wants any more.
fn end(broker: &Arc<Broker>, going: &Arc<Move>, ended: Result<bool, Ended>, runtime: &Handle) {
    let (topic, partition) = (&*going.future.topic, going.future.partition);
    let to = going.to.display();
    match ended {
        Ok(true) => {
            broker.moves().count_done();
            info!(topic, partition, %to, "is served from another log directory now");
            runtime.block_on(async { broker.coordinators().take_up(broker) });
            return;
        }
        // Which was said. What is noted on the disk is all there is of the log.
        Ok(false) => return,
        // What is noted on the disk begins anew with the next start.
        Err(_) if broker.moves().is_stopping() => return,
        Err(Ended::Move(MoveError::Nothing))
            if !going.ending.is_cancelled() && is_unserved(broker, &going.future) =>
        {
            info!(topic, partition, %to, "is not served, and goes on moving when it is");
            resume(broker, vec![(going.to.clone(), going.future.clone())]);
            return;
        }
        Err(_) if going.ending.is_cancelled() => info!(topic, partition, %to, "does not move any more"),
        Err(Ended::Move(MoveError::Nothing)) => debug!(topic, partition, "deleted before it had moved"),
        Err(Ended::Move(error)) => {
            broker.moves().give_up(going, &error.to_string());
            error!(topic, partition, %to, %error, "cannot move, and stays where it is");
        }
        Err(Ended::Refused(refused)) => {
            broker.moves().give_up(going, &refused.message);
            error!(topic, partition, %to, error = refused.message, "cannot move, and stays where it is");
        }
    }
    let dir = broker.cluster().log_dirs().here().find(|dir| dir.path() == going.to);
    let _noting = broker.moves().notes.hold(&going.future, &going.to);
    // Another move to the same directory needs the note.
    if let Some(dir) = dir.filter(|_| !broker.moves().is_under_way(&going.to, &going.future))
        && let Err(error) = dir.drop_future(&going.future)
    {
        warn!(topic, partition, %to, %error, "what was copied is left there; the next start moves it, or removes it");
    }
}

/// Whether the log is served from where it went.
fn attempt(broker: &Arc<Broker>, going: &Arc<Move>, runtime: &Handle) -> Result<bool, Ended> {
    let rate = || broker.config().alter_log_dirs_max_bytes_per_second;
    let pace = Pace::new(&rate, &going.ending);
    let pace = |bytes| {
        pace.moved(bytes)?;
        going.moved(bytes);
        broker.moves().count_copied(bytes);
        Ok(())
    };
    pace(0).map_err(|_| MoveError::Nothing)?;
    going.note((0, 0));
    let mut moving = broker.cluster().log_dirs().begin_move(&going.future, &going.to)?;
    let (mut is_told, mut lates, mut changes) = (false, 0, 0);
    loop {
        catch_up(&mut moving, going, &pace, runtime)?;
        if !is_told && moving.left_bytes() > LEFT_MAX_BYTES {
            is_told = true;
            let (topic, partition, to) = (&*going.future.topic, going.future.partition, going.to.display());
            warn!(topic, partition, %to, "is appended to about as fast as it is copied, and moves when it is not; \
                replica.alter.log.dirs.io.max.bytes.per.second, if it is set, slows the copying down");
        }
        let (wanted, ending) = (moving, going.ending.clone());
        // The copy may be the log before anybody sees it: meanwhile nobody takes it for one that is not wanted any more.
        let noting = broker.moves().notes.hold(&going.future, &going.to);
        let switched = change(broker, |change| async move {
            if ending.is_cancelled() {
                return Err(Refused::new(ErrorCode::RequestTimedOut, "it is not wanted any more"));
            }
            change.switch(wanted).await
        });
        let switched = runtime.block_on(switched).map_err(Ended::Refused)?;
        drop(noting);
        match switched {
            Switch::Done => return Ok(true),
            Switch::Apart => return Ok(false),
            Switch::Failed(error) => return Err(error.into()),
            Switch::Later(again) => {
                moving = *again;
                going.waits_for(Waits::Switch);
                pause(going, PAUSE, runtime);
            }
            Switch::Changing(_, error) if changes >= TRIES_MAX => return Err(error.into()),
            Switch::Changing(again, _) => {
                (moving, changes) = (*again, changes + 1);
                going.waits_for(Waits::Compaction);
                pause(going, PAUSE_CHANGING, runtime);
            }
            Switch::Late(round) => {
                lates += 1;
                moving = wait_for(round, going, lates, runtime)?;
            }
        }
        pace(0).map_err(|_| MoveError::Nothing)?;
        going.goes_on();
    }
}

/// Unless it shall end.
fn pause(going: &Move, pause: Duration, runtime: &Handle) {
    runtime.block_on(async {
        let _ = tokio::time::timeout(pause, going.ending.cancelled()).await;
    });
}

/// Waits for a round that was called off, and for a while: before that nothing else may be written in its copy.
fn wait_for(round: Late, going: &Move, lates: u32, runtime: &Handle) -> Result<Moving, Ended> {
    let (topic, partition, to) = (&*going.future.topic, going.future.partition, going.to.display());
    warn!(topic, partition, %to, lates, "a disk does not answer in the last round: the partition is served from where it is, and \
        moves when the disk answers");
    going.waits_for(Waits::Disk);
    let broken_off = || Refused::new(ErrorCode::UnknownServerError, "its last round broke off");
    let (mut moving, ended) = runtime.block_on(round).ok_or_else(|| Ended::Refused(broken_off()))?;
    // It may have been complete a moment too late.
    match ended.and_then(|()| Err(moving.give_way())) {
        Err(MoveError::CalledOff) if lates >= TRIES_MAX => return Err(MoveError::CalledOff.into()),
        Ok(()) | Err(MoveError::CalledOff | MoveError::Held | MoveError::Behind(_)) => {}
        Err(error) => return Err(error.into()),
    }
    pause(going, PAUSE_AFTER_LATE, runtime);
    Ok(moving)
}

/// Rounds, until little is left.
fn catch_up(
    moving: &mut Moving,
    going: &Move,
    pace: &dyn Fn(u64) -> std::io::Result<()>,
    runtime: &Handle,
) -> Result<(), MoveError> {
    for _ in 0..ROUNDS_MAX {
        round(moving, going, pace, runtime)?;
        let (bytes, end) = moving.so_far();
        going.note((bytes, end));
        if moving.left_bytes() <= LEFT_MAX_BYTES {
            break;
        }
    }
    Ok(())
}

/// One round, which waits while compaction puts segments in the places of others: what was copied is not copied again.
fn round(
    moving: &mut Moving,
    going: &Move,
    pace: &dyn Fn(u64) -> std::io::Result<()>,
    runtime: &Handle,
) -> Result<(), MoveError> {
    let mut tries = 0;
    loop {
        match moving.catch_up(pace) {
            Err(error) if error.is_changing() && tries < TRIES_MAX && !going.ending.is_cancelled() => {
                tries += 1;
                going.waits_for(Waits::Compaction);
                pause(going, PAUSE_CHANGING, runtime);
                going.goes_on();
            }
            done => return done,
        }
    }
}
