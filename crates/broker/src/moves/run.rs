//! One move, from its first byte to the switch.

use std::sync::Arc;
use std::time::Duration;

use pagewire_log::{MoveError, Moving};
use pagewire_wire::ErrorCode;
use tokio::runtime::Handle;
use tracing::{debug, error, info, warn};

use super::Move;
use super::pace::Pace;
use crate::broker::Broker;
use crate::cluster::{Refused, Switch, change};

/// With no more left than this the last round is made, for which appends wait.
const LEFT_MAX_BYTES: u64 = 1 << 20;
/// As many rounds are made before; of a log that is appended to as fast as it is copied that is told once.
const ROUNDS_MAX: usize = 32;
/// Between two attempts: a backup may still need the log where it is, or it is being opened anew.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });

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

/// Makes it. Blocks for as long as the bytes take.
pub(super) fn run(broker: &Arc<Broker>, going: &Arc<Move>, runtime: &Handle) {
    let ended = loop {
        match attempt(broker, going, runtime) {
            Err(Ended::Move(MoveError::Reopened)) if !going.ending.is_cancelled() => {
                std::thread::sleep(PAUSE);
            }
            ended => break ended,
        }
    };
    let another_has_begun = broker.moves().ended(going);
    let (topic, partition) = (&*going.future.topic, going.future.partition);
    let to = going.to.display();
    match ended {
        Ok(()) => {
            info!(topic, partition, %to, "is served from another log directory now");
            runtime.block_on(async { broker.coordinators().take_up(broker) });
            return;
        }
        // What is noted on the disk begins anew with the next start.
        Err(_) if broker.moves().is_stopping() => return,
        Err(_) if going.ending.is_cancelled() => info!(topic, partition, %to, "does not move any more"),
        Err(Ended::Move(MoveError::Nothing)) => debug!(topic, partition, "deleted before it had moved"),
        Err(Ended::Move(error)) => {
            error!(topic, partition, %to, %error, "cannot move, and stays where it is");
        }
        Err(Ended::Refused(refused)) => {
            error!(topic, partition, %to, error = refused.message, "cannot move, and stays where it is");
        }
    }
    let dir = broker.cluster().log_dirs().here().find(|dir| dir.path() == going.to);
    if let Some(dir) = dir.filter(|_| !another_has_begun)
        && let Err(error) = dir.drop_future(&going.future)
    {
        warn!(topic, partition, %to, %error, "what was copied is left there; the next start moves it, or removes it");
    }
}

fn attempt(broker: &Arc<Broker>, going: &Arc<Move>, runtime: &Handle) -> Result<(), Ended> {
    let rate = || broker.config().alter_log_dirs_max_bytes_per_second;
    let pace = Pace::new(&rate, &going.ending);
    let pace = |bytes| pace.moved(bytes);
    pace(0).map_err(|_| MoveError::Nothing)?;
    let mut moving = broker.cluster().log_dirs().begin_move(&going.future, &going.to)?;
    let mut is_told = false;
    loop {
        catch_up(&mut moving, going, &pace)?;
        if !is_told && moving.left_bytes() > LEFT_MAX_BYTES {
            is_told = true;
            let (topic, partition, to) = (&*going.future.topic, going.future.partition, going.to.display());
            warn!(topic, partition, %to, "is appended to about as fast as it is copied, and moves when it is not; \
                replica.alter.log.dirs.io.max.bytes.per.second, if it is set, slows the copying down");
        }
        let (wanted, ending) = (moving, going.ending.clone());
        let switched = change(broker, |change| async move {
            if ending.is_cancelled() {
                return Err(Refused::new(ErrorCode::RequestTimedOut, "it is not wanted any more"));
            }
            change.switch(wanted).await
        });
        match runtime.block_on(switched).map_err(Ended::Refused)? {
            Switch::Done => return Ok(()),
            Switch::Failed(error) => return Err(error.into()),
            Switch::Later(again) => moving = *again,
        }
        std::thread::sleep(PAUSE);
        pace(0).map_err(|_| MoveError::Nothing)?;
    }
}

/// Rounds, until little is left.
fn catch_up(
    moving: &mut Moving,
    going: &Move,
    pace: &dyn Fn(u64) -> std::io::Result<()>,
) -> Result<(), MoveError> {
    for _ in 0..ROUNDS_MAX {
        moving.catch_up(pace)?;
        let (bytes, end) = moving.so_far();
        going.note((bytes, end));
        if moving.left_bytes() <= LEFT_MAX_BYTES {
            break;
        }
    }
    Ok(())
}
