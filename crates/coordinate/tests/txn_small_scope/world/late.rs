//! A batch that its producer gave up, and that comes all the same.

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Error, TxnVersion};

use crate::leader::Batch;
use crate::world::World;
use crate::world::client::Phase;

/// A batch that its producer gave up, and that comes all the same.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Late {
    pub(super) token: u64,
    pub(super) partition: i32,
    pub(super) batch: Batch,
    pub(super) version: TxnVersion,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    OnItsWay,
    /// The coordinator is asked about it.
    Asked,
    /// It is appended next.
    Allowed,
}

impl World {
    /// A producer gives up the batch that it sends, and will abort.
    pub(super) fn delay(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let (partition, stage) = match client.phase {
            Phase::Verify(partition) => (partition, Stage::OnItsWay),
            Phase::Append(partition) => (partition, Stage::Allowed),
            phase => panic!("a batch in {phase:?}"),
        };
        let token = (self.clients.len() + self.late.len()) as u64;
        let client = &mut self.clients[at];
        let (batch, version) = (client.batch(at, partition), client.version);
        (client.phase, client.gives_up) = (Phase::End, true);
        self.leader(partition).hand_on(at as u64, token);
        self.late.push(Late { token, partition, batch, version, stage });
    }

    /// What was given up goes on.
    pub(super) fn late(&mut self, at: usize) {
        let Late { token, partition, batch, version, stage } = self.late[at];
        match stage {
            Stage::OnItsWay if self.come(Token(token), partition, batch, version) => {
                self.late[at].stage = Stage::Asked;
            }
            Stage::OnItsWay => self.late[at].stage = Stage::Allowed,
            Stage::Asked => {}
            Stage::Allowed => {
                // Nobody hears what became of it.
                let _ = self.append(Token(token), partition, batch);
                self.late.remove(at);
            }
        }
    }

    pub(super) fn hear_of_late(&mut self, token: u64, error: Option<Error>) {
        let Some(at) = self.late.iter().position(|late| late.token == token) else { return };
        let Late { partition, batch, .. } = self.late[at];
        self.said_of(token, partition, batch.producer, error);
        match error {
            Some(_) => drop(self.late.remove(at)),
            None => self.late[at].stage = Stage::Allowed,
        }
    }
}
