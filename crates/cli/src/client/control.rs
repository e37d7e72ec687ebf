//! A broker's control socket: one request, progress, one answer.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use pagewire_broker::control::{Answer, LINE_MAX, SocketName};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long nothing may be heard before that is said.
const SILENCE: Duration = Duration::from_secs(5);

/// What is told before the answer comes.
#[derive(Debug)]
pub(crate) enum Word {
    /// How far the broker is.
    Progress(Value),
    /// Nothing was heard for this long, and it is waited on. Said once, until something is heard again.
    Silence(Duration),
}

/// [`Word::Silence`] in words.
pub(crate) fn silence(time: Duration) -> String {
    format!(
        "the broker has said nothing for {} s, and is waited for: a disk may hang, or it is stopped (its log and pagewire cluster \
         tell); Ctrl-C ends this",
        time.as_secs()
    )
}

/// A connection to the broker that serves a data directory.
#[derive(Debug)]
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects to the broker that serves `dir`. `None`: no broker does.
    pub(crate) async fn of(dir: &Path) -> anyhow::Result<Option<Self>> {
        let name = match SocketName::in_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            name => name.with_context(|| format!("{} cannot be looked at", dir.display()))?,
        };
        match UnixStream::connect(name.path()).await {
            Ok(stream) => Ok(Some(Self { stream: BufReader::new(stream) })),
            // Never made, or left behind by a broker that was killed.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => {
                let hint = if error.kind() == io::ErrorKind::PermissionDenied {
                    " (only the broker's user and root may)"
                } else {
                    ""
                };
                Err(anyhow!("the broker of {} cannot be spoken to: {error}{hint}", dir.display()))
            }
        }
    }

    /// Asks, tells what is heard meanwhile, or that nothing is, and answers what came of it. Dropping the future ends what was
    /// asked for.
    pub(crate) async fn ask(mut self, request: &Value, mut tell: impl FnMut(Word)) -> anyhow::Result<Value> {
        let gone = || "the broker went away";
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        match self.stream.write_all(&line).await {
            // It may have said why before it closed.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            sent => sent.with_context(gone)?,
        }
        loop {
            line.clear();
            let mut bounded = (&mut self.stream).take(LINE_MAX as u64);
            let mut read = pin!(bounded.read_until(b'\n', &mut line));
            let heard = if let Ok(heard) = timeout(SILENCE, &mut read).await {
                heard
            } else {
                tell(Word::Silence(SILENCE));
                read.await
            };
            heard.with_context(gone)?;
            if line.last() != Some(&b'\n') {
                bail!("the broker went away before it was done");
            }
            match serde_json::from_slice(&line).context("the broker's answer is not understood")? {
                Answer::Progress(progress) => tell(Word::Progress(progress)),
                Answer::Result(result) => return Ok(result),
                Answer::Error(error) => bail!(error),
            }
        }
    }
}
