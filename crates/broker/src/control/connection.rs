//! Accepting, and one connection: its request, its progress, its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::line::{self, NoLine};
use super::socket::ControlSocket;
use super::verbs::{self, Call};
use super::{Answer, Control};

/// How long accepting rests when the process has no descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts until the broker stops. The socket's file goes first of all then.
pub(super) async fn accept(socket: ControlSocket, control: Arc<Control>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = control.stop.cancelled() => return,
            accepted = socket.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, Arc::clone(&control)));
            }
            Err(error) => {
                warn!(%error, "accepting a control connection failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, control: Arc<Control>) {
    let (read, mut write) = stream.into_split();
    let Ok(_place) = Arc::clone(&control.places).try_acquire_owned() else {
        let busy = Answer::Error("too many control connections: try again".to_owned());
        // Whoever is gone does not care.
        let _ = line::write(&mut write, &busy).await;
        return;
    };
    let mut read = BufReader::new(read);
    let asked = tokio::select! {
        biased;
        () = control.stop.cancelled() => return,
        asked = line::read(&mut read) => asked,
    };
    let answer = match asked {
        Err(NoLine::Gone) => return,
        Err(NoLine::Refused(why)) => Answer::Error(why.to_owned()),
        Ok(line) => answer(&line, &control, &mut read, &mut write).await,
    };
    if let Err(error) = line::write(&mut write, &answer).await {
        debug!(%error, "a control client did not hear its answer");
    }
}

/// Does what a line asks for.
async fn answer(
    line: &[u8],
    control: &Arc<Control>,
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
) -> Answer {
    let (call, mut progress) = Call::new(control);
    let ending = call.ending.clone();
    let work = match verbs::begin(line, call) {
        Ok(work) => work,
        Err(refused) => return Answer::Error(refused),
    };
    let mut work = std::pin::pin!(work);
    let mut has_more = true;
    let told = loop {
        tokio::select! {
            biased;
            done = &mut work => break Some(done),
            () = control.stop.cancelled() => break None,
            () = is_gone(read) => break None,
            told = progress.changed(), if has_more => has_more = told.is_ok(),
        }
        if has_more {
            let now = progress.borrow_and_update().clone();
            // A client that does not read holds up only what it asked for.
            if line::write(write, &Answer::Progress(now)).await.is_err() {
                break None;
            }
        }
    };
    let done = if let Some(done) = told {
        done
    } else {
        info!(
            "a control client went away, or the broker stops: nobody waits for what was asked for any more"
        );
        ending.cancel();
        work.await
    };
    done.map_or_else(Answer::Error, Answer::Result)
}

/// Until the client closes its end, or says more than one line.
async fn is_gone(read: &mut BufReader<OwnedReadHalf>) {
    let mut byte = [0; 1];
    // A byte that is read ends the connection as well.
    let _ = read.read(&mut byte).await;
}
