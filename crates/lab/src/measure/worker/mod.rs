//! The two processes that are measured. Sender and receiver are processes of their own so that the CPU time of each is
//! its own, and so that each can live in a network namespace. The program starts itself a second and third time, with
//! [`WORD`] as its first argument, and then speaks the [`protocol`].
//!
//! A worker ends when its standard input does, and is killed by the kernel if its parent dies otherwise. It owns every
//! file, socket and namespace it makes, none of which has a name: nothing outlives it.

mod answers;
mod launch;
pub(crate) mod protocol;
mod receiver;
mod sender;
mod subject;

use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

pub use launch::Program;
pub(crate) use launch::Worker;
pub(crate) use receiver::low_water;
pub(crate) use subject::{chill, filled};

use self::protocol::{Answer, Order};
use self::receiver::Receiving;
use self::sender::Sender;
use crate::measure::link::{self, offload};

/// The first argument that makes a program a worker of the lab.
pub const WORD: &str = "lab-worker";

/// No wait on a socket is longer: a measurement that hangs is an error.
const LIMIT: Duration = Duration::from_mins(1);

/// Works until the orders end. For the program that was started with [`WORD`].
///
/// # Errors
/// A pipe that breaks, or a line that is no order.
pub fn work() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut out = std::io::stdout().lock();
    let mut state = State::default();
    for line in std::io::stdin().lock().lines() {
        let order = serde_json::from_str(&line?).context("an order that makes no sense")?;
        let answer = state.act(order).unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

#[derive(Default)]
struct State {
    sender: Option<Sender>,
    receiving: Option<Receiving>,
}

impl State {
    fn act(&mut self, order: Order) -> anyhow::Result<Answer> {
        Ok(match order {
            Order::Pin(cpu) => done(link::pin(cpu)?),
            Order::Calm => done(pagewire_zcopy::schedule_as_batch().context("SCHED_BATCH")?),
            Order::Isolate => done(link::veth::isolate()?),
            Order::Wire { peer, scatter_gather } => done(link::veth::wire(peer, scatter_gather)?),
            Order::Address { scatter_gather } => done(link::veth::address(scatter_gather)?),
            Order::Congestion => {
                let (chosen, default) = link::congestion::choose()?;
                Answer::Congestion { chosen, default }
            }
            Order::Offloads(interface) => Answer::Offloads(offload::telling(&interface)?),
            Order::Prepare { dir, bytes } => {
                let sender = self.sender.insert(Sender::prepare(&dir, bytes)?);
                Answer::Prepared {
                    syscalls_counted: sender.counts_syscalls(),
                    pages_from: sender.pages_from(),
                }
            }
            Order::Chill => Answer::Chilled(self.sender()?.chill()?),
            Order::Send(send) => Answer::Sent(self.sender()?.send(&send)?),
            Order::Queue(queue) => Answer::Queued(self.sender()?.queue(&queue)?),
            Order::Overwrite => done(self.sender()?.overwrite()?),
            Order::Listen(address) => {
                let receiving = self.receiving.insert(Receiving::listen(address)?);
                Answer::Listening(receiving.port()?)
            }
            Order::Receive(receive) => Answer::Received(self.receiving()?.receive(&receive)?),
            Order::Park => done(self.receiving()?.park()?),
            Order::Await(bytes) => done(self.receiving()?.wait_for(bytes)?),
            Order::Count(bytes) => Answer::Counted(self.receiving()?.count(bytes)?),
        })
    }

    fn sender(&mut self) -> anyhow::Result<&mut Sender> {
        self.sender.as_mut().context("nothing is prepared to be sent")
    }

    fn receiving(&mut self) -> anyhow::Result<&mut Receiving> {
        match &mut self.receiving {
            Some(receiving) => Ok(receiving),
            None => bail!("not listening"),
        }
    }
}

fn done((): ()) -> Answer {
    Answer::Done
}

/// What both ends of a connection are set to.
fn connection(socket: &TcpStream) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_write_timeout(Some(LIMIT))?;
    Ok(())
}
